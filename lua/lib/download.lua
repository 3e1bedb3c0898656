-- SPDX-License-Identifier: MIT
-- A file from the web: it has its name when all of it is there and is what was wanted; before, nothing of the old one is changed.
local core = ...
local requests = core.library("requests")
local url = core.library("url")
local download = {}

local STALL_SECONDS = 30 -- without a byte
local own = { path = true, sha256 = true, mode = true }

local function refuse(fn, name, wanted)
	core.fail(fn .. ": '" .. name .. "' must be " .. wanted)
end

local function mode_of(fn, mode, path)
	if mode == nil then
		return core.file_mode(path)
	end
	local digits = tostring(mode):match("^0?o?([0-7][0-7][0-7][0-7]?)$")
	if not digits then
		refuse(fn, "mode", "permissions, like \"0644\"")
	end
	return tonumber(digits, 8)
end

-- (url, path [, options]), or all in one table → its own options, those of the request.
local function split(fn, first, path, options, ...)
	if select("#", ...) > 0 or options ~= nil and type(options) ~= "table" then
		core.fail(fn .. " takes a URL, a path and a table of options")
	end
	local all = {}
	if type(first) == "table" and getmetatable(first) ~= false then
		for key, value in pairs(first) do
			all[key] = value
		end
	else
		for key, value in pairs(options or {}) do
			all[key] = value
		end
		all.url, all.path = first, path
	end
	local mine, rest = {}, {}
	for key, value in pairs(all) do
		(own[key] and mine or rest)[key] = value
	end
	return mine, rest
end

local function check_own(fn, mine)
	if type(mine.path) ~= "string" or mine.path == "" then
		refuse(fn, "path", "a string: where the file shall be")
	elseif mine.sha256 ~= nil then
		local digits = tostring(mine.sha256):match("^(%x+)%s*$")
		if not digits or #digits ~= 64 then
			refuse(fn, "sha256", "64 hexadecimal digits")
		end
		mine.sha256 = digits:lower()
	end
	mine.path = core.path(mine.path)
	mine.mode = mode_of(fn, mine.mode, mine.path)
end

local meta = { __tostring = function(self) return self.message end, __concat = function(a, b) return tostring(a) .. tostring(b) end }

local function result(fields)
	return setmetatable(fields, meta)
end

local function failure(text, mine)
	return false, text, result({ success = false, changed = false, path = mine.path, message = text })
end

-- The one that is there is what is wanted.
local function is_there(mine)
	if not mine.sha256 or not core.exists(mine.path) then
		return false
	end
	local raw = core.exec({ arguments = { "sha256sum", "--", mine.path }, capture = true, quiet = true })
	return raw.stdout:match("^\\?(%x+)") == mine.sha256
end

-- true, …: the result three times; or false, a message, the result.
function download.fetch(fn, ...)
	local mine, rest = split(fn, ...)
	local request = requests.checked(fn, rest)
	check_own(fn, mine)
	if is_there(mine) then
		local res = result({ success = true, changed = false, path = mine.path, sha256 = mine.sha256,
			message = mine.path .. " is there already" })
		return res, res, res
	end
	local raw, text = requests.send(fn, request, function(wanted)
		wanted.file, wanted.mode, wanted.sha256 = mine.path, mine.mode, mine.sha256
		-- A large file takes its time: what counts is that it goes on.
		wanted.timeout_ms = request.timeout
		wanted.stall_rate, wanted.stall_seconds = 1, STALL_SECONDS
		wanted.max_size = request.max_size
	end)
	if not raw then
		return failure(text, mine)
	elseif raw.status < 200 or raw.status > 299 then
		return failure(("%s: the server answers with status %d"):format(url.told(request.url), raw.status), mine)
	elseif mine.sha256 and raw.sha256 ~= mine.sha256 then
		return failure(("%s: its SHA-256 is %s, not %s: it is not kept"):format(url.told(request.url), raw.sha256, mine.sha256), mine)
	end
	local res = result({ success = true, changed = true, path = mine.path, sha256 = raw.sha256, size = raw.size,
		status_code = raw.status, message = ("%s: %d bytes"):format(mine.path, raw.size) })
	return res, res, res
end

return download
