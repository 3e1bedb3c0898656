-- SPDX-License-Identifier: MIT
-- Content of files as a property of resources, in the form in which it is kept: a text; { base64 = … } where it is none; or
-- { size, sha256 }, which says what it was, but can't bring it back.
local core = ...
local content = {}

-- Bytes that are kept with a resource: the state of one has 512 KiB, and stands in a frame.
content.KEPT_MAX = 128 << 10

local LARGE = 256 << 20

local digests = setmetatable({}, { __mode = "k" }) -- form that is a table → its digest
local large = setmetatable({}, { __mode = "k" }) -- digest → the bytes, while this process works with them

-- Of a text.
function content.digest_of(bytes)
	local hash = core.hash("sha256")
	hash.update(hash, bytes)
	return { size = #bytes, sha256 = hash.digest(hash) }
end

-- The form of a text. `brief`: it is not to be kept.
function content.form(bytes, brief)
	if brief or #bytes > content.KEPT_MAX then
		local digest = content.digest_of(bytes)
		large[digest] = bytes
		return digest
	elseif utf8.len(bytes) and not bytes:find("\0", 1, true) then
		return bytes
	end
	return { base64 = crypto.base64_encode(bytes) }
end

-- Whether it is one of the forms.
function content.is(form)
	if type(form) ~= "table" then
		return type(form) == "string"
	end
	return type(form.base64) == "string" or math.type(form.size) == "integer" and type(form.sha256) == "string"
end

-- The bytes, or nil: only what they were is known.
function content.bytes(form)
	if type(form) == "string" then
		return form
	end
	return form.base64 and core.base64_decode(form.base64) or large[form]
end

function content.digest(form)
	if type(form) == "string" then
		return content.digest_of(form)
	elseif form.sha256 then
		return form
	end
	digests[form] = digests[form] or content.digest_of(content.bytes(form))
	return digests[form]
end

function content.equal(a, b)
	if type(a) == "string" and type(b) == "string" then
		return a == b
	end
	local x, y = content.digest(a), content.digest(b)
	return x.size == y.size and x.sha256 == y.sha256
end

-- For people: never the content itself.
function content.show(form)
	local digest = content.digest(form)
	return digest.size .. " bytes" .. (digest.sha256 ~= "" and ", sha256 " .. digest.sha256:sub(1, 16) or "")
end

-- Whether everybody may read the file. The content of others is nothing for the stack, whose readers are others than the file's.
function content.is_public(path)
	local real = core.real_path(path)
	local needed = 4
	while real do
		local st = core.stat(real)
		if not st or tonumber(st.mode, 8) & needed == 0 then
			return false
		end
		real, needed = real:match("^(.+)/[^/]+$"), 1
	end
	return needed == 1
end

-- Of the file at `path`, in parts. Or nil and a message. `wanted`, `size`: a large file of another size than is wanted is not read (nor one
-- that never ends, as the kernel has some): its hash is "".
function content.read(path, wanted, size)
	if wanted and size > LARGE and content.digest(wanted).size ~= size then
		return { size = size, sha256 = "" }
	end
	local digest <close>, text = core.digest(path)
	if not digest then
		return nil, text
	end
	while true do
		local hex, size = digest()
		if hex then
			return { size = size, sha256 = hex }
		elseif hex == false then
			return nil, path .. ": " .. size
		end
		core.sleep(0)
	end
end

return content
