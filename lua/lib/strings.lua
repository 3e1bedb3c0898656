-- SPDX-License-Identifier: MIT
-- strings: text, without patterns where it does not say so.
local strings = {}

local function text(fn, v)
	if type(v) ~= "string" and type(v) ~= "number" and not (type(v) == "table" and getmetatable(v) ~= nil) then
		core.fail("strings." .. fn .. ": a string is expected, not " .. type(v))
	end
	return tostring(v)
end

function strings.trim(s)
	return (text("trim", s):match("^%s*(.-)%s*$"))
end

-- Without a separator: words.
function strings.split(s, separator)
	local parts, from = {}, 1
	s = text("split", s)
	if separator == nil then
		for word in s:gmatch("%S+") do
			parts[#parts + 1] = word
		end
		return parts
	elseif separator == "" then
		for _, code in utf8.codes(s) do
			parts[#parts + 1] = utf8.char(code)
		end
		return parts
	end
	while true do
		local first, last = s:find(separator, from, true)
		if not first then
			parts[#parts + 1] = s:sub(from)
			return parts
		end
		parts[#parts + 1] = s:sub(from, first - 1)
		from = last + 1
	end
end

function strings.join(list, separator)
	local parts = {}
	if type(list) ~= "table" then
		core.fail("strings.join: a list is expected, not " .. type(list))
	end
	for i, item in ipairs(list) do
		parts[i] = tostring(item)
	end
	return table.concat(parts, separator or "")
end

function strings.replace(s, what, by, count)
	local parts, from = {}, 1
	s, what, by = text("replace", s), text("replace", what), text("replace", by)
	if what == "" then
		return s
	end
	while not count or count > 0 do
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

function strings.contains(s, what)
	return text("contains", s):find(text("contains", what), 1, true) ~= nil
end

function strings.starts_with(s, what)
	return text("starts_with", s):sub(1, #what) == what
end

function strings.ends_with(s, what)
	return what == "" or text("ends_with", s):sub(-#what) == what
end

function strings.upper(s)
	return text("upper", s):upper()
end

function strings.lower(s)
	return text("lower", s):lower()
end

-- By a Lua pattern.
function strings.match(s, pattern)
	return text("match", s):match(pattern)
end

function strings.lines(s)
	local list = {}
	for line in (text("lines", s):gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
		list[#list + 1] = line
	end
	return list
end

function strings.pad_left(s, width, with)
	s = text("pad_left", s)
	return (with or " "):rep(math.max(0, width - #s)) .. s
end

function strings.pad_right(s, width, with)
	s = text("pad_right", s)
	return s .. (with or " "):rep(math.max(0, width - #s))
end

return strings
