-- SPDX-License-Identifier: MIT
-- Kinds of objects that workflows hold: channels, mutexes … Their metatables are out of reach, and an unknown method is an
-- error that names the nearest.
local core = ...
local object = {}

-- "it has no method 'x': did you mean 'y'? (its methods: …)": `known` has the names as keys.
local function refuse(what, word, known, key)
	local names = {}
	for name in pairs(known) do
		names[#names + 1] = name
	end
	table.sort(names)
	local near = core.nearest(tostring(key), names)
	core.fail(what .. " has no " .. word .. " '" .. tostring(key) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
		" (its " .. word .. "s: " .. table.concat(names, ", ") .. ")")
end

-- Options in a table, all of them known.
function object.check_options(options, known, what)
	for key in pairs(object.check(options, "table", what .. ": the options")) do
		if not known[key] then
			refuse(what, "option", known, key)
		end
	end
	return options
end

-- The metatable of a kind with these methods.
function object.kind(name, methods)
	setmetatable(methods, { __index = function(_, key) refuse((name:find("^[aeiou]") and "an " or "a ") .. name, "method", methods, key) end })
	return { __index = methods, __name = name, __metatable = false }
end

function object.is(value, kind)
	return type(value) == "table" and core.metatable(value) == kind
end

-- Arguments of functions that take objects or functions: `what` is how the message calls it.
function object.check(value, wanted, what)
	if type(value) ~= wanted then
		core.fail(what .. ": a " .. wanted .. " is expected, not " .. (value == nil and "nothing" or "a " .. type(value)))
	end
	return value
end

function object.check_kind(value, kind, what)
	if not object.is(value, kind) then
		core.fail(what .. ": a " .. kind.__name .. " is expected, not " .. (value == nil and "nothing" or "a " .. type(value)))
	end
	return value
end

-- A whole number from `least` on.
function object.check_count(value, least, what)
	if math.type(value) == "float" and value == math.floor(value) then
		value = math.tointeger(value)
	end
	if math.type(value) ~= "integer" or value < least then
		core.fail(what .. ": a whole number from " .. least .. " on is expected, not " .. tostring(value))
	end
	return value
end

-- Milliseconds: a number, or a duration like "5s".
function object.check_ms(value, what)
	local ms = value
	if type(value) == "string" then
		ms = core.duration(value)
	end
	if type(ms) ~= "number" or ms ~= ms then
		core.fail(what .. ": milliseconds or a duration like \"5s\" are expected, not " .. tostring(value))
	end
	return ms
end

-- Seconds (or a duration), as milliseconds.
function object.check_seconds(value, what)
	local ms = core.duration(value)
	if not ms then
		core.fail(what .. ": seconds or a duration like \"5s\" are expected, not " .. tostring(value))
	end
	return ms
end

return object
