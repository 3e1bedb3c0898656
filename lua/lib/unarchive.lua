-- SPDX-License-Identifier: MIT
-- Archives, by tar(1) and unzip(1). Their names are looked at before anything is extracted: nothing leaves the folder.
local core = ...
local result = core.library("result")
local unarchive = {}

local formats = {
	{ ".tar", "tar" }, { ".tar.gz", "tar" }, { ".tgz", "tar" }, { ".tar.bz2", "tar" }, { ".tbz2", "tar" }, { ".tbz", "tar" }, { ".tar.xz", "tar" }, { ".txz", "tar" },
	{ ".tar.zst", "tar" }, { ".tzst", "tar" }, { ".tar.lz", "tar" }, { ".zip", "zip" }, { ".jar", "zip" }, { ".war", "zip" },
}

local function run(...)
	return core.exec({ arguments = { ... }, env = { "LC_ALL=C.UTF-8" }, quiet = true, capture = true })
end

-- What a failed command said, in a line or two.
local function said(res)
	local text = ((res.stderr or "") .. (res.stdout or "")):gsub("%s+$", "")
	local first = text:match("^[^\n]*\n?[^\n]*")
	return first ~= "" and first or "exit status " .. tostring(res.exit_code)
end

local tools = {
	tar = { package = "tar", list = function(src) return run("tar", "--list", "--absolute-names", "--quoting-style=literal", "--file", src) end },
	zip = { package = "unzip", list = function(src) return run("unzip", "-Z1", "--", src) end },
}

local function format_of(src)
	local name = src:lower()
	for _, row in ipairs(formats) do
		if name:sub(-#row[1]) == row[1] then
			return row[2]
		end
	end
end

-- The names; or nil and a message: it can't be read, or wants out of its folder.
local function names_of(kind, src)
	local tool = tools[kind]
	local res = tool.list(src)
	local names = {}
	if res.exit_code == 127 then
		return nil, tool.package .. " is not installed (package " .. tool.package .. ")"
	elseif res.exit_code ~= 0 and not (kind == "zip" and res.stdout == "" and res.stderr:find("zipfile is empty", 1, true)) then
		return nil, src .. ": " .. said(res)
	elseif res.truncated then
		return nil, src .. " has more names than fit into 16 MiB"
	end
	for name in res.stdout:gmatch("[^\n]+") do
		if name:sub(1, 1) == "/" or ("/" .. name .. "/"):find("/../", 1, true) then
			return nil, src .. " is refused: its entry '" .. name .. "' would be written outside of the folder"
		end
		names[#names + 1] = name
	end
	return names
end

-- Lines of `tar --diff` that mean a difference: owners are not ours to set, or wanted otherwise.
local function differs(line, args)
	if line == "" or line:find("Removing leading", 1, true) then
		return false
	elseif line:find("Uid differs", 1, true) or line:find("Gid differs", 1, true) then
		return core.owner_is_root() and not args.owner and not args.group
	elseif line:find("Mode differs", 1, true) then
		return not args.mode
	end
	return true
end

local function tar_options(args)
	local options = {}
	if args.strip and args.strip > 0 then
		options[1] = "--strip-components=" .. math.tointeger(args.strip)
	end
	for _, pattern in ipairs(args.exclude or {}) do
		options[#options + 1] = "--exclude=" .. tostring(pattern)
	end
	return options
end

local function tar(action, src, dest, args)
	local options = tar_options(args)
	return run("tar", action, "--file", src, "--directory", dest, table.unpack(options))
end

local extract = {}

-- Whether something was there in another way; or nil and a message.
function extract.tar(src, dest, args)
	-- tar compares with stripped names only when it extracts.
	if not (args.strip and args.strip > 0) then
		local res = tar("--diff", src, dest, args)
		local changes = res.exit_code > 1
		for line in (res.stdout .. res.stderr):gmatch("[^\n]+") do
			changes = changes or differs(line, args)
		end
		if not changes then
			return false
		end
	end
	local res = tar("--extract", src, dest, args)
	if res.exit_code ~= 0 then
		return nil, src .. ": " .. said(res)
	end
	return true
end

local function unzip(src, dest, args)
	local words = { "unzip", "-o", "-q", src }
	if args.exclude and #args.exclude > 0 then
		words[#words + 1] = "-x"
		table.move(args.exclude, 1, #args.exclude, #words + 1, words)
	end
	words[#words + 1] = "-d"
	words[#words + 1] = dest
	return run(table.unpack(words))
end

-- Whether all that was extracted is there already. unzip can't compare: a copy in a folder of our own is looked at.
local function is_there(spare, dest)
	local res = run("diff", "--recursive", "--brief", "--no-dereference", "--", spare, dest)
	for line in res.stdout:gmatch("[^\n]+") do
		if line:sub(1, 8 + #dest) ~= "Only in " .. dest or line:sub(1, 8 + #spare) == "Only in " .. spare then
			return false
		end
	end
	return res.exit_code <= 1
end

function extract.zip(src, dest, args)
	if args.strip and args.strip > 0 then
		core.fail("file_ops.unarchive: 'strip' is for tar archives: a zip archive is extracted whole")
	end
	local spare = dest .. "/.sloth-unarchive"
	core.remove_tree(spare)
	core.make_directories(spare)
	local guard <close> = setmetatable({}, { __close = function() core.remove_tree(spare) end })
	local res = unzip(src, spare, args)
	if res.exit_code > 1 then
		return nil, src .. ": " .. said(res)
	elseif is_there(spare, dest) then
		return false
	end
	res = unzip(src, dest, args)
	if res.exit_code > 1 then
		return nil, src .. ": " .. said(res)
	end
	return true
end

-- What of the names is there: without the folders that were stripped, and what was left out.
local function extracted(names, dest, args)
	local there = {}
	for _, name in ipairs(names) do
		for _ = 1, args.strip or 0 do
			name = name and name:match("^[^/]*/+(.+)$")
		end
		if name and core.stat(dest .. "/" .. name, true) then
			there[#there + 1] = name
		end
	end
	return there
end

-- The owner of all that came from it.
local function set_owner(names, dest, args)
	names = (args.owner or args.group) and extracted(names, dest, args) or {}
	if #names == 0 then
		return true
	end
	local who = (args.owner and tostring(args.owner) or "") .. (args.group and ":" .. tostring(args.group) or "")
	local res = core.exec({ command = "xargs -0 chown --no-dereference -- " .. "'" .. who:gsub("'", "'\\''") .. "'", workdir = dest,
		stdin = "./" .. table.concat(names, "\0./") .. "\0", quiet = true, capture = true })
	if res.exit_code ~= 0 then
		return nil, said(res)
	end
	return true
end

function unarchive.run(src, dest, args)
	local kind = format_of(src)
	if not kind then
		return result.bad(src .. ": its name says no format that is known (.tar, .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.zst, .zip)")
	end
	local names, text = names_of(kind, src)
	if not names then
		return result.bad(text)
	end
	local changed
	changed, text = extract[kind](src, dest, args)
	if changed == nil then
		return result.bad(text)
	end
	if changed then
		local ok
		ok, text = set_owner(names, dest, args)
		if not ok then
			return result.bad(text)
		end
	end
	return result.good(changed, changed and src .. " extracted to " .. dest or dest .. " has all of " .. src, { src = src, dest = dest, files = #names })
end

return unarchive
