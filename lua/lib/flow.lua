-- SPDX-License-Identifier: MIT
-- workflow.define(): every spelling ends in one table, the flow, which load.c reads.
local core = ...
local flow = {}

local words_take, place, dsl = core.library("kinds"), core.library("place"), core.library("dsl")
local kinds, specs = words_take.kinds, words_take.specs
local keys, suggest = words_take.keys, words_take.suggest

local flows = {} -- of the file

local config_words = {
	timeout = { kind = kinds.duration },
	max_parallel_tasks = { kind = kinds.count },
	require_lock = { kind = kinds.flag },
	lock_timeout = { kind = kinds.grace },
	on_failure = { kind = kinds.policy, field = "policy" },
	on_task_failure = { kind = kinds.old_policy, field = "policy" },
	continue_on_error = { kind = kinds.old_policy, field = "policy" },
	fail_fast = { kind = kinds.fail_fast, field = "policy" },
	create_snapshot = { kind = kinds.flag },
	validate_before = { kind = kinds.flag },
	detect_drift = { kind = kinds.flag },
	roots = { kind = kinds.paths },
	roots_ignore = { kind = kinds.strings },
	retry_policy = { kind = kinds.strategy },
	workdir = { kind = kinds.text },
}

-- Words of Sloth Runner that did nothing there, and that its users wrote.
for _, name in ipairs({
	"artifact_retention", "circuit_breaker", "clean_workdir_after_run", "cleanup", "cleanup_on_failure", "compression",
	"create_workdir_before_run", "metrics_collection", "monitoring", "performance_monitoring", "security",
}) do
	config_words[name] = { inert = true }
end

-- Keys that are names, or an error that says so.
local function check_names(owner, t)
	for key in pairs(t) do
		if type(key) ~= "string" then
			place.fail(owner .. ": a value without a name")
		end
	end
end

local function config_table(spec, t)
	local owner = "the config of workflow '" .. spec.name .. "'"
	if type(t) ~= "table" then
		place.fail("workflow '" .. spec.name .. "': 'config' must be a table")
	end
	check_names(owner, t)
	for _, key in ipairs(keys(t)) do
		dsl.set_word("the config of workflow", config_words, spec, key, t[key])
		if not config_words[key].inert then
			spec.config[key] = t[key]
		end
	end
end

-- The line of a keyed task: that of its command function.
local function line_of(item)
	local command = specs[item] and specs[item].command or type(item) == "table" and (item.command or item.run or item.execute)
	if type(command) == "function" then
		local _, line = core.described(command)
		return line
	end
	return specs[item] and specs[item].line or math.maxinteger
end

-- A plain table's name: its own, its key in the list of tasks, or its base's.
local function name_of(item, key)
	local base = item.uses
	if item.name ~= nil or type(key) == "string" then
		return item.name == nil and key or item.name
	elseif specs[base] then
		return specs[base].name
	end
	return type(base) == "table" and base.name or nil
end

