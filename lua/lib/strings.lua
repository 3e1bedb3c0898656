-- SPDX-License-Identifier: MIT
-- strings: text. Plain texts where it does not say that they are regular expressions (see regex.lua).
local core = ...
local arguments = core.library("arguments")
local strings = {}

-- What stands for a text: numbers, the result of a command.
local function is_text(v)
	return type(v) == "string" or type(v) == "number" or (type(v) == "table" and getmetatable(v) == false)
end

-- strings.trim(exec.run("hostname")): the result alone, not the two values behind it.
local function of_command(...)
	local first, _, failed = ...
	if select("#", ...) == 3 and type(first) == "table" and getmetatable(first) == false and type(failed) == "boolean" then
		return first
	end
	return ...
end

local function read(fn, names, optional, ...)
	local kinds = {}
	for _, name in ipairs(names) do
		kinds[name] = "any?"
	end
	local args = arguments.read("strings." .. fn, names, kinds, of_command(...))
	for i, name in ipairs(names) do
		local v = args[name]
		if v == nil and not optional[name] then
			core.fail("strings." .. fn .. ": '" .. name .. "' is missing (its arguments: " .. table.concat(names, ", ") .. ")")
		elseif v ~= nil and optional[name] ~= "number" and optional[name] ~= "list" and not is_text(v) then
			core.fail("strings." .. fn .. ": '" .. name .. "' must be a string, not " .. type(v))
		elseif v ~= nil and optional[name] == "number" and not math.tointeger(v) then
			core.fail("strings." .. fn .. ": '" .. name .. "' must be a whole number, not " .. tostring(v))
		elseif v ~= nil and optional[name] ~= "number" and optional[name] ~= "list" then
			args[name] = tostring(v)
		end
	end
	return args
end

local none = {}

-- trim(text [, characters])
function strings.trim(...)
	local args = read("trim", { "text", "characters" }, { characters = true }, ...)
	local set = args.characters and "[" .. args.characters:gsub("%W", "%%%0") .. "]" or "%s"
	return (args.text:gsub("^" .. set .. "+", ""):gsub(set .. "+$", ""))
end

