-- SPDX-License-Identifier: MIT
-- template: texts with variables, in the language of Go's text/template that Sloth Runner's users write. A template reaches its variables
-- and its functions, nothing else.
local core = ...
local arguments = core.library("arguments")
local parse = core.library("template_parse")
local functions = core.library("template_functions")
local template = {}

local MOST = 16 << 20 -- bytes of output
local STEPS = 100000 -- of all loops together
local fail, truth, text = parse.fail, functions.truth, functions.text

local function function_names()
	local names = {}
	for name in pairs(functions.all) do
		names[#names + 1] = name
	end
	return names
end

local function get(state, of, name, line)
	local value
	if type(of) == "table" then
		value = of[name]
		if value == core.null then
			value = nil
		end
	end
	if value == nil and state.strict then
		fail(line, "there is no '" .. name .. "'")
	end
	return value
end

local evaluate

local function lookup(scope, name)
	while scope do
		if scope[name] ~= nil then
			return scope[name], scope
		end
		scope = scope.outer
	end
end

local function call(state, scope, line, name, args)
	local fn = functions.all[name]
	if fn then
		local ok, result = pcall(fn, table.unpack(args, 1, args.n))
		if ok then
			return result
		end
		fail(line, type(result) == "table" and result.template or name .. ": these arguments don't fit")
	end
	-- {{ name }}: as other languages write it.
	local root = scope.root
	if args.n == 0 and type(root) == "table" and root[name] ~= nil then
		return root[name]
	end
	local near = core.nearest(name, function_names())
	fail(line, "there is no function '" .. name .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") .. " (a variable is written ." .. name .. ")")
end

local operands = {}
function operands.value(_, _, node) return node.value end
function operands.dot(_, scope) return scope.dot end
function operands.get(state, scope, node, line)
	return get(state, operands[node.of.kind](state, scope, node.of, line), node.name, line)
end
operands["function"] = function(state, scope, node, line) return call(state, scope, line, node.name, { n = 0 }) end
function operands.pipeline(state, scope, node) return evaluate(state, scope, node.commands) end
function operands.variable(_, scope, node, line)
	if node.name == "$" then
		return scope.root
	end
	local box = lookup(scope.variables, node.name)
	if not box then
		fail(line, "there is no variable '" .. node.name .. "'")
	end
	return box.value
end

-- `default` and its like are asked for what may be missing, also where that is an error else.
local forgiving = { default = true, coalesce = true, empty = true, required = true, ternary = true, ["or"] = true, ["and"] = true, ["not"] = true }

local function run_command(state, scope, command, has_input, input)
	local first = command[1]
	local args = { n = #command - 1 }
	for i = 2, #command do
		args[i - 1] = operands[command[i].kind](state, scope, command[i], command.line)
	end
	if has_input then
		args.n = args.n + 1
		args[args.n] = input
	end
	if first.kind == "function" then
		return call(state, scope, command.line, first.name, args)
	elseif args.n > 0 then
		fail(command.line, "only functions take arguments")
	end
	return operands[first.kind](state, scope, first, command.line)
end

function evaluate(state, scope, commands)
	local strict = state.strict
	for _, command in ipairs(commands) do
		if command[1].kind == "function" and forgiving[command[1].name] then
			state.strict = false
		end
	end
	local value
	for i, command in ipairs(commands) do
		value = run_command(state, scope, command, i > 1, value)
	end
	state.strict = strict
	return value
end

local function inner(scope, dot)
	return { dot = dot, root = scope.root, variables = { outer = scope.variables } }
end

local function emit(state, piece)
	state.size = state.size + #piece
	if state.size > MOST then
		fail(state.line, "the result is larger than 16 MiB")
	end
	state.out[#state.out + 1] = piece
end

local run
local nodes = {}

function nodes.text(state, _, node)
	emit(state, node.text)
end

function nodes.print(state, scope, node)
	state.line = node.line
	emit(state, text(evaluate(state, scope, node.commands)))
end

function nodes.let(state, scope, node)
	local value = evaluate(state, scope, node.commands)
	local name = node.names[1]
	if not node.set then
		scope.variables[name] = { value = value }
		return
	end
	local box = lookup(scope.variables, name)
	if not box then
		fail(node.line, "there is no variable '" .. name .. "' ('" .. name .. " := …' makes one)")
	end
	box.value = value
end

nodes["break"] = function() return "break" end
nodes["continue"] = function() return "continue" end

-- The subject's value, in a scope that has its variable.
local function subject(state, scope, node)
	local own = inner(scope, scope.dot)
	local value = evaluate(state, own, node.subject.commands)
	if node.subject.names[1] then
		own.variables[node.subject.names[1]] = { value = value }
	end
	return value, own
end

nodes["if"] = function(state, scope, node)
	local strict = state.strict
	state.strict = false -- that something is missing is what it asks
	local value, own = subject(state, scope, node)
	state.strict = strict
	if truth(value) then
		return run(state, own, node.body)
	elseif node.other then
		return run(state, own, node.other)
	end
end

nodes["with"] = function(state, scope, node)
	local strict = state.strict
	state.strict = false
	local value, own = subject(state, scope, node)
	state.strict = strict
	if truth(value) then
		own.dot = value
		return run(state, own, node.body)
	elseif node.other then
		return run(state, own, node.other)
	end
end

-- Keys and values in order: lists from 0, other tables by name, a number as 0 … n - 1.
local function entries(value, line)
	local list = {}
	if math.type(value) == "integer" then
		if value > STEPS then
			fail(line, "more than " .. STEPS .. " times")
		end
		for i = 0, value - 1 do
			list[#list + 1] = { i, i }
		end
	elseif type(value) == "table" and #value > 0 then
		for i, item in ipairs(value) do
			list[i] = { i - 1, item }
		end
	elseif type(value) == "table" then
		for _, key in ipairs(functions.all.keys(value)) do
			list[#list + 1] = { key, value[key] }
		end
	elseif value ~= nil then
		fail(line, "range goes over lists, tables and numbers, not over a " .. type(value))
	end
	return list
end

function nodes.range(state, scope, node)
	local list = entries(evaluate(state, scope, node.subject.commands), node.line)
	local names = node.subject.names
	if #list == 0 and node.other then
		return run(state, inner(scope, scope.dot), node.other)
	end
	for _, entry in ipairs(list) do
		state.steps = state.steps + 1
		if state.steps > STEPS then
			fail(node.line, "the loops of this template take more than " .. STEPS .. " steps")
		end
		local own = inner(scope, entry[2])
		if #names == 2 then
			own.variables[names[1]] = { value = entry[1] }
		end
		if #names > 0 then
			own.variables[names[#names]] = { value = entry[2] }
		end
		if run(state, own, node.body) == "break" then
			break
		end
	end
end

-- "break" or "continue", when one was met.
function run(state, scope, list)
	for _, node in ipairs(list) do
		local jump = nodes[node.kind](state, scope, node)
		if jump then
			return jump
		end
	end
end

-- The text, or nil and a message with the line.
local function apply(source, vars, name, strict)
	local state = { out = {}, size = 0, steps = 0, line = 1, strict = strict }
	local ok, problem = pcall(function()
		run(state, { dot = vars, root = vars, variables = {} }, parse.text(source))
	end)
	if ok then
		return table.concat(state.out)
	elseif type(problem) ~= "table" or not problem.template then
		error(problem, 0)
	end
	return nil, name .. ":" .. tostring(problem.line or state.line) .. ": " .. problem.template
end

local function from_file(path, vars, strict)
	path = core.path(path)
	local source, text_of = core.read(path)
	if not source then
		return nil, text_of
	end
	return apply(source, vars, path, strict)
end
local names = { "text", "vars", "strict", "file" }
local kinds = { text = "string?", vars = "table?", strict = "boolean?", file = "string?" }

-- render(text, vars [, strict]), render({ file = … }, vars), render{ text | file, vars, strict }
function template.render(first, ...)
	local args
	if type(first) == "table" and getmetatable(first) == nil and select("#", ...) > 0 then
		args = arguments.read("template.render", names, kinds, first)
		args.vars, args.strict = ...
		args = arguments.read("template.render", names, kinds, args)
	else
		args = arguments.read("template.render", names, kinds, first, ...)
	end
	if (args.text == nil) == (args.file == nil) then
		core.fail("template.render: either 'text' or 'file' is needed")
	elseif args.file then
		return from_file(args.file, args.vars or {}, args.strict)
	end
	return apply(args.text, args.vars or {}, "template", args.strict)
end

-- render_file(path, vars [, strict])
function template.render_file(...)
	local args = arguments.read("template.render_file", { "path", "vars", "strict" }, { path = "string", vars = "table?", strict = "boolean?" }, ...)
	return from_file(args.path, args.vars or {}, args.strict)
end

return template
