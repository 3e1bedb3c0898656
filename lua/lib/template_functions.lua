-- SPDX-License-Identifier: MIT
-- The functions of templates: Go's own, and those that people know from Helm. Lists count from 0, as there. A mistake is an error { template = message }.
local core = ...
local codec = { json = json, yaml = yaml, data = data, crypto = crypto, strings = strings }
local functions = {}

local MOST = 16 << 20 -- bytes of a text

local function fail(message)
	error({ template = message }, 0)
end

-- What is printed of a value.
local function text(value)
	if value == nil or value == core.null then
		return ""
	elseif type(value) == "table" and getmetatable(value) ~= false then
		return codec.json.encode(value) or tostring(value)
	elseif type(value) == "number" and math.tointeger(value) then
		return tostring(math.tointeger(value))
	end
	return tostring(value)
end
functions.text = text

-- Whether a condition takes it for true, as Go does.
local function truth(value)
	return not (value == nil or value == false or value == 0 or value == "" or value == core.null or (type(value) == "table" and next(value) == nil))
end
functions.truth = truth

local function number(value, name)
	local n = tonumber(value)
	if not n then
		fail(name .. ": '" .. text(value) .. "' is not a number")
	end
	return math.tointeger(n) or n
end

local function list(value, name)
	if type(value) ~= "table" then
		fail(name .. ": a list is expected, not " .. type(value))
	end
	return value
end

local function bounded(size, name)
	if size > MOST then
		fail(name .. ": the text would be larger than 16 MiB")
	end
end

local f = {}
functions.all = f

function f.eq(a, ...)
	for i = 1, select("#", ...) do
		if a == (select(i, ...)) then
			return true
		end
	end
	return false
end
function f.ne(a, b) return a ~= b end

local function compare(name, test)
	f[name] = function(a, b)
		if type(a) ~= type(b) or (type(a) ~= "number" and type(a) ~= "string") then
			fail(name .. " can't compare " .. type(a) .. " with " .. type(b))
		end
		return test(a, b)
	end
end
compare("lt", function(a, b) return a < b end)
compare("le", function(a, b) return a <= b end)
compare("gt", function(a, b) return a > b end)
compare("ge", function(a, b) return a >= b end)

f["and"] = function(...)
	local value
	for i = 1, select("#", ...) do
		value = (select(i, ...))
		if not truth(value) then
			return value
		end
	end
	return value
end
f["or"] = function(...)
	local value
	for i = 1, select("#", ...) do
		value = (select(i, ...))
		if truth(value) then
			return value
		end
	end
	return value
end
f["not"] = function(value) return not truth(value) end

function f.len(value)
	if type(value) == "table" then
		local count = 0
		for _ in pairs(value) do
			count = count + 1
		end
		return count
	end
	return #text(value)
end

function f.index(value, ...)
	for i = 1, select("#", ...) do
		local key = (select(i, ...))
		if value == nil then
			return nil
		end
		value = list(value, "index")[math.type(key) == "integer" and key + 1 or key]
	end
	return value
end

-- The verbs of Go as those of C.
local verbs = { v = text, s = text, q = function(v) return f.quote(v) end, t = text }
function f.printf(format, ...)
	local at, values = 0, { ... }
	local result = text(format):gsub("%%([%-+ #0]*%d*%.?%d*)(.)", function(flags, verb)
		if verb == "%" then
			return "%"
		end
		at = at + 1
		local value = values[at]
		if verbs[verb] then
			value = verbs[verb](value)
			verb = "s"
		elseif verb == "d" then
			value = math.floor(number(value, "printf"))
		elseif verb:find("[feEgxXoc]") then
			value = number(value, "printf")
		else
			fail("printf: %" .. verb .. " is not understood")
		end
		local ok, done = pcall(string.format, "%" .. flags .. verb, value)
		if not ok then
			fail("printf: '%" .. flags .. verb .. "' is not understood")
		end
		return done
	end)
	return result
end
function f.print(...)
	local parts = {}
	for i = 1, select("#", ...) do
		parts[i] = text((select(i, ...)))
	end
	return table.concat(parts)
end
function f.println(...)
	local parts = {}
	for i = 1, select("#", ...) do
		parts[i] = text((select(i, ...)))
	end
	return table.concat(parts, " ") .. "\n"
end

function f.default(other, value)
	if truth(value) then
		return value
	end
	return other
