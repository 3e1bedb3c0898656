-- SPDX-License-Identifier: MIT
-- net: the older spelling of http. Its functions give what they always gave.
local core = ...
local answer = core.library("answer")
local arguments = core.library("arguments")
local download = core.library("download")
local requests = core.library("requests")
local net = {}

-- body, status, headers (a list of texts a name), nil; or nil, 0, nil, a message.
local function ask(fn, options)
	local raw, text = requests.send(fn, requests.checked(fn, options))
	if not raw then
		return nil, 0, nil, text
	end
	return raw.body, raw.status, answer.header_lists(raw.head), nil
end

function net.http_get(...)
	local args = arguments.read("net.http_get", { "url", "headers", "timeout" },
		{ url = "string", headers = "table?", timeout = "any?" }, ...)
	return ask("net.http_get", { url = args.url, headers = args.headers, timeout = args.timeout })
end

function net.http_post(...)
	local args = arguments.read("net.http_post", { "url", "body", "headers", "timeout" },
		{ url = "string", body = "any?", headers = "table?", timeout = "any?" }, ...)
	return ask("net.http_post", { method = "POST", url = args.url, body = args.body, headers = args.headers, timeout = args.timeout })
end

-- nil and the result, or a message and the result.
function net.download(...)
	local ok, text, res = download.fetch("net.download", ...)
	return not ok and text or nil, res
end

return net
