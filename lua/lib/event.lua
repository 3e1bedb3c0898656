-- SPDX-License-Identifier: MIT
-- event: tells the audit trail of something: true, or false and a message.
local core = ...
local arguments = core.library("arguments")
local event = {}

local function add(kind, data)
	local value, text = core.call("event.add", { type = kind, data = data })
	if value == nil then
		return false, text
	end
	return true
end

-- dispatch("deploy.completed", { … })
function event.dispatch(...)
	local args = arguments.read("event.dispatch", { "type", "data" }, { type = "string", data = "table?" }, ...)
	if args.data and #args.data > 0 then
		core.fail("event.dispatch: 'data' must be a table of names and values, not a list")
	end
	return add(args.type, args.data)
end

-- An event of the type "custom".
function event.dispatch_custom(...)
	local args = arguments.read("event.dispatch_custom", { "name", "message" }, { name = "string", message = "string?" }, ...)
	return add("custom", { name = args.name, message = args.message })
end

local happenings = { "created", "modified", "deleted" }

-- dispatch_file("created", "/etc/motd" [, watcher])
function event.dispatch_file(...)
	local args = arguments.read("event.dispatch_file", { "event", "path", "watcher" },
		{ event = "string", path = "string", watcher = "string?" }, ...)
	for _, word in ipairs(happenings) do
		if word == args.event then
			return add("file." .. word, { path = args.path, watcher = args.watcher })
		end
	end
	return false, "'" .. args.event .. "' is nothing that happens to a file: " .. table.concat(happenings, ", ")
end

return event
