-- SPDX-License-Identifier: MIT
-- file_ops: files as they shall be. Each checks first and changes only what differs. Success: the result three times, a
-- table { changed, success, message } that reads as its message; failure: false, message, result.
local core = ...
local arguments = core.library("arguments")
local file_ops = {}

local meta = { __name = "result", __metatable = false, __value = "message" }
meta.__index = function(self, key)
	local method = string[key]
	return method and function(first, ...)
		return method(first == self and rawget(self, "message") or first, ...)
	end
end
meta.__tostring = function(self) return rawget(self, "message") end
meta.__concat = function(a, b) return tostring(a) .. tostring(b) end

local function good(changed, message)
	local res = setmetatable({ changed = changed, success = true, message = message }, meta)
	return res, res, res
end

local function bad(message)
	return false, message, setmetatable({ changed = false, success = false, message = message }, meta)
end

-- What was given to a function that acts: see arguments.lua.
local function read(fn, ...)
	local args = arguments.read("file_ops." .. fn, ...)
	core.acts("file_ops." .. fn)
	return args
end

-- "0644", 644 written as in chmod(1), or 0x1a4 = 420 as a number of Lua: a string is octal, a number is the mode itself.
local function mode_of(fn, mode)
	if mode == nil then
		return nil
	end
	local value = type(mode) == "string" and mode:find("^[0-7]+$") and tonumber(mode, 8) or math.type(mode) == "integer" and mode
	if not value or value < 0 or value > 4095 then
		core.fail("file_ops." .. fn .. ": '" .. tostring(mode) .. '\' is not a mode ("0644")')
	end
	return value
end

-- Mode and owner as wanted. Whether something changed, or nil and a message.
local function set_attributes(fn, path, args)
	local mode = mode_of(fn, args.mode)
	local now, text = fs.stat(path)
	local changed = false
	if not now then
		return nil, text
	end
	if args.owner ~= nil or args.group ~= nil then
		local uid, gid = core.owner(args.owner, args.group)
		if not uid then
			return nil, gid
		end
		if (uid >= 0 and uid ~= now.uid) or (gid >= 0 and gid ~= now.gid) then
			local ok, err = core.chown(path, uid, gid)
			if not ok then
				return nil, err
			end
			changed = true
		end
	end
	-- After the owner: chown(2) takes away set-user-id.
	if mode and (changed or mode ~= tonumber(now.mode, 8)) then
		local ok, err = core.chmod(path, mode)
		if not ok then
			return nil, err
		end
		changed = changed or mode ~= tonumber(now.mode, 8)
	end
	return changed
end

local function conclude(fn, path, args, changed, done, unchanged)
	local more, text = set_attributes(fn, path, args)
	if more == nil then
		return bad(text)
	end
	changed = changed or more
	return good(changed, changed and done or unchanged)
end

-- A copy of the old content beside it, when asked for.
local function keep_old(path, backup)
	if backup and core.exists(path) then
		return fs.copy(path, path .. ".bak")
	end
	return true
end

-- Puts `content` there when it is not there already.
local function put(fn, path, content, args)
	local old = core.exists(path) and fs.read(path) or nil
	if old ~= content then
		local ok, text = keep_old(path, args.backup)
		if ok then
			ok, text = core.replace(path, content)
		end
		if not ok then
			return bad(text)
		end
	end
	return conclude(fn, path, args, old ~= content, path .. " written", path .. " is as wanted")
end

local attributes = { mode = "any?", owner = "any?", group = "any?" }
local function with_attributes(kinds)
	for name, kind in pairs(attributes) do
		kinds[name] = kind
	end
	return kinds
end

local copy_names = { "src", "dest", "mode", "owner", "group", "backup", "content" }
local copy_kinds = with_attributes({ src = "string?", dest = "string", backup = "boolean?", content = "string?" })

-- copy(src, dest) or copy{ content = …, dest = … }
function file_ops.copy(...)
	local args = read("copy", copy_names, copy_kinds, ...)
	local dest = core.path(args.dest)
	if (args.src == nil) == (args.content == nil) then
		core.fail("file_ops.copy: either 'src' or 'content' is needed")
	end
	local into = fs.stat(dest)
	if args.content then
		return put("copy", dest, args.content, args)
	end
	local src = core.path(args.src)
	if into and into.type == "directory" then
		dest = dest .. "/" .. fs.basename(src)
	end
	local content, text = fs.read(src)
	if not content then
		return bad(text)
	end
	if not core.exists(dest) and args.mode == nil then
		args.mode = tonumber(fs.stat(src).mode, 8) & 511
	end
	return put("copy", dest, content, args)
end

function file_ops.stat(...)
	local names = { "path" }
	local args = { ... }
	if type(args[1]) == "table" then
		args = { args[1].path }
	end
	if type(args[1]) ~= "string" then
		core.fail("file_ops.stat: '" .. names[1] .. "' must be a string")
	end
	local st = fs.stat(args[1])
	if not st then
		return { exists = false }
	end
	st.exists = true
	return st
end

function file_ops.directory(...)
	local args = read("directory", { "path", "mode", "owner", "group" }, with_attributes({ path = "string" }), ...)
	local path = core.path(args.path)
	local st = fs.stat(path)
	if st and st.type ~= "directory" and st.type ~= "link" then
		return bad(path .. " exists, and is no directory")
	end
	if not st then
		local ok, text = fs.mkdir(path)
		if not ok then
			return bad(text)
		end
	end
	return conclude("directory", path, args, not st, path .. " made", path .. " is as wanted")
end

