-- SPDX-License-Identifier: MIT
-- Regular expressions: all matches of a text, and replacing them. Replacements name groups as Go and as Python do: $1 ${name} \1 \g<name>; $$ is a
-- dollar, \\ a backslash.
local core = ...
local regex = {}

-- The expression, or an error of the workflow that names `fn`.
function regex.new(fn, pattern, in_lines)
	local re, text = core.regex(pattern, in_lines)
	if not re then
		core.fail(fn .. ": " .. text)
	end
	return re
end

-- An iterator: first and last byte, groups. Empty matches go on behind the next character.
function regex.each(fn, re, text)
	local from, empty = 1, false
	return function()
		while from <= #text + 1 do
			-- Behind an empty match there may be a longer one at the same place.
			local first, last, groups = re:find(text, from, empty)
			if not first and last then
				core.fail(fn .. ": " .. last)
			elseif first then
				empty = last < first
				from = last + 1
				return first, last, groups
			elseif not empty then
				return nil
			end
			empty = false
			from = math.max(text:match("^[^\128-\191]?[\128-\191]*()", from), from + 1)
		end
	end
end

local function group(fn, parts, key)
	local number = math.tointeger(tonumber(key)) or parts.names[key]
	if number == 0 then
		return parts.whole
	elseif not number or parts.groups[number] == nil then
		core.fail(fn .. ": the regular expression has no group '" .. key .. "'")
	end
	return parts.groups[number] or ""
end

-- What stands in a replacement, by its first characters. The order counts.
local forms = {
	{ "^%$%$", function() return "$" end },
	{ "^%${([%w_]+)}", group },
	{ "^%$(%d)", group },
	{ "^\\g<([%w_]+)>", group },
	{ "^\\(%d)", group },
	{ "^\\\\", function() return "\\" end },
	{ "^\\n", function() return "\n" end },
	{ "^\\t", function() return "\t" end },
}

local function form_at(fn, template, position, parts)
	for _, form in ipairs(forms) do
		local first, last, key = template:find(form[1], position)
		if first then
			return form[2](fn, parts, key), last + 1
		end
	end
	return template:sub(position, position), position + 1
end

-- The replacement with what was found.
function regex.expand(fn, re, template, whole, groups)
	local parts = { whole = whole, groups = groups, names = re:names() }
	local result, position = {}, 1
	while position <= #template do
		local special = template:find("[$\\]", position) or #template + 1
		result[#result + 1] = template:sub(position, special - 1)
		position = special
		if special <= #template then
			result[#result + 1], position = form_at(fn, template, special, parts)
		end
	end
	return table.concat(result)
end

-- The text with all matches replaced, and their number.
function regex.replace(fn, re, text, template)
	local result, position, count = {}, 1, 0
	for first, last, groups in regex.each(fn, re, text) do
		result[#result + 1] = text:sub(position, first - 1)
		result[#result + 1] = regex.expand(fn, re, template, text:sub(first, last), groups)
		position = last + 1
		count = count + 1
	end
	result[#result + 1] = text:sub(position)
	return table.concat(result), count
end

return regex
