-- SPDX-License-Identifier: MIT
-- time: moments are seconds since 1970, durations seconds or "5m".
local core = ...
local time = {}

local function seconds(fn, duration)
	local ms = core.duration(duration)
	if not ms then
		core.fail("time." .. fn .. ": '" .. tostring(duration) .. "' is not a duration")
	end
	return ms % 1000 == 0 and ms // 1000 or ms / 1000
end

-- With milliseconds.
function time.now()
	return core.now() / 1000
end

function time.unix()
	return core.now() // 1000
end

-- By the patterns of strftime(3); "!" first: UTC. Without one: RFC 3339 in UTC.
function time.format(moment, pattern)
	if type(moment) == "string" then
		moment, pattern = nil, moment
	end
	return os.date(pattern or "!%Y-%m-%dT%H:%M:%SZ", math.floor(moment or time.unix()))
end

-- RFC 3339 (the zone may be missing: UTC) or a date alone; nil and a message for anything else.
function time.parse(text)
	local y, m, d, rest = tostring(text):match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
	if not y then
		return nil, "'" .. tostring(text) .. "' is not a time"
	end
	local h, min, s, zone = rest:match("^[T ](%d%d):(%d%d):(%d%d)%.?%d*(.*)$")
	if not h and rest ~= "" then
		return nil, "'" .. text .. "' is not a time"
	end
	local sign, zh, zm = (zone or ""):match("^([+-])(%d%d):?(%d%d)$")
	if zone and zone ~= "" and zone ~= "Z" and not sign then
		return nil, "'" .. text .. "' is not a time"
	end
	-- Days since 1970 of a date of the civil calendar.
	y, m, d = math.tointeger(y), math.tointeger(m), math.tointeger(d)
	local year = m <= 2 and y - 1 or y
	local era = year // 400
	local yoe = year - era * 400
	local doy = (153 * (m + (m > 2 and -3 or 9)) + 2) // 5 + d - 1
	local days = era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468
	local moment = days * 86400 + (math.tointeger(h) or 0) * 3600 + (math.tointeger(min) or 0) * 60 + (math.tointeger(s) or 0)
	if sign then
		local offset = math.tointeger(zh) * 3600 + math.tointeger(zm) * 60
		moment = sign == "+" and moment - offset or moment + offset
	end
	return moment
end

function time.add(moment, duration)
	return moment + seconds("add", duration)
end

-- A moment less a duration ("5m"), or the seconds between two moments.
function time.sub(moment, other)
	if type(other) == "number" then
		return moment - other
	end
	return moment - seconds("sub", other)
end

function time.since(moment)
	return time.now() - moment
end

function time.sleep(duration)
	core.sleep(seconds("sleep", duration) * 1000)
end

return time
