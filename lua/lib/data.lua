-- SPDX-License-Identifier: MIT
-- data: CSV, and nested tables; JSON and YAML are in C.
local core = ...
local data = {}

local arguments = core.library("arguments")

-- A field that begins at `position`, and what ends it. A quoted one may hold separators, quotes (doubled) and newlines: RFC 4180.
local function csv_field(text, position, ends)
	if text:sub(position, position) ~= '"' then
		local stop = text:find(ends, position) or #text + 1
		return text:sub(position, stop - 1), stop
	end
	local parts, start = {}, position
	position = position + 1
	while true do
		local quote = text:find('"', position, true)
		if not quote then
			return nil, "line " .. select(2, text:sub(1, start):gsub("\n", "")) + 1 .. ": a quote is not closed"
		end
		parts[#parts + 1] = text:sub(position, quote - 1)
		position = quote + 1
		if text:sub(position, position) ~= '"' then
			break
		end
		parts[#parts + 1] = '"'
		position = position + 1
	end
	if position <= #text and not text:find("^" .. ends, position) then
		return nil, "line " .. select(2, text:sub(1, position):gsub("\n", "")) + 1 .. ": something stands behind a closing quote"
	end
	return table.concat(parts), position
end

local function csv_rows(text, delimiter)
	local rows, row, position = {}, {}, 1
	local ends = "[\r\n%" .. delimiter .. "]"
	while position <= #text do
		local field, stop = csv_field(text, position, ends)
		if not field then
			return nil, stop
		end
		row[#row + 1] = field
		local by = text:sub(stop, stop)
		if by == "\r" and text:sub(stop + 1, stop + 1) == "\n" then
			stop = stop + 1
		end
		position = stop + 1
		if by ~= delimiter then
			rows[#rows + 1] = core.mark_list(row)
			row = {}
		elseif position > #text then
			row[#row + 1] = ""
		end
	end
	if #row > 0 then
		rows[#rows + 1] = core.mark_list(row)
	end
	return core.mark_list(rows)
end

-- The character between fields. csv_parse(text, ";") is meant, too.
local function delimiter_of(fn, args)
	if type(args.header) == "string" then
		args.header, args.delimiter = nil, args.header
	end
	local delimiter = args.delimiter or ","
	if #delimiter ~= 1 or delimiter:find('[%w\r\n"]') then
		core.fail("data." .. fn .. ": 'delimiter' must be one character such as \",\" or \";\"")
	end
	return delimiter
end

-- csv_parse(text [, header [, delimiter]]): lists, or with a header row tables by name; or nil and a message.
function data.csv_parse(...)
	local args = arguments.read("data.csv_parse", { "text", "header", "delimiter" }, { text = "string", header = "any?", delimiter = "string?" }, ...)
	local rows, text = csv_rows(args.text, delimiter_of("csv_parse", args))
	if not rows or not args.header then
		return rows, text
	end
	local names, records = table.remove(rows, 1) or {}, core.mark_list({})
	for i, row in ipairs(rows) do
		records[i] = {}
		for j, name in ipairs(names) do
			records[i][name] = row[j]
		end
	end
	return records
end

-- The names of all fields, sorted, or nil: these are no records.
local function csv_names(rows)
	local seen, names = {}, {}
	for _, row in ipairs(rows) do
		for name in pairs(row) do
			if type(name) ~= "string" then
				return nil
			elseif not seen[name] then
				seen[name] = true
				names[#names + 1] = name
			end
		end
	end
	table.sort(names)
	return #names > 0 and names or nil
end

-- Rows are lists, or tables by name: then in the order of `header`, a list of names, or sorted.
function data.csv_generate(...)
	local first, second, third = ...
	if type(second) == "string" then
		second, third = nil, second
	end
	if type(first) ~= "table" or (second ~= nil and type(second) ~= "table") then
		core.fail("data.csv_generate: 'rows' must be a list of lists (its arguments: rows, header, delimiter)")
	end
	local delimiter, header = delimiter_of("csv_generate", { delimiter = third }), second
	for i, row in ipairs(first) do
		if type(row) ~= "table" then
			core.fail("data.csv_generate: row " .. i .. " must be a table, not a " .. type(row))
		end
	end
	local named = csv_names(first)
	header = header or named
	local lines = {}
	local function add(row)
		local fields = {}
		for j = 1, #row do
			local field = tostring(row[j])
			fields[j] = field:find('[%' .. delimiter .. '"\r\n]') and '"' .. field:gsub('"', '""') .. '"' or field
		end
		lines[#lines + 1] = table.concat(fields, delimiter) .. "\n"
	end
	if header then
		add(header)
	end
	for _, row in ipairs(first) do
		local fields = named and {} or row
		for j, name in ipairs(named and header or {}) do
			fields[j] = row[name] == nil and "" or row[name]
		end
		add(fields)
	end
	return table.concat(lines)
end

local DEEP = 100

local function table_of(fn, name, value)
	if type(value) ~= "table" then
		core.fail("data." .. fn .. ": '" .. name .. "' must be a table, not a " .. type(value))
	end
	return value
end

local function is_object(v)
	return type(v) == "table" and #v == 0 and getmetatable(v) ~= false
end

local function merge(a, b, depth)
	if depth > DEEP then
		core.fail("data.deep_merge: a table contains itself, or is nested deeper than " .. DEEP)
	end
	local result = {}
	for key, value in pairs(a) do
		result[key] = value
	end
	for key, value in pairs(b) do
		if is_object(value) and is_object(result[key]) then
			value = merge(result[key], value, depth + 1)
		end
		result[key] = value
	end
	return result
end

-- deep_merge(a, b, …): the later one wins; lists are replaced whole.
function data.deep_merge(a, ...)
	local result = table_of("deep_merge", "a", a)
	for i = 1, select("#", ...) do
		result = merge(result, table_of("deep_merge", "b", (select(i, ...))), 1)
	end
	return result
end

local function steps(path, separator)
	local list = {}
	for step in core.library("strings").replace(tostring(path), separator or ".", "\0"):gmatch("[^\0]+") do
		list[#list + 1] = step
	end
	return list
end

-- A step is a key, or where there is no such the number of an element.
local function key_of(t, step)
	return t[step] == nil and math.tointeger(tonumber(step)) or step
end

function data.get_path(t, path, default)
	table_of("get_path", "table", t)
	for _, step in ipairs(steps(path)) do
		if type(t) ~= "table" then
			return default
		end
		t = t[key_of(t, step)]
	end
	if t == nil then
		return default
	end
	return t
end

-- Tables on the way are made. Gives the table.
function data.set_path(t, path, value)
	local list = steps(path)
	local place = table_of("set_path", "table", t)
	if #list == 0 then
		core.fail("data.set_path: the path is empty")
	end
	for i = 1, #list - 1 do
		local key = key_of(place, list[i])
		if type(place[key]) ~= "table" then
			place[key] = {}
		end
		place = place[key]
	end
	place[key_of(place, list[#list])] = value
	return t
end

local function flatten(t, separator, prefix, result, depth)
	if depth > DEEP then
		core.fail("data.flatten: a table contains itself, or is nested deeper than " .. DEEP)
	end
	for key, value in pairs(t) do
		local name = prefix and prefix .. separator .. tostring(key) or tostring(key)
		if type(value) == "table" and getmetatable(value) ~= false and next(value) ~= nil then
			flatten(value, separator, name, result, depth + 1)
		else
			result[name] = value
		end
	end
	return result
end

-- { a = { b = 1 } } → { ["a.b"] = 1 }, and back.
function data.flatten(t, separator)
	return flatten(table_of("flatten", "table", t), separator or ".", nil, {}, 1)
end

function data.unflatten(t, separator)
	local result = {}
	for name, value in pairs(table_of("unflatten", "table", t)) do
		local place, list = result, steps(name, separator)
		for i = 1, #list - 1 do
			local key = math.tointeger(tonumber(list[i])) or list[i]
			if type(place[key]) ~= "table" then
				place[key] = {}
			end
			place = place[key]
		end
		place[math.tointeger(tonumber(list[#list])) or list[#list] or name] = value
	end
	return result
end

return data
