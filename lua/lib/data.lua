-- SPDX-License-Identifier: MIT
-- data: CSV, and nested tables; JSON and YAML are in C.
local core = ...
local data = {}

-- A quoted field may hold commas, quotes (doubled) and newlines: RFC 4180.
local function csv_rows(text)
	local rows, row, position = {}, {}, 1
	while position <= #text do
		local field, stop
		if text:sub(position, position) == '"' then
			local parts = {}
			position = position + 1
			while true do
				local quote = text:find('"', position, true)
				if not quote then
					core.fail("csv_parse: a quote is not closed")
				end
				parts[#parts + 1] = text:sub(position, quote - 1)
				position = quote + 1
				if text:sub(position, position) ~= '"' then
					break
				end
				parts[#parts + 1] = '"'
				position = position + 1
			end
			field = table.concat(parts)
			stop = text:find("[,\r\n]", position) or #text + 1
		else
			stop = text:find("[,\r\n]", position) or #text + 1
			field = text:sub(position, stop - 1)
		end
		row[#row + 1] = field
		local by = text:sub(stop, stop)
		if by == "\r" and text:sub(stop + 1, stop + 1) == "\n" then
			stop = stop + 1
		end
		position = stop + 1
		if by ~= "," then
			rows[#rows + 1] = row
			row = {}
		elseif position > #text then
			row[#row + 1] = ""
		end
	end
	if #row > 0 then
		rows[#rows + 1] = row
	end
	return rows
end

-- csv_parse(text [, header]): lists, or with a header row tables by name.
function data.csv_parse(text, header)
	if type(text) ~= "string" then
		core.fail("data.csv_parse: a string is expected, not " .. type(text))
	end
	local rows = csv_rows(text)
	if not header then
		return rows
	end
	local names, records = table.remove(rows, 1) or {}, {}
	for i, row in ipairs(rows) do
		records[i] = {}
		for j, name in ipairs(names) do
			records[i][name] = row[j]
		end
	end
	return records
end

local function csv_line(fields)
	local texts = {}
	for i, field in ipairs(fields) do
		field = tostring(field)
		texts[i] = field:find('[,"\r\n]') and '"' .. field:gsub('"', '""') .. '"' or field
	end
	return table.concat(texts, ",") .. "\n"
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

-- csv_generate(rows [, header]): lists as they are; tables by name below a header, in its order.
function data.csv_generate(rows, header)
	if type(rows) ~= "table" then
		core.fail("data.csv_generate: a list of rows is expected, not " .. type(rows))
	end
	for i, row in ipairs(rows) do
		if type(row) ~= "table" then
			core.fail("data.csv_generate: row " .. i .. " must be a list or a table, not " .. type(row))
		end
	end
	local names = csv_names(rows)
	local order = type(header) == "table" and header or names
	local lines = order and { csv_line(order) } or {}
	for _, row in ipairs(rows) do
		local fields = row
		if names then
			fields = {}
			for i, name in ipairs(order) do
				fields[i] = row[name] == nil and "" or row[name]
			end
		end
		lines[#lines + 1] = csv_line(fields)
	end
	return table.concat(lines)
end

local function is_object(v)
	return type(v) == "table" and #v == 0
end

-- The later one wins; lists are replaced whole.
function data.deep_merge(a, b)
	local result = {}
	for key, value in pairs(a) do
		result[key] = value
	end
	for key, value in pairs(b) do
		if is_object(value) and is_object(result[key]) then
			value = data.deep_merge(result[key], value)
		end
		result[key] = value
	end
	return result
end

local function steps(path)
	local list = {}
	for step in tostring(path):gmatch("[^.]+") do
		list[#list + 1] = math.tointeger(tonumber(step)) or step
	end
	return list
end

function data.get_path(t, path, default)
	for _, step in ipairs(steps(path)) do
		if type(t) ~= "table" then
			return default
		end
		t = t[step]
	end
	if t == nil then
		return default
	end
	return t
end

function data.set_path(t, path, value)
	local list = steps(path)
	local place = t
	for i = 1, #list - 1 do
		if type(place[list[i]]) ~= "table" then
			place[list[i]] = {}
		end
		place = place[list[i]]
	end
	place[list[#list]] = value
	return t
end

-- { a = { b = 1 } } → { ["a.b"] = 1 }
function data.flatten(t, prefix, result)
	result = result or {}
	for key, value in pairs(t) do
		local name = prefix and prefix .. "." .. tostring(key) or tostring(key)
		if type(value) == "table" then
			data.flatten(value, name, result)
		else
			result[name] = value
		end
	end
	return result
end

return data
