-- SPDX-License-Identifier: MIT
-- Lua's standard files. What is written to standard output and to standard error goes into the log; nothing stands at
-- standard input. Each task has a default input and output of its own.
local core = ...
local held = core.library("held")
local standard = {}

local function words_of(fn, ...)
	local words = table.pack(...)
	for i = 1, words.n do
		local word = words[i]
		if type(word) == "table" and getmetatable(word) == false then
			word = tostring(word) -- the output of a command
		elseif type(word) ~= "string" and type(word) ~= "number" then
			core.fail(fn .. ": what is written must be a string or a number, not " .. type(word))
		end
		words[i] = word
	end
	return table.concat(words, "", 1, words.n)
end

-- A file that is the log.
local methods = {}

function methods:write(...)
	core.log(words_of("write", ...))
	core.log_room()
	return self
end

function methods:flush()
	return self
end

function methods.setvbuf()
	return true
end

function methods.seek()
	return nil, "Illegal seek", 29
end

function methods.read()
	return nil, "Bad file descriptor", 9
end

function methods.close()
	return nil, "cannot close standard file"
end

local function log_file(name)
	local list = { "write", "flush", "setvbuf", "seek", "read", "close" }
	return setmetatable({}, {
		__index = function(_, key)
			return methods[key] or core.fail(name .. " has no method '" .. tostring(key) .. "' (" .. table.concat(list, ", ") .. ")")
		end,
		__tostring = function() return "file (" .. name .. ")" end,
		__name = "FILE*", __metatable = false,
	})
end

standard.stdout, standard.stderr = log_file("io.stdout"), log_file("io.stderr")

function standard.file_type(value)
	return (rawequal(value, standard.stdout) or rawequal(value, standard.stderr)) and "file" or nil
end

-- io.input and io.output: (), (path) or (file).
local function choose(chosen, otherwise, mode, what)
	return function(file)
		local mine = held.files()
		if type(file) == "string" then
			local opened, problem = io.open(file, mode)
			file = opened or core.fail(problem)
		elseif file ~= nil and not io.type(file) then
			core.fail(what .. ": a path or a file is expected, not a " .. type(file))
		end
		mine[chosen] = file or mine[chosen]
		return mine[chosen] or otherwise
	end
end

standard.input = choose("input", io.stdin, "r", "io.input")
standard.output = choose("output", standard.stdout, "w", "io.output")

function standard.read(...)
	return standard.input():read(...)
end

function standard.lines(...)
	return standard.input():lines(...)
end

function standard.write(...)
	local file, text = standard.output(), words_of("io.write", ...)
	return file:write(text)
end

function standard.close(file)
	return (file or standard.output()):close()
end

return standard
