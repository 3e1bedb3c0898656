-- SPDX-License-Identifier: MIT
-- What the providers of files, directories and links share: the folder is held while one works in it (lua/anchor.h), and nothing is
-- done through a link that stands in a thing's place.
local core = ...
local property = core.library("property")
local on_disk = {}

-- Images of larger files are given to the daemon in parts of so many bytes.
local IMAGE_MAX = 1 << 20
on_disk.IMAGE_MAX = IMAGE_MAX

-- Paths that are looked at when things are listed: a stack has no more resources.
local LIST_MAX = 10000

local articles = { directory = "a directory", link = "a symbolic link" }

-- fn(path to work at, anchor) with the folder held. Where the folder is missing: nil, nil, and what is missing.
function on_disk.at(path, make, fn)
	local anchor <close>, message, missing = core.anchor(path, make)
	if not anchor then
		return nil, not missing and message or nil, missing and message
	end
	local value, text = fn(anchor.path, anchor)
	return value, text and text:gsub(anchor.path:gsub("%W", "%%%0"), (path:gsub("%%", "%%%%"))) or nil
end

-- fn(folder) with the directory at this path held; no link of another user leads there.
function on_disk.inside(path, fn)
	local anchor <close>, message = core.anchor(path .. "/x")
	if not anchor then
		return nil, message
	end
	local value, text = fn(anchor.folder)
	return value, text and text:gsub(anchor.folder:gsub("%W", "%%%0"), (path:gsub("%%", "%%%%"))) or nil
end

-- The same for what needs the folder.
function on_disk.work(path, make, fn)
	local ok, message, missing = on_disk.at(path, make, fn)
	return ok, message or missing
end

function on_disk.own_uid()
	return math.tointeger(tonumber((core.library("machine").read("/proc/self/status") or ""):match("\nUid:%s*%d+%s+(%d+)")))
end

-- A new folder of our own, held by its descriptor: who may write beside it can put another thing in its place, which would lead us
-- elsewhere. An anchor to be closed, whose `folder` it is; or nil and a message.
function on_disk.new_folder(path, mode)
	local ok, message = core.make_directory(path, mode)
	local anchor
	if ok then
		anchor, message = core.anchor(path .. "/x")
	end
	local st = anchor and core.look(anchor.folder .. "/.")
	if anchor and (not st or st.uid ~= on_disk.own_uid()) then
		return nil, path .. ": somebody else's is there meanwhile"
	end
	return anchor, message
end

-- Where a folder is, by a way on which no link of another user is followed. Where it is missing: nil, nil, and what is missing.
function on_disk.real_folder(path)
	return on_disk.at(path .. "/x", false, function(_, anchor) return core.real_path(anchor.folder) end)
end

local function attributes_of(path, wanted)
	local found = {}
	for name in pairs(wanted) do
		local value, message = core.attribute(path, name)
		if message then
			return nil, message
		end
		found[name] = value
	end
	return found
end

local function look(path, type_name, desired, more)
	local names = desired.owner or desired.group
	local st, message = core.look(path, names)
	if not st then
		return message == nil and { ensure = "absent" } or nil, message
	elseif st.type ~= type_name then
		return { ensure = "replaced", type = st.type, found = (articles[st.type] or "a " .. st.type) .. (st.target and " to " .. st.target or "") }
	end
	local actual = { ensure = "present", mode = st.mode, target = st.target }
	if names then
		actual.owner, actual.group = st.owner or tostring(st.uid), st.group or tostring(st.gid)
	end
	if desired.attributes then
		actual.attributes, message = attributes_of(path, desired.attributes)
	end
	if more and not message then
		message = more(path, actual, st)
	end
	return not message and actual or nil, message
end

-- What there is of this type. more(path, actual, stat) adds to it; it may give a message.
function on_disk.read(desired, type_name, more)
	local actual, message = on_disk.at(desired.path, false, function(path) return look(path, type_name, desired, more) end)
	if not actual and not message then
		return { ensure = "absent" }
	end
	return actual, message
end

function on_disk.number_of(mode)
	return mode and tonumber(mode, 8)
end

-- uid and gid that are wanted (-1: as it is), or nil and a message.
function on_disk.owner(desired)
	return core.owner(property.account(desired.owner), property.account(desired.group))
end

local function set_mode(path, desired)
	return core.chmod(path, on_disk.number_of(desired.mode))
end

-- Owner before mode: chown(2) takes away set-user-id.
local function set_owner(path, desired)
	local uid, gid = on_disk.owner(desired)
	if not uid then
		return nil, gid
	end
	local ok, message = core.chown(path, uid, gid)
	if ok and desired.mode then
		ok, message = set_mode(path, desired)
	end
	return ok, message
end

