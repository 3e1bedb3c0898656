-- SPDX-License-Identifier: MIT
-- Channels joined: stages of work, one to many, many to one.
local core = ...
local object, channel = core.library("object"), core.library("channel")
local pipeline = {}

local BUFFER = 10
local known = { workers = true, fn = true, buffer = true }

local function read_stage(stage, i)
	local what = "goroutine.pipeline: stage " .. i
	if type(stage) == "function" then
		stage = { fn = stage }
	end
	object.check(stage, "table", what)
	for key in pairs(stage) do
		if not known[key] then
			core.fail(what .. " has an unknown field '" .. tostring(key) .. "' (fn, workers, buffer)")
		end
	end
	return {
		fn = object.check(stage.fn, "function", what .. ": fn"),
		workers = object.check_count(stage.workers or 1, 1, what .. ": workers"),
		buffer = object.check_count(stage.buffer or BUFFER, 0, what .. ": buffer"),
	}
end

-- The last of `count` goroutines closes the channel.
local function start(count, output, fn)
	local left = count
	for i = 1, count do
		core.spawn(function()
			fn(i)
			left = left - 1
			if left == 0 then
				output:close()
			end
		end)
	end
end

-- A value for which the function fails, or gives nil, goes no further; the failure is a line in the log.
local function work(stage, input, output)
	while true do
		local value, more = input:receive()
		if not more then
			return
		end
		local ok, result = pcall(stage.fn, value)
		if not ok then
			if core.ending() then
				return
			end
			core.log("a stage of a pipeline failed: " .. tostring(result) .. "\n")
		elseif result ~= nil then
			output:send(result)
		end
	end
end

function pipeline.pipeline(input, stages)
	channel.check(input, "goroutine.pipeline: the input")
	object.check(stages, "table", "goroutine.pipeline: the stages")
	local read = {}
	for i, stage in ipairs(stages) do
		read[i] = read_stage(stage, i)
	end
	local from = input
	for _, stage in ipairs(read) do
		local input_of, output = from, channel.new(stage.buffer)
		start(stage.workers, output, function() work(stage, input_of, output) end)
		from = output
	end
	return from
end

-- Each value goes to one of the outputs: to one that takes it.
function pipeline.fan_out(input, count)
	channel.check(input, "goroutine.fan_out: the input")
	count = object.check_count(count, 1, "goroutine.fan_out: how many")
	local outputs = {}
	for i = 1, count do
		local output = channel.new()
		outputs[i] = output
		start(1, output, function()
			input:range(function(value) output:send(value) end)
		end)
	end
	return outputs
end

function pipeline.fan_in(inputs)
	object.check(inputs, "table", "goroutine.fan_in")
	for i, input in ipairs(inputs) do
		channel.check(input, "goroutine.fan_in: channel " .. i)
	end
	local output = channel.new(BUFFER)
	start(#inputs, output, function(i)
		inputs[i]:range(function(value) output:send(value) end)
	end)
	if #inputs == 0 then
		output:close()
	end
	return output
end

return pipeline