local function add_task(spec, item, key)
	if type(item) == "string" and type(key) ~= "string" then
		spec.tasks[#spec.tasks + 1] = { name = item, where = place.here() }
	elseif specs[item] then
		spec.tasks[#spec.tasks + 1] = { object = item }
	elseif type(item) == "table" then
		local object = dsl.new_task(name_of(item, key))
		dsl.set_table(object, item)
		if line_of(item) ~= math.maxinteger then
			specs[object].line = line_of(item)
		end
		spec.tasks[#spec.tasks + 1] = { object = object }
	else
		place.fail("workflow '" .. spec.name .. "': its tasks must be tasks, tables or names, not a " .. type(item))
	end
end

local function add_tasks(spec, list)
	local named = {}
	spec.lists_tasks = true
	if specs[list] or type(list) == "string" or type(list) == "table" and type(list.name) == "string" then
		return add_task(spec, list, nil)
	elseif type(list) ~= "table" then
		place.fail("workflow '" .. spec.name .. "': 'tasks' must be a list")
	end
	local count = 0
	for i, item in ipairs(list) do
		add_task(spec, item, nil)
		count = i
	end
	for key, item in pairs(list) do
		if type(key) == "string" then
			named[#named + 1] = { key = key, item = item, line = line_of(item) }
		elseif math.type(key) ~= "integer" or key < 1 or key > count then
			place.fail("workflow '" .. spec.name .. "': the list of tasks has a hole (a variable that is nil?)")
		end
	end
	table.sort(named, function(a, b)
		if a.line ~= b.line then
			return a.line < b.line
		end
		return a.key < b.key
	end)
	for _, entry in ipairs(named) do
		add_task(spec, entry.item, entry.key)
	end
end

local flow_words = {
	description = { kind = kinds.text },
	version = { kind = kinds.text },
	stack = { kind = kinds.text },
	workdir = { kind = kinds.text },
	delegate_to = { kind = kinds.host },
	metadata = { kind = kinds.table },
	category = { kind = kinds.text },
	author = { kind = kinds.text },
	on_start = { kind = kinds.fn },
	on_complete = { kind = kinds.fn },
	on_abort = { inert = true },
	create_workdir_before_run = { inert = true },
	clean_workdir_after_run = { inert = true },
	tasks = { set = add_tasks },
	config = { set = config_table },
}

local methods, flow_specs = {}, setmetatable({}, { __mode = "k" })
local meta = { __name = "workflow", __metatable = false }

-- A word of the config in the wrong place.
local function check_place(name, key)
	if config_words[key] and not flow_words[key] then
		place.fail("workflow '" .. name .. "': '" .. key .. "' stands in its config: config({ " .. key .. " = ... })")
	end
end

function meta:__index(key)
	local method = methods[key]
	if not method then
		check_place(flow_specs[self].name, key)
		local known = keys(flow_words)
		known[#known + 1] = "build"
		place.fail("workflow '" .. flow_specs[self].name .. "' has no method '" .. tostring(key) .. "'" .. suggest(key, known))
	end
	return method
end

function meta:__newindex(key)
	place.fail("workflow '" .. flow_specs[self].name .. "': '" .. tostring(key) .. "' can't be assigned; call it as a method")
end

local function set_flow_word(spec, name, ...)
	local word = flow_words[name]
	if word and word.set then
		for i = 1, math.max(1, select("#", ...)) do
			word.set(spec, (select(i, ...)))
		end
	else
		check_place(spec.name, name)
		dsl.set_word("workflow", flow_words, spec, name, ...)
	end
end

for name in pairs(flow_words) do
	methods[name] = function(self, ...)
		local spec = flow_specs[self]
		if not spec then
			place.fail("call it as a method: workflow.define(…):" .. name .. "(…)")
		end
		set_flow_word(spec, name, ...)
		return self
	end
end

-- For documents, which are read word by word.
flow.set_word = set_flow_word

function flow.set_config(spec, name, value)
	config_table(spec, { [name] = value })
end

function methods:build()
	return self
end

-- The words of a plain table, in a fixed order.
function flow.set_table(spec, t)
	check_names("workflow '" .. spec.name .. "'", t)
	for _, key in ipairs(keys(t)) do
		if key ~= "name" then
			set_flow_word(spec, key, t[key])
		end
	end
end

function meta:__call(t)
	if type(t) ~= "table" then
		place.fail("workflow '" .. flow_specs[self].name .. "': a table of its words is expected")
	end
	flow.set_table(flow_specs[self], t)
	return self
end

-- A new one, and what words are set by.
function flow.new(name)
	if type(name) ~= "string" or name == "" then
		place.fail("a workflow needs a name")
	end
	local where = place.here()
	for _, other in ipairs(flows) do
		if other.name == name then
			place.fail("workflow '" .. name .. "' is defined twice; the first is at " .. other.where)
		end
	end
	local spec = { name = name, where = where, tasks = {}, config = {} }
	flows[#flows + 1] = spec
	return spec
end

local function define(name, t)
	if type(name) == "table" then
		name, t = name.name, name
	end
	local spec = flow.new(name)
	local object = setmetatable({}, meta)
	flow_specs[object] = spec
	if t ~= nil then
		object(t)
	end
	return object
end

-- Another workflow is read by fn(), of which nothing becomes this one's. What it gives; or nil and why it can't be read.
function flow.apart(fn)
	local outer = flows
	flows = {}
	local result, message = dsl.apart(function()
		return core.library("drift").guarded(fn)
	end)
	flows = outer
	place.set()
	return result, message
end

flow.workflow = setmetatable({
	define = function(name, t)
		return define(name, t)
	end,
	earlier = function(run, path)
		return core.library("earlier").open(run, path)
	end,
}, {
	__call = function(_, name, t)
		return define(name, t)
	end,
	__index = function(_, key)
		place.fail("workflow has no function '" .. tostring(key) .. "'" .. suggest(key, { "define", "earlier" }))
	end,
	__metatable = false,
})

-- The old global: TaskDefinitions = { group = { description = …, tasks = { … } } }
local function old_definitions(file)
	local groups = rawget(_G, "TaskDefinitions")
	if type(groups) ~= "table" then
		return
	end
	place.set(file, 0) -- the program has ended: nobody knows the line
	check_names("TaskDefinitions", groups)
	for _, name in ipairs(keys(groups)) do
		if type(groups[name]) ~= "table" then
			place.fail("TaskDefinitions: '" .. name .. "' must be a table")
		end
		flow.set_table(flow.new(name), groups[name])
	end
	place.set()
end

-- Several in one file: the one that bears the run's name, or all of them as one.
local function choose(file, stem)
	if #flows == 0 then
		old_definitions(file)
	end
	for _, spec in ipairs(flows) do
		if spec.name == stem then
			return spec
		end
	end
	if #flows > 1 then
		return core.library("several").join(flows, stem, file)
	end
	return flows[1] or { name = stem, tasks = {}, config = {} }
end

-- The tasks that it lists, each once; one that has no list has all that are defined.
local function collect(spec)
	local tasks, seen, entries = {}, {}, spec.tasks
	if not spec.lists_tasks then
		entries = {}
		for _, object in ipairs(dsl.defined) do
			entries[#entries + 1] = { object = object }
		end
	end
	for _, entry in ipairs(entries) do
		local task = specs[entry.object or dsl.by_name[entry.name]]
		if not task then
			error(entry.where .. ": workflow '" .. spec.name .. "': there is no task '" .. entry.name .. "'" .. suggest(entry.name, keys(dsl.by_name)), 0)
		end
		if not seen[task.name] then
			seen[task.name] = true
			task.group = entry.group or spec.name
			tasks[#tasks + 1] = task
		end
	end
	return tasks
end

local function refuse_unknown(spec, name, number_of)
	local other = dsl.by_name[name]
	local hint = other and specs[other].touched and ", which is not among the workflow's tasks (defined at " .. specs[other].where .. ")"
		or ", which is not defined" .. suggest(name, keys(number_of))
	error(spec.edges[name] .. ": task '" .. spec.name .. "' depends on '" .. name .. "'" .. hint, 0)
end

-- The numbers of these tasks, each once; of none: nothing.
local function numbers_of(spec, names, number_of)
	if not names then
		return nil
	end
	local count, list = #names, {}
	local seen = count > 1 and {}
	for i = 1, count do
		local name = names[i]
		local number = number_of[name] or refuse_unknown(spec, name, number_of)
		if not (seen and seen[name]) then
			list[#list + 1] = number
		end
		if seen then
			seen[name] = true
		end
	end
	return list
end

-- What a task consumes must be there before.
local function needed(task)
	if not task.consumes then
		return task.depends_on
	end
	local names = table.move(task.depends_on or {}, 1, #(task.depends_on or {}), 1, {})
	for _, wanted in ipairs(task.consumes) do
		names[#names + 1] = wanted.task
	end
	return names
end

-- What a task takes from its workflow and from the command line.
local function complete(task, spec, options)
	local retries = task.retries
	if task.command == nil then
		error(task.where .. ": task '" .. task.name .. "' has no command", 0)
	end
	task.command_text = type(task.command) == "string" and task.command or nil
	task.workdir = task.workdir or spec.workdir
	if retries then
		retries.base = task.retry_delay or retries.base
		retries.cap = math.max(task.max_retry_delay or retries.cap, retries.base)
		retries.strategy = not retries.said and spec.retry_policy or retries.strategy
	end
	task.delegate_to = task.delegate_to or spec.delegate_to
	if task.delegate_to or options.delegate_to then
		core.library("delegate").settle(task, options)
	end
end

local function check_selection(options, number_of)
	for _, list in ipairs({ options.tasks or {}, options.skip or {} }) do
		for _, name in ipairs(list) do
			if not number_of[name] then
				error("there is no task '" .. tostring(name) .. "'" .. suggest(name, keys(number_of)), 0)
			end
		end
	end
end

-- What the file has defined, for load.c.
function flow.finish(file, options)
	local stem = file:gsub("%.[^.]*$", "")
	local spec = choose(file, stem)
	local tasks, number_of = collect(spec), {}
	options = options or {}
	if #tasks == 0 then
		error(file .. ": the workflow has no tasks", 0)
	end
	for number, task in ipairs(tasks) do
		number_of[task.name] = number
		complete(task, spec, options)
	end
	for _, task in ipairs(tasks) do
		task.depends = numbers_of(task, needed(task), number_of)
		task.after_failure = numbers_of(task, task.next_if_fail, number_of)
		for _, on in ipairs(task.depends or {}) do
			if tasks[on].always and not task.always then
				error(task.edges[tasks[on].name] .. ": task '" .. task.name .. "' depends on '" .. tasks[on].name .. "', which runs after all others (always)", 0)
			end
		end
	end
	check_selection(options, number_of)
	if spec.policy == "rollback" and spec.require_lock == false then
		error(spec.where .. ": on_failure = 'rollback' needs the stack's lock: require_lock can't be false", 0)
	end
	spec.tasks, spec.imports = tasks, core.imports
	return spec
end

return flow
