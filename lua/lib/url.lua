-- SPDX-License-Identifier: MIT
-- Addresses on the web: making them, and telling of them without their secrets.
local core = ...
local url = {}

local function encode(text)
	return (text:gsub("[^%w._~-]", function(c)
		return ("%%%02X"):format(c:byte())
	end))
end
url.encode = encode

local function pair(what, name, value)
	local kind = type(value)
	if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
		core.fail(what .. ": the value of '" .. name .. "' must be a string, not a " .. kind)
	end
	return encode(name) .. "=" .. encode(tostring(value))
end

-- { a = 1, b = { "x", "y" } } → "a=1&b=x&b=y"
function url.query(fields, what)
	local parts, names = {}, {}
	for name in pairs(fields) do
		names[#names + 1] = tostring(name)
	end
	table.sort(names)
	for _, name in ipairs(names) do
		local value = fields[name]
		if type(value) == "table" and getmetatable(value) ~= false then
			for _, one in ipairs(value) do
				parts[#parts + 1] = pair(what, name, one)
			end
		else
			parts[#parts + 1] = pair(what, name, type(value) == "table" and tostring(value) or value)
		end
	end
	return table.concat(parts, "&")
end

-- Before the fragment, behind a query that is there already.
function url.with_query(address, fields, what)
	local text = fields and url.query(fields, what) or ""
	if text == "" then
		return address
	end
	local before, fragment = address:match("^([^#]*)(.*)$")
	return before .. (before:find("?", 1, true) and "&" or "?") .. text .. fragment
end

-- For messages: without user, password and query, where secrets may be.
function url.told(address)
	return (address:gsub("^(%a[%w+.-]*://)[^/?#@]*@", "%1"):gsub("[?#].*$", ""))
end

-- "https://host:port", for addresses whose path is a secret.
function url.host(address)
	return url.told(address):match("^%a[%w+.-]*://[^/]*") or "?"
end

-- Why it can't be asked, or nil.
function url.refusal(address)
	if address:find("^[hH][tT][tT][pP][sS]?://[^/]") then
		return nil
	end
	return "'" .. url.told(address) .. "' is no address of the web: it has to begin with http:// or https://"
end

return url
