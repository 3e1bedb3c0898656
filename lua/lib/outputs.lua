-- SPDX-License-Identifier: MIT
-- What a shell task wrote to the file $SLOTH_OUTPUT, as a table of outputs:
--   name=value
--   name<<END … lines … END
local core = ...
local outputs = {}

local SHOWN = 60 -- bytes of a bad line that a message quotes

local function bad(number, line, why)
	if #line > SHOWN then
		line = line:sub(1, SHOWN) .. "…"
	end
	return nil, ("line %d of $SLOTH_OUTPUT: %s: %s"):format(number, why, line)
end

local function lines_of(text)
	local lines = {}
	if text:sub(-1) ~= "\n" then
		text = text .. "\n"
	end
	for line in text:gmatch("([^\n]*)\n") do
		lines[#lines + 1] = line:gsub("\r$", "")
	end
	return lines
end

-- The number of the line that ends a value of several lines, or nil.
local function end_of(lines, from, mark)
	for i = from, #lines do
		if lines[i] == mark then
			return i
		end
	end
end

-- The table; or nil and a sentence.
function outputs.parse(text)
	local lines, found, i = lines_of(text), {}, 1
	while i <= #lines do
		local line = lines[i]
		local name, sign, rest = line:match("^([^=<]*)(=)(.*)$")
		if not name then
			name, sign, rest = line:match("^([^=<]*)(<<)(.+)$")
		end
		if line ~= "" then
			if not name then
				return bad(i, line, "'name=value' or 'name<<END' is expected")
			elseif not core.name_ok(name) then
				return bad(i, line, "an output's name has letters, digits, '.', '_' and '-'")
			elseif sign == "=" then
				found[name] = rest
			else
				local last = end_of(lines, i + 1, rest)
				if not last then
					return bad(i, line, "the line that ends this value is missing")
				end
				found[name] = table.concat(lines, "\n", i + 1, last - 1)
				i = last
			end
		end
		i = i + 1
	end
	return found
end

-- nil, or the sentence about the first declared one that is not there.
function outputs.missing(declared, found)
	for _, name in ipairs(declared) do
		if found == nil or found[name] == nil then
			return "the output '" .. name .. "' is declared, but the task did not give it"
		end
	end
end

return outputs
