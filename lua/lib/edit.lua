-- SPDX-License-Identifier: MIT
-- Texts that are edited by lines: what file_ops.lineinfile, blockinfile and replace make of a file's content. No file is touched here.
local core = ...
local regex = core.library("regex")
local edit = {}

-- Lines of a text, and whether the last one was ended.
local function split(text)
	local lines = {}
	for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
		lines[#lines + 1] = line
	end
	return text == "" and {} or lines, text == "" or text:sub(-1) == "\n"
end

local function join(lines, ended)
	return #lines == 0 and "" or table.concat(lines, "\n") .. (ended and "\n" or "")
end

-- A function that says whether a line is meant.
local function finder(fn, pattern)
	local re = regex.new(fn, pattern)
	return function(line)
		local first, last, groups = re:find(line, 1)
		if not first and last then
			core.fail(fn .. ": " .. last)
		end
		return first and { re = re, whole = line:sub(first, last), groups = groups, first = first, last = last }
	end
end

-- Number and match of the last line (or the first) that is found.
local function find_line(lines, find, first_one)
	local number, match
	for i, line in ipairs(lines) do
		local hit = find(line)
		if hit then
			number, match = i, hit
			if first_one then
				break
			end
		end
	end
	return number, match
end

-- Before which line new ones go.
local function insert_position(fn, lines, args)
	if args.insertafter and args.insertbefore then
		core.fail(fn .. ": either 'insertafter' or 'insertbefore'")
	elseif args.insertbefore == "BOF" then
		return 1
	elseif args.insertbefore then
		return find_line(lines, finder(fn, args.insertbefore), args.firstmatch) or #lines + 1
	elseif args.insertafter and args.insertafter ~= "EOF" then
		return (find_line(lines, finder(fn, args.insertafter), args.firstmatch) or #lines) + 1
	end
	return #lines + 1
end

local function equals(wanted)
	return function(line) return line == wanted end
end

local function insert(fn, lines, args, new)
	local at = insert_position(fn, lines, args)
	for i, line in ipairs(new) do
		table.insert(lines, at + i - 1, line)
	end
	return at + #new > #lines
end

-- One line, in place of the last that is found.
function edit.line(fn, text, args)
	local lines, ended = split(text)
	local number, match
	if args.regexp then
		number, match = find_line(lines, finder(fn, args.regexp), args.firstmatch)
	end
	if number then
		-- With backrefs only what was found is replaced by the groups' text, as of Ansible the whole line.
		lines[number] = args.backrefs and regex.expand(fn, match.re, args.line, match.whole, match.groups) or args.line
	elseif not args.backrefs and not find_line(lines, equals(args.line)) then
		ended = insert(fn, lines, args, { args.line }) or ended
	end
	return join(lines, ended)
end

-- The line that stands where edit.line would put one (or that edit.without_line would take away); nil: there is none.
function edit.found_line(fn, text, args)
	local lines = split(text)
	local number = args.regexp and find_line(lines, finder(fn, args.regexp))
	number = number or args.line and find_line(lines, equals(args.line))
	return number and lines[number]
end

-- None of these lines.
function edit.without_line(fn, text, args)
	local lines, ended = split(text)
	local find = args.regexp and finder(fn, args.regexp)
	local kept, count = {}, 0
	for _, line in ipairs(lines) do
		if (find and find(line)) or line == args.line then
			count = count + 1
		else
			kept[#kept + 1] = line
		end
	end
	return join(kept, ended), { found = count }
end

-- The lines without those between the marks, and where these stood; or nil and a message.
local function cut_block(lines, first, last)
	local kept, inside, at = {}, false, nil
	for _, line in ipairs(lines) do
		if line == first and not inside then
			inside, at = true, at or #kept + 1
		elseif line == last and inside then
			inside = false
		elseif not inside then
			kept[#kept + 1] = line
		end
	end
	if inside then
		return nil, "the line '" .. first .. "' has no '" .. last .. "' below it"
	end
	return kept, at
end

-- These lines between two marks; none when there are no lines. The new text, or nil and a message.
function edit.block(fn, text, args, first, last)
	local lines, ended = split(text)
	local kept, at = cut_block(lines, first, last)
	if not kept then
		return nil, at
	end
	local block = args.state ~= "absent" and split(args.content) or {}
	if #block == 0 then
		return at and join(kept, ended) or text
	end
	table.insert(block, 1, first)
	block[#block + 1] = last
	if not at then
		return join(kept, insert(fn, kept, args, block) or ended)
	end
	for i, line in ipairs(block) do
		table.insert(kept, at + i - 1, line)
	end
	return join(kept, ended)
end

-- The lines between the marks, without the last line feed; nil: there are no marks; or nil and a message.
function edit.found_block(text, first, last)
	local lines = split(text)
	local kept, at = cut_block(lines, first, last)
	if not kept then
		return nil, at
	elseif not at then
		return nil
	end
	local inside, block = false, {}
	for _, line in ipairs(lines) do
		if line == first and not inside then
			inside = true
		elseif line == last then
			inside = false
		elseif inside then
			block[#block + 1] = line
		end
	end
	return (table.concat(block, "\n"):gsub("\n+$", ""))
end

-- The part of a text behind a match of `after` and before one of `before`.
local function section(fn, text, args)
	local first, last = 1, #text
	if args.after then
		local _, stop = regex.each(fn, regex.new(fn, args.after, true), text)()
		if not stop then
			return nil
		end
		first = stop + 1
	end
	if args.before then
		local start = regex.each(fn, regex.new(fn, args.before, true), text:sub(first))()
		if not start then
			return nil
		end
		last = first + start - 2
	end
	return first, last
end

-- All matches; ^ and $ are at every line.
function edit.replace(fn, text, args)
	local first, last = section(fn, text, args)
	if not first then
		return text, { count = 0 }
	end
	local new, count = regex.replace(fn, regex.new(fn, args.pattern, true), text:sub(first, last), args.replacement)
	return text:sub(1, first - 1) .. new .. text:sub(last + 1), { count = count }
end

return edit
