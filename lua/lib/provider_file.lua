-- SPDX-License-Identifier: MIT
-- Provider: files. A file is written beside its place and takes it at once; a symbolic link that stands there is replaced, never
-- followed.
local core = ...
local content = core.library("content")
local on_disk = core.library("on_disk")
local put = core.library("put")

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
		validate = { kind = "line", compare = false },
	},
	impact = {
		[""] = "what reads this file finds it missing, or finds something else",
		content = "what reads this file works with other content than was meant",
		mode = "others may read, write or run it than were meant to, or fewer",
		owner = "another user than was meant may change it",
		group = "another group than was meant may use it",
	},
}

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
	elseif desired.validate and not desired.validate:find("%s", 1, true) then
		return "'validate' needs %s where the file's name goes: \"nginx -t -c %s\""
	end
end

local function from_source(desired)
	local st, message = core.stat(desired.source)
	if not st then
		return nil, message
	elseif st.type ~= "file" then
		return nil, desired.source .. " is no file, but a " .. st.type
	end
	-- Of a small one that everybody may read all is kept: it can be put back when the source is gone.
	local digest
	digest, message = content.read(core.real_path(desired.source) or desired.source)
	if not digest then
		return nil, message
	elseif digest.size <= content.KEPT_MAX and content.is_public(desired.source) then
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
		desired.content = content.form(text, not content.is_public(desired.template))
	end
	return true
end

function file.read(desired)
	return on_disk.read(desired, "file", function(path, actual, st)
		local message
		if desired.content then
			actual.content, message = content.read(path, desired.content, st.size)
		end
		return message
	end)
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

local function write(path, desired)
	local what, message = what_to_write(desired)
	local uid, gid = on_disk.owner(desired)
	if not what or not uid then
		return nil, message or gid
	end
	return put.place(path, what, { mode = on_disk.number_of(desired.mode), owner = uid, group = gid, validate = desired.validate })
end

-- There is none yet, or a link is in its place.
local function make(path, desired, actual)
	if actual.type and actual.type ~= "link" then
		return nil, desired.path .. " is a " .. actual.type .. ", and is not removed for a file"
	end
	local ok, message = write(path, desired)
	if ok and desired.attributes then
		ok, message = on_disk.furnish(path, { attributes = desired.attributes })
	end
	return ok, message
end

local how = { what = "file", remove = core.unlink, make = make, setters = { content = write } }

function file.apply(desired, actual, changes)
	return on_disk.apply(desired, actual, changes, how)
end

function file.suggest(desired, actual, name)
	if name == "" and desired.ensure == "absent" then
		return "rm " .. on_disk.quoted(desired.path)
	end
	return on_disk.suggest(desired, name)
end

-- Content that not everybody may read is kept as its digest.
local function with_content(path, at, found, st)
	local bytes, digest, message
	if st.size <= content.KEPT_MAX and content.is_public(path) then
		bytes, message = core.read_file(at, content.KEPT_MAX)
	else
		digest, message = content.read(at)
	end
	-- Somebody may have put another one there meanwhile.
	if bytes and not content.is_public(path) then
		bytes, digest = nil, content.digest_of(bytes)
	elseif not bytes and not digest then
		return nil, message
	end
	found.content = bytes and content.form(bytes) or digest
	return found
end

function file.list(selector, given)
	return on_disk.list(selector, "file", given, with_content)
end

file.image, file.undo, file.deps, file.watch = on_disk.image, on_disk.undo, on_disk.deps, on_disk.watch

return file
