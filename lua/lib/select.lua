-- SPDX-License-Identifier: MIT
-- select: the first of several channels that can give or take. Where several can, chance decides.
local core = ...
local channel, queue = core.library("channel"), core.library("queue")
local select = {}

local WHAT = "one of several channels"
local known = { channel = true, receive = true, send = true, value = true, default = true, handler = true }

local function fail(what)
	core.fail("goroutine.select: " .. what)
end

-- { channel = ch, receive = true } and { receive = ch }; { channel = ch, send = value } and { send = ch, value = value };
-- { ch, handler }.
local function read(case, i)
	if type(case) ~= "table" then
		fail("case " .. i .. " is a " .. type(case) .. ", not a table")
	end
	for key in pairs(case) do
		if type(key) == "string" and not known[key] then
			fail("case " .. i .. " has an unknown field '" .. key .. "' (channel, receive, send, value, default, handler)")
		end
	end
	local handler = case.handler or case[2]
	if case.default then
		return { default = true, number = i, handler = type(case.default) == "function" and case.default or handler }
	end
	local result = { number = i, handler = handler }
	if channel.is(case.send) and case.channel == nil then
		result.channel, result.sends, result.value = case.send, true, case.value
	elseif case.send ~= nil then
		result.channel, result.sends, result.value = case.channel, true, case.send
	elseif channel.is(case.receive) then
		result.channel = case.receive
	else
		result.channel = case.channel or case[1]
	end
	channel.check(result.channel, "goroutine.select: case " .. i)
	channel.may(result.channel, result.sends and "send" or "receive")
	return result
end

local function read_all(cases)
	if type(cases) ~= "table" or #cases == 0 then
		fail("a list of cases is expected")
	end
	local list, default = {}, nil
	for i, case in ipairs(cases) do
		local one = read(case, i)
		if not one.default then
			list[#list + 1] = one
		elseif default then
			fail("cases " .. default.number .. " and " .. i .. " are both the default")
		else
			default = one
		end
	end
	return list, default
end

local seed = 1

-- Not math.random: a workflow's own sequence stays as it is.
local function chance(count)
	seed = (seed * 1103515245 + 12345) & 0x7fffffff
	return (seed >> 8) % count
end

local function ended(case, value, ok)
	if case.sends then
		if not value then
			fail("send on closed channel (case " .. case.number .. ")")
		end
		if case.handler then
			case.handler()
		end
		return case.number
	end
	if case.handler then
		case.handler(value, ok)
	end
	return case.number, value, ok
end

-- The case that can go on now, and what came of it.
local function now(list)
	local start = #list > 1 and chance(#list) or 0
	for i = 1, #list do
		local case = list[(start + i) % #list + 1]
		if case.sends then
			local done = channel.give(case.channel, case.value)
			if done ~= nil then
				return case, done
			end
		else
			local done, value = channel.take(case.channel)
			if done ~= nil then
				return case, value, done
			end
		end
	end
end

local function forget(list, ticket)
	for _, case in ipairs(list) do
		queue.forget(case.sends and case.channel.senders or case.channel.receivers, ticket)
	end
end

local function wait(list, ms)
	local ticket = core.ticket(WHAT)
	for i, case in ipairs(list) do
		if case.sends then
			channel.wait_to_give(case.channel, ticket, i, case.value)
		else
			channel.wait_to_take(case.channel, ticket, i)
		end
	end
	local tag, value, ok = core.park(WHAT, ms)
	forget(list, ticket)
	return list[tag], value, ok
end

-- The number of the case, and for one that received its value, and whether there was one (false: closed).
function select.select(cases)
	local list, default = read_all(cases)
	local case, value, ok = now(list)
	if not case and default then
		if default.handler then
			default.handler()
		end
		return default.number
	end
	if not case then
		case, value, ok = wait(list)
	end
	return ended(case, value, ok)
end

-- Whether the time was over; else false, and what select gives.
function select.timeout(ms, cases)
	local list, default = read_all(cases)
	if default then
		fail("with a time limit there is no default")
	end
	local case, value, ok = now(list)
	if not case then
		case, value, ok = wait(list, ms)
	end
	if not case then
		return true
	end
	return false, ended(case, value, ok)
end

return select
