-- SPDX-License-Identifier: MIT
-- state: keys and values of the run's stack, kept by the daemon; state.namespace(n) for those that all stacks share.
local core = ...

local function ask(fn, args)
	local value, text = core.call(fn, args)
	if text then
		core.fail(fn .. ": " .. text, true)
	end
	return value
end

local function check_key(fn, key)
	if type(key) ~= "string" then
		core.fail("state." .. fn .. ": the key must be a string, not a " .. type(key))
	end
	return key
end

local function ttl_ms(fn, ttl)
	if ttl == nil then
		return 0
	end
	local ms = core.duration(ttl)
	if not ms then
		core.fail("state." .. fn .. ": the ttl must be seconds or a duration")
	end
	return ms
end

local function whole(fn, delta)
	if delta == nil then
		return 1
	elseif type(delta) ~= "number" then
		core.fail("state." .. fn .. ": the step must be a number")
	end
	return delta
end

local function new(namespace)
	local state = {}

	local function call(fn, args)
		args.namespace = namespace
		return (ask("state." .. fn, args))
	end

	function state.get(key, default)
		local value = call("get", { key = check_key("get", key) })
		if value == nil then
			return default
		end
		return value
	end

	function state.set(key, value, ttl)
		if value == nil then
			core.fail("state.set: the value is nil; state.delete removes a key")
		end
		return call("set", { key = check_key("set", key), value = value, ttl_ms = ttl_ms("set", ttl) })
	end

	function state.delete(key)
		return call("delete", { key = check_key("delete", key) })
	end

	function state.exists(key)
		return call("exists", { key = check_key("exists", key) })
	end
	state.has = state.exists

	function state.keys(pattern)
		return call("keys", { pattern = pattern })
	end

	function state.get_all()
		return call("get_all", {})
	end

	function state.clear(pattern)
		return call("clear", { pattern = pattern })
	end

	function state.increment(key, delta)
		return call("increment", { key = check_key("increment", key), delta = whole("increment", delta) })
	end

	function state.decrement(key, delta)
		return call("increment", { key = check_key("decrement", key), delta = -whole("decrement", delta) })
	end

	function state.append(key, text)
		return call("append", { key = check_key("append", key), text = tostring(text) })
	end

	function state.compare_swap(key, expected, value)
		return call("compare_swap", { key = check_key("compare_swap", key), expected = expected, value = value })
	end

	function state.list_push(key, item)
		return call("list_push", { key = check_key("list_push", key), item = item })
	end

	function state.list_pop(key)
		return call("list_pop", { key = check_key("list_pop", key) })
	end

	function state.list_length(key)
		return call("list_length", { key = check_key("list_length", key) })
	end

	function state.set_ttl(key, ttl)
		return call("set_ttl", { key = check_key("set_ttl", key), ttl_ms = ttl_ms("set_ttl", ttl) })
	end

	-- Seconds, or nil: for ever.
	function state.get_ttl(key)
		local ms = call("get_ttl", { key = check_key("get_ttl", key) })
		return ms and ms / 1000
	end

	function state.stats()
		return call("stats", {})
	end

	return state
end

local state = new(nil)

function state.namespace(name)
	if type(name) ~= "string" then
		core.fail("state.namespace: the name must be a string")
	end
	return new(name)
end

return state
