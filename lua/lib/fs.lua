-- SPDX-License-Identifier: MIT
-- fs: what may take long. The rest is in C. Large files are copied by cp(1), large folders removed in parts, so that the others
-- of the run go on meanwhile.
local core = ...
local arguments = core.library("arguments")
local fs = {}

local LARGE = 16 << 20

local function read(fn, ...)
	local args = arguments.read("fs." .. fn, ...)
	core.acts("fs." .. fn)
	return args
end

-- By a command. true, or nil and what it says.
local function by(...)
	local result = core.exec({ arguments = { ... }, quiet = true, capture = true })
	if result.exit_code == 0 then
		return true
	end
	return nil, ((result.stderr or ""):gsub("%s+$", ""))
end

-- A file's content and mode.
local function copy(src, dest)
	local st = core.stat(src)
	if st and st.type == "file" and st.size > LARGE then
		return by("cp", "--reflink=auto", "--no-target-directory", "--", src, dest)
	end
	return core.copy_file(src, dest)
end

local pair = { src = "string", dest = "string" }

function fs.copy(...)
	local args = read("copy", { "src", "dest" }, pair, ...)
	return copy(core.path(args.src), core.path(args.dest))
end

-- Also folders, and to another file system.
function fs.move(...)
	local args = read("move", { "src", "dest" }, pair, ...)
	local src, dest = core.path(args.src), core.path(args.dest)
	local ok, text, elsewhere = core.rename(src, dest)
	if not elsewhere then
		return ok, text
	end
	return by("mv", "--no-target-directory", "--", src, dest)
end

local function remove_tree(fn, ...)
	local path = core.path(read(fn, { "path" }, { path = "string" }, ...).path)
	while true do
		local more, text = core.remove_some(path)
		if more == nil then
			return nil, text
		elseif not more then
			return true
		end
		core.sleep(0)
	end
end

function fs.rm_r(...)
	return remove_tree("rm_r", ...)
end

function fs.rmr(...)
	return remove_tree("rmr", ...)
end

return fs
