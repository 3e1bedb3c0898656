-- SPDX-License-Identifier: MIT
-- Resources as the text of a workflow that declares them: what is registered and there so, it plans as no change.
local core = ...
local content = core.library("content")
local provider = core.library("provider")
local declarations = {}

-- Types of which others have need come first; the rest comes after them by name.
local FIRST = { "package", "group", "user", "directory", "file", "ini", "line", "block", "archive", "git", "symlink" }

-- Bytes of contents in one text: a workflow is no archive.
local CONTENTS_MAX = 512 << 10

local HEAD = [[
-- All of a task: want(resource.TYPE{ ... }) for each thing.
local function all(declare)
	return function()
		local changed = false
		declare(function(res, message)
			changed = assert(res, message).changed or changed
		end)
		return true, changed and "changed" or "as wanted", { changed = changed }
	end
end
]]

-- A text as Lua reads it.
local function quoted(text)
	return '"' .. text:gsub('[%c"\\\127]', function(sign)
		return sign == "\n" and "\\n" or sign == "\t" and "\\t" or sign:find("%c") and ("\\%03d"):format(sign:byte()) or "\\" .. sign
	end) .. '"'
end

-- Lines stand as they are, where Lua would read them so.
local function long(text)
	if not text:find("\n.") or text:find("[%z\1-\8\11-\31\127]") then
		return quoted(text)
	end
	local level = ""
	while text:find("]" .. level .. "]", 1, true) or text:sub(-#level - 1) == "]" .. level do
		level = level .. "="
	end
	return "[" .. level .. "[\n" .. text .. "]" .. level .. "]"
end

local value_of

local function table_text(value)
	local parts = {}
	for _, item in ipairs(value) do
		parts[#parts + 1] = value_of(item)
	end
	for _, key in ipairs(#value == 0 and provider.keys(value) or {}) do
		parts[#parts + 1] = (key:find("^[%a_][%w_]*$") and key or "[" .. quoted(key) .. "]") .. " = " .. value_of(value[key])
	end
	return parts[1] and "{ " .. table.concat(parts, ", ") .. " }" or "{}"
end

function value_of(value)
	local kind = type(value)
	return kind == "string" and long(value) or kind == "table" and table_text(value) or tostring(value)
end

-- The key stands first; defaults are not said.
local function names_of(p, properties)
	local names = { p.key }
	for _, name in ipairs(provider.keys(properties)) do
		local row = p.properties[name]
		if name ~= p.key and row and properties[name] ~= row.default then
			names[#names + 1] = name
		end
	end
	return names
end

-- Contents that are too long for the text, or of which only that is known, are said as what they were.
local function line_of(p, name, value, state)
	local digest = ""
	if p.properties[name].kind == "text" then
		state.contents = state.contents + (type(value) == "table" and #(value.base64 or "") or #value)
		if state.contents > CONTENTS_MAX or type(value) == "table" and value.sha256 then
			value, digest = content.digest(value), " -- a change is seen; what was there is not kept: a source would bring it back"
		end
	end
	return name .. " = " .. value_of(value) .. "," .. digest
end

local function declaration(p, properties, state)
	local lines = {}
	for _, name in ipairs(names_of(p, properties)) do
		lines[#lines + 1] = line_of(p, name, properties[name], state)
	end
	local short = "\t\twant(resource." .. p.type .. "({ " .. table.concat(lines, " "):gsub(",$", "") .. " }))"
	if #lines <= 3 and #short <= 110 and not short:find("\n") and not short:find("%-%- ") then
		return short .. "\n"
	end
	return "\t\twant(resource." .. p.type .. "({\n\t\t\t" .. table.concat(lines, "\n\t\t\t") .. "\n\t\t}))\n"
end

local function by_type(list)
	local groups, types, first = {}, {}, {}
	for i, type_name in ipairs(FIRST) do
		first[type_name] = i
	end
	for _, one in ipairs(list) do
		if not groups[one.type] then
			groups[one.type], types[#types + 1] = {}, one.type
		end
		table.insert(groups[one.type], one)
	end
	table.sort(types, function(a, b)
		local x, y = first[a] or math.huge, first[b] or math.huge
		return x < y or x == y and a < b
	end)
	return groups, types
end

local function task_text(p, list, before, state)
	local parts = { "\ntask(" .. quoted(p.type) .. ", {\n" }
	if before then
		parts[#parts + 1] = "\tdepends_on = { " .. quoted(before) .. " },\n"
	end
	parts[#parts + 1] = "\tcommand = all(function(want)\n"
	for _, one in ipairs(list) do
		parts[#parts + 1] = declaration(p, one.properties, state)
	end
	parts[#parts + 1] = "\tend),\n})\n"
	return table.concat(parts)
end

-- text(list of { type, name, properties } [, name of the workflow]); what failed, or is another stack's, is left out.
function declarations.text(list, name)
	local where = "resource.declarations"
	if type(list) ~= "table" or name ~= nil and type(name) ~= "string" then
		core.fail(where .. " takes what resource.find or resource.adopt gave, and the name of the workflow")
	end
	local rows, state = {}, { contents = 0 }
	for _, one in ipairs(list) do
		rows[#rows + 1] = type(one) == "table" and type(one.properties) == "table" and one.result ~= "failed" and one.result ~= "elsewhere" and one or nil
	end
	local groups, types = by_type(rows)
	local parts = { "workflow.define(" .. quoted(name or "adopted") .. ")\n\n" .. HEAD }
	for i, type_name in ipairs(types) do
		local p, message = provider.find(type_name)
		if not p then
			core.fail(where .. ": " .. message)
		end
		parts[#parts + 1] = task_text(p, groups[type_name], types[i - 1], state)
	end
	return table.concat(parts)
end

return declarations
