-- SPDX-License-Identifier: MIT
-- Provider: keys with which one may log in by ssh: lines of authorized_keys, and who may change that file.
local core = ...
local accounts = core.library("accounts")
local authorized_keys = core.library("authorized_keys")
local managed_text = core.library("managed_text")
local on_disk = core.library("on_disk")

local ssh_key = {
	type = "ssh_key",
	module = "resource",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		user = { kind = "name", compare = false },
		path = { kind = "path", compare = false },
		key = { kind = "line", required = true, compare = false },
		options = { kind = "set", default = {}, severity = "high" },
		comment = { kind = "string", severity = "low" },
		permissions = { kind = "boolean", default = true, severity = "high" },
		root = { kind = "path", compare = false },
	},
	impact = {
		[""] = "somebody can't log in any more who should, or can who should not",
		options = "who logs in with this key may do more than was meant, or less",
		permissions = "others can let themselves in, and sshd refuses all keys in this file",
	},
}

function ssh_key.validate(desired)
	if not desired.user and not desired.path then
		return "'user' is missing (or 'path', of a file that is no user's)"
	elseif desired.user and not accounts.name_ok(desired.user) then
		return "'" .. desired.user .. "' is not the name of a user"
	elseif desired.comment and desired.comment:find("[\n\r%z]") then
		return "'comment' has one line"
	end
	for _, option in ipairs(desired.options) do
		local wrong = authorized_keys.wrong_option(option)
		if wrong then
			return wrong
		end
	end
	return authorized_keys.wrong(desired.key)
end

-- { path, folder, uid, gid }: where it stands, and of a user, whose all that is; nil: there is no such user; or nil and a message.
local function place_of(desired)
	if not desired.user then
		return { path = desired.path }
	end
	local fields, message = accounts.find(desired.root, "passwd", desired.user)
	if not fields then
		return nil, message
	elseif not (fields[6] or ""):find("^/.") then
		return nil, desired.user .. " has no home directory"
	end
	local folder = (desired.root or "") .. fields[6] .. "/.ssh"
	return { path = desired.path or folder .. "/authorized_keys", folder = not desired.path and folder or nil,
		home = not desired.path and (desired.root or "") .. fields[6] or nil, uid = math.tointeger(tonumber(fields[3])),
		gid = math.tointeger(tonumber(fields[4])) }
end

local function stat_of(path)
	return on_disk.at(path, false, core.look)
end

-- What sshd(8) has against it (StrictModes), or nil.
local function objection(st, path, uid, may_be_root)
	if st.uid ~= uid and not (may_be_root and st.uid == 0) then
		return path .. " belongs to " .. (st.owner or "uid " .. st.uid)
	elseif tonumber(st.mode, 8) & 18 ~= 0 then
		return path .. " can be written by others (" .. st.mode .. ")"
	end
end

-- true, or what is wrong.
local function permissions(place)
	local file, folder = stat_of(place.path), place.folder and stat_of(place.folder)
	local home = place.home and stat_of(place.home)
	return home and home.type == "directory" and objection(home, place.home, place.uid, true) or
		folder and folder.type == "directory" and objection(folder, place.folder, place.uid, true) or
		file and file.type == "file" and objection(file, place.path, place.uid) or true
end

local function same_set(a, b)
	return table.concat(a, "\n") == table.concat(b, "\n")
end

-- The line that says most against what is desired: sshd takes any that lets one in.
local function worst(list, desired)
	for _, one in ipairs(list) do
		table.sort(one.options)
		if not same_set(one.options, desired.options) then
			return one
		end
	end
	return list[1]
end

function ssh_key.read(desired)
	local place, message = place_of(desired)
	if not place then
		return message == nil and { ensure = "absent" } or nil, message
	end
	local text
	text, message = managed_text.read(place.path)
	if message then
		return nil, message
	end
	local one = worst(authorized_keys.found(text or "", authorized_keys.parse(desired.key)), desired)
	if not one then
		return { ensure = "absent" }
	end
	local safe = not place.uid or not desired.permissions or permissions(place)
	return { ensure = "present", options = one.options, comment = one.comment, permissions = safe ~= true and safe or desired.permissions }
end

local function change_of(desired)
	local key = authorized_keys.parse(desired.key)
	return function(text)
		return authorized_keys.with(text, key, function(first)
			local comment = desired.comment or first and first.comment or key.comment
			return desired.ensure ~= "absent" and { options = desired.options, type = key.type, blob = key.blob, comment = comment } or nil
		end)
	end
end

