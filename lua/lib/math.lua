-- SPDX-License-Identifier: MIT
-- What math has beyond Lua's own: added to it at the first use of a name that Lua's has not.
local core = ...
local math = {}

local lua = core.lua_math

local function number(fn, name, v)
	if type(v) ~= "number" then
		core.fail("math." .. fn .. ": '" .. name .. "' must be a number, not " .. type(v))
	end
	return v
end

local function whole(v)
	return lua.tointeger(v) or v
end

-- round(x [, digits]): a half away from zero.
function math.round(x, digits)
	local scale = 10 ^ (digits and number("round", "digits", digits) or 0)
	local y = number("round", "x", x) * scale
	y = (y >= 0 and lua.floor(y + 0.5) or lua.ceil(y - 0.5)) / scale
	return whole(y)
end

function math.clamp(x, low, high)
	number("clamp", "x", x)
	if number("clamp", "low", low) > number("clamp", "high", high) then
		core.fail("math.clamp: 'low' is above 'high'")
	end
	return lua.max(low, lua.min(high, x))
end

function math.pow(x, y) return whole(number("pow", "x", x) ^ number("pow", "y", y)) end
function math.cbrt(x) return x < 0 and -((-x) ^ (1 / 3)) or number("cbrt", "x", x) ^ (1 / 3) end
function math.log10(x) return lua.log(number("log10", "x", x), 10) end
function math.log2(x) return lua.log(number("log2", "x", x), 2) end
function math.atan2(y, x) return lua.atan(number("atan2", "y", y), number("atan2", "x", x)) end

function math.random_int(low, high)
	low, high = lua.tointeger(number("random_int", "low", low)), lua.tointeger(number("random_int", "high", high))
	if not low or not high then
		core.fail("math.random_int: whole numbers are expected")
	end
	return lua.random(lua.min(low, high), lua.max(low, high))
end

function math.random_float(low, high)
	return number("random_float", "low", low) + lua.random() * (number("random_float", "high", high) - low)
end

local function numbers(fn, list)
	if type(list) ~= "table" then
		core.fail("math." .. fn .. ": 'list' must be a table, not " .. type(list))
	end
	for i, v in ipairs(list) do
		number(fn, "list[" .. i .. "]", v)
	end
	return list
end

function math.sum(list)
	local sum = 0
	for _, v in ipairs(numbers("sum", list)) do
		sum = sum + v
	end
	return sum
end

-- Of nothing: 0.
function math.mean(list)
	return #numbers("mean", list) == 0 and 0 or math.sum(list) / #list
end

function math.median(list)
	local sorted = table.move(numbers("median", list), 1, #list, 1, {})
	table.sort(sorted)
	local n = #sorted
	if n == 0 then
		return 0
	elseif n % 2 == 1 then
		return sorted[n // 2 + 1]
	end
	return whole((sorted[n // 2] + sorted[n // 2 + 1]) / 2)
end

-- The most frequent one; of several the smallest.
function math.mode(list)
	local counts, best = {}, nil
	for _, v in ipairs(numbers("mode", list)) do
		counts[v] = (counts[v] or 0) + 1
	end
	for v, count in pairs(counts) do
		if not best or count > counts[best] or (count == counts[best] and v < best) then
			best = v
		end
	end
	return best or 0
end

function math.variance(list)
	local mean, sum = math.mean(list), 0
	for _, v in ipairs(list) do
		sum = sum + (v - mean) ^ 2
	end
	return #list == 0 and 0 or sum / #list
end

function math.std_dev(list)
	return lua.sqrt(math.variance(list))
end

math.e, math.phi = lua.exp(1), (1 + lua.sqrt(5)) / 2

return math
