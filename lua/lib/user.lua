-- SPDX-License-Identifier: MIT
-- user: users of this host (or of another root). Those that change something give what result.lua says, and register the user.
local core = ...
local account_functions = core.library("account_functions")
local accounts = core.library("accounts")
local declared = core.library("declared")
local result = core.library("result")
local tool = core.library("tool")
local user = {}

local aliases = { username = "name", user = "name", gid = "group", primary_group = "group", expiry = "expires", gecos = "comment", home_dir = "home" }

-- What describes a user; the same names as of resource.user.
local kinds = {
	uid = "any?", group = "any?", groups = "any?", append = "boolean?", home = "string?", shell = "string?", comment = "string?", locked = "boolean?",
	expires = "string?", system = "boolean?", create_home = "boolean?", move_home = "boolean?", root = "string?", password = "string?",
	remove_home = "boolean?",
}
local described = { "uid", "group", "groups", "append", "home", "shell", "comment", "locked", "expires", "system", "create_home", "move_home", "root" }

local function given(args)
	local properties = {}
	for _, name in ipairs(described) do
		properties[name] = args[name]
	end
	return properties
end

local function info_of(args, fields)
	local gid = fields[4]
	return {
		name = fields[1], username = fields[1], uid = math.tointeger(tonumber(fields[3])), gid = math.tointeger(tonumber(gid)), comment = fields[5],
		home = fields[6], shell = fields[7], group = accounts.group_name(args.root, gid), groups = accounts.groups_of(args.root, fields[1]),
	}
end

local base = account_functions.add(user, {
	noun = "user", file = "passwd", aliases = aliases, kinds = kinds, deletes = { "remove_home" }, info = info_of,
	getters = { get_uid = "uid", get_gid = "gid", get_home = "home", get_shell = "shell", get_comment = "comment", get_groups = "groups" },
})

-- A password goes to chpasswd(8) by its input: nobody sees it in a list of processes, and it is kept nowhere.
local function set_password(fn, args)
	if args.password == "" or args.password:find("[\n\r%z]") then
		core.fail(fn .. ": a password has one line")
	end
	local words = args.root and { "chpasswd", "-R", args.root, "-c", "SHA512" } or { "chpasswd" }
	return tool.run(words, { stdin = args.name .. ":" .. args.password .. "\n" })
end

local function has_password(args)
	local fields = accounts.find(args.root, "shadow", args.name)
	return fields ~= nil and (fields[2] or ""):find("^!*[^!*]") ~= nil
end

local CREATE = { "password", table.unpack(described) }

-- create(name [, { uid, group, groups, home, shell, comment, system, create_home, password … }])
function user.create(...)
	local args, fn = base.read("create", CREATE, {}, ...)
	core.acts(fn)
	local ok, message, res = core.library("resource").user(args.name, given(args))
	if not ok or not args.password or has_password(args) then
		return ok, message, res
	end
	local done, text = set_password(fn, args)
	if not done then
		return result.bad(text, { name = args.name })
	end
	return result.good(true, tostring(res) .. ", with a password", { name = args.name, type = "user" })
end

-- modify(name, { … }): what is not said stays as it is, and as it is registered.
function user.modify(...)
	local args, failure = base.acting("modify", CREATE, {}, ...)
	if not args then
		return table.unpack(failure, 1, 3)
	end
	local ok, text, res = declared.amend("user", args.name, given(args))
	if ok and args.password then
		return user.set_password(args.name, args.password, { root = args.root })
	end
	return ok, text, res
end

-- One property each.
local function setter(fn_name, property, kind, value, others)
	user[fn_name] = function(...)
		local names, more = { "root", table.unpack(others or {}) }, {}
		if kind then
			table.insert(names, 1, property)
			more[property] = kind
		end
		local args, failure = base.acting(fn_name, names, more, ...)
		if not args then
			return table.unpack(failure, 1, 3)
		end
		local changes = given(args)
		if not kind then
			changes[property] = value
		end
		return declared.amend("user", args.name, changes)
	end
end
setter("lock", "locked", nil, true)
setter("unlock", "locked", nil, false)
setter("set_shell", "shell", "string")
setter("set_home", "home", "string", nil, { "move_home" })
setter("set_comment", "comment", "string")
setter("set_expiry", "expires", "string")
setter("set_primary_group", "group", "any")

function user.set_password(...)
	local args, fn = base.acting("set_password", { "password", "root" }, { password = "string" }, ...)
	if not args then
		return table.unpack(fn, 1, 3)
	end
	local done, message = set_password(fn, args)
	if not done then
		return result.bad(message, { name = args.name })
	end
	return result.good(true, "password of " .. args.name .. " set", { name = args.name })
end

local function list_of(value)
	return type(value) == "table" and value or { value }
end

local function without(list, name)
	local rest = {}
	for _, one in ipairs(list) do
		rest[#rest + 1] = one ~= name and one or nil
	end
	return rest
end

-- add_to_group(name, group or list)
function user.add_to_group(...)
	local args, failure = base.acting("add_to_group", { "groups", "root" }, { groups = "any" }, ...)
	if not args then
		return table.unpack(failure, 1, 3)
	end
	local before = declared.properties("user", args.name, args.root)
	local groups = { table.unpack(before.groups or {}) }
	for _, name in ipairs(list_of(args.groups)) do
		groups[#groups + 1] = name
	end
	return declared.amend("user", args.name, { groups = groups, append = before.append or before.groups == nil or nil, root = args.root })
end

-- remove_from_group(name, group)
function user.remove_from_group(...)
	local args, failure = base.acting("remove_from_group", { "group", "root" }, { group = "string" }, ...)
	if not args then
		return table.unpack(failure, 1, 3)
	end
	local before = declared.properties("user", args.name, args.root)
	local groups = accounts.groups_of(args.root, args.name)
	local rest = without(groups or {}, args.group)
	local ok, text = true, nil
	if #rest ~= #(groups or {}) then
		ok, text = accounts.run(args.root, "usermod", "-G", table.concat(rest, ","), args.name)
	end
	if ok and before.groups then
		ok, text = declared.amend("user", args.name, { groups = without(before.groups, args.group), root = args.root })
	end
	if not ok then
		return result.bad(text, { name = args.name })
	end
	local changed = #rest ~= #groups
	return result.good(changed, args.name .. (changed and " is no more" or " is not") .. " in " .. args.group, { name = args.name })
end

-- What asks: a value, or nil and a message.

function user.is_locked(...)
	local args = base.read("is_locked", { "root" }, {}, ...)
	local fields, message = accounts.find(args.root, "shadow", args.name)
	if not fields then
		return nil, message or "there is no user '" .. args.name .. "'"
	end
	return (fields[2] or ""):sub(1, 1) == "!"
end

-- All users; { system = true }: those that are none of people, or with false, the others.
function user.list(...)
	return account_functions.list("user.list", "passwd", { "system" }, { system = "boolean?" }, function(args, fields)
		local uid = tonumber(fields[3]) or 0
		local system = uid < 1000 or uid == 65534
		return (args.system == nil or args.system == system) and { name = fields[1], username = fields[1], uid = math.tointeger(uid),
			gid = math.tointeger(tonumber(fields[4])), comment = fields[5], home = fields[6], shell = fields[7], system = system } or nil
	end, ...)
end

return user
