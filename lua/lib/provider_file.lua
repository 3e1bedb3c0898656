-- SPDX-License-Identifier: MIT
-- Provider: files. A file is written beside its place and takes it at once; a symbolic link that stands there is replaced, never
-- followed, and folders on the way are held while one works in them (lua/anchor.h).
local core = ...
local content = core.library("content")
local property = core.library("property")

local file = {
	type = "file",
	module = "file_ops",
	key = "path",
	properties = {
		path = { kind = "path", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		content = { kind = "text", severity = "high", shown = "digest" },
		source = { kind = "path", compare = false },
		template = { kind = "path", input = true },
		vars = { kind = "any", input = true },
		mode = { kind = "mode" },
		owner = { kind = "owner" },
		group = { kind = "group" },
		attributes = { kind = "attributes" },
	},
	impact = {
		[""] = "what reads this file finds it missing, or finds something else",
		content = "what reads this file works with other content than was meant",
		mode = "others may read, write or run it than were meant to, or fewer",
		owner = "another user than was meant may change it",
		group = "another group than was meant may use it",
	},
}

-- Images of more than that are not taken.
local IMAGE_MAX = 1 << 20

local PRESENT = { file = "present" }
local NAMES = { directory = "a directory", link = "a symbolic link" }

function file.validate(desired)
	local given = 0
	for _, name in ipairs({ "content", "source", "template" }) do
		given = given + (desired[name] and 1 or 0)
	end
	local kept = type(desired.content) == "table" and desired.content.sha256 ~= nil
	if given > 1 and not (given == 2 and desired.source and kept) then
		return "only one of 'content', 'source' and 'template'"
	elseif desired.ensure == "absent" and given > 0 then
		return "a file that is absent has no content"
	elseif desired.vars and not desired.template then
		return "'vars' are for a 'template'"
	end
end

local function from_source(desired)
	local st, message = core.stat(desired.source)
	if not st then
		return nil, message
	elseif st.type ~= "file" then
		return nil, desired.source .. " is no file, but a " .. st.type
	end
	-- Of a small one all is kept: it can be put back when the source is gone.
	local digest
	digest, message = content.read(core.real_path(desired.source) or desired.source)
	if not digest then
		return nil, message
	elseif digest.size <= content.KEPT_MAX then
		local bytes = core.read(desired.source)
		if bytes and content.equal(content.form(bytes), digest) then
			desired.content, desired.source = content.form(bytes), nil
			return true
		end
	end
	desired.content = digest
	return true
end

-- What the file is made from, to what it shall hold.
function file.prepare(desired)
	if desired.source then
		return from_source(desired)
	elseif desired.template then
		local text, message = core.library("template").render({ file = desired.template, vars = desired.vars })
		if not text then
			return nil, message
		end
		desired.content = content.form(text)
	end
	return true
end

-- fn(path to work at, anchor) with the folder held; what there is not, is nil.
local function at(path, make, fn)
	local anchor <close>, message, missing = core.anchor(path, make)
	if not anchor then
		return nil, not missing and message or nil, missing and message
	end
	local value, text = fn(anchor.path, anchor)
	return value, text and text:gsub(anchor.path:gsub("%W", "%%%0"), (path:gsub("%%", "%%%%"))) or nil
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

local function look(path, desired)
	local st, message = core.look(path)
	if not st then
		return message == nil and { ensure = "absent" } or nil, message
	end
	local actual = { ensure = PRESENT[st.type] or "replaced", mode = st.mode, owner = st.owner or tostring(st.uid), group = st.group or tostring(st.gid) }
	if actual.ensure == "replaced" then
		actual.found = (NAMES[st.type] or "a " .. st.type) .. (st.target and " to " .. st.target or "")
		actual.type = st.type
		return actual
	end
	if desired.content then
		actual.content, message = content.read(path)
	end
	if desired.attributes and not message then
		actual.attributes, message = attributes_of(path, desired.attributes)
	end
	return not message and actual or nil, message
end

function file.read(desired)
	local actual, message = at(desired.path, false, function(path) return look(path, desired) end)
	if not actual and not message then
		return { ensure = "absent" }
	end
	return actual, message
end

-- Of that which is kept as a digest the source must still be as it was.
local function what_to_write(desired)
	local bytes = desired.content and content.bytes(desired.content)
	if bytes or not desired.content then
		return { bytes = bytes or "" }
	elseif not desired.source then
		return nil, "its content is too large to be kept with the stack: run the workflow again"
	end
	local digest, message = content.read(core.real_path(desired.source) or desired.source)
	if not digest then
		return nil, "its source can't be read: " .. message
	elseif not content.equal(digest, desired.content) then
		return nil, "its source " .. desired.source .. " was changed since: run the workflow again"
	end
	return { source = desired.source }
end

local function write(path, desired, mode)
	local what, message = what_to_write(desired)
	if not what then
		return nil, message
	end
	return core.library("put").place(path, what,
		{ mode = mode, owner = property.account(desired.owner), group = property.account(desired.group) })
end

local function number_of(mode)
	return mode and tonumber(mode, 8)
end

-- Owner before mode: chown(2) takes away set-user-id.
local function set_owner(path, desired)
	local uid, gid = core.owner(property.account(desired.owner), property.account(desired.group))
	if not uid then
		return nil, gid
	end
	local ok, message = core.chown(path, uid, gid)
	if ok and desired.mode then
		ok, message = core.chmod(path, number_of(desired.mode))
	end
	return ok, message
end

local function set_mode(path, desired)
	return core.chmod(path, number_of(desired.mode))
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

local function remove(path, anchor)
	local ok, message = core.unlink(path)
	if not ok then
		return nil, message
	end
	return core.sync(anchor.folder)
end

-- There is none yet, or a link is in its place.
local function make(path, desired, actual)
	if actual.type and actual.type ~= "link" then
		return nil, desired.path .. " is a " .. actual.type .. ", and is not removed for a file"
	end
	local ok, message = write(path, desired, number_of(desired.mode))
	if ok and desired.attributes then
		ok, message = set_attributes(path, desired)
	end
	return ok, message
end

local function change(path, desired, changes)
	for _, one in ipairs(changes) do
		if one.property == "content" then
			local ok, message = write(path, desired, number_of(desired.mode))
			if not ok then
				return nil, message
			end
		end
	end
	for _, one in ipairs(changes) do
		local setter = setters[one.property]
		local ok, message = true, nil
		if setter then
			ok, message = setter(path, desired)
		end
		if not ok then
			return nil, message
		end
	end
	return true
end

function file.apply(desired, actual, changes)
	local ok, message, missing = at(desired.path, desired.ensure ~= "absent", function(path, anchor)
		if desired.ensure == "absent" then
			if actual.type == "directory" then
				return nil, desired.path .. " is a directory (resource.directory removes it)"
			end
			return remove(path, anchor)
		elseif actual.ensure ~= "present" then
			return make(path, desired, actual)
		end
		return change(path, desired, changes)
	end)
	return ok, message or missing
end

-- What there is, whole: to be put back byte for byte.
function file.image(desired)
	local image, message = at(desired.path, false, function(path)
		local st, text = core.look(path)
		if not st or st.type ~= "file" and st.type ~= "link" then
			return text == nil and { ensure = st and "other" or "absent" } or nil, text
		elseif st.type == "link" then
			return { ensure = "link", target = st.target, uid = st.uid, gid = st.gid }
		elseif st.size > IMAGE_MAX then
			return nil, "it has " .. st.size .. " bytes, and up to " .. IMAGE_MAX .. " are kept"
		end
		local bytes
		bytes, text = core.read_file(path, IMAGE_MAX)
		if not bytes then
			return nil, text
		end
		return { ensure = "file", base64 = crypto.base64_encode(bytes), mode = st.mode, uid = st.uid, gid = st.gid,
			attributes = desired.attributes and attributes_of(path, desired.attributes) }
	end)
	return image or not message and { ensure = "absent" } or nil, message
end

local back = {}

function back.absent(path, anchor)
	return remove(path, anchor)
end

function back.link(path, anchor, before)
	local ok, message = core.exchange_link(before.target, path)
	if ok and core.owner_is_root() then
		ok, message = core.chown(path, before.uid, before.gid)
	end
	return ok, message
end

function back.file(path, anchor, before, desired)
	local ok, message = core.library("put").place(path, { bytes = core.base64_decode(before.base64) },
		{ mode = number_of(before.mode), owner = before.uid, group = before.gid })
	for name in pairs(ok and before.attributes and desired.attributes or {}) do
		ok, message = core.set_attribute(path, name, before.attributes[name])
		if not ok then
			break
		end
	end
	return ok, message
end

function file.undo(desired, before)
	local put_back = back[before.ensure]
	if not put_back then
		return nil, "what was there before was no file"
	end
	local ok, message, missing = at(desired.path, before.ensure ~= "absent", function(path, anchor)
		return put_back(path, anchor, before, desired)
	end)
	return ok, message or missing
end

-- A file is watched in its folder: what is renamed over it ends a watch of its own.
function file.watch(desired)
	return { desired.path }
end

function file.deps(desired)
	local needs = { { type = "directory", name = desired.path:match("^(.+)/[^/]*$") or "/" } }
	if desired.owner and not desired.owner:find("^%d+$") then
		needs[#needs + 1] = { type = "user", name = desired.owner }
	end
	if desired.group and not desired.group:find("^%d+$") then
		needs[#needs + 1] = { type = "group", name = desired.group }
	end
	return needs
end

local function quoted(word)
	return word:find("^[%w_./+:@%%=-]+$") and word or "'" .. word:gsub("'", "'\\''") .. "'"
end

local suggestions = {
	mode = function(desired) return "chmod " .. desired.mode .. " " .. quoted(desired.path) end,
	owner = function(desired) return "chown " .. quoted(desired.owner) .. " " .. quoted(desired.path) end,
	group = function(desired) return "chgrp " .. quoted(desired.group) .. " " .. quoted(desired.path) end,
	[""] = function(desired) return desired.ensure == "absent" and "rm " .. quoted(desired.path) or nil end,
}

function file.suggest(desired, actual, name)
	return suggestions[name] and suggestions[name](desired, actual)
end

return file
