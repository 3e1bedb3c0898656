-- SPDX-License-Identifier: MIT
-- Puts content into a file as file_ops promises: only when it differs, at once, checked before by a command, with a copy of what was
-- there, and with mode and owner as wanted.
local core = ...
local result = core.library("result")
local put = {}

local LARGE = 16 << 20

-- The arguments that all of these functions have.
put.kinds = {
	mode = "any?", owner = "any?", group = "any?", backup = "boolean?", validate = "string?", follow = "boolean?",
}

-- "0644". A number is taken where it can't mean two things: Lua reads 0644 as six hundred and forty-four.
function put.mode(fn, mode)
	if mode == nil then
		return nil
	end
	local digits = tostring(mode)
	if type(mode) == "string" and mode:find("^0?o?[0-7]+$") then
		local value = tonumber(mode:match("[0-7]+$"), 8)
		if value <= 4095 then
			return value
		end
	elseif math.type(mode) == "integer" and digits:find("^[0-7][0-7][0-7][0-7]?$") then
		core.fail(fn .. ": mode = " .. digits .. ' can be read in two ways, and Lua has no octal numbers: write it as a text, "0' .. digits .. '"')
	elseif math.type(mode) == "integer" and mode >= 0 and mode <= 4095 then
		return mode
	end
	core.fail(fn .. ": '" .. digits .. '\' is not a mode ("0644")')
end

-- Mode, uid, gid as wanted; or nil and a message.
local function wanted(fn, args)
	local uid, gid = core.owner(args.owner, args.group)
	if not uid then
		return nil, gid
	end
	return { mode = put.mode(fn, args.mode), uid = uid, gid = gid }
end

-- Whether something of it was changed; or nil and a message.
local function set_attributes(path, want)
	local now, text = core.stat(path, true)
	if not now then
		return nil, text
	end
	local changed = false
	if (want.uid >= 0 and want.uid ~= now.uid) or (want.gid >= 0 and want.gid ~= now.gid) then
		local ok, err = core.chown(path, want.uid, want.gid)
		if not ok then
			return nil, err
		end
		changed = true
	end
	-- After the owner: chown(2) takes away set-user-id.
	local different = want.mode and want.mode ~= tonumber(now.mode, 8)
	if want.mode and (changed or different) then
		local ok, err = core.chmod(path, want.mode)
		if not ok then
			return nil, err
		end
	end
	return changed or different or false
end

-- The path itself, or with follow = true what it points to.
function put.target(args, path)
	path = core.path(path)
	local target = args.follow and core.readlink(path)
	if not target then
		return path
	end
	return core.real_path(path) or (target:sub(1, 1) == "/" and target or path:match("^.*/") .. target)
end

-- Success, after mode and owner.
function put.conclude(fn, path, args, changed, done, more)
	local want, text = wanted(fn, args)
	local other
	if want then
		other, text = set_attributes(path, want)
	end
	if other == nil then
		return result.bad(text)
	end
	changed = changed or other
	more = more or {}
	more.path = path
	return result.good(changed, changed and done or path .. " is as wanted", more)
end

function put.make_parent(path)
	local ok, text = pcall(core.make_directories, path:match("^(.*)/[^/]*$"):gsub("^$", "/"), nil)
	if not ok then
		return nil, text
	end
	return true
end

local function quoted(word)
	return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The new file, before it takes the old one's put. true, or nil and a message.
local function validate(fn, args, spare)
	if not args.validate then
		return true
	elseif not args.validate:find("%s", 1, true) then
		core.fail(fn .. ": 'validate' needs %s where the file's name goes: \"nginx -t -c %s\"")
	end
	local command = args.validate:gsub("%%s", function() return quoted(spare) end)
	local res = core.exec({ command = command, quiet = true, capture = true })
	if res.exit_code == 0 then
		return true
	end
	local said = ((res.stderr or "") .. (res.stdout or "")):gsub(spare:gsub("%W", "%%%0"), "(the new file)"):gsub("%s+$", "")
	return nil, "validate refuses it (exit status " .. tostring(res.exit_code) .. ")" .. (said ~= "" and ": " .. said or "")
end

-- A copy of the old file beside it. Its path; nil: there is nothing to keep; false and a message.
local function keep_old(path, args)
	if not args.backup or not core.exists(path) then
		return nil
	end
	local base = path .. "." .. os.date("!%Y-%m-%dT%H%M%SZ")
	local name, n = base .. "~", 1
	while core.stat(name, true) do
		name, n = base .. "." .. n .. "~", n + 1
	end
	local ok, text = core.copy_file(path, name)
	if not ok then
		return false, text
	end
	return name
end

local function by(...)
	local res = core.exec({ arguments = { ... }, quiet = true, capture = true })
	if res.exit_code ~= 0 then
		return nil, ((res.stderr or ""):gsub("%s+$", ""))
	end
	return true
end

