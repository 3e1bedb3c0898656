-- SPDX-License-Identifier: MIT
-- Provider: what an address of the web answers. It only looks: who answers is a resource of its own.
local core = ...
local patience = core.library("patience")
local requests = core.library("requests")

local http_endpoint = {
	type = "http",
	module = "resource",
	key = "url",
	properties = {
		url = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present", severity = "high", state = true },
		status = { kind = "set", default = { "200" }, severity = "high", state = true },
		body = { kind = "line", severity = "high", state = true },
		headers = { kind = "map", state = true },
		method = { kind = "word", words = { "GET", "HEAD" }, default = "GET", compare = false },
		follow = { kind = "boolean", default = true, compare = false },
		verify = { kind = "boolean", default = true, compare = false },
		ca = { kind = "path", compare = false },
		unix_socket = { kind = "path", compare = false },
		timeout = { kind = "duration", default = "10s", compare = false },
		wait = { kind = "duration", default = "10s", compare = false },
	},
	impact = {
		[""] = "who asks there gets no answer, or one though there should be none",
		status = "who asks there gets another answer than was meant",
		body = "who asks there gets another content than was meant",
		headers = "who asks there gets another answer than was meant",
	},
}

function http_endpoint.validate(desired)
	local refusal = core.library("url").refusal(desired.url)
	if refusal then
		return refusal
	elseif desired.url:find("^%a+://[^/?#]*@") then
		return "'url' has a user in it: resources are told to everybody who may see the stack"
	elseif desired.body and desired.method == "HEAD" then
		return "an answer to HEAD has no body"
	end
	for _, status in ipairs(desired.status or {}) do
		if not status:find("^[1-5]%d%d$") and not status:find("^[1-5]xx$") then
			return "'" .. status .. "' is no status: 200, or \"2xx\" for all that begin so"
		end
	end
	local re, wrong = core.regex(desired.body or "", true)
	return not re and "'body': " .. wrong or nil
end

local function ask(desired)
	return requests.send("resource.http", requests.checked("resource.http", {
		method = desired.method, url = desired.url, follow_redirects = desired.follow, verify = desired.verify, ca = desired.ca,
		unix_socket = desired.unix_socket, timeout = desired.timeout,
	}))
end

-- The list that was wanted where one of it fits, else what came.
local function status_of(raw, wanted)
	for _, one in ipairs(wanted or {}) do
		if one == tostring(raw.status) or one == tostring(raw.status):sub(1, 1) .. "xx" then
			return wanted
		end
	end
	return core.mark_list({ tostring(raw.status) })
end

-- Not what was found: it may be for fewer eyes than the stack.
local function body_of(raw, wanted)
	local re = wanted and core.regex(wanted, true)
	if not re or re:find(raw.body or "", 1) then
		return wanted
	end
	return "nothing of the kind in " .. #(raw.body or "") .. " bytes"
end

-- Those that are asked for; a header whose value fits the expression is as wanted.
local function headers_of(raw, wanted)
	local found = wanted and {} or nil
	local all = wanted and core.library("answer").headers(raw.head)
	for name, value in pairs(wanted or {}) do
		local re = core.regex(value)
		found[name] = re and all[name] and re:find(all[name], 1) and value or all[name] or ""
	end
	return found
end

function http_endpoint.read(desired)
	local raw, message, kind = ask(desired)
	if not raw and kind == "limit" then
		return nil, message
	elseif not raw then
		-- How long it took is another each time.
		return { ensure = "absent", found = (message:gsub(" after %d+ m%a+", ""):gsub(" with %d+[^:]* received", "")) }
	end
	return { ensure = "present", status = status_of(raw, desired.status), body = body_of(raw, desired.body), headers = headers_of(raw, desired.headers) }
end

function http_endpoint.apply(desired)
	local ok, left, message = patience.others(http_endpoint, desired)
	if ok or not left then
		return ok, message
	end
	local said = left.property == "" and tostring(left.actual) or left.property .. " is " .. json.encode(left.actual)
	return nil, said .. "; who answers is brought about by another resource (depends_on names it), and was waited for " .. desired.wait
end

http_endpoint.image, http_endpoint.undo = patience.nothing, patience.nothing

function http_endpoint.watch()
	return { { poll = 30 } }
end

function http_endpoint.suggest(desired)
	return "curl -i " .. core.library("on_disk").quoted(desired.url)
end

return http_endpoint
