-- SPDX-License-Identifier: MIT
-- notification: messages to people, by web hooks and mail: true, or false and a message. Addresses of web hooks are secrets:
-- what is told of them is the host.
local core = ...
local arguments = core.library("arguments")
local requests = core.library("requests")
local url = core.library("url")
local notification = {}

local function post(fn, address, payload)
	if url.refusal(address) then
		return false, fn .. ": that is no address of the web: it has to begin with http:// or https://"
	end
	local raw, text = requests.send(fn, requests.checked(fn, { method = "POST", url = address, body = payload }))
	if not raw then
		return false, fn .. ": " .. (text:gsub("^%S+: ", url.host(address) .. ": "))
	elseif raw.status < 200 or raw.status > 299 then
		local said = (raw.body or ""):match("^[^\r\n]*"):sub(1, 200)
		return false, ("%s: %s answers with status %d%s"):format(fn, url.host(address), raw.status, said ~= "" and ": " .. said or "")
	end
	return true
end

-- (webhook, "text" or { … }), or all in one table with `webhook` (or webhook_url, url) → the address, the payload.
local addresses = { "webhook", "webhook_url", "url" }

local function message(fn, field, first, payload, ...)
	if select("#", ...) > 0 then
		core.fail(fn .. " takes an address and a message")
	end
	local address, all = first, {}
	if type(first) == "table" and getmetatable(first) ~= false then
		if payload ~= nil then
			core.fail(fn .. " takes an address and a message, or all in one table")
		end
		for key, value in pairs(first) do
			all[key] = value
		end
		address = nil
		for _, name in ipairs(addresses) do
			address = address or all[name]
			all[name] = nil
		end
	elseif type(payload) == "table" and getmetatable(payload) ~= false then
		for key, value in pairs(payload) do
			all[key] = value
		end
	elseif payload ~= nil then
		all[field] = tostring(payload)
	end
	if type(address) ~= "string" then
		core.fail(fn .. ": 'webhook', the address, must be a string")
	end
	if all.message ~= nil and all[field] == nil then
		all[field], all.message = tostring(all.message), nil
	end
	return address, all
end

function notification.slack(...)
	local address, payload = message("notification.slack", "text", ...)
	if payload.text == nil and payload.attachments == nil and payload.blocks == nil then
		core.fail("notification.slack: 'text' is missing")
	end
	return post("notification.slack", address, payload)
end

function notification.discord(...)
	local address, payload = message("notification.discord", "content", ...)
	if payload.content == nil and payload.embeds == nil then
		core.fail("notification.discord: 'content' is missing")
	end
	return post("notification.discord", address, payload)
end

function notification.teams(...)
	local address, payload = message("notification.teams", "text", ...)
	return post("notification.teams", address, payload)
end

-- Any table, as JSON.
function notification.webhook(...)
	local address, payload = message("notification.webhook", "message", ...)
	return post("notification.webhook", address, payload)
end

function notification.telegram(...)
	local args = arguments.read("notification.telegram", { "token", "chat_id", "text", "server" },
		{ token = "string", chat_id = "any", text = "string", server = "string?" }, ...)
	return post("notification.telegram", (args.server or "https://api.telegram.org") .. "/bot" .. url.encode(args.token) .. "/sendMessage",
		{ chat_id = args.chat_id, text = args.text })
end

-- Mail.

local function no_break(fn, name, text)
	if text:find("[\r\n\0]") then
		core.fail(fn .. ": '" .. name .. "' has a line break in it")
	end
	return text
end

-- "Ann <ann@example.com>" → "ann@example.com"
local function bare(fn, name, text)
	local address = no_break(fn, name, text):match("<([^<>%s]+)>%s*$") or text:match("^%s*([^<>%s]+)%s*$")
	if not address or not address:find("^[^@]+@[^@]+$") then
		core.fail(fn .. ": '" .. name .. "': '" .. text .. "' is no address")
	end
	return address
end

