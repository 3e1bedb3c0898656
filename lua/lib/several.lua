-- SPDX-License-Identifier: MIT
-- A file with several workflows, of which none bears the run's name: all of them as one, as Sloth Runner did it.
local core = ...
local several = {}

-- What can't be two things at once.
local FIELDS = {
	"timeout", "max_parallel_tasks", "policy", "stack", "retry_policy", "require_lock", "lock_timeout", "create_snapshot", "validate_before", "detect_drift",
}

local function take_fields(joined, spec, file)
	for _, name in ipairs(FIELDS) do
		local before, value = joined[name], spec[name]
		if value ~= nil and before ~= nil and before ~= value then
			error(spec.where .. ": the workflows '" .. joined.from[name] .. "' and '" .. spec.name .. "' of this file differ in '" .. name
				.. "', and can't run as one; run one of them: sloth run " .. spec.name .. " --file " .. file, 0)
		elseif value ~= nil and before == nil then
			joined[name], joined.from[name] = value, spec.name
		end
	end
	for name, value in pairs(spec.config) do
		joined.config[name] = value
	end
end

-- One hook that calls those of all; `vetoes`: the first that refuses is the last.
local function hooks_of(flows, name, vetoes)
	local list = {}
	for _, spec in ipairs(flows) do
		list[#list + 1] = spec[name]
	end
	if #list < 2 then
		return list[1]
	end
	return function(...)
		for _, hook in ipairs(list) do
			local ok, message = hook(...)
			if ok == false and vetoes then
				return ok, message
			end
		end
	end
end

-- The tasks of one, which keep its name, its folder and its place.
local function take_tasks(joined, spec, specs)
	for _, entry in ipairs(spec.tasks) do
		entry.group = spec.name
		local task = specs[entry.object]
		if task then
			task.workdir = task.workdir or spec.workdir
			task.delegate_to = task.delegate_to or spec.delegate_to
		end
		joined.tasks[#joined.tasks + 1] = entry
	end
end

function several.join(flows, name, file)
	local joined = { name = name, tasks = {}, config = {}, from = {}, lists_tasks = false }
	local specs = core.library("kinds").specs
	for _, spec in ipairs(flows) do
		take_fields(joined, spec, file)
		take_tasks(joined, spec, specs)
		joined.lists_tasks = joined.lists_tasks or spec.lists_tasks
		joined.description = joined.description or spec.description
		joined.version = joined.version or spec.version
	end
	joined.on_start, joined.on_complete = hooks_of(flows, "on_start", true), hooks_of(flows, "on_complete")
	return joined
end

return several
