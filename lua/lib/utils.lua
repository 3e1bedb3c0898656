-- SPDX-License-Identifier: MIT
-- utils: settings from where they are kept.
local core = ...
local utils = {}

local function check_name(name, what)
	if type(name) ~= "string" then
		core.fail(what .. ": the name must be a string, not a " .. type(name))
	end
	return name
end

-- A value of `values`, by its path ("database.host"): its part with the second name, where it has one; the second as default.
function utils.config(name, other)
	local value = values
	for part in check_name(name, "utils.config"):gmatch("[^.]+") do
		if type(value) ~= "table" then
			return other
		end
		value = value[part]
	end
	if type(value) == "table" and type(other) == "string" and value[other] ~= nil then
		return value[other]
	elseif value == nil then
		return other
	end
	return value
end

-- A secret; or nil and why not.
function utils.secret(name)
	return core.library("secret").get(check_name(name, "utils.secret"))
end

function utils.env(name, default)
	local value = core.getenv(check_name(name, "utils.env"))
	if value == nil then
		return default
	end
	return value
end

return utils
