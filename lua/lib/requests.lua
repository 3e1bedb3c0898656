-- SPDX-License-Identifier: MIT
-- A request over HTTP: its options, what libcurl is told, and when it is asked again. For http, net and notification.
local core = ...
local answer = core.library("answer")
local url = core.library("url")
local requests = {}

local MAX_SIZE, TIMEOUT, REDIRECTS = 64 << 20, 30000, 10
local LAST_DELAY = 60000 -- between two tries
local PATIENCE = 300000 -- the longest Retry-After that is waited for

local ms, size, count = "duration", "size", "count"
-- Names and kinds of what a request may have; later ones are other spellings.
local kinds = {
	method = "string", url = "string", headers = "table", body = "any", query = "table", form = "table", timeout = ms,
	connect_timeout = ms, retries = count, retry_delay = ms, redirects = count, follow_redirects = "boolean", verify = "boolean",
	ca = "string", cert = "string", key = "string", user = "string", password = "string", bearer = "string", proxy = "string",
	unix_socket = "string", max_size = size,
}
local spellings = { max_retries = "retries", json = "body", data = "body", verify_ssl = "verify", username = "user", token = "bearer" }
local names = { "url", "headers", "body", "query", "form", "timeout", "connect_timeout", "retries", "retry_delay", "redirects",
	"follow_redirects", "verify", "ca", "cert", "key", "user", "password", "bearer", "proxy", "unix_socket", "max_size", "method" }

local units = { [""] = 1, b = 1, k = 1 << 10, kb = 1 << 10, kib = 1 << 10, m = 1 << 20, mb = 1 << 20, mib = 1 << 20,
	g = 1 << 30, gb = 1 << 30, gib = 1 << 30 }

local convert = {}

function convert.duration(value)
	return core.duration(value), "a duration, like 30 or \"1m\""
end

function convert.size(value)
	local number, unit = tostring(value):match("^(%d+)%s*(%a*)$")
	local factor = units[(unit or "?"):lower()]
	return factor and math.tointeger(tonumber(number) * factor), "a number of bytes, or \"10MB\""
end

function convert.count(value)
	local whole = math.type(value) and math.tointeger(value)
	return whole and whole >= 0 and whole <= 100 and whole or nil, "a whole number from 0 to 100"
end

local function refuse_unknown(fn, key)
	local near = core.nearest(tostring(key), names)
	core.fail(fn .. " has no option '" .. tostring(key) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
		" (its options: " .. table.concat(names, ", ") .. ")")
end

local function check_one(fn, key, value)
	local kind = kinds[key]
	if type(value) == "table" and getmetatable(value) == false then
		value = tostring(value) -- the output of a command
	end
	if kind == "any" then
		return value
	elseif convert[kind] then
		local result, wanted = convert[kind](value)
		if not result then
			core.fail(fn .. ": '" .. key .. "' must be " .. wanted)
		end
		return result
	elseif type(value) ~= kind then
		core.fail(fn .. ": '" .. key .. "' must be a " .. kind .. ", not a " .. type(value))
	elseif kind == "string" and value:find("%c") then
		core.fail(fn .. ": '" .. key .. "' has a control character in it")
	end
	return value
end

-- The options as a table of its own, checked.
function requests.checked(fn, options)
	local request = {}
	for key, value in pairs(options) do
		local name = spellings[key] or key
		if not kinds[name] then
			refuse_unknown(fn, key)
		elseif request[name] ~= nil then
			core.fail(fn .. ": '" .. key .. "' and '" .. name .. "' are the same")
		end
		request[name] = check_one(fn, name, value)
	end
	if not request.url then
		core.fail(fn .. ": 'url' is missing")
	end
	return request
end

local function header_line(fn, name, value)
	if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
		core.fail(fn .. ": '" .. tostring(name) .. "' is no name of a header")
	elseif type(value) == "table" and getmetatable(value) ~= false or type(value) == "function" then
		core.fail(fn .. ": the header '" .. name .. "' must be a string")
	end
	local text = tostring(value)
	if text:find("[\r\n\0]") then
		core.fail(fn .. ": the header '" .. name .. "' has a line break in it")
	end
	return text == "" and name .. ";" or name .. ": " .. text
end

