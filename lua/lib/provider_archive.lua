-- SPDX-License-Identifier: MIT
-- Provider: what was unpacked from an archive. Which things it brought is kept, with their digests; what else is in the folder is others'.
local core = ...
local archive = core.library("archive")
local on_disk = core.library("on_disk")
local property = core.library("property")

local IMAGE_MAX = 1 << 20 -- bytes of files that were there before

local unpacked = {
	type = "archive",
	module = "file_ops",
	key = "path",
	properties = {
		path = { kind = "path", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		source = { kind = "path", compare = false },
		checksum = { kind = "line", compare = false },
		strip = { kind = "integer", min = 0, max = 100, compare = false },
		exclude = { kind = "list", compare = false },
		owner = { kind = "owner" },
		group = { kind = "group" },
		entries = { kind = "entries", severity = "high" },
	},
	impact = {
		[""] = "what runs or reads what was unpacked here finds it missing, or finds what should be gone",
		entries = "what runs or reads what was unpacked here works with other things than were meant",
		owner = "another user than was meant may change it",
		group = "another group than was meant may use it",
	},
}

function unpacked.validate(desired)
	if desired.ensure ~= "absent" and not desired.source then
		return "'source' is missing"
	end
	if desired.checksum and not desired.checksum:find("^%x+$") or #(desired.checksum or "") % 64 ~= 0 then
		return "'checksum' is a SHA-256: 64 hexadecimal digits"
	end
	for _, pattern in ipairs(desired.exclude or {}) do
		if pattern == "" or pattern:find("^%-") or pattern:find("%c") then
			return "'" .. pattern .. "' is no pattern of names"
		end
	end
end

local function registered(desired)
	local row = core.run().stack and core.call("resource.get", { type = "archive", name = desired.path })
	return row and row.properties or {}
end

-- What the archive has now is what shall be there. One that is known already is not unpacked to be looked at.
local function entries_of(desired)
	local digest, message = archive.digest(desired.source)
	if not digest then
		return nil, message
	elseif desired.checksum and desired.checksum:lower() ~= digest then
		return nil, desired.source .. " has another SHA-256 than is wanted: " .. digest
	end
	desired.checksum = digest
	local before = registered(desired)
	if before.checksum == desired.checksum and before.strip == desired.strip and property.same(before.exclude, desired.exclude) then
		return before.entries
	end
	return archive.entries(desired)
end

function unpacked.prepare(desired)
	local message
	if desired.entries then
		return true
	elseif desired.source then
		desired.entries, message = entries_of(desired)
		return desired.entries and true or nil, message
	end
	desired.entries = registered(desired).entries
	return desired.entries and true or nil, "'source' is missing: nothing is registered that says what was unpacked to " .. desired.path
end

local function is_folder(word)
	return word == "directory"
end

-- Folders are of no interest where nothing shall be left: others may have something in them.
local function counts(desired, word)
	return desired.ensure ~= "absent" or not is_folder(word)
end

-- What of it is otherwise, and how much there is: { missing, changed = names }, number of things, one that is another's.
local function compare(folder, desired, uid, gid)
	local differs, there, other = { missing = {}, changed = {} }, 0, {}
	for _, name in ipairs(archive.names(desired.entries)) do
		local word = desired.entries[name]
		local now, message, st = archive.now(folder .. "/" .. name, word)
		if message and not message:find("Not a directory$") then
			return nil, message
		end
		local list = not now and differs.missing or now ~= word and differs.changed
		if list then
			list[#list + 1] = name
		end
		there = there + (now and counts(desired, word) and 1 or 0)
		other.owner = other.owner or st and uid >= 0 and st.uid ~= uid and tostring(st.uid)
		other.group = other.group or st and gid >= 0 and st.gid ~= gid and tostring(st.gid)
	end
	return differs, there, other
end

local function told(names, what)
	if not names[1] then
		return nil
	end
	return table.concat(names, ", ", 1, math.min(#names, 3)) .. (#names > 3 and " and " .. #names - 3 .. " more" or "") .. " " .. what
end

local function look(folder, desired)
	local uid, gid = on_disk.owner(desired)
	local differs, there, other = compare(folder, desired, uid or -1, gid or -1)
	if not differs then
		return nil, there
	elseif there == 0 and next(desired.entries) then
		return { ensure = "absent" }
	end
	local missing, changed = told(differs.missing, "missing"), told(differs.changed, "changed")
	return { ensure = "present", entries = missing and changed and missing .. "; " .. changed or missing or changed or desired.entries,
		owner = not uid and "nobody's" or other.owner or desired.owner, group = not uid and "nobody's" or other.group or desired.group }
end

-- fn(the destination, held by its descriptor). Where it is missing: nil, nil, and what is missing.
local function inside(desired, make, fn)
	return on_disk.at(desired.path .. "/" .. archive.SPARE, make, function(spare, anchor) return fn(anchor.folder, spare) end)
end

function unpacked.read(desired)
	if not desired.entries then
		return nil, "what was unpacked to " .. desired.path .. " is not known: run the workflow again"
	end
	local actual, message = inside(desired, false, function(folder) return look(folder, desired) end)
	if not actual and not message then
		return { ensure = "absent" }
	end
	return actual, message
end

-- What stands in the way of a thing; nil: nothing. Folders on the way are none that a link leads to.
local function obstacle(folder, name, word)
	local st, message = core.look(folder .. "/" .. name)
	if message and not message:find("Not a directory$") or not st then
		return nil
	elseif is_folder(word) and st.type ~= "directory" then
		return name .. " is a " .. (st.type == "link" and "symbolic link, and is not followed" or st.type .. ", and no directory")
	elseif not is_folder(word) and st.type == "directory" then
		return name .. " is a directory, and is not removed for a " .. word:match("^%a+")
	end
end

-- true, or nil and what stands in the way of any.
local function way_is_free(folder, entries)
	for _, name in ipairs(archive.names(entries)) do
		local part = ""
		for above in name:gmatch("([^/]+)/") do
			part = part .. above
			local text = not entries[part] and obstacle(folder, part, "directory")
			if text then
				return nil, text
			end
			part = part .. "/"
		end
		local text = obstacle(folder, name, entries[name])
		if text then
			return nil, text
		end
	end
	return true
end

local function put_one(from, to, word, uid, gid)
	local ok, message = true, nil
	if is_folder(word) then
		if not core.look(to) then
			ok, message = core.make_directory(to, tonumber(core.look(from).mode, 8))
		end
		from = to
	end
	if ok and (uid >= 0 or gid >= 0) then
		ok, message = core.chown(from, uid, gid)
	end
	if ok and from ~= to then
		ok, message = core.rename(from, to)
	end
	return ok, message
end

-- fn(path to work at), its folder held. Folders on the way may be another user's, who could put a link there after we have looked.
local function in_place(folder, desired, name, fn)
	local above = name:match("^(.*)/[^/]*$")
	local wanted = (core.real_path(folder) or folder):gsub("/$", "") .. (above and "/" .. above or "")
	return on_disk.at(desired.path .. "/" .. name, false, function(path, anchor)
		if core.real_path(anchor.folder) ~= (wanted == "" and "/" or wanted) then
			return nil, desired.path .. "/" .. name .. ": a link was put in its way, and is not followed"
		end
		return fn(path)
	end)
end

-- Each thing that is not as it shall be gets its place; folders, which stand before what is in them, first.
local function put_all(folder, spare, desired, from)
	local uid, gid = on_disk.owner(desired)
	if not uid then
		return nil, gid
	end
	local ok, message = way_is_free(folder, desired.entries)
	if not ok then
		return nil, desired.path .. "/" .. message
	end
	for _, name in ipairs(archive.names(desired.entries)) do
		local word = desired.entries[name]
		local missing
		ok, message, missing = in_place(folder, desired, name, function(path)
			local now, _, st = archive.now(path, word)
			if now ~= word then
				return put_one(spare .. "/" .. from[name], path, word, uid, gid)
			elseif uid >= 0 and st.uid ~= uid or gid >= 0 and st.gid ~= gid then
				return core.chown(path, uid, gid)
			end
			return true
		end)
		if not ok then
			return nil, message or missing
		end
	end
	return core.sync(folder)
end

local function remove_all(folder, desired)
	local names = archive.names(desired.entries)
	for i = #names, 1, -1 do
		local word = desired.entries[names[i]]
		local ok, message, missing = in_place(folder, desired, names[i], function(path)
			local st = core.look(path)
			if st and is_folder(word) then
				core.remove_directory(path) -- what others have in it keeps it
			elseif st and st.type ~= "directory" then
				return core.unlink(path)
			end
			return true
		end)
		if not ok and not missing then
			return nil, message
		end
	end
	return core.sync(folder)
end

local function unpack(folder, spare, desired)
	return archive.with(desired, spare, function(words, from, at)
		if not property.same(words, desired.entries) then
			return nil, "its source " .. desired.source .. " was changed since: run the workflow again"
		end
		return put_all(folder, at, desired, from)
	end)
end

function unpacked.apply(desired)
	local absent = desired.ensure == "absent"
	local ok, message, missing = inside(desired, not absent, function(folder, spare)
		if absent then
			return remove_all(folder, desired)
		end
		return unpack(folder, spare, desired)
	end)
	return ok, message or missing
end

-- Of the things that are otherwise: what they were, or that there were none.
local function images_of(folder, desired)
	local image, bytes = { ensure = "present", made = core.mark_list({}), old = {} }, 0
	for _, name in ipairs(archive.names(desired.entries)) do
		local word = desired.entries[name]
		local now, _, st = archive.now(folder .. "/" .. name, word)
		if not now then
			image.made[#image.made + 1] = name
		elseif now ~= word or desired.ensure == "absent" or desired.owner or desired.group then
			bytes = bytes + (st.type == "file" and st.size or 0)
			if bytes > IMAGE_MAX then
				return nil, "what was there before has more than " .. IMAGE_MAX .. " bytes"
			end
			local message
			image.old[name], message = on_disk.image({ path = desired.path .. "/" .. name })
			if not image.old[name] then
				return nil, message
			end
		end
	end
	return image
end

function unpacked.image(desired)
	local image, message = inside(desired, false, function(folder) return images_of(folder, desired) end)
	if image or message then
		return image, message
	end
	local before
	before, message = on_disk.image({ path = desired.path .. "/" .. archive.SPARE })
	return before and { ensure = "absent", folder = before, made = archive.names(desired.entries), old = {} }, message
end

function unpacked.undo(desired, before)
	-- What was gone comes back with its folder before it.
	for _, name in ipairs(archive.names(before.old)) do
		local ok, message = on_disk.undo({ path = desired.path .. "/" .. name }, before.old[name])
		if not ok then
			return nil, message
		end
	end
	for i = #before.made, 1, -1 do
		local ok, message, missing = on_disk.at(desired.path .. "/" .. before.made[i], false, function(path)
			local st = core.look(path)
			return not st or (st.type == "directory" and core.remove_directory or core.unlink)(path)
		end)
		if not ok and not missing then
			return nil, message
		end
	end
	return not before.folder or on_disk.undo({ path = desired.path .. "/" .. archive.SPARE }, before.folder)
end

function unpacked.deps(desired, actual)
	return on_disk.deps({ path = desired.path, owner = desired.owner, group = desired.group }, actual)
end

-- All that it brought.
function unpacked.watch(desired)
	local list = { desired.path }
	for _, name in ipairs(archive.names(desired.entries or {})) do
		list[#list + 1] = desired.path .. "/" .. name
	end
	return list
end

return unpacked
