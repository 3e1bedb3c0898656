-- SPDX-License-Identifier: MIT
-- Provider: an output of another stack that something here was made with. When it is another one by now, what was made with it is out of
-- date. It is that stack's: nothing is changed here.
local core = ...
local content = core.library("content")
local property = core.library("property")

local KEPT_MAX = 1000 -- bytes of JSON; of a longer value the digest is kept

local output = {
	type = "output",
	module = "stack",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present" }, default = "present" },
		stack = { kind = "line", required = true, compare = false },
		output = { kind = "line", required = true, compare = false },
		value = { kind = "any", severity = "high" },
	},
	impact = {
		[""] = "what was made with this output of another stack can't be made again",
		value = "what was made with this output of another stack was made with another value than it has",
	},
}

-- As it is kept.
local function form(value)
	local text = json.encode(value)
	if #text <= KEPT_MAX then
		return value
	end
	return content.digest_of(text)
end

-- { value }, {} when there is none; or nil and a message.
local function asked(desired)
	local value, message, errno = core.call("stack.get_output", { stack = desired.stack, name = desired.output })
	if message and errno ~= "ENOENT" then
		return nil, message
	end
	return { value = value }
end

-- Who looks for drift can't ask: it was given what there is.
local function found(desired, given)
	if not given then
		return asked(desired)
	elseif given.error then
		return nil, given.error
	end
	return given
end

function output.prepare(desired)
	local now, message = asked(desired)
	if not now then
		return nil, message
	elseif now.value == nil then
		return nil, "the stack " .. desired.stack .. " has no output '" .. desired.output .. "'"
	end
	desired.value = form(now.value)
	return true
end

function output.read(desired, given)
	local now, message = found(desired, given)
	if not now then
		return nil, message
	elseif now.value == nil then
		return { ensure = "absent" }
	end
	return { ensure = "present", value = form(now.value) }
end

function output.diff(desired, actual)
	if actual.ensure == "absent" then
		return { { property = "", expected = "present", actual = "absent", kind = "dependency" } }
	elseif not property.same(desired.value, actual.value) then
		return { { property = "value", expected = desired.value, actual = actual.value, kind = "dependency" } }
	end
	return {}
end

function output.apply(desired, actual)
	if actual.ensure == "absent" then
		return nil, "the stack " .. desired.stack .. " has no output '" .. desired.output .. "' any more"
	end
	return nil, "what was made with the value that it had is not made anew by this: run the workflow again"
end

function output.watch()
	return { { poll = 30 } }
end

return output