-- What `new` says (content or source), under a name of its own: name, whether it must be written into the old one.
local function stage(path, new, want)
	local large = new.source and (core.stat(new.source) or { size = 0 }).size > LARGE
	local spare, in_place = core.stage(path, large and "" or new.content, not large and new.source or nil, want.mode, want.uid, want.gid)
	if not spare or not large then
		return spare, in_place
	end
	-- By commands: the others of the run go on meanwhile.
	local ok, text = by("cp", "--reflink=auto", "--", new.source, spare)
	if ok then
		ok, text = by("sync", "--", spare)
	end
	if not ok then
		core.remove_some(spare)
		return nil, text
	end
	return spare, in_place
end

local staged_meta = { __close = function(self)
	if self.path then
		core.remove_some(self.path)
	end
end }

-- However it ends, also by a cancel while a command checks it.
local function removed_at_end(spare)
	return setmetatable({ path = spare }, staged_meta)
end

local AGAIN = {}

-- args.keeps: what the file was is kept before it is changed; else whoever calls this sees to that.
local function commit(fn, path, args, new, spare, in_place)
	local function act() return core.commit(spare, path, in_place) end
	if not args.keeps then
		return act()
	end
	local content = core.library("content")
	local mode = put.mode(fn, args.mode)
	local desired = { path = path, content = new.content and content.digest_of(new.content) or content.read(spare), mode = mode and ("%04o"):format(mode) }
	return core.library("images").around("file", desired, act)
end

-- true and the backup's path; AGAIN; or nil and a message.
local function write(fn, path, args, new, version)
	local want, text = wanted(fn, args)
	if not want then
		return nil, text
	end
	local spare, in_place = stage(path, new, want)
	if not spare then
		return nil, in_place
	end
	local staged <close> = removed_at_end(spare)
	local ok
	ok, text = validate(fn, args, spare)
	if not ok then
		return nil, path .. ": " .. text
	elseif core.version(path) ~= version then
		return AGAIN
	end
	local old
	old, text = keep_old(path, args)
	if old == false then
		return nil, text
	end
	ok, text = commit(fn, path, args, new, spare, in_place)
	if not ok then
		return nil, text
	end
	staged.path = nil
	return true, old
end

-- `edit(old content, or nil)` gives the new content; or nil, a message. What others write meanwhile is not lost: then it is called again.
-- `over_links`: a symbolic link is replaced. args.most: bytes of a file that another user may replace by a link at any time.
function put.edit(fn, path, args, edit, over_links)
	local text
	local st = core.stat(path, true)
	local link = st and st.type == "link"
	if link and not over_links then
		return result.bad(path .. " is a symbolic link to " .. (core.readlink(path) or "?") .. " (follow = true changes what it points to)")
	end
	for _ = 1, 5 do
		local version = core.version(path)
		local old, new, more, done
		if version and not link then
			if args.most then
				old, text = core.read_file(path, args.most)
			else
				old, text = core.read(path)
			end
			if not old then
				return result.bad(text)
			end
		end
		new, more = edit(old)
		if not new then
			return result.bad(more)
		elseif new == old then
			return put.conclude(fn, path, args, false, nil, more)
		end
		done, text = write(fn, path, args, { content = new }, version)
		if done == nil then
			return result.bad(text)
		elseif done ~= AGAIN then
			more = more or {}
			more.backup_file = text
			more.size = #new
			return put.conclude(fn, path, args, true, path .. " written", more)
		end
	end
	return result.bad(path .. " is changed by somebody else all the time")
end

-- For providers: new = { bytes } or { source }; args = { mode, owner, group, validate }, the first three numbers or (owner, group) names.
-- true, or nil and a message.
function put.place(path, new, args)
	local uid, gid = core.owner(args.owner, args.group)
	if not uid then
		return nil, gid
	end
	local spare, in_place = stage(path, { content = new.bytes, source = new.source }, { mode = args.mode, uid = uid, gid = gid })
	if not spare then
		return nil, in_place
	end
	local staged <close> = removed_at_end(spare)
	local ok, text = validate("validate", args, spare)
	if not ok then
		return nil, text
	end
	ok, text = core.commit(spare, path, in_place)
	staged.path = not ok and spare or nil
	return ok, text
end

local function same(a, b)
	local x, y = core.stat(a), core.stat(b, true)
	if not x or not y or y.type ~= "file" or x.size ~= y.size then
		return false
	elseif x.size > LARGE then
		return core.exec({ arguments = { "cmp", "-s", "--", a, b }, quiet = true, capture = true }).exit_code == 0
	end
	return core.files_equal(a, b)
end

-- The content of another file.
function put.copy(fn, source, path, args)
	local st, text = core.stat(source)
	if not st then
		return result.bad(text)
	elseif st.type ~= "file" then
		return result.bad(source .. " is no file, but a " .. st.type)
	end
	local more = { src = source, dest = path, size = st.size }
	if same(source, path) then
		return put.conclude(fn, path, args, false, nil, more)
	end
	local version = core.version(path)
	local done, old = write(fn, path, args, { source = source }, version)
	if done == AGAIN then
		return result.bad(path .. " was changed by somebody else meanwhile")
	elseif not done then
		return result.bad(old)
	end
	more.backup_file = old
	return put.conclude(fn, path, args, true, path .. " written", more)
end

return put
