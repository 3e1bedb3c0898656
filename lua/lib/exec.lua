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
	success = function(raw) return raw.exit_code == 0 end,
	ok = function(raw) return raw.exit_code == 0 end,
	failed = function(raw) return raw.exit_code ~= 0 end,
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

local function check_words(options)
	for key in pairs(options) do
		local known = false
		for _, word in ipairs(words) do
			known = known or key == word
		end
		if not known then
			local near = core.nearest(tostring(key), words)
			core.fail("exec.run has no option '" .. tostring(key) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
				" (its options: " .. table.concat(words, ", ") .. ")")
		end
	end
end

local function duration(options, name)
	if options[name] == nil then
		return nil
	end
	local ms = core.duration(options[name])
	if not ms then
		core.fail("exec.run: '" .. name .. "' must be a duration")
	end
	return ms
end

local function env_list(env)
	if env == nil then
		return nil
	elseif type(env) ~= "table" then
		core.fail("exec.run: 'env' must be a table of names and values")
	end
	local list = {}
	for name, value in pairs(env) do
		if type(name) ~= "string" or name == "" or name:find("=", 1, true) or type(value) == "table" or type(value) == "function" then
			core.fail("exec.run: 'env' must be a table of names and values")
		end
		list[#list + 1] = name .. "=" .. tostring(value)
	end
	return list
end

local function text_of(options, name)
	local value = options[name]
	if value ~= nil and type(value) ~= "string" and type(value) ~= "number" and getmetatable(value) == nil then
		core.fail("exec.run: '" .. name .. "' must be a string, not a " .. type(value))
	end
	return value ~= nil and tostring(value) or nil
end

-- A command as text, or as a list of words, for which nobody needs quotes.
local function request(command, options)
	if type(command) == "table" and (command.command or command.cmd) then
		command, options = command.command or command.cmd, command
	end
	options = options or {}
	if type(options) ~= "table" then
		core.fail("exec.run: its options must be a table, not a " .. type(options))
	end
	check_words(options)
	local raw = {
		workdir = text_of(options, "workdir") or text_of(options, "cwd"),
		env = env_list(options.env),
		stdin = text_of(options, "stdin"),
		user = text_of(options, "user"),
		timeout_ms = duration(options, "timeout"),
		grace_ms = duration(options, "grace"),
		quiet = options.stream == false,
		capture = true,
	}
	if type(command) == "table" and #command > 0 then
		raw.arguments = {}
		for i, word in ipairs(command) do
			raw.arguments[i] = tostring(word)
		end
	elseif type(command) == "string" and command ~= "" then
		raw.command = command
	else
		core.fail("exec.run: the command must be a string or a list of words")
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

-- exec.run(command [, options]) → result, error text or nil, failed
function exec.run(command, options)
	local wanted, opts = request(command, options)
	local raw = setmetatable(core.exec(wanted), meta)
	if raw.truncated then
		core.log("exec.run: more than 16 MiB of output; the result holds the first part\n")
	end
	local failed = raw.exit_code ~= 0
	if not failed then
		return raw, nil, false
	end
	local err = describe(raw)
	if opts.check then
		local text = core.where() .. ": " .. (wanted.command or wanted.arguments[1]) .. ": " .. err
		core.error(setmetatable({ message = text, exit_code = raw.exit_code }, { __tostring = function() return text end }), 0)
	end
	return raw, err, true
end

-- exec.sh(command [, options]) → ok, output
function exec.sh(command, options)
	local raw = core.exec((request(command, options)))
	return raw.exit_code == 0, raw.stdout .. raw.stderr
end

return exec
