-- SPDX-License-Identifier: MIT
-- Texts with sections and keys: one key is found, set or taken away, and every other byte stays as it is. No file is touched here.
local ini = {}

-- Lines, and what ends them ("\n" or "\r\n"); whether the last one was ended.
local function split(text)
	local lines = {}
	for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
		lines[#lines + 1] = line
	end
	return text == "" and {} or lines, lines[1] ~= nil and lines[1]:sub(-1) == "\r" and "\r" or "", text == "" or text:sub(-1) == "\n"
end

local function join(lines, ended)
	return #lines == 0 and "" or table.concat(lines, "\n") .. (ended and "\n" or "")
end

-- The name of the section that begins on this line, or nil.
local function section_of(line)
	return line:gsub("^\xEF\xBB\xBF", ""):match("^%s*%[%s*(.-)%s*%]%s*\r?$")
end

-- What is before the value ("key = "), the key and the value; nil: it has none. A key that stands alone has no value.
local function key_of(line)
	local before, key, value = line:match("^(%s*([^%s=:;#%[][^=:]-)%s*[=:][ \t]*)(.-)%s*$")
	if not before then
		key = line:match("^%s*([^%s=:;#%[][^=:]-)%s*$")
		before, value = line:gsub("%s+$", ""), ""
	end
	return key, value, before
end

-- Which lines have the key, and where the section is: { at = list of line numbers, last = its last line with something on it,
-- first = its own line, or nil: there is no such section }.
local function look(lines, section, key)
	local place, inside = { at = {}, first = section == nil and 0 or nil }, section == nil
	place.last = place.first
	for i, line in ipairs(lines) do
		local begins = section_of(line)
		if begins then
			inside = begins == section
			place.first = inside and (place.first or i) or place.first
		end
		if inside and line:find("%S") and (begins or not line:find("^%s*[#;]")) then
			place.last = i
			place.at[#place.at + 1] = not begins and key_of(line) == key and i or nil
		end
	end
	return place
end

-- Whether the value of a line goes on below it.
local function goes_on(lines, number)
	local below = lines[number + 1]
	return lines[number]:find("\\\r?$") ~= nil or below ~= nil and below:find("^%s+[^%s#;]") ~= nil and not lines[number]:find("^%s")
end

local function refusal(lines, numbers, key)
	for _, number in ipairs(numbers) do
		if goes_on(lines, number) then
			return "'" .. key .. "' has a value of several lines, and is left as it is"
		end
	end
end

-- The value that counts, the last one of the key; nil: it is not there; or nil and a message.
function ini.find(text, section, key)
	local lines = split(text)
	local at = look(lines, section, key).at
	local message = refusal(lines, at, key)
	if message or not at[1] then
		return nil, message
	end
	return (select(2, key_of(lines[at[#at]])))
end

-- All keys that have a value of one line: a list of { section, key, value }, each once.
function ini.all(text)
	local lines, section, seen, list = split(text), nil, {}, {}
	for _, line in ipairs(lines) do
		section = section_of(line) or section
		-- What stands indented and alone belongs to the line above.
		local is_key = not section_of(line) and line:find("%S") and not line:find("^%s*[#;]") and (line:find("[=:]") or not line:find("^%s"))
		local key = is_key and key_of(line)
		local name = key and (section or "") .. "\0" .. key
		if key and not seen[name] then
			local value = ini.find(text, section, key)
			seen[name] = true
			list[#list + 1] = value and { section = section, key = key, value = value } or nil
		end
	end
	return list
end

-- How the file spells "key = value".
local function spelling(lines, place)
	local found
	for i, line in ipairs(lines) do
		local key, _, before = key_of(line)
		if key and not section_of(line) and not line:find("^%s*[#;]") and before:find("[=:]") then
			found = before:match("%s*[=:][ \t]*$")
			if place.first and i > place.first then
				break
			end
		end
	end
	return found or " = "
end

local function insert(lines, place, section, line, eol)
	if place.last then
		table.insert(lines, place.last + 1, line)
		return
	end
	if lines[1] and lines[#lines]:find("%S") then
		lines[#lines + 1] = eol
	end
	lines[#lines + 1] = "[" .. section .. "]" .. eol
	lines[#lines + 1] = line
end

-- The text with this value, or with nil without the key; or nil and a message.
function ini.set(text, section, key, value)
	local lines, eol, ended = split(text)
	local place = look(lines, section, key)
	local message = refusal(lines, place.at, key)
	if message then
		return nil, message
	elseif not value then
		for i = #place.at, 1, -1 do
			table.remove(lines, place.at[i])
		end
		return join(lines, ended)
	end
	local number = place.at[#place.at]
	if number then
		local _, _, before = key_of(lines[number])
		lines[number] = before .. (before:find("[=:][ \t]*$") and "" or spelling(lines, place)) .. value .. eol
		return join(lines, ended)
	end
	-- A last line that was not ended is one afterwards.
	insert(lines, place, section, key .. spelling(lines, place) .. value .. eol, eol)
	return join(lines, true)
end

return ini
