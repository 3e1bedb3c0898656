-- SPDX-License-Identifier: MIT
-- Goroutines whose results are waited for, alone or many at once.
local core = ...
local object, queue = core.library("object"), core.library("queue")
local handle = {}

local TIMEOUT, CANCELLED = "timeout exceeded", "cancelled"
local RESULT, RESULTS = "a goroutine's result", "the results of goroutines"

local methods = {}
local kind = object.kind("goroutine", methods)
kind.__tostring = function(self) return self.name end
kind.__concat = function(a, b) return tostring(a) .. tostring(b) end
local last = 0

function handle.new(name)
	last = last + 1
	return setmetatable({ name = name or "goroutine-" .. last, waiters = queue.new(), id = false, results = false, quiet = false, started = core.uptime() }, kind)
end

-- The results are there: `ok` and values, or false and an error. The first ones count.
function handle.finish(self, ...)
	if self.results then
		return
	end
	self.results = table.pack(...)
	self.duration = (core.uptime() - self.started) / 1000
	local heard = false
	while queue.wake(self.waiters, true) do
		heard = true
	end
	if not (...) and not heard and not core.ending() and not self.quiet then
		core.log("a goroutine failed: " .. tostring(self.results[2]) .. "\n")
	end
end

local function run(self, fn, ...)
	handle.finish(self, pcall(fn, ...))
end

function handle.start(fn, ...)
	local self = handle.new()
	self.id = core.spawn(run, self, fn, ...)
	return self
end

function handle.check(value, what)
	return object.check_kind(value, kind, what)
end

-- true and the results, or false and the error.
function methods:await(ms)
	if not self.results then
		queue.wait(self.waiters, RESULT, ms and object.check_ms(ms, "await"))
	end
	if not self.results then
		return false, TIMEOUT
	end
	return table.unpack(self.results, 1, self.results.n)
end

function methods:is_done()
	return self.results and true or false
end

-- It gets an error wherever it waits.
function methods:cancel()
	local cancelled = not self.results and self.id and core.cancel(self.id, CANCELLED)
	if cancelled then
		handle.finish(self, false, CANCELLED)
	end
	return cancelled or false
end

-- { success, value, values, error, duration }
function methods:record()
	local results = self.results
	if not results then
		return { success = false, error = TIMEOUT }
	elseif not results[1] then
		return { success = false, error = tostring(results[2]), duration = self.duration }
	end
	return { success = true, value = results[2], values = { table.unpack(results, 2, results.n) }, duration = self.duration }
end

function handle.timeout(ms, fn, ...)
	local self = handle.new()
	self.quiet = true
	self.id = core.spawn(run, self, fn, ...)
	core.limit(self.id, ms, TIMEOUT) -- also when it never waits
	queue.wait(self.waiters, RESULT, ms)
	if not self.results then
		core.cancel(self.id, TIMEOUT)
		handle.finish(self, false, TIMEOUT)
	end
	return table.unpack(self.results, 1, self.results.n)
end

-- The results behind true; nil and the error behind false.
function handle.value(ok, ...)
	if ok then
		return ...
	end
	return nil, (...)
end

-- Waits until all (or, with `any`, one) are done, or the time is over.
function handle.wait_many(handles, ms, any)
	local deadline = ms and core.uptime() + ms
	for _, one in ipairs(handles) do
		if any and one.results then
			return one
		end
	end
	if any then
		local ticket = core.ticket(RESULTS)
		for _, one in ipairs(handles) do
			queue.push(one.waiters, ticket)
		end
		core.park(RESULTS, ms)
		for _, one in ipairs(handles) do
			queue.forget(one.waiters, ticket)
		end
		for _, one in ipairs(handles) do
			if one.results then
				return one
			end
		end
		return nil
	end
	for _, one in ipairs(handles) do
		if not one.results then
			one:await(deadline and math.max(0, deadline - core.uptime()))
		end
	end
end

-- A job after the other, until there is none.
local function worker(batch)
	while batch.next <= #batch.jobs and not core.ending() do
		local i = batch.next
		batch.next = i + 1
		local one = batch.handles[i]
		one.started = core.uptime()
		handle.finish(one, pcall(table.unpack(batch.jobs[i], 1, batch.jobs[i].n)))
		if not one.results[1] and batch.fail_fast then
			batch.failed = true
		end
		batch.left = batch.left - 1
		if batch.left == 0 or batch.failed then
			while queue.wake(batch.waiters) do
			end
		end
	end
end

local function give_up(batch, why)
	for _, id in ipairs(batch.workers) do
		core.cancel(id, why)
	end
	batch.next = #batch.jobs + 1
	for _, one in ipairs(batch.handles) do
		handle.finish(one, false, why)
	end
end

-- Calls each of the jobs { fn, …, n = }, `limit` at a time; their handles, all done. Options: timeout (ms), fail_fast.
function handle.gather(jobs, limit, options)
	local batch = {
		jobs = jobs, handles = {}, workers = {}, next = 1, left = #jobs, waiters = queue.new(),
		fail_fast = options and options.fail_fast, failed = false,
	}
	for i = 1, #jobs do
		batch.handles[i] = handle.new()
		batch.handles[i].quiet = true
	end
	for i = 1, math.min(limit or #jobs, #jobs) do
		batch.workers[i] = core.spawn(worker, batch)
	end
	if options and options.timeout then
		for _, id in ipairs(batch.workers) do
			core.limit(id, options.timeout, TIMEOUT)
		end
	end
	if batch.left > 0 then
		queue.wait(batch.waiters, RESULTS, options and options.timeout)
	end
	if batch.failed then
		give_up(batch, CANCELLED)
	elseif batch.left > 0 then
		give_up(batch, TIMEOUT)
	end
	return batch.handles
end

return handle