-- Without a separator: words. An empty one: characters.
function strings.split(...)
	local args = read("split", { "text", "separator" }, { separator = true }, ...)
	local s, separator, parts, from = args.text, args.separator, {}, 1
	if separator == nil then
		for word in s:gmatch("%S+") do
			parts[#parts + 1] = word
		end
		return core.mark_list(parts)
	elseif separator == "" then
		for character in s:gmatch("[\1-\127\192-\255]?[\128-\191]*") do
			parts[#parts + 1] = character ~= "" and character or nil
		end
		return core.mark_list(parts)
	end
	while true do
		local first, last = s:find(separator, from, true)
		if not first then
			parts[#parts + 1] = s:sub(from)
			return core.mark_list(parts)
		end
		parts[#parts + 1] = s:sub(from, first - 1)
		from = last + 1
	end
end

function strings.join(list, separator)
	local parts = {}
	if type(list) ~= "table" then
		core.fail("strings.join: 'list' must be a table, not " .. type(list))
	end
	for i, item in ipairs(list) do
		parts[i] = tostring(item)
	end
	return table.concat(parts, separator or "")
end

-- replace(text, what, by [, count]); a negative count is all.
function strings.replace(...)
	local args = read("replace", { "text", "what", "by", "count" }, { count = "number" }, ...)
	local s, what, by, count = args.text, args.what, args.by, args.count
	local parts, from = {}, 1
	if what == "" then
		return s
	end
	while not count or count ~= 0 do
		local first, last = s:find(what, from, true)
		if not first then
			break
		end
		parts[#parts + 1] = s:sub(from, first - 1)
		parts[#parts + 1] = by
		from = last + 1
		count = count and count - 1
	end
	parts[#parts + 1] = s:sub(from)
	return table.concat(parts)
end

function strings.contains(...)
	local args = read("contains", { "text", "what" }, none, ...)
	return args.text:find(args.what, 1, true) ~= nil
end

function strings.starts_with(...)
	local args = read("starts_with", { "text", "what" }, none, ...)
	return args.text:sub(1, #args.what) == args.what
end

function strings.ends_with(...)
	local args = read("ends_with", { "text", "what" }, none, ...)
	return args.what == "" or args.text:sub(-#args.what) == args.what
end

function strings.upper(...)
	return core.upper(read("upper", { "text" }, none, ...).text)
end

function strings.lower(...)
	return core.lower(read("lower", { "text" }, none, ...).text)
end

-- Each word with a capital.
function strings.title(...)
	return (read("title", { "text" }, none, ...).text:gsub("(%f[^%s\0][\1-\127\192-\255][\128-\191]*)", core.upper))
end

-- Of characters, not bytes; what is no UTF-8 counts by bytes.
function strings.length(...)
	local s = read("length", { "text" }, none, ...).text
	return utf8.len(s) or #s
end

function strings.reverse(...)
	local parts = strings.split(read("reverse", { "text" }, none, ...).text, "")
	for i = 1, #parts // 2 do
		parts[i], parts[#parts + 1 - i] = parts[#parts + 1 - i], parts[i]
	end
	return table.concat(parts)
end

function strings.lines(...)
	local list, s = {}, read("lines", { "text" }, none, ...).text
	for line in (s:gsub("\r?\n$", "") .. "\n"):gmatch("(.-)\r?\n") do
		list[#list + 1] = line
	end
	return core.mark_list(s == "" and {} or list)
end

local function pad(fn, ...)
	local args = read(fn, { "text", "width", "with" }, { width = "number", with = true }, ...)
	if not args.width or args.with == "" then
		core.fail("strings." .. fn .. ": 'width' is missing, or 'with' is empty")
	end
	local missing = math.min(args.width, 1 << 20) - (utf8.len(args.text) or #args.text)
	local parts = missing > 0 and strings.split((args.with or " "):rep(missing), "") or {}
	return args.text, table.concat(parts, "", 1, math.max(0, missing))
end

function strings.pad_left(...)
	local s, blanks = pad("pad_left", ...)
	return blanks .. s
end

function strings.pad_right(...)
	local s, blanks = pad("pad_right", ...)
	return s .. blanks
end

-- truncate(text, length [, suffix]): the suffix ("...") counts.
function strings.truncate(...)
	local args = read("truncate", { "text", "length", "suffix" }, { length = "number", suffix = true }, ...)
	local length, suffix = args.length or 0, args.suffix or "..."
	local characters = strings.split(args.text, "")
	if length < 0 or not args.length then
		core.fail("strings.truncate: 'length' must be a number from 0 on")
	elseif #characters <= length then
		return args.text
	end
	local tail = strings.split(suffix, "")
	if length <= #tail then
		return table.concat(tail, "", 1, length)
	end
	return table.concat(characters, "", 1, length - #tail) .. suffix
end

-- Regular expressions.

local function expression(fn, pattern)
	local re, text = core.regex(pattern)
	if not re then
		return nil, text
	end
	return re, core.library("regex")
end

-- What was found, and the groups behind it.
local function found(text, first, last, groups)
	local list = { text:sub(first, last) }
	for i, group in ipairs(groups) do
		list[i + 1] = group or ""
	end
	return core.mark_list(list)
end

-- match(text, pattern): { what was found, group, … }; nil when nothing is.
function strings.match(...)
	local args = read("match", { "text", "pattern" }, none, ...)
	local re, regex = expression("match", args.pattern)
	if not re then
		return nil, regex
	end
	local first, last, groups = regex.each("strings.match", re, args.text)()
	return first and found(args.text, first, last, groups) or nil
end

function strings.match_all(...)
	local args = read("match_all", { "text", "pattern" }, none, ...)
	local re, regex = expression("match_all", args.pattern)
	if not re then
		return nil, regex
	end
	local list = {}
	for first, last, groups in regex.each("strings.match_all", re, args.text) do
		list[#list + 1] = found(args.text, first, last, groups)
	end
	return core.mark_list(list)
end

function strings.replace_regex(...)
	local args = read("replace_regex", { "text", "pattern", "by" }, none, ...)
	local re, regex = expression("replace_regex", args.pattern)
	if not re then
		return nil, regex
	end
	return (regex.replace("strings.replace_regex", re, args.text, args.by))
end

-- What it looks like.

function strings.is_numeric(...)
	local s = read("is_numeric", { "text" }, none, ...).text
	return s:find("^%s*[+-]?%.?%d") ~= nil and tonumber(s) ~= nil
end

function strings.is_alpha(...)
	local s = read("is_alpha", { "text" }, none, ...).text
	return core.regex("^\\p{L}+$"):find(s, 1) ~= nil
end

function strings.is_alphanumeric(...)
	local s = read("is_alphanumeric", { "text" }, none, ...).text
	return core.regex("^[\\p{L}\\p{Nd}]+$"):find(s, 1) ~= nil
end

function strings.is_email(...)
	local s = read("is_email", { "text" }, none, ...).text
	return s:find("^[%w._%%+-]+@[%w-][%w.-]*%.%a%a+$") ~= nil
end

function strings.is_url(...)
	local s = read("is_url", { "text" }, none, ...).text
	return s:find("^https?://[^%s/$.?#][^%s]*$") ~= nil
end

-- In the text of an address: RFC 3986.
function strings.url_encode(...)
	return (read("url_encode", { "text" }, none, ...).text:gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

function strings.url_decode(...)
	return (read("url_decode", { "text" }, none, ...).text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- As those of crypto, which Sloth Runner has here, too.
local function as_crypto(name)
	return function(...)
		return crypto[name](...)
	end
end
strings.base64_encode, strings.base64_decode = as_crypto("base64_encode"), as_crypto("base64_decode")
strings.md5, strings.sha1, strings.sha256 = as_crypto("md5"), as_crypto("sha1"), as_crypto("sha256")

return strings
