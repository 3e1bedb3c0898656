-- SPDX-License-Identifier: MIT
-- Before a run: the modules that a workflow's text names, and that there are none of. It is looked for in the text,
-- because what stands in a task's function is not executed while it is loaded.
local core = ...
local absent = core.library("absent")
local preflight = {}

local keywords = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while"):gmatch("%a+") do
	keywords[word] = true
end

-- Where a long bracket that opens at `at` ends; nil: none opens there.
local function long_end(text, at)
	local level = text:match("^%[(=*)%[", at)
	if not level then
		return nil
	end
	local _, last = text:find("]" .. level .. "]", at, true)
	return last or #text
end

local function string_end(text, at)
	local quote = text:sub(at, at)
	local i = at + 1
	while i <= #text do
		local c = text:sub(i, i)
		if c == "\\" then
			i = i + 1
		elseif c == quote or c == "\n" then
			return i
		end
		i = i + 1
	end
	return #text
end

-- Names, strings and signs with their lines; comments are left out.
local function tokens_of(text)
	local tokens, at, line = {}, 1, 1
	local function add(kind, first, last)
		tokens[#tokens + 1] = { kind = kind, text = text:sub(first, last), line = line }
	end
	while at <= #text do
		local last
		if text:find("^%-%-", at) then
			last = long_end(text, at + 2) or (text:find("\n", at, true) or #text + 1) - 1
		elseif text:find("^%s", at) then
			_, last = text:find("^%s+", at)
		elseif text:find("^[%a_]", at) then
			_, last = text:find("^[%w_]+", at)
			add("name", at, last)
		elseif text:find("^%d", at) then
			_, last = text:find("^[%w.]+", at)
		elseif text:find("^[\"']", at) then
			last = string_end(text, at)
			add("string", at + 1, last - 1)
		else
			last = long_end(text, at)
			if last then
				add("string", at, last)
			else
				last = text:find("^%.%.", at) and select(2, text:find("^%.+", at)) or at
				add("sign", at, last)
			end
		end
		local _, count = text:sub(at, last):gsub("\n", "\n")
		line, at = line + count, last + 1
	end
	return tokens
end

-- What the text itself may define: in doubt it does.
local function defined_in(tokens)
	local defined = {}
	local function text_at(i)
		return tokens[i] and tokens[i].text
	end
	-- a, b, c from here on
	local function take_list(i)
		while tokens[i] and tokens[i].kind == "name" do
			defined[tokens[i].text] = true
			if text_at(i + 1) ~= "," then
				return
			end
			i = i + 2
		end
	end
	for i, token in ipairs(tokens) do
		if token.text == "local" or token.text == "for" then
			take_list(i + 1)
		elseif token.text == "function" then
			local open = i + 1
			while tokens[open] and tokens[open].text ~= "(" do
				defined[tokens[open].text] = true
				open = open + 1
			end
			take_list(open + 1)
		elseif token.kind == "name" and text_at(i + 1) == "=" and text_at(i + 2) ~= "=" then
			defined[token.text] = true
		end
	end
	return defined
end

-- A list of { name, line, required }.
function preflight.missing(text)
	local tokens, found, seen = tokens_of(text), {}, {}
	local defined = defined_in(tokens)
	local function miss(name, line, required)
		local module = _G[name]
		if required and (module == nil or absent.is(module)) and core.library("import").has_module(name) then
			return
		end
		if (module == nil or absent.is(module)) and not seen[name] then
			seen[name] = true
			found[#found + 1] = { name = name, line = line, required = required }
		end
	end
	for i, token in ipairs(tokens) do
		local before, after, third = tokens[i - 1] or {}, tokens[i + 1] or {}, tokens[i + 2] or {}
		if token.kind == "name" and token.text == "require" then
			local name = after.kind == "string" and after or after.text == "(" and third.kind == "string" and third
			if name then
				miss(name.text, name.line, true)
			end
		elseif token.kind == "name" and not keywords[token.text] and not defined[token.text]
			and before.text ~= "." and before.text ~= ":" and before.text ~= ".."
			and (after.text == "." or after.text == ":") and third.kind == "name" then
			miss(token.text, token.line, false)
		end
	end
	return core.mark_list(found)
end

return preflight
