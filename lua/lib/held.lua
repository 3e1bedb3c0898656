-- SPDX-License-Identifier: MIT
-- The named locks that tasks of this run have taken by state.lock. They end with the run, or, when a try fails and there is
-- another, with the try: that one asks for them anew.
local core = ...
local held = {}
local tasks = {} -- name of the lock → task

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

return held
