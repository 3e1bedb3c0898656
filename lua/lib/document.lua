-- SPDX-License-Identifier: MIT
-- Workflows in YAML: the same words as in Lua, set by the same functions; messages have the line and column of the word.
local core = ...
local document = {}

local place, dsl, flow = core.library("place"), core.library("dsl"), core.library("flow")

local file -- that is being read

-- A mark is { line, column, marks of what is below }.
local function at(mark)
	place.set(file .. ":" .. mark[1] .. ":" .. mark[2], mark[1])
end

-- The keys of a mapping in the order of the text.
local function in_order(marks)
	local list = {}
	for key in pairs(marks) do
		list[#list + 1] = key
	end
	table.sort(list, function(a, b)
		local x, y = marks[a], marks[b]
		if x[1] ~= y[1] then
			return x[1] < y[1]
		elseif x[2] ~= y[2] then
			return x[2] < y[2]
		end
		return a < b -- both come from one alias
	end)
	return list
end

local function is_map(value)
	return type(value) == "table" and not core.is_list(value)
end

-- What looks like one thing and is another: nothing at all, and numbers that lose their last digits.
local function check_below(owner, value, marks)
	for key, mark in pairs(type(marks) == "table" and type(value) == "table" and marks or {}) do
		if value[key] == nil then
			at(mark)
			place.fail(owner .. ": '" .. key .. '\' has no value; an empty text is ""')
		end
		check_below(owner, value[key], mark[3])
	end
end

local function each(owner, map, marks, set)
	for _, key in ipairs(in_order(marks)) do
		at(marks[key])
		if map[key] == nil then
			place.fail(owner .. ": '" .. key .. "' has no value")
		end
		check_below(owner, map[key], marks[key][3])
		at(marks[key])
		set(key, map[key], marks[key][3])
	end
end

local function refuse_float(owner, key, value)
	if math.type(value) == "float" then
		place.fail(owner .. ": '" .. key .. "' is read as the number " .. value .. "; write it in quotes")
	end
end

-- Scripts that YAML takes for something else: run: true
local scripts = { command = true, run = true, execute = true, shell = true }

local function text_of(key, value)
	return scripts[key] and type(value) ~= "table" and tostring(value) or value
end

local function check_env(owner, env, marks)
	for _, name in ipairs(is_map(env) and in_order(marks) or {}) do
		at(marks[name])
		refuse_float(owner, name, env[name])
	end
end

-- name: { words }, or name: a script
local function read_task(name, words, marks)
	local object = dsl.new_task(name)
	local owner = "task '" .. name .. "'"
	if type(words) ~= "table" then
		dsl.set_task_word(object, "command", tostring(words))
		return object
	elseif not is_map(words) then
		place.fail(owner .. ": its words are expected, like 'run: make'")
	end
	if words.uses ~= nil then
		at(marks.uses)
		dsl.use(object, words.uses)
	end
	each(owner, words, marks, function(key, value, below)
		if key == "env" then
			check_env(owner, value, below)
			at(marks[key])
		end
		if key ~= "name" and key ~= "uses" then
			dsl.set_task_word(object, key, text_of(key, value))
		end
	end)
	return object
end

local function read_tasks(spec, tasks, marks)
	if type(tasks) ~= "table" then
		place.fail("'tasks' must be a mapping of names and words, or a list")
	end
	local objects = {}
	if is_map(tasks) then
		each("tasks", tasks, marks, function(name, words, below)
			objects[#objects + 1] = read_task(name, words, below)
		end)
	else
		for i, words in ipairs(tasks) do
			at(marks[i])
			if not is_map(words) or type(words.name) ~= "string" then
				place.fail("a task in the list of 'tasks' needs a 'name'")
			end
			objects[#objects + 1] = read_task(words.name, words, marks[i][3])
		end
	end
	flow.set_word(spec, "tasks", objects)
end

local readers = {
	name = function() end,
	tasks = read_tasks,
	config = function(spec, config, marks)
		if not is_map(config) then
			place.fail("'config' must be a mapping")
		end
		each("config", config, marks, function(key, value)
			flow.set_config(spec, key, value)
		end)
	end,
}

-- The text has become a value and its marks.
function document.read(name, value, marks)
	file = name
	place.set(file .. ":1:1", 1)
	if not is_map(value) then
		place.fail("a workflow is a mapping with 'name', 'tasks' and such")
	end
	local title = value.name
	if marks.name then
		at(marks.name)
		if type(title) ~= "string" then
			place.fail("'name' must be a text")
		end
	end
	local spec = flow.new(title or file:gsub("%.[^.]*$", ""))
	each("the workflow", value, marks, function(key, content, below)
		local reader = readers[key]
		refuse_float("the workflow", key, content)
		if reader then
			reader(spec, content, below)
		else
			flow.set_word(spec, key, content)
		end
	end)
	place.set()
end

return document
