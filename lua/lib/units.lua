-- SPDX-License-Identifier: MIT
-- Units of systemd: what systemctl(1) says of them and does to them, of this machine or below another root, where it only knows which are
-- enabled; and their files in /etc/systemd/system.
local core = ...
local content = core.library("content")
local in_turn = core.library("in_turn")
local on_disk = core.library("on_disk")
local tool = core.library("tool")
local units = {}

local PLACE = "/etc/systemd/system/"
local KINDS = { service = true, socket = true, timer = true, path = true, mount = true, automount = true, swap = true, target = true, slice = true, scope = true }
local ACTIVE = { active = true, activating = true, reloading = true }
local ENABLED = { enabled = true, ["enabled-runtime"] = true, alias = true }

function units.runs_here()
	return core.exists("/run/systemd/system")
end

-- "nginx" is nginx.service.
function units.full_name(name)
	return KINDS[name:match("%.(%a+)$") or ""] and name or name .. ".service"
end

function units.path(desired)
	return (desired.root or "") .. PLACE .. units.full_name(desired.name)
end

-- systemctl with these words. What it gave; or nil, a message, what it gave.
function units.call(root, ...)
	local words = { "systemctl", "--no-ask-password", "--no-pager", ... }
	if root then
		table.insert(words, 2, "--root=" .. root)
	end
	return tool.run(words, { ok = { [1] = true, [3] = true, [4] = true } })
end

local function failed(raw)
	local said = (raw.stderr ~= "" and raw.stderr or raw.stdout):gsub("%s+$", ""):gsub("\n", "; ")
	if said:find("not been booted with systemd", 1, true) then
		return "systemd does not run here: there is systemctl, and nobody whom it could ask"
	end
	return "systemctl: " .. (said ~= "" and said or "exit status " .. raw.exit_code)
end

-- As systemd allows them; a pattern would be many, a word with a dash before it an option.
local function name_ok(name)
	return name == nil or name:find("^[%w:_.\\@-]+$") ~= nil and #name < 256 or nil, "'" .. tostring(name) .. "' is no name of a unit"
end

