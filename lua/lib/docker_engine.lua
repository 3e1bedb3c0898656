-- SPDX-License-Identifier: MIT
-- Docker's Engine API over its socket: one question, one answer.
local core = ...
local answer = core.library("answer")
local requests = core.library("requests")
local url = core.library("url")
local engine = {}

engine.SOCKET = "/var/run/docker.sock"
local LONG = "30m" -- images are large

local versions = {} -- socket → "/v1.44"

-- Where the engine is: as asked for, as the environment has it, or where it is mostly.
function engine.socket(path)
	local host = core.getenv("DOCKER_HOST")
	return path or host and host:match("^unix://(/.+)$") or engine.SOCKET
end

local function ask(socket, method, path, query, body, long)
	local request = requests.checked("docker", {
		method = method, url = "http://docker" .. path, query = query, body = body, unix_socket = socket, timeout = long and LONG or "60s", follow_redirects = false,
	})
	local raw, message, kind = requests.send("docker", request)
	if not raw then
		-- What libcurl says of a socket that it can't reach is of hosts and ports.
		return nil, kind == "connect" and "Docker does not answer at " .. socket .. ": it does not run, or you may not use the socket" or
			"Docker at " .. socket .. ": " .. message:gsub("^http://docker[^%s]*: ", "")
	end
	return raw
end

-- The version of the API that it speaks stands before each path.
local function version_of(socket)
	if not versions[socket] then
		local raw, message = ask(socket, "GET", "/_ping")
		if not raw then
			return nil, message
		end
		local version = answer.header(raw.head, "Api-Version") or ""
		versions[socket] = version:find("^%d+%.%d+$") and "/v" .. version or ""
	end
	return versions[socket]
end

local function said(raw, path)
	local body = json.decode(raw.body)
	return "Docker: " .. (type(body) == "table" and body.message or "status " .. raw.status .. " of " .. path)
end

-- call(socket, "GET", "/containers/NAME/json" [, { query, body, missing = true, text = true, long = true }]): what it gave; false: there is no
-- such thing (`missing`); or nil and a message. `text`: as it came.
function engine.call(socket, method, path, options)
	options = options or {}
	local version, message = version_of(socket)
	if not version then
		return nil, message
	end
	local raw
	raw, message = ask(socket, method, version .. path, options.query, options.body, options.long)
	if not raw then
		return nil, message
	elseif raw.status == 404 and options.missing then
		return false
	elseif raw.status >= 400 then
		return nil, said(raw, path)
	elseif options.text then
		return raw.body
	end
	-- 204 and 304: nothing more is said.
	return raw.body ~= "" and json.decode(raw.body) or {}
end

-- A name as a part of a path.
function engine.part(name)
	return url.encode(name)
end

-- "nginx" → "nginx:latest"; what has a digest stays.
function engine.image(name)
	local last = name:match("[^/]*$")
	return last:find("[:@]") and name or name .. ":latest"
end

-- true, or nil and a message: it may fail after it has begun, and says so in the last of its lines.
function engine.pull(socket, image)
	local name, tag = image:match("^(.-):([^:/@]+)$")
	local text, message = engine.call(socket, "POST", "/images/create", { query = { fromImage = name or image, tag = tag }, text = true, long = true })
	for line in (text or ""):gmatch("[^\r\n]+") do
		local one = json.decode(line)
		if type(one) == "table" and one.error then
			return nil, "Docker: " .. tostring(one.error)
		end
	end
	return text and true or nil, message
end

-- Both streams of a container, each piece with a head of eight bytes; of a terminal there is one, without.
function engine.streams(bytes)
	local out, err, at = {}, {}, 1
	while at + 7 <= #bytes do
		local kind, size = bytes:byte(at), (string.unpack(">I4", bytes, at + 4))
		if kind > 2 or bytes:sub(at + 1, at + 3) ~= "\0\0\0" then
			return bytes, ""
		end
		table.insert(kind == 2 and err or out, bytes:sub(at + 8, at + 7 + size))
		at = at + 8 + size
	end
	return table.concat(out), table.concat(err)
end

return engine
