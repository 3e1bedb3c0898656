-- SPDX-License-Identifier: MIT
-- infra_test: assertions about this host. Each gives true, or raises what is otherwise.
local core = ...
local arguments = core.library("arguments")
local property = core.library("property")
local infra_test = {}

local kinds = {
	path = "string", pattern = "string", mode = "any", owner = "any", group = "any", size = "number", port = "number", host = "string", timeout_ms = "any?",
	count = "number", packets = "number?", name = "string", version = "string", command = "any", output = "string", target = "string?",
}
local aliases = { cmd = "command", user = "owner", expected_output = "output", expected = "output", service = "name", package = "name", delegate_to = "target",
	agent = "target", timeout = "timeout_ms", file = "path", text = "pattern" }

-- One argument may have an alias that is the name of another.
local function renamed(names, args)
	local own, renamed_args = {}, {}
	for _, name in ipairs(names) do
		own[name] = true
	end
	for key, value in pairs(args) do
		renamed_args[own[key] and key or own[aliases[key]] and aliases[key] or key] = value
	end
	return renamed_args
end

local function read(fn, names, ...)
	local known, first = {}, ...
	for _, name in ipairs(names) do
		known[name] = kinds[name]
	end
	if select("#", ...) == 1 and type(first) == "table" and getmetatable(first) == nil then
		return arguments.read(fn, names, known, first[1] ~= nil and { [names[1]] = first } or renamed(names, first))
	end
	return arguments.read(fn, names, known, ...)
end

local function raise(fn, message)
	core.error(core.where() .. ": " .. fn .. ": " .. message, 0)
end

