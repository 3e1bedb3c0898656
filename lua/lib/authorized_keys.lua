-- SPDX-License-Identifier: MIT
-- Lines of sshd's authorized_keys: "options type base64 comment". No file is touched here.
local core = ...
local keys = {}

local function is_type(word)
	return word:find("^ssh%-[%w@.-]+$") or word:find("^ecdsa%-[%w@.-]+$") or word:find("^sk%-[%w@.-]+$")
end

-- Where the word ends that begins at `at`: blanks between quotes belong to it.
local function word_end(line, at)
	local quoted = false
	for i = at, #line do
		local c = line:sub(i, i)
		if c == '"' and line:sub(i - 1, i - 1) ~= "\\" then
			quoted = not quoted
		elseif not quoted and c:find("%s") then
			return i - 1
		end
	end
	return not quoted and #line or nil
end

-- "a,b="c,d"" as a list; nil: its quotes don't match.
function keys.options(text)
	local list, from, quoted = {}, 1, false
	for i = 1, #text + 1 do
		local c = text:sub(i, i)
		if c == '"' and text:sub(i - 1, i - 1) ~= "\\" then
			quoted = not quoted
		elseif not quoted and (c == "," or c == "") then
			list[#list + 1] = i > from and text:sub(from, i - 1) or nil
			from = i + 1
		end
	end
	return not quoted and list or nil
end

-- { options, type, blob, comment }; nil: it is no key (a comment, or nonsense).
function keys.parse(line)
	line = line:match("^%s*(.-)%s*$")
	local last = line ~= "" and line:sub(1, 1) ~= "#" and word_end(line, 1)
	if not last then
		return nil
	end
	local first, options = line:sub(1, last), {}
	if not is_type(first) then
		options, line = keys.options(first), line:sub(last + 1):match("^%s*(.*)$")
		first = line:match("^%S+")
	end
	local blob, comment = line:match("^%S+%s+(%S+)%s*(.*)$")
	if not options or not first or not is_type(first) or not blob then
		return nil
	end
	return { options = core.mark_list(options), type = first, blob = blob, comment = comment }
end

-- What is wrong with a key as it is given ("ssh-ed25519 AAAA… comment"), or nil.
function keys.wrong(text)
	local key = keys.parse(text)
	if not key or key.options[1] then
		return "'key' is a line like \"ssh-ed25519 AAAA… comment\", as in a file .pub" .. (key and " (what it may is for 'options')" or "")
	end
	local ok, name = pcall(function() return (string.unpack(">s4", core.base64_decode(key.blob))) end)
	if not ok or name ~= key.type then
		return "'key' is damaged: what follows '" .. key.type .. "' is no key of this type"
	end
end

-- What is wrong with one option, or nil.
function keys.wrong_option(option)
	local list = not option:find("[\n\r%z]") and option:find("^%a") and keys.options(option)
	if not list or #list ~= 1 or word_end(option, 1) ~= #option then
		return "'" .. option .. "' is no option of a key ('no-pty', 'from=\"10.0.0.0/8\"')"
	end
end

function keys.line(key)
	local options = table.concat(key.options or {}, ",")
	return (options ~= "" and options .. " " or "") .. key.type .. " " .. key.blob .. ((key.comment or "") ~= "" and " " .. key.comment or "")
end

local function lines_of(text)
	local lines = {}
	for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
		lines[#lines + 1] = line
	end
	return text == "" and {} or lines
end

function keys.all(text)
	local list = {}
	for _, line in ipairs(lines_of(text)) do
		list[#list + 1] = keys.parse(line)
	end
	return list
end

-- All lines with this key.
function keys.found(text, key)
	local list = {}
	for _, one in ipairs(keys.all(text)) do
		list[#list + 1] = one.type == key.type and one.blob == key.blob and one or nil
	end
	return list
end

-- The text with `make(the first line of the key, or nil)` in the place of all of its lines; nil: without them.
function keys.with(text, key, make)
	local kept, at, first = {}, nil, nil
	for _, line in ipairs(lines_of(text)) do
		local one = keys.parse(line)
		if one and one.type == key.type and one.blob == key.blob then
			at, first = at or #kept + 1, first or one
		else
			kept[#kept + 1] = line
		end
	end
	local new = make(first)
	if new then
		table.insert(kept, at or #kept + 1, keys.line(new))
	end
	return kept[1] and table.concat(kept, "\n") .. "\n" or ""
end

return keys
