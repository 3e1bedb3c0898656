-- SPDX-License-Identifier: MIT
-- The workflow of an earlier run, which this run takes back, or for whose resources it is: how its tasks say that they are undone, and the
-- types of resources that it defines. It came with this run, with all that it imports; nothing of it is done but its definitions.
local core = ...
local earlier = {}

local opened = {} -- list of { run, path, specs (task's name → its table, once it was read), problem (why it can't be) }

-- Of the words of a task, what its undo has, too.
local TAKEN = { "timeout", "total_timeout", "grace", "retries", "retry_delay", "max_retry_delay", "sensitive", "workdir", "env", "params", "user",
	"delegate_to" }

local function read(one)
	local file, by_name = one.path:match("[^/]*$"), {}
	if file:find("%.ya?ml$") then
		core.library("document").read(file, core.parse_document(file, core.library("import").kept(one.path)))
	else
		core.library("import").import(one.path)
	end
	if core.task() then
		return by_name -- only types are asked for then
	end
	for _, task in ipairs(core.library("flow").finish(file, {}).tasks) do
		by_name[task.name] = task
	end
	return by_name
end

local function load(one)
	if not one.specs and not one.problem then
		one.problem = "it is just being read"
		one.specs, one.problem = core.library("flow").apart(function() return read(one) end)
	end
end

local function why(one)
	return one.problem and "the workflow of run " .. one.run .. " can't be read: " .. one.problem or nil
end

-- Reads them, when something of theirs is first asked for. One that is made for another one names that.
function earlier.load()
	local i = 1
	while opened[i] do
		load(opened[i])
		i = i + 1
	end
end

-- Why something of them is not known.
function earlier.why()
	for _, one in ipairs(opened) do
		if one.problem then
			return why(one)
		end
	end
end

-- The workflow of run `number`, which came as this file; nothing came: nothing is known of it.
function earlier.open(number, file)
	local one = { run = number, path = file, problem = not file and "it is too long to come with this one" or nil }
	opened[#opened + 1] = one
	core.library("import").take_over()
	local methods = {}
	-- A task of this run that undoes that task of the earlier one.
	function methods.undo(_, name, of)
		load(one)
		local kinds, dsl = core.library("kinds"), core.library("dsl")
		local spec, was = kinds.specs[dsl.new_task(name)], one.specs and one.specs[of]
		spec.touched, spec.description = true, of
		for _, word in ipairs(was and TAKEN or {}) do
			spec[word] = was[word]
		end
		function spec.command(this)
			if not was then
				return false, why(one) or "the workflow of run " .. number .. " has no task '" .. of .. "'"
			end
			return core.library("task").undo_earlier(number, was, this)
		end
	end
	return setmetatable({}, { __index = methods, __metatable = false })
end

return earlier
