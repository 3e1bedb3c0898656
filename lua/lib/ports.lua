-- SPDX-License-Identifier: MIT
-- Sockets that wait for somebody, as /proc/net lists them (proc_net(5)): of this network namespace.
local core = ...
local machine = core.library("machine")
local ports = {}

-- Protocol → files, and the state of sockets that wait: TCP_LISTEN; of UDP, those that are not connected.
local tables = {
	tcp = { files = { "tcp", "tcp6" }, state = "0A" },
	udp = { files = { "udp", "udp6" }, state = "07" },
}

local function ipv4(bytes)
	return table.concat({ bytes:byte(1, 4) }, ".")
end

-- The longest row of zeros is "::".
local function ipv6(groups)
	local best, length = nil, 1
	local at = 1
	while at <= 8 do
		local stop = at
		while groups[stop] == 0 do
			stop = stop + 1
		end
		if stop - at > length then
			best, length = at, stop - at
		end
		at = math.max(stop, at) + 1
	end
	local function hex(from, to)
		local words = {}
		for i = from, to do
			words[#words + 1] = ("%x"):format(groups[i])
		end
		return table.concat(words, ":")
	end
	return best and hex(1, best - 1) .. "::" .. hex(best + length, 8) or hex(1, 8)
end

-- Words of 32 bits in the machine's order, whose bytes in memory are the address.
local function address_of(hex)
	local bytes = hex:gsub("%x%x%x%x%x%x%x%x", function(word) return string.pack("=I4", tonumber(word, 16)) end)
	if #bytes == 4 then
		return ipv4(bytes)
	end
	local groups = { string.unpack(">I2I2I2I2I2I2I2I2", bytes) }
	if bytes:sub(1, 12) == ("\0"):rep(10) .. "\255\255" then
		return "::ffff:" .. ipv4(bytes:sub(13))
	end
	return ipv6(groups)
end

local function groups_of(text)
	local list = {}
	for word in (text .. ":"):gmatch("([^:]*):") do
		local number = word:find("^%x%x?%x?%x?$") and tonumber(word, 16)
		if not number then
			return text == "" and {} or nil
		end
		list[#list + 1] = number
	end
	return list
end

-- In the one form in which addresses are compared; nil: it is none.
function ports.address(text)
	local parts = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
	if parts[1] then
		for i, part in ipairs(parts) do
			parts[i] = math.tointeger(tonumber(part))
		end
		return math.max(table.unpack(parts)) < 256 and table.concat(parts, ".") or nil
	elseif text:find("^::ffff:%d+%.") then
		local inner = ports.address(text:sub(8))
		return inner and "::ffff:" .. inner
	end
	local before, after = text:match("^(.-)::(.*)$")
	local first, last = groups_of(before or text), groups_of(after or "")
	if not first or not last or before and #first + #last > 7 or not before and #first ~= 8 then
		return nil
	end
	while before and #first + #last < 8 do
		first[#first + 1] = 0
	end
	return ipv6(table.move(last, 1, #last, #first + 1, first))
end

-- The sockets at a port: a list of { address, uid, inode }; or nil and a message.
function ports.listening(protocol, port)
	local list, wanted, seen = {}, ("%04X"):format(port), false
	for _, name in ipairs(tables[protocol].files) do
		local text = machine.read("/proc/net/" .. name)
		seen = seen or text ~= nil
		for hex, number, state, uid, inode in (text or ""):gmatch("\n%s*%d+: (%x+):(%x+) %x+:%x+ (%x+) %S+ %S+ %S+%s+(%d+)%s+%d+%s+(%d+)") do
			if number == wanted and state == tables[protocol].state then
				list[#list + 1] = { address = address_of(hex), uid = math.tointeger(tonumber(uid)), inode = inode }
			end
		end
	end
	if not seen then
		return nil, "the kernel does not tell here who listens: there is no /proc/net/" .. protocol
	end
	return list
end

-- The processes that have one of the sockets: a list as of processes.list(). Those of others only root may look into.
function ports.owners(sockets)
	local links, list = {}, {}
	for _, one in ipairs(sockets) do
		links["socket:[" .. one.inode .. "]"] = true
	end
	for _, one in ipairs(core.library("processes").list()) do
		local folder = "/proc/" .. one.pid .. "/fd/"
		for _, fd in ipairs(one.command ~= "" and fs.ls(folder) or {}) do
			if links[core.readlink(folder .. fd) or ""] then
				list[#list + 1] = one
				break
			end
		end
	end
	return list
end

return ports