-- As sshd wants it: nobody else writes there. `mode`: of one that is somebody else's to begin with.
local function secure(path, place)
	local st, message = core.look(path)
	if not st then
		return nil, message
	end
	local mode, ok = tonumber(st.mode, 8), true
	if st.uid ~= place.uid then
		ok, message = core.chown(path, place.uid, place.gid)
	end
	if ok and mode & 18 ~= 0 then
		ok, message = core.chmod(path, mode & ~18)
	end
	return ok, message
end

-- Nobody else writes in the home either; whose it is, and whether it is there, is not for this to change.
local function secure_home(place)
	local st, message = stat_of(place.home)
	if not st or st.type ~= "directory" or tonumber(st.mode, 8) & 18 == 0 or st.uid ~= place.uid then
		return message == nil or nil, message
	end
	return on_disk.work(place.home, false, function(path) return core.chmod(path, tonumber(st.mode, 8) & ~18) end)
end

local function make_folder(place)
	return on_disk.work(place.folder, false, function(path)
		local st, message = core.look(path)
		if message or st and st.type ~= "directory" then
			return nil, message or place.folder .. " is a " .. st.type .. ", and no directory"
		elseif not st then
			local ok, text = core.make_directory(path, 448)
			return ok and secure(path, place) or nil, text
		end
		return st.uid == 0 and tonumber(st.mode, 8) & 18 == 0 or secure(path, place)
	end)
end

-- Of another's file nothing would be given to a user who had put it there by a hard link.
local function refusal(place)
	local st = place.uid and stat_of(place.path)
	if st and st.type == "file" and st.uid ~= place.uid then
		return place.path .. " belongs to " .. (st.owner or "uid " .. st.uid) .. ", and is left as it is"
	end
end

function ssh_key.apply(desired)
	local place, message = place_of(desired)
	if not place then
		return nil, message or "there is no user '" .. desired.user .. "'"
	end
	message = refusal(place)
	local ok = not message
	if ok and place.home and desired.ensure ~= "absent" and desired.permissions then
		ok, message = secure_home(place)
	end
	if ok and place.folder and desired.ensure ~= "absent" and desired.permissions then
		ok, message = make_folder(place)
	end
	if ok then
		ok, message = managed_text.edit(place.path, "0600", change_of(desired), place.uid and place)
	end
	if ok and place.uid and desired.ensure ~= "absent" and desired.permissions then
		ok, message = on_disk.work(place.path, false, function(path) return secure(path, place) end)
	end
	return ok, message
end

function ssh_key.image(desired)
	local place, message = place_of(desired)
	if not place then
		return nil, message or "there is no user '" .. desired.user .. "'"
	end
	local home = place.home and stat_of(place.home)
	local image = { home = home and home.type == "directory" and home.mode or nil, folder = place.folder and stat_of(place.folder) and on_disk.image({ path = place.folder }) }
	image.file, message = managed_text.image(place.path)
	return image.file and image, message
end

function ssh_key.undo(desired, before)
	local place, message = place_of(desired)
	if not place then
		return nil, message or "there is no user '" .. desired.user .. "'"
	end
	local ok
	ok, message = managed_text.undo(place.path, before.file, change_of(desired))
	if ok and before.folder then
		ok, message = on_disk.undo({ path = place.folder }, before.folder)
	end
	local home = ok and before.home and stat_of(place.home)
	if home and home.type == "directory" and home.mode ~= before.home then
		ok, message = on_disk.work(place.home, false, function(path) return core.chmod(path, tonumber(before.home, 8)) end)
	end
	return ok, message
end

-- Keys of a user (or of a file) whose comment a selector means.
function ssh_key.list(pattern, given)
	if not given.user and not given.path then
		return nil, "whose keys? user = \"NAME\""
	end
	local place, message = place_of({ user = given.user, path = given.path and core.path(given.path), root = given.root })
	local text
	if place then
		text, message = managed_text.read(place.path)
	end
	if message then
		return nil, message
	end
	local meant, list, notes = core.library("selector").names(pattern), {}, {}
	for _, key in ipairs(authorized_keys.all(text or "")) do
		local name = key.comment ~= "" and key.comment or key.blob:sub(-20)
		if meant(name) then
			list[#list + 1] = { name = (given.user and given.user .. ": " or "") .. name, key = key.type .. " " .. key.blob, comment = key.comment, options = key.options,
				user = given.user, path = given.path, root = given.root }
		end
	end
	return list, notes
end

function ssh_key.watch(desired)
	local place = place_of(desired)
	return place and { place.path, place.folder, place.home } or nil
end

function ssh_key.deps(desired)
	return desired.user and not desired.root and { { type = "user", name = desired.user } } or {}
end

return ssh_key
