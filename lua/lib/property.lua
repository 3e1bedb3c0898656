-- SPDX-License-Identifier: MIT
-- Kinds of properties that resources have: how what people write is normalised, when two values are the same, and how one is shown.
local core = ...
local content = core.library("content")
local property = {}

-- normalise(value, row, where) gives the value as it is kept, or nil and what it must be. equal and show have defaults below.
local kinds = {}
property.kinds = kinds

local function text_without(pattern, what)
	return function(value)
		if type(value) == "number" then
			value = tostring(value)
		end
		if type(value) ~= "string" or value == "" or value:find(pattern) then
			return nil, what
		end
		return value
	end
end

-- Any text.
kinds.string = {
	normalise = function(value)
		if type(value) == "number" then
			value = tostring(value)
		end
		return type(value) == "string" and value or nil, "a text"
	end,
}
-- A text of one line, not empty.
kinds.line = { normalise = text_without("[\n\r%z]", "a text of one line") }
kinds.name = { normalise = text_without("[%s%z/:]", "a name, without blanks, ':' and '/'") }

kinds.boolean = {
	normalise = function(value)
		if type(value) ~= "boolean" then
			return nil, "true or false"
		end
		return value
	end,
}

-- row.min, row.max
kinds.integer = {
	normalise = function(value, row)
		local number = math.tointeger(tonumber(value))
		local fits = number and number >= (row.min or math.mininteger) and number <= (row.max or math.maxinteger)
		return fits and number or nil, "a whole number" .. (row.min and row.max and " from " .. row.min .. " to " .. row.max
			or row.min and ", at least " .. row.min or "")
	end,
}

-- row.words
kinds.word = {
	normalise = function(value, row)
		for _, word in ipairs(row.words) do
			if value == word then
				return value
			end
		end
		return nil, "'" .. table.concat(row.words, "' or '") .. "'"
	end,
}

local units = { [""] = 0, K = 10, M = 20, G = 30, T = 40 }

-- "10M" → bytes
kinds.size = {
	normalise = function(value)
		local digits, unit = tostring(value):match("^(%d+)%s*([KMGT]?)i?B?$")
		local number = digits and math.tointeger(tonumber(digits))
		return number and number << units[unit] or nil, 'a size ("10M", or bytes)'
	end,
}

-- "5m"; a number is seconds. It stays a text: core.duration() gives the milliseconds.
kinds.duration = {
	normalise = function(value)
		local text = type(value) == "number" and value .. "s" or value
		return core.duration(text) and text, 'a duration ("30s", "5m", or seconds)'
	end,
	equal = function(a, b) return core.duration(a) == core.duration(b) end,
}

