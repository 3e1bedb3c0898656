-- SPDX-License-Identifier: MIT
-- stack: the run's stack, its outputs, and those of others: stack("network"):output("vpc_id").
local core = ...
local stack = {}

local function ask(fn, args)
	local value, text = core.call(fn, args)
	if text then
		core.fail(fn .. ": " .. text, true)
	end
	return value
end

function stack.get_name()
	return core.run().stack
end

function stack.get_id()
	return ask("stack.info", {}).id
end

function stack.get_status()
	return ask("stack.info", {}).status
end

function stack.set_output(name, value, options)
	if type(name) ~= "string" then
		core.fail("stack.set_output: the name must be a string, not a " .. type(name))
	elseif value == nil then
		core.fail("stack.set_output: the value of '" .. name .. "' is nil")
	elseif options ~= nil then
		core.fail("stack.set_output: options ('sensitive') are not supported by this version")
	end
	return ask("stack.set_output", { name = name, value = value })
end

function stack.get_output(name)
	return (ask("stack.get_output", { name = name }))
end

local other = {}
other.__index = other

function other:output(name)
	return (ask("stack.get_output", { stack = self.name, name = name }))
end

function other:outputs()
	return ask("stack.get_output", { stack = self.name })
end

function other:info()
	return ask("stack.info", { stack = self.name })
end

return setmetatable(stack, {
	__call = function(_, name)
		if type(name) ~= "string" then
			core.fail("stack: the name must be a string")
		end
		return setmetatable({ name = name }, other)
	end,
})
