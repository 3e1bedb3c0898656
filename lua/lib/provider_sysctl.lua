-- SPDX-License-Identifier: MIT
-- Provider: settings of the kernel, as /proc/sys has them now, and a file of /etc/sysctl.d sets them when the machine starts.
local core = ...
local kernel = core.library("kernel_settings")

local sysctl = {
	type = "sysctl",
	module = "sysctl",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		value = { kind = "line", equal = function(a, b) return kernel.plain(a) == kernel.plain(b) end, state = true },
		persistent = { kind = "boolean", default = true },
		file = { kind = "path", compare = false },
		root = { kind = "path", compare = false },
	},
	impact = {
		[""] = "the kernel does not have this setting, or has it again when the machine starts",
		value = "the kernel works otherwise than was meant",
		persistent = "the setting is another one after the next start of the machine",
	},
}

function sysctl.validate(desired)
	if not kernel.path(desired.name, desired.root) then
		return "'" .. desired.name .. "' is not the name of a setting (\"net.ipv4.ip_forward\")"
	elseif desired.ensure ~= "absent" and not desired.value then
		return "'value' is missing"
	end
end

-- What was said without `file` is kept in one of ours.
local function file_of(desired)
	return desired.file or (desired.root or "") .. kernel.FILE
end

function sysctl.read(desired)
	local kept, message = kernel.kept(file_of(desired), desired.name)
	if message then
		return nil, message
	elseif desired.ensure == "absent" then
		return { ensure = kept and "present" or "absent", value = kept }
	end
	local value
	value, message = kernel.read(desired.name, desired.root)
	if not value then
		return nil, message
	end
	-- One that is not asked for may stand there.
	local persistent = desired.persistent and kept ~= nil and kernel.plain(kept) == kernel.plain(desired.value or kept)
	return { ensure = "present", value = value, persistent = persistent or false }
end

local function change_of(desired)
	local value = desired.ensure ~= "absent" and kernel.plain(desired.value) or nil
	return function(text) return kernel.with(text, desired.name, value) end
end

-- The file first: what the kernel refuses is not kept.
function sysctl.apply(desired, actual, changes)
	if desired.ensure == "absent" then
		return kernel.edit(file_of(desired), change_of(desired))
	end
	local ok, message = true, nil
	for _, change in ipairs(changes) do
		if change.property == "value" then
			ok, message = kernel.write(desired.name, kernel.plain(desired.value), desired.root)
		end
	end
	if ok and desired.persistent and not actual.persistent then
		ok, message = kernel.edit(file_of(desired), change_of(desired))
	end
	return ok, message
end

function sysctl.image(desired, actual)
	local file, message = kernel.image(file_of(desired))
	return file and { value = desired.ensure ~= "absent" and actual.value or nil, persistent = actual.persistent, file = file }, message
end

function sysctl.undo(desired, before)
	local ok, message = true, nil
	if desired.ensure == "absent" or desired.persistent and not before.persistent then
		ok, message = kernel.undo(file_of(desired), before.file, change_of(desired))
	end
	if ok and before.value then
		ok, message = kernel.write(desired.name, before.value, desired.root)
	end
	return ok, message
end

-- Files that say what is set at the start, the one that counts last.
local function files_of(given)
	local root = given.root or ""
	local list = given.file and { given.file } or fs.glob(root .. "/etc/sysctl.d/*.conf")
	list[#list + 1] = not given.file and core.exists(root .. "/etc/sysctl.conf") and root .. "/etc/sysctl.conf" or nil
	return list
end

-- Those that a file sets at the start.
function sysctl.list(pattern, given)
	local meant, found, notes = core.library("selector").names(pattern), {}, {}
	for _, path in ipairs(files_of(given)) do
		local names, message = kernel.kept_names(path)
		notes[#notes + 1] = message
		for _, name in ipairs(names or {}) do
			if meant(name) then
				found[name] = path
			end
		end
	end
	local list = {}
	for _, name in ipairs(core.library("provider").keys(found)) do
		local desired = { name = name, file = found[name], root = given.root }
		local actual, message = sysctl.read(desired)
		desired.value = actual and actual.value
		desired.persistent = actual and kernel.plain(kernel.kept(found[name], name)) == kernel.plain(actual.value)
		list[#list + 1], notes[#notes + 1] = actual and desired or nil, message
	end
	return list, notes
end

function sysctl.watch(desired)
	return { kernel.path(desired.name, desired.root), file_of(desired) }
end

function sysctl.suggest(desired, actual, name)
	return name == "value" and not desired.root and "sysctl -w " .. desired.name .. "='" .. kernel.plain(desired.value) .. "'" or nil
end

return sysctl
