-- SPDX-License-Identifier: MIT
-- docker: containers, images, networks and volumes, by the Engine API; what only the program docker can do (build, push, compose) by it.
-- Those that change something give what result.lua says.
local core = ...
local declared = core.library("declared")
local engine = core.library("docker_engine")
local result = core.library("result")
local tool = core.library("tool")
local docker = {}

local aliases = { container = "name", tag = "image", environment = "env", cmd = "command" }
-- Of a container; the same names as of resource.docker.
local described = {
	"command", "entrypoint", "env", "ports", "volumes", "labels", "user", "workdir", "hostname", "network", "restart", "memory", "running", "pull",
}

local function reading(fn_name, names, kinds, ...)
	names[#names + 1] = "socket"
	kinds.socket = "string?"
	local args = declared.read("docker." .. fn_name, names, kinds, aliases, ...)
	args.socket = args.socket and core.path(args.socket)
	args.at = engine.socket(args.socket)
	return args
end

local function acting(fn_name, names, kinds, ...)
	local args = reading(fn_name, names, kinds, ...)
	core.acts("docker." .. fn_name)
	return args
end

local function path_of(name, rest)
	return "/containers/" .. engine.part(name) .. (rest or "")
end

local function ask(args, path, options)
	return engine.call(args.at, "GET", path, options)
end

local function inspect(args)
	return ask(args, path_of(args.name, "/json"), { missing = true })
end

-- One that runs to its end: what it printed, and it is gone. `name`: where another would be in the way.
local function run_once(args)
	local p = core.library("provider").find("docker")
	local wanted = { name = args.name or "sloth-" .. crypto.uuid(), image = args.image, socket = args.socket, restart = "no" }
	for _, name in ipairs({ "command", "entrypoint", "env", "ports", "volumes", "labels", "user", "workdir", "hostname", "network", "memory", "pull" }) do
		wanted[name] = args[name]
	end
	local desired = core.library("provider").desired(p, "docker.run", wanted)
	local ok, message = p.apply(desired, { ensure = "absent" }, {})
	if not ok then
		return result.bad(message)
	end
	local function gone() engine.call(args.at, "DELETE", path_of(desired.name), { query = { force = true }, missing = true }) end
	local ended, bytes
	ended, message = engine.call(args.at, "POST", path_of(desired.name, "/wait"), { long = true })
	if ended then
		bytes, message = ask(args, path_of(desired.name, "/logs"), { query = { stdout = true, stderr = true }, text = true })
	end
	gone()
	if not bytes then
		return result.bad(message)
	end
	local out, err = engine.streams(bytes)
	local more = { stdout = out, stderr = err, exit_code = ended.StatusCode }
	if ended.StatusCode ~= 0 then
		return result.bad((err ~= "" and err or out):gsub("%s+$", "") .. " (exit status " .. ended.StatusCode .. ")", more)
	end
	return result.good(true, out, more)
end

-- run{ image, name, ports, env, … }: a resource; without a name, or with detach = false, one that is waited for.
function docker.run(...)
	local names, kinds = { "image", "name", "detach" }, { image = "string", name = "string?", detach = "boolean?" }
	for _, name in ipairs(described) do
		names[#names + 1], kinds[name] = name, "any?"
	end
	local args = acting("run", names, kinds, ...)
	if not args.name or args.detach == false then
		return run_once(args)
	end
	args.detach, args.at = nil, nil
	return core.library("resource").docker(args)
end

-- A container that is a resource is one of what it is now.
local function switch(fn_name, running)
	docker[fn_name] = function(...)
		local args = acting(fn_name, { "name" }, { name = "string" }, ...)
		if declared.properties("docker", args.name).image then
			return declared.amend("docker", args.name, { running = running })
		end
		local found, message = inspect(args)
		if not found then
			return result.bad(message or "there is no container " .. args.name, { name = args.name })
		elseif found.State.Running == running then
			return result.good(false, "container " .. args.name .. (running and " runs" or " does not run"), { name = args.name })
		end
		local ok
		ok, message = engine.call(args.at, "POST", path_of(args.name, running and "/start" or "/stop"), { long = true })
		if not ok then
			return result.bad(message, { name = args.name })
		end
		return result.good(true, "container " .. args.name .. (running and " started" or " stopped"), { name = args.name })
	end
end
switch("start", true)
switch("stop", false)

-- Requests that change something in any case.
local function act(args, message, method, path, options)
	local ok, text = engine.call(args.at, method, path, options)
	if not ok then
		return result.bad(text or "there is no " .. path:match("^/(%a-)s/") .. " " .. args.name, { name = args.name })
	end
	return result.good(true, message, { name = args.name })
end

function docker.restart(...)
	local args = acting("restart", { "name" }, { name = "string" }, ...)
	return act(args, "container " .. args.name .. " restarted", "POST", path_of(args.name, "/restart"), { missing = true, long = true })
end

function docker.remove(...)
	local args = acting("remove", { "name" }, { name = "string" }, ...)
	return core.library("resource").docker({ name = args.name, socket = args.socket, ensure = "absent" })
end

local function image_id(args)
	local found = ask(args, "/images/" .. engine.part(engine.image(args.image)) .. "/json", { missing = true })
	return found and found.Id or nil
end

function docker.pull(...)
	local args = acting("pull", { "image" }, { image = "string" }, ...)
	local before = image_id(args)
	local ok, message = engine.pull(args.at, engine.image(args.image))
	if not ok then
		return result.bad(message, { image = args.image })
	end
	local changed = image_id(args) ~= before
	return result.good(changed, args.image .. (changed and " pulled" or " is the newest"), { image = args.image })
end

-- Networks and volumes: whether they are there is asked first.
local function kept(noun)
	local path = "/" .. noun .. "s"
	docker[noun .. "_create"] = function(...)
		local args = acting(noun .. "_create", { "name", "driver", "labels" }, { name = "string", driver = "string?", labels = "table?" }, ...)
		local found, message = ask(args, path .. "/" .. engine.part(args.name), { missing = true })
		if found == nil then
			return result.bad(message, { name = args.name })
		elseif found then
			return result.good(false, noun .. " " .. args.name .. " is there", { name = args.name })
		end
		return act(args, noun .. " " .. args.name .. " made", "POST", path .. "/create", { body = { Name = args.name, Driver = args.driver, Labels = args.labels } })
	end
	docker[noun .. "_remove"] = function(...)
		local args = acting(noun .. "_remove", { "name" }, { name = "string" }, ...)
		local ok, message = engine.call(args.at, "DELETE", path .. "/" .. engine.part(args.name), { missing = true })
		if ok == nil then
			return result.bad(message, { name = args.name })
		end
		return result.good(ok ~= false, noun .. " " .. args.name .. (ok and " removed" or " is not there"), { name = args.name })
	end
	docker[path:sub(2)] = function(...)
		local args = reading(path:sub(2), {}, {}, ...)
		local list, message = ask(args, path)
		list = list and (list.Volumes or list)
		if not list then
			return nil, message
		end
		local all = {}
		for i, one in ipairs(list) do
			all[i] = { name = one.Name, driver = one.Driver, labels = one.Labels or {} }
		end
		return core.mark_list(all)
	end
end
kept("network")
kept("volume")

function docker.remove_image(...)
	local args = acting("remove_image", { "image", "force" }, { image = "string", force = "boolean?" }, ...)
	local path = "/images/" .. engine.part(engine.image(args.image))
	local ok, message = engine.call(args.at, "DELETE", path, { query = { force = args.force or false }, missing = true })
	if ok == nil then
		return result.bad(message, { image = args.image })
	end
	return result.good(ok ~= false, args.image .. (ok and " removed" or " is not there"), { image = args.image })
end

-- What asks: a value, or nil and a message.

-- The engine's answer; nil where there is none of the name.
function docker.inspect(...)
	local args = reading("inspect", { "name" }, { name = "string" }, ...)
	local found, message = inspect(args)
	return found or nil, message or not found and "there is no container " .. args.name or nil
end

function docker.exists(...)
	local found, message = inspect(reading("exists", { "name" }, { name = "string" }, ...))
	if found == nil then
		return nil, message
	end
	return found ~= false
end

function docker.is_running(...)
	local found, message = inspect(reading("is_running", { "name" }, { name = "string" }, ...))
	if found == nil then
		return nil, message
	end
	return found and found.State.Running or false
end

-- Those that run, or with all = true all: a list of { id, name, image, state, status, labels }.
function docker.list(...)
	local args = reading("list", { "all" }, { all = "boolean?" }, ...)
	local found, message = ask(args, "/containers/json", { query = { all = args.all or false } })
	if not found then
		return nil, message
	end
	local list = {}
	for i, one in ipairs(found) do
		list[i] = { id = one.Id, name = ((one.Names or {})[1] or ""):gsub("^/", ""), image = one.Image, state = one.State, status = one.Status, labels = one.Labels or {} }
	end
	return core.mark_list(list)
end

-- What it printed, and what it printed to standard error; the last lines with `tail`.
function docker.logs(...)
	local args = reading("logs", { "name", "tail" }, { name = "string", tail = "number?" }, ...)
	local bytes, message = ask(args, path_of(args.name, "/logs"), { query = { stdout = true, stderr = true, tail = args.tail and math.tointeger(args.tail) or "all" }, text = true })
	if not bytes then
		return nil, message
	end
	return engine.streams(bytes)
end

-- A list of { id, tags, size, created }.
function docker.images(...)
	local found, message = ask(reading("images", {}, {}, ...), "/images/json")
	if not found then
		return nil, message
	end
	local list = {}
	for i, one in ipairs(found) do
		list[i] = { id = one.Id, tags = core.mark_list(one.RepoTags or {}), size = one.Size, created = one.Created }
	end
	return core.mark_list(list)
end

function docker.image_exists(...)
	return image_id(reading("image_exists", { "image" }, { image = "string" }, ...)) ~= nil
end

-- Of the engine; nil and a message where there is none.
function docker.version(...)
	local found, message = ask(reading("version", {}, {}, ...), "/version")
	return found and found.Version, message
end

-- By the program docker.

local function program(words, env)
	local raw, message, failed = tool.run(words, { env = env })
	raw = raw or failed or {}
	local more = { stdout = raw.stdout, stderr = raw.stderr, exit_code = raw.exit_code }
	if message then
		return result.bad(message, more)
	end
	return result.good(true, raw.stdout, more)
end

-- exec{ "ps", "-a" }: any of its commands.
function docker.exec(args)
	if type(args) ~= "table" or type(args[1]) ~= "string" then
		core.fail('docker.exec takes a list of words: { "ps", "-a" }')
	end
	core.acts("docker.exec")
	return program({ "docker", table.unpack(args) })
end

-- build{ tag, path [, dockerfile, build_args] }: values of arguments are not seen in the list of processes.
function docker.build(...)
	local args = declared.read("docker.build", { "tag", "path", "dockerfile", "build_args" },
		{ tag = "string", path = "string", dockerfile = "string?", build_args = "table?" }, {}, ...)
	core.acts("docker.build")
	local words, env = { "docker", "build", "--tag", args.tag }, {}
	for name, value in pairs(args.build_args or {}) do
		words[#words + 1], words[#words + 2] = "--build-arg", name
		env[#env + 1] = name .. "=" .. tostring(value)
	end
	if args.dockerfile then
		words[#words + 1], words[#words + 2] = "--file", core.path(args.dockerfile)
	end
	words[#words + 1] = core.path(args.path)
	return program(words, env)
end

function docker.push(...)
	local args = declared.read("docker.push", { "tag" }, { tag = "string" }, { image = "tag" }, ...)
	core.acts("docker.push")
	return program({ "docker", "push", "--", args.tag })
end

-- compose_up(file [, project]): the file, or the folder where it is.
local function compose(fn_name, ...)
	local tail = { ... }
	docker[fn_name] = function(...)
		local args = declared.read("docker." .. fn_name, { "file", "project" }, { file = "string", project = "string?" }, { path = "file" }, ...)
		core.acts("docker." .. fn_name)
		local path = core.path(args.file)
		local st = core.stat(path)
		local words = { "docker", "compose", st and st.type == "directory" and "--project-directory" or "--file", path }
		table.move(args.project and { "--project-name", args.project } or {}, 1, 2, #words + 1, words)
		table.move(tail, 1, #tail, #words + 1, words)
		return program(words)
	end
end
compose("compose_up", "up", "--detach", "--quiet-pull")
compose("compose_down", "down")

return docker
