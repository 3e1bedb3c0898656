-- SPDX-License-Identifier: MIT
-- Provider: services: units of systemd, or where it does not run, commands that a supervisor of ours keeps running.
local core = ...
local on_disk = core.library("on_disk")

local BACKENDS = { systemd = "units", supervised = "supervised" }

local service = {
	type = "service",
	module = "systemd",
	key = "name",
	properties = {
		name = { kind = "name", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		running = { kind = "boolean", severity = "high", state = true },
		enabled = { kind = "boolean" },
		unit = { kind = "text", severity = "high" },
		command = { kind = "command", severity = "high" },
		workdir = { kind = "path" },
		user = { kind = "name", severity = "high" },
		env = { kind = "map" },
		restart = { kind = "word", words = { "always", "on-failure", "never" } },
		restart_delay = { kind = "duration" },
		stop_signal = { kind = "name" },
		stop_timeout = { kind = "duration" },
		restart_on = { kind = "set", state = true },
		description = { kind = "line", compare = false },
		backend = { kind = "word", words = { "systemd", "supervised" }, compare = false },
		root = { kind = "path", compare = false },
	},
	impact = {
		[""] = "there is no such service, or one that should not be there",
		running = "what the service does is not done, or is done though it should not be",
		enabled = "the service is not there after the next start of the machine, or is there though it should not be",
		unit = "the service runs otherwise than was meant",
		command = "another command than was meant is kept running",
		user = "the service has other rights than was meant",
		restart_on = "the service works with what it read before these files were changed",
	},
}

local OF_COMMANDS = { "workdir", "user", "env", "restart", "restart_delay", "stop_signal", "stop_timeout", "description" }

local function wrong_with_command(desired)
	for _, name in ipairs(OF_COMMANDS) do
		if desired[name] ~= nil and not desired.command then
			return "'" .. name .. "' is for a 'command'" .. (desired.unit and "; a unit says it itself" or "")
		end
	end
	if desired.command and desired.unit then
		return "either 'unit' or 'command'"
	elseif desired.stop_signal and not core.signal_number(desired.stop_signal) then
		return "'" .. desired.stop_signal .. "' is no signal"
	end
end

function service.validate(desired)
	if not desired.name:find("^[%w_][%w_.@\\-]*$") or #desired.name > 200 then
		return "'" .. desired.name .. "' is no name of a service (letters, digits, '_', '-', '.', '@')"
	end
	if desired.stop_signal then
		desired.stop_signal = desired.stop_signal:upper():gsub("^SIG", "")
	end
	for i, path in ipairs(desired.restart_on or {}) do
		desired.restart_on[i] = core.library("property").path(path)
	end
	if desired.ensure == "absent" and (desired.unit or desired.command or desired.running or desired.enabled) then
		return "a service that is absent has no 'unit' or 'command', and does not run"
	end
	return wrong_with_command(desired)
end

-- Which one it is; or nil and a message.
local function backend_of(desired)
	if desired.backend then
		return desired.backend
	elseif desired.root then
		local there = core.exists(desired.root .. "/usr/lib/systemd/systemd") or core.exists(desired.root .. "/lib/systemd/systemd")
		return there and "systemd" or "supervised"
	elseif core.library("units").runs_here() then
		return "systemd"
	elseif desired.command or (core.library("supervised").read(desired) or {}).ensure == "present" then
		return "supervised"
	end
	return nil, "systemd does not run here, and there is no 'command' that could be kept running instead"
end

-- What everybody would be told by systemctl show, and nobody shall be; nil: nothing. `env` or `command`.
local function told_secret(desired)
	local said = { env = desired.env, command = desired.command }
	local list = core.run().stack and core.call("resource.sealed", { type = "service", name = desired.name, properties = said })
	return list and list[1]
end

-- What only a supervised one is not, and a unit made of a command.
function service.prepare(desired)
	local backend, message = backend_of(desired)
	if not backend then
		return nil, message
	elseif backend == "supervised" and (desired.unit or desired.enabled ~= nil) then
		return nil, "a supervised service has no 'unit', and is not started with the machine ('enabled'): systemd does that, and does not run here"
	elseif backend == "supervised" and desired.ensure ~= "absent" and not desired.command then
		return nil, "'command' is missing"
	end
	desired.backend = backend
	if desired.ensure ~= "absent" and desired.running == nil and (desired.command or not desired.unit and desired.enabled == nil) then
		desired.running = true
	end
	local secret = backend == "systemd" and desired.command and told_secret(desired)
	if secret then
		return nil, "'" .. secret .. "' has a secret in it, and systemctl show tells everybody what a unit says: put it into a file of " ..
			"mode 0600, which a 'unit' names as EnvironmentFile"
	elseif backend == "systemd" and desired.command then
		desired.unit = core.library("units").of_service(desired)
		desired.command = nil
		for _, name in ipairs(OF_COMMANDS) do
			desired[name] = nil
		end
	end
	return true
end

local function backend(desired)
	return core.library(BACKENDS[desired.backend or "systemd"])
end

-- Of the files those that were there as they are when it started. One whose time is yet to come was changed before the clock was set back, nobody
-- knows when.
local function read_before(paths, started_ms)
	local now_ms = core.now() + 1000
	local list = {}
	for _, path in ipairs(paths) do
		local st = on_disk.at(path, false, function(at) return core.look(at) end)
		if not st or st.changed_ms <= started_ms or st.changed_ms > now_ms then
			list[#list + 1] = path
		end
	end
	return core.mark_list(list)
end

function service.read(desired)
	local actual, message = backend(desired).read(desired)
	if actual and desired.restart_on then
		actual.restart_on = actual.running and actual.started_ms and read_before(desired.restart_on, actual.started_ms) or desired.restart_on
	end
	if actual then
		actual.started_ms = nil
	end
	return actual, message
end

function service.apply(desired, actual, changes)
	return backend(desired).apply(desired, actual, changes)
end

function service.image(desired, actual)
	return backend(desired).image(desired, actual)
end

function service.undo(desired, before)
	return backend(desired).undo(desired, before)
end

function service.watch(desired)
	local list = backend(desired).watch(desired)
	for _, path in ipairs(desired.restart_on or {}) do
		list[#list + 1] = path
	end
	return list
end

function service.deps(desired)
	return desired.user and not desired.root and { { type = "user", name = desired.user } } or {}
end

local function all_names(given)
	local kind = given.backend or given.root and backend_of(given) or core.library("units").runs_here() and "systemd" or "supervised"
	local names, message = core.library(BACKENDS[kind]).names(given)
	return names, kind, message
end

-- What is known of it, without texts of units: those are the package's, or files.
local function as_it_is(name, given, kind)
	local desired = { name = name, backend = kind, root = given.root }
	local actual, message = backend(desired).read(desired)
	if not actual or actual.ensure ~= "present" then
		return nil, message and name .. ": " .. message
	end
	for _, property in ipairs({ "running", "enabled", "command", table.unpack(OF_COMMANDS) }) do
		desired[property] = actual[property]
	end
	return desired
end

-- Of systemd those that are enabled or run; of ours all.
function service.list(pattern, given)
	local names, kind, message = all_names(given)
	if not names then
		return nil, message
	end
	local meant, list, notes = core.library("selector").names(pattern), {}, {}
	for _, name in ipairs(names) do
		if meant(name) then
			local found
			found, message = as_it_is(name, given, kind)
			local of_use = found and (kind == "supervised" or found.enabled or found.running)
			list[#list + 1], notes[#notes + 1] = of_use and found or nil, message
		end
	end
	return list, notes
end

local verbs = {
	running = function(desired) return desired.running and "start" or "stop" end,
	enabled = function(desired) return desired.enabled and "enable" or "disable" end,
	restart_on = function() return "restart" end,
}

function service.suggest(desired, actual, name)
	local verb = verbs[name] and not desired.root and (desired.backend or "systemd") == "systemd" and verbs[name](desired)
	return verb and "systemctl " .. verb .. " " .. on_disk.quoted(desired.name) or nil
end

return service