-- Absolute, without empty and "." parts; ".." stays, as only the file system knows where it leads.
function property.path(value)
	if type(value) ~= "string" or value == "" or value:find("\0", 1, true) then
		return nil, "a path"
	end
	local parts = {}
	for part in core.path(value):gmatch("[^/]+") do
		if part ~= "." then
			parts[#parts + 1] = part
		end
	end
	return "/" .. table.concat(parts, "/")
end
kinds.path = { normalise = property.path }

-- "0644": modes compare by value.
kinds.mode = {
	normalise = function(value, row, where)
		return ("%04o"):format(core.library("put").mode(where, value))
	end,
}

-- A user's or group's number where it stands for one, for core.owner.
function property.account(value)
	return type(value) == "string" and value:find("^%d+$") and math.tointeger(tonumber(value)) or value
end

-- A user or a group: a name, or a number where there is no name.
local function account(number)
	local function normalise(value)
		if math.type(value) == "integer" and value >= 0 then
			return tostring(value)
		end
		return type(value) == "string" and value:find("^[^%s:/%z]+$") and value or nil, "a name or a number"
	end
	local function id(value)
		value = property.account(value)
		local uid, gid = core.owner(number == 1 and value or nil, number == 2 and value or nil)
		return uid and (number == 1 and uid or gid) or value
	end
	return {
		normalise = normalise,
		equal = function(a, b) return a == b or id(a) == id(b) end,
	}
end
kinds.owner, kinds.group = account(1), account(2)

-- Bytes of a file; see content.lua.
kinds.text = {
	normalise = function(value)
		if type(value) == "number" then
			value = tostring(value)
		end
		if type(value) == "string" then
			return content.form(value)
		end
		return content.is(value) and value or nil, "a text"
	end,
	equal = content.equal,
	show = content.show,
	brief = content.digest,
}

-- Some lines: how many line feeds stand at their end does not matter.
kinds.lines = {
	normalise = function(value)
		return type(value) == "string" and value:gsub("\n+$", "") or nil, "a text"
	end,
}

local function list_of(value)
	if type(value) == "string" or type(value) == "number" then
		value = { value }
	end
	local list = {}
	for i, item in ipairs(type(value) == "table" and value or {}) do
		if type(item) ~= "string" and type(item) ~= "number" then
			return nil
		end
		list[i] = tostring(item)
	end
	return type(value) == "table" and (next(value) == nil or #list > 0) and list or nil
end

-- Texts in their order.
kinds.list = {
	normalise = function(value)
		local list = list_of(value)
		return list and core.mark_list(list), "a text or a list of texts"
	end,
}

-- Texts, each once, in any order.
kinds.set = {
	normalise = function(value)
		local seen, set = {}, {}
		for _, item in ipairs(list_of(value) or {}) do
			if not seen[item] then
				seen[item], set[#set + 1] = true, item
			end
		end
		table.sort(set)
		return list_of(value) and core.mark_list(set), "a text or a list of texts"
	end,
}

-- Names with texts.
kinds.map = {
	normalise = function(value)
		local map = {}
		for key, item in pairs(type(value) == "table" and value or {}) do
			local kind = type(item)
			if type(key) ~= "string" or kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
				return nil, "a table of names and texts"
			end
			map[key] = tostring(item)
		end
		return type(value) == "table" and map or nil, "a table of names and texts"
	end,
}

-- A shell command, or the words of one.
kinds.command = {
	normalise = function(value)
		if type(value) == "string" and value:find("%S") then
			return value
		end
		local list = type(value) == "table" and list_of(value)
		return list and list[1] and core.mark_list(list) or nil, "a command, or a list of its words"
	end,
}

-- Names with texts, beside which there may be others.
kinds.attributes = {
	normalise = kinds.map.normalise,
	equal = function(desired, actual)
		for name, value in pairs(desired) do
			if actual[name] ~= value then
				return false
			end
		end
		return true
	end,
}

local function digest_of(map)
	local list = {}
	for name, word in pairs(map) do
		list[#list + 1] = name .. "\0" .. word .. "\0"
	end
	table.sort(list)
	return { count = #list, sha256 = content.digest_of(table.concat(list)).sha256 }
end

-- What stands in a folder, by names: of what was brought about and seen only its digest is kept.
kinds.entries = {
	normalise = kinds.map.normalise,
	show = function(value)
		local count = type(value) == "table" and (value.count or digest_of(value).count)
		return count and count .. (count == 1 and " thing as it came" or " things as they came") or value
	end,
	brief = function(value)
		return type(value) == "table" and not value.sha256 and digest_of(value) or value
	end,
}

kinds.any = { normalise = function(value) return value end }

-- Deeply.
local function same(a, b)
	if type(a) ~= "table" or type(b) ~= "table" then
		return a == b
	end
	for key, value in pairs(a) do
		if not same(value, b[key]) then
			return false
		end
	end
	for key in pairs(b) do
		if a[key] == nil then
			return false
		end
	end
	return true
end

property.same = same

-- Whether two normalised values are the same; nil: there is none.
function property.equal(row, a, b)
	if a == nil or b == nil then
		return a == b
	end
	return (row.equal or kinds[row.kind].equal or same)(a, b)
end

-- As people and reports see it.
function property.show(row, value)
	local show = kinds[row.kind].show
	if value == nil or not show then
		return value
	end
	return show(value)
end

-- As it is kept of what was brought about and what was seen: enough to compare with.
function property.brief(row, value)
	local brief = kinds[row.kind].brief
	return brief and value ~= nil and brief(value) or value
end

return property
