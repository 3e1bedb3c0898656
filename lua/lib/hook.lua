-- SPDX-License-Identifier: MIT
-- A hook that is a shell command: what a function would get as arguments is in its environment.
local core = ...
local hook = {}

-- SLOTH_SUCCESS: how it ended; SLOTH_ERROR: why it failed.
local function environment_of(...)
	local env = {}
	for i = 1, select("#", ...) do
		local value = select(i, ...)
		if type(value) == "boolean" then
			env[#env + 1] = "SLOTH_SUCCESS=" .. tostring(value)
		elseif type(value) == "table" and type(rawget(value, "error")) == "string" then
			env[#env + 1] = "SLOTH_ERROR=" .. rawget(value, "error"):gsub("%z", "?")
		end
	end
	return env
end

function hook.of(script)
	return function(...)
		local raw = core.exec({ command = script, env = environment_of(...) })
		if raw.exit_code ~= 0 then
			local last = raw.stderr:match("([^\n]+)\n*$")
			local text = raw.signal and "ended by signal " .. raw.signal or "exit status " .. raw.exit_code
			core.error(last and text .. ": " .. last or text, 0)
		end
	end
end

return hook
