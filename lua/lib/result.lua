-- SPDX-License-Identifier: MIT
-- What functions that change something give. Success: the result three times, a table { changed, success, message, … } that reads as
-- its message; failure: false, message, result.
local result = {}

local meta = { __name = "result", __metatable = false, __value = "message" }
meta.__index = function(self, key)
	local method = string[key]
	return method and function(first, ...)
		return method(first == self and rawget(self, "message") or first, ...)
	end
end
meta.__tostring = function(self) return rawget(self, "message") end
meta.__concat = function(a, b) return tostring(a) .. tostring(b) end
meta.__len = function(self) return #rawget(self, "message") end

local function new(success, changed, message, more)
	local res = { success = success, changed = changed, failed = not success, message = message }
	for key, value in pairs(more or {}) do
		res[key] = value
	end
	return setmetatable(res, meta)
end

-- `more`: further fields.
function result.good(changed, message, more)
	local res = new(true, changed, message, more)
	return res, res, res
end

function result.bad(message, more)
	return false, message, new(false, false, message, more)
end

return result
