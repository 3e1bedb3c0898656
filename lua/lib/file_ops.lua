-- SPDX-License-Identifier: MIT
-- file_ops: files as they shall be. Each checks first and changes only what differs; see result.lua for what it gives.
local core = ...
local arguments = core.library("arguments")
local content = core.library("content")
local edit = core.library("edit")
local put = core.library("put")
local recorded = core.library("recorded")
local result = core.library("result")
local file_ops = {}
local good, bad = result.good, result.bad

-- Other names that arguments have in Sloth Runner and Ansible.
local aliases = {
	dst = "dest", regex = "regexp", block = "content", insert_after = "insertafter", insert_before = "insertbefore", recurse = "recursive",
	strip_components = "strip",
}
local replace_aliases = { regexp = "pattern", regex = "pattern", replace = "replacement" }

-- f(a, b, { more }) is one table of names.
local function named(names, kinds, ...)
	local count = select("#", ...)
	local last = select(math.max(count, 1), ...)
	local args = {}
	if type(last) ~= "table" or getmetatable(last) ~= nil or (count > 1 and (kinds[names[count]] or ""):find("^table")) then
		return nil
	end
	for i = 1, count - 1 do
		args[names[i] or i] = (select(i, ...))
	end
	for key, value in pairs(last) do
		args[key] = value
	end
	return args
end

local function read(fn, names, kinds, others, ...)
	local args = named(names, kinds, ...)
	if args then
		for from, to in pairs(others) do
			if args[from] ~= nil and args[to] == nil and not kinds[from] then
				args[to], args[from] = args[from], nil
			end
		end
		return arguments.read("file_ops." .. fn, names, kinds, args)
	end
	return arguments.read("file_ops." .. fn, names, kinds, ...)
end

