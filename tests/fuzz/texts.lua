-- SPDX-License-Identifier: MIT
-- What must hold of the texts that the library changes, whatever is said: see fuzz-texts.c. Refusals with a sentence are fine, errors of Lua
-- itself are not.
local library = ...
local function line(text) return (text:gsub('[%c]', ' '):match('^%s*(.-)%s*$')) end
local function must(it, what) if not it then error({ broken = what }, 0) end end
local function key_text(text) return (text:gsub('[^%w_.-]', '')) end

local each = {}

function each.ini(text, section, key, value)
	local ini = library('ini')
	section, key, value = line(section):gsub('[%[%]]', ''), key_text(key), line(value)
	section = line(section)
	local before = ini.all(text)
	if key == '' then return end
	section = section ~= '' and section or nil
	local new, message = ini.set(text, section, key, value)
	if not new then must(message, 'a reason') return end
	local found, why = ini.find(new, section, key)
	must(found == value or value:find('\\$') or why, 'what was set is found')
	must(value:find('\\$') or why or ini.set(new, section, key, value) == new, 'set twice changes nothing')
	for _, one in ipairs(before) do
		if one.section ~= section or one.key ~= key then
			local now, reason = ini.find(new, one.section, one.key)
			must(now == one.value or reason or value:find('\\$'), 'others stay')
		end
	end
	local without = ini.set(new, section, key, nil)
	must(not without or ini.find(without, section, key) == nil, 'what was taken away is gone')
end

function each.cron(text, name, schedule, command)
	local crontab = library('crontab')
	local wrong = crontab.wrong(schedule)
	crontab.unnamed(text, true)
	crontab.entries(text, true)
	name, command = line(name), line(command)
	if wrong or name == '' or command == '' or schedule:find('[%c]') then return end
	schedule = line(schedule):gsub('%s+', ' ')
	local new = crontab.with(text, name, { schedule = schedule, command = command })
	local count = 0
	for _, entry in ipairs(crontab.entries(new)) do
		if entry.name == name then
			count = count + 1
			must(entry.schedule == schedule and entry.command == command, 'what was put is there')
		end
	end
	must(count == 1, 'once')
	must(crontab.with(new, name, { schedule = schedule, command = command }) == new, 'put twice changes nothing')
	for _, entry in ipairs(crontab.entries(crontab.with(new, name))) do must(entry.name ~= name, 'gone') end
end

function each.keys(text, blob, comment, option)
	local keys = library('authorized_keys')
	keys.wrong(text) keys.wrong_option(option) keys.options(option)
	blob = blob:gsub('[^%w+/=]', '')
	if blob == '' then return end
	local key = { type = 'ssh-ed25519', blob = blob, comment = line(comment) }
	key.options = not keys.wrong_option(option) and { option } or nil
	local others = #keys.all(text) - #keys.found(text, key)
	local new = keys.with(text, key, function() return key end)
	must(#keys.found(new, key) == 1, 'there once')
	must(#keys.all(new) == others + 1, 'others stay')
	must(keys.with(new, key, function(first) return first end) == new, 'the same again')
	must(#keys.found(keys.with(new, key, function() end), key) == 0, 'gone')
end

function each.template(text, a, b)
	library('template').render({ text = text, vars = { a = a, b = { b, a }, n = 3 } })
end

function each.time(text, layout)
	local layouts = library('time_layouts')
	layouts.is_layout(layout)
	layouts.pattern(layout)
	layouts.parse(text, layouts.pattern(layout))
end

function each.glob(text, glob)
	local selector = library('selector')
	local matches = selector.names(glob)
	selector.accounts(text)
end

local names = { 'ini', 'cron', 'keys', 'template', 'time', 'glob' }
return function(which, ...)
	local ok, message = pcall(each[names[which % #names + 1]], ...)
	if ok then return end
	if type(message) == 'table' and message.broken then return message.broken end
	message = type(message) == 'string' and message or ''
	return (message:find('attempt to', 1, true) or message:find('bad argument', 1, true)) and message
end
