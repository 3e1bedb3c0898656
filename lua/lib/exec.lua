-- SPDX-License-Identifier: MIT
-- exec: commands.
local core = ...
local exec = {}

local words = { "command", "cmd", "workdir", "cwd", "env", "stdin", "timeout", "grace", "check", "stream", "user" }

-- The result behaves as the string stdout, too.
local meta = { __name = "result" }
meta.__value = "stdout"
meta.__metatable = false
local fields = {
	output = function(raw) return raw.stdout .. raw.stderr end,
	code = function(raw) return raw.exit_code end,
	success = function(raw) return raw.exit_code == 0 and not raw.timed_out end,
	ok = function(raw) return raw.exit_code == 0 and not raw.timed_out end,
	failed = function(raw) return raw.exit_code ~= 0 or raw.timed_out end,
}

function meta:__index(key)
	local field = fields[key]
	if field then
		return field(self)
	end
	local method = string[key]
	if method then
		return function(first, ...)
			return method(first == self and rawget(self, "stdout") or first, ...)
		end
	end
end

function meta:__tostring()
	return rawget(self, "stdout")
end

function meta.__concat(a, b)
	return tostring(a) .. tostring(b)
end

function meta:__len()
	return #rawget(self, "stdout")
end

function meta.__eq(a, b)
	return rawget(a, "stdout") == rawget(b, "stdout")
end

local function check_words(fn, options)
	for key in pairs(options) do
		local known = false
		for _, word in ipairs(words) do
			known = known or key == word
		end
		if not known then
			local near = core.nearest(tostring(key), words)
			core.fail(fn .. " has no option '" .. tostring(key) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
				" (its options: " .. table.concat(words, ", ") .. ")")
		end
	end
end

local function duration(fn, options, name)
	if options[name] == nil then
		return nil
	end
	local ms = core.duration(options[name])
	if not ms then
		core.fail(fn .. ": '" .. name .. "' must be a duration")
	end
	return ms
end

-- The kernel ends a text where it has a NUL: what a program is given would be another thing than what stands here.
local function whole(fn, text, what)
	if text:find("\0", 1, true) then
		core.fail(fn .. ": " .. what .. " has a NUL byte in it")
	end
	return text
end

local function env_list(fn, env)
	if env == nil then
		return nil
	elseif type(env) ~= "table" then
		core.fail(fn .. ": 'env' must be a table of names and values")
	end
	local list = {}
	for name, value in pairs(env) do
		if type(name) ~= "string" or name == "" or name:find("=", 1, true) or type(value) == "function" or
			type(value) == "table" and getmetatable(value) ~= false then
			core.fail(fn .. ": 'env' must be a table of names and values")
		end
		list[#list + 1] = whole(fn, name .. "=" .. tostring(value), "'env'")
	end
	return list
end

local function text_of(fn, options, name)
	local value = options[name]
	if value ~= nil and type(value) ~= "string" and type(value) ~= "number" and getmetatable(value) == nil then
		core.fail(fn .. ": '" .. name .. "' must be a string, not a " .. type(value))
	end
	return value ~= nil and tostring(value) or nil
end

local function name_of(fn, options, name)
	local value = text_of(fn, options, name)
	return value and whole(fn, value, "'" .. name .. "'")
end

-- A command as text, or as a list of words, for which nobody needs quotes.
local function request(fn, command, options)
	if type(command) == "table" and getmetatable(command) == nil and (command.command or command.cmd) then
		command, options = command.command or command.cmd, command
	end
	options = options or {}
	if type(options) ~= "table" then
		core.fail(fn .. ": its options must be a table, not a " .. type(options))
	end
	check_words(fn, options)
	local raw = {
		workdir = name_of(fn, options, "workdir") or name_of(fn, options, "cwd"),
		env = env_list(fn, options.env),
		stdin = text_of(fn, options, "stdin"),
		user = name_of(fn, options, "user"),
		timeout_ms = duration(fn, options, "timeout"),
		grace_ms = duration(fn, options, "grace"),
		quiet = options.stream == false,
		capture = true,
	}
	if type(command) == "table" and #command > 0 then
		raw.arguments = {}
		for i, word in ipairs(command) do
			raw.arguments[i] = whole(fn, tostring(word), "a word of the command")
		end
	elseif type(command) == "string" and command ~= "" then
		raw.command = whole(fn, command, "the command")
	else
		core.fail(fn .. ": the command must be a string or a list of words")
	end
	return raw, options
end

local function describe(raw)
	if raw.timed_out then
		return "timed out"
	elseif raw.stderr ~= "" then
		return (raw.stderr:gsub("\n+$", ""))
	elseif raw.signal then
		return "ended by " .. raw.signal_text
	end
	return "exit status " .. raw.exit_code
end

-- The three results of a raw one.
local function finish(raw, wanted, options)
	setmetatable(raw, meta)
	if raw.truncated then
		core.log("exec: more than 16 MiB of output; the result holds the first part\n")
	end
	if raw.exit_code == 0 and not raw.timed_out then
		return raw, nil, false
	end
	local err = describe(raw)
	if options.check then
		local text = core.where() .. ": " .. (wanted.command or wanted.arguments[1]) .. ": " .. err
		core.error(setmetatable({ message = text, exit_code = not raw.signal and raw.exit_code or nil, signal = raw.signal, signal_name = raw.signal_name }, { __tostring = function() return text end }), 0)
	end
	return raw, err, true
end

-- exec.run(command [, options]) → result, error text or nil, failed
function exec.run(command, options)
	local wanted, opts = request("exec.run", command, options)
	return finish(core.exec(wanted), wanted, opts)
end

-- exec.sh(command [, options]) → ok, output
function exec.sh(command, options)
	local raw = core.exec((request("exec.sh", command, options)))
	return raw.exit_code == 0 and not raw.timed_out, raw.stdout .. raw.stderr
end

-- exec.spawn(command [, options]) → a handle; or nil and a message, when it could not be started
function exec.spawn(command, options)
	local wanted, opts = request("exec.spawn", command, options)
	local input = wanted.stdin
	wanted.stdin = nil
	local handle, message = core.library("process").spawn(wanted, function(raw) return finish(raw, wanted, opts) end)
	if handle and input then
		handle:write(input)
		handle:close_stdin()
	end
	return handle, message
end

return exec
