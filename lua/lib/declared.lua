-- SPDX-License-Identifier: MIT
-- What functions of modules share that bring about a resource: their arguments, and what is registered of it already.
local core = ...
local arguments = core.library("arguments")
local declared = {}

-- (value, { options }), (value, second …) or one table. `names` in the order of positions; `aliases`: other names of arguments.
function declared.read(fn, names, kinds, aliases, ...)
	local count, last = select("#", ...), select(math.max(select("#", ...), 1), ...)
	if count == 0 or type(last) ~= "table" or getmetatable(last) ~= nil or last[1] ~= nil then
		return arguments.read(fn, names, kinds, ...)
	end
	local args = {}
	for key, value in pairs(last) do
		args[not kinds[key] and aliases[key] or key] = value
	end
	for i = 1, count - 1 do
		if names[i] == nil then
			core.fail(fn .. " takes " .. #names .. " arguments (" .. table.concat(names, ", ") .. ")")
		end
		args[names[i]] = (select(i, ...))
	end
	return arguments.read(fn, names, kinds, args)
end

-- Its properties, when it is registered, as one that is there and of the same root.
function declared.properties(type_name, name, root)
	local row = core.run().stack and core.call("resource.get", { type = type_name, name = name, unsealed = true })
	local properties = row and row.properties
	return properties and properties.ensure ~= "absent" and properties.root == root and properties or {}
end

-- resource.TYPE with what is registered of it, and these changes.
function declared.amend(type_name, name, changes)
	local all = {}
	for key, value in pairs(declared.properties(type_name, name, changes.root)) do
		all[key] = value
	end
	for key, value in pairs(changes) do
		all[key] = value
	end
	return core.library("resource")[type_name](name, all)
end

return declared
