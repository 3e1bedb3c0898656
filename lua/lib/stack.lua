-- SPDX-License-Identifier: MIT
-- stack: the run's stack, its outputs, and those of others: stack("network"):output("vpc_id").
local core = ...
local arguments = core.library("arguments")
local stack = {}

local function ask(fn, args, name)
	local value, text = core.call(fn, args)
	if text then
		core.fail((name or fn) .. ": " .. text, true)
	end
	return value
end

-- What is asked for may not be there, or not be for this run's submitter: nil, and the sentence.
local function look(fn, args)
	local value, text = core.call(fn, args)
	if text then
		return nil, text
	end
	return value
end

local function look_for_output(args, where)
	local value, text = look("stack.get_output", args)
	if value == nil and not text then
		text = where .. " has no output '" .. tostring(args.name) .. "'"
	end
	return value, text
end

-- What an earlier run changed of the stack itself becomes what it was before that run: the stack's version then.
function stack.undo_run(run, options)
	local args = arguments.read("stack.undo_run", { "force" }, { force = "boolean?" }, options or {})
	core.acts("stack.undo_run")
	if math.type(run) ~= "integer" then
		core.fail("stack.undo_run takes the number of a run")
	end
	local answer, text = core.call("run.take_back", { run = run, force = args.force })
	local result = core.library("result")
	if not answer then
		return result.bad(text)
	end
	core.library("images").settle()
	return result.good(answer.changes > 0, answer.changes > 0 and "the stack is as before run " .. run .. ", as v" .. answer.version
		or "run " .. run .. " has changed nothing of the stack that is not as before", { version = answer.version })
end

function stack.get_name()
	return core.run().stack
end

function stack.get_id()
	return ask("stack.info", {}).id
end

function stack.get_status()
	return ask("stack.info", {}).status
end

local function sensitive(options)
	if options == nil then
		return false
	elseif type(options) ~= "table" then
		core.fail("stack.set_output: the options must be a table, not a " .. type(options))
	end
	for key, value in pairs(options) do
		if key ~= "sensitive" then
			core.fail("stack.set_output: there is no option '" .. tostring(key) .. "': it takes 'sensitive'")
		elseif type(value) ~= "boolean" then
			core.fail("stack.set_output: 'sensitive' must be true or false")
		end
	end
	return options.sensitive == true
end

local function check_name(fn, name)
	if type(name) ~= "string" then
		core.fail(fn .. ": the name must be a string, not a " .. type(name))
	end
	return name
end

function stack.set_output(name, value, options)
	if value == nil and check_name("stack.set_output", name) then
		core.fail("stack.set_output: the value of '" .. name .. "' is nil")
	end
	return ask("stack.set_output", { name = check_name("stack.set_output", name), value = value, sensitive = sensitive(options) or nil })
end

function stack.get_output(name)
	if name == nil then
		return look("stack.get_output", {})
	end
	return look_for_output({ name = check_name("stack.get_output", name) }, "the stack")
end

local draft_names = { "type", "name", "module", "properties", "dependencies", "protect", "status", "error", "actual", "applied",
	"sensitive" }
local draft_kinds = {
	type = "string",
	name = "string",
	module = "string?",
	properties = "table?",
	dependencies = "table?",
	protect = "boolean?",
	status = "string?",
	error = "string?",
	actual = "table?",
	applied = "table?",
	sensitive = "any?",
}

local function draft(fn, ...)
	local args = arguments.read(fn, draft_names, draft_kinds, ...)
	args.sensitive = type(args.sensitive) == "string" and { args.sensitive } or args.sensitive
	if args.sensitive ~= nil and type(args.sensitive) ~= "table" then
		core.fail(fn .. ": 'sensitive' is a list of properties")
	end
	args.sensitive = args.sensitive and core.mark_list(args.sensitive)
	args.intact = true
	return args
end

-- "created", "changed" or "unchanged", and the resource as it is now.
function stack.register_resource(...)
	local fn = "stack.register_resource"
	local answer = ask("resource.register", draft(fn, ...), fn)
	return answer.result, answer.resource
end

-- (type, name, { what changes }), or all in one table.
function stack.update_resource(first, name, changes, ...)
	local fn = "stack.update_resource"
	local args = first
	if type(first) ~= "table" then
		args = { type = first, name = name }
		if type(changes) ~= "table" or select("#", ...) > 0 then
			core.fail(fn .. " takes a type, a name and a table of what changes")
		end
		for key, value in pairs(changes) do
			args[key] = value
		end
	end
	local answer = ask("resource.update", draft(fn, args), fn)
	return answer.result, answer.resource
end

local names, name_kinds = { "type", "name" }, { type = "string", name = "string" }

-- The resource, or nil.
function stack.get_resource(...)
	return look("resource.get", arguments.read("stack.get_resource", names, name_kinds, ...))
end

function stack.resource_exists(...)
	return ask("resource.exists", arguments.read("stack.resource_exists", names, name_kinds, ...), "stack.resource_exists")
end

-- Whether there was one.
function stack.delete_resource(...)
	return ask("resource.delete", arguments.read("stack.delete_resource", names, name_kinds, ...), "stack.delete_resource")
end

local list_names, list_kinds = { "type", "status" }, { type = "string?", status = "string?" }

-- The daemon gives a long list in pieces.
local function list(args, name)
	local all = core.mark_list({})
	repeat
		args.skip = #all
		local answer = ask("resource.list", args, name)
		table.move(answer.list, 1, #answer.list, #all + 1, all)
	until not answer.more
	return all
end

function stack.list_resources(...)
	return list(arguments.read("stack.list_resources", list_names, list_kinds, ...), "stack.list_resources")
end

local other = {}
other.__index = other

function other:resource(...)
	local args = arguments.read("stack(…):resource", names, name_kinds, ...)
	args.stack = self.name
	return look("resource.get", args)
end

function other:resources(...)
	local args = arguments.read("stack(…):resources", list_names, list_kinds, ...)
	args.stack = self.name
	return list(args)
end

function other:output(name)
	return look_for_output({ stack = self.name, name = check_name("stack(…):output", name) }, "the stack " .. self.name)
end

function other:outputs()
	return look("stack.get_output", { stack = self.name })
end

function other:info()
	return look("stack.info", { stack = self.name })
end

return setmetatable(stack, {
	__call = function(_, name)
		if type(name) ~= "string" then
			core.fail("stack: the name must be a string")
		end
		return setmetatable({ name = name }, other)
	end,
})
