-- SPDX-License-Identifier: MIT
-- goroutine: fibers of one task. They run in turn: another one goes on only where one waits.
local core = ...
local goroutine = {}

local ticket = 0

-- Waits until unpark() is called with the ticket. When everybody waits like this, nobody ever will go on.
local function wait(queue, what)
	local blocked = core.blocked()
	ticket = ticket + 1
	local mine = ticket
	local entry = { ticket = mine }
	queue[#queue + 1] = entry
	if blocked then
		blocked[#blocked + 1] = (core.task() or "the workflow") .. " waits for " .. what
		table.remove(queue)
		core.fail("all goroutines wait for each other: " .. table.concat(blocked, "; "))
	end
	core.park(what, mine)
	return entry
end

-- Wakes the first that still waits; false when nobody does. `value` is handed over.
local function wake(queue, ...)
	while #queue > 0 do
		local entry = table.remove(queue, 1)
		entry.value, entry.ok = ...
		if core.unpark(entry.ticket) then
			return true, entry
		end
	end
	return false
end

local function check_function(fn, name)
	if type(fn) ~= "function" then
		core.fail("goroutine." .. name .. ": a function is expected, not a " .. type(fn))
	end
end

-- spawn(fn, …): its failure is a line in the log, and the value of await().
local function start(fn, done, ...)
	core.spawn(function(...)
		local results = table.pack(pcall(fn, ...))
		if not results[1] and not core.ending() then
			core.log("goroutine: " .. tostring(results[2]) .. "\n")
		end
		done(results)
	end, ...)
end

function goroutine.spawn(fn, ...)
	check_function(fn, "spawn")
	start(fn, function() end, ...)
end

function goroutine.spawn_many(count, fn)
	check_function(fn, "spawn_many")
	for i = 1, count do
		goroutine.spawn(fn, i)
	end
end

function goroutine.sleep(ms)
	if type(ms) ~= "number" then
		core.fail("goroutine.sleep: the milliseconds must be a number, not a " .. type(ms))
	end
	core.sleep(ms)
end

-- async(fn, …) → handle; handle:await() → its results, or nil and the error.
local handles = {}
handles.__index = handles
handles.__metatable = false

function handles:await()
	while not self.results do
		wait(self.waiters, "a goroutine's result")
	end
	if not self.results[1] then
		return nil, self.results[2]
	end
	return table.unpack(self.results, 2, self.results.n)
end

function goroutine.async(fn, ...)
	check_function(fn, "async")
	local handle = setmetatable({ waiters = {} }, handles)
	start(fn, function(results)
		handle.results = results
		while wake(handle.waiters) do
		end
	end, ...)
	return handle
end

function goroutine.await(handle)
	if getmetatable(handle) ~= false or not rawget(handle, "waiters") then
		core.fail("goroutine.await: what goroutine.async gave is expected")
	end
	return handle:await()
end

function goroutine.await_all(list)
	local results = {}
	for i, handle in ipairs(list) do
		local value, err = goroutine.await(handle)
		if err ~= nil and value == nil then
			core.fail("goroutine.await_all: " .. tostring(err), true)
		end
		results[i] = value
	end
	return results
end

-- Applies fn to every item, all at once; results in the order of the items.
function goroutine.map(items, fn)
	check_function(fn, "map")
	local list = {}
	for i, item in ipairs(items) do
		list[i] = goroutine.async(fn, item, i)
	end
	return goroutine.await_all(list)
end

function goroutine.parallel(fns)
	local list = {}
	for i, fn in ipairs(fns) do
		list[i] = goroutine.async(fn)
	end
	return goroutine.await_all(list)
end

local groups = {}
groups.__index = groups
groups.__metatable = false

function groups:add(n)
	self.count = self.count + (n or 1)
	if self.count < 0 then
		core.fail("wait_group: more done than added")
	end
	if self.count == 0 then
		while wake(self.waiters) do
		end
	end
end

function groups:done()
	self:add(-1)
end

function groups:wait()
	while self.count > 0 do
		wait(self.waiters, "a wait_group")
	end
end

function goroutine.wait_group()
	return setmetatable({ count = 0, waiters = {} }, groups)
end

-- Channels.
local channels = {}
channels.__index = channels
channels.__metatable = false

function channels:try_send(value)
	if value == nil then
		core.fail("channel: nil can't be sent")
	elseif self.closed then
		core.fail("channel: it is closed, nothing can be sent")
	end
	if wake(self.receivers, value, true) then
		return true
	elseif #self.items < self.capacity then
		self.items[#self.items + 1] = value
		return true
	end
	return false
end

function channels:send(value)
	if self:try_send(value) then
		return true
	end
	-- The receiver takes the value from the entry.
	self.offer = self.offer or {}
	local blocked = { value = value }
	self.offer[#self.offer + 1] = blocked
	local entry = wait(self.senders, "room in a channel")
	if not blocked.taken then
		for i, other in ipairs(self.offer) do
			if other == blocked then
				table.remove(self.offer, i)
			end
		end
		core.fail("channel: it was closed while a value waited")
	end
	return entry ~= nil
end

-- The first value that waits, or nil.
function channels:take()
	local value
	if #self.items > 0 then
		value = table.remove(self.items, 1)
	end
	local offer = self.offer and table.remove(self.offer, 1)
	if offer then
		offer.taken = true
		wake(self.senders)
		if value == nil then
			value = offer.value
		else
			self.items[#self.items + 1] = offer.value
		end
	end
	return value
end

-- value, true; or nil, false: nothing there now.
function channels:try_receive()
	local value = self:take()
	return value, value ~= nil
end

-- value, true; or nil, false: closed and empty.
function channels:receive()
	local value = self:take()
	if value ~= nil then
		return value, true
	elseif self.closed then
		return nil, false
	end
	local entry = wait(self.receivers, "a channel's value")
	return entry.value, entry.ok or false
end

function channels:close()
	if self.closed then
		core.fail("channel: it is closed already")
	end
	self.closed = true
	while wake(self.receivers, nil, false) do
	end
	while wake(self.senders) do
	end
end

function channels:len()
	return #self.items
end

function channels:cap()
	return self.capacity
end

function channels:is_closed()
	return self.closed
end

function channels:range()
	return function()
		return (self:receive())
	end
end

function goroutine.channel(capacity)
	if capacity ~= nil and (math.type(capacity) ~= "integer" or capacity < 0) then
		core.fail("goroutine.channel: the capacity must be a whole number")
	end
	return setmetatable({ capacity = capacity or 0, items = {}, receivers = {}, senders = {}, closed = false }, channels)
end

local mutexes = {}
mutexes.__index = mutexes
mutexes.__metatable = false

function mutexes:lock()
	while self.locked do
		wait(self.waiters, "a mutex")
	end
	self.locked = true
end

function mutexes:try_lock()
	if self.locked then
		return false
	end
	self.locked = true
	return true
end

function mutexes:unlock()
	if not self.locked then
		core.fail("mutex: it is not locked")
	end
	self.locked = false
	wake(self.waiters)
end

function goroutine.mutex()
	return setmetatable({ locked = false, waiters = {} }, mutexes)
end

return goroutine