-- Names and kinds with those that all functions have that write a file.
local function writing(names, kinds)
	for name, kind in pairs(put.kinds) do
		kinds[name] = kind
	end
	for _, name in ipairs({ "mode", "owner", "group", "backup", "validate", "follow" }) do
		names[#names + 1] = name
	end
	return names, kinds
end

local function acting(fn, names, kinds, others, ...)
	local args = read(fn, names, kinds, others, ...)
	core.acts("file_ops." .. fn)
	return args, "file_ops." .. fn
end

local function one_of(fn, args, name, ...)
	for _, word in ipairs({ ... }) do
		if args[name] == nil or args[name] == word then
			return
		end
	end
	core.fail(fn .. ": '" .. name .. "' must be '" .. table.concat({ ... }, "' or '") .. "', not '" .. tostring(args[name]) .. "'")
end

local function name_in(dest, src)
	local st = core.stat(dest)
	if dest:sub(-1) == "/" or (st and st.type == "directory") then
		return dest:gsub("/+$", "") .. "/" .. src:match("([^/]*)/*$")
	end
	return dest
end

-- Folders that are made go again with what is made in them.
local function make_folder(path)
	if core.stat(path) then
		return true
	end
	return core.library("images").around("directory", { path = path }, function()
		local ok, text = pcall(core.make_directories, path)
		return ok or nil, text
	end)
end

local function make_parent(path)
	return make_folder((path:match("^(.*)/[^/]*$"):gsub("^$", "/")))
end

-- With the folders above it.
local function with_parent(fn, args, path, act)
	local target = put.target(args, path)
	local ok, text = make_parent(target)
	if not ok then
		return bad(text)
	end
	return act(target)
end

-- As a resource.
local function file_of(path, args, properties)
	properties = properties or {}
	properties.path, properties.mode, properties.owner, properties.group = path, args.mode, args.owner, args.group
	return properties
end

local function link(src, dest, force)
	local st = core.stat(dest, true)
	local more = { src = src, dest = dest }
	if st and st.type == "link" and core.readlink(dest) == src then
		return good(false, dest .. " is as wanted", more)
	elseif st and st.type ~= "link" and not force then
		return bad(dest .. " exists, and is no symbolic link (force = true replaces it)")
	end
	if st and st.type == "directory" then
		local ok, text = fs.rm(dest)
		if not ok then
			return bad(text)
		end
	end
	local ok, text = core.exchange_link(src, dest)
	if not ok then
		return bad(text)
	end
	return good(true, dest .. " → " .. src, more)
end

local copy_one

-- A folder with all that is in it: links as links.
local function copy_folder(fn, src, dest, args)
	local made, text = core.stat(dest), nil
	local changed = not made
	local ok
	ok, text = make_folder(dest)
	if not ok then
		return bad(text)
	end
	args.keeps = true
	for _, name in ipairs(fs.ls(src)) do
		local from, to = src .. "/" .. name, dest .. "/" .. name
		local done, message, res = copy_one(fn, from, to, args)
		if not done then
			return false, message, res
		end
		changed = changed or res.changed
	end
	return good(changed, changed and dest .. " copied" or dest .. " is as wanted", { src = src, dest = dest })
end

function copy_one(fn, src, dest, args)
	local st = core.stat(src, true)
	if st and st.type == "directory" then
		return copy_folder(fn, src, dest, args)
	elseif st and st.type == "link" and args.inside then
		local target = core.readlink(src)
		if core.readlink(dest) == target then
			return link(target, dest, true)
		end
		return core.library("images").around("symlink", { path = dest, target = target }, function() return link(target, dest, true) end)
	end
	return put.copy(fn, src, dest, args)
end

local copy_names, copy_kinds = writing({ "src", "dest", "content" }, { src = "string?", dest = "string", content = "string?" })

-- copy(src, dest) or copy{ content = …, dest = … }
function file_ops.copy(...)
	local args, fn = acting("copy", copy_names, copy_kinds, { dst = "dest" }, ...)
	if (args.src == nil) == (args.content == nil) then
		core.fail(fn .. ": either 'src' or 'content' is needed")
	end
	local folder = args.src and core.stat(core.path(args.src))
	folder = folder and folder.type == "directory"
	if folder then
		-- As of Ansible, the same the second time: the folder into `dest`, or with a slash at its end what is in it.
		args.inside = true
		local dest = core.path(args.dest):gsub("(.)/+$", "%1")
		dest = args.src:sub(-1) == "/" and dest or dest .. "/" .. args.src:match("([^/]*)$")
		return recorded.around("directory", { path = dest }, recorded.all, function() return copy_folder(fn, core.path(args.src), dest, args) end)
	end
	return with_parent(fn, args, args.src and name_in(core.path(args.dest), args.src) or args.dest, function(dest)
		if args.content then
			return recorded.around("file", file_of(dest, args, { content = args.content }), recorded.attributes, function()
				return put.edit(fn, dest, args, function() return args.content end, true)
			end)
		end
		local src = core.path(args.src)
		local st, text = core.stat(src)
		if not st then
			return bad(text)
		end
		-- A new file has the mode of its source.
		args.mode = args.mode or (not core.stat(dest) and st.mode) or nil
		return recorded.around("file", file_of(dest, args, { source = src }), recorded.attributes, function() return put.copy(fn, src, dest, args) end)
	end)
end

local fetch_names, fetch_kinds = writing({ "src", "dest" }, { src = "string", dest = "string" })

-- From where the task runs to where the run is: one machine, without agents.
function file_ops.fetch(...)
	local args, fn = acting("fetch", fetch_names, fetch_kinds, aliases, ...)
	return with_parent(fn, args, name_in(core.path(args.dest), args.src), function(dest)
		local src = core.path(args.src)
		return recorded.around("file", file_of(dest, args, { source = src }), recorded.attributes, function() return put.copy(fn, src, dest, args) end)
	end)
end

local template_names, template_kinds = writing({ "src", "dest", "vars", "content", "strict" },
	{ src = "string?", dest = "string", vars = "table?", content = "string?", strict = "boolean?" })

-- template(src, dest, vars): see template.render.
function file_ops.template(...)
	local args, fn = acting("template", template_names, template_kinds, { dst = "dest" }, ...)
	if (args.src == nil) == (args.content == nil) then
		core.fail(fn .. ": either 'src' or 'content' is needed")
	end
	local text, problem = core.library("template").render({ file = args.src, text = args.content, vars = args.vars, strict = args.strict })
	if not text then
		return bad(problem)
	end
	local name = args.src and (args.src:gsub("%.tmpl$", ""):gsub("%.tpl$", ""):gsub("%.j2$", "")) or ""
	return with_parent(fn, args, args.src and name_in(core.path(args.dest), name) or args.dest, function(dest)
		local form = content.form(text, args.src and not content.is_public(core.path(args.src)))
		return recorded.around("file", file_of(dest, args, { content = form }), recorded.attributes, function()
			return put.edit(fn, dest, args, function() return text, { src = args.src, dest = dest } end, true)
		end)
	end)
end

-- stat(path [, follow]): { exists = false } is an answer, too.
function file_ops.stat(...)
	local args = read("stat", { "path", "follow", "checksum" }, { path = "string", follow = "boolean?", checksum = "boolean?" }, aliases, ...)
	local path = core.path(args.path)
	local st = core.stat(path, not args.follow)
	if not st then
		return { exists = false, path = path }
	end
	st.exists, st.path = true, path
	if st.type == "link" then
		st.target = core.readlink(path)
	elseif st.type == "file" and args.checksum ~= false then
		st.checksum = crypto.hash_file(path, "sha256")
	end
	return st
end

local function remove(path, recursive)
	if not core.stat(path, true) then
		return good(false, path .. " is not there", { path = path })
	end
	local ok, text
	if recursive then
		ok, text = fs.rm_r(path)
	else
		ok, text = fs.rm(path)
	end
	if not ok then
		return bad(text)
	end
	return good(true, path .. " removed", { path = path })
end

-- `kind`: of a resource, where nothing is there that would say it.
local function remove_recorded(path, recursive, kind)
	local st = core.stat(path, true) or kind and { type = kind }
	return recorded.by_kind(st, { path = path, ensure = "absent" }, nil, function() return remove(path, recursive) end)
end

function file_ops.directory(...)
	local args, fn = acting("directory", { "path", "mode", "owner", "group", "state", "recursive" },
		{ path = "string", mode = "any?", owner = "any?", group = "any?", state = "string?", recursive = "boolean?" }, aliases, ...)
	one_of(fn, args, "state", "present", "absent")
	if args.state == "absent" then
		return remove_recorded(core.path(args.path), args.recursive ~= false, "directory")
	end
	local path = core.path(args.path)
	local st = core.stat(path)
	if st and st.type ~= "directory" then
		return bad(path .. " exists, and is no directory")
	end
	-- Of a link to a folder it is the folder's mode.
	path = core.real_path(path) or path
	return recorded.around("directory", file_of(path, args), recorded.all, function()
		local ok, text = pcall(core.make_directories, path)
		if not ok then
			return bad(text)
		end
		return put.conclude(fn, path, args, not st, path .. " made")
	end)
end

function file_ops.symlink(...)
	local args, fn = acting("symlink", { "src", "dest", "force" }, { src = "string", dest = "string", force = "boolean?" }, { dst = "dest", target = "src", path = "dest" }, ...)
	return with_parent(fn, {}, args.dest, function(dest)
		return recorded.around("symlink", { path = dest, target = args.src, force = args.force }, recorded.attributes, function()
			return link(args.src, dest, args.force)
		end)
	end)
end
file_ops.link = file_ops.symlink

function file_ops.remove(...)
	local args = acting("remove", { "path", "recursive" }, { path = "string", recursive = "boolean?" }, aliases, ...)
	return remove_recorded(core.path(args.path), args.recursive)
end

local function set_attributes(fn, args)
	local path = put.target(args, args.path)
	put.mode(fn, args.mode)
	local st, text = core.stat(path, true)
	if not st then
		return bad(text)
	elseif st.type == "link" and args.mode then
		return bad(path .. " is a symbolic link, and has no mode of its own (follow = true changes what it points to)")
	end
	return recorded.by_kind(st, file_of(path, args, { target = core.readlink(path) }), recorded.all, function()
		return put.conclude(fn, path, args, false, path .. ": " .. (args.mode and "mode" or "owner") .. " set")
	end)
end

function file_ops.chmod(...)
	local args, fn = acting("chmod", { "path", "mode", "follow" }, { path = "string", mode = "any", follow = "boolean?" }, aliases, ...)
	return set_attributes(fn, args)
end

function file_ops.chown(...)
	local args, fn = acting("chown", { "path", "owner", "group", "follow" }, { path = "string", owner = "any?", group = "any?", follow = "boolean?" }, aliases, ...)
	if args.owner == nil and args.group == nil then
		core.fail(fn .. ": 'owner' or 'group' is needed")
	end
	return set_attributes(fn, args)
end

-- Edits the file at `path`; one that is missing is made unless create = false. `part`: what it is as a resource, or nil.
local function edited(fn, args, part, change)
	local path = put.target(args, args.path)
	if args.create ~= false and args.state ~= "absent" then
		local ok, text = make_parent(path)
		if not ok then
			return bad(text)
		end
	end
	return recorded.edited(path, part, change, function()
		return put.edit(fn, path, args, function(old)
			if not old and (args.create == false or args.state == "absent") then
				return nil, path .. ": No such file or directory"
			end
			local new, more = change(old or "")
			if not new then
				return nil, path .. ": " .. more
			end
			return new, more
		end)
	end)
end

-- Where there is no file, there is nothing of it.
local function is_absent(args)
	return args.state == "absent" and not core.stat(put.target(args, args.path), true)
end

-- Such a part of a file, with its place in it.
local function part_of(type_name, args, words, properties)
	local path = put.target(args, args.path)
	if not utf8.len(path) or not utf8.len(words) then
		return nil
	end
	properties.name, properties.path, properties.ensure = recorded.part_name(path, words), path, args.state or "present"
	properties.insertafter, properties.insertbefore, properties.mode = args.insertafter, args.insertbefore, args.mode
	for key, value in pairs(properties) do
		-- What is no line can't be kept as one.
		if type(value) == "string" and key ~= "content" and (value == "" or value:find("[\n\r%z]") or not utf8.len(value)) then
			return nil
		end
	end
	return { type = type_name, properties = properties }
end

-- What resource.TYPE gives; nil: more is asked for than it knows.
local function declared(fn, args, part)
	if not part or args.create == false or args.follow or args.backup or args.validate or args.mode or args.owner or args.group or
		args.insertafter and args.insertbefore then
		return nil
	end
	-- A wrong one is said to be this function's.
	for _, pattern in ipairs({ args.regexp or false, args.insertafter or false, args.insertbefore or false }) do
		if pattern then
			core.library("regex").new(fn, pattern)
		end
	end
	return recorded.declare(put.target(args, args.path), part)
end

local line_names, line_kinds = writing({ "path", "line", "regexp", "state", "insertafter", "insertbefore", "backrefs", "firstmatch", "create" }, {
	path = "string", line = "string?", regexp = "string?", state = "string?", insertafter = "string?", insertbefore = "string?",
	backrefs = "boolean?", firstmatch = "boolean?", create = "boolean?",
})

function file_ops.lineinfile(...)
	local args, fn = acting("lineinfile", line_names, line_kinds, aliases, ...)
	one_of(fn, args, "state", "present", "absent")
	args.line = args.line and args.line:gsub("\r?\n$", "")
	if args.line and args.line:find("\n", 1, true) then
		core.fail(fn .. ": 'line' is one line (file_ops.blockinfile puts several)")
	elseif not args.line and not (args.state == "absent" and args.regexp) then
		core.fail(fn .. ": 'line' is missing")
	elseif args.backrefs and not args.regexp then
		core.fail(fn .. ": 'backrefs' needs 'regexp'")
	end
	-- What `backrefs` puts there depends on what was there.
	local part = not args.backrefs and not args.firstmatch and args.line ~= "" and
		part_of("line", args, args.regexp or args.line, { line = args.line, regexp = args.regexp }) or nil
	if is_absent(args) then
		return recorded.edited(args.path, part, nil, function() return good(false, args.path .. " is not there", { path = args.path }) end)
	end
	local done = declared(fn, args, part)
	if done then
		return table.unpack(done, 1, 3)
	end
	local change = args.state == "absent" and edit.without_line or edit.line
	return edited(fn, args, part, function(old) return change(fn, old, args) end)
end

local block_names, block_kinds = writing({ "path", "content", "marker", "state", "insertafter", "insertbefore", "create", "marker_begin", "marker_end" }, {
	path = "string", content = "string?", marker = "string?", state = "string?", insertafter = "string?", insertbefore = "string?", create = "boolean?",
	marker_begin = "string?", marker_end = "string?",
})

-- "# {mark} MANAGED BLOCK"
local function marks(args)
	local marker = args.marker or "# {mark} MANAGED BLOCK"
	if not marker:find("{mark}", 1, true) then
		marker = marker .. " {mark}"
	end
	return args.marker_begin or (marker:gsub("{mark}", "BEGIN")), args.marker_end or (marker:gsub("{mark}", "END")), marker
end

function file_ops.blockinfile(...)
	local args, fn = acting("blockinfile", block_names, block_kinds, aliases, ...)
	one_of(fn, args, "state", "present", "absent")
	local first, last, marker = marks(args)
	if args.state ~= "absent" and not args.content then
		core.fail(fn .. ": 'content' is missing")
	elseif first == last or (first .. last):find("\n", 1, true) then
		core.fail(fn .. ": the marks must be two different lines")
	end
	for line in ((args.content or "") .. "\n"):gmatch("(.-)\n") do
		if line == first or line == last then
			core.fail(fn .. ": 'content' has the mark '" .. line .. "' in it")
		end
	end
	local part = not args.marker_begin and not args.marker_end and part_of("block", args, marker, { content = args.content, marker = marker }) or nil
	if part and (args.content or "") == "" then
		part.properties.ensure = "absent" -- no lines, no block
	end
	if is_absent(args) then
		return recorded.edited(args.path, part, nil, function() return good(false, args.path .. " is not there", { path = args.path }) end)
	end
	local done = declared(fn, args, part)
	if done then
		return table.unpack(done, 1, 3)
	end
	return edited(fn, args, part, function(old) return edit.block(fn, old, args, first, last) end)
end

local replace_names, replace_kinds = writing({ "path", "pattern", "replacement", "after", "before" },
	{ path = "string", pattern = "string", replacement = "string?", after = "string?", before = "string?" })

function file_ops.replace(...)
	local args, fn = acting("replace", replace_names, replace_kinds, replace_aliases, ...)
	args.replacement = args.replacement or ""
	args.create = false
	args.keeps = true
	return edited(fn, args, nil, function(old) return edit.replace(fn, old, args) end)
end

function file_ops.unarchive(...)
	local args, fn = acting("unarchive", { "src", "dest", "creates", "strip", "exclude", "owner", "group" },
		{ src = "string", dest = "string", creates = "string?", strip = "number?", exclude = "table?", owner = "any?", group = "any?" }, aliases, ...)
	local src, dest = core.path(args.src), core.path(args.dest)
	if args.creates and core.stat(core.path(args.creates), true) then
		return good(false, args.creates .. " is there already", { src = src, dest = dest })
	end
	local st, text = core.stat(src)
	if not st then
		return bad(text)
	end
	local ok
	ok, text = pcall(core.make_directories, dest)
	if not ok then
		return bad(text)
	end
	return core.library("unarchive").run(fn, src, dest, args)
end

return file_ops