function file_ops.symlink(...)
	local args = read("symlink", { "src", "dest", "force" }, { src = "string", dest = "string", force = "boolean?" }, ...)
	local dest = core.path(args.dest)
	local st = fs.stat(dest)
	if st and st.type == "link" and core.readlink(dest) == args.src then
		return good(false, dest .. " is as wanted")
	end
	if st then
		if st.type ~= "link" and not args.force then
			return bad(dest .. " exists, and is no symbolic link (force = true replaces it)")
		end
		local ok, text = fs.rm(dest)
		if not ok then
			return bad(text)
		end
	end
	local ok, text = core.symlink(args.src, dest)
	if not ok then
		return bad(text)
	end
	return good(true, dest .. " → " .. args.src)
end

function file_ops.remove(...)
	local args = read("remove", { "path", "recursive" }, { path = "string", recursive = "boolean?" }, ...)
	local path = core.path(args.path)
	if not fs.stat(path) then
		return good(false, path .. " is not there")
	end
	local ok, text
	if args.recursive then
		ok, text = fs.rm_r(path)
	else
		ok, text = fs.rm(path)
	end
	if not ok then
		return bad(text)
	end
	return good(true, path .. " removed")
end

function file_ops.chmod(...)
	local args = read("chmod", { "path", "mode" }, { path = "string", mode = "any" }, ...)
	local path = core.path(args.path)
	return conclude("chmod", path, args, false, path .. ": mode set", path .. " is as wanted")
end

function file_ops.chown(...)
	local args = read("chown", { "path", "owner", "group" }, { path = "string", owner = "any?", group = "any?" }, ...)
	local path = core.path(args.path)
	return conclude("chown", path, args, false, path .. ": owner set", path .. " is as wanted")
end

-- Lines of a text; whether the last one was ended.
local function lines_of(text)
	local lines = {}
	for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
		lines[#lines + 1] = line
	end
	if text == "" then
		lines = {}
	end
	return lines
end

local line_names = { "path", "line", "regexp", "state", "insert_after", "create", "backup", "mode", "owner", "group" }
local line_kinds = with_attributes({
	path = "string", line = "string?", regexp = "string?", state = "string?", insert_after = "string?", create = "boolean?", backup = "boolean?",
})

-- lineinfile{ path, line [, regexp (a Lua pattern)] [, state = "absent"] }
function file_ops.lineinfile(...)
	local args = read("lineinfile", line_names, line_kinds, ...)
	local path = core.path(args.path)
	local absent = args.state == "absent"
	if args.state and args.state ~= "absent" and args.state ~= "present" then
		core.fail("file_ops.lineinfile: 'state' must be 'present' or 'absent'")
	elseif not args.line and not (absent and args.regexp) then
		core.fail("file_ops.lineinfile: 'line' is missing")
	end
	local text, problem = fs.read(path)
	if not text then
		if absent and not core.exists(path) then
			return good(false, path .. " is not there")
		elseif core.exists(path) or args.create == false then
			return bad(problem)
		end
		text = ""
	end
	local result, found, after = {}, false, nil
	for _, line in ipairs(lines_of(text)) do
		local hit = args.regexp and line:find(args.regexp) ~= nil or line == args.line
		if hit and absent then
			found = true
		elseif hit then
			-- The first becomes the line; further ones stay as they are.
			result[#result + 1] = found and line or args.line
			found = true
		else
			result[#result + 1] = line
		end
		if args.insert_after and line:find(args.insert_after) then
			after = #result
		end
	end
	if not absent and not found then
		table.insert(result, (after or #result) + 1, args.line)
	end
	local new = #result == 0 and "" or table.concat(result, "\n") .. "\n"
	return put("lineinfile", path, new, args)
end

local block_names = { "path", "content", "marker", "state", "backup", "mode", "owner", "group" }
local block_kinds = with_attributes({ path = "string", content = "string?", marker = "string?", state = "string?", backup = "boolean?" })

-- blockinfile{ path, content [, marker] }: between two comment lines.
function file_ops.blockinfile(...)
	local args = read("blockinfile", block_names, block_kinds, ...)
	local path = core.path(args.path)
	local marker = args.marker or "# sloth"
	local first, last = marker .. " BEGIN", marker .. " END"
	local absent = args.state == "absent"
	if not absent and not args.content then
		core.fail("file_ops.blockinfile: 'content' is missing")
	end
	local text, problem = fs.read(path)
	if not text and core.exists(path) then
		return bad(problem)
	end
	local result, inside, placed = {}, false, false
	local function place()
		if absent or placed then
			return
		end
		placed = true
		result[#result + 1] = first
		for _, line in ipairs(lines_of(args.content)) do
			result[#result + 1] = line
		end
		result[#result + 1] = last
	end
	for _, line in ipairs(lines_of(text or "")) do
		if line == first then
			inside = true
			place()
		elseif line == last and inside then
			inside = false
		elseif not inside then
			result[#result + 1] = line
		end
	end
	if inside then
		return bad(path .. ": the line '" .. first .. "' has no '" .. last .. "'")
	end
	place()
	return put("blockinfile", path, #result == 0 and "" or table.concat(result, "\n") .. "\n", args)
end

-- replace{ path, pattern (of Lua), replacement }
function file_ops.replace(...)
	local args = read("replace", { "path", "pattern", "replacement", "backup" },
		{ path = "string", pattern = "string", replacement = "string", backup = "boolean?" }, ...)
	local path = core.path(args.path)
	local text, problem = fs.read(path)
	if not text then
		return bad(problem)
	end
	return put("replace", path, (text:gsub(args.pattern, args.replacement)), args)
end

return file_ops