end
f.coalesce = f["or"]
function f.empty(value) return not truth(value) end
function f.ternary(yes, no, condition)
	if truth(condition) then
		return yes
	end
	return no
end
function f.required(message, value)
	if value == nil or value == "" then
		fail(text(message))
	end
	return value
end

function f.upper(s) return codec.strings.upper(text(s)) end
function f.lower(s) return codec.strings.lower(text(s)) end
function f.title(s) return codec.strings.title(text(s)) end
function f.trim(s) return (text(s):match("^%s*(.-)%s*$")) end
function f.trimPrefix(prefix, s)
	s, prefix = text(s), text(prefix)
	return s:sub(1, #prefix) == prefix and s:sub(#prefix + 1) or s
end
function f.trimSuffix(suffix, s)
	s, suffix = text(s), text(suffix)
	return suffix ~= "" and s:sub(-#suffix) == suffix and s:sub(1, -#suffix - 1) or s
end
function f.contains(part, s) return text(s):find(text(part), 1, true) ~= nil end
function f.hasPrefix(prefix, s) return text(s):sub(1, #text(prefix)) == text(prefix) end
function f.hasSuffix(suffix, s) return text(suffix) == "" or text(s):sub(-#text(suffix)) == text(suffix) end
function f.replace(from, to, s) return codec.strings.replace(text(s), text(from), text(to)) end
function f.split(by, s) return codec.strings.split(text(s), text(by)) end
f.splitList = f.split
function f.join(by, items)
	local parts = {}
	for i, item in ipairs(list(items, "join")) do
		parts[i] = text(item)
	end
	return table.concat(parts, text(by))
end
f["repeat"] = function(count, s)
	count, s = number(count, "repeat"), text(s)
	bounded(count * #s, "repeat")
	return s:rep(count)
end
function f.quote(s)
	return '"' .. text(s):gsub('[\\"]', "\\%0"):gsub("\n", "\\n"):gsub("\t", "\\t"):gsub("\r", "\\r") .. '"'
end
function f.squote(s) return "'" .. text(s) .. "'" end
function f.indent(count, s)
	s = text(s)
	local blanks = (" "):rep(math.min(number(count, "indent"), 1000))
	bounded(#s + (select(2, s:gsub("\n", "")) + 1) * #blanks, "indent")
	return blanks .. s:gsub("\n", "\n" .. blanks)
end
function f.nindent(count, s) return "\n" .. f.indent(count, s) end

local function encoded(value, problem)
	if not value then
		fail(problem)
	end
	return value
end
function f.toJson(value) return value == nil and "null" or encoded(codec.json.encode(value)) end
function f.toPrettyJson(value) return value == nil and "null" or encoded(codec.json.pretty(value)) end
function f.toYaml(value) return value == nil and "null" or (encoded(codec.yaml.encode(value)):gsub("\n$", "")) end
function f.fromJson(s) return (codec.json.decode(text(s))) end
function f.b64enc(s) return codec.crypto.base64_encode(text(s)) end
function f.b64dec(s) return (codec.crypto.base64_decode(text(s))) end
function f.sha256sum(s) return codec.crypto.sha256(text(s)) end

function f.add(...)
	local sum = 0
	for i = 1, select("#", ...) do
		sum = sum + number((select(i, ...)), "add")
	end
	return sum
end
function f.sub(a, b) return number(a, "sub") - number(b, "sub") end
function f.mul(a, b) return number(a, "mul") * number(b, "mul") end
function f.div(a, b)
	a, b = number(a, "div"), number(b, "div")
	if b == 0 then
		fail("div: a division by 0")
	end
	return math.type(a) == "integer" and math.type(b) == "integer" and a // b or a / b
end
function f.mod(a, b)
	if number(b, "mod") == 0 then
		fail("mod: a division by 0")
	end
	return number(a, "mod") % number(b, "mod")
end
function f.int(value) return math.floor(tonumber(value) or 0) end
f.toString = text
f.string = text

function f.list(...) return { ... } end
function f.dict(...)
	local result = {}
	for i = 1, select("#", ...), 2 do
		result[text((select(i, ...)))] = (select(i + 1, ...))
	end
	return result
end
function f.first(items) return list(items, "first")[1] end
function f.last(items) return list(items, "last")[#items] end
function f.keys(map)
	local names = {}
	for key in pairs(list(map, "keys")) do
		names[#names + 1] = key
	end
	table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
	return names
end

return functions
