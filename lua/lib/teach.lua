-- SPDX-License-Identifier: MIT
-- What a message about a mistake says beside its sentence: the line of the workflow with what is meant underlined, and the
-- nearest name that is known. Compiled when something went wrong for the first time.
local core = ...
local teach = {}

local WIDTH = 120 -- characters of a line that are shown
local BELOW = 60 -- lines of a table in which its key is looked for

-- The text of a file of this run by the name that messages have for it (Lua shortens long ones).
local function source_of(file)
	local sources = core.sources()
	if sources[file] then
		return sources[file]
	end
	for name, text in pairs(sources) do
		if file:sub(1, 3) == "..." and name:sub(4 - #file) == file:sub(4) then
			return text
		end
	end
end

local function line_at(text, wanted)
	local at, number = 1, 1
	while number < wanted do
		at = text:find("\n", at, true)
		if not at then
			return nil
		end
		at, number = at + 1, number + 1
	end
	return at <= #text and text:sub(at, (text:find("\n", at, true) or #text + 1) - 1) or nil
end

local function is_word(c)
	return c ~= "" and c:find("[%w_]") ~= nil
end

-- Where `word` stands in the line, not as a part of a longer one.
local function find_word(line, word)
	local at = 1
	while true do
		local first, last = line:find(word, at, true)
		if not first then
			return nil
		end
		local inside = is_word(word:sub(1, 1)) and is_word(line:sub(first - 1, first - 1))
			or is_word(word:sub(-1)) and is_word(line:sub(last + 1, last + 1))
		if not inside then
			return first, last
		end
		at = first + 1
	end
end

-- The words that the message quotes, the last one before "did you mean" first: that is the one which is wrong.
local function quoted_words(message)
	local words = {}
	for word in message:gsub("did you mean.*", ""):gsub("%(its arguments.*", ""):gmatch("'([^'\n]+)'") do
		table.insert(words, 1, word)
	end
	return words
end

local function columns(text)
	return utf8.len(text) or #text
end

local function show_line(lines, number, line, first, last)
	local function plain(part)
		return (part:gsub("\t", "    "):gsub("\r", ""))
	end
	local shown = plain(line)
	local gutter = string.format("%5d | ", number)
	if columns(shown) > WIDTH then
		shown = shown:sub(1, (utf8.offset(shown, WIDTH) or WIDTH + 1) - 1) .. "…"
	end
	lines[#lines + 1] = gutter .. shown
	if first and columns(plain(line:sub(1, last))) <= WIDTH then
		lines[#lines + 1] = "      | " .. (" "):rep(columns(plain(line:sub(1, first - 1)))) .. ("^"):rep(math.max(1, columns(line:sub(first, last))))
	end
end

-- The key of a table that begins on this line, on one of those below.
local function find_key(text, number, word)
	for below = number + 1, number + BELOW do
		local line = line_at(text, below)
		if not line then
			return nil
		end
		local first, last = find_word(line, word)
		if first and line:find("^%s*%]?%s*[=(]", last + 1) or first and line:find('^"%s*%]?%s*=', last + 1) then
			return below, line, first, last
		end
	end
end

local function picture(text, number, message)
	local lines, line = {}, line_at(text, number)
	if not line or not line:find("%S") then
		return ""
	end
	for _, word in ipairs(quoted_words(message)) do
		local first, last = find_word(line, '"' .. word .. '"')
		if first then
			first, last = first + 1, last - 1
		else
			first, last = find_word(line, word)
		end
		if first then
			show_line(lines, number, line, first, last)
			break
		end
		local below, other, from, to = find_key(text, number, word)
		if below then
			show_line(lines, number, line)
			show_line(lines, below, other, from, to)
			break
		end
	end
	if #lines == 0 then
		show_line(lines, number, line)
	end
	return "\n" .. table.concat(lines, "\n")
end

local function near(word, all)
	local list = {}
	for _, name in ipairs(all) do
		list[#list + 1] = name ~= word and name or nil
	end
	local found = core.nearest(word, list)
	return found and ": did you mean '" .. found .. "'?" or ""
end

-- Names that the program could have meant: what the function can see, what its file calls so, globals, modules.
local function known_names(text)
	local list = core.names()
	for names in text:gmatch("local%s+([%w_, ]+)") do
		for name in names:gsub("^function%s", ""):gmatch("[%a_][%w_]*") do
			list[#list + 1] = name
		end
	end
	for _, name in ipairs(core.module_names()) do
		list[#list + 1] = name
	end
	for name in pairs(_G) do
		if type(name) == "string" then
			list[#list + 1] = name
		end
	end
	return list
end

-- Lua's own sentences, and what they leave out.
local hints = {
	{ "%(global '([%w_]+)'%)", function(name, text) return near(name, known_names(text)) end },
	{ "call a nil value %(method '([%w_]+)'%)", function(name)
		local list = {}
		for method in pairs(string) do
			list[#list + 1] = method
		end
		return near(name, list)
	end },
}

-- The module that a file calls `name`: itself, or what it has put into a local of that name.
local function module_called(name, text)
	local meant = text:match("local%s+" .. name .. "%s*=%s*require%s*%(?%s*[\"']([%w_]+)")
		or text:match("local%s+" .. name .. "%s*=%s*([%w_]+)") or name
	for _, module in ipairs(core.module_names()) do
		if module == meant then
			return meant, _G[meant]
		end
	end
end

-- What a module has not is nil. Of a call: its sentence says which module that is, and what could have been meant.
local function missing_function(message, text, number)
	local key = message:match("^ attempt to call a nil value %(field '([%a_][%w_]*)'%)$")
	local line = key and line_at(text, number) or ""
	for before, name in (" " .. line):gmatch("([^%w_])([%a_][%w_]*)%s*%.%s*" .. (key or "") .. "%f[^%w_]") do
		local module, functions = module_called(name, text)
		if module and before ~= "." and rawget(functions, key) == nil then
			return " " .. module .. " has no function '" .. key .. "'" .. near(key, core.library("kinds").keys(functions))
		end
	end
	return message
end

local function hint_of(message, text)
	if message:find("did you mean", 1, true) then
		return ""
	end
	for _, row in ipairs(hints) do
		local name = message:match(row[1])
		if name then
			return row[2](name, text)
		end
	end
	return ""
end

-- Of a document: the word that begins at the column.
local function explain_document(message, text, number, column)
	local lines, line = {}, line_at(text, number)
	if not line or not line:find("%S") then
		return message
	end
	local first = utf8.offset(line, column) or #line + 1
	local last = select(2, line:find("^[^%s:,%]}]+", first)) or first
	show_line(lines, number, line, first, last)
	return message .. "\n" .. table.concat(lines, "\n")
end

-- "FILE:LINE: sentence", "FILE:LINE:COLUMN: sentence" → the same with a hint, and the line below it. Everything else stays
-- as it is.
function teach.explain(message)
	local file, number, rest = message:match("^([^\n:]+):(%d+):(.*)$")
	local text = file and source_of(file)
	if not text or rest:find("\n +%d+ | ") then
		return message
	end
	number = math.tointeger(tonumber(number))
	local column = rest:match("^(%d+): ")
	if column then
		return explain_document(message, text, number, math.tointeger(tonumber(column)))
	end
	rest = missing_function(rest, text, number)
	return file .. ":" .. number .. ":" .. rest .. hint_of(rest, text) .. picture(text, number, rest)
end

-- The line of "FILE:LINE" with `word` underlined, below a new line; "" where there is none.
function teach.show(where, word)
	local file, number = where:match("^([^\n:]+):(%d+)")
	local text = file and source_of(file)
	return text and picture(text, math.tointeger(tonumber(number)), "'" .. word .. "'") or ""
end

return teach
