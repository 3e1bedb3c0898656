-- SPDX-License-Identifier: MIT
-- Channels: values go from goroutine to goroutine, in order. Any value can be sent, nil too.
local core = ...
local object, queue = core.library("object"), core.library("queue")
local wake, push = queue.wake, queue.push
local channel = {}

local NIL = {} -- stands for nil in the buffer
local CLOSED = "send on closed channel"
local A_VALUE, ROOM = "a channel's value", "room in a channel"

local methods = {}
local kind = object.kind("channel", methods)

local directions = { bidirectional = true, send = true, receive = true }

local function may(self, what)
	local only = self.direction
	if only ~= "bidirectional" and only ~= what then
		core.fail("cannot " .. what .. (what == "send" and " on" or " from") .. " a " .. only .. "-only channel")
	end
end

-- What select needs, too: give and take what can be given and taken now.

-- true; nil: it has to wait; false: closed.
function channel.give(self, value)
	if self.closed then
		return false
	end
	if wake(self.receivers, value, true) then
		return true
	end
	local count = self.count
	if count < self.capacity then
		if value == nil then
			value = NIL
		end
		self.count = count + 1
		self.items[(self.head + count) % self.capacity + 1] = value
		return true
	end
	return nil
end

-- true and the value; nil: it has to wait; false: closed and empty.
function channel.take(self)
	local count = self.count
	if count > 0 then
		local head, items = self.head, self.items
		local value = items[head + 1]
		items[head + 1] = false
		self.head = (head + 1) % self.capacity
		self.count = count - 1
		-- Who waits for room has it now.
		local woken, offered = wake(self.senders, true)
		if woken then
			items[(self.head + count - 1) % self.capacity + 1] = offered
			self.count = count
		end
		if value == NIL then
			value = nil
		end
		return true, value
	end
	local woken, offered = wake(self.senders, true)
	if woken then
		if offered == NIL then
			offered = nil
		end
		return true, offered
	end
	if self.closed then
		return false
	end
	return nil
end

function channel.wait_to_give(self, ticket, tag, value)
	if value == nil then
		value = NIL
	end
	push(self.senders, ticket, tag, value)
end

function channel.wait_to_take(self, ticket, tag)
	push(self.receivers, ticket, tag)
end

local give, take = channel.give, channel.take
local ticket_of, park = core.ticket, core.park

-- true; or false and a message: it is closed.
function methods:send(value)
	if self.direction ~= "bidirectional" then
		may(self, "send")
	end
	local done = give(self, value)
	if done == nil then
		channel.wait_to_give(self, ticket_of(ROOM), nil, value)
		done = park(ROOM)
	end
	if done then
		return true
	end
	return false, CLOSED
end

function methods:try_send(value)
	may(self, "send")
	local done = give(self, value)
	if done == false then
		return false, CLOSED
	end
	return done or false
end

-- value, true; or nil, false: closed and empty.
function methods:receive()
	if self.direction ~= "bidirectional" then
		may(self, "receive")
	end
	local done, value = take(self)
	if done then
		return value, true
	elseif done == false then
		return nil, false
	end
	push(self.receivers, ticket_of(A_VALUE))
	return park(A_VALUE)
end

-- value, true; or nil, false: nothing there now.
function methods:try_receive()
	may(self, "receive")
	local done, value = take(self)
	return value, done or false
end

-- What is in it can still be received.
function methods:close()
	if self.closed then
		return false, "channel already closed"
	end
	self.closed = true
	while wake(self.receivers, nil, false) do
	end
	while wake(self.senders, false) do
	end
	return true
end

function methods:len()
	return self.count
end

function methods:cap()
	return self.capacity
end

function methods:is_closed()
	return self.closed
end

-- for value in ch:range() do … end, or ch:range(function(value) … end).
function methods:range(fn)
	may(self, "receive")
	if fn == nil then
		return function()
			local value, ok = self:receive()
			if ok and value == nil then
				core.fail("nil came through the channel, and would end the loop: send false, or use ch:range(function(value) … end)")
			end
			return value
		end
	end
	object.check(fn, "function", "channel:range")
	while true do
		local value, ok = self:receive()
		if not ok then
			return
		end
		fn(value)
	end
end

function channel.new(capacity, direction)
	capacity = object.check_count(capacity == nil and 0 or capacity, 0, "goroutine.channel: the capacity")
	if direction ~= nil and not directions[direction] then
		core.fail("goroutine.channel: the direction is \"send\", \"receive\" or \"bidirectional\", not " .. tostring(direction))
	end
	return setmetatable({
		capacity = capacity, direction = direction or "bidirectional", closed = false,
		items = {}, head = 0, count = 0, receivers = queue.new(), senders = queue.new(),
	}, kind)
end

channel.may = may

function channel.is(value)
	return object.is(value, kind)
end

function channel.check(value, what)
	return object.check_kind(value, kind, what)
end

return channel
