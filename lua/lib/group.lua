-- SPDX-License-Identifier: MIT
-- group: groups of this host (or of another root). Those that change something give what result.lua says, and register the group.
local core = ...
local account_functions = core.library("account_functions")
local declared = core.library("declared")
local group = {}

local aliases = { groupname = "name", group = "name", users = "members", user = "members", member = "members" }

local kinds = { gid = "any?", members = "any?", append = "boolean?", system = "boolean?", root = "string?" }

local function members_of(fields)
	local list = {}
	for name in (fields[4] or ""):gmatch("[^,]+") do
		list[#list + 1] = name
	end
	return core.mark_list(list)
end

local function info_of(_, fields)
	return { name = fields[1], gid = math.tointeger(tonumber(fields[3])), members = members_of(fields) }
end

local base = account_functions.add(group, {
	noun = "group", file = "group", aliases = aliases, kinds = kinds, deletes = {}, info = info_of, getters = { get_gid = "gid", members = "members" },
})

-- create(name [, { gid, members, append, system }])
function group.create(...)
	local args, fn = base.read("create", { "gid", "members", "append", "system", "root" }, {}, ...)
	core.acts(fn)
	return core.library("resource").group(args)
end

-- modify(name, { gid, members, append }): what is not said stays as it is, and as it is registered.
function group.modify(...)
	local args, failure = base.acting("modify", { "gid", "members", "append", "root" }, {}, ...)
	if not args then
		return table.unpack(failure, 1, 3)
	end
	return declared.amend("group", args.name, { gid = args.gid, members = args.members, append = args.append, root = args.root })
end

-- add_member(name, user or list): others stay.
function group.add_member(...)
	local args, failure = base.acting("add_member", { "members", "root" }, { members = "any" }, ...)
	if not args then
		return table.unpack(failure, 1, 3)
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
	local args, failure, fields = base.acting("remove_member", { "members", "root" }, { members = "string" }, ...)
	if not args then
		return table.unpack(failure, 1, 3)
	end
	local rest = {}
	for _, name in ipairs(members_of(fields)) do
		rest[#rest + 1] = name ~= args.members and name or nil
	end
	return declared.amend("group", args.name, { members = rest, append = false, root = args.root })
end

-- What asks: a value, or nil and a message.

function group.list(...)
	return account_functions.list("group.list", "group", {}, {}, info_of, ...)
end

return group
