-- SPDX-License-Identifier: MIT
-- Tables of cron(8), and the entries in them that have a name: a line of comment with it above each.
local core = ...
local managed_text = core.library("managed_text")
local tool = core.library("tool")
local crontab = {}

crontab.MARK = "# SLOTH_NAME:"

local FIELDS = {
	{ "minute", 0, 59 }, { "hour", 0, 23 }, { "day", 1, 31 }, { "month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec" },
	{ "day of the week", 0, 7, "sun mon tue wed thu fri sat" },
}
local WORDS = " @reboot @yearly @annually @monthly @weekly @daily @midnight @hourly "

local function is_number(text, field)
	local number = text:find("^%d%d?$") and tonumber(text)
	return number and number >= field[2] and number <= field[3] or
		field[4] ~= nil and text:find("^%a+$") ~= nil and (" " .. field[4] .. " "):find(" " .. text:lower() .. " ", 1, true) ~= nil
end

-- "*", "5", "1-5", each with "/2" behind it.
local function is_part(part, field)
	local range, step = part:match("^([^/]+)/(%d+)$")
	range = range or part
	if step and tonumber(step) == 0 then
		return false
	end
	local first, last = range:match("^([^-]+)%-([^-]+)$")
	if first then
		return is_number(first, field) and is_number(last, field) and (tonumber(first) or 0) <= (tonumber(last) or field[3])
	end
	return range == "*" or not step and is_number(range, field)
end

-- nil; or what is wrong with a schedule.
function crontab.wrong(schedule)
	if schedule:find("^@") then
		return not WORDS:find(" " .. schedule .. " ", 1, true) and "there is no schedule '" .. schedule .. "' (" .. WORDS:match("^ (.*) $") .. ")" or nil
	end
	local fields = {}
	for field in schedule:gmatch("%S+") do
		fields[#fields + 1] = field
	end
	if #fields ~= #FIELDS then
		return "a schedule has five fields (minute, hour, day, month, day of the week), or is a word like @daily"
	end
	for i, field in ipairs(fields) do
		for part in (field .. ","):gmatch("([^,]*),") do
			if not is_part(part, FIELDS[i]) then
				return "'" .. field .. "' is no " .. FIELDS[i][1] .. " (" .. FIELDS[i][2] .. " to " .. FIELDS[i][3] .. ', "*", "1-5", "*/2", "1,5")'
			end
		end
	end
end

-- Where a table is: { path, mode, has_user }, or { user } for one that crontab(1) keeps. at = { root, file, user }.
function crontab.place(at)
	if at.file then
		return { path = (at.root or "") .. "/etc/cron.d/" .. at.file, mode = "0644", has_user = true }
	elseif at.root then
		return { path = at.root .. "/var/spool/cron/crontabs/" .. (at.user or "root"), mode = "0600" }
	end
	return { user = at.user }
end

local function words_of(place, ...)
	local words = { "crontab" }
	if place.user then
		words[2], words[3] = "-u", place.user
	end
	for _, word in ipairs({ ... }) do
		words[#words + 1] = word
	end
	return words
end

-- The text; nil: there is none; or nil and a message.
function crontab.read(place)
	if place.path then
		return managed_text.read(place.path)
	end
	local raw, message, failed = tool.run(words_of(place, "-l"))
	if raw then
		return raw.stdout
	end
	return nil, not (failed and failed.stderr:find("no crontab for", 1, true)) and message or nil
end

-- nil: none shall be there.
local function give(place, text)
	local raw, message
	if text then
		raw, message = tool.run(words_of(place, "-"), { stdin = text })
	else
		raw, message = tool.run(words_of(place, "-r"))
	end
	return raw and true or nil, message
end

function crontab.edit(place, change)
	if place.path then
		return managed_text.edit(place.path, place.mode, change)
	end
	local old, message = crontab.read(place)
	if message then
		return nil, message
	end
	return give(place, change(old or ""))
end

function crontab.image(place)
	if place.path then
		return managed_text.image(place.path)
	end
	local text, message = crontab.read(place)
	if message then
		return nil, message
	end
	return { ensure = text and "present" or "absent", text = text }
end

function crontab.undo(place, before, change)
	if place.path then
		return managed_text.undo(place.path, before, change)
	end
	local now, message = crontab.read(place)
	if message then
		return nil, message
	elseif now ~= change(before.text or "") then
		return nil, "other entries of the table were changed since then: it is left as it is"
	end
	return give(place, before.text)
end

-- "*/5 * * * * [user] command", with "# " before it: it is off. nil: it is no entry.
local function parse(line, has_user)
	local rest, off = line:gsub("^#%s*", "")
	local schedule, command = rest:match("^(@%l+)%s+(.+)$")
	if not schedule then
		schedule, command = rest:match("^(%S+%s+%S+%s+%S+%s+%S+%s+%S+)%s+(.+)$")
	end
	if not schedule then
		return nil
	end
	local entry = { schedule = schedule:gsub("%s+", " "), command = command, disabled = off > 0 }
	if has_user then
		entry.user, entry.command = command:match("^(%S+)%s+(.+)$")
	end
	return entry.command and not crontab.wrong(entry.schedule) and entry or nil
end

function crontab.line(entry, has_user)
	return (entry.disabled and "# " or "") .. entry.schedule .. " " .. (has_user and (entry.user or "root") .. " " or "") .. entry.command
end

local function lines_of(text)
	local lines = {}
	for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
		lines[#lines + 1] = line
	end
	return text == "" and {} or lines
end

-- All that have a name: a list of { name, schedule, command, user, disabled, line }; without a schedule: what stands there is no entry.
function crontab.entries(text, has_user)
	local list, lines = {}, lines_of(text)
	for i, line in ipairs(lines) do
		if line:sub(1, #crontab.MARK) == crontab.MARK then
			local next_line = lines[i + 1] or ""
			local entry = parse(next_line, has_user) or {}
			entry.name, entry.line = line:sub(#crontab.MARK + 1):match("^%s*(.-)%s*$"), next_line
			list[#list + 1] = entry
		end
	end
	return list
end

-- How many entries have no name.
function crontab.unnamed(text, has_user)
	local lines, count = lines_of(text), 0
	for i, line in ipairs(lines) do
		local named = i > 1 and lines[i - 1]:sub(1, #crontab.MARK) == crontab.MARK
		if not named and not line:find("^%s*#") and parse(line, has_user) then
			count = count + 1
		end
	end
	return count
end

-- The text with this entry (nil: without it) in the place of all of the name.
function crontab.with(text, name, entry, has_user)
	local lines, kept, at, i = lines_of(text), {}, nil, 1
	while lines[i] do
		local line = lines[i]
		if line:sub(1, #crontab.MARK) == crontab.MARK and line:sub(#crontab.MARK + 1):match("^%s*(.-)%s*$") == name then
			at = at or #kept + 1
			-- Only what is an entry is taken with it.
			i = i + (lines[i + 1] and parse(lines[i + 1], has_user) and 1 or 0)
		else
			kept[#kept + 1] = line
		end
		i = i + 1
	end
	if entry then
		at = at or #kept + 1
		table.insert(kept, at, crontab.MARK .. name)
		table.insert(kept, at + 1, crontab.line(entry, has_user))
	end
	return kept[1] and table.concat(kept, "\n") .. "\n" or ""
end

return crontab
