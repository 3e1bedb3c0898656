-- SPDX-License-Identifier: MIT
-- Provider: containers of Docker. Most of one can't be changed while it is there: another one takes its place, and its name, when it runs.
local core = ...
local engine = core.library("docker_engine")
local form = core.library("docker_form")

local STOP_S = 10

local container = {
	type = "docker",
	module = "docker",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		image = { kind = "line", severity = "high" },
		command = { kind = "command" },
		entrypoint = { kind = "command" },
		env = { kind = "map", severity = "high" },
		ports = { kind = "set", severity = "high" },
		volumes = { kind = "set", severity = "high" },
		labels = { kind = "attributes", severity = "low" },
		user = { kind = "line" },
		workdir = { kind = "line" },
		hostname = { kind = "line" },
		network = { kind = "line" },
		restart = { kind = "word", words = { "no", "always", "unless-stopped", "on-failure" } },
		memory = { kind = "size" },
		running = { kind = "boolean", default = true, state = true, severity = "high" },
		pull = { kind = "word", words = { "missing", "always", "never" }, default = "missing", compare = false },
		socket = { kind = "path", compare = false },
	},
	impact = {
		[""] = "what this container does is not done any more, or is done though it should not be",
		image = "another version of it runs than was meant",
		running = "what this container does is not done, or is done though it should not be",
		env = "it works with other settings than were meant",
		ports = "it is not reached where it was meant to be, or where it was not",
		volumes = "it keeps its data somewhere else than was meant",
	},
}

function container.validate(desired)
	if not desired.name:find("^[%w][%w_.-]+$") then
		return "'" .. desired.name .. "' is not the name of a container: two or more letters, digits, '_', '.' and '-'"
	elseif desired.ensure ~= "absent" and not desired.image then
		return "'image' is missing"
	end
	for _, text in ipairs(desired.ports or {}) do
		if not form.port_of(text) then
			return "'" .. text .. "' is no port (\"8080:80\", \"127.0.0.1:8080:80/tcp\", \"80\")"
		end
	end
	for _, text in ipairs(desired.volumes or {}) do
		if not text:find("^[^:]+:/[^:]*$") and not text:find("^[^:]+:/[^:]*:[%w,]+$") then
			return "'" .. text .. "' is no volume (\"/srv/data:/data\", \"name:/data:ro\")"
		end
	end
	form.canonical(desired)
end

local function path_of(name, rest)
	return "/containers/" .. engine.part(name) .. (rest or "")
end

-- Its name; of a container of another version of this image, and which.
local function image_of(found, desired, socket)
	local name = engine.image(found.Config.Image)
	if name ~= desired.image then
		return name
	end
	local here, message = engine.call(socket, "GET", "/images/" .. engine.part(name) .. "/json", { missing = true })
	if here == nil then
		return nil, message
	end
	return here and here.Id ~= found.Image and name .. " (" .. found.Image:sub(1, 19) .. ", which it was before)" or name
end

local function config_of_image(socket, found)
	local image, message = engine.call(socket, "GET", "/images/" .. engine.part(found.Image) .. "/json", { missing = true })
	if image == nil then
		return nil, message
	end
	return image and image.Config or {}
end

local function properties_of(found, desired, socket)
	local image, message = image_of(found, desired, socket)
	local brought
	if image then
		brought, message = config_of_image(socket, found)
	end
	if not brought then
		return nil, message
	end
	local config, host = found.Config, found.HostConfig
	return {
		ensure = "present", image = image, command = config.Cmd, entrypoint = config.Entrypoint, user = config.User, workdir = config.WorkingDir,
		hostname = config.Hostname, network = host.NetworkMode, memory = host.Memory, running = found.State.Running,
		env = form.without(form.env_of(config.Env), form.env_of(brought.Env), desired.env), labels = form.without(config.Labels, brought.Labels or {}, desired.labels),
		ports = form.ports_of(host.PortBindings), volumes = form.volumes_of(host.Binds), restart = host.RestartPolicy and host.RestartPolicy.Name ~= "" and
			host.RestartPolicy.Name or "no",
	}
end

function container.read(desired)
	local socket = engine.socket(desired.socket)
	local found, message = engine.call(socket, "GET", path_of(desired.name, "/json"), { missing = true })
	if found == nil then
		return nil, message
	elseif not found then
		return { ensure = "absent" }
	elseif desired.ensure == "absent" then
		return { ensure = "present", running = found.State.Running }
	end
	return properties_of(found, desired, socket)
end

local function get_image(socket, desired)
	if desired.pull ~= "always" then
		local here, message = engine.call(socket, "GET", "/images/" .. engine.part(desired.image) .. "/json", { missing = true })
		if here or here == nil then
			return here and true or nil, message
		elseif desired.pull == "never" then
			return nil, "there is no image " .. desired.image .. " here (pull = \"missing\" gets it)"
		end
	end
	return engine.pull(socket, desired.image)
end

local function post(socket, name, rest, query)
	local ok, message = engine.call(socket, "POST", path_of(name, rest), { query = query, long = true })
	return ok and true or nil, message
end

local function remove(socket, name)
	local ok, message = engine.call(socket, "DELETE", path_of(name), { query = { force = true }, missing = true })
	return ok ~= nil and true or nil, message
end

local function stop(socket, name)
	return post(socket, name, "/stop", { t = STOP_S })
end

local function make(socket, name, desired)
	local ok, message = engine.call(socket, "POST", "/containers/create", { query = { name = name }, body = form.body_of(desired) })
	return ok and true or nil, message
end

