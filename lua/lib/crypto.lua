-- SPDX-License-Identifier: MIT
-- crypto: hashes of files, in parts, so that the others of the run go on meanwhile. The rest is in C.
local core = ...
local arguments = core.library("arguments")
local open = io.open
local crypto = {}

local PART = 4 << 20

-- hash_file(path [, algorithm]): in hexadecimal digits; or nil and a message.
function crypto.hash_file(...)
	local args = arguments.read("crypto.hash_file", { "path", "algorithm" }, { path = "string", algorithm = "string?" }, ...)
	local path = core.path(args.path)
	local st, text = core.stat(path)
	local hash, file
	if not st then
		return nil, text
	elseif st.type ~= "file" then
		return nil, path .. " is no file, but a " .. st.type
	end
	hash, text = core.hash(args.algorithm or "sha256")
	if not hash then
		return nil, text
	end
	file, text = open(path, "rb")
	if not file then
		return nil, text
	end
	local guard <close> = file
	while true do
		local part = file:read(PART)
		if not part then
			return hash:digest()
		end
		hash:update(part)
		if #part == PART and core.may_wait() then
			core.sleep(0)
		end
	end
end

return crypto
