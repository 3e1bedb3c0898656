-- SPDX-License-Identifier: MIT
-- group: groups of this host (or of another root). Those that change something give what result.lua says, and register the group.
local core = ...
local accounts = core.library("accounts")
local declared = core.library("declared")
local result = core.library("result")
local group = {}

local aliases = { groupname = "name", group = "name", users = "members", user = "members", member = "members" }

local function read(fn, names, kinds, ...)
	fn = "group." .. fn
	kinds.name, kinds.root = "string", "string?"
	local args = declared.read(fn, { "name", table.unpack(names) }, kinds, aliases, ...)
	args.root = args.root and core.path(args.root)
	return args, fn
end

local function there(args)
	return accounts.find(args.root, "group", args.name)
end

-- create(name [, { gid, members, append, system }])
function group.create(...)
	local args, fn = read("create", { "gid", "members", "append", "system", "root" },
		{ gid = "any?", members = "any?", append = "boolean?", system = "boolean?" }, ...)
	core.acts(fn)
	return core.library("resource").group(args.name, { gid = args.gid, members = args.members, append = args.append, system = args.system, root = args.root })
end

-- modify(name, { gid, members, append }): what is not said stays as it is, and as it is registered.
function group.modify(...)
	local args, fn = read("modify", { "gid", "members", "append", "root" }, { gid = "any?", members = "any?", append = "boolean?" }, ...)
	core.acts(fn)
	local fields, message = there(args)
	if not fields then
		return result.bad(message or "there is no group '" .. args.name .. "'", { name = args.name })
	end
	return declared.amend("group", args.name, { gid = args.gid, members = args.members, append = args.append, root = args.root })
end

local function delete(fn_name)
	return function(...)
		local args, fn = read(fn_name, { "root" }, {}, ...)
		core.acts(fn)
		return core.library("resource").group(args.name, { ensure = "absent", root = args.root })
	end
end
group.delete, group.remove = delete("delete"), delete("remove")

local function members_of(fields)
	local list = {}
	for name in (fields[4] or ""):gmatch("[^,]+") do
		list[#list + 1] = name
	end
	return core.mark_list(list)
end

-- add_member(name, user or list): others stay.
function group.add_member(...)
	local args, fn = read("add_member", { "members", "root" }, { members = "any" }, ...)
	core.acts(fn)
	local fields, message = there(args)
	if not fields then
		return result.bad(message or "there is no group '" .. args.name .. "'", { name = args.name })
	end
	local before = declared.properties("group", args.name, args.root)
	local list = { table.unpack(before.members or {}) }
	for _, name in ipairs(type(args.members) == "table" and args.members or { args.members }) do
		list[#list + 1] = name
	end
	return declared.amend("group", args.name, { members = list, append = before.append or before.members == nil or nil, root = args.root })
end

-- remove_member(name, user): the others are its members from now on.
function group.remove_member(...)
	local args, fn = read("remove_member", { "members", "root" }, { members = "string" }, ...)
	core.acts(fn)
	local fields, message = there(args)
	if not fields then
		return result.bad(message or "there is no group '" .. args.name .. "'", { name = args.name })
	end
	local rest = {}
	for _, name in ipairs(members_of(fields)) do
		rest[#rest + 1] = name ~= args.members and name or nil
	end
	return declared.amend("group", args.name, { members = rest, append = false, root = args.root })
end

-- What asks: a value, or nil and a message.

function group.exists(...)
	local fields, message = there((read("exists", { "root" }, {}, ...)))
	if not fields and message then
		return nil, message
	end
	return fields ~= nil
end

local function info_of(fields)
	return { name = fields[1], gid = math.tointeger(tonumber(fields[3])), members = members_of(fields) }
end

local function info(fn, ...)
	local args = read(fn, { "root" }, {}, ...)
	local fields, message = there(args)
	if not fields then
		return nil, message or "there is no group '" .. args.name .. "'"
	end
	return info_of(fields)
end

function group.get_info(...)
	return info("get_info", ...)
end

for fn, field in pairs({ get_gid = "gid", members = "members" }) do
	group[fn] = function(...)
		local found, message = info(fn, ...)
		return found and found[field], message
	end
end

function group.list(...)
	local args = core.library("arguments").read("group.list", { "root" }, { root = "string?" }, ...)
	local lines, message = accounts.lines(args.root and core.path(args.root), "group")
	if not lines then
		return nil, message
	end
	local list = {}
	for i, fields in ipairs(lines) do
		list[i] = info_of(fields)
	end
	return core.mark_list(list)
end

return group
