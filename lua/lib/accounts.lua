-- SPDX-License-Identifier: MIT
-- Users and groups as /etc/passwd, group and shadow have them, of this host or below another root; what others know (LDAP …) is asked
-- of getent(1).
local core = ...
local tool = core.library("tool")
local accounts = {}

local function split(line)
	local fields = {}
	for field in (line .. ":"):gmatch("([^:]*):") do
		fields[#fields + 1] = field
	end
	return fields
end

-- Lines of one of the files as lists of fields; or nil and a message.
function accounts.lines(root, file)
	local text, message = core.read((root or "") .. "/etc/" .. file)
	if not text then
		return nil, message
	end
	local list = {}
	for line in text:gmatch("[^\n]+") do
		if not line:find("^[#+-]") then
			list[#list + 1] = split(line)
		end
	end
	return list
end

local function asked(root, file, name)
	local raw = not root and name:find("^[%w_]") and tool.path("getent") and tool.run({ "getent", file, name })
	local line = raw and raw.stdout:match("^[^\n]+")
	return line and split(line) or nil
end

-- The fields of one by its name (field 1) or another field; nil: there is none; or nil and a message.
function accounts.find(root, file, value, field)
	local list, message = accounts.lines(root, file)
	if not list then
		return nil, message
	end
	for _, fields in ipairs(list) do
		if fields[field or 1] == value then
			return fields
		end
	end
	return asked(root, file, value)
end

-- Names of the groups in whose lists somebody is; or nil and a message.
function accounts.groups_of(root, name)
	local list, message = accounts.lines(root, "group")
	if not list then
		return nil, message
	end
	local names = {}
	for _, fields in ipairs(list) do
		if ("," .. (fields[4] or "") .. ","):find("," .. name .. ",", 1, true) then
			names[#names + 1] = fields[1]
		end
	end
	table.sort(names)
	return core.mark_list(names)
end

-- The name of a group by its number; the number where it has no name.
function accounts.group_name(root, gid)
	local fields = accounts.find(root, "group", gid, 3)
	return fields and fields[1] or gid
end

-- Of a set: all of it, or with `some` only those that it has.
function accounts.seen(set, wanted, some)
	if not some or not wanted then
		return set
	end
	local has, list = {}, {}
	for _, one in ipairs(set) do
		has[one] = true
	end
	for _, one in ipairs(wanted) do
		list[#list + 1] = has[one] and one or nil
	end
	return core.mark_list(list)
end

-- Days since 1970 of "2027-01-31"; nil: there is no such day.
function accounts.days(date)
	local year, month, day = date:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
	year, month, day = tonumber(year), tonumber(month), tonumber(day)
	if not year or month < 1 or month > 12 then
		return nil
	end
	-- A year that begins in March ends with its leap day.
	local from = month > 2 and month - 3 or month + 9
	year = month > 2 and year or year - 1
	local days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * from + 2) // 5 + day - 1 - 719468
	return accounts.date(days) == date and days or nil
end

function accounts.date(days)
	return os.date("!%Y-%m-%d", days * 86400)
end

-- useradd(8) and its like for another root.
function accounts.run(root, program, ...)
	local words = { program }
	if root then
		words[2], words[3] = "--prefix", root
	end
	for _, word in ipairs({ ... }) do
		words[#words + 1] = word
	end
	local done, message = tool.run(words)
	return done and true or nil, message
end

-- What useradd(8) takes, whatever it is told about bad names: no option, and nothing that would be a field of its own.
function accounts.name_ok(name)
	return name:find("^[%a_][%w_.-]*%$?$") ~= nil and #name <= 32
end

return accounts
