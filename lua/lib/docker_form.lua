-- SPDX-License-Identifier: MIT
-- What a container is, as people write it and as Docker's engine tells of it and takes it.
local core = ...
local engine = core.library("docker_engine")
local form = {}

-- "8080:80" → "8080:80/tcp"; "0.0.0.0" is everywhere, which need not be said. nil: it is no port.
function form.port_of(text)
	local rest, protocol = text:match("^([^/]+)/(%a+)$")
	rest, protocol = rest or text, protocol or "tcp"
	local address, host, inner = rest:match("^(.+):(%d*):(%d+)$")
	if not address then
		host, inner = rest:match("^(%d+):(%d+)$")
	end
	if not inner then
		host, inner = "", rest:match("^(%d+)$")
	end
	if not inner or protocol ~= "tcp" and protocol ~= "udp" and protocol ~= "sctp" then
		return nil
	end
	address = address and address:gsub("^%[(.*)%]$", "%1")
	return { address = address ~= "0.0.0.0" and address or nil, host = host, inner = inner .. "/" .. protocol }
end

local function port_text(port)
	local address = port.address and (port.address:find(":", 1, true) and "[" .. port.address .. "]" or port.address)
	return (address and address .. ":" or "") .. (port.host ~= "" and port.host .. ":" or port.address and ":" or "") .. port.inner
end

local function as_words(command)
	return type(command) == "string" and core.mark_list({ "/bin/sh", "-c", command }) or command
end

local function each_as(list, fn)
	local set = {}
	for i, item in ipairs(list) do
		set[i] = fn(item)
	end
	table.sort(set)
	return core.mark_list(set)
end

-- As the engine tells of it.
function form.canonical(desired)
	desired.image = desired.image and engine.image(desired.image)
	desired.command, desired.entrypoint = as_words(desired.command), as_words(desired.entrypoint)
	desired.ports = desired.ports and each_as(desired.ports, function(text) return port_text(form.port_of(text)) end)
	desired.volumes = desired.volumes and each_as(desired.volumes, function(text) return (text:gsub(":rw$", "")) end)
end

-- { "A=b", … } as names with texts.
function form.env_of(list)
	local map = {}
	for _, item in ipairs(list or {}) do
		local name, value = item:match("^([^=]*)=?(.*)$")
		map[name] = value
	end
	return map
end

-- What the image brings is none of the container's, unless it was asked for.
function form.without(map, brought, desired)
	local rest = {}
	for name, value in pairs(map or {}) do
		if desired and desired[name] ~= nil or brought[name] ~= value then
			rest[name] = value
		end
	end
	return rest
end

function form.ports_of(bindings)
	local set = {}
	for inner, list in pairs(bindings or {}) do
		for _, one in ipairs(list) do
			local address = one.HostIp ~= "" and one.HostIp ~= "0.0.0.0" and one.HostIp or nil
			set[#set + 1] = port_text({ address = address, host = one.HostPort or "", inner = inner })
		end
	end
	table.sort(set)
	return core.mark_list(set)
end

function form.volumes_of(binds)
	return each_as(binds or {}, function(text) return (text:gsub(":rw$", "")) end)
end

-- The body of a request to make one.
function form.body_of(desired)
	local env, exposed, bindings = core.mark_list({}), {}, {}
	for name, value in pairs(desired.env or {}) do
		env[#env + 1] = name .. "=" .. value
	end
	table.sort(env)
	for _, text in ipairs(desired.ports or {}) do
		local port = form.port_of(text)
		exposed[port.inner] = {}
		bindings[port.inner] = bindings[port.inner] or core.mark_list({})
		table.insert(bindings[port.inner], { HostIp = port.address or "", HostPort = port.host })
	end
	return {
		Image = desired.image, Cmd = desired.command, Entrypoint = desired.entrypoint, Env = env, Labels = desired.labels, User = desired.user,
		WorkingDir = desired.workdir, Hostname = desired.hostname, ExposedPorts = exposed,
		HostConfig = { PortBindings = bindings, Binds = desired.volumes, NetworkMode = desired.network, Memory = desired.memory,
			RestartPolicy = { Name = desired.restart or "no" } },
	}
end

return form
