-- SPDX-License-Identifier: MIT
-- Globals of Sloth Runner's first workflows: export and parallel.
local core = ...
local older = {}

local dsl, specs, keys = core.library("dsl"), core.library("kinds").specs, core.library("kinds").keys

-- Each value of the table becomes an output.
function older.export(outputs)
	core.acts("export")
	if type(outputs) ~= "table" then
		core.fail("export: a table of names and values is expected, not a " .. type(outputs))
	end
	for name in pairs(outputs) do
		if type(name) ~= "string" then
			core.fail("export: a value without a name")
		end
	end
	for _, name in ipairs(keys(outputs)) do
		core.library("stack").set_output(name, outputs[name])
	end
	return true
end

-- What has no effect within another task, and is therefore refused.
local refused = { "abort_if", "allow_failure", "always", "artifacts", "consumes", "depends_on", "env", "grace", "next_if_fail", "on_complete",
	"on_failure", "on_retry", "on_skip", "on_success", "on_timeout", "outputs", "post_hook", "pre_hook", "retries", "run_if", "sensitive",
	"timeout", "total_timeout", "undo", "user", "workdir" }

local function task_of(item, number)
	local named = type(item) == "string" and item or type(item) == "table" and not specs[item] and keys(item)[2] == nil and item.name
	local object = named and dsl.by_name[named] or item
	if type(object) == "table" and not specs[object] then
		object = dsl.task(object)
	end
	local spec = specs[object]
	if not spec then
		core.fail("parallel: " .. (named and "there is no task '" .. named .. "'" or "item " .. number .. " is no task"))
	elseif spec.command == nil then
		core.fail("parallel: task '" .. spec.name .. "' has no command")
	end
	for _, word in ipairs(refused) do
		if spec[word] then
			core.fail("parallel: task '" .. spec.name .. "': '" .. word .. "' has no effect within another task: make it a task of the workflow, with depends_on")
		end
	end
	return object
end

local function run(object)
	local started = core.uptime()
	local ok, message, outputs = object:run()
	return {
		name = object.name, status = ok and "success" or "failed", success = ok, message = message,
		error = not ok and message or nil, outputs = outputs, duration = (core.uptime() - started) / 1000,
	}
end

-- Does what tasks do, all at once: their results in order; and a message when some failed.
function older.parallel(tasks)
	core.acts("parallel")
	if type(tasks) ~= "table" then
		core.fail("parallel: a list of tasks is expected, not a " .. type(tasks))
	end
	local jobs, results, failed = {}, {}, {}
	for i, item in ipairs(tasks) do
		jobs[i] = { run, task_of(item, i), n = 2 }
	end
	for i, one in ipairs(core.library("handle").gather(jobs)) do
		local result = one.results[1] and one.results[2] or { name = jobs[i][2].name, status = "failed", success = false, error = tostring(one.results[2]), duration = 0 }
		results[i] = result
		if not result.success then
			failed[#failed + 1] = result.name .. ": " .. tostring(result.error)
		end
	end
	return results, #failed > 0 and table.concat(failed, "; ") or nil
end

return older
