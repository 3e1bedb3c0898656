-- SPDX-License-Identifier: MIT
-- Services that a supervisor of ours keeps running (lua/supervise.h), where no systemd does. Each has a folder: below
-- /var/lib/sloth/services, or in the home of who is not root.
local core = ...
local in_turn = core.library("in_turn")
local managed_text = core.library("managed_text")
local on_disk = core.library("on_disk")
local patience = core.library("patience")
local processes = core.library("processes")
local supervised = {}

local START_MS = 20000 -- until a supervisor has said something
local SETTLE_MS = 250 -- what ends so soon was not started
local SPARE_MS = 5000 -- that a supervisor has to end its command beyond the time that this one has
local LOG_LINES, LOG_BYTES = 5, 2000 -- that are told of one that failed
local TERM, KILL, HUP = 15, 9, 1

-- Properties that the supervisor is told of, with their names in its spec.
local told = { "command", "workdir", "user", "env", "restart", "restart_delay", "stop_signal", "stop_timeout" }

function supervised.folder(desired)
	local base = "/var/lib"
	if desired.root then
		base = desired.root .. base
	elseif not core.owner_is_root() then
		base = (core.getenv("HOME") or "") .. "/.local/state"
	end
	return base .. "/sloth/" .. (desired.place or "services") .. "/" .. desired.name
end

