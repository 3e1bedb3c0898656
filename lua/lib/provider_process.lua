-- SPDX-License-Identifier: MIT
-- Provider: processes that are there, or not, found by their program or their command line.
local core = ...
local on_disk = core.library("on_disk")
local patience = core.library("patience")
local processes = core.library("processes")

local process = {
	type = "process",
	module = "resource",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present", severity = "high", state = true },
		program = { kind = "line", compare = false },
		pattern = { kind = "line", compare = false },
		user = { kind = "owner", severity = "high", state = true },
		count = { kind = "integer", min = 1, max = 100000, state = true },
		start = { kind = "command", compare = false },
		workdir = { kind = "path", compare = false },
		root = { kind = "path", compare = false },
		wait = { kind = "duration", default = "10s", compare = false },
	},
	impact = {
		[""] = "what these processes do is not done, or is done though it should not be",
		user = "they have other rights than was meant",
		count = "there are more or fewer of them than was meant",
	},
}

function process.validate(desired)
	local re, wrong = core.regex(desired.pattern or "")
	if not re then
		return "'pattern': " .. wrong
	elseif desired.ensure == "absent" and (desired.start or desired.count or desired.user) then
		return "processes that are absent have no 'start', 'count' or 'user'"
	elseif desired.workdir and not desired.start then
		return "'workdir' is for 'start'"
	elseif desired.start and not desired.name:find("^[%w_][%w_.@-]*$") then
		return "'" .. desired.name .. "' is no name for what is started (letters, digits, '_', '-', '.', '@')"
	end
end

local function find(desired)
	return processes.find(desired.program or not desired.pattern and desired.name or nil, desired.pattern)
end

function process.read(desired)
	if processes.are_hidden() then
		return nil, "processes of others are not to be seen here (hidepid)"
	end
	local list = find(desired)
	if not list[1] then
		return { ensure = "absent" }
	end
	local found = #list == 1 and "pid " .. list[1].pid or #list .. " processes"
	return { ensure = "present", user = processes.user_of(list, desired.user), count = #list, found = desired.ensure == "absent" and found or nil }
end

local function spec_of(desired)
	return { place = "processes", name = desired.name, root = desired.root, command = desired.start, workdir = desired.workdir, restart = "never", leaves = true,
		user = core.owner_is_root() and desired.user or nil }
end

-- SIGTERM, and after `wait` SIGKILL, to all at once.
local function end_all(desired)
	local ms = core.duration(desired.wait)
	for _, number in ipairs({ 15, 9 }) do
		for _, one in ipairs(find(desired)) do
			local sent, message = core.send_signal(one.pid, one.start, number)
			if sent == nil then
				return nil, message
			end
		end
		if patience.wait(ms, function() return not find(desired)[1] end) then
			return true
		end
	end
	return nil, "they do not end"
end

local function start(desired)
	local supervised, spec = core.library("supervised"), spec_of(desired)
	return core.library("in_turn")({ { supervised.define, spec }, { supervised.start, spec } })
end

function process.apply(desired, actual)
	if desired.ensure == "absent" then
		return end_all(desired)
	elseif desired.start and actual.ensure == "absent" then
		local ok, message = start(desired)
		if not ok then
			return nil, message
		end
	end
	local ok, left, message = patience.others(process, desired)
	if ok or not left then
		return ok, message
	elseif left.property == "" then
		return nil, "there is no such process after " .. desired.wait .. (desired.start and ", though it was started" or ": say how to start it ('start'), or start who shall")
	elseif left.property == "count" then
		return nil, "there are " .. left.actual .. " of them, not " .. left.expected .. ", and how many is not changed by this"
	end
	return nil, "they run as " .. tostring(left.actual) .. ", and are not ended for that"
end

-- What runs can't be brought back as it was, when it was ended.
function process.image(desired, actual)
	if desired.ensure == "absent" then
		return nil, "processes that were ended are not started again"
	end
	return { ensure = actual.ensure }
end

function process.undo(desired, before)
	return before.ensure ~= "absent" or not desired.start or end_all(desired)
end

function process.watch(desired)
	local list = {}
	for _, one in ipairs(find(desired)) do
		list[#list + 1] = { process = one.pid }
	end
	list[#list + 1] = { poll = 10 }
	return list
end

function process.suggest(desired, actual, name)
	local how = desired.pattern and "-f " .. on_disk.quoted(desired.pattern) or "-x " .. on_disk.quoted(desired.program or desired.name)
	if name == "" and desired.ensure == "absent" then
		return "pkill " .. how
	end
	return "pgrep -a " .. how
end

return process
