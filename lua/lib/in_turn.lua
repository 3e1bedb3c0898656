-- SPDX-License-Identifier: MIT
-- Steps { function, arguments … }, each when the one before went well: true; or nil and the message of the one that did not.

return function(steps)
	for _, step in ipairs(steps) do
		local ok, message = step[1](table.unpack(step, 2))
		if not ok then
			return nil, message
		end
	end
	return true
end