-- With a verb, and the name behind all that could be taken for an option.
local function call_of(root, verb, name, ...)
	local ok, message = name_ok(name)
	if not ok then
		return nil, message
	elseif not name then
		return units.call(root, verb, ...)
	end
	local words = { verb, ... }
	words[#words + 1], words[#words + 2] = "--", units.full_name(name)
	return units.call(root, table.unpack(words))
end

-- true, or nil and a message. Where a unit does not start, what the journal has of it.
function units.act(root, verb, name)
	local raw, message = call_of(root, verb, name)
	if raw and raw.exit_code == 0 then
		return true
	end
	return nil, raw and failed(raw) or message
end

-- What systemctl says, for people; or nil and a message.
function units.text_of(...)
	local words = {}
	for i = 1, select("#", ...) do
		words[#words + 1] = (select(i, ...)) or nil
	end
	local raw, message = units.call(nil, table.unpack(words))
	if raw and (raw.exit_code == 0 or raw.stdout ~= "") then
		return raw.stdout
	end
	return nil, raw and failed(raw) or message
end

local SHOWN = "Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,NeedDaemonReload,ActiveEnterTimestampMonotonic,MainPID,Description"

-- Its properties as systemctl names them; or nil and a message.
function units.show(name)
	local raw, message = call_of(nil, "show", name, "--property=" .. SHOWN)
	if not raw or raw.exit_code ~= 0 then
		return nil, raw and failed(raw) or message
	end
	local found = {}
	for key, value in raw.stdout:gmatch("([%w]+)=([^\n]*)") do
		found[key] = value
	end
	return found
end

-- What systemctl is-enabled says; "not-found": there is no such unit; or nil and a message.
function units.enabled_state(root, name)
	local raw, message = call_of(root, "is-enabled", name)
	local word = raw and raw.stdout:match("^%S+")
	if word then
		return word
	elseif raw and raw.stderr:find("No such file", 1, true) then
		return "not-found"
	end
	return nil, raw and failed(raw) or message
end

-- Of services that can be enabled, without ".service"; or nil and a message.
function units.names(desired)
	local raw, message = units.call(desired.root, "list-unit-files", "--type=service", "--no-legend", "--full")
	if not raw or raw.exit_code ~= 0 then
		return nil, raw and failed(raw) or message
	end
	local names = {}
	for name in raw.stdout:gmatch("([^%s]+)%.service%s[^\n]*") do
		names[#names + 1] = not name:find("@$") and name or nil
	end
	return names
end

function units.is_enabled_word(word)
	return ENABLED[word] or false
end

-- Texts of units.

local function quoted(word)
	return '"' .. word:gsub("[\\\"]", "\\%0"):gsub("%%", "%%%%"):gsub("\n", "\\n") .. '"'
end

local function exec_line(command)
	if type(command) == "string" then
		command = { "/bin/sh", "-c", command }
	end
	local words = {}
	for i, word in ipairs(command) do
		words[i] = quoted(word):gsub("%$", "$$")
	end
	return table.concat(words, " ")
end

local function add(lines, key, value)
	for _, one in ipairs(type(value) == "table" and value or { value }) do
		one = tostring(one)
		if one:find("[\n%z]") then
			core.fail("'" .. key .. "' of a unit is one line")
		end
		lines[#lines + 1] = key .. "=" .. one
	end
end

-- { { section, { { key, value or list } … } } … }
function units.text(sections)
	local lines = {}
	for _, section in ipairs(sections) do
		lines[#lines + 1] = (lines[1] and "\n" or "") .. "[" .. section[1] .. "]"
		for _, pair in ipairs(section[2]) do
			if pair[2] ~= nil then
				add(lines, pair[1], pair[2])
			end
		end
	end
	return table.concat(lines, "\n") .. "\n"
end

-- "NAME=value" of each variable, quoted, in their order.
function units.environment(env)
	local list = {}
	for name, value in pairs(env or {}) do
		list[#list + 1] = quoted(name .. "=" .. tostring(value))
	end
	table.sort(list)
	return list
end

local RESTART = { always = "always", ["on-failure"] = "on-failure", never = "no" }

-- For a service that is told of as a supervised one is.
function units.of_service(desired)
	local function seconds(text)
		return text and ("%g"):format(core.duration(text) / 1000) or nil
	end
	return units.text({
		{ "Unit", { { "Description", desired.description or desired.name } } },
		{ "Service", {
			{ "ExecStart", exec_line(desired.command) }, { "WorkingDirectory", desired.workdir }, { "User", desired.user },
			{ "Environment", units.environment(desired.env) }, { "Restart", RESTART[desired.restart or "on-failure"] },
			{ "RestartSec", seconds(desired.restart_delay or "1s") }, { "KillSignal", desired.stop_signal and "SIG" .. desired.stop_signal or nil },
			{ "TimeoutStopSec", seconds(desired.stop_timeout or "10s") },
		} },
		{ "Install", { { "WantedBy", "multi-user.target" } } },
	})
end

-- As a backend of the provider.

local function read_file(desired, reload)
	local digest, message = on_disk.at(units.path(desired), false, function(path)
		local st, text = core.look(path)
		if not st then
			return nil, text
		elseif st.type ~= "file" then
			return { size = st.size, sha256 = "" }
		end
		return content.read(path, desired.unit, st.size)
	end)
	-- One that systemd has not read again is another than it will be.
	return digest and reload and { size = digest.size, sha256 = "" } or digest, message
end

-- Milliseconds since 1970 at which it became active.
local function started(found)
	local us = math.tointeger(tonumber(found.ActiveEnterTimestampMonotonic or ""))
	return us and us > 0 and math.floor(core.now() - core.uptime() + us / 1000) or nil
end

local function read_offline(desired)
	local word, message = units.enabled_state(desired.root, desired.name)
	if not word then
		return nil, message
	end
	local file
	file, message = read_file(desired)
	if message then
		return nil, message
	elseif word == "not-found" and not file then
		return { ensure = "absent" }
	end
	-- Nothing runs there.
	return { ensure = "present", unit = file, enabled = units.is_enabled_word(word), running = desired.running }
end

function units.read(desired)
	if desired.root then
		return read_offline(desired)
	end
	local found, message = units.show(desired.name)
	local file
	if found then
		file, message = read_file(desired, found.NeedDaemonReload == "yes")
	end
	if not found or message then
		return nil, message
	elseif desired.ensure == "absent" and not file and found.LoadState ~= "loaded" or found.LoadState == "not-found" and not file then
		return { ensure = "absent" }
	end
	return {
		ensure = "present", unit = file, enabled = units.is_enabled_word(found.UnitFileState), running = ACTIVE[found.ActiveState] or false,
		started_ms = started(found),
	}
end

local function place(path, file)
	return core.library("put").place(path, { bytes = file.bytes }, { mode = 420 })
end

local how = { what = "file", remove = core.unlink, make = place }

local function write_file(desired)
	local bytes = content.bytes(desired.unit)
	if not bytes then
		return nil, "its unit is too large to be kept with the stack: run the workflow again"
	end
	return on_disk.apply({ path = units.path(desired), bytes = bytes }, { ensure = "absent" }, {}, how)
end

local function remove_file(desired)
	return on_disk.apply({ path = units.path(desired), ensure = "absent" }, { ensure = "present" }, {}, how)
end

local function reload(desired)
	return desired.root ~= nil or units.act(nil, "daemon-reload")
end

-- The unit's own file goes; one that came with a package is not ours to remove.
local function remove(desired, actual)
	local steps, root = {}, desired.root
	if actual.running and not root then
		steps[#steps + 1] = { units.act, nil, "stop", desired.name }
	end
	if actual.enabled then
		steps[#steps + 1] = { units.act, root, "disable", desired.name }
	end
	local st = on_disk.at(units.path(desired), false, function(path) return core.look(path) end)
	if not st then
		return nil, "there is no " .. units.path(desired) .. ": a unit that came with a package goes with it (resource.package), or is told running = false, enabled = false"
	end
	steps[#steps + 1] = { remove_file, desired }
	steps[#steps + 1] = { reload, desired }
	return in_turn(steps)
end

function units.apply(desired, actual, changes)
	if desired.ensure == "absent" then
		return remove(desired, actual)
	elseif actual.ensure == "absent" and not desired.unit then
		return nil, "there is no unit " .. units.full_name(desired.name) .. ": say what it is by 'unit' or 'command', or install its package"
	end
	local differs, steps, root = {}, {}, desired.root
	for _, change in ipairs(changes) do
		differs[change.property] = true
	end
	differs.unit = desired.unit ~= nil and (differs.unit or differs[""])
	if differs.unit then
		steps[#steps + 1] = { write_file, desired }
		steps[#steps + 1] = { reload, desired }
	end
	if desired.enabled ~= nil and desired.enabled ~= (actual.enabled or false) then
		steps[#steps + 1] = { units.act, root, desired.enabled and "enable" or "disable", desired.name }
	end
	local verb
	if actual.running and desired.running == false then
		verb = "stop"
	elseif actual.running then
		verb = (differs.unit or differs.restart_on) and "restart" or nil
	else
		verb = desired.running and "start" or nil
	end
	if verb and not root then
		steps[#steps + 1] = { units.act, nil, verb, desired.name }
	end
	return in_turn(steps)
end

function units.image(desired, actual)
	local file, message = on_disk.image({ path = units.path(desired) })
	return file and { ensure = actual.ensure, file = file, enabled = actual.enabled, running = actual.running }, message
end

function units.undo(desired, before)
	local now, message = units.read(desired)
	local steps, root = {}, desired.root
	if not now then
		return nil, message
	end
	if now.running and not before.running and not root then
		steps[#steps + 1] = { units.act, nil, "stop", desired.name }
	end
	if now.enabled and not before.enabled then
		steps[#steps + 1] = { units.act, root, "disable", desired.name }
	end
	if desired.unit or desired.ensure == "absent" then
		steps[#steps + 1] = { on_disk.undo, { path = units.path(desired) }, before.file }
		steps[#steps + 1] = { reload, desired }
	end
	if before.enabled and not now.enabled then
		steps[#steps + 1] = { units.act, root, "enable", desired.name }
	end
	if before.running and not root then
		local changed = now.running and desired.unit
		steps[#steps + 1] = (changed or not now.running) and { units.act, nil, changed and "restart" or "start", desired.name } or nil
	end
	return in_turn(steps)
end

-- What is enabled is a link in a folder beside it (web.target.wants); of what runs, systemd's own process group would have to be asked.
function units.watch(desired)
	local list = { units.path(desired) }
	local place = (desired.root or "") .. PLACE
	for _, name in ipairs(desired.enabled ~= nil and fs.ls(place) or {}) do
		if name:find("%.wants$") or name:find("%.requires$") then
			list[#list + 1] = place .. name .. "/" .. units.full_name(desired.name)
		end
	end
	if desired.enabled ~= nil then
		list[#list + 1] = place -- such a folder may be made
	end
	local found = not desired.root and desired.running ~= nil and units.show(desired.name)
	local pid = found and math.tointeger(tonumber(found.MainPID))
	list[#list + 1] = pid and pid > 0 and { process = pid } or nil
	list[#list + 1] = not desired.root and { poll = 10 } or nil
	return list
end

return units
