-- SPDX-License-Identifier: MIT
-- Archives, by tar(1) and unzip(1). They are unpacked into a folder of our own; what came of it is looked at there, and then put into its
-- place thing by thing: nothing leaves the destination, whatever names and links an archive has.
local core = ...
local content = core.library("content")
local on_disk = core.library("on_disk")
local tool = core.library("tool")
local archive = {}

local LIST_MAX = 256 << 10 -- bytes of the list of what an archive brought, which is kept with the stack
archive.SPARE = ".sloth-archive"

local formats = {
	{ ".tar", "tar" }, { ".tar.gz", "tar" }, { ".tgz", "tar" }, { ".tar.bz2", "tar" }, { ".tbz2", "tar" }, { ".tbz", "tar" }, { ".tar.xz", "tar" }, { ".txz", "tar" },
	{ ".tar.zst", "tar" }, { ".tzst", "tar" }, { ".tar.lz", "tar" }, { ".zip", "zip" }, { ".jar", "zip" }, { ".war", "zip" },
}

local function format_of(source)
	local name = source:lower()
	for _, row in ipairs(formats) do
		if name:sub(-#row[1]) == row[1] then
			return row[2]
		end
	end
	return nil, "its name says no format that is known (.tar, .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.zst, .zip)"
end

local UTF8 = { env = { "LC_ALL=C.UTF-8" } }

local function run(words)
	local raw, message, failed = tool.run(words, UTF8)
	if not raw and failed == nil then
		return nil, message .. " (package " .. (words[1] == "tar" and "tar" or "unzip") .. ")"
	end
	return raw, message, failed
end

local lists, unpackers = {}, {}

function lists.tar(source)
	return run({ "tar", "--list", "--absolute-names", "--quoting-style=literal", "--file", source })
end

-- unzip takes the last part of its archive's name for a pattern.
local function zip_name(source)
	local folder, name = source:match("^(.*/)([^/]*)$")
	return (folder or "") .. (name or source):gsub("[%[%*%?]", "[%0]")
end

function lists.zip(source)
	local raw, message, failed = run({ "unzip", "-Z1", "--", zip_name(source) })
	if not raw and failed and failed.stdout == "" and failed.stderr:find("zipfile is empty", 1, true) then
		return failed
	end
	return raw, message
end

-- Whose it is and what others may is not the archive's to say.
function unpackers.tar(source, folder, exclude, strip)
	local words = { "tar", "--extract", "--no-same-owner", "--no-same-permissions", "--file", source, "--directory", folder }
	if strip then
		words[#words + 1] = "--strip-components=" .. strip -- where a name begins with "./", that is the first folder
	end
	for _, pattern in ipairs(exclude or {}) do
		words[#words + 1] = "--exclude=" .. pattern
	end
	return run(words)
end

function unpackers.zip(source, folder, exclude, _, largest)
	-- What it says of its sizes need not be true: no file becomes larger than the largest by that (of blocks of 512 bytes).
	local words = { "sh", "-c", 'ulimit -f "$1" && shift && exec "$@"', "sh", tostring(largest // 512 + 1), tool.path("unzip") or "unzip", "-o", "-q",
		zip_name(source) }
	if exclude and exclude[1] then
		words[#words + 1] = "-x"
		table.move(exclude, 1, #exclude, #words + 1, words)
	end
	words[#words + 1], words[#words + 2] = "-d", folder
	local raw, message, failed = run(words)
	-- 1: there were warnings.
	return raw or failed and failed.exit_code == 1 and failed or nil, message
end

-- The sizes of its entries, as they say themselves.
local long_lists = {
	tar = { words = { "tar", "--list", "--verbose", "--numeric-owner", "--absolute-names", "--quoting-style=escape", "--file" }, size = "^%S+ %S+ +(%d+) " },
	zip = { words = { "unzip", "-Z", "-s", "--" }, size = "^[%-?a-z][%-?rwxsStT]+ +%S+ +%S+ +(%d+) " },
}

local UNITS = { "bytes", "KiB", "MiB", "GiB", "TiB" }

local function size_text(bytes)
	local unit = 1
	while bytes >= 1024 and UNITS[unit + 1] do
		bytes, unit = bytes / 1024, unit + 1
	end
	return ("%.4g %s"):format(bytes, UNITS[unit])
end

-- The size of the largest entry; or nil and a message: it would become too much.
local function check_sizes(kind, source)
	local row, limits = long_lists[kind], core.run()
	local words = table.move(row.words, 1, #row.words, 1, {})
	words[#words + 1] = kind == "zip" and zip_name(source) or source
	local raw, message, failed = run(words)
	raw = raw or failed and kind == "zip" and failed -- an empty one
	if not raw then
		return nil, message
	end
	local count, sum, largest = 0, 0, 0
	for line in raw.stdout:gmatch("[^\n]+") do
		local size = math.tointeger(tonumber(line:match(row.size))) or 0
		count, sum, largest = count + 1, sum + size, math.max(largest, size)
	end
	if sum > limits.unpacked_size then
		return nil, "it would become " .. size_text(sum) .. ", and at most " .. size_text(limits.unpacked_size) .. " are unpacked (max_unpacked_size in sloth.yaml(5))"
	elseif raw.truncated or count > limits.unpacked_files then
		return nil, "it has more than " .. limits.unpacked_files .. " entries, and no more are unpacked (max_unpacked_files in sloth.yaml(5))"
	end
	return largest
end

-- true; or nil and a message: it can't be read, or wants out of its folder.
local function check_names(kind, source)
	local raw, message = lists[kind](source)
	if not raw then
		return nil, message
	elseif raw.truncated then
		return nil, "it has more names than fit into 16 MiB"
	end
	for name in raw.stdout:gmatch("[^\n]+") do
		if name:sub(1, 1) == "/" or ("/" .. name .. "/"):find("/../", 1, true) then
			return nil, "it is refused: its entry '" .. name .. "' would be written outside of the folder"
		end
	end
	return true
end

-- The name without `strip` folders; nil: nothing is left of it.
local function stripped(name, strip)
	for _ = 1, strip do
		name = name and name:match("^[^/]*/+(.+)$")
	end
	return name
end

-- Whether a link in the folder of `name` leads out of the destination.
local function leaves(name, target)
	if target:sub(1, 1) == "/" then
		return true
	end
	local depth = select(2, name:gsub("/", ""))
	for part in target:gmatch("[^/]+") do
		depth = depth + (part == ".." and -1 or part == "." and 0 or 1)
		if depth < 0 then
			return true
		end
	end
	return false
end

-- What is said of a thing: "directory", "link TARGET", "file SIZE DIGEST" with " x" when it can be run. nil: there is none; or nil and a
-- message.
local function word_of(path, sized)
	local st, message = core.look(path)
	if not st then
		return nil, message
	elseif st.type == "link" then
		return "link " .. st.target, nil, st
	elseif st.type ~= "file" then
		return st.type, nil, st
	end
	local run_by = tonumber(st.mode, 8) & 64 ~= 0 and " x" or ""
	-- One of another size is another one.
	if sized and sized ~= st.size then
		return "file " .. st.size .. " -" .. run_by, nil, st
	end
	local digest
	digest, message = content.read(path)
	return digest and "file " .. digest.size .. " " .. digest.sha256:sub(1, 20) .. run_by, message, st
end

-- What is at `path` now where the archive brought `word`, and its stat.
function archive.now(path, word)
	return word_of(path, math.tointeger(tonumber(word:match("^file (%d+)"))))
end

local function refusal(name, word)
	if not utf8.len(name) or name:find("%c") or not utf8.len(word) then
		return "the name of an entry is no text: " .. name:gsub("[^%w_./-]", "?")
	elseif word ~= "directory" and not word:find("^file ") and not word:find("^link ") then
		return "its entry '" .. name .. "' is a " .. word
	elseif word:find("^link ") and leaves(name, word:sub(6)) then
		return "it is refused: its link '" .. name .. "' leads out of the folder, to " .. word:sub(6)
	end
end

-- All below `folder`: name → what it is, name → where it stands; or nil and a message.
local function walk(folder, strip)
	local words, from, todo, bytes = {}, {}, { "" }, 0
	while todo[1] do
		local at = table.remove(todo)
		for _, one in ipairs(fs.ls(folder .. "/" .. at) or {}) do
			local full = at .. one
			local name = stripped(full, strip)
			local word, message = word_of(folder .. "/" .. full)
			message = message or refusal(name or full, word)
			if message then
				return nil, message
			elseif word == "directory" then
				todo[#todo + 1] = full .. "/"
			end
			if name then
				words[name], from[name], bytes = word, full, bytes + #name + #word + 8
			end
		end
	end
	if bytes > LIST_MAX then
		return nil, "the list of what it brings has " .. bytes .. " bytes, and up to " .. LIST_MAX .. " are kept with a stack: unpack it by exec.run"
	end
	return words, from
end

-- Unpacked into `spare`: what it brings, where that stands; or nil and a message.
local function unpack(source, spare, strip, exclude)
	local kind, message = format_of(source)
	local ok = kind
	if ok then
		ok, message = check_names(kind, source)
	end
	if ok then
		ok, message = check_sizes(kind, source)
	end
	if ok then
		ok, message = unpackers[kind](source, spare, exclude, strip, ok)
	end
	if not ok then
		return nil, source .. ": " .. message:gsub(spare:gsub("%W", "%%%0"), "(its folder)")
	end
	-- unzip can't strip.
	local words, from = walk(spare, kind == "zip" and strip or 0)
	return words, words and from or source .. ": " .. from
end

local spare_meta = { __close = function(self)
	core.remove_tree(self.path)
end }

-- fn(what it brings, where that stands, the folder below which it does); `spare`, which becomes that folder, is gone afterwards.
function archive.with(desired, spare, fn)
	core.remove_tree(spare)
	local guard <close> = setmetatable({ path = spare }, spare_meta)
	local held <close>, message = on_disk.new_folder(spare, 448)
	if not held then
		return nil, message
	end
	local words, from = unpack(core.real_path(desired.source) or desired.source, held.folder, desired.strip, desired.exclude)
	if not words then
		return nil, from
	end
	return fn(words, from, held.folder)
end

-- Its SHA-256; or nil and a message.
function archive.digest(source)
	local st, message = core.stat(source)
	if not st then
		return nil, message
	elseif st.type ~= "file" then
		return nil, source .. " is no file, but a " .. st.type
	end
	local digest
	digest, message = content.read(core.real_path(source) or source)
	return digest and digest.sha256, message
end

-- What it brings, without putting anything anywhere: name → what it is; or nil and a message.
function archive.entries(desired)
	local spare = fs.tmpname()
	core.remove_some(spare)
	return archive.with(desired, spare, function(words) return words end)
end

function archive.names(entries)
	local names = {}
	for name in pairs(entries) do
		names[#names + 1] = name
	end
	table.sort(names)
	return names
end

return archive
