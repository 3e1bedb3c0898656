-- SPDX-License-Identifier: MIT
-- Processes of this machine, as proc(5) tells of them.
local core = ...
local machine = core.library("machine")
local processes = {}

local function is_number(name)
	return name:find("^%d+$") ~= nil
end

-- What stands in /proc/PID/stat behind the name, which may have blanks and brackets: state, parent … (the third field first).
local function stat_fields(pid)
	local name, rest = (machine.read("/proc/" .. pid .. "/stat") or ""):match("^%d+ %((.*)%) (.*)$")
	local fields = {}
	for word in (rest or ""):gmatch("%S+") do
		fields[#fields + 1] = word
	end
	return name, fields
end

-- Clock ticks since boot at which it started: with the pid its identity. nil: it is gone, or dead.
function processes.start(pid)
	local name, fields = stat_fields(pid)
	return name and fields[1] ~= "Z" and fields[1] ~= "X" and math.tointeger(tonumber(fields[20])) or nil
end

local function basename(path)
	return path:match("([^/]+)/*$")
end

local function own_line()
	local set, pid = {}, core.readlink("/proc/self")
	while pid and pid ~= "0" and not set[pid] do
		set[pid] = true
		local _, fields = stat_fields(pid)
		pid = fields[2]
	end
	return set
end

local function look(pid)
	local name, fields = stat_fields(pid)
	if not name or fields[1] == "Z" or fields[1] == "X" then
		return nil
	end
	local words = {}
	for word in (machine.read("/proc/" .. pid .. "/cmdline") or ""):gmatch("[^\0]+") do
		words[#words + 1] = word
	end
	local uid = (machine.read("/proc/" .. pid .. "/status") or ""):match("\nUid:%s*%d+%s+(%d+)")
	return {
		pid = math.tointeger(tonumber(pid)), name = name, command = table.concat(words, " "), first = words[1] and basename(words[1]),
		second = words[2] and basename(words[2]), uid = math.tointeger(tonumber(uid)), start = math.tointeger(tonumber(fields[20])),
	}
end

-- Where hidepid= is set for /proc, those of others are not to be seen.
function processes.are_hidden()
	return not core.exists("/proc/1/stat") or machine.read("/proc/1/stat") == nil
end

-- Supervisors of ours (supervised.lua) have the name of what they keep running among their words, and are none of it.
local function is_supervisor(one)
	return one.name == "sloth-supervise" and one.command:find("^sloth%-runner %-%-supervise /") ~= nil
end

-- All but this one, those that it descends from and supervisors of ours, unless they are wanted, too: a list of { pid, start, name, command,
-- first, second, uid }; kernel threads have no command.
function processes.list(supervisors)
	local list, own = {}, own_line()
	for _, pid in ipairs(fs.ls("/proc") or {}) do
		local one = is_number(pid) and not own[pid] and look(pid)
		if one and (supervisors or not is_supervisor(one)) then
			list[#list + 1] = one
		end
	end
	table.sort(list, function(a, b) return a.pid < b.pid end)
	return list
end

-- Whether it is a program of that name: its own one, or that of its file, or of the script that it interprets. The kernel keeps 15
-- characters of the first.
function processes.is(one, name)
	return one.name == name or one.first == name or #one.name == 15 and name:sub(1, 15) == one.name
end

-- Those of a program or, by a regular expression, of a command line; or nil and a message.
function processes.find(program, pattern)
	local re, list = pattern and core.library("regex").new("pattern", pattern), {}
	for _, one in ipairs(processes.list()) do
		local text = one.command ~= "" and one.command or one.name
		if (not program or processes.is(one, program)) and (not re or re:find(text, 1)) then
			list[#list + 1] = one
		end
	end
	return list
end

-- The name of a user, or the number where there is none.
function processes.user(uid)
	local fields = core.library("accounts").find(nil, "passwd", tostring(uid), 3)
	return fields and fields[3] == tostring(uid) and fields[1] or tostring(uid)
end

-- Of some processes the user: the one that is wanted, when it is the one of all, else the first other.
function processes.user_of(list, wanted)
	local equal = core.library("property").kinds.owner.equal
	for _, one in ipairs(list) do
		if wanted and one.uid and not equal(wanted, tostring(one.uid)) then
			return processes.user(one.uid)
		end
	end
	return wanted or list[1] and list[1].uid and processes.user(list[1].uid)
end

return processes