local function header_lines(fn, request, content_type)
	local lines, seen = {}, {}
	for name, value in pairs(request.headers or {}) do
		lines[#lines + 1] = header_line(fn, name, value)
		seen[tostring(name):lower()] = true
	end
	if content_type and not seen["content-type"] then
		lines[#lines + 1] = "Content-Type: " .. content_type
	end
	if request.bearer then
		lines[#lines + 1] = "Authorization: Bearer " .. request.bearer
	end
	if not seen.expect then
		lines[#lines + 1] = "Expect:" -- or it waits a second before a large body
	end
	table.sort(lines)
	return lines
end

-- The body as text, and its type.
local function content(fn, request)
	if request.form then
		if request.body ~= nil then
			core.fail(fn .. ": 'body' or 'form', not both")
		end
		return url.query(request.form, fn .. ": 'form'"), "application/x-www-form-urlencoded"
	elseif type(request.body) == "table" then
		return answer.encode(fn, "body", request.body), "application/json"
	elseif request.body ~= nil and type(request.body) ~= "string" and type(request.body) ~= "number" then
		core.fail(fn .. ": 'body' must be a string or a table, not a " .. type(request.body))
	end
	return request.body and tostring(request.body)
end

-- What libcurl is told of each method. Others than these keep theirs over a redirect, which would be wrong: not followed.
local methods = {
	GET = { follows = true, again = true }, HEAD = { nobody = 1, follows = true, again = true }, POST = { post = 1, follows = true },
	PUT = { again = true }, DELETE = { again = true }, OPTIONS = { again = true }, PATCH = {},
}

local function method_of(fn, request)
	local name = (request.method or "GET"):upper()
	if not name:find("^[A-Z][A-Z-]*$") then
		core.fail(fn .. ": '" .. name .. "' is no method")
	end
	return name, methods[name] or {}
end

-- The request as core.transfer() takes it.
local function transfer_of(fn, request)
	local name, method = method_of(fn, request)
	local body, content_type = content(fn, request)
	local follow = request.follow_redirects
	if follow == nil then
		follow = method.follows or request.redirects ~= nil
	end
	local verify = request.verify ~= false
	return {
		url = url.with_query(request.url, request.query, fn .. ": 'query'"),
		custom = (name ~= "GET" and name ~= "HEAD" and name ~= "POST" or name == "GET" and body) and name or nil,
		nobody = method.nobody, post = method.post, body = body or method.post and "" or nil,
		headers = header_lines(fn, request, content_type),
		timeout_ms = request.timeout or TIMEOUT, connect_timeout_ms = request.connect_timeout,
		follow = follow and 1 or 0, redirects = request.redirects or REDIRECTS,
		verify_peer = verify and 1 or 0, verify_host = verify and 2 or 0,
		ca = request.ca and core.path(request.ca), cert = request.cert and core.path(request.cert),
		key = request.key and core.path(request.key), user = request.user, password = request.password,
		proxy = request.unix_socket and "" or request.proxy, unix_socket = request.unix_socket and core.path(request.unix_socket),
		max_size = request.max_size or MAX_SIZE,
	}, method
end

-- Seconds, or a date, in milliseconds from now.
local function retry_after(head)
	local text = answer.header(head, "Retry-After")
	local moment = text and answer.http_date(text)
	if moment then
		return math.max(0, moment * 1000 - core.now())
	end
	local seconds = text and math.tointeger(tonumber(text))
	return seconds and seconds >= 0 and seconds * 1000 or nil
end

-- How long to wait before the next try; nil: there is none.
local function again(request, method, raw, kind, try)
	if try > (request.retries or 0) then
		return nil
	end
	local delay = math.min(LAST_DELAY, (request.retry_delay or 1000) << math.min(try - 1, 20))
	delay = delay // 2 + math.random(0, delay // 2 + 1)
	if not raw then
		-- Nothing was sent yet, or asking twice is no harm.
		return (kind == "connect" or method.again and (kind == "timeout" or kind == "other")) and delay or nil
	elseif not method.again or raw.status ~= 429 and raw.status < 500 then
		return nil
	end
	local asked = retry_after(raw.head)
	if asked and asked > PATIENCE then
		return nil
	end
	return math.max(asked or 0, delay)
end

-- The raw answer of core.transfer(), or nil, a message, its kind. `prepare` may change what libcurl is told.
function requests.send(fn, request, prepare)
	local refusal = url.refusal(request.url)
	if refusal then
		return nil, refusal, "limit"
	end
	local wanted, method = transfer_of(fn, request)
	if prepare then
		prepare(wanted)
	end
	local try = 1
	while true do
		local raw, text, kind = core.transfer(wanted)
		local delay = again(request, method, raw, kind, try)
		if not delay then
			return raw, text and url.told(wanted.url) .. ": " .. text .. (try > 1 and " (" .. try .. " tries)" or ""), kind
		end
		core.sleep(delay)
		try = try + 1
	end
end

return requests
