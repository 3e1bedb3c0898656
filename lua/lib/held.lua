-- SPDX-License-Identifier: MIT
-- What tasks of this run hold. The named locks that they have taken by state.lock end with the run, or, when a try fails and there
-- is another, with the try: that one asks for them anew. Files that they have opened end with the try.
local core = ...
local held = {}
local tasks = {} -- name of the lock → task
local files = {} -- name of the task ("": none runs) → see held.files()

function held.add(name)
	tasks[name] = core.task()
end

function held.remove(name)
	tasks[name] = nil
end

function held.drop(task)
	for name, by in pairs(tasks) do
		if by == task then
			tasks[name] = nil
			core.tell("lock.release", { name = name, holder = task })
		end
	end
end

-- {opened: a set of those that something still has, input, output: the defaults (lib/standard.lua)}
function held.files()
	local name = core.task() or ""
	files[name] = files[name] or { opened = setmetatable({}, { __mode = "k" }) }
	return files[name]
end

function held.file(file)
	held.files().opened[file] = true
end

local function close(file)
	local closed, message = file:close()
	if not closed then
		core.log("a file that was left open could not be written: " .. message .. "\n")
	end
end

local function close_all()
	local name = core.task() or ""
	local mine = files[name]
	files[name] = nil
	for file in pairs(mine and mine.opened or {}) do
		if io.type(file) == "file" then
			close(file)
		end
	end
end

-- To be closed where a try ends, or its hooks.
held.until_end = setmetatable({}, { __close = close_all })

return held
