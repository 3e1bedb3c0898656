-- SPDX-License-Identifier: MIT
-- task() and workflow.define(): every spelling ends in the same tables, which load.c reads.
local core = ...
local dsl = {}

local words_take = core.library("kinds")
local kinds, specs = words_take.kinds, words_take.specs
local keys, suggest = words_take.keys, words_take.suggest

local defined, by_name = {}, {} -- in definition order
local flow -- the workflow of the file

-- The words of a task, as methods of the builder and as keys of a table. `field`: where it is kept, when that is
-- another name. Without a kind: a word of the language that this version refuses.
local words = {
	description = { kind = kinds.text },
	command = { kind = kinds.command },
	run = { kind = kinds.command, field = "command" },
	execute = { kind = kinds.command, field = "command" },
	shell = { kind = kinds.text, field = "command" },
	timeout = { kind = kinds.duration },
	total_timeout = { kind = kinds.duration },
	grace = { kind = kinds.grace },
	workdir = { kind = kinds.text },
	env = { kind = kinds.env },
	stdin = { kind = kinds.text },
	depends_on = { kind = kinds.names, edges = true },
	next_if_fail = { kind = kinds.names, edges = true },
	retries = { kind = kinds.retries },
	async = { kind = kinds.flag },
	run_if = { kind = kinds.condition },
	when = { kind = kinds.condition, field = "run_if" },
	abort_if = { kind = kinds.condition },
	on_success = { kind = kinds.fn },
	on_failure = { kind = kinds.fn },
	on_fail = { kind = kinds.fn, field = "on_failure" },
	on_timeout = { kind = kinds.fn },
	on_retry = { kind = kinds.fn },
	on_complete = { kind = kinds.fn },
	pre_hook = { kind = kinds.fn },
	pre_exec = { kind = kinds.fn, field = "pre_hook" },
	post_hook = { kind = kinds.fn },
	post_exec = { kind = kinds.fn, field = "post_hook" },
	allow_failure = { kind = kinds.flag },
	sensitive = { kind = kinds.flag },
	always = { kind = kinds.flag },
	params = { kind = kinds.table },
	outputs = { kind = kinds.strings },
	tags = { kind = kinds.strings },
	priority = { kind = kinds.number },
	delegate_to = { kind = kinds.host },
	artifacts = {},
	consumes = {},
	idempotent = {},
	undo = {},
	user = {},
}

-- Sets a word. Messages and edges bear the place in the workflow that called into this library.
local function set_word(owner, list, spec, name, ...)
	local word = list[name]
	if not word then
		local known = keys(list)
		core.fail(owner .. " has no '" .. tostring(name) .. "'" .. suggest(name, known))
	elseif not word.kind then
		core.fail(owner .. ": '" .. name .. "' is not supported by this version")
	end
	local value, what = word.kind(...)
	if value == nil then
		core.fail(owner .. ": '" .. name .. "' must be " .. what)
	end
	spec[word.field or name] = value
	if word.edges then
		local where = core.where()
		for _, on in ipairs(value) do
			spec.edges[on] = spec.edges[on] or where
		end
	end
end

local task_methods = {}
local task_meta = { __name = "task", __metatable = false }

