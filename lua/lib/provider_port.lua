-- SPDX-License-Identifier: MIT
-- Provider: ports at which somebody listens. It only looks: who listens is a resource of its own.
local core = ...
local patience = core.library("patience")
local ports = core.library("ports")
local processes = core.library("processes")

local port = {
	type = "port",
	module = "resource",
	key = "port",
	properties = {
		port = { kind = "integer", min = 1, max = 65535, required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present", severity = "high", state = true },
		protocol = { kind = "word", words = { "tcp", "udp" }, default = "tcp", compare = false },
		address = { kind = "set", severity = "high", state = true },
		process = { kind = "line", severity = "high", state = true },
		user = { kind = "owner", severity = "high", state = true },
		wait = { kind = "duration", default = "10s", compare = false },
	},
	impact = {
		[""] = "who connects to it finds nobody there, or somebody who should not be there",
		address = "it can be reached from elsewhere than was meant",
		process = "another program than was meant answers there",
		user = "who answers there has other rights than was meant",
	},
}

function port.validate(desired)
	for i, text in ipairs(desired.address or {}) do
		desired.address[i] = ports.address(text)
		if not desired.address[i] then
			return "'" .. text .. "' is no address of IPv4 or IPv6"
		end
	end
	if desired.address then
		table.sort(desired.address)
	end
	if desired.ensure == "absent" and (desired.address or desired.process or desired.user) then
		return "nobody who listens has no address, process or user"
	end
end

-- Those that are not as wanted come first.
local function program_of(list, wanted)
	for _, one in ipairs(list) do
		if not processes.is(one, wanted) then
			return one.first or one.name
		end
	end
	return wanted
end

local function addresses(sockets)
	local seen, list = {}, {}
	for _, one in ipairs(sockets) do
		if not seen[one.address] then
			seen[one.address], list[#list + 1] = true, one.address
		end
	end
	table.sort(list)
	return core.mark_list(list)
end

function port.read(desired)
	local sockets, message = ports.listening(desired.protocol, desired.port)
	if not sockets then
		return nil, message
	elseif not sockets[1] then
		return { ensure = "absent", found = "nobody listens" }
	end
	local actual = { ensure = "present", address = addresses(sockets), user = processes.user_of(sockets, desired.user) }
	local owners = desired.process and ports.owners(sockets)
	if owners and not owners[1] then
		return nil, "which process listens at port " .. desired.port .. " can't be seen: it is one of another user"
	end
	actual.process = owners and program_of(owners, desired.process) or nil
	return actual
end

local function who(desired)
	local one = ports.owners(ports.listening(desired.protocol, desired.port) or {})[1]
	return one and (one.first or one.name) .. " (pid " .. one.pid .. ")" or "somebody"
end

function port.apply(desired)
	local ok, left, message = patience.others(port, desired)
	if ok or not left then
		return ok, message
	end
	local place = desired.protocol .. " port " .. desired.port
	local sockets = ports.listening(desired.protocol, desired.port) or {}
	if not sockets[1] then
		return nil, "nobody listens at " .. place .. " after " .. desired.wait .. ": start who shall (depends_on names that resource)"
	elseif desired.ensure == "absent" then
		return nil, who(desired) .. " still listens at " .. place .. " after " .. desired.wait .. ", and is not ended by this"
	end
	return nil, who(desired) .. " listens at " .. place .. " otherwise than was meant, on " .. table.concat(addresses(sockets), ", ")
end

port.image, port.undo = patience.nothing, patience.nothing

function port.watch()
	return { { poll = 10 } }
end

function port.suggest(desired)
	return "ss -lnp" .. desired.protocol:sub(1, 1) .. " 'sport = :" .. desired.port .. "'"
end

return port
