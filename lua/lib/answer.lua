-- SPDX-License-Identifier: MIT
-- The answer to a request: what workflows see of it.
local core = ...
local decode, encode = json.decode, json.encode
local answer = {}

-- JSON of an argument.
function answer.encode(fn, name, value)
	local text, problem = encode(value)
	if not text then
		core.fail(fn .. ": '" .. name .. "': " .. problem)
	end
	return text
end

-- "content-type" → "Content-Type"
local function canonical(name)
	return (name:lower():gsub("%f[%w]%l", string.upper))
end

-- Names are found in any spelling.
local any_case = {}
function any_case:__index(name)
	return type(name) == "string" and rawget(self, canonical(name)) or nil
end

-- name, value of each line of the header, in order. A line that begins with a blank goes on with the one before.
local function each_header(head)
	return head:gsub("\r?\n[ \t]+", " "):gmatch("([^\r\n:]+):[ \t]*([^\r\n]*)")
end

-- One text a name: several lines of the same name are joined.
function answer.headers(head)
	local headers = {}
	for name, value in each_header(head) do
		local key = canonical(name)
		value = value:gsub("[ \t]+$", "")
		headers[key] = headers[key] and headers[key] .. ", " .. value or value
	end
	return setmetatable(headers, any_case)
end

-- A list of texts a name.
function answer.header_lists(head)
	local headers = {}
	for name, value in each_header(head) do
		local key = canonical(name)
		headers[key] = headers[key] or {}
		table.insert(headers[key], (value:gsub("[ \t]+$", "")))
	end
	return setmetatable(headers, any_case)
end

function answer.header(head, name)
	return answer.headers(head)[name]
end

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }

-- "Sun, 06 Nov 1994 08:49:37 GMT" as seconds since 1970, or nil: RFC 9110, 5.6.7.
function answer.http_date(text)
	local day, month, year, clock = text:match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
	if not day or not months[month] then
		return nil
	end
	return (core.library("time").parse(("%s-%02d-%sT%sZ"):format(year, months[month], day, clock)))
end

-- What is looked up when it is first asked for.
local late = {}

function late.json(self)
	local value = decode(self.body)
	rawset(self, "json", value)
	return value
end

function late.data(self)
	return self
end

function late.status(self)
	return self.status_code
end

function late.ok(self)
	return self.success
end

function late.elapsed_ms(self)
	return math.floor(self.duration * 1000)
end

local meta = {
	__index = function(self, key)
		local field = late[key]
		return field and field(self)
	end,
}

function answer.new(raw)
	return setmetatable({
		status_code = raw.status,
		success = raw.status >= 200 and raw.status < 300,
		body = raw.body,
		headers = answer.headers(raw.head),
		url = raw.url,
		duration = raw.duration,
	}, meta)
end

return answer
