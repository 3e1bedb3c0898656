-- SPDX-License-Identifier: MIT
-- Provider: groups, by groupadd, groupmod and groupdel.
local core = ...
local accounts = core.library("accounts")
local tool = core.library("tool")

local group = {
	type = "group",
	module = "group",
	key = "name",
	properties = {
		name = { kind = "name", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		gid = { kind = "integer", min = 0, max = 4294967294, severity = "high" },
		members = { kind = "set", severity = "high" },
		append = { kind = "boolean", compare = false },
		system = { kind = "boolean", compare = false },
		root = { kind = "path", compare = false },
	},
	impact = {
		[""] = "files that are this group's are nobody's, or there is a group that should not be",
		gid = "files belong to another group than was meant",
		members = "somebody may do more than was meant, or less",
	},
}

function group.validate(desired)
	if not accounts.name_ok(desired.name) then
		return "'" .. desired.name .. "' is not a name for a group"
	elseif desired.append and not desired.members then
		return "'append' is for 'members'"
	end
	for _, name in ipairs(desired.members or {}) do
		if not accounts.name_ok(name) then
			return "'" .. name .. "' is not the name of a user"
		end
	end
end

local function members_of(fields)
	local list = {}
	for name in (fields[4] or ""):gmatch("[^,]+") do
		list[#list + 1] = name
	end
	table.sort(list)
	return core.mark_list(list)
end

function group.read(desired)
	local fields, message = accounts.find(desired.root, "group", desired.name)
	if not fields then
		return message == nil and { ensure = "absent" } or nil, message
	end
	return {
		ensure = "present", gid = math.tointeger(tonumber(fields[3])),
		members = accounts.seen(members_of(fields), desired.members, desired.append),
	}
end

-- gpasswd(1) knows no other root, and groupmod(8) of older systems no members.
local function set_members(desired, list)
	local names = table.concat(list, ",")
	if desired.root then
		return accounts.run(desired.root, "groupmod", "-U", names, desired.name)
	end
	local done, message = tool.run({ "gpasswd", "-M", names, desired.name })
	return done and true or nil, message
end

-- Those that are in it, with the wanted ones.
local function with_others(desired)
	if not desired.append then
		return desired.members
	end
	local fields = accounts.find(desired.root, "group", desired.name)
	local has, list = {}, members_of(fields or {})
	for _, name in ipairs(list) do
		has[name] = true
	end
	for _, name in ipairs(desired.members) do
		list[#list + 1] = not has[name] and name or nil
	end
	return list
end

local function create(desired)
	local list = desired.system and { "-r" } or {}
	if desired.gid then
		table.move({ "-g", tostring(desired.gid) }, 1, 2, #list + 1, list)
	end
	list[#list + 1] = desired.name
	return accounts.run(desired.root, "groupadd", table.unpack(list))
end

function group.apply(desired, actual, changes)
	local ok, message = true, nil
	if desired.ensure == "absent" then
		return accounts.run(desired.root, "groupdel", desired.name)
	elseif actual.ensure == "absent" then
		ok, message = create(desired)
	elseif desired.gid and desired.gid ~= actual.gid then
		ok, message = accounts.run(desired.root, "groupmod", "-g", tostring(desired.gid), desired.name)
	end
	for _, change in ipairs(ok and changes or {}) do
		if desired.members and (change.property == "members" or change.property == "" and desired.members[1]) then
			ok, message = set_members(desired, with_others(desired))
		end
	end
	return ok, message
end

function group.image(desired, actual)
	local image = { ensure = actual.ensure, gid = actual.gid }
	if actual.ensure ~= "absent" then
		image.members = members_of(accounts.find(desired.root, "group", desired.name))
	end
	return image
end

function group.undo(desired, before)
	if before.ensure == "absent" then
		return accounts.run(desired.root, "groupdel", desired.name)
	end
	local wanted = { name = desired.name, root = desired.root, gid = before.gid, members = before.members }
	local ok, message = true, nil
	local now, text = group.read(wanted)
	if not now then
		return nil, text
	elseif now.ensure == "absent" then
		ok, message = create(wanted)
	elseif now.gid ~= before.gid then
		ok, message = accounts.run(desired.root, "groupmod", "-g", tostring(before.gid), desired.name)
	end
	if ok and desired.members or now.ensure == "absent" and before.members[1] then
		ok, message = set_members(wanted, before.members)
	end
	return ok, message
end

function group.list(pattern, given)
	local lines, message = accounts.lines(given.root, "group")
	if not lines then
		return nil, message
	end
	local meant, list = core.library("selector").accounts(pattern), {}
	for _, fields in ipairs(lines) do
		local gid = math.tointeger(tonumber(fields[3]))
		if meant(fields[1], gid) then
			list[#list + 1] = { name = fields[1], root = given.root, gid = gid, members = members_of(fields) }
		end
	end
	return list
end

function group.watch(desired)
	return { (desired.root or "") .. "/etc/group" }
end

function group.deps(desired)
	local needs = {}
	for _, name in ipairs(not desired.root and desired.members or {}) do
		needs[#needs + 1] = { type = "user", name = name }
	end
	return needs
end

local suggestions = {
	gid = function(desired) return "groupmod -g " .. desired.gid end,
	members = function(desired) return "gpasswd -M '" .. table.concat(desired.members, ",") .. "'" end,
	[""] = function(desired)
		return desired.ensure == "absent" and "groupdel" or "groupadd" .. (desired.gid and " -g " .. desired.gid or "")
	end,
}

function group.suggest(desired, actual, name)
	local text = not desired.root and suggestions[name] and suggestions[name](desired)
	return text and text .. " " .. desired.name or nil
end

return group
