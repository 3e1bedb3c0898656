-- SPDX-License-Identifier: MIT
-- secret: secrets of the submitter.
local core = ...
local secret = {}

-- Bytes: what is no text comes in base64. Or nil and why not.
function secret.get(name)
	if type(name) ~= "string" then
		core.fail("secret.get: the name must be a string, not a " .. type(name))
	end
	local value, text = core.call("secret.get", { name = name })
	if text then
		return nil, text
	end
	return value.text or core.base64_decode(value.base64)
end

return secret
