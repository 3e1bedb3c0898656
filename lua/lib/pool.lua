-- SPDX-License-Identifier: MIT
-- Pools: at most so many goroutines at a time. They are their task's, and end with it.
local core = ...
local object, handle, queue = core.library("object"), core.library("handle"), core.library("queue")
local pool = {}

local methods = {}
local kind = object.kind("pool", methods)
local pools = {} -- by task and name
local DEFAULT_WORKERS = 4
local ITS_END = "the end of a pool's work"

local function key_of(name)
	if type(name) ~= "string" then
		core.fail("goroutine.pool: the name must be a string, not a " .. type(name))
	end
	return (core.task() or "") .. "\0" .. name
end

local function check_options(options)
	if type(options) == "number" then
		return options
	end
	object.check_options(options or {}, { workers = true }, "goroutine.pool_create")
	return options and options.workers or DEFAULT_WORKERS
end

-- A job after the other; the worker ends when there is none.
local function work(self)
	while self.first <= self.last and not core.ending() do
		local job = self.jobs[self.first]
		self.jobs[self.first] = nil
		self.first = self.first + 1
		if self.first > self.last then
			self.first, self.last = 1, 0
		end
		self.active = self.active + 1
		handle.finish(job.handle, pcall(job.fn, table.unpack(job, 1, job.n)))
		self.active = self.active - 1
		local count = job.handle.results[1] and "completed" or "failed"
		self[count] = self[count] + 1
	end
	self.running = self.running - 1
	while self.running == 0 and queue.wake(self.waiters) do
	end
end

function methods:submit(fn, ...)
	object.check(fn, "function", "goroutine.pool_submit")
	if self.closed then
		return nil, "pool is closed: " .. self.name
	end
	self.count = self.count + 1
	local job = table.pack(...)
	job.fn, job.handle = fn, handle.new(self.name .. "-" .. self.count)
	self.last = self.last + 1
	self.jobs[self.last] = job
	if self.running < self.workers then
		self.running = self.running + 1
		core.spawn(work, self)
	end
	return job.handle
end

-- Until all that was submitted is done.
function methods:wait()
	while self.running > 0 do
		queue.wait(self.waiters, ITS_END)
	end
	return true
end

-- What was submitted is still done.
function methods:close()
	self.closed = true
	self:wait()
	if pools[self.key] == self then
		pools[self.key] = nil
	end
	return true
end

function methods:stats()
	return {
		name = self.name, workers = self.workers, active = self.active, completed = self.completed, failed = self.failed,
		queued = self.last - self.first + 1,
	}
end

function pool.create(name, options)
	local key = key_of(name)
	local workers = object.check_count(check_options(options), 1, "goroutine.pool_create: workers")
	if pools[key] then
		pools[key].closed = true
	end
	pools[key] = setmetatable({
		key = key, name = name, workers = workers, running = 0, active = 0, completed = 0, failed = 0, count = 0, closed = false,
		jobs = {}, first = 1, last = 0, waiters = queue.new(),
	}, kind)
	return pools[key]
end

-- By name, as pool_submit("name", …): nil or false and a message when there is none.
for name, missing in pairs({ submit = "nil", wait = "false", close = "false", stats = "nil" }) do
	pool[name] = function(which, ...)
		local self = object.is(which, kind) and which or pools[key_of(which)]
		if self then
			return self[name](self, ...)
		elseif missing == "nil" then
			return nil, "pool not found: " .. which
		end
		return false, "pool not found: " .. which
	end
end

return pool
