-- SPDX-License-Identifier: MIT
-- async: functions side by side, by name or in a list.
local core = ...
local object, handle = core.library("object"), core.library("handle")
local async = {}

local known = { max_workers = true, max_concurrent = true, timeout = true, fail_fast = true }

local function read_options(options, what)
	if type(options) == "number" then
		options = { max_workers = options }
	end
	options = object.check_options(options or {}, known, what)
	local limit = options.max_workers or options.max_concurrent
	return limit and object.check_count(limit, 1, what .. ": max_workers"),
		{ timeout = options.timeout and object.check_ms(options.timeout, what .. ": timeout"), fail_fast = options.fail_fast }
end

-- Names in an order that is the same each time: numbers first, then texts.
local function names_of(tasks)
	local names = {}
	for name in pairs(tasks) do
		names[#names + 1] = name
	end
	table.sort(names, function(a, b)
		if type(a) == type(b) then
			return a < b
		end
		return type(a) == "number"
	end)
	return names
end

local function read_tasks(tasks, what)
	local names = names_of(object.check(tasks, "table", what))
	for _, name in ipairs(names) do
		object.check(tasks[name], "function", what .. ": '" .. tostring(name) .. "'")
	end
	return names
end

-- results by name; and errors by name, or nil when there are none. What failed is { success = false, error } in results.
function async.parallel(tasks, options)
	local names = read_tasks(tasks, "async.parallel")
	local limit, rest = read_options(options, "async.parallel")
	local jobs, results, errors = {}, {}, nil
	for i, name in ipairs(names) do
		jobs[i] = { tasks[name], n = 1 }
	end
	for i, one in ipairs(handle.gather(jobs, limit, rest)) do
		local name = names[i]
		if one.results[1] then
			results[name] = one.results[2]
		else
			errors = errors or {}
			errors[name] = tostring(one.results[2])
			results[name] = { success = false, error = errors[name] }
		end
	end
	return results, errors
end

-- One after the other, until one fails: its error goes on.
function async.sequence(tasks)
	local results = {}
	for _, name in ipairs(read_tasks(tasks, "async.sequence")) do
		results[name] = tasks[name]()
	end
	return results
end

-- The results; or nil and "timeout exceeded", or the error.
function async.timeout(ms, fn, ...)
	ms = object.check_ms(ms, "async.timeout")
	return handle.value(handle.timeout(ms, object.check(fn, "function", "async.timeout"), ...))
end

function async.sleep(ms)
	core.sleep(object.check_ms(ms, "async.sleep"))
end

-- async.run(fn, …) → handle; async.await(handle) → true and its results, or false and the error.
function async.run(fn, ...)
	return handle.start(object.check(fn, "function", "async.run"), ...)
end

function async.await(one, ms)
	return handle.check(one, "async.await"):await(ms)
end

return async
