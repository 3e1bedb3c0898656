-- SPDX-License-Identifier: MIT
-- http: requests. They give an answer, whatever its status, or nil and a message.
local core = ...
local answer = core.library("answer")
local download = core.library("download")
local requests = core.library("requests")
local http = {}

local function ask(fn, options)
	local raw, text = requests.send(fn, requests.checked(fn, options))
	if not raw then
		return nil, text
	end
	return answer.new(raw)
end

-- (url [, body] [, options]), or all in one table.
local function spread(fn, method, with_body, first, ...)
	local options, rest = {}, { ... }
	if type(first) == "table" and getmetatable(first) ~= false then
		if #rest > 0 then
			core.fail(fn .. " takes one table, or a URL" .. (with_body and ", a body" or "") .. " and a table of options")
		end
		options = first
	else
		local more = rest[with_body and 2 or 1]
		if more ~= nil and type(more) ~= "table" or rest[with_body and 3 or 2] ~= nil then
			core.fail(fn .. " takes a URL" .. (with_body and ", a body" or "") .. " and a table of options")
		end
		for key, value in pairs(more or {}) do
			options[key] = value
		end
		options.url = first
		if with_body and rest[1] ~= nil then
			options.body = rest[1]
		end
	end
	local request = {}
	for key, value in pairs(options) do
		request[key] = value
	end
	request.method = method
	return request
end

function http.get(...)
	return ask("http.get", spread("http.get", "GET", false, ...))
end

function http.head(...)
	return ask("http.head", spread("http.head", "HEAD", false, ...))
end

function http.delete(...)
	return ask("http.delete", spread("http.delete", "DELETE", false, ...))
end

function http.post(...)
	return ask("http.post", spread("http.post", "POST", true, ...))
end

function http.put(...)
	return ask("http.put", spread("http.put", "PUT", true, ...))
end

function http.patch(...)
	return ask("http.patch", spread("http.patch", "PATCH", true, ...))
end

function http.request(options)
	if type(options) ~= "table" then
		core.fail("http.request takes one table, with 'method' and 'url'")
	end
	return ask("http.request", options)
end

-- (url, path [, options]), or all in one table: true-like results three times, or false, a message, the result.
function http.download(...)
	return download.fetch("http.download", ...)
end

return http
