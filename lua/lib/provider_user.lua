-- SPDX-License-Identifier: MIT
-- Provider: users, by useradd, usermod and userdel.
local core = ...
local accounts = core.library("accounts")

local function same(a, b)
	return a == b
end

local user = {
	type = "user",
	module = "user",
	key = "name",
	properties = {
		name = { kind = "name", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		uid = { kind = "integer", min = 0, max = 4294967294, severity = "high" },
		group = { kind = "group", severity = "high", equal = same },
		groups = { kind = "set", severity = "high" },
		append = { kind = "boolean", compare = false },
		home = { kind = "path" },
		shell = { kind = "path" },
		comment = { kind = "string", severity = "low" },
		locked = { kind = "boolean", severity = "high" },
		expires = { kind = "line" },
		system = { kind = "boolean", compare = false },
		create_home = { kind = "boolean", compare = false },
		move_home = { kind = "boolean", compare = false },
		remove_home = { kind = "boolean", compare = false },
		root = { kind = "path", compare = false },
	},
	impact = {
		[""] = "services and files that are this user's are nobody's, or somebody has an account who should not",
		uid = "files belong to another user than was meant",
		group = "new files belong to another group than was meant",
		groups = "the user may do more than was meant, or less",
		shell = "logging in works otherwise than was meant",
		home = "logins and services look for their files elsewhere",
		locked = "somebody may log in who should not, or may not who should",
		expires = "the account ends at another time than was meant",
	},
}

function user.validate(desired)
	if not accounts.name_ok(desired.name) then
		return "'" .. desired.name .. "' is not a name for a user"
	elseif desired.comment and desired.comment:find("[:\n%z]") then
		return "'comment' is one line without ':'"
	elseif desired.home and desired.home:find("[:\n]") or desired.shell and desired.shell:find("[:\n]") then
		return "'home' and 'shell' are paths without ':'"
	elseif desired.expires and desired.expires ~= "never" and not accounts.days(desired.expires) then
		return "'expires' is a date like \"2027-01-31\", or \"never\""
	end
	for _, name in ipairs(desired.groups or {}) do
		if not accounts.name_ok(name) then
			return "'" .. name .. "' is not the name of a group"
		end
	end
	if desired.append and not desired.groups then
		return "'append' is for 'groups'"
	end
end

-- What only root may see, and only when it is asked for.
local function from_shadow(desired, actual)
	if desired.locked == nil and not desired.expires then
		return true
	end
	local fields, message = accounts.find(desired.root, "shadow", desired.name)
	if message then
		return nil, message
	end
	actual.locked = fields ~= nil and (fields[2] or ""):sub(1, 1) == "!"
	local days = math.tointeger(tonumber(fields and fields[8] or ""))
	actual.expires = days and accounts.date(days) or "never"
	return true
end

function user.read(desired)
	local fields, message = accounts.find(desired.root, "passwd", desired.name)
	local groups
	if not fields then
		return message == nil and { ensure = "absent" } or nil, message
	end
	groups, message = accounts.groups_of(desired.root, desired.name)
	if not groups then
		return nil, message
	end
	local by_number = desired.group and desired.group:find("^%d+$")
	local actual = {
		ensure = "present", uid = math.tointeger(tonumber(fields[3])), comment = fields[5] or "", home = fields[6] or "", shell = fields[7] or "",
		group = by_number and fields[4] or accounts.group_name(desired.root, fields[4]),
		groups = accounts.seen(groups, desired.groups, desired.append),
	}
	local ok
	ok, message = from_shadow(desired, actual)
	return ok and actual or nil, message
end

-- Property → the words that usermod(8) wants for it; those of useradd(8) are the same but for `locked`.
local words = {
	uid = function(value) return { "-u", tostring(value) } end,
	group = function(value) return { "-g", value } end,
	groups = function(value, desired) return { desired.append and "-aG" or "-G", table.concat(value, ",") } end,
	home = function(value, desired) return { "-d", value, desired.move_home and "-m" or nil } end,
	shell = function(value) return { "-s", value } end,
	comment = function(value) return { "-c", value } end,
	expires = function(value) return { "-e", value ~= "never" and tostring(accounts.days(value)) or "" } end,
	locked = function(value) return { value and "-L" or "-U" } end,
}
local ORDER = { "uid", "group", "groups", "home", "shell", "comment", "expires", "locked" }

local function options(values, desired, without)
	local list = {}
	for _, name in ipairs(ORDER) do
		if values[name] ~= nil and not (without and without[name]) then
			for _, word in ipairs(words[name](values[name], desired)) do
				list[#list + 1] = word
			end
		end
	end
	return list
end

local function modify(desired, values)
	local list = options(values, desired)
	list[#list + 1] = desired.name
	return accounts.run(desired.root, "usermod", table.unpack(list))
end

-- A new one has no password: it is locked until it has one.
local function create(desired)
	local list = options(desired, {}, { locked = true })
	list[#list + 1] = desired.system and "-r" or nil
	list[#list + 1] = desired.create_home and "-m" or "-M"
	list[#list + 1] = desired.name
	local ok, message = accounts.run(desired.root, "useradd", table.unpack(list))
	if ok and desired.locked == false then
		return modify(desired, { locked = false })
	end
	return ok, message
end

local function remove(desired, with_home)
	local list = { desired.name }
	if with_home then
		table.insert(list, 1, "-r")
	end
	return accounts.run(desired.root, "userdel", table.unpack(list))
end

function user.apply(desired, actual, changes)
	if desired.ensure == "absent" then
		return remove(desired, desired.remove_home)
	elseif actual.ensure == "absent" then
		return create(desired)
	end
	local values = {}
	for _, change in ipairs(changes) do
		values[change.property] = desired[change.property]
	end
	return modify(desired, values)
end

-- Passwords are not taken into images.
function user.image(desired, actual)
	if actual.ensure ~= "absent" and desired.ensure == "absent" then
		return nil, "the password of a user that is removed" .. (desired.remove_home and ", and the home," or "") .. " is not kept"
	elseif actual.ensure ~= "absent" and desired.move_home and actual.home ~= desired.home then
		return nil, "the home was moved"
	end
	local image = { ensure = actual.ensure }
	for _, name in ipairs(ORDER) do
		image[name] = actual[name]
	end
	if image.ensure ~= "absent" then
		image.groups = accounts.groups_of(desired.root, desired.name)
	else
		image.had_home = desired.create_home and desired.home and core.exists((desired.root or "") .. desired.home) or nil
	end
	return image
end

function user.undo(desired, before)
	if before.ensure == "absent" then
		return remove(desired, desired.create_home and not before.had_home)
	end
	local values = {}
	for _, name in ipairs(ORDER) do
		if desired[name] ~= nil and before[name] ~= desired[name] then
			values[name] = before[name]
		end
	end
	return modify({ name = desired.name, root = desired.root }, values)
end

function user.list(pattern, given)
	local lines, message = accounts.lines(given.root, "passwd")
	if not lines then
		return nil, message
	end
	local meant, list = core.library("selector").accounts(pattern), {}
	for _, fields in ipairs(lines) do
		if meant(fields[1], tonumber(fields[3])) then
			local actual
			actual, message = user.read({ name = fields[1], root = given.root })
			if not actual then
				return nil, message
			end
			list[#list + 1] = { name = fields[1], root = given.root, uid = actual.uid, group = actual.group, groups = actual.groups,
				home = actual.home ~= "" and actual.home or nil, shell = actual.shell ~= "" and actual.shell or nil, comment = actual.comment }
		end
	end
	return list
end

function user.watch(desired)
	local etc = (desired.root or "") .. "/etc/"
	return { etc .. "passwd", etc .. "group", (desired.locked ~= nil or desired.expires) and etc .. "shadow" or nil }
end

function user.deps(desired)
	local needs, names = {}, { table.unpack(desired.groups or {}) }
	names[#names + 1] = desired.group
	for _, name in ipairs(not desired.root and names or {}) do
		needs[#needs + 1] = not name:find("^%d+$") and { type = "group", name = name } or nil
	end
	return needs
end

local function quoted(word)
	return word:find("^[%w_./+:@%%=,-]+$") and word or "'" .. word:gsub("'", "'\\''") .. "'"
end

function user.suggest(desired, actual, name)
	local program, list = "usermod", { words[name] and words[name](desired[name], desired) }
	if name == "" then
		program, list = desired.ensure == "absent" and "userdel" or "useradd", { desired.ensure ~= "absent" and options(desired, {}, { locked = true }) or {} }
	elseif not words[name] then
		return nil
	end
	local text = program .. (desired.root and " --prefix " .. quoted(desired.root) or "")
	for _, word in ipairs(list[1]) do
		text = text .. " " .. quoted(word)
	end
	return text .. " " .. desired.name
end

return user
