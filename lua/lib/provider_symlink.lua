-- SPDX-License-Identifier: MIT
-- Provider: symbolic links. A link takes the place of another at once; what is no link is only replaced when that is asked for.
local core = ...
local on_disk = core.library("on_disk")

local symlink = {
	type = "symlink",
	module = "file_ops",
	key = "path",
	properties = {
		path = { kind = "path", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		target = { kind = "line", severity = "high" },
		force = { kind = "boolean", compare = false },
		owner = { kind = "owner", severity = "low" },
		group = { kind = "group", severity = "low" },
	},
	impact = {
		[""] = "what is reached through this link is not found, or is something else",
		target = "this link leads elsewhere than was meant",
	},
}

function symlink.validate(desired)
	if desired.ensure ~= "absent" and not desired.target then
		return "'target' is missing"
	end
end

function symlink.read(desired)
	return on_disk.read(desired, "link")
end

local function exchange(path, desired)
	return core.exchange_link(desired.target, path)
end

-- Makes room for it.
local function clear(path, desired, actual)
	if actual.ensure ~= "replaced" then
		return true
	elseif not desired.force then
		return nil, desired.path .. " is a " .. actual.type .. ", and no symbolic link (force = true replaces it)"
	elseif actual.type == "directory" then
		return core.remove_directory(path)
	end
	return true
end

local function make(path, desired, actual)
	local ok, message = clear(path, desired, actual)
	if ok then
		ok, message = exchange(path, desired)
	end
	if ok then
		ok, message = on_disk.furnish(path, desired)
	end
	return ok, message
end

local how = { what = "symbolic link", remove = core.unlink, make = make, setters = { target = exchange } }

function symlink.apply(desired, actual, changes)
	return on_disk.apply(desired, actual, changes, how)
end

function symlink.suggest(desired, actual, name)
	if name == "target" or name == "" and desired.ensure ~= "absent" then
		return "ln -sfn -- " .. on_disk.quoted(desired.target) .. " " .. on_disk.quoted(desired.path)
	end
	return on_disk.suggest(desired, name)
end

-- Whose a link is, is its target's business mostly, and not kept.
local function with_target(_, _, found, st)
	return { path = found.path, target = st.target }
end

function symlink.list(selector, given)
	return on_disk.list(selector, "link", given, with_target)
end

symlink.image, symlink.undo, symlink.deps, symlink.watch = on_disk.image, on_disk.undo, on_disk.deps, on_disk.watch

return symlink
