-- SPDX-License-Identifier: MIT
-- What a selector means of the things that have names: a pattern as glob(7) has them, or a range of numbers ("1000-1999").
local selector = {}

-- "[a-c]" and "[!a-c]" from `at` on, as Lua has them; nil: it is not closed. Beside it where it ends.
local function class(glob, at)
	local first = glob:sub(at + 1, at + 1) == "!" and at + 2 or at + 1
	local last = glob:find("]", first + 1, true)
	if not last then
		return nil
	end
	return "[" .. (first == at + 2 and "^" or "") .. glob:sub(first, last - 1):gsub("[%%%]^]", "%%%0") .. "]", last
end

-- fn(name): whether it is meant.
function selector.names(glob)
	local pattern, at = "^", 1
	while at <= #glob do
		local sign = glob:sub(at, at)
		local part, last
		if sign == "[" then
			part, last = class(glob, at)
		end
		part = part or sign == "*" and ".*" or sign == "?" and "." or sign:gsub("%W", "%%%0")
		pattern, at = pattern .. part, (last or at) + 1
	end
	pattern = pattern .. "$"
	return function(name) return name:find(pattern) ~= nil end
end

-- fn(name, number): whether it is meant, by its name or its number.
function selector.accounts(text)
	local first, last = text:match("^(%d+)%-(%d+)$")
	first, last = tonumber(first or text:match("^%d+$")), tonumber(last or text:match("^%d+$"))
	if first then
		return function(_, number) return number ~= nil and number >= first and number <= last end
	end
	return selector.names(text)
end

return selector
