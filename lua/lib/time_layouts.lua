-- SPDX-License-Identifier: MIT
-- How times are written: Go's layouts, which are an example of a certain moment, as patterns of strftime(3); and reading.
local core = ...
local layouts = {}

-- Longer ones first: "2006" before "2", "January" before "Jan".
local parts = {
	{ "January", "%B" }, { "Monday", "%A" }, { "-07:00", "%:z" }, { "Z07:00", "%:z" }, { "-0700", "%z" }, { "2006", "%Y" }, { "Jan", "%b" }, { "Mon", "%a" }, { "MST", "%Z" },
	{ "01", "%m" }, { "02", "%d" }, { "03", "%I" }, { "04", "%M" }, { "05", "%S" }, { "06", "%y" }, { "15", "%H" }, { "PM", "%p" }, { "_2", "%e" },
}

local function part_at(layout, position)
	for _, part in ipairs(parts) do
		if layout:sub(position, position + #part[1] - 1) == part[1] then
			return part
		end
	end
end

function layouts.is_layout(text)
	return text:find("%", 1, true) ~= nil or text:find("2006", 1, true) ~= nil or text:find("15:04", 1, true) ~= nil
end

-- "2006-01-02 15:04" → "%Y-%m-%d %H:%M"
function layouts.pattern(layout)
	local result, position = {}, 1
	while position <= #layout do
		local part = part_at(layout, position)
		local pattern = part and part[2] or layout:sub(position, position)
		-- Lua's date knows no "%:z".
		result[#result + 1] = pattern == "%:z" and "%z" or pattern
		position = position + (part and #part[1] or 1)
	end
	return table.concat(result)
end

-- Seconds since 1970 of a date of the civil calendar in UTC; nil when there is no such.
local function moment_of(t)
	local y, m, d = t.year or 1970, t.month or 1, t.day or 1
	if m < 1 or m > 12 or d < 1 or t.hour > 23 or t.minute > 59 or t.second > 60 then
		return nil
	end
	local year = m <= 2 and y - 1 or y
	local era = year // 400
	local yoe = year - era * 400
	local leap = (y % 4 == 0 and y % 100 ~= 0) or y % 400 == 0
	if d > ({ 31, leap and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 })[m] then
		return nil
	end
	local doy = (153 * (m + (m > 2 and -3 or 9)) + 2) // 5 + d - 1
	local days = era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468
	return days * 86400 + t.hour * 3600 + t.minute * 60 + t.second - t.zone
end

local months = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11, dec = 12 }

local function number(name, most)
	return function(t, text, position)
		local word, stop = text:match("^(%d+)()", position)
		if not word or #word > most then
			word = text:match("^" .. ("%d"):rep(most), position)
			stop = word and position + most
		end
		t[name] = word and math.tointeger(tonumber(word))
		return stop
	end
end

local function zone(t, text, position)
	local sign, h, m, stop = text:match("^([+-])(%d%d):?(%d%d)()", position)
	if sign then
		t.zone = (sign == "+" and 1 or -1) * (math.tointeger(tonumber(h)) * 3600 + math.tointeger(tonumber(m)) * 60)
		return stop
	end
	return text:match("^[Zz]()", position) or text:match("^UTC()", position) or text:match("^GMT()", position)
end

local function month_name(t, text, position)
	local word, stop = text:match("^(%a+)()", position)
	t.month = word and months[word:sub(1, 3):lower()]
	return t.month and stop
end

local function half(t, text, position)
	local word = text:sub(position, position + 1):upper()
	if word ~= "AM" and word ~= "PM" then
		return nil
	end
	t.half = word
	return position + 2
end

-- What is read at each letter of a pattern: where it ends.
local readers = {
	Y = number("year", 4), m = number("month", 2), d = number("day", 2), e = number("day", 2), H = number("hour", 2), I = number("hour", 2), M = number("minute", 2),
	S = number("second", 2), b = month_name, B = month_name, z = zone, Z = zone, p = half,
	a = function(_, text, position) return text:match("^%a+()", position) end,
	s = number("unix", 12),
}
readers.A = readers.a
function readers.y(t, text, position)
	local stop = number("year", 2)(t, text, position)
	t.year = t.year and t.year + (t.year < 69 and 2000 or 1900)
	return stop
end

local whole = { F = "%Y-%m-%d", T = "%H:%M:%S", D = "%m/%d/%y", R = "%H:%M" }

local function read_by(text, pattern)
	local t = { hour = 0, minute = 0, second = 0, zone = 0 }
	local position, at = 1, 1
	pattern = pattern:gsub("^!", ""):gsub("%%([FTDR])", function(letter) return whole[letter] end):gsub("%%:z", "%%z")
	while at <= #pattern do
		local letter = pattern:match("^%%(.)", at)
		if letter and letter ~= "%" then
			position = readers[letter] and readers[letter](t, text, position)
			at = at + 2
		else
			local c = letter or pattern:sub(at, at)
			position = text:sub(position, position) == c and position + 1
			at = at + (letter and 2 or 1)
		end
		if not position then
			return nil
		end
	end
	if t.half and t.hour then
		t.hour = t.hour % 12 + (t.half == "PM" and 12 or 0)
	end
	return position > #text and (t.unix or moment_of(t)) or nil
end

-- A moment, or nil.
function layouts.parse(text, pattern)
	if pattern then
		return read_by(text, pattern:find("%", 1, true) and pattern or layouts.pattern(pattern))
	end
	local date, rest = text:match("^(%d%d%d%d%-%d%d%-%d%d)(.*)$")
	local clock, fraction, zone_text = (rest or ""):match("^[Tt ](%d%d:%d%d:?%d?%d?)(%.?%d*)(.*)$")
	if not date or (rest ~= "" and not clock) then
		return nil
	end
	clock = clock and (#clock == 5 and clock .. ":00" or clock) or "00:00:00"
	local moment = read_by(date .. " " .. clock .. (zone_text and zone_text ~= "" and zone_text or "Z"), "%Y-%m-%d %H:%M:%S%z")
	local part = fraction and #fraction > 1 and tonumber("0" .. fraction) or 0
	return moment and (part > 0 and moment + part or moment)
end

return layouts
