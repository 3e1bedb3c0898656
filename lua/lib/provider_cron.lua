-- SPDX-License-Identifier: MIT
-- Provider: entries of cron(8), in somebody's table, or in a file of /etc/cron.d.
local core = ...
local accounts = core.library("accounts")
local crontab = core.library("crontab")

local function blanks(text)
	return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

local cron = {
	type = "cron",
	module = "cron",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		schedule = { kind = "line", equal = function(a, b) return blanks(a) == blanks(b) end },
		command = { kind = "line", severity = "high" },
		disabled = { kind = "boolean", default = false },
		user = { kind = "name", compare = false },
		file = { kind = "name", compare = false },
		root = { kind = "path", compare = false },
	},
	impact = {
		[""] = "a job is not run any more, or is run though it should not be",
		schedule = "a job runs at other times than was meant",
		command = "another command than was meant is run at these times",
		disabled = "a job is not run any more, or is run though it should not be",
	},
}

function cron.validate(desired)
	if desired.ensure ~= "absent" and not (desired.schedule and desired.command) then
		return "'schedule' and 'command' are needed"
	elseif desired.name:find("^%s") or desired.name:find("%s$") then
		return "'name' begins and ends with a word"
	elseif desired.file and not desired.file:find("^[%w_-]+$") then
		return "'" .. desired.file .. "' is not the name of a file that cron reads in /etc/cron.d (letters, digits, '_' and '-')"
	elseif desired.user and not accounts.name_ok(desired.user) then
		return "'" .. desired.user .. "' is not the name of a user"
	end
	local wrong = desired.schedule and crontab.wrong(blanks(desired.schedule))
	return wrong or desired.command and desired.command:find("^%s") and "'command' begins with a word" or nil
end

local function entry_of(desired)
	if desired.ensure == "absent" then
		return nil
	end
	return { schedule = blanks(desired.schedule), command = desired.command, disabled = desired.disabled, user = desired.user }
end

local function change_of(desired, place)
	return function(text) return crontab.with(text, desired.name, entry_of(desired), place.has_user) end
end

function cron.read(desired)
	local place = crontab.place(desired)
	local text, message = crontab.read(place)
	local found = {}
	if message then
		return nil, message
	end
	for _, entry in ipairs(crontab.entries(text or "", place.has_user)) do
		found[#found + 1] = entry.name == desired.name and entry or nil
	end
	local one = found[1]
	if not one then
		return { ensure = "absent" }
	elseif found[2] and desired.ensure ~= "absent" then
		return { ensure = "replaced", found = #found .. " entries of this name" }
	elseif not one.schedule or place.has_user and one.user ~= (desired.user or "root") and desired.ensure ~= "absent" then
		return { ensure = desired.ensure == "absent" and "present" or "replaced", found = one.user and "one of " .. one.user .. "'s" or "no entry" }
	end
	return { ensure = "present", schedule = one.schedule, command = one.command, disabled = one.disabled }
end

function cron.apply(desired)
	local place = crontab.place(desired)
	return crontab.edit(place, change_of(desired, place))
end

function cron.image(desired)
	return crontab.image(crontab.place(desired))
end

function cron.undo(desired, before)
	local place = crontab.place(desired)
	return crontab.undo(place, before, change_of(desired, place))
end

-- Entries without a name can't be told from one another: they are counted only.
function cron.list(pattern, given)
	local place = crontab.place(given)
	local text, message = crontab.read(place)
	if message then
		return nil, message
	end
	local meant, list, notes = core.library("selector").names(pattern), {}, {}
	for _, entry in ipairs(crontab.entries(text or "", place.has_user)) do
		if entry.schedule and meant(entry.name) then
			list[#list + 1] = { name = entry.name, schedule = entry.schedule, command = entry.command, disabled = entry.disabled,
				user = place.has_user and (given.user or entry.user) or given.user, file = given.file, root = given.root }
		end
	end
	local unnamed = crontab.unnamed(text or "", place.has_user)
	if unnamed > 0 then
		notes[1] = unnamed .. (unnamed == 1 and " entry has" or " entries have") .. " no name: a line '" .. crontab.MARK .. " NAME' above gives one"
	end
	return list, notes
end

function cron.watch(desired)
	local path = crontab.place(desired).path
	return { path or { poll = 60 } } -- of what crontab(1) keeps only root may look at the folder
end

function cron.deps(desired)
	return desired.user and not desired.root and { { type = "user", name = desired.user } } or {}
end

return cron
