-- SPDX-License-Identifier: MIT
-- Commands that go on while the workflow talks with them: exec.spawn's handles, io.popen's files.
local core = ...
local process = {}

local HOLD = 16 * 1024 * 1024 -- bytes of output that wait for a reader of a handle
local HOLD_FILE = 1024 * 1024 -- … of a file of io.popen

-- Reading: what has come and was not read yet stands in `text` from `at` on.
local function reader(raw, stream)
	return { raw = raw, stream = stream, text = "", at = 1 }
end

-- More text; false at the end.
local function fill(r)
	while not r.ended do
		local more = core.process_take(r.raw, r.stream)
		if more then
			r.text = r.at > #r.text and more or r.text:sub(r.at) .. more
			r.at = 1
			return true
		elseif more == nil then
			r.ended = true
		else
			core.process_pause(r.raw)
		end
	end
	return false
end

local function rest(r)
	local text = r.text:sub(r.at)
	r.text, r.at = "", 1
	return text
end

-- Long lines come in many parts: each is copied once.
local function read_line(r, keeps_end)
	local parts = {}
	repeat
		local stop = r.text:find("\n", r.at, true)
		if stop then
			parts[#parts + 1] = r.text:sub(r.at, keeps_end and stop or stop - 1)
			r.at = stop + 1
			return table.concat(parts)
		end
		parts[#parts + 1] = rest(r)
	until not fill(r)
	local line = table.concat(parts)
	return line ~= "" and line or nil
end

local function read_all(r)
	local parts = { rest(r) }
	while fill(r) do
		parts[#parts + 1] = rest(r)
	end
	return table.concat(parts)
end

local function read_bytes(r, count)
	if count == 0 then
		return (r.at <= #r.text or fill(r)) and "" or nil
	end
	local parts, have = {}, 0
	repeat
		local part = r.text:sub(r.at, r.at + count - have - 1)
		r.at = r.at + #part
		parts[#parts + 1], have = part, have + #part
	until have == count or not fill(r)
	return have > 0 and table.concat(parts) or nil
end

local function read_number(r)
	repeat
		r.at = r.text:find("%S", r.at) or #r.text + 1
	until r.at <= #r.text or not fill(r)
	local parts = ""
	repeat
		local part = r.text:match("^[%+%-%w%.]+", r.at) or ""
		parts, r.at = parts .. part, r.at + #part
	until #parts > 200 or r.at <= #r.text or not fill(r)
	return tonumber(parts)
end

local formats = {
	l = function(r) return read_line(r, false) end,
	L = function(r) return read_line(r, true) end,
	a = read_all,
	n = read_number,
}

local function read_one(fn, r, format)
	if math.type(format) == "integer" and format >= 0 then
		return read_bytes(r, format)
	end
	local read = type(format) == "string" and formats[format:gsub("^%*", ""):sub(1, 1)]
	if not read then
		core.fail(fn .. ": the format must be 'l', 'L', 'a', 'n' or a number of bytes, not " .. tostring(format))
	end
	return read(r)
end

local function read_each(fn, r, ...)
	if select("#", ...) == 0 then
		return read_line(r, false)
	end
	local results, count = {}, select("#", ...)
	for i = 1, count do
		results[i] = read_one(fn, r, (select(i, ...)))
		if results[i] == nil then
			return table.unpack(results, 1, i)
		end
	end
	return table.unpack(results, 1, count)
end

-- Writing: true, or nil, a message and a number, as Lua's own files say it.
local function write_each(fn, raw, ...)
	for i = 1, select("#", ...) do
		local text = select(i, ...)
		if type(text) ~= "string" and type(text) ~= "number" and getmetatable(text) ~= false then
			core.fail(fn .. ": a string is expected, not a " .. type(text))
		end
		local done = core.process_put(raw, tostring(text))
		while done == false do
			core.process_pause(raw)
			done = core.process_put(raw, tostring(text))
		end
		if not done then
			return nil, "Broken pipe", 32
		end
	end
	return true
end

-- The raw result; nil when it still runs after so many milliseconds.
local function wait_for(raw, ms)
	local stop = ms and core.now() + ms
	local result = core.process_result(raw)
	while not result do
		local left = stop and stop - core.now()
		if left and left <= 0 then
			return nil
		end
		core.process_pause(raw, left)
		result = core.process_result(raw)
	end
	return result
end

local function method_index(what, methods)
	local known = {}
	for name in pairs(methods) do
		known[#known + 1] = name
	end
	table.sort(known)
	return function(_, key)
		local method = methods[key]
		if not method then
			local near = type(key) == "string" and core.nearest(key, known)
			core.fail(what .. " has no '" .. tostring(key) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
				" (it has: " .. table.concat(known, ", ") .. ")")
		end
		return method
	end
end

-- Handles of exec.spawn. What they are made of is kept apart from what the workflow sees.
local inside = setmetatable({}, { __mode = "k" })

local function of(handle, fn)
	return inside[handle] or core.fail("call it as a method: handle:" .. fn .. "(…)")
end

local handle_methods = {}

function handle_methods.is_running(handle)
	return core.process_result(of(handle, "is_running").raw) == nil
end

function handle_methods.wait(handle, timeout)
	local self = of(handle, "wait")
	local ms
	if timeout ~= nil then
		ms = core.duration(timeout) or core.fail("wait: the time must be a duration")
	else
		core.process_drain(self.raw)
	end
	local result = wait_for(self.raw, ms)
	if not result then
		return nil, "it still runs"
	end
	if not self.result then
		-- What was read is not in it.
		result.stdout = rest(self.out) .. result.stdout
		result.stderr = rest(self.err) .. result.stderr
		self.result = table.pack(self.finish(result))
	end
	return table.unpack(self.result, 1, self.result.n)
end

function handle_methods.kill(handle, signal)
	local number = core.signal_number(signal == nil and "TERM" or signal)
	if not number then
		core.fail("kill: there is no signal '" .. tostring(signal) .. "'")
	end
	return core.process_signal(of(handle, "kill").raw, number)
end

function handle_methods.write(handle, ...)
	local ok, message, number = write_each("write", of(handle, "write").raw, ...)
	if not ok then
		return nil, message, number
	end
	return handle
end

function handle_methods.close_stdin(handle)
	core.process_end_input(of(handle, "close_stdin").raw)
	return true
end

function handle_methods.read(handle, ...)
	return read_each("read", of(handle, "read").out, ...)
end

function handle_methods.read_stderr(handle, ...)
	return read_each("read_stderr", of(handle, "read_stderr").err, ...)
end

function handle_methods.lines(handle, ...)
	local r = of(handle, "lines").out
	local wanted = table.pack(...)
	return function()
		return read_each("lines", r, table.unpack(wanted, 1, wanted.n))
	end
end

local handle_meta = { __index = method_index("a process", handle_methods), __name = "process", __metatable = false }

function handle_meta:__tostring()
	return "process " .. self.pid
end

-- `wanted`: a request of exec.lua's. `finish` makes its three results of a raw one.
function process.spawn(wanted, finish)
	wanted.hold, wanted.talk = HOLD, true
	local raw, message, code = core.process_start(wanted)
	if not raw then
		return nil, message, code
	end
	local handle = setmetatable({ pid = core.process_pid(raw) }, handle_meta)
	inside[handle] = { raw = raw, finish = finish, out = reader(raw, "out"), err = reader(raw, "err") }
	return handle
end

-- Files of io.popen.
local file_methods = {}

local function open_file(file)
	local self = inside[file]
	if not self then
		core.fail("a file is expected: call it as a method")
	elseif self.closed then
		core.fail("attempt to use a closed file")
	end
	return self
end

function file_methods.read(file, ...)
	local self = open_file(file)
	if not self.out then
		return nil, "Bad file descriptor", 9
	end
	return read_each("read", self.out, ...)
end

function file_methods.lines(file, ...)
	local self = open_file(file)
	local wanted = table.pack(...)
	return function()
		open_file(file)
		return self.out and read_each("lines", self.out, table.unpack(wanted, 1, wanted.n))
	end
end

function file_methods.write(file, ...)
	local self = open_file(file)
	if self.out then
		return nil, "Bad file descriptor", 9
	end
	local ok, message, number = write_each("write", self.raw, ...)
	if not ok then
		return nil, message, number
	end
	return file
end

function file_methods.flush(file)
	open_file(file)
	return file
end

function file_methods.setvbuf(file)
	open_file(file)
	return true
end

function file_methods.seek(file)
	open_file(file)
	return nil, "Illegal seek", 29
end

-- true or nil, "exit" or "signal", the number
function file_methods.close(file)
	local self = open_file(file)
	self.closed = true
	core.process_end_input(self.raw)
	if self.out then
		core.process_discard(self.raw)
	end
	local result = wait_for(self.raw)
	if result.signal then
		return nil, "signal", result.signal
	end
	return result.exit_code == 0 or nil, "exit", result.exit_code
end

local file_meta = { __index = method_index("a file", file_methods), __name = "FILE*", __metatable = false }

function file_meta:__tostring()
	return inside[self].closed and "file (closed)" or "file (" .. inside[self].command .. ")"
end

function file_meta:__close()
	if not inside[self].closed then
		file_methods.close(self)
	end
end

-- As in Lua: through the shell, "r" reads its output, "w" writes its input. What is not read or written so goes to
-- the log.
function process.popen(command, mode)
	if type(command) ~= "string" then
		core.fail("io.popen: the command must be a string, not " .. type(command))
	elseif command:find("\0", 1, true) then
		core.fail("io.popen: the command has a NUL byte in it")
	elseif mode ~= nil and mode ~= "r" and mode ~= "w" then
		core.fail("io.popen: the mode must be 'r' or 'w', not " .. tostring(mode))
	end
	local writes = mode == "w"
	local raw, message, code = core.process_start({
		command = command, talk = writes, capture = not writes, hush_out = not writes, hold = not writes and HOLD_FILE or 0,
	})
	if not raw then
		return nil, message, code
	end
	local file = setmetatable({}, file_meta)
	inside[file] = { raw = raw, command = command, out = not writes and reader(raw, "out") or nil }
	return file
end

-- "file", "closed file", or nil: none of ours.
function process.file_type(value)
	local self = type(value) == "table" and inside[value]
	if self and getmetatable(value) == false and self.command then
		return self.closed and "closed file" or "file"
	end
end

return process
