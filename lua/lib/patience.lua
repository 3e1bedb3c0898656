-- SPDX-License-Identifier: MIT
-- Waiting for what others bring about; what providers share that only look.
local core = ...
local patience = {}

local FIRST, LAST = 10, 500 -- milliseconds between two looks

-- True as soon as is_so() is; after so many milliseconds nil and the message that it gave.
function patience.wait(ms, is_so)
	local stop, pause = core.uptime() + ms, FIRST
	while true do
		local so, message = is_so()
		local left = stop - core.uptime()
		if so or left <= 0 then
			return so, message
		end
		core.sleep(math.min(pause, left))
		pause = math.min(pause * 2, LAST)
	end
end

-- image() and undo() of providers that only look: they have changed nothing.
function patience.nothing()
	return {}
end

-- apply() of these: waits `desired.wait` for others to bring it about. true; or nil, the change that is left, a message.
function patience.others(p, desired)
	local drift = core.library("drift")
	local left
	local ok, message = patience.wait(core.duration(desired.wait), function()
		local actual, text = p.read(desired)
		left = actual and drift.changes(p, desired, actual)[1]
		return actual ~= nil and not left, text
	end)
	return ok or nil, left, message
end

return patience