-- Of all that there are.
function supervised.names(desired)
	local base = supervised.folder({ root = desired.root, name = "" }):gsub("/$", "")
	local names = {}
	for _, name in ipairs(fs.ls(base) or {}) do
		names[#names + 1] = core.exists(base .. "/" .. name .. "/spec.json") and name or nil
	end
	return names
end

-- Whether its folder is there. What stands in it is believed, and done with our rights: nobody else may write there.
local function check_folder(folder)
	return on_disk.at(folder, false, function(at)
		local st, message = core.look(at)
		if not st then
			return nil, message
		elseif st.type ~= "directory" or st.uid ~= on_disk.own_uid() or tonumber(st.mode, 8) & 63 ~= 0 then
			return nil, folder .. " is not a directory that is ours alone (mode 0700)"
		end
		return true
	end)
end

local function json_file(path)
	local text, message = managed_text.read(path)
	return text and json.decode(text), message
end

local function is_here(pid)
	local namespace = core.readlink("/proc/" .. pid .. "/ns/mnt")
	return namespace ~= nil and namespace == core.readlink("/proc/self/ns/mnt")
end

local function is_alive(pid, start)
	return pid ~= nil and pid > 0 and processes.start(pid) == start
end

-- Supervisors of the folder, also when it is gone: by the words that they were started with. In a container a folder of that name is another one.
local function supervisors(folder)
	local list, uid = {}, on_disk.own_uid()
	for _, one in ipairs(processes.list(true)) do
		if one.uid == uid and one.command == "sloth-runner --supervise " .. folder and is_here(one.pid) then
			list[#list + 1] = one
		end
	end
	return list
end

-- { spec, status, up: it has a supervisor, running, stray: it runs without one, lost: a supervisor whose folder is gone }; or nil and a
-- message.
function supervised.look(desired)
	local folder = supervised.folder(desired)
	local there, message = check_folder(folder)
	if not there then
		return message == nil and { folder = folder, lost = supervisors(folder)[1] } or nil, message
	end
	local one = { folder = folder }
	one.spec, message = json_file(folder .. "/spec.json")
	if message then
		return nil, message
	end
	local status = json_file(folder .. "/status.json")
	local boot = core.library("machine").read("/proc/sys/kernel/random/boot_id") or ""
	one.status = status and boot:find(status.boot or "?", 1, true) and status or nil
	if one.status then
		one.up = is_alive(one.status.supervisor, one.status.supervisor_start)
		local alive = is_alive(one.status.pid, one.status.start)
		one.running, one.stray = one.up and alive, alive and not one.up
	end
	return one
end

-- The spec as the supervisor reads it; the properties stand in it as they are wanted, too. What is not said stays.
local function spec_of(desired, before)
	local wanted = {}
	for _, name in ipairs(told) do
		wanted[name] = desired[name]
		if wanted[name] == nil and before then
			wanted[name] = before[name]
		end
	end
	return {
		wanted = wanted, leaves = desired.leaves, command = wanted.command, workdir = wanted.workdir, user = wanted.user, env = wanted.env,
		restart = wanted.restart or "on-failure", delay_ms = core.duration(wanted.restart_delay or "1s"),
		grace_ms = core.duration(wanted.stop_timeout or "10s"), stop_signal = core.signal_number(wanted.stop_signal or "TERM"),
	}
end

local function make_folder(folder)
	local ok, message = on_disk.work(folder, true, function(at)
		return core.look(at) and true or core.make_directory(at, 448)
	end)
	if ok then
		ok, message = check_folder(folder)
	end
	return ok, message
end

function supervised.define(desired)
	local folder = supervised.folder(desired)
	local path = folder .. "/spec.json"
	local function write()
		local before = json_file(path)
		local text = json.encode(spec_of(desired, before and before.wanted), true) .. "\n"
		return managed_text.edit(path, "0600", function() return text end)
	end
	return in_turn({ { make_folder, folder }, { write } })
end

-- The end of its log, since it was started.
local function last_words(folder)
	local text = ("\n" .. (managed_text.read(folder .. "/log") or "")):gsub("^.*\n%[sloth [^\n]* it starts", "")
	local lines = {}
	for line in text:sub(-LOG_BYTES):gmatch("[^\n]+") do
		lines[#lines + 1] = not line:find("^%[sloth ") and line or nil
	end
	local said = table.concat(lines, "; ", math.max(1, #lines - LOG_LINES + 1))
	return said ~= "" and " (" .. said .. ")" or ""
end

-- Once more, when a spec is there. true, or nil and a message.
function supervised.start(desired)
	local folder = supervised.folder(desired)
	on_disk.at(folder .. "/status.json", false, function(at) return core.look(at) and core.unlink(at) end)
	local pid, message = core.supervise(folder)
	if not pid then
		return nil, message
	end
	local status
	patience.wait(START_MS, function()
		status = json_file(folder .. "/status.json")
		return status ~= nil or processes.start(pid) == nil
	end)
	status = status or json_file(folder .. "/status.json")
	if not status then
		return nil, "its supervisor ended before it said anything: " .. folder .. " must be ours alone, and nobody else's supervisor there"
	elseif not desired.leaves then
		patience.wait(SETTLE_MS, function()
			status = json_file(folder .. "/status.json") or status
			return status.state ~= "running"
		end)
	end
	local ended_well = desired.leaves and status.state == "ended"
	if status.state == "running" or ended_well then
		return true
	end
	return nil, (status.text or status.state) .. last_words(folder)
end

local function end_process(pid, start, ms)
	local sent, message = core.send_signal(pid, start, TERM)
	if sent == nil then
		return nil, message
	end
	local function gone()
		return processes.start(pid) ~= start
	end
	if not sent or patience.wait(ms, gone) then
		return true
	end
	core.send_signal(pid, start, KILL)
	return patience.wait(SPARE_MS, gone) or nil, "process " .. pid .. " does not end"
end
supervised.end_process = end_process

function supervised.stop(desired)
	local one, message = supervised.look(desired)
	if not one then
		return nil, message
	end
	local ms = one.spec and one.spec.grace_ms or 10000
	for _, lost in ipairs(not one.up and supervisors(one.folder) or {}) do
		local ok
		ok, message = end_process(lost.pid, lost.start, ms + SPARE_MS)
		if not ok then
			return nil, message
		end
	end
	if one.up then
		return end_process(one.status.supervisor, one.status.supervisor_start, ms + SPARE_MS)
	elseif one.stray then
		return end_process(one.status.pid, one.status.start, ms)
	end
	return true
end

-- Its command gets a SIGHUP.
function supervised.reload(desired)
	local one, message = supervised.look(desired)
	if not one or not one.running then
		return nil, message or "it does not run"
	end
	local sent
	sent, message = core.send_signal(one.status.pid, one.status.start, HUP)
	return sent or nil, message or "it does not run"
end

local function remove(desired)
	local ok, message = supervised.stop(desired)
	if not ok then
		return nil, message
	end
	local folder = supervised.folder(desired)
	return on_disk.work(folder, false, function(at, anchor)
		if not core.look(at) then
			return true
		end
		local removed, text = pcall(core.remove_tree, at)
		if not removed then
			return nil, tostring(text)
		end
		return core.sync(anchor.folder)
	end)
end

local TICK_MS = 10 -- of the start time in /proc

-- When it was started, by the clock as it goes now: it may have been set since.
local function since(status)
	local up = tonumber((core.library("machine").read("/proc/uptime") or ""):match("^%S+"))
	local by_uptime = up and status.start and core.now() - math.floor(up * 1000) + status.start * TICK_MS
	return by_uptime and math.abs(by_uptime - status.since) > 1000 and by_uptime or status.since
end

-- As a backend of the provider.

-- What runs is told before what would run the next time.
function supervised.read(desired)
	local one, message = supervised.look(desired)
	if not one then
		return nil, message
	elseif one.lost then
		return { ensure = desired.ensure == "absent" and "present" or "replaced", found = "one whose folder is gone (pid " .. one.lost.pid .. ")" }
	elseif not one.spec then
		return { ensure = "absent" }
	end
	local actual = { ensure = "present", running = one.running or false, started_ms = one.running and since(one.status) or nil }
	local wanted, current = one.spec.wanted or {}, one.running and one.status.spec.wanted or one.spec.wanted or {}
	for _, name in ipairs(told) do
		local same = core.library("property").same(current[name], desired[name])
		actual[name] = (same and wanted or current)[name]
	end
	return actual
end

function supervised.apply(desired, actual)
	if desired.ensure == "absent" then
		return remove(desired)
	end
	-- Also one that waits for its next start, and would be in the way of another.
	local starts = desired.running or desired.running == nil and actual.running
	return in_turn({ { supervised.stop, desired }, { supervised.define, desired }, starts and { supervised.start, desired } or nil })
end

function supervised.image(desired, actual)
	if actual.ensure == "absent" then
		return { ensure = "absent" }
	end
	local text, message = managed_text.read(supervised.folder(desired) .. "/spec.json")
	return text and { ensure = "present", text = text, running = actual.running }, message
end

function supervised.undo(desired, before)
	if before.ensure == "absent" then
		return remove(desired)
	end
	local folder = supervised.folder(desired)
	return in_turn({
		{ supervised.stop, desired }, { make_folder, folder },
		{ managed_text.edit, folder .. "/spec.json", "0600", function() return before.text end },
		before.running and { supervised.start, desired } or nil,
	})
end

function supervised.watch(desired)
	local one = supervised.look(desired)
	local folder = supervised.folder(desired)
	local list = { folder .. "/spec.json", folder .. "/status.json" }
	if one and one.running then
		list[#list + 1] = { process = one.status.pid }
		list[#list + 1] = { process = one.status.supervisor }
	end
	return list
end

return supervised
