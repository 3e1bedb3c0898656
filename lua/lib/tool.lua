-- SPDX-License-Identifier: MIT
-- Programs of the system that providers call: found where administrators have them, too; in plain words, without questions, and
-- with what they said as the message.
local core = ...
local tool = {}

local FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
local ENVIRONMENT = { "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive" }
local LINES = 5 -- of what a program said, in a message

-- Where it is, or nil.
function tool.path(name)
	for folder in ((core.getenv("PATH") or "") .. ":" .. FOLDERS):gmatch("[^:]+") do
		local st = folder:sub(1, 1) == "/" and core.stat(folder .. "/" .. name)
		if st and st.type == "file" then
			return folder .. "/" .. name
		end
	end
end

-- What there is to read of a failure: lines that are marked as errors, or the last ones.
local function complaint(raw)
	local errors, all = {}, {}
	for line in (raw.stderr .. (raw.stderr == "" and raw.stdout or "")):gmatch("[^\n]+") do
		all[#all + 1] = line
		if line:find("^E: ") then -- apt's
			errors[#errors + 1] = line
		end
	end
	local list = errors[1] and errors or all
	return table.concat(list, "; ", math.max(1, #list - LINES + 1))
end

-- Runs it. What it gave; or nil, a message, what it gave. options: stdin; ok = set of further exit codes that are none of failure;
-- env = list of "NAME=value", beside ours.
function tool.run(words, options)
	options = options or {}
	local path = tool.path(words[1])
	if not path then
		return nil, words[1] .. " is not installed here"
	end
	local arguments = { path, table.unpack(words, 2) }
	local env = { table.unpack(ENVIRONMENT) }
	table.move(options.env or {}, 1, #(options.env or {}), #env + 1, env)
	local raw = core.exec({ arguments = arguments, env = env, stdin = options.stdin, capture = true, quiet = true })
	if raw.exit_code == 0 or options.ok and options.ok[raw.exit_code] then
		return raw
	end
	local said = complaint(raw)
	if said:sub(1, #words[1] + 1) == words[1] .. ":" then
		return nil, said, raw
	end
	return nil, words[1] .. ": " .. (said ~= "" and said or "exit status " .. raw.exit_code), raw
end

return tool