-- Made and started under its own name, the one before put aside; when that fails, the one before is there as it was.
local function replace(socket, desired, was_running)
	local new, old = desired.name .. ".sloth-new", desired.name .. ".sloth-old"
	local ok, message = remove(socket, new)
	if ok then
		-- Left of a run that was ended in the middle, after it had its successor.
		ok, message = remove(socket, old)
	end
	if ok then
		ok, message = make(socket, new, desired)
	end
	if ok and was_running then
		ok, message = stop(socket, desired.name)
	end
	if ok then
		ok, message = post(socket, desired.name, "/rename", { name = old })
	end
	local aside = ok
	if ok then
		ok, message = post(socket, new, "/rename", { name = desired.name })
	end
	local named = ok
	if ok and desired.running then
		ok, message = post(socket, desired.name, "/start")
	end
	if ok then
		return remove(socket, old)
	end
	remove(socket, named and desired.name or new)
	local back, problem = true, nil
	if aside then
		back, problem = post(socket, old, "/rename", { name = desired.name })
	end
	if back and was_running then
		back, problem = post(socket, desired.name, "/start")
	end
	return nil, message .. (back and "; the container that was there is there again" or "; the container that was there is now " .. old .. ": " .. problem)
end

-- What can be changed while it is there: property → how.
local in_place = {}

function in_place.running(socket, desired)
	return desired.running and post(socket, desired.name, "/start") or stop(socket, desired.name)
end

function in_place.restart(socket, desired)
	local ok, message = engine.call(socket, "POST", path_of(desired.name, "/update"), { body = { RestartPolicy = { Name = desired.restart } } })
	return ok and true or nil, message
end

local function changed_in_place(changes)
	for _, change in ipairs(changes) do
		if not in_place[change.property] then
			return false
		end
	end
	return true
end

local function change(socket, desired, changes)
	for _, one in ipairs(changes) do
		local ok, message = in_place[one.property](socket, desired)
		if not ok then
			return nil, message
		end
	end
	return true
end

local function start_new(socket, desired)
	local ok, message = make(socket, desired.name, desired)
	if ok and desired.running then
		ok, message = post(socket, desired.name, "/start")
		if not ok then
			remove(socket, desired.name)
		end
	end
	return ok, message
end

function container.apply(desired, actual, changes)
	local socket = engine.socket(desired.socket)
	if desired.ensure == "absent" then
		local ok, message = true, nil
		if actual.running then
			ok, message = stop(socket, desired.name)
		end
		if ok then
			ok, message = remove(socket, desired.name)
		end
		return ok, message
	elseif actual.ensure == "present" and changed_in_place(changes) then
		return change(socket, desired, changes)
	end
	local ok, message = get_image(socket, desired)
	if not ok then
		return nil, message
	elseif actual.ensure == "absent" then
		return start_new(socket, desired)
	end
	return replace(socket, desired, actual.running)
end

-- What a container wrote goes with it.
function container.image(desired, actual)
	if actual.ensure == "absent" then
		return { ensure = "absent" }
	elseif desired.ensure == "absent" then
		return nil, "what was in the container is not kept"
	end
	for _, name in ipairs({ "image", "command", "entrypoint", "env", "ports", "volumes", "labels", "user", "workdir", "hostname", "network", "memory" }) do
		local row = container.properties[name]
		if desired[name] ~= nil and not core.library("property").equal(row, desired[name], actual[name]) then
			return nil, "another container took its place, and what was in the one before is not kept"
		end
	end
	return { ensure = "present", running = actual.running, restart = actual.restart }
end

function container.undo(desired, before)
	local socket = engine.socket(desired.socket)
	if before.ensure == "absent" then
		return remove(socket, desired.name)
	end
	local ok, message = in_place.restart(socket, { name = desired.name, restart = before.restart })
	if ok then
		ok, message = in_place.running(socket, { name = desired.name, running = before.running })
	end
	return ok, message
end

-- What the image says itself is not said again.
local function listed(found, socket)
	local brought = config_of_image(socket, found)
	local desired = { image = engine.image(found.Config.Image) }
	local actual, message = properties_of(found, desired, socket)
	if not actual or not brought then
		return nil, message
	elseif actual.image ~= desired.image then
		return nil, "it has " .. actual.image
	end
	local same = core.library("property").same
	return { name = found.Name:gsub("^/", ""), image = actual.image, env = actual.env, ports = actual.ports, volumes = actual.volumes, labels = actual.labels,
		network = actual.network, restart = actual.restart, running = actual.running,
		command = not same(actual.command, brought.Cmd) and actual.command or nil,
		entrypoint = not same(actual.entrypoint, brought.Entrypoint) and actual.entrypoint or nil }
end

function container.list(pattern, given)
	local socket = engine.socket(given.socket)
	local all, message = engine.call(socket, "GET", "/containers/json", { query = { all = true } })
	if not all then
		return nil, message
	end
	local meant, list, notes = core.library("selector").names(pattern), {}, {}
	for _, one in ipairs(all) do
		local name = ((one.Names or {})[1] or ""):gsub("^/", "")
		local found = meant(name) and engine.call(socket, "GET", path_of(name, "/json"), { missing = true })
		local properties, why
		if found then
			properties, why = listed(found, socket)
			notes[#notes + 1] = why and "container " .. name .. ": " .. why or nil
		end
		if properties then
			properties.socket = given.socket
			list[#list + 1] = properties
		end
	end
	return list, notes
end

function container.watch()
	return { { poll = 30 } }
end

function container.suggest(desired, actual, name)
	return name == "running" and "docker " .. (desired.running and "start " or "stop ") .. desired.name or nil
end

return container
