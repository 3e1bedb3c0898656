-- SPDX-License-Identifier: MIT
-- Provider: what only commands of the user know: one that says whether it is so, one that brings it about, one that takes it back.
local core = ...

local command = {
	type = "command",
	module = "resource",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		check = { kind = "command", required = true, compare = false },
		apply = { kind = "command", compare = false },
		undo = { kind = "command", compare = false },
		workdir = { kind = "path", compare = false },
		timeout = { kind = "duration", default = "5m", compare = false },
		every = { kind = "duration", default = "5m", compare = false },
	},
	impact = { [""] = "what this command brought about is not so any more, or is though it should not be" },
}

function command.validate(desired)
	local needed = desired.ensure == "absent" and "undo" or "apply"
	return not desired[needed] and "'" .. needed .. "' is missing" or nil
end

local function run(desired, what)
	local given = desired[what]
	local list = type(given) == "table"
	return core.exec({ command = not list and given or nil, arguments = list and given or nil, workdir = desired.workdir, timeout_ms = core.duration(desired.timeout),
		capture = true, quiet = what == "check" })
end

local function said(raw, what)
	local text = (raw.stderr ~= "" and raw.stderr or raw.stdout):gsub("%s+$", "")
	return "'" .. what .. "' " .. (raw.timed_out and "took too long" or "ended with status " .. raw.exit_code) .. (text ~= "" and ": " .. text:sub(-500) or "")
end

-- 0: it is so; another status: it is not. What can't be run, was ended or took too long says nothing.
function command.read(desired)
	local raw = run(desired, "check")
	if raw.timed_out or raw.exit_code >= 126 then
		return nil, said(raw, "check")
	end
	return { ensure = raw.exit_code == 0 and "present" or "absent" }
end

local function act(desired, what)
	local raw = run(desired, what)
	if raw.timed_out or raw.exit_code ~= 0 then
		return nil, said(raw, what)
	end
	return true
end

function command.apply(desired)
	return act(desired, desired.ensure == "absent" and "undo" or "apply")
end

local function back(desired)
	return desired.ensure == "absent" and "apply" or "undo"
end

function command.image(desired, actual)
	if not desired[back(desired)] then
		return nil, "it has no '" .. back(desired) .. "'"
	end
	return { ensure = actual.ensure }
end

function command.undo(desired)
	return act(desired, back(desired))
end

-- Only 'check' can tell.
function command.watch(desired)
	local seconds = core.duration(desired.every) / 1000
	return seconds > 0 and { { poll = seconds } } or nil
end

return command
