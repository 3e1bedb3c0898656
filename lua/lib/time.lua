-- SPDX-License-Identifier: MIT
-- time: moments are seconds since 1970, durations seconds or "5m".
local core = ...
local layouts = core.library("time_layouts")
local time = {}

local function seconds(fn, duration)
	local negative = type(duration) == "string" and duration:match("^%-(.*)$")
	local ms = core.duration(negative or duration)
	if not ms then
		core.fail("time." .. fn .. ": '" .. tostring(duration) .. "' is not a duration (\"90s\", \"5m\", \"1h30m\", or seconds)")
	end
	ms = negative and -ms or ms
	return ms % 1000 == 0 and ms // 1000 or ms / 1000
end

local function moment_of(fn, moment)
	if type(moment) ~= "number" then
		core.fail("time." .. fn .. ": a moment is a number of seconds since 1970, not a " .. type(moment))
	end
	return moment
end

local function whole(moment)
	return math.tointeger(moment) or moment
end

-- With milliseconds.
function time.now()
	return core.now() / 1000
end

-- Whole seconds; those of a moment.
function time.unix(moment)
	return moment == nil and core.now() // 1000 or math.floor(moment_of("unix", moment))
end

function time.unix_nano()
	return core.now() * 1000000
end

-- format([moment] [, pattern]): of strftime(3) ("!" first: UTC), or in Go's way by an example ("2006-01-02 15:04"). Without one: RFC 3339 in UTC.
function time.format(moment, pattern)
	if type(moment) == "string" then
		moment, pattern = nil, moment
	end
	moment = math.floor(moment_of("format", moment or time.unix()))
	if pattern == nil then
		return os.date("!%Y-%m-%dT%H:%M:%SZ", moment)
	elseif not pattern:find("%", 1, true) then
		pattern = layouts.pattern(pattern)
	end
	local ok, text = pcall(os.date, pattern, moment)
	if not ok or type(text) ~= "string" then
		core.fail("time.format: '" .. pattern .. "' is no pattern of strftime(3), or the moment is out of range")
	end
	return text
end

function time.rfc3339(moment)
	return time.format(moment or time.unix())
end

-- parse(text [, pattern]), also parse(pattern, text) as of Go. Without a pattern RFC 3339 (UTC where no zone is said) or a date alone. Nil and
-- a message for anything else.
function time.parse(text, pattern)
	if type(text) ~= "string" or (pattern ~= nil and type(pattern) ~= "string") then
		core.fail("time.parse: 'text' must be a string, not a " .. type(text))
	end
	if pattern and layouts.is_layout(text) and not layouts.is_layout(pattern) then
		text, pattern = pattern, text
	end
	local moment = layouts.parse(text, pattern)
	if not moment then
		return nil, "'" .. text .. "' is not a time" .. (pattern and " like '" .. pattern .. "'" or "")
	end
	return moment
end

function time.add(moment, duration)
	return whole(moment_of("add", moment) + seconds("add", duration))
end

-- A moment less a duration ("5m"), or the seconds between two moments.
function time.sub(moment, other)
	if type(other) == "number" then
		return moment_of("sub", moment) - other
	end
	return whole(moment_of("sub", moment) - seconds("sub", other))
end

-- "1h30m" → 5400
function time.duration(duration)
	return seconds("duration", duration)
end

function time.since(moment)
	return time.now() - moment_of("since", moment)
end

time["until"] = function(moment)
	return moment_of("until", moment) - time.now()
end

function time.truncate(moment, duration)
	local step = seconds("truncate", duration)
	return step > 0 and whole(moment_of("truncate", moment) // step * step) or moment
end

function time.round(moment, duration)
	local step = seconds("round", duration)
	return step > 0 and whole((moment_of("round", moment) + step / 2) // step * step) or moment
end

function time.before(a, b) return moment_of("before", a) < moment_of("before", b) end
function time.after(a, b) return moment_of("after", a) > moment_of("after", b) end
function time.equal(a, b) return moment_of("equal", a) == moment_of("equal", b) end

-- Parts of a moment, in the zone of the run.
local function part(name, pattern)
	return function(moment)
		local text = os.date(pattern, math.floor(moment_of(name, moment or time.unix())))
		return math.tointeger(tonumber(text)) or text
	end
end
time.year, time.month, time.day = part("year", "%Y"), part("month", "%m"), part("day", "%d")
time.hour, time.minute, time.second = part("hour", "%H"), part("minute", "%M"), part("second", "%S")
time.weekday = part("weekday", "%A")

function time.sleep(duration)
	core.sleep(seconds("sleep", duration) * 1000)
end

return time