local function list_of(fn, name, value)
	if value == nil then
		return {}
	elseif type(value) == "string" then
		local list = {}
		for one in value:gmatch("[^,]+") do
			list[#list + 1] = one:match("^%s*(.-)%s*$")
		end
		return list
	elseif type(value) ~= "table" then
		core.fail(fn .. ": '" .. name .. "' must be an address or a list of them")
	end
	return value
end

-- RFC 2047, where it is not plain text; in words of at most 75 characters, no letter torn.
local function header_text(text)
	if not text:find("[\128-\255]") then
		return text
	elseif not utf8.len(text) then
		text = text:gsub("[\128-\255]", "?")
		return text
	end
	local words, part = {}, ""
	for _, code in utf8.codes(text) do
		local letter = utf8.char(code)
		if #part + #letter > 42 then
			words[#words + 1] = "=?UTF-8?B?" .. crypto.base64_encode(part) .. "?="
			part = ""
		end
		part = part .. letter
	end
	words[#words + 1] = "=?UTF-8?B?" .. crypto.base64_encode(part) .. "?="
	return table.concat(words, "\r\n ")
end

-- Lines of at most 76 characters of base64: any text arrives as it is.
local function mail_text(args, to, cc)
	local encoded = crypto.base64_encode(args.body):gsub(("."):rep(76), "%0\r\n")
	local lines = {
		"From: " .. header_text(args.from), "To: " .. header_text(table.concat(to, ", ")),
		"Subject: " .. header_text(args.subject), "Date: " .. os.date("!%a, %d %b %Y %H:%M:%S +0000"),
		"Message-ID: <" .. crypto.uuid() .. "@" .. core.uname().nodename .. ">", "MIME-Version: 1.0",
		"Content-Type: " .. (args.html and "text/html" or "text/plain") .. "; charset=utf-8", "Content-Transfer-Encoding: base64",
	}
	if #cc > 0 then
		table.insert(lines, 3, "Cc: " .. header_text(table.concat(cc, ", ")))
	end
	return table.concat(lines, "\r\n") .. "\r\n\r\n" .. encoded .. "\r\n"
end

local mail_names = { "server", "port", "from", "to", "cc", "bcc", "subject", "body", "html", "user", "password", "starttls", "tls", "verify",
	"ca", "timeout" }
local mail_kinds = { server = "string?", port = "any?", from = "string", to = "any", cc = "any?", bcc = "any?", subject = "string?",
	body = "string?", html = "boolean?", user = "string?", password = "string?", starttls = "boolean?", tls = "boolean?", verify = "boolean?",
	ca = "string?", timeout = "any?" }
local mail_spellings = { smtp_host = "server", smtp_server = "server", host = "server", smtp_port = "port", username = "user", message = "body" }

local function mail_arguments(fn, options)
	local named = {}
	for key, value in pairs(type(options) == "table" and options or {}) do
		named[mail_spellings[key] or key] = value
	end
	local args = arguments.read(fn, mail_names, mail_kinds, named)
	args.server = no_break(fn, "server", args.server or "localhost")
	args.port = math.tointeger(tonumber(args.port or args.tls and 465 or args.user and 587 or 25))
	if not args.port or args.port < 1 or args.port > 65535 then
		core.fail(fn .. ": 'port' must be a number from 1 to 65535")
	elseif not args.server:find("^[%w.:%[%]-]+$") then
		core.fail(fn .. ": '" .. args.server .. "' is no name of a server")
	end
	args.subject, args.body = no_break(fn, "subject", args.subject or ""), args.body or ""
	return args
end

-- By SMTP. Where a password is sent, the connection is encrypted before, unless starttls = false says otherwise.
function notification.email(options)
	local fn = "notification.email"
	local args = mail_arguments(fn, options)
	local to, cc = list_of(fn, "to", args.to), list_of(fn, "cc", args.cc)
	local recipients = {}
	for name, list in pairs({ to = to, cc = cc, bcc = list_of(fn, "bcc", args.bcc) }) do
		for _, one in ipairs(list) do
			recipients[#recipients + 1] = bare(fn, name, tostring(one))
		end
	end
	if #recipients == 0 then
		core.fail(fn .. ": 'to' has no address in it")
	end
	table.sort(recipients)
	local timeout = core.duration(args.timeout or 30)
	if not timeout then
		core.fail(fn .. ": 'timeout' must be a duration")
	end
	local starttls = args.starttls
	if starttls == nil then
		starttls = args.password ~= nil
	end
	local verify = args.verify ~= false
	local place = (args.tls and "smtps://" or "smtp://") .. args.server .. ":" .. args.port
	local raw, text = core.transfer({
		protocols = "smtp,smtps", url = place .. "/" .. core.uname().nodename, mail_from = "<" .. bare(fn, "from", args.from) .. ">",
		recipients = recipients, mail = mail_text(args, to, cc), user = args.user, password = args.password,
		tls = (starttls or args.tls) and 3 or 0, verify_peer = verify and 1 or 0, verify_host = verify and 2 or 0,
		ca = args.ca and core.path(args.ca), timeout_ms = timeout,
		fresh = 1, -- or a password would go over an open line that another mail has left
	})
	if not raw then
		return false, fn .. ": " .. place .. ": " .. text
	end
	return true
end

local services = { "slack", "discord", "teams", "webhook", "telegram", "email" }

-- send{ service = "slack", … }
function notification.send(options)
	if type(options) ~= "table" then
		core.fail("notification.send takes one table, with 'service'")
	end
	local rest = {}
	for key, value in pairs(options) do
		rest[key] = value
	end
	local service = rest.service or rest.type
	rest.service, rest.type = nil, nil
	for _, name in ipairs(services) do
		if name == service then
			return notification[name](rest)
		end
	end
	local near = core.nearest(tostring(service), services)
	core.fail("notification.send: '" .. tostring(service) .. "' is no service" .. (near and ": did you mean '" .. near .. "'?" or "") ..
		" (" .. table.concat(services, ", ") .. ")")
end

return notification
