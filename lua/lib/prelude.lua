-- SPDX-License-Identifier: MIT
-- The globals of a workflow, beside Lua's own (vm.c) and the modules (module.c).
local core = ...
local prelude = {}

error, assert, coroutine = core.error, core.assert, core.coroutine

function print(...)
	local words = table.pack(...)
	for i = 1, words.n do
		words[i] = tostring(words[i])
	end
	core.log(table.concat(words, "\t") .. "\n")
	core.log_room()
end

function collectgarbage(what)
	if what ~= "count" then
		core.fail('collectgarbage("count") is the only one that workflows may ask for')
	end
	return core.memory()
end

-- Text only: bytecode can break out of any sandbox.
function load(chunk, name, mode, ...)
	if type(chunk) == "function" then
		local parts = {}
		for part in chunk do
			if part == "" then
				break
			end
			parts[#parts + 1] = part
		end
		chunk = table.concat(parts)
	end
	if mode == "b" then
		return nil, "only text can be loaded"
	end
	return core.load(chunk, name or "=(load)", ...)
end

-- Modules of this program are globals; everything else that has a name is a file of the user's.
function require(name)
	local module = _G[name]
	if module == nil or core.library("absent").is(module) then
		return core.library("import").module(name)
	end
	return module
end

function import(path)
	return core.library("import").import(path)
end

function export(outputs)
	return core.library("older").export(outputs)
end

function parallel(tasks)
	return core.library("older").parallel(tasks)
end

-- Called when the library has globals of its own (lua/sandbox.h). What math and io have beyond is compiled when one of it
-- is first named.
function prelude.sealed()
	core.lua_math = math
	setmetatable(_G.io, { __metatable = false, __index = function(_, name) return core.library("standard")[name] end })
	setmetatable(_G.math, { __metatable = false, __index = function(_, name) return core.library("math")[name] end })
end

local function nap(seconds)
	if type(seconds) == "string" then
		local ms = core.duration(seconds)
		if not ms then
			core.fail("sleep: '" .. seconds .. "' is not a duration")
		end
		return core.sleep(ms)
	end
	if type(seconds) ~= "number" then
		core.fail("sleep: the seconds must be a number, not " .. type(seconds))
	end
	core.sleep(seconds * 1000)
end
sleep = nap

-- values: one table for the whole run, callable with defaults.
local content = {}
local function merge(defaults, over)
	local result = {}
	for key, value in pairs(defaults) do
		result[key] = value
	end
	for key, value in pairs(over) do
		if type(value) == "table" and type(result[key]) == "table" and #value == 0 and #result[key] == 0 then
			value = merge(result[key], value)
		end
		result[key] = value
	end
	return result
end
values = setmetatable(content, {
	__call = function(self, defaults)
		if defaults == nil then
			return self
		elseif type(defaults) ~= "table" then
			core.fail("values: the defaults must be a table, not " .. type(defaults))
		end
		return merge(defaults, self)
	end,
})
Values = values

function prelude.set_values(new)
	for key in pairs(content) do
		content[key] = nil
	end
	for key, value in pairs(new or {}) do
		content[key] = value
	end
end

-- this.name and this.agent are strings that can also be called.
core.protect_strings(function(text, ...)
	if (text == core.task() or text == "local") and select("#", ...) <= 1 then
		return text
	end
	core.fail("attempt to call a string value")
end)

-- What acts waits until the workflow is loaded.
local function acting(name, fn)
	return function(...)
		core.acts(name)
		return fn(...)
	end
end
os.getenv, os.setenv = core.getenv, core.setenv
os.remove, os.rename = acting("os.remove", os.remove), acting("os.rename", os.rename)
os.tmpname = acting("os.tmpname", os.tmpname)

function os.execute(command)
	if command == nil then
		return true
	end
	core.acts("os.execute")
	if type(command) ~= "string" then
		core.fail("os.execute: the command must be a string, not " .. type(command))
	elseif command:find("\0", 1, true) then
		core.fail("os.execute: the command has a NUL byte in it")
	end
	local result = core.exec({ command = command })
	if result.signal then
		return nil, "signal", result.signal
	end
	return result.exit_code == 0 or nil, "exit", result.exit_code
end

function io.popen(command, mode)
	core.acts("io.popen")
	return core.library("process").popen(command, mode)
end

local type_of = io.type
function io.type(value)
	return type_of(value) or type(value) == "table" and (core.library("process").file_type(value) or core.library("standard").file_type(value)) or nil
end

function os.exit(code)
	core.error(core.library("task").leave(code))
end

-- A file that the task has until its try ends. Of files that nobody has any more Lua knows nothing before it collects them.
local TOO_MANY = 24
local function opened(fn, ...)
	local file, message, code = fn(...)
	if code == TOO_MANY then
		core.collect()
		file, message, code = fn(...)
	end
	if file then
		core.library("held").file(file)
	end
	return file, message, code
end

local open = io.open
function io.open(path, mode)
	if mode and mode:find("[wa+]") then
		core.acts("io.open for writing")
	end
	return opened(open, path, mode)
end

local tmpfile = io.tmpfile
io.tmpfile = acting("io.tmpfile", function()
	return opened(tmpfile)
end)

-- Without a path: what the task reads from (lib/standard.lua).
local lines_of = io.lines
function io.lines(path, ...)
	if path == nil then
		return core.library("standard").lines(...)
	end
	if type(path) ~= "string" then
		return lines_of(path, ...)
	end
	local ok, line, state, control, file = pcall(lines_of, path, ...)
	if not ok then
		core.fail(line)
	end
	core.library("held").file(file)
	return line, state, control, file
end

task, workflow = core.library("dsl").task, core.library("flow").workflow

return prelude
