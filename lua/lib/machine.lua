-- SPDX-License-Identifier: MIT
-- This machine in numbers, for metrics and facts.
local core = ...
local machine = {}
local open = io.open

-- The text of a file of /proc or /sys, or nil.
function machine.read(path)
	local file = open(path)
	if not file then
		return nil
	end
	local text = file:read("a")
	file:close()
	return text
end

local function percent(part, whole)
	return whole > 0 and part * 100 / whole or 0
end
machine.percent = percent

-- Bytes.
function machine.memory()
	local kb = {}
	for name, value in (machine.read("/proc/meminfo") or ""):gmatch("([%w()]+):%s*(%d+)") do
		kb[name] = math.tointeger(value) * 1024
	end
	local total, free = kb.MemTotal or 0, kb.MemFree or 0
	local available = kb.MemAvailable or free
	return {
		total = total, available = available, free = free, used = total - available, used_percent = percent(total - available, total),
		cached = kb.Cached or 0, buffers = kb.Buffers or 0, swap_total = kb.SwapTotal or 0, swap_free = kb.SwapFree or 0,
	}
end

-- Bytes of the file system that a path is on; or nil and a message.
function machine.disk(path)
	local size, free, available, text = core.statfs(path)
	if not size then
		return nil, text or free
	end
	local used = size - free
	return { total = size, free = available, used = used, used_percent = percent(used, used + available) }
end

-- Of all processors together: busy, all, in ticks.
local function ticks()
	local line = (machine.read("/proc/stat") or ""):match("^cpu%s+([^\n]*)") or ""
	local all, idle, i = 0, 0, 0
	for number in line:gmatch("%d+") do
		i = i + 1
		if i <= 8 then -- what guests use stands in the first two already
			all = all + math.tointeger(number)
		end
		if i == 4 or i == 5 then
			idle = idle + math.tointeger(number)
		end
	end
	return all - idle, all
end

-- Over a fifth of a second.
function machine.cpu_percent()
	local busy, all = ticks()
	core.sleep(200)
	local busy2, all2 = ticks()
	return percent(busy2 - busy, all2 - all)
end

function machine.cpus()
	local _, count = (machine.read("/proc/stat") or ""):gsub("\ncpu%d+", "")
	return math.max(count, 1)
end

-- Bytes of this process in memory.
function machine.own_memory()
	local pages = (machine.read("/proc/self/statm") or ""):match("^%d+ (%d+)")
	return pages and math.tointeger(pages) * core.page_size() or 0
end

return machine