-- names: of its arguments; check(args) gives true, or nothing and what is otherwise.
local function define(name, names, check, acts)
	names[#names + 1] = "target"
	infra_test[name] = function(...)
		local fn = "infra_test." .. name
		local args = read(fn, names, ...)
		if acts then
			core.acts(fn)
		end
		if args.target and args.target ~= "local" and not core.is_this_host(args.target) then
			raise(fn, "no agent '" .. args.target .. "' is known: what is tested is this host")
		end
		local ok, message = check(args)
		return ok or raise(fn, message)
	end
end

-- Whether a text has it in it, as it is or by a regular expression.
local function has(text, pattern)
	if text:find(pattern, 1, true) then
		return true
	end
	local re = core.regex(pattern, true)
	return re and re:find(text, 1) ~= nil
end

local function otherwise(what, is, wanted)
	return nil, what .. " is " .. tostring(is) .. ", not " .. tostring(wanted)
end

-- Files. Links are followed.

local function with_stat(check)
	return function(args)
		local st, message = core.stat(core.path(args.path))
		if not st then
			return nil, message
		end
		return check(args, st)
	end
end

local function is_type(wanted, word)
	return with_stat(function(args, st) return st.type == wanted or nil, args.path .. " is a " .. st.type .. ", and no " .. word end)
end

define("file_exists", { "path" }, with_stat(function() return true end))
define("is_file", { "path" }, is_type("file", "file"))
define("is_directory", { "path" }, is_type("directory", "directory"))

define("file_contains", { "path", "pattern" }, function(args)
	local text, message = core.read(core.path(args.path))
	if not text then
		return nil, message
	end
	return has(text, args.pattern) or nil, args.path .. " has no '" .. args.pattern .. "' in it"
end)

define("file_mode", { "path", "mode" }, with_stat(function(args, st)
	local wanted = property.kinds.mode.normalise(args.mode, nil, "infra_test.file_mode")
	if st.mode == wanted then
		return true
	end
	return otherwise("the mode of " .. args.path, st.mode, wanted)
end))

local function whose(name, id)
	return with_stat(function(args, st)
		if property.kinds[name].equal(tostring(args[name]), tostring(st[id])) then
			return true
		end
		return otherwise("the " .. name .. " of " .. args.path, st[name] or st[id], args[name])
	end)
end
define("file_owner", { "path", "owner" }, whose("owner", "uid"))
define("file_group", { "path", "group" }, whose("group", "gid"))

define("file_size", { "path", "size" }, with_stat(function(args, st)
	if st.size == args.size then
		return true
	end
	return otherwise("the size of " .. args.path, st.size, args.size)
end))

-- The network.

local function listens(...)
	local protocols = { ... }
	return function(args)
		local port = math.tointeger(args.port)
		if not port or port < 1 or port > 65535 then
			return nil, tostring(args.port) .. " is no port"
		end
		for _, protocol in ipairs(protocols) do
			local sockets, message = core.library("ports").listening(protocol, port)
			if not sockets then
				return nil, message
			elseif sockets[1] then
				return true
			end
		end
		return nil, "nobody listens at " .. table.concat(protocols, " or ") .. " port " .. port
	end
end
define("port_is_listening", { "port" }, listens("tcp", "udp"))
define("port_is_tcp", { "port" }, listens("tcp"))
define("port_is_udp", { "port" }, listens("udp"))

define("can_connect", { "host", "port", "timeout_ms" }, function(args)
	local port = math.tointeger(args.port)
	local host = args.host:find(":", 1, true) and "[" .. args.host:gsub("[%[%]]", "") .. "]" or args.host
	if not port or not host:find("^[%w%[%]:._-]+$") then
		return nil, "'" .. args.host .. ":" .. tostring(args.port) .. "' is no address"
	end
	local ms = type(args.timeout_ms) == "string" and core.duration(args.timeout_ms) or math.tointeger(args.timeout_ms or 5000)
	local raw, message = core.transfer({ url = "http://" .. host .. ":" .. port .. "/", connect_only = 1, proxy = "", timeout_ms = ms, connect_timeout_ms = ms })
	return raw and true, message
end, true)

define("ping", { "host", "packets" }, function(args)
	local count = math.tointeger(args.packets or 4)
	local raw, message = core.library("tool").run({ "ping", "-q", "-c", tostring(count), "-w", tostring(count + 10), "--", args.host }, { ok = { [1] = true } })
	if not raw then
		return nil, message
	end
	return raw.exit_code == 0 or nil, args.host .. " does not answer"
end, true)

-- Services, processes, packages.

local function service(asked, word)
	return function(args)
		local is, state = core.library("services")[asked](args.name)
		if is == nil then
			return nil, state
		end
		return is or nil, "the service " .. args.name .. " is not " .. word .. (state and " (" .. state .. ")" or "")
	end
end
define("service_is_running", { "name" }, service("is_active", "running"))
define("service_is_enabled", { "name" }, service("is_enabled", "enabled"))

local function matching(pattern)
	local count = 0
	for _, one in ipairs(core.library("processes").list()) do
		count = count + (has(one.command ~= "" and one.command or one.name, pattern) and 1 or 0)
	end
	return count
end

define("process_is_running", { "pattern" }, function(args)
	return matching(args.pattern) > 0 or nil, "there is no process like '" .. args.pattern .. "'"
end)

define("process_count", { "pattern", "count" }, function(args)
	local count = matching(args.pattern)
	if count == args.count then
		return true
	end
	return otherwise("the number of processes like '" .. args.pattern .. "'", count, args.count)
end)

define("package_is_installed", { "name" }, function(args)
	local is, message = core.library("pkg").is_installed(args.name)
	return is or nil, message or "the package " .. args.name .. " is not installed"
end)

define("package_version", { "name", "version" }, function(args)
	local version, message = core.library("pkg").version(args.name)
	if version == args.version then
		return true
	elseif not version then
		return nil, message
	end
	return otherwise("the version of " .. args.name, version, args.version)
end)

-- Commands: a text for the shell, or a list of words.

local function command(name, names, check)
	table.insert(names, 1, "command")
	define(name, names, function(args)
		local res = core.library("exec").run(args.command, { stream = false })
		local told = type(args.command) == "table" and table.concat(args.command, " ") or tostring(args.command)
		return check(args, res, "'" .. told .. "'")
	end, true)
end

local function end_of(res)
	local said = (res.stderr ~= "" and res.stderr or res.stdout):gsub("%s+$", "")
	return "ended with status " .. res.exit_code .. (said ~= "" and ": " .. said:sub(-500) or "")
end

command("command_succeeds", {}, function(_, res, told) return res.success or nil, told .. " " .. end_of(res) end)
command("command_fails", {}, function(_, res, told) return not res.success or nil, told .. " succeeded" end)
command("command_stdout_contains", { "pattern" }, function(args, res, told)
	return has(res.stdout, args.pattern) or nil, "what " .. told .. " says has no '" .. args.pattern .. "' in it (it " .. end_of(res) .. ")"
end)
command("command_stderr_is_empty", {}, function(_, res, told)
	return res.stderr == "" or nil, told .. " complains: " .. res.stderr:sub(1, 500)
end)

local function equals(args, res, told)
	local said = res.stdout:gsub("\n+$", "")
	return said == args.output:gsub("\n+$", "") or nil, told .. " says '" .. said:sub(1, 500) .. "', not '" .. args.output .. "'"
end
command("command_output_equals", { "output" }, equals)
command("command_stdout_equals", { "output" }, equals)

return infra_test