function task_meta:__index(key)
	if key == "name" then
		return specs[self].name
	end
	local method = task_methods[key]
	if not method then
		local known = keys(words)
		known[#known + 1] = "build"
		core.fail("task '" .. specs[self].name .. "' has no method '" .. tostring(key) .. "'" .. suggest(key, known))
	end
	return method
end

function task_meta:__newindex(key)
	core.fail("task '" .. specs[self].name .. "': '" .. tostring(key) .. "' can't be assigned; call it as a method")
end

function task_meta:__tostring()
	return specs[self].name
end

-- task "t" { … }
function task_meta:__call(t)
	if type(t) ~= "table" then
		core.fail("task '" .. specs[self].name .. "': a table of its words is expected")
	end
	dsl.set_table(self, t)
	return self
end

for name in pairs(words) do
	task_methods[name] = function(self, ...)
		local spec = specs[self]
		if not spec then
			core.fail("call it as a method: task(…):" .. name .. "(…)")
		end
		set_word("task '" .. spec.name .. "'", words, spec, name, ...)
		return self
	end
end

function task_methods:build()
	return self
end

-- The words of a plain table, in a fixed order, so that the first mistake is always the same one.
function dsl.set_table(object, t)
	local spec = specs[object]
	local base = t.uses
	if base ~= nil then
		if type(base) == "string" then
			base = by_name[base]
		end
		if not specs[base] then
			core.fail("task '" .. spec.name .. "': 'uses' must be a task that is defined above")
		end
		for key, value in pairs(specs[base]) do
			if spec[key] == nil then
				spec[key] = value
			end
		end
		for on, where in pairs(specs[base].edges) do
			spec.edges[on] = where
		end
	end
	for key in pairs(t) do
		if type(key) ~= "string" then
			core.fail("task '" .. spec.name .. "': a value without a name")
		end
	end
	for _, key in ipairs(keys(t)) do
		if key ~= "name" and key ~= "uses" then
			set_word("task '" .. spec.name .. "'", words, spec, key, t[key])
		end
	end
end

local function new_task(name)
	if type(name) ~= "string" then
		core.fail("a task needs a name")
	elseif not core.name_ok(name) then
		core.fail("'" .. name .. "' can't be a task's name: letters, digits, '.', '_' and '-', at most 128, the first a letter or digit")
	end
	local where, line = core.where()
	if by_name[name] then
		core.fail("task '" .. name .. "' is defined twice; the first is at " .. specs[by_name[name]].where)
	end
	local object = setmetatable({}, task_meta)
	specs[object] = { name = name, where = where, line = line, edges = {} }
	defined[#defined + 1] = object
	by_name[name] = object
	return object
end

-- task("name"), task{ name = … }
function dsl.task(name, t)
	if type(name) == "table" then
		local object = new_task(name.name)
		dsl.set_table(object, name)
		return object
	end
	local object = new_task(name)
	if t ~= nil then
		object(t)
	end
	return object
end

-- Workflows.

local config_words = {
	timeout = { kind = kinds.duration },
	max_parallel_tasks = { kind = kinds.count },
	require_lock = { kind = kinds.flag },
	on_failure = { kind = kinds.policy, field = "policy" },
	on_task_failure = { kind = kinds.old_policy, field = "policy" },
	continue_on_error = { kind = kinds.old_policy, field = "policy" },
	create_snapshot = { kind = kinds.flag },
	validate_before = { kind = kinds.flag },
	detect_drift = { kind = kinds.only_false },
}

local function config_table(spec, t)
	if type(t) ~= "table" then
		core.fail("workflow '" .. spec.name .. "': 'config' must be a table")
	end
	for key in pairs(t) do
		if type(key) ~= "string" then
			core.fail("workflow '" .. spec.name .. "': a value in 'config' without a name")
		end
	end
	for _, key in ipairs(keys(t)) do
		set_word("the config of workflow '" .. spec.name .. "'", config_words, spec, key, t[key])
		spec.config[key] = t[key]
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

local function add_task(spec, item, key)
	if type(item) == "string" and type(key) ~= "string" then
		spec.tasks[#spec.tasks + 1] = { name = item, where = core.where() }
	elseif specs[item] then
		spec.tasks[#spec.tasks + 1] = { object = item }
	elseif type(item) == "table" then
		local name = item.name
		if name == nil then
			name = key
		end
		local object = new_task(type(name) == "string" and name or nil)
		dsl.set_table(object, item)
		if line_of(item) ~= math.maxinteger then
			specs[object].line = line_of(item)
		end
		spec.tasks[#spec.tasks + 1] = { object = object }
	else
		core.fail("workflow '" .. spec.name .. "': its tasks must be tasks, tables or names, not a " .. type(item))
	end
end

local function add_tasks(spec, list)
	local named = {}
	if specs[list] or type(list) == "string" then
		return add_task(spec, list, nil)
	elseif type(list) ~= "table" then
		core.fail("workflow '" .. spec.name .. "': 'tasks' must be a list")
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
			core.fail("workflow '" .. spec.name .. "': the list of tasks has a hole (a variable that is nil?)")
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
	on_start = { kind = kinds.fn },
	on_complete = { kind = kinds.fn },
	tasks = { set = add_tasks },
	config = { set = config_table },
}

local flow_methods, flow_specs = {}, setmetatable({}, { __mode = "k" })
local flow_meta = { __name = "workflow", __metatable = false }

function flow_meta:__index(key)
	local method = flow_methods[key]
	if not method then
		local known = keys(flow_words)
		known[#known + 1] = "build"
		core.fail("workflow '" .. flow_specs[self].name .. "' has no method '" .. tostring(key) .. "'" .. suggest(key, known))
	end
	return method
end

function flow_meta:__newindex(key)
	core.fail("workflow '" .. flow_specs[self].name .. "': '" .. tostring(key) .. "' can't be assigned; call it as a method")
end

local function set_flow_word(spec, name, ...)
	local word = flow_words[name]
	if word and word.set then
		for i = 1, math.max(1, select("#", ...)) do
			word.set(spec, (select(i, ...)))
		end
	else
		set_word("workflow '" .. spec.name .. "'", flow_words, spec, name, ...)
	end
end

for name in pairs(flow_words) do
	flow_methods[name] = function(self, ...)
		local spec = flow_specs[self]
		if not spec then
			core.fail("call it as a method: workflow.define(…):" .. name .. "(…)")
		end
		set_flow_word(spec, name, ...)
		return self
	end
end

function flow_methods:build()
	return self
end

local function flow_table(object, t)
	for key in pairs(t) do
		if type(key) ~= "string" then
			core.fail("workflow '" .. flow_specs[object].name .. "': a value without a name")
		end
	end
	for _, key in ipairs(keys(t)) do
		if key ~= "name" then
			set_flow_word(flow_specs[object], key, t[key])
		end
	end
end

function flow_meta:__call(t)
	if type(t) ~= "table" then
		core.fail("workflow '" .. flow_specs[self].name .. "': a table of its words is expected")
	end
	flow_table(self, t)
	return self
end

local function define(name, t)
	if type(name) == "table" then
		name, t = name.name, name
	end
	if type(name) ~= "string" then
		core.fail("a workflow needs a name")
	end
	local where = core.where()
	if flow then
		core.fail("a file holds one workflow: '" .. flow.name .. "' is defined at " .. flow.where .. " already")
	end
	flow = { name = name, where = where, tasks = {}, config = {} }
	local object = setmetatable({}, flow_meta)
	flow_specs[object] = flow
	if t ~= nil then
		if type(t) ~= "table" then
			core.fail("workflow '" .. name .. "': a table of its words is expected")
		end
		flow_table(object, t)
	end
	return object
end

dsl.workflow = setmetatable({
	define = function(name, t)
		return define(name, t)
	end,
}, {
	__call = function(_, name, t)
		return define(name, t)
	end,
	__index = function(_, key)
		core.fail("workflow has no function '" .. tostring(key) .. "'" .. suggest(key, { "define" }))
	end,
	__metatable = false,
})

-- The old global: TaskDefinitions = { group = { description = …, tasks = { … } } }
local function old_definitions(file)
	local groups = rawget(_G, "TaskDefinitions")
	if type(groups) ~= "table" then
		return
	end
	local names = keys(groups)
	define(#names == 1 and names[1] or file)
	for _, name in ipairs(names) do
		local group = groups[name]
		if type(group) ~= "table" then
			error("TaskDefinitions: '" .. name .. "' must be a table", 0)
		end
		for _, key in ipairs(keys(group)) do
			if key == "tasks" then
				add_tasks(flow, group.tasks)
			elseif key == "description" then
				flow.description = flow.description or tostring(group.description)
			else
				error("TaskDefinitions." .. name .. " has no '" .. key .. "'" .. suggest(key, { "tasks", "description" }), 0)
			end
		end
	end
end

local function numbers_of(spec, names, number_of, all)
	local list, seen = {}, {}
	for _, name in ipairs(names or {}) do
		if not number_of[name] then
			local hint = by_name[name] and ", which is not among the workflow's tasks (defined at " .. specs[by_name[name]].where .. ")"
				or ", which is not defined" .. suggest(name, all)
			error(spec.edges[name] .. ": task '" .. spec.name .. "' depends on '" .. name .. "'" .. hint, 0)
		end
		if not seen[name] then
			seen[name] = true
			list[#list + 1] = number_of[name]
		end
	end
	return list
end

local function check_selection(options, number_of, all)
	for _, name in ipairs(options and options.tasks or {}) do
		if not number_of[name] then
			error("there is no task '" .. tostring(name) .. "'" .. suggest(name, all), 0)
		end
	end
	local host = options and options.delegate_to
	if host and host ~= "" and not options["local"] and not core.is_this_host(host) then
		error("tasks can't be delegated to '" .. tostring(host) .. "': agents are not supported by this version", 0)
	end
end

-- What the file has defined, for load.c.
function dsl.finish(file, options)
	local tasks, number_of, all = {}, {}, {}
	file = file:gsub("%.[^.]*$", "")
	if not flow then
		old_definitions(file)
	end
	if not flow then
		flow = { name = file, tasks = {}, config = {} }
		for _, object in ipairs(defined) do
			flow.tasks[#flow.tasks + 1] = { object = object }
		end
	end
	for _, entry in ipairs(flow.tasks) do
		local object = entry.object or by_name[entry.name]
		local spec = specs[object]
		if not spec then
			local names = {}
			for name in pairs(by_name) do
				names[#names + 1] = name
			end
			error(entry.where .. ": workflow '" .. flow.name .. "': there is no task '" .. entry.name .. "'" .. suggest(entry.name, names), 0)
		end
		if not number_of[spec.name] then
			tasks[#tasks + 1] = spec
			number_of[spec.name] = #tasks
			all[#all + 1] = spec.name
		end
	end
	if #tasks == 0 then
		error(file .. ": the workflow has no tasks", 0)
	end
	for _, spec in ipairs(tasks) do
		if spec.command == nil then
			error(spec.where .. ": task '" .. spec.name .. "' has no command", 0)
		end
		spec.command_text = type(spec.command) == "string" and spec.command or nil
		spec.depends = numbers_of(spec, spec.depends_on, number_of, all)
		spec.after_failure = numbers_of(spec, spec.next_if_fail, number_of, all)
		spec.group = flow.name
		for _, on in ipairs(spec.depends) do
			if tasks[on].always and not spec.always then
				error(spec.edges[tasks[on].name] .. ": task '" .. spec.name .. "' depends on '" .. tasks[on].name .. "', which runs after all others (always)", 0)
			end
		end
	end
	check_selection(options, number_of, all)
	flow.tasks = tasks
	return flow
end

return dsl
