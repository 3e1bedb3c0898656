-- SPDX-License-Identifier: MIT
-- json: what stands for null within lists, and tables that are lists also when they are empty.
local core = ...
local json = {}

json.null = core.null

-- list([t]): { } would be written as an object.
function json.list(t)
	if t ~= nil and type(t) ~= "table" then
		core.fail("json.list: a table is expected, not " .. type(t))
	end
	return core.mark_list(t or {})
end

return json
