-- SPDX-License-Identifier: MIT
-- cron: jobs at times. Those that change something give what result.lua says, and register the entry.
local core = ...
local crontab = core.library("crontab")
local declared = core.library("declared")
local result = core.library("result")
local cron = {}

local kinds = {
	name = "string", schedule = "string", command = "string", user = "string?", file = "string?", root = "string?", disabled = "boolean?",
}

local function read(fn, names, ...)
	fn = "cron." .. fn
	local known = {}
	for _, name in ipairs(names) do
		known[name] = kinds[name]
	end
	local args = declared.read(fn, names, known, { job = "command", time = "schedule" }, ...)
	args.root = args.root and core.path(args.root)
	return args, fn
end

-- add(name, schedule, command [, { user, file, root, disabled }])
function cron.add(...)
	local args, fn = read("add", { "name", "schedule", "command", "user", "file", "root", "disabled" }, ...)
	core.acts(fn)
	return core.library("resource").cron(args)
end

local PLACE = { "name", "user", "file", "root" }

-- remove(name [, user])
function cron.remove(...)
	local args, fn = read("remove", PLACE, ...)
	core.acts(fn)
	args.ensure = "absent"
	return core.library("resource").cron(args)
end

local function entries(args)
	local place = crontab.place(args)
	local text, message = crontab.read(place)
	if message then
		return nil, message
	end
	return crontab.entries(text or "", place.has_user)
end

local function find(args)
	local list, message = entries(args)
	for _, entry in ipairs(list or {}) do
		if entry.name == args.name and entry.schedule then
			return entry
		end
	end
	return nil, message or "there is no entry '" .. args.name .. "'"
end

local function switch(fn_name, disabled)
	cron[fn_name] = function(...)
		local args, fn = read(fn_name, PLACE, ...)
		core.acts(fn)
		local entry, message = find(args)
		if not entry then
			return result.bad(fn .. ": " .. message, { name = args.name })
		end
		return core.library("resource").cron({ name = args.name, schedule = entry.schedule, command = entry.command, disabled = disabled,
			user = args.user, file = args.file, root = args.root })
	end
end
switch("enable", false)
switch("disable", true)

-- What asks: a value, or nil and a message.

function cron.exists(...)
	local entry = find((read("exists", PLACE, ...)))
	return entry ~= nil
end

-- Entries with a name: a list of { name, schedule, command, user, enabled }.
function cron.list(...)
	local args = read("list", { "user", "file", "root" }, ...)
	local found, message = entries(args)
	if not found then
		return nil, message
	end
	local list = {}
	for _, entry in ipairs(found) do
		list[#list + 1] = entry.schedule and { name = entry.name, schedule = entry.schedule, command = entry.command,
			user = entry.user or args.user, enabled = not entry.disabled } or nil
	end
	return core.mark_list(list)
end

-- true; or false and what is wrong with it.
function cron.validate_schedule(...)
	local args = read("validate_schedule", { "schedule" }, ...)
	local wrong = crontab.wrong(args.schedule)
	return wrong == nil, wrong
end

return cron
