-- SPDX-License-Identifier: MIT
-- import(path) and require(name) of the user's own files: text, run once, in the globals of the workflow. What is loaded with the
-- workflow belongs to the run: it goes to the daemon with the plan, and a retry gets it back as it was.
local core = ...
local absent = core.library("absent")
local import = {}

local LIMITS = { file = 1 << 20, all = 2 << 20, count = 256 } -- bytes, bytes, files

local run = core.run()
local kept = core.imported() -- of the run that this one tries again: { directory, files = path → text }, or nil
kept = type(kept) == "table" and kept.files and kept or nil
local directory = kept and kept.directory or run.directory -- of the workflow
local size, count = 0, 0
local done = {} -- path → { value }
local under_way = {} -- paths, the innermost last
local folders = {} -- name of a chunk → the directory of its file

-- "/a/./b/../c" → "/a/c"
local function clean(path)
	local parts = {}
	for part in path:gmatch("[^/]+") do
		if part == ".." then
			parts[#parts] = nil
		elseif part ~= "." then
			parts[#parts + 1] = part
		end
	end
	return "/" .. table.concat(parts, "/")
end

directory = directory and clean(directory)
local record = { directory = directory, files = {} }
core.imports = record

-- As messages have it: short, where it is below the workflow's own directory.
local function shown(path)
	local below = directory and directory ~= "/" and path:sub(1, #directory + 1) == directory .. "/"
	return below and path:sub(#directory + 2) or path
end

-- The text of a file that came with this run; nil: none did.
function import.kept(path)
	return kept and kept.files[path]
end

-- All that came with this run is its own, too.
function import.take_over()
	for path, text in pairs(kept and kept.files or {}) do
		record.files[path] = text
	end
end

-- What stands in a folder with a name like this one.
local function hint(path)
	local folder, name = path:match("^(.*)/([^/]*)$")
	local names = core.list_directory(folder == "" and "/" or folder)
	local near = names and core.nearest(name, names)
	return near and ": did you mean '" .. near .. "'?" or names and "" or ": there is no folder " .. folder
end

local function read(path, what)
	local text, problem = kept and kept.files[path], nil
	if not text then
		text, problem = core.read_text(path, LIMITS.file)
	end
	if not text and problem == "No such file or directory" then
		core.fail(what .. ": there is no file " .. path .. hint(path))
	elseif not text then
		core.fail(what .. ": " .. path .. ": " .. problem)
	end
	size, count = size + #text, count + 1
	if size > LIMITS.all or count > LIMITS.count then
		core.fail(what .. ": the files of a run may be " .. LIMITS.count .. " with " .. (LIMITS.all >> 20) .. " MiB together, and this is more")
	end
	if not core.task() then
		record.files[path] = text
	end
	return text
end

local function refuse_circle(path, what)
	for i, other in ipairs(under_way) do
		if other == path then
			local names = {}
			for k = i, #under_way do
				names[#names + 1] = shown(under_way[k])
			end
			core.fail(what .. ": these files import each other in a circle: " .. table.concat(names, " → ") .. " → " .. shown(path))
		end
	end
end

local left = setmetatable({}, { __close = function() under_way[#under_way] = nil end })

-- The value of a file, which is run when it is asked for first.
local function value_of(path, what)
	if done[path] then
		return done[path][1]
	end
	refuse_circle(path, what)
	local name = shown(path)
	local chunk, problem = core.load(read(path, what), "@" .. name)
	if not chunk then
		core.error(problem, 0)
	end
	folders[name] = path:match("^(.*)/[^/]*$")
	under_way[#under_way + 1] = path
	local _ <close> = left -- also after an error
	local value = chunk(name)
	done[path] = { value }
	return value
end

function import.import(path)
	if type(path) ~= "string" or path == "" or path:find("\0", 1, true) then
		core.fail("import: a path is expected, a text")
	end
	local what = "import('" .. path .. "')"
	if path:sub(1, 1) == "/" then
		return value_of(clean(path), what)
	end
	local folder = folders[core.source()]
	if not folder then
		-- The workflow itself, or a file whose last act this call is: it has left the stack.
		local innermost = under_way[#under_way]
		folder = innermost and innermost:match("^(.*)/") or directory
	end
	if not folder then
		core.fail(what .. ": the workflow came without a folder (it was copied into the tree, or read from a pipe), and so there is nothing that the path could be relative to; "
			.. "run it by 'sloth run FILE', or give an absolute path")
	end
	return value_of(clean(folder .. "/" .. path), what)
end

-- Where modules of the user's are, the first first.
local function module_folders()
	local list, config = {}, core.getenv("XDG_CONFIG_HOME")
	local home = core.getenv("HOME")
	list[1] = directory
	if not config or config:sub(1, 1) ~= "/" then
		config = home and home:sub(1, 1) == "/" and home .. "/.config" or nil
	end
	if config then
		list[#list + 1] = config .. "/sloth/modules"
	end
	list[#list + 1] = core.modules_folder()
	return list
end

local function module_path(name)
	local part = name:find("/", 1, true) and name or name:gsub("%.", "/")
	if part == "" or part:find("^/") or part:find("..", 1, true) or part:find("\0", 1, true) then
		return nil
	end
	return part:gsub("%.lua$", "")
end

local ENDINGS = { ".lua", ".sloth", "/init.lua" }

local function find_module(part, folders_of)
	for _, folder in ipairs(folders_of) do
		for _, ending in ipairs(ENDINGS) do
			local path = clean(folder .. "/" .. part .. ending)
			if kept and kept.files[path] or core.is_file(path) then
				return path
			end
		end
	end
end

-- The names that a module could have meant: those of this program, and the files in the folders.
local function module_names(folders_of)
	local list = core.module_names()
	for _, folder in ipairs(folders_of) do
		for _, name in ipairs(core.list_directory(folder) or {}) do
			list[#list + 1] = name:match("^(.*)%.lua$") or name:match("^(.*)%.sloth$")
		end
	end
	return list
end

-- What is no module of this program: a file of the user's, or what stands for a module that is not there.
function import.module(name)
	local what = "require('" .. tostring(name) .. "')"
	local part = type(name) == "string" and module_path(name)
	if not part then
		core.fail(what .. ": a module's name is expected, like 'deploy' or 'lib.deploy'")
	end
	local folders_of = module_folders()
	local path = find_module(part, folders_of)
	if path then
		return value_of(path, what)
	end
	local stand_in = absent.module(name)
	if stand_in then
		return stand_in
	end
	local near = core.nearest(name, module_names(folders_of))
	core.fail("there is no module '" .. name .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") .. " (looked for " .. part .. ".lua, .sloth and /init.lua in "
		.. table.concat(folders_of, ", ") .. ")")
end

-- Whether require() would find it, for those who only ask.
function import.has_module(name)
	local part = type(name) == "string" and module_path(name)
	return part ~= nil and find_module(part, module_folders()) ~= nil
end

return import
