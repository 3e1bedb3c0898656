-- SPDX-License-Identifier: MIT
-- state: keys and values of the run's stack, kept by the daemon; state.namespace(n) for those that all stacks share.
local core = ...
local arguments = core.library("arguments")
local held = core.library("held")

local function fail(fn, text, raised)
	core.fail("state." .. fn .. ": " .. text, raised)
end

local function milliseconds(fn, name, value)
	local ms = core.duration(value)
	if not ms then
		fail(fn, "the " .. name .. " must be seconds or a duration like \"5m\"")
	end
	return ms
end

-- Arguments as the daemon takes them.
local function words(fn, names, kinds, ...)
	local args = arguments.read("state." .. fn, names, kinds, ...)
	if args.ttl ~= nil then
		args.ttl_ms = milliseconds(fn, "ttl", args.ttl)
		args.ttl = nil
	end
	return args
end

local key_only = { "key" }
local string_only = { key = "string" }

-- Locks are named alike for all stacks and namespaces: locks/NAME of the tree.

local lock_names = { "name", "timeout", "ttl" }
local lock_kinds = { name = "string", timeout = "any?", ttl = "any?" }

-- true; or nil, the sentence, the errno's name.
local function acquire(fn, args)
	core.acts("state." .. fn)
	local timeout = args.timeout
	args.timeout = nil
	args.ttl_ms = args.ttl_ms or 0
	if timeout ~= nil then
		args.wait_ms = milliseconds(fn, "timeout", timeout)
		if args.wait_ms == 0 then -- which would be for ever
			args.wait_ms = 1
		end
	end
	-- A wait that is cut off must not get the lock later, when nobody has a use for it.
	local task, answered = core.task(), false
	local guard <close> = setmetatable({}, { __close = function()
		if not answered then
			core.tell("lock.release", { name = args.name, holder = task })
		end
	end })
	local token, text, errno = core.call("lock.acquire", args)
	answered = true
	if not token then
		return nil, text, errno
	end
	held.add(args.name)
	return true
end

local function release(name)
	held.remove(name)
	core.tell("lock.release", { name = name })
end

local locks = {}

-- true; false and why, when it was not free in time.
function locks.lock(...)
	local args = words("lock", lock_names, lock_kinds, ...)
	local ok, text, errno = acquire("lock", args)
	if not ok and errno ~= "ETIMEDOUT" then
		fail("lock", text, true)
	end
	return ok or false, text
end

-- (name [, ttl]): whether it was free.
function locks.try_lock(...)
	local args = words("try_lock", { "name", "ttl" }, { name = "string", ttl = "any?" }, ...)
	args.ttl_ms = args.ttl_ms or 0
	local token, text = core.call("lock.try", args)
	if text then
		fail("try_lock", text, true)
	elseif token then
		held.add(args.name)
	end
	return token and true or false
end

-- Whether the run held it.
function locks.unlock(...)
	local args = words("unlock", { "name" }, { name = "string" }, ...)
	held.remove(args.name)
	local was, text = core.call("lock.release", args)
	if text then
		fail("unlock", text, true)
	end
	return was
end

-- What the function gives. However it ends, also by a cancel, the lock is free afterwards.
function locks.with_lock(...)
	local args = words("with_lock", { "name", "fn", "timeout", "ttl" },
		{ name = "string", fn = "function", timeout = "any?", ttl = "any?" }, ...)
	local name, fn = args.name, args.fn
	args.fn = nil
	local ok, text = acquire("with_lock", args)
	if not ok then
		fail("with_lock", text, true)
	end
	local guard <close> = setmetatable({}, { __close = function() release(name) end })
	return fn()
end

local function new(namespace)
	local state = {}

	local function call(fn, args, as)
		args.namespace = namespace
		local value, text = core.call("state." .. fn, args)
		if text then
			fail(as or fn, text, true)
		end
		return value
	end

	function state.get(...)
		local args = words("get", { "key", "default" }, { key = "string", default = "any?" }, ...)
		local default = args.default
		args.default = nil
		local value = call("get", args)
		if value == nil then
			return default
		end
		return value
	end

	function state.set(...)
		local args = words("set", { "key", "value", "ttl" }, { key = "string", value = "any?", ttl = "any?" }, ...)
		if args.value == nil then
			fail("set", "the value is nil; state.delete removes a key")
		end
		args.ttl_ms = args.ttl_ms or 0
		return call("set", args)
	end

	function state.delete(...)
		return call("delete", words("delete", key_only, string_only, ...))
	end

	function state.exists(...)
		return call("exists", words("exists", key_only, string_only, ...))
	end
	state.has = state.exists

	function state.keys(...)
		return call("keys", words("keys", { "pattern" }, { pattern = "string?" }, ...))
	end

	function state.get_all(...)
		return call("get_all", words("get_all", {}, {}, ...))
	end

	function state.clear(...)
		return call("clear", words("clear", { "pattern" }, { pattern = "string?" }, ...))
	end

	function state.increment(...)
		local args = words("increment", { "key", "delta" }, { key = "string", delta = "number?" }, ...)
		args.delta = args.delta or 1
		return call("increment", args)
	end

	function state.decrement(...)
		local args = words("decrement", { "key", "delta" }, { key = "string", delta = "number?" }, ...)
		args.delta = -(args.delta or 1)
		return call("increment", args, "decrement")
	end

	function state.append(...)
		local args = words("append", { "key", "value" }, { key = "string", value = "any" }, ...)
		args.text = tostring(args.value)
		args.value = nil
		return call("append", args)
	end

	-- Whether it was `old` (nil: missing), and is `new` now.
	function state.compare_swap(...)
		local args = words("compare_swap", { "key", "old", "new" }, { key = "string", old = "any?", new = "any?" }, ...)
		if args.new == nil then
			fail("compare_swap", "the new value is nil; state.delete removes a key")
		end
		return call("compare_swap", { key = args.key, expected = args.old, value = args.new })
	end

	function state.list_push(...)
		return call("list_push", words("list_push", { "key", "item" }, { key = "string", item = "any" }, ...))
	end

	function state.list_pop(...)
		return call("list_pop", words("list_pop", key_only, string_only, ...))
	end

	function state.list_length(...)
		return call("list_length", words("list_length", key_only, string_only, ...))
	end

	-- nil or 0: for ever.
	function state.set_ttl(...)
		local args = words("set_ttl", { "key", "ttl" }, { key = "string", ttl = "any?" }, ...)
		args.ttl_ms = args.ttl_ms or 0
		return call("set_ttl", args)
	end

	-- Seconds, or nil: for ever.
	function state.get_ttl(...)
		local ms = call("get_ttl", words("get_ttl", key_only, string_only, ...))
		return ms and (ms % 1000 == 0 and ms // 1000 or ms / 1000)
	end

	function state.stats()
		return call("stats", {})
	end

	for name, fn in pairs(locks) do
		state[name] = fn
	end
	return state
end

local state = new(nil)

function state.namespace(...)
	return new(words("namespace", { "name" }, { name = "string" }, ...).name)
end

return state
