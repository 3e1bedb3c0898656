-- SPDX-License-Identifier: MIT
-- workdir: the task's own folder. (this.workdir is the same for the task at hand.)
local core = ...
local workdir = {}

-- The folder, or what is below it. Nothing else is made or removed here.
local function inside(path, what)
	local _, own = core.task()
	if not own then
		core.fail("workdir." .. what .. ": only a task has a folder")
	end
	if path == nil or path == own then
		return own
	elseif type(path) ~= "string" then
		core.fail("workdir." .. what .. ": the path must be a string, not a " .. type(path))
	end
	local full = path:sub(1, 1) == "/" and path or own .. "/" .. path
	if full:sub(1, #own + 1) ~= own .. "/" or ("/" .. full .. "/"):find("/../", 1, true) then
		core.fail("workdir." .. what .. ": " .. path .. " is not in the task's folder, " .. own .. " (fs.rm_r and fs.mkdir work everywhere)")
	end
	return full
end

function workdir.get()
	local _, own = core.task()
	return own
end

function workdir.exists(path)
	return core.exists(path or workdir.get() or ".")
end

-- true and a message.
function workdir.create(path)
	core.acts("workdir.create")
	core.make_directories(inside(path, "create"))
	return true, "workdir created successfully"
end

workdir.ensure = workdir.create

function workdir.cleanup(path)
	core.acts("workdir.cleanup")
	core.remove_tree(inside(path, "cleanup"))
	return true, "workdir removed"
end

function workdir.recreate()
	core.acts("workdir.recreate")
	local own = inside(nil, "recreate")
	core.remove_tree(own)
	core.make_directories(own)
	return true, "workdir recreated successfully"
end

return workdir
