-- SPDX-License-Identifier: MIT
-- Provider: file systems that are mounted, by mount(8), now and by fstab(5) when the machine starts.
local core = ...
local in_turn = core.library("in_turn")
local managed_text = core.library("managed_text")
local mounts = core.library("mounts")
local on_disk = core.library("on_disk")
local tool = core.library("tool")

local mount = {
	type = "mount",
	module = "resource",
	key = "path",
	properties = {
		path = { kind = "path", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		device = { kind = "line", severity = "high" },
		fstype = { kind = "name" },
		options = { kind = "list", default = {}, severity = "high", equal = mounts.same_options },
		mounted = { kind = "boolean", default = true, severity = "high", state = true },
		persistent = { kind = "boolean", default = true },
		pass = { kind = "integer", min = 0, max = 9, default = 0, compare = false },
		file = { kind = "path", compare = false },
		root = { kind = "path", compare = false },
	},
	impact = {
		[""] = "what should be on this file system is not there, or is written to another one",
		mounted = "what should be on this file system is not there, or is written to another one",
		device = "another file system than was meant is there",
		options = "more is allowed on this file system than was meant, or less: it may be read-only",
		persistent = "after the next start of the machine it is mounted otherwise, or not",
	},
}

local function wrong_word(desired)
	for _, word in ipairs(desired.options) do
		if word == "" or word:find("[,%s]") then
			return "'" .. word .. "' is no option: one word each, in a list"
		end
	end
	for _, name in ipairs({ "device", "fstype" }) do
		if desired[name] and desired[name]:find("^%-") then
			return "'" .. name .. "' does not begin with '-'"
		end
	end
end

function mount.validate(desired)
	if desired.path == "/" then
		return "the root file system is not for this"
	elseif (desired.path .. "/"):find("/../", 1, true) then
		return "'path' is the way without '..': what is mounted is known by that"
	elseif desired.ensure ~= "absent" and not (desired.device and desired.fstype) then
		return "'device' and 'fstype' are needed"
	elseif desired.ensure == "absent" and (desired.device or desired.fstype or desired.options[1]) then
		return "what is absent has no 'device', 'fstype' or 'options'"
	end
	-- "ro,noexec", too.
	if #desired.options == 1 and desired.options[1]:find(",", 1, true) then
		local list = {}
		for word in desired.options[1]:gmatch("[^,]+") do
			list[#list + 1] = word
		end
		desired.options = core.mark_list(list)
	end
	return wrong_word(desired)
end

local function file_of(desired)
	return desired.file or (desired.root or "") .. mounts.FILE
end

local function entry_of(desired)
	return { device = desired.device, fstype = desired.fstype, options = desired.options, pass = desired.pass }
end

local function is_kept(list, desired)
	local one = list[1]
	return #list == 1 and one.device == desired.device and one.fstype == desired.fstype and one.pass == desired.pass and
		mounts.same_options(one.options, desired.options)
end

-- As it is mounted; what can't be seen is as wanted.
local function seen(actual, desired, found)
	actual.device = mounts.is_from(found, desired.device, desired.options) and desired.device or found.source
	actual.fstype = mounts.is_type(found, desired.fstype, desired.options) and desired.fstype or found.fstype
	actual.options = mounts.has_options(found, desired.options) and desired.options or core.mark_list({ table.unpack(found.options) })
end

function mount.read(desired)
	local list, message = mounts.kept(file_of(desired), desired.path)
	local found
	if list and not desired.root then
		found, message = mounts.at(desired.path)
	end
	if not list or message then
		return nil, message
	elseif not found and not list[1] then
		return { ensure = "absent" }
	elseif desired.ensure == "absent" then
		return { ensure = "present", mounted = found ~= nil, persistent = list[1] ~= nil }
	end
	-- Below another root nothing is mounted; an entry that is not asked for may stand there.
	local actual = { ensure = "present", device = desired.device, fstype = desired.fstype, options = desired.options, mounted = found ~= nil }
	actual.persistent = desired.persistent and is_kept(list, desired)
	if desired.root then
		actual.mounted = desired.mounted
	elseif found and desired.mounted then
		seen(actual, desired, found)
	end
	return actual
end

-- mount(8) is told a name in a folder that is held: nobody leads it elsewhere.
local function at_place(desired, fn)
	return on_disk.work(desired.path, true, function(at, anchor)
		local st, message = core.look(at)
		if message then
			return nil, message
		elseif not st then
			local ok
			ok, message = core.make_directory(at, 493)
			if not ok then
				return nil, message
			end
		elseif st.type == "link" then
			return nil, desired.path .. " is a symbolic link to " .. st.target .. ", and is not followed"
		end
		return fn((anchor.path:gsub("^/proc/self/", "/proc/" .. core.readlink("/proc/self") .. "/")))
	end)
end

local function run(...)
	local raw, message = tool.run({ ... })
	return raw and true or nil, message
end

local function do_mount(desired, what)
	local options = table.concat(what.options, ",")
	return at_place(desired, function(place)
		return run("mount", "-t", what.fstype, "-o", options ~= "" and options or "defaults", "--", what.device, place)
	end)
end

-- What was set by others and is not asked for goes, or it would stay read-only.
local function remount(desired, options)
	return run("mount", "-o", table.concat({ "remount", "rw,suid,dev,exec", table.unpack(options) }, ","), "--", mounts.place(desired.path))
end

-- All that are one over the other.
local function do_umount(desired)
	local path, problem = mounts.place(desired.path)
	if not path then
		return nil, problem
	end
	while mounts.at(path) do
		local ok, message = run("umount", "--", path)
		if not ok then
			return nil, message
		end
	end
	return true
end

local function change_of(desired)
	local entry = desired.ensure ~= "absent" and entry_of(desired) or nil
	return function(text) return mounts.with(text, desired.path, entry) end
end

local function edit(desired)
	return managed_text.edit(file_of(desired), "0644", change_of(desired))
end

-- What is mounted first: what the kernel refuses is not kept.
function mount.apply(desired, actual, changes)
	if desired.ensure == "absent" then
		return in_turn({ not desired.root and { do_umount, desired } or nil, actual.persistent and { edit, desired } or nil })
	end
	local steps, differs = {}, {}
	for _, change in ipairs(changes) do
		differs[change.property] = true
	end
	local again = differs.device or differs.fstype
	if again or differs.mounted and not desired.mounted then
		steps[1] = { do_umount, desired }
	end
	if not desired.root and desired.mounted and (again or not actual.mounted) then
		steps[#steps + 1] = { do_mount, desired, desired }
	elseif differs.options and desired.mounted then
		steps[1] = { remount, desired, desired.options }
	end
	if desired.persistent and not actual.persistent then
		steps[#steps + 1] = { edit, desired }
	end
	return in_turn(steps)
end

function mount.image(desired, actual)
	local file, message = managed_text.image(file_of(desired))
	local found = not desired.root and mounts.at(desired.path) or nil
	local folder = on_disk.at(desired.path, false, function(at) return core.look(at) end)
	return file and { file = file, found = found, persistent = actual.persistent, made = not folder and not desired.root or nil }, message
end

local function folder_back(desired, before)
	return not before.made or on_disk.work(desired.path, false, function(at) return not core.look(at) or core.remove_directory(at) end)
end

-- What only the file system knows of its options may be lost: it is told those of the mount, and of the file system those it shows.
local function options_of(found)
	local list, seen_already = {}, {}
	for _, words in ipairs({ found.options, found.super }) do
		for _, word in ipairs(words) do
			if not seen_already[word] and not (word == "rw" and words == found.super) then
				seen_already[word], list[#list + 1] = true, word
			end
		end
	end
	return list
end

function mount.undo(desired, before)
	local now, steps = not desired.root and mounts.at(desired.path) or nil, {}
	local old = before.found
	local same = now and old and now.source == old.source and now.fstype == old.fstype and now.root == old.root
	if now and not same then
		steps[#steps + 1] = { do_umount, desired }
	end
	if old and not same then
		if old.root ~= "/" then
			return nil, "a folder of " .. old.source .. " was mounted there, and is not known by its path any more"
		end
		steps[#steps + 1] = { do_mount, desired, { device = old.source, fstype = old.fstype, options = options_of(old) } }
	elseif same and not mounts.same_options(now.options, old.options) then
		steps[#steps + 1] = { remount, desired, old.options }
	end
	if desired.ensure == "absent" and before.persistent or desired.ensure ~= "absent" and desired.persistent and not before.persistent then
		steps[#steps + 1] = { managed_text.undo, file_of(desired), before.file, change_of(desired) }
	end
	steps[#steps + 1] = { folder_back, desired, before }
	return in_turn(steps)
end

-- What fstab says of paths that are meant.
function mount.list(pattern, given)
	local list, message = mounts.entries(file_of(given))
	local meant, found = core.library("selector").names(pattern), {}
	for _, one in ipairs(list or {}) do
		if meant(one.path) then
			local options = {}
			for _, word in ipairs(one.options) do
				options[#options + 1] = word ~= "defaults" and word or nil
			end
			found[#found + 1] = { path = one.path, device = one.device, fstype = one.fstype, options = core.mark_list(options), pass = one.pass,
				mounted = given.root ~= nil or mounts.at(one.path) ~= nil, file = given.file, root = given.root }
		end
	end
	return list and found, message
end

function mount.watch(desired)
	return { file_of(desired), not desired.root and { mounts = true } or nil }
end

local suggestions = {
	mounted = function(desired) return (desired.mounted and "mount " or "umount ") .. on_disk.quoted(desired.path) end,
	options = function(desired)
		return "mount -o " .. table.concat({ "remount", "rw,suid,dev,exec", table.unpack(desired.options) }, ",") .. " " .. on_disk.quoted(desired.path)
	end,
}

function mount.suggest(desired, actual, name)
	return not desired.root and suggestions[name] and suggestions[name](desired) or nil
end

return mount
