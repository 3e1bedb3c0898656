-- SPDX-License-Identifier: MIT
-- What goroutines agree with: mutexes, semaphores, wait groups … Who waits first goes on first: what is let go is handed to it.
local core = ...
local object, queue = core.library("object"), core.library("queue")
local sync = {}

-- Mutex.
local mutexes = {}
local mutex = object.kind("mutex", mutexes)

function mutexes:lock()
	if self.locked then
		queue.wait(self.waiters, "a mutex")
	end
	self.locked = true
end

function mutexes:try_lock()
	local free = not self.locked
	self.locked = true
	return free
end

function mutexes:unlock()
	if not self.locked then
		core.fail("mutex: it is not locked")
	end
	self.locked = queue.wake(self.waiters)
end

local function finish(self, ok, ...)
	self:unlock()
	if not ok then
		core.error((...), 0)
	end
	return ...
end

-- Calls the function under the lock, which is free afterwards, however it ends.
function mutexes:with(fn, ...)
	object.check(fn, "function", "mutex:with")
	self:lock()
	return finish(self, pcall(fn, ...))
end

function sync.mutex()
	return setmetatable({ locked = false, waiters = queue.new() }, mutex)
end

-- Several readers, or one writer.
local rwmutexes = {}
local rwmutex = object.kind("rwmutex", rwmutexes)

-- Lets go on who can: the first, and the readers behind a reader.
local function admit(self)
	local waiters = self.waiters
	while queue.any(waiters) and not self.writing do
		if waiters.values[waiters.first] == "read" then
			self.readers = self.readers + 1
		elseif self.readers == 0 then
			self.writing = true
		else
			return
		end
		queue.wake(waiters)
	end
end

local function wait_to(self, what, text)
	queue.push(self.waiters, core.ticket(text), nil, what)
	core.park(text)
end

function rwmutexes:try_rlock()
	if self.writing or queue.any(self.waiters) then
		return false
	end
	self.readers = self.readers + 1
	return true
end

function rwmutexes:rlock()
	if not self:try_rlock() then
		wait_to(self, "read", "a rwmutex, to read")
	end
end

function rwmutexes:runlock()
	if self.readers == 0 then
		core.fail("rwmutex: nobody reads")
	end
	self.readers = self.readers - 1
	admit(self)
end

function rwmutexes:try_lock()
	if self.writing or self.readers > 0 then
		return false
	end
	self.writing = true
	return true
end

function rwmutexes:lock()
	if not self:try_lock() then
		wait_to(self, "write", "a rwmutex, to write")
	end
end

function rwmutexes:unlock()
	if not self.writing then
		core.fail("rwmutex: nobody writes")
	end
	self.writing = false
	admit(self)
end

function sync.rwmutex()
	return setmetatable({ readers = 0, writing = false, waiters = queue.new() }, rwmutex)
end

-- Semaphore.
local semaphores = {}
local semaphore = object.kind("semaphore", semaphores)

function semaphores:try_acquire()
	if self.free == 0 then
		return false
	end
	self.free = self.free - 1
	return true
end

function semaphores:acquire()
	if not self:try_acquire() then
		queue.wait(self.waiters, "a semaphore")
	end
end

function semaphores:release()
	if queue.wake(self.waiters) then
		return
	elseif self.free == self.size then
		core.fail("semaphore: release without acquire")
	end
	self.free = self.free + 1
end

function semaphores:available()
	return self.free
end

function semaphores:capacity()
	return self.size
end

function sync.semaphore(count)
	count = object.check_count(count == nil and 1 or count, 1, "goroutine.semaphore")
	return setmetatable({ size = count, free = count, waiters = queue.new() }, semaphore)
end

-- Wait group.
local groups = {}
local group = object.kind("wait_group", groups)

function groups:add(n)
	n = n == nil and 1 or n
	if math.type(n) ~= "integer" and (type(n) ~= "number" or n ~= math.floor(n)) then
		core.fail("wait_group:add: a whole number is expected, not " .. tostring(n))
	elseif self.count + n < 0 then
		core.fail("wait_group: more done than added")
	end
	self.count = self.count + n
	while self.count == 0 and queue.wake(self.waiters) do
	end
end

function groups:done()
	self:add(-1)
end

function groups:wait()
	if self.count > 0 then
		queue.wait(self.waiters, "a wait_group")
	end
end

function sync.wait_group()
	return setmetatable({ count = 0, waiters = queue.new() }, group)
end

-- Condition.
local conds = {}
local cond = object.kind("cond", conds)

-- Under its mutex, which is free meanwhile.
function conds:wait()
	if not self.mutex.locked then
		core.fail("cond:wait: its mutex must be locked")
	end
	queue.push(self.waiters, core.ticket("a cond"))
	self.mutex:unlock()
	core.park("a cond")
	self.mutex:lock()
end

function conds:signal()
	queue.wake(self.waiters)
end

function conds:broadcast()
	while queue.wake(self.waiters) do
	end
end

function conds:get_mutex()
	return self.mutex
end

function sync.cond(its_mutex)
	its_mutex = its_mutex and object.check_kind(its_mutex, mutex, "goroutine.cond") or sync.mutex()
	return setmetatable({ mutex = its_mutex, waiters = queue.new() }, cond)
end

-- Once: whoever comes while it runs waits for its end.
local onces = {}
local once = object.kind("once", onces)

local function once_over(self, ok, ...)
	self.state = "over"
	while queue.wake(self.waiters) do
	end
	if not ok then
		core.error((...), 0)
	end
end

function onces:call(fn)
	object.check(fn, "function", "once:call")
	if self.state == "runs" then
		queue.wait(self.waiters, "a once")
	elseif self.state == "new" then
		self.state = "runs"
		once_over(self, pcall(fn))
	end
end

function sync.once()
	return setmetatable({ state = "new", waiters = queue.new() }, once)
end

-- A number that goroutines count with.
local integers = {}
local integer = object.kind("atomic_int", integers)

local function whole(value, what)
	local result = math.tointeger(value)
	if not result then
		core.fail("atomic_int" .. what .. ": a whole number is expected, not " .. tostring(value))
	end
	return result
end

function integers:add(delta)
	self.value = self.value + whole(delta == nil and 1 or delta, ":add")
	return self.value
end

function integers:load()
	return self.value
end

function integers:store(value)
	self.value = whole(value, ":store")
end

function integers:swap(value)
	local before = self.value
	self.value = whole(value, ":swap")
	return before
end

function integers:compare_and_swap(old, new)
	if self.value ~= old then
		return false
	end
	self.value = whole(new, ":compare_and_swap")
	return true
end

function sync.atomic_int(value)
	return setmetatable({ value = whole(value == nil and 0 or value, "") }, integer)
end

return sync
