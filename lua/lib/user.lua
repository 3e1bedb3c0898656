-- SPDX-License-Identifier: MIT
-- user: users of this host (or of another root). Those that change something give what result.lua says, and register the user.
local core = ...
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
}
local described = { "uid", "group", "groups", "append", "home", "shell", "comment", "locked", "expires", "system", "create_home", "move_home", "root" }

local function read(fn, names, more, ...)
	fn = "user." .. fn
	local all, known = { "name" }, { name = "string" }
	for _, name in ipairs(names) do
		all[#all + 1], known[name] = name, more[name] or kinds[name]
	end
	local args = declared.read(fn, all, known, aliases, ...)
	args.root = args.root and core.path(args.root)
	return args, fn
end

local function given(args)
	local properties = {}
	for _, name in ipairs(described) do
		properties[name] = args[name]
	end
	return properties
end

local function there(args)
	return accounts.find(args.root, "passwd", args.name)
end

local function missing(args, message)
	return result.bad(message or "there is no user '" .. args.name .. "'", { name = args.name })
end

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
	local args, fn = read("create", CREATE, {}, ...)
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
	local args, fn = read("modify", CREATE, {}, ...)
	core.acts(fn)
	local fields, message = there(args)
	if not fields then
		return missing(args, message)
	end
	local ok, text, res = declared.amend("user", args.name, given(args))
	if ok and args.password then
		return user.set_password(args.name, args.password, { root = args.root })
	end
	return ok, text, res
end

-- delete(name [, remove_home])
local function delete(fn_name)
	return function(...)
		local args, fn = read(fn_name, { "remove_home", "root" }, { remove_home = "boolean?" }, ...)
		core.acts(fn)
		return core.library("resource").user(args.name, { ensure = "absent", remove_home = args.remove_home, root = args.root })
	end
end
user.delete, user.remove = delete("delete"), delete("remove")

-- One property each.
local function setter(fn_name, property, kind, value, others)
	user[fn_name] = function(...)
		local names, more = { "root", table.unpack(others or {}) }, {}
		if kind then
			table.insert(names, 1, property)
			more[property] = kind
		end
		local args, fn = read(fn_name, names, more, ...)
		core.acts(fn)
		local fields, message = there(args)
		if not fields then
			return missing(args, message)
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
	local args, fn = read("set_password", { "password", "root" }, { password = "string" }, ...)
	core.acts(fn)
	local fields, message = there(args)
	if not fields then
		return missing(args, message)
	end
	local done
	done, message = set_password(fn, args)
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
	local args, fn = read("add_to_group", { "groups", "root" }, { groups = "any" }, ...)
	core.acts(fn)
	local fields, message = there(args)
	if not fields then
		return missing(args, message)
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
	local args, fn = read("remove_from_group", { "group", "root" }, { group = "string" }, ...)
	core.acts(fn)
	local fields, message = there(args)
	if not fields then
		return missing(args, message)
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

local function info_of(args, fields)
	local gid = fields[4]
	return {
		name = fields[1], username = fields[1], uid = math.tointeger(tonumber(fields[3])), gid = math.tointeger(tonumber(gid)), comment = fields[5],
		home = fields[6], shell = fields[7], group = accounts.group_name(args.root, gid), groups = accounts.groups_of(args.root, fields[1]),
	}
end

function user.exists(...)
	local fields, message = there((read("exists", { "root" }, {}, ...)))
	if not fields and message then
		return nil, message
	end
	return fields ~= nil
end

local function info(fn, ...)
	local args = read(fn, { "root" }, {}, ...)
	local fields, message = there(args)
	if not fields then
		return nil, message or "there is no user '" .. args.name .. "'"
	end
	return info_of(args, fields)
end

function user.get_info(...)
	return info("get_info", ...)
end

for fn, field in pairs({ get_uid = "uid", get_gid = "gid", get_home = "home", get_shell = "shell", get_comment = "comment", get_groups = "groups" }) do
	user[fn] = function(...)
		local found, message = info(fn, ...)
		return found and found[field], message
	end
end

function user.is_locked(...)
	local args = read("is_locked", { "root" }, {}, ...)
	local fields, message = accounts.find(args.root, "shadow", args.name)
	if not fields then
		return nil, message or "there is no user '" .. args.name .. "'"
	end
	return (fields[2] or ""):sub(1, 1) == "!"
end

-- All users; { system = true }: those that are none of people, or with false, the others.
function user.list(...)
	local args = core.library("arguments").read("user.list", { "system", "root" }, { system = "boolean?", root = "string?" }, ...)
	local lines, message = accounts.lines(args.root and core.path(args.root), "passwd")
	if not lines then
		return nil, message
	end
	local list = {}
	for _, fields in ipairs(lines) do
		local uid = tonumber(fields[3]) or 0
		local system = uid < 1000 or uid == 65534
		if args.system == nil or args.system == system then
			list[#list + 1] = { name = fields[1], username = fields[1], uid = math.tointeger(uid), gid = math.tointeger(tonumber(fields[4])),
				comment = fields[5], home = fields[6], shell = fields[7], system = system }
		end
	end
	return core.mark_list(list)
end

return user
