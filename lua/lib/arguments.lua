-- SPDX-License-Identifier: MIT
-- What a function of a module was given: one table with names, or positions. A wrong or unknown argument is an error that
-- names the known ones.
local core = ...
local arguments = {}

local function unknown(fn, names, key)
	local near = core.nearest(tostring(key), names)
	core.fail(fn .. " has no argument '" .. tostring(key) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
		" (its arguments: " .. table.concat(names, ", ") .. ")")
end

-- Types: the name of one, with "?" when it may be missing; "any".
local function check(fn, names, kinds, args)
	for _, name in ipairs(names) do
		local kind = kinds[name]
		local value = args[name]
		if type(value) == "table" and getmetatable(value) == false then
			value = tostring(value) -- the output of a command
			args[name] = value
		end
		local optional = kind:sub(-1) == "?"
		local wanted = kind:gsub("%?$", "")
		if value == nil and not optional then
			core.fail(fn .. ": '" .. name .. "' is missing (its arguments: " .. table.concat(names, ", ") .. ")")
		elseif value ~= nil and wanted ~= "any" and type(value) ~= wanted then
			core.fail(fn .. ": '" .. name .. "' must be a " .. wanted .. ", not a " .. type(value))
		end
	end
	return args
end

-- `names` in the order of positions; `kinds`: name → type.
function arguments.read(fn, names, kinds, ...)
	local first = ...
	local args = {}
	if select("#", ...) == 1 and type(first) == "table" and getmetatable(first) == nil then
		for key, value in pairs(first) do
			if not kinds[key] then
				unknown(fn, names, key)
			end
			args[key] = value
		end
	else
		if select("#", ...) > #names then
			core.fail(fn .. " takes " .. #names .. " arguments (" .. table.concat(names, ", ") .. ")")
		end
		for i = 1, select("#", ...) do
			args[names[i]] = (select(i, ...))
		end
	end
	return check(fn, names, kinds, args)
end

return arguments
