-- SPDX-License-Identifier: MIT
-- task(): every spelling of a task ends in the same table, a spec. What workflows make of them is lib/flow.lua's.
local core = ...
local dsl = {}

local words_take, place = core.library("kinds"), core.library("place")
local kinds, specs = words_take.kinds, words_take.specs
local keys, suggest = words_take.keys, words_take.suggest

local defined, by_name = {}, {} -- in definition order
dsl.defined, dsl.by_name = defined, by_name

-- The words of a task, as methods of the builder and as keys of a table. `field`: where it is kept, when that is
-- another name. `inert`: a word of Sloth Runner that did nothing there either.
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
	pre_task = { kind = kinds.fn, field = "pre_hook" },
	post_task = { kind = kinds.fn, field = "post_hook" },
	allow_failure = { kind = kinds.flag },
	sensitive = { kind = kinds.flag },
	always = { kind = kinds.flag },
	params = { kind = kinds.table },
	outputs = { kind = kinds.strings },
	tags = { kind = kinds.strings },
	priority = { kind = kinds.number },
	delegate_to = { kind = kinds.host },
	target_agent = { kind = kinds.host, field = "delegate_to" },
	target_tags = { kind = kinds.host_tags, field = "delegate_to" },
	metadata = { kind = kinds.table },
	category = { kind = kinds.text },
	condition = { kind = kinds.condition, field = "run_if" },
	on_skip = { kind = kinds.fn },
	ignore_errors = { kind = kinds.flag, field = "allow_failure" },
	retry_delay = { kind = kinds.duration },
	max_retry_delay = { kind = kinds.duration },
	resources = { inert = true },
	security_policy = { inert = true },
	artifacts = { kind = kinds.globs },
	consumes = { kind = kinds.consumed, edges = true },
	idempotent = { kind = kinds.flag },
	undo = { kind = kinds.command },
	user = { kind = kinds.user },
}

local function add_edges(spec, names)
	local edges, where = spec.edges, place.here()
	for i = 1, #names do
		local on = type(names[i]) == "table" and names[i].task or names[i]
		edges[on] = edges[on] or where
	end
end

-- Sets a word of `owner` ("task"). Messages and edges bear the place in the workflow that called into this library.
function dsl.set_word(owner, list, spec, name, ...)
	local word = list[name]
	local function whose()
		return owner .. " '" .. spec.name .. "'"
	end
	if not word then
		place.fail(whose() .. " has no '" .. tostring(name) .. "'" .. suggest(name, keys(list)))
	elseif word.inert then
		return dsl.note(whose() .. ": '" .. name .. "' has no effect")
	end
	local value, what = word.kind(...)
	if value == nil then
		place.fail(whose() .. ": '" .. name .. "' must be " .. what)
	end
	spec[word.field or name] = value
	if word.edges then
		add_edges(spec, value)
	end
end
local set_word = dsl.set_word

-- What the run's log says before the first task, once.
local noted = {}
function dsl.note(text)
	if not noted[text] then
		noted[text] = true
		core.log((place.here()) .. ": " .. text .. "\n")
	end
end

local task_methods = {}
local task_meta = { __name = "task", __metatable = false }

