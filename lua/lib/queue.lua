-- SPDX-License-Identifier: MIT
-- Who waits, in order. A waiter is the number of a wait (core.ticket), with a tag and a value of its own; one who gave up
-- (a timeout, another case of a select, a cancelled goroutine) is passed over.
local core = ...
local waits, unpark, ticket_of, park = core.waits, core.unpark, core.ticket, core.park
local queue = {}

local SMALL = 16

function queue.new()
	return { first = 1, last = 0, limit = SMALL, tickets = {}, tags = {}, values = {} }
end

-- Those that gave up go, when as many have come as there were.
local function compact(q)
	local tickets, tags, values, n = {}, {}, {}, 0
	for i = q.first, q.last do
		local ticket = q.tickets[i]
		if ticket and waits(ticket) then
			n = n + 1
			tickets[n], tags[n], values[n] = ticket, q.tags[i], q.values[i]
		end
	end
	q.first, q.last, q.limit = 1, n, 2 * n + SMALL
	q.tickets, q.tags, q.values = tickets, tags, values
end

function queue.push(q, ticket, tag, value)
	if q.last - q.first >= q.limit then
		compact(q)
	end
	local last = q.last + 1
	q.last = last
	q.tickets[last], q.tags[last], q.values[last] = ticket, tag, value
end

local function drop(q, i)
	q.tickets[i], q.tags[i], q.values[i] = nil, nil, nil
	if i < q.last then
		q.first = i + 1
	else
		q.first, q.last = 1, 0
	end
end

-- Wakes the first that still waits, with its tag (where it has one) and the values. Whether there was one, and its value.
function queue.wake(q, ...)
	while q.first <= q.last do
		local i = q.first
		local ticket, tag, value = q.tickets[i], q.tags[i], q.values[i]
		drop(q, i)
		if tag then
			if unpark(ticket, tag, ...) then
				return true, value
			end
		elseif unpark(ticket, ...) then
			return true, value
		end
	end
	return false
end

-- Somebody waits.
function queue.any(q)
	while q.first <= q.last do
		if waits(q.tickets[q.first]) then
			return true
		end
		drop(q, q.first)
	end
	return false
end

-- Those of this wait go: it has ended elsewhere. They are mostly the last.
function queue.forget(q, ticket)
	for i = q.last, q.first, -1 do
		if q.tickets[i] == ticket then
			local last = q.last
			table.move(q.tickets, i + 1, last + 1, i)
			table.move(q.tags, i + 1, last + 1, i)
			table.move(q.values, i + 1, last + 1, i)
			q.last = last - 1
		end
	end
	if q.last < q.first then
		q.first, q.last = 1, 0
	end
end

-- Waits at the end of the queue: what wake() passes; nothing after `ms` milliseconds.
function queue.wait(q, what, ms)
	queue.push(q, ticket_of(what))
	return park(what, ms)
end

return queue
