-- SPDX-License-Identifier: MIT
-- Provider: directories, what may be in them, and whose that is. What is removed is told first: it stands among what differs.
local core = ...
local on_disk = core.library("on_disk")

-- Every name that is there may be.
local function all_known(desired, actual)
	local known = {}
	for _, name in ipairs(desired) do
		known[name] = true
	end
	for _, name in ipairs(actual) do
		if not known[name] then
			return false
		end
	end
	return true
end

local directory = {
	type = "directory",
	module = "file_ops",
	key = "path",
	properties = {
		path = { kind = "path", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		mode = { kind = "mode" },
		owner = { kind = "owner" },
		group = { kind = "group" },
		recurse = { kind = "boolean" },
		entries = { kind = "set", equal = all_known },
		purge = { kind = "boolean", compare = false },
		force = { kind = "boolean", compare = false },
		attributes = { kind = "attributes" },
	},
	impact = {
		[""] = "what is kept in this directory is missing, or has no place",
		mode = "others may list, enter or change it than were meant to, or fewer",
		owner = "another user than was meant may change it",
		group = "another group than was meant may use it",
		entries = "there are things in it that nobody meant to be there",
		recurse = "things in it belong to others than was meant",
	},
}

function directory.validate(desired)
	if desired.purge and not desired.entries then
		return "'purge' needs 'entries', which names what stays"
	elseif desired.recurse and not desired.owner and not desired.group then
		return "'recurse' needs an 'owner' or a 'group'"
	end
	for _, name in ipairs(desired.entries or {}) do
		if name == "" or name:find("/", 1, true) then
			return "'entries' are names of what stands in the directory, not '" .. name .. "'"
		end
	end
end

local function listed(folder)
	local names = fs.ls(folder)
	if not names then
		return nil, "it can't be listed"
	end
	table.sort(names)
	return core.mark_list(names)
end

-- fn(folder) with the directory itself held, and not only the folder that it stands in: who may write there can put a link in its place
-- after it was looked at.
local inside = on_disk.inside

local function names_in(path)
	return inside(path, listed)
end

local function has_some(path)
	return #(names_in(path) or {}) > 0
end

-- true, or what differs below.
local function owned(path, desired)
	local uid, gid = on_disk.owner(desired)
	if not uid then
		return true -- a name that nobody bears is said of the directory itself
	end
	local count, first = core.tree_owner(path, uid, gid, false)
	if not count then
		return nil, first
	end
	return count == 0 or count .. " of others, like " .. first
end

function directory.read(desired)
	return on_disk.read(desired, "directory", function(path, actual)
		local message
		if desired.entries then
			actual.entries, message = names_in(path)
		end
		actual.recurse = desired.recurse
		if desired.recurse and not message then
			actual.recurse, message = owned(path, desired)
		end
		return message
	end)
end

local function own_all(path, desired)
	local uid, gid = on_disk.owner(desired)
	if not uid then
		return nil, gid
	end
	local count, message = core.tree_owner(path, uid, gid, true)
	return count and true or nil, message
end

local function unknown_names(desired, names)
	local known, list = {}, {}
	for _, name in ipairs(desired.entries) do
		known[name] = true
	end
	for _, name in ipairs(names) do
		if not known[name] then
			list[#list + 1] = name
		end
	end
	return list
end

local function purge_in(path, desired)
	local names, message = listed(path)
	local extra = names and unknown_names(desired, names)
	if not extra then
		return nil, message
	elseif not desired.purge then
		return nil, desired.path .. " has " .. table.concat(extra, ", ") .. ", which its 'entries' don't name (purge = true removes that)"
	end
	for _, name in ipairs(extra) do
		local ok
		ok, message = fs.rm_r(path .. "/" .. name)
		if not ok then
			return nil, message
		end
	end
	return true
end

local function purge(path, desired)
	return inside(path, function(folder) return purge_in(folder, desired) end)
end

local function remove(path, desired)
	local ok, message = core.remove_directory(path)
	if not ok and desired.force then
		return fs.rm_r(path)
	elseif not ok then
		return nil, message .. (has_some(path) and " (force = true removes what is in it)" or "")
	end
	return true
end

local function make(path, desired, actual)
	if actual.ensure == "replaced" then
		if not desired.force or actual.type ~= "link" then
			return nil, desired.path .. " is a " .. actual.type .. ", and no directory" ..
				(actual.type == "link" and " (force = true replaces the link)" or "")
		end
		local ok, message = core.unlink(path)
		if not ok then
			return nil, message
		end
	end
	-- Nobody else's until it is as it shall be.
	local ok, message = core.make_directory(path, desired.mode and 448 or 511)
	if ok then
		ok, message = on_disk.furnish(path, desired)
	end
	return ok, message
end

local how = { what = "directory", remove = remove, make = make, setters = { entries = purge, recurse = own_all } }

function directory.apply(desired, actual, changes)
	return on_disk.apply(desired, actual, changes, how)
end

-- What would be lost with it can't be put back.
function directory.image(desired)
	local actual, message = directory.read(desired)
	if not actual then
		return nil, message
	elseif actual.ensure == "present" and desired.ensure == "absent" and on_disk.at(desired.path, false, has_some) then
		return nil, "what was in it is not kept"
	elseif actual.entries and not all_known(desired.entries, actual.entries) then
		return nil, "what is removed from it is not kept"
	elseif actual.recurse and actual.recurse ~= true then
		return nil, "whose the things in it were is not kept"
	end
	return on_disk.image(desired)
end

function directory.suggest(desired, actual, name)
	if name == "" and desired.ensure ~= "absent" then
		return "mkdir -p -- " .. on_disk.quoted(desired.path)
	elseif name == "recurse" then
		return "chown -hR " .. on_disk.quoted((desired.owner or "") .. (desired.group and ":" .. desired.group or "")) .. " " .. on_disk.quoted(desired.path)
	end
	return on_disk.suggest(desired, name)
end

function directory.list(selector, given)
	return on_disk.list(selector, "directory", given)
end

directory.undo, directory.deps = on_disk.undo, on_disk.deps

-- What comes and goes in it is seen, too.
function directory.watch(desired)
	local list = { desired.path, desired.path .. "/" }
	if not desired.entries then
		list[2] = nil
	end
	if desired.recurse then
		list[#list + 1] = { poll = 30 }
	end
	return list
end

return directory