local function set_attributes(path, desired)
	for name, value in pairs(desired.attributes) do
		local ok, message = core.set_attribute(path, name, value)
		if not ok then
			return nil, message
		end
	end
	return true
end

local setters = { owner = set_owner, group = set_owner, mode = set_mode, attributes = set_attributes }

-- All that is changed without making it anew; `own`: setters of the provider, which come first.
function on_disk.set(path, desired, changes, own)
	for _, table_of in ipairs({ own, setters }) do
		for _, one in ipairs(changes) do
			local setter = table_of[one.property]
			if setter then
				local ok, message = setter(path, desired)
				if not ok then
					return nil, message
				end
			end
		end
	end
	return true
end

-- What a new thing shall have beside its content.
function on_disk.furnish(path, desired)
	local changes = {}
	for _, name in ipairs({ desired.owner and "owner" or "group", "mode", "attributes" }) do
		if desired[name] then
			changes[#changes + 1] = { property = name }
		end
	end
	return on_disk.set(path, desired, changes, {})
end

-- What an apply() is made of: how.what says what it is, how.remove(path, desired), how.make(path, desired, actual), how.setters as for
-- set().
function on_disk.apply(desired, actual, changes, how)
	return on_disk.work(desired.path, desired.ensure ~= "absent", function(path, anchor)
		local ok, message
		if desired.ensure == "absent" and actual.ensure == "replaced" then
			return nil, desired.path .. " is a " .. actual.type .. ", and no " .. how.what
		elseif desired.ensure == "absent" then
			ok, message = how.remove(path, desired)
		elseif actual.ensure ~= "present" then
			ok, message = how.make(path, desired, actual)
		else
			ok, message = on_disk.set(path, desired, changes, how.setters)
		end
		if not ok then
			return nil, message
		end
		return core.sync(anchor.folder)
	end)
end

local function folder_of(path)
	return path:match("^(.+)/[^/]*$")
end

-- Folders on the way that are not there, the deepest first.
local function missing_folders(path)
	local list = core.mark_list({})
	local folder = folder_of(path)
	while folder and not on_disk.at(folder, false, function(at) return core.look(at) end) do
		list[#list + 1] = folder
		folder = folder_of(folder)
	end
	return list
end

local imaged = {}

-- The parts of a file; or nil and a message.
local function parts_of(path, public)
	local parts = core.mark_list({})
	local reader <close>, message = core.reader(path)
	if not reader then
		return nil, message
	end
	while true do
		local bytes
		bytes, message = reader(IMAGE_MAX)
		if not bytes then
			return not message and parts or nil, message
		end
		parts[#parts + 1], message = core.call("image.part", { base64 = crypto.base64_encode(bytes), private = not public })
		if message then
			return nil, message
		end
	end
end

function imaged.file(path, st)
	local run = core.run()
	local most = run.stack and run.image_limit or IMAGE_MAX
	if st.size > most then
		return nil, "it has " .. st.size .. " bytes, and up to " .. most .. " are kept"
	end
	local image = { mode = st.mode, uid = st.uid, gid = st.gid, size = st.size, public = core.library("content").is_public(path) or nil }
	local message
	if st.size > IMAGE_MAX then
		image.parts, message = parts_of(path, image.public)
		return image.parts and image, message
	end
	local bytes
	bytes, message = core.read_file(path, IMAGE_MAX)
	image.base64 = bytes and crypto.base64_encode(bytes)
	return bytes and image, message
end

function imaged.link(path, st)
	if not utf8.len(st.target) then
		return nil, "there was a link to what is no text"
	end
	return { target = st.target, uid = st.uid, gid = st.gid }
end

function imaged.directory(path, st)
	return { mode = st.mode, uid = st.uid, gid = st.gid }
end

-- What there is, whole: to be put back byte for byte. Of a folder not what is in it.
function on_disk.image(desired)
	local image, message = on_disk.at(desired.path, false, function(path)
		local st, text = core.look(path)
		if not st then
			return not text and { ensure = "absent" } or nil, text
		elseif not imaged[st.type] then
			return nil, "there was a " .. st.type
		end
		local before
		before, text = imaged[st.type](path, st)
		if before then
			before.ensure = st.type
			before.attributes = desired.attributes and attributes_of(path, desired.attributes)
		end
		return before, text
	end)
	if image or message then
		return image, message
	end
	return { ensure = "absent", folders = missing_folders(desired.path) }
end

local back = {}

function back.absent(path)
	local st, message = core.look(path)
	if not st then
		return message == nil, message
	end
	return (st.type == "directory" and core.remove_directory or core.unlink)(path)
end

function back.link(path, before)
	local ok, message = core.exchange_link(before.target, path)
	if ok and core.owner_is_root() then
		ok, message = core.chown(path, before.uid, before.gid)
	end
	return ok, message
end

-- An owner that is the right one already is not set: it may be one whom only root can give.
function back.file(path, before)
	local st = core.look(path)
	local same = st and st.type == "file" and st.uid == before.uid and st.gid == before.gid
	return core.library("put").place(path, before.spilled and { source = before.spilled } or { bytes = core.base64_decode(before.base64) },
		{ mode = on_disk.number_of(before.mode), owner = not same and before.uid or nil, group = not same and before.gid or nil })
end

function back.directory(path, before)
	if not core.look(path) then
		local ok, message = core.make_directory(path, 448)
		if not ok then
			return nil, message
		end
	end
	return set_owner(path, { owner = tostring(before.uid), group = tostring(before.gid), mode = before.mode })
end

local function attributes_back(path, before, desired)
	for name in pairs(before.attributes and desired.attributes or {}) do
		local ok, message = core.set_attribute(path, name, before.attributes[name])
		if not ok then
			return nil, message
		end
	end
	return true
end

-- Folders that were made go, when there is nothing else in them meanwhile.
local function folders_back(before)
	for _, folder in ipairs(before.folders or {}) do
		on_disk.at(folder, false, function(path) return core.remove_directory(path) end)
	end
end

-- Puts back what image() gave.
function on_disk.undo(desired, before)
	local ok, message = on_disk.work(desired.path, before.ensure ~= "absent", function(path, anchor)
		local done, text = back[before.ensure](path, before)
		if done then
			done, text = attributes_back(path, before, desired)
		end
		if not done then
			return nil, text
		end
		return core.sync(anchor.folder)
	end)
	if ok then
		folders_back(before)
	end
	return ok, message
end

-- What a selector means, relative to the task's folder; a name that is there as it stands is no pattern.
local function paths_of(selector)
	local path, what = property.path(selector)
	if not path then
		return nil, "'" .. selector .. "' is not " .. what
	elseif on_disk.at(path, false, function(at) return core.look(at) end) then
		return { path }
	elseif not path:find("[*?[{]") then
		return nil, "there is no " .. path
	end
	local paths, message = fs.glob(path)
	if paths and #paths > LIST_MAX then
		return nil, "it means " .. #paths .. " paths, and up to " .. LIST_MAX .. " can be looked at: name less"
	end
	return paths, message
end

local function listed(path, type_name, given, more)
	return on_disk.at(path, false, function(at)
		local st, message = core.look(at, true)
		if not st or st.type ~= type_name then
			return nil, message
		end
		local found = { path = path, mode = st.mode, owner = st.owner or tostring(st.uid), group = st.group or tostring(st.gid) }
		if more then
			found, message = more(path, at, found, st)
		end
		for name, value in pairs(found and given or {}) do
			found[name] = value
		end
		return found, message
	end)
end

-- For a provider's list(): those of a type that a selector means, with their properties. more(path, path to work at, properties, stat)
-- gives those that are kept, or nil and a message. Beside it why some can't be.
function on_disk.list(selector, type_name, given, more)
	local paths, message = paths_of(selector)
	if not paths then
		return nil, message
	end
	local list, notes = {}, {}
	for _, path in ipairs(paths) do
		local found
		found, message = listed(property.path(path), type_name, given, more)
		list[#list + 1], notes[#notes + 1] = found, message
		core.sleep(0)
	end
	return list, notes
end

-- Folder, owner and group. `actual`: of what is there the folder is, too, and the owner whom it has.
function on_disk.deps(desired, actual)
	actual = actual or {}
	local needs = {}
	if actual.ensure ~= "present" then
		needs[1] = { type = "directory", name = folder_of(desired.path) or "/" }
	end
	for _, kind in ipairs({ { "owner", "user" }, { "group", "group" } }) do
		local name = desired[kind[1]]
		if name and name ~= actual[kind[1]] and not name:find("^%d+$") then
			needs[#needs + 1] = { type = kind[2], name = name }
		end
	end
	return needs
end

-- Watched in its folder: what is renamed over a thing ends a watch of its own.
function on_disk.watch(desired)
	return { desired.path }
end

function on_disk.quoted(word)
	return word:find("^[%w_./+:@%%=-]+$") and word or "'" .. word:gsub("'", "'\\''") .. "'"
end

local quoted = on_disk.quoted
local suggestions = {
	mode = function(desired) return "chmod " .. desired.mode .. " " .. quoted(desired.path) end,
	owner = function(desired) return "chown -h " .. quoted(desired.owner) .. " " .. quoted(desired.path) end,
	group = function(desired) return "chgrp -h " .. quoted(desired.group) .. " " .. quoted(desired.path) end,
}

-- The command that mends it, or nil.
function on_disk.suggest(desired, name)
	return suggestions[name] and suggestions[name](desired)
end

return on_disk
