-- SPDX-License-Identifier: MIT
-- goroutine: fibers of one task. They run in turn: another one goes on only where one waits.
local core = ...
local object, handle = core.library("object"), core.library("handle")
local goroutine = {}

-- What stands in files of its own, which are read when it is first called.
local elsewhere = {
	channel = { "channel", "new" }, select = { "select", "select" },
	mutex = { "sync", "mutex" }, rwmutex = { "sync", "rwmutex" }, semaphore = { "sync", "semaphore" },
	wait_group = { "sync", "wait_group" }, once = { "sync", "once" }, cond = { "sync", "cond" }, atomic_int = { "sync", "atomic_int" },
	pool_create = { "pool", "create" }, pool_submit = { "pool", "submit" }, pool_wait = { "pool", "wait" },
	pool_close = { "pool", "close" }, pool_stats = { "pool", "stats" },
	pipeline = { "pipeline", "pipeline" }, fan_out = { "pipeline", "fan_out" }, fan_in = { "pipeline", "fan_in" },
}
for name, place in pairs(elsewhere) do
	goroutine[name] = function(...)
		return core.library(place[1])[place[2]](...)
	end
end

-- goroutine.context(), and goroutine.context.with_timeout(ms) …
goroutine.context = setmetatable({}, {
	__index = function(_, name) return core.library("context").root(name) end,
	__call = function() return core.library("context").new() end,
	__metatable = false,
})

-- The older spelling of a channel's methods.
for _, name in ipairs({ "send", "receive", "close", "len", "cap" }) do
	goroutine["channel_" .. name] = function(ch, ...)
		core.library("channel").check(ch, "goroutine.channel_" .. name)
		return ch[name](ch, ...)
	end
end

function goroutine.spawn(fn, ...)
	if type(fn) ~= "function" then
		object.check(fn, "function", "goroutine.spawn")
	end
	core.spawn(fn, ...)
end

function goroutine.spawn_many(count, fn)
	count = object.check_count(count, 0, "goroutine.spawn_many: the count")
	object.check(fn, "function", "goroutine.spawn_many")
	for i = 1, count do
		core.spawn(fn, i)
	end
end

function goroutine.sleep(ms)
	core.sleep(object.check_ms(ms, "goroutine.sleep"))
end

-- The others have their turn.
function goroutine.yield()
	core.sleep(0)
end

function goroutine.async(fn, ...)
	return handle.start(object.check(fn, "function", "goroutine.async"), ...)
end

function goroutine.create(fn, ...)
	return handle.start(object.check(fn, "function", "goroutine.create"), ...)
end

-- true and the results, or false and the error.
function goroutine.await(one, ms)
	return handle.check(one, "goroutine.await"):await(ms)
end

local function check_list(list, what)
	object.check(list, "table", what)
	for _, one in ipairs(list) do
		handle.check(one, what)
	end
	return list
end

local function records(list)
	local result = {}
	for i, one in ipairs(list) do
		result[i] = one:record()
	end
	return result
end

function goroutine.await_all(list)
	handle.wait_many(check_list(list, "goroutine.await_all"))
	return records(list)
end

-- With a limit in seconds.
function goroutine.wait_all(list, seconds)
	check_list(list, "goroutine.wait_all")
	handle.wait_many(list, seconds and object.check_seconds(seconds, "goroutine.wait_all"))
	return records(list)
end

function goroutine.wait_any(list, seconds)
	check_list(list, "goroutine.wait_any")
	local one = handle.wait_many(list, seconds and object.check_seconds(seconds, "goroutine.wait_any"), true)
	return one and one:record() or { success = false, error = "timeout exceeded" }
end

-- true and the results, or false and "timeout exceeded" or the error.
function goroutine.timeout(ms, fn, ...)
	ms = object.check_ms(ms, "goroutine.timeout")
	return handle.timeout(ms, object.check(fn, "function", "goroutine.timeout"), ...)
end

function goroutine.select_timeout(ms, cases)
	return core.library("select").timeout(object.check_ms(ms, "goroutine.select_timeout"), cases)
end

local function limit_of(value, what)
	if type(value) == "table" then
		value = value.max_concurrent or value.max_workers or value.limit
	end
	return value and object.check_count(value, 1, what .. ": how many at once")
end

-- The first result of each, in order; when some failed, an error with what they said.
local function results_of(handles, what)
	local results, errors = {}, {}
	for i, one in ipairs(handles) do
		if one.results[1] then
			results[i] = one.results[2]
		else
			errors[#errors + 1] = tostring(one.results[2])
		end
	end
	if #errors > 0 then
		core.error(#errors == 1 and errors[1] or
			what .. ": " .. #errors .. " of " .. #handles .. " failed: " .. table.concat(errors, "; ", 1, math.min(#errors, 10)), 0)
	end
	return results
end

-- Applies fn to every item, all at once, or `limit` at a time.
function goroutine.map(items, fn, limit)
	object.check(items, "table", "goroutine.map")
	object.check(fn, "function", "goroutine.map")
	local jobs = {}
	for i, item in ipairs(items) do
		jobs[i] = { fn, item, i, n = 3 }
	end
	return results_of(handle.gather(jobs, limit_of(limit, "goroutine.map")), "goroutine.map")
end

function goroutine.parallel(fns, limit)
	object.check(fns, "table", "goroutine.parallel")
	limit = limit or fns.max_concurrent
	local jobs = {}
	for i, fn in ipairs(fns.tasks or fns) do
		jobs[i] = { object.check(fn, "function", "goroutine.parallel: function " .. i), n = 1 }
	end
	return results_of(handle.gather(jobs, limit_of(limit, "goroutine.parallel")), "goroutine.parallel")
end

return goroutine
