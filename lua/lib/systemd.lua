-- SPDX-License-Identifier: MIT
-- systemd: services. Those that change something give what result.lua says, and register the service.
local core = ...
local declared = core.library("declared")
local result = core.library("result")
local services = core.library("services")
local units = core.library("units")
local systemd = {}

local aliases = { service = "name", unit = "name", working_dir = "working_directory", workdir = "working_directory", env = "environment" }

local kinds = {
	name = "string", root = "string?", state = "string?", no_header = "boolean?",
	description = "string?", documentation = "string?", after = "any?", before = "any?", wants = "any?", requires = "any?", type = "string?", exec_start = "string",
	exec_start_pre = "any?", exec_stop = "any?", exec_reload = "any?", user = "string?", group = "string?", working_directory = "string?", environment = "table?",
	environment_file = "any?", restart = "string?", restart_sec = "any?", wanted_by = "any?",
}

local function read(fn, names, ...)
	fn = "systemd." .. fn
	local known = {}
	for _, name in ipairs(names) do
		known[name] = kinds[name]
	end
	local args = declared.read(fn, names, known, aliases, ...)
	args.root = args.root and core.path(args.root)
	return args, fn
end

-- resource.service with what is registered of it.
local function amend(fn, args, changes)
	core.acts(fn)
	changes.root = args.root
	changes.backend = declared.properties("service", args.name, args.root).backend
	if not changes.backend then
		local message
		changes.backend, message = services.backend(args.name, args.root)
		if not changes.backend then
			return result.bad(fn .. ": " .. message)
		end
	end
	return declared.amend("service", args.name, changes)
end

-- Keys of a unit, in their order, with the names of arguments.
local sections = {
	{ "Unit", { { "Description", "description" }, { "Documentation", "documentation" }, { "After", "after" }, { "Before", "before" }, { "Wants", "wants" },
		{ "Requires", "requires" } } },
	{ "Service", { { "Type", "type" }, { "ExecStartPre", "exec_start_pre" }, { "ExecStart", "exec_start" }, { "ExecReload", "exec_reload" },
		{ "ExecStop", "exec_stop" }, { "User", "user" }, { "Group", "group" }, { "WorkingDirectory", "working_directory" }, { "EnvironmentFile", "environment_file" },
		{ "Environment", "environment" }, { "Restart", "restart" }, { "RestartSec", "restart_sec" } } },
	{ "Install", { { "WantedBy", "wanted_by" } } },
}
local CREATE = { "name", "root" }
for _, section in ipairs(sections) do
	for _, pair in ipairs(section[2]) do
		CREATE[#CREATE + 1] = pair[2]
	end
end

local function unit_text(args)
	local all = {}
	for i, section in ipairs(sections) do
		local pairs_of = {}
		for j, pair in ipairs(section[2]) do
			pairs_of[j] = { pair[1], args[pair[2]] }
		end
		all[i] = { section[1], pairs_of }
	end
	return units.text(all)
end

-- create_service(name, { exec_start, … }): its file. It is neither started nor enabled by that; one that runs is restarted when it is changed.
function systemd.create_service(...)
	local args, fn = read("create_service", CREATE, ...)
	args.description = args.description or args.name
	args.wanted_by = args.wanted_by or "multi-user.target"
	args.environment = units.environment(args.environment)
	local ok, text = pcall(unit_text, args)
	if not ok then
		core.fail(fn .. ": " .. tostring(text):gsub("^.-:%d+: ", ""))
	end
	return amend(fn, args, { unit = text })
end

local function setter(fn_name, property, value)
	systemd[fn_name] = function(...)
		local args, fn = read(fn_name, { "name", "root" }, ...)
		return amend(fn, args, { [property] = value })
	end
end
setter("start", "running", true)
setter("stop", "running", false)
setter("enable", "enabled", true)
setter("disable", "enabled", false)

local function actor(verb, done)
	systemd[verb] = function(...)
		local args, fn = read(verb, { "name", "root" }, ...)
		core.acts(fn)
		local ok, message = services.act(verb, { name = args.name, root = args.root })
		if not ok then
			return result.bad(fn .. ": " .. args.name .. ": " .. message, { name = args.name })
		end
		return result.good(true, args.name .. " was " .. done, { name = args.name })
	end
end
actor("restart", "restarted")
actor("reload", "reloaded")

function systemd.daemon_reload(...)
	local _, fn = read("daemon_reload", {}, ...)
	core.acts(fn)
	local ok, message = units.act(nil, "daemon-reload")
	if not ok then
		return result.bad(fn .. ": " .. message)
	end
	return result.good(true, "systemd has read its units again")
end

-- Stops and disables it, and takes its file away.
function systemd.remove_service(...)
	local args, fn = read("remove_service", { "name", "root" }, ...)
	core.acts(fn)
	local backend, message = services.backend(args.name, args.root)
	if not backend then
		return result.bad(fn .. ": " .. message)
	end
	return core.library("resource").service({ name = args.name, root = args.root, ensure = "absent", backend = backend })
end

-- What asks: a value, or nil and a message.

-- true or false, and the state in a word.
function systemd.is_active(...)
	local args = read("is_active", { "name", "root" }, ...)
	return services.is_active(args.name, args.root)
end

function systemd.is_enabled(...)
	local args = read("is_enabled", { "name", "root" }, ...)
	return services.is_enabled(args.name, args.root)
end

function systemd.status(...)
	local args = read("status", { "name", "root" }, ...)
	return services.status(args.name, args.root)
end

function systemd.show(...)
	local args = read("show", { "name" }, ...)
	return units.text_of("show", units.full_name(args.name))
end

-- A text, a line a service.
function systemd.list_services(...)
	local args = read("list_services", { "state", "no_header" }, ...)
	return units.text_of("list-units", "--type=service", "--all", "--plain", args.state and "--state=" .. args.state, args.no_header and "--no-legend")
end

return systemd
