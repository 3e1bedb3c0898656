-- SPDX-License-Identifier: MIT
-- metrics: numbers about the machine, and numbers of one's own, which stand in the tree's `metrics`.
local core = ...
local arguments = core.library("arguments")
local machine = core.library("machine")
local metrics = {}

local function ask(fn, call, args)
	local value, text = core.call(call, args)
	if text then
		core.fail(fn .. ": " .. text, true)
	end
	return value
end

-- Tags are texts.
local function tags_of(fn, tags)
	local result = {}
	for name, value in pairs(tags or {}) do
		if type(name) ~= "string" or type(value) == "table" and getmetatable(value) ~= false or type(value) == "function" then
			core.fail(fn .. ": 'tags' must be a table of names and values")
		end
		result[name] = tostring(value)
	end
	return result
end

local function record(fn, kind, name, value, tags)
	if value ~= value or value == math.huge or value == -math.huge then
		core.fail(fn .. ": " .. value .. " is no number that can be kept")
	end
	return ask(fn, "metric.add", { type = kind, name = name, value = value, tags = tags_of(fn, tags) })
end

local kinds = { name = "string", value = "number", tags = "table?" }

function metrics.gauge(...)
	local args = arguments.read("metrics.gauge", { "name", "value", "tags" }, kinds, ...)
	record("metrics.gauge", "gauge", args.name, args.value, args.tags)
	return true
end

-- The new value.
function metrics.counter(...)
	local args = arguments.read("metrics.counter", { "name", "increment", "tags" },
		{ name = "string", increment = "number?", tags = "table?" }, ...)
	return record("metrics.counter", "counter", args.name, args.increment or 1, args.tags)
end

function metrics.histogram(...)
	local args = arguments.read("metrics.histogram", { "name", "value", "tags" }, kinds, ...)
	record("metrics.histogram", "histogram", args.name, args.value, args.tags)
	return true
end

-- timer(name, function [, tags]): milliseconds, and what the function gave; or nil and its error, and nothing is counted.
function metrics.timer(...)
	local args = arguments.read("metrics.timer", { "name", "fn", "tags" }, { name = "string", fn = "function", tags = "table?" }, ...)
	local started = core.clock()
	local results = table.pack(pcall(args.fn))
	local seconds = core.clock() - started
	if core.ending() then
		core.error(results[2], 0)
	elseif not results[1] then
		return nil, results[2]
	end
	record("metrics.timer", "timer", args.name, seconds, args.tags)
	return seconds * 1000, table.unpack(results, 2, results.n)
end

-- One series: with these tags, or that of the name which was written last; or nil.
function metrics.get_custom(...)
	local args = arguments.read("metrics.get_custom", { "name", "tags" }, { name = "string", tags = "table?" }, ...)
	local value = ask("metrics.get_custom", "metric.get", { name = args.name, tags = args.tags and tags_of("metrics.get_custom", args.tags) })
	if value and value.type == "timer" then
		value.duration_ms = value.last * 1000
	end
	return value
end

function metrics.list_custom()
	local names = ask("metrics.list_custom", "metric.list", {})
	table.sort(names)
	return names
end

local levels = { debug = log.debug, info = log.info, warning = log.warning, warn = log.warning, error = log.error, critical = log.error }

-- alert(name, { level, message, threshold, value, … }): an event "metric.alert", and a line in the log.
function metrics.alert(...)
	local args = arguments.read("metrics.alert", { "name", "data" }, { name = "string", data = "table?" }, ...)
	local data = {}
	for key, value in pairs(args.data or {}) do
		data[key] = value
	end
	data.level = data.level or "warning"
	if not levels[data.level] then
		core.fail("metrics.alert: '" .. tostring(data.level) .. "' is no level: debug, info, warning, error, critical")
	end
	data.alert = args.name
	ask("metrics.alert", "metric.alert", { data = data })
	levels[data.level]("alert " .. args.name .. (data.message and ": " .. tostring(data.message) or ""))
	return true
end

-- About the machine.

function metrics.system_cpu()
	return machine.cpu_percent()
end

function metrics.system_memory()
	local memory = machine.memory()
	return {
		used_mb = memory.used / 2 ^ 20, total_mb = memory.total / 2 ^ 20, available_mb = memory.available / 2 ^ 20,
		percent = memory.used_percent,
	}
end

-- Of the file system that a path is on; "/" without one.
function metrics.system_disk(...)
	local args = arguments.read("metrics.system_disk", { "path" }, { path = "string?" }, ...)
	local disk, text = machine.disk(args.path and core.path(args.path) or "/")
	if not disk then
		return nil, text
	end
	return { used_gb = disk.used / 2 ^ 30, total_gb = disk.total / 2 ^ 30, free_gb = disk.free / 2 ^ 30, percent = disk.used_percent }
end

-- The names are those that the older program gave: of its own runtime it said the same.
function metrics.runtime_info()
	local used = collectgarbage("count") / 1024
	return { goroutines = core.fibers(), num_cpu = machine.cpus(), heap_alloc_mb = used, heap_sys_mb = machine.own_memory() / 2 ^ 20,
		num_gc = 0, version = _VERSION, go_version = "" }
end

local thresholds = { cpu = { 70, 90 }, memory = { 80, 90 }, disk = { 85, 95 } }

-- { overall, cpu, memory, disk, timestamp }: each { usage, status }.
function metrics.health_status()
	local usage = { cpu = metrics.system_cpu(), memory = metrics.system_memory().percent, disk = metrics.system_disk().percent }
	local health, worst = { timestamp = time.format() }, 1
	for name, limits in pairs(thresholds) do
		local grade = usage[name] > limits[2] and 3 or usage[name] > limits[1] and 2 or 1
		health[name] = { usage = usage[name], status = ({ "healthy", "warning", "critical" })[grade] }
		worst = math.max(worst, grade)
	end
	health.overall = ({ "healthy", "warning", "critical" })[worst]
	return health
end

return metrics
