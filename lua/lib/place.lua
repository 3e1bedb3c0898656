-- SPDX-License-Identifier: MIT
-- Where in the workflow somebody is at work: the line of Lua that called into the library, or a place in a document.
local core = ...
local place = {}

local where, line -- of a document (YAML), as long as it is read

-- set("file:line:column", line), or nothing: again that of the running program
function place.set(text, number)
	where, line = text, number
end

function place.here()
	if where then
		return where, line
	end
	return core.where()
end

function place.fail(message)
	if where then
		core.error(where .. ": " .. message, 0)
	end
	core.fail(message)
end

return place