-- What is no method.
task_meta.__index = core.quick_method(function(self, key)
	if key == "name" then
		return specs[self].name
	end
	local known = keys(words)
	known[#known + 1] = "build"
	place.fail("task '" .. specs[self].name .. "' has no method '" .. tostring(key) .. "'" .. suggest(key, known))
end, task_methods)

function task_meta:__newindex(key)
	place.fail("task '" .. specs[self].name .. "': '" .. tostring(key) .. "' can't be assigned; call it as a method")
end

function task_meta:__tostring()
	return specs[self].name
end

-- task "t" { … }
function task_meta:__call(t)
	if type(t) ~= "table" then
		place.fail("task '" .. specs[self].name .. "': a table of its words is expected")
	end
	dsl.set_table(self, t)
	return self
end

local kind_names = {}
for name, kind in pairs(kinds) do
	kind_names[kind] = name
end

-- Workflows may have thousands of tasks: a word that is right goes the short way.
for name, word in pairs(words) do
	local kind, field = word.kind, word.field or name
	local plain = kind and not word.edges
	local function method(self, ...)
		local spec = specs[self]
		if not spec then
			place.fail("call it as a method: task(…):" .. name .. "(…)")
		end
		local value
		if plain then
			value = kind(...)
		end
		if value ~= nil then
			spec[field] = value
		else
			set_word("task", words, spec, name, ...)
		end
		spec.touched = true
		return self
	end
	task_methods[name] = kind and core.quick_word(method, specs, field, kind_names[kind]) or method
end

-- run(command) is a word; run() within another task's function does what the task does, there and then.
local set_command = task_methods.run
function task_methods:run(...)
	if select("#", ...) > 0 then
		return set_command(self, ...)
	elseif not core.task() then
		place.fail("task '" .. specs[self].name .. "': run() does a task within another one's function; the tasks of a workflow are run by themselves")
	end
	if specs[self].delegate_to then
		core.library("delegate").settle(specs[self], {})
	end
	return core.library("task").inline(specs[self])
end

function task_methods:build()
	return self
end

-- A base task: an object, the name of one that is defined, or a plain table of words (of an imported file, say).
local function base_of(spec, base)
	if type(base) == "string" then
		base = by_name[base]
	end
	if type(base) == "table" and not specs[base] then
		local object = setmetatable({}, task_meta)
		specs[object] = { name = spec.name, edges = {} }
		dsl.set_table(object, base)
		base = object
	end
	if not specs[base] then
		place.fail("task '" .. spec.name .. "': 'uses' must be a task that is defined above, or a table of a task's words")
	end
	return specs[base]
end

local function take_base(spec, of)
	local base = base_of(spec, of)
	for key, value in pairs(base) do
		if spec[key] == nil then
			spec[key] = value
		end
	end
	for on, where in pairs(base.edges) do
		spec.edges[on] = spec.edges[on] or where
	end
end

-- The words of a plain table, in a fixed order, so that the first mistake is always the same one.
function dsl.set_table(object, t)
	local spec = specs[object]
	spec.touched = true
	if t.uses ~= nil then
		take_base(spec, t.uses)
	end
	for key in pairs(t) do
		if type(key) ~= "string" then
			place.fail("task '" .. spec.name .. "': a value without a name")
		end
	end
	for _, key in ipairs(keys(t)) do
		if key ~= "name" and key ~= "uses" then
			set_word("task", words, spec, key, t[key])
		end
	end
end

-- For documents, which are read word by word.
function dsl.set_task_word(object, name, value)
	local spec = specs[object]
	spec.touched = true
	set_word("task", words, spec, name, value)
end

function dsl.use(object, base)
	take_base(specs[object], base)
end

-- A name may be said again as long as nothing else was: `local build = task("build")` above, its words below.
local function known_task(name)
	local object = by_name[name]
	if object and specs[object].touched then
		place.fail("task '" .. name .. "' is defined twice; the first is at " .. specs[object].where)
	end
	return object
end

function dsl.new_task(name)
	if type(name) ~= "string" then
		place.fail("a task needs a name")
	elseif not core.name_ok(name) then
		place.fail("'" .. name .. "' can't be a task's name: letters, digits, '.', '_' and '-', at most 128, the first a letter or digit")
	end
	local where, line = place.here()
	local running = core.task() ~= nil -- then it is no part of the workflow
	local object = not running and known_task(name)
	if object then
		specs[object].where, specs[object].line = where, line
		return object
	end
	object = setmetatable({}, task_meta)
	specs[object] = { name = name, where = where, line = line, edges = {} }
	if not running then
		defined[#defined + 1] = object
		by_name[name] = object
	end
	return object
end

-- task("name"), task("name", { … }), task("name", function() … end), task{ name = … }
function dsl.task(name, t)
	local object
	if type(name) == "table" then
		object = dsl.new_task(name.name)
		dsl.set_table(object, name)
	elseif type(t) == "table" and not specs[t] then
		object = dsl.new_task(name)
		dsl.set_table(object, t)
	else
		object = dsl.new_task(name)
		if t ~= nil then
			object:command(t)
		end
	end
	return object
end
dsl.task = core.quick_task(dsl.task, specs, defined, by_name, task_meta)

-- What fn() defines is none of this workflow's tasks: another one is read.
function dsl.apart(fn)
	local list, names = table.move(defined, 1, #defined, 1, {}), {}
	local function empty()
		for i = #defined, 1, -1 do
			defined[i] = nil
		end
		for name in pairs(by_name) do
			by_name[name] = nil
		end
	end
	for name, object in pairs(by_name) do
		names[name] = object
	end
	empty()
	local results = table.pack(fn())
	empty()
	table.move(list, 1, #list, 1, defined)
	for name, object in pairs(names) do
		by_name[name] = object
	end
	return table.unpack(results, 1, results.n)
end

return dsl
