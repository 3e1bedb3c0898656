-- SPDX-License-Identifier: MIT
-- What is mounted (/proc/self/mountinfo, see proc(5)), and what fstab(5) says.
local core = ...
local machine = core.library("machine")
local managed_text = core.library("managed_text")
local on_disk = core.library("on_disk")
local mounts = {}

mounts.FILE = "/etc/fstab"

-- "\040" is a blank.
local function unescape(text)
	return (text:gsub("\\(%d%d%d)", function(digits) return string.char(tonumber(digits, 8)) end))
end

local function escape(text)
	return (text:gsub("[ \t\n\\#]", function(c) return ("\\%03o"):format(c:byte()) end))
end

local function words_of(text)
	local words = {}
	for word in text:gmatch("[^,]+") do
		words[#words + 1] = word
	end
	return words
end

local function line_of_mountinfo(line)
	local root, path, options, rest = line:match("^%d+ %d+ %S+ (%S+) (%S+) (%S+)(.*)$")
	local fstype, source, super = (rest or ""):match(" %- (%S+) (%S+) (%S+)$")
	return fstype and { path = unescape(path), root = unescape(root), options = words_of(options), fstype = fstype, source = unescape(source),
		super = words_of(super) }
end

-- Where a path is, by a way on which no link of another user is followed, and none in its own place; or nil and a message.
function mounts.place(path)
	local above, name = path:match("^(.*)/([^/]+)$")
	if not name or above == "" then
		return path
	end
	local folder, message = on_disk.real_folder(above)
	return folder and folder:gsub("/$", "") .. "/" .. name or not message and path or nil, message
end

-- What is mounted at a path, the last one over the others; nil: nothing; or nil and a message.
function mounts.at(path)
	local text = machine.read("/proc/self/mountinfo")
	local found
	if not text then
		return nil, "what is mounted can't be known: there is no /proc/self/mountinfo"
	end
	local message
	path, message = mounts.place(path)
	if not path then
		return nil, message
	end
	for line in text:gmatch("[^\n]+") do
		local one = line_of_mountinfo(line)
		found = one and one.path == path and one or found
	end
	return found
end

-- The fields of a line of fstab(5), or nil: it is none that says something.
local function line_of_fstab(line)
	local device, path, fstype, options, rest = line:match("^%s*([^#%s]%S*)%s+(%S+)%s+(%S+)%s*(%S*)(.*)$")
	local dump, pass = (rest or ""):match("^%s+(%d+)%s*(%d*)")
	local normal = path and core.library("property").path(unescape(path))
	return device and normal and { device = unescape(device), path = normal, fstype = fstype, options = words_of(options), dump = dump or "0",
		pass = math.tointeger(tonumber(pass ~= "" and pass or 0)) }
end

local function each_line(text)
	return (text ~= "" and text:gsub("\n$", "") .. "\n" or ""):gmatch("(.-)\n")
end

-- Its entries for a path: a list; or nil and a message.
function mounts.kept(file, path)
	local text, message = managed_text.read(file)
	local list = {}
	for line in each_line(text or "") do
		local one = line_of_fstab(line)
		list[#list + 1] = one and one.path == path and one or nil
	end
	return not message and list or nil, message
end

-- All entries with a path but "/": of swap there is none.
function mounts.entries(file)
	local text, message = managed_text.read(file)
	local list = {}
	for line in each_line(text or "") do
		local one = line_of_fstab(line)
		list[#list + 1] = one and line:find("^%s*%S+%s+/") and one.path ~= "/" and one or nil
	end
	return not message and list or nil, message
end

-- The text of such a file with one entry for the path, or with `entry` nil with none.
function mounts.with(text, path, entry)
	local kept, at = {}, nil
	for line in each_line(text) do
		local one = line_of_fstab(line)
		if one and one.path == path then
			at = at or #kept + 1
		else
			kept[#kept + 1] = line
		end
	end
	if entry then
		local options = entry.options[1] and table.concat(entry.options, ",") or "defaults"
		table.insert(kept, at or #kept + 1, table.concat({ escape(entry.device), escape(path), entry.fstype, escape(options), "0", tostring(entry.pass) }, "\t"))
	end
	return kept[1] and table.concat(kept, "\n") .. "\n" or ""
end

local function set_of(list)
	local set = {}
	for _, word in ipairs(list) do
		set[word] = true
	end
	return set
end

-- In any order; "defaults" says nothing.
function mounts.same_options(a, b)
	local x, y = set_of(a), set_of(b)
	x.defaults, y.defaults = nil, nil
	return core.library("property").same(x, y)
end

-- Options that the kernel shows for each mount, with those that take them back. Others are for a file system, which shows them as it likes.
local OPPOSITES = { suid = "nosuid", dev = "nodev", exec = "noexec", atime = "noatime", diratime = "nodiratime" }
local SHOWN = { ro = true, nosuid = true, nodev = true, noexec = true, noatime = true, nodiratime = true }

-- Whether what is mounted has these options, as far as can be seen. What is not said to be read-only shall be written to.
function mounts.has_options(found, wanted)
	local has, super, asked = set_of(found.options), set_of(found.super), set_of(wanted)
	if (has.ro or super.ro or false) ~= (asked.ro or false) then
		return false
	end
	for _, word in ipairs(wanted) do
		if SHOWN[word] and word ~= "ro" and not has[word] or OPPOSITES[word] and has[OPPOSITES[word]] then
			return false
		end
	end
	return true
end

local TAGS = { UUID = "by-uuid", LABEL = "by-label", PARTUUID = "by-partuuid", PARTLABEL = "by-partlabel", ID = "by-id" }

local function device_path(device)
	local tag, value = device:match('^(%u+)="?(.-)"?$')
	local path = TAGS[tag or ""] and "/dev/disk/" .. TAGS[tag] .. "/" .. value or device
	return path:sub(1, 1) == "/" and core.real_path(path) or path
end

function mounts.is_bind(options)
	local set = set_of(options)
	return set.bind or set.rbind or false
end

-- Whether what is mounted comes from there. What is bound is the same folder.
function mounts.is_from(found, device, options)
	if mounts.is_bind(options) then
		local a, b = core.stat(device), core.stat(found.path)
		return a ~= nil and b ~= nil and a.device == b.device and a.inode == b.inode
	end
	return found.source == device or device_path(found.source) == device_path(device)
end

function mounts.is_type(found, fstype, options)
	return found.fstype == fstype or fstype == "auto" or mounts.is_bind(options) or fstype == "nfs" and found.fstype == "nfs4"
end

return mounts
