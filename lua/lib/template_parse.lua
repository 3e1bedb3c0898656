-- SPDX-License-Identifier: MIT
-- Templates in the language of Go's text/template: a text becomes a tree. Nodes: { kind, line, … }; pipelines are lists of commands,
-- commands lists of operands. Mistakes are errors { template = message, line = number }.
local parse = {}

local function fail(line, message)
	error({ template = message, line = line }, 0)
end
parse.fail = fail

local function lines_in(text)
	return select(2, text:gsub("\n", ""))
end

-- Texts and actions, one after the other: { text } and { action, line }. "{{-" and "-}}" take the blanks beside them away.
local function pieces(text)
	local list, position, line, trim = {}, 1, 1, false
	while true do
		local first, last = text:find("{{", position, true)
		local piece = text:sub(position, first and first - 1)
		local here = line + lines_in(piece)
		local left = first and text:find("^%-%s", last + 1)
		local shown = trim and piece:gsub("^%s+", "") or piece
		list[#list + 1] = { text = left and shown:gsub("%s+$", "") or shown }
		if not first then
			return list
		end
		local start = left and last + 2 or last + 1
		local comment = text:match("^%s*/%*().-%*/%s*%-?}}", start)
		local stop = comment and text:find("*/", comment, true) or start
		-- Braces within texts don't end an action.
		while not comment do
			local at, mark = text:match('()(["`}])', stop)
			if not at then
				fail(here, "'{{' is not closed by '}}'")
			elseif mark == "}" then
				if text:sub(at, at + 1) == "}}" then
					stop = at
					break
				end
				stop = at + 1
			else
				local closing = mark == "`" and text:match("^[^`]*()`", at + 1)
				local from = at + 1
				while mark == '"' do
					local quote = text:match('^[^"\\\n]*()["\\]', from)
					if not quote then
						break
					elseif text:sub(quote, quote) == '"' then
						closing = quote
						break
					end
					from = quote + 2
				end
				if not closing then
					fail(here + lines_in(text:sub(first, at)), "a text is not closed")
				end
				stop = closing + 1
			end
		end
		local close = text:find("}}", stop, true)
		if not close then
			fail(here, "'{{' is not closed by '}}'")
		end
		local body = text:sub(start, close - 1)
		trim = body:find("%s%-$") ~= nil or (comment and body:find("%-$") ~= nil)
		if not comment then
			list[#list + 1] = { action = trim and body:sub(1, -2) or body, line = here }
		end
		line = here + lines_in(text:sub(first, close))
		position = close + 2
	end
end

local escapes = { n = "\n", t = "\t", r = "\r", ["\\"] = "\\", ['"'] = '"', ["'"] = "'" }

-- What a token looks like, and its kind. The order counts.
local shapes = {
	{ '^"(.-)"', "string" }, { "^`([^`]*)`", "raw" }, { "^(%-?0[xX]%x+)", "number" }, { "^(%-?%d+%.?%d*[eE]?[+-]?%d*)", "number" }, { "^(:=)", "sign" },
	{ "^([|(),=])", "sign" }, { "^(%$[%w_]*)", "variable" }, { "^(%.[%a_][%w_]*)", "field" }, { "^(%.)", "dot" }, { "^([%a_][%w_]*)", "word" },
}

local function string_token(body, position)
	local from = position + 1
	while true do
		local at = body:match('^[^"\\]*()["\\]', from)
		if body:sub(at, at) == '"' then
			local text = body:sub(position + 1, at - 1):gsub("\\(.)", function(c) return escapes[c] or "\\" .. c end)
			return text, at + 1
		end
		from = at + 2
	end
end

local function tokens(piece)
	local list, body, position = {}, piece.action, 1
	while true do
		local gap
		gap, position = body:match("^(%s*)()", position)
		if position > #body then
			return list
		end
		local before = #list
		for _, shape in ipairs(shapes) do
			local word, stop = body:match(shape[1] .. "()", position)
			if word then
				if shape[2] == "string" then
					word, stop = string_token(body, position)
				end
				list[#list + 1] = { kind = shape[2], word = word, gap = gap ~= "" }
				position = stop
				break
			end
		end
		if #list == before then
			fail(piece.line, "'" .. body:sub(position, position) .. "' is not understood in '{{" .. body .. "}}'")
		end
	end
end

-- A reader of tokens.
local function reader(piece)
	return { list = tokens(piece), at = 1, line = piece.line, source = "{{" .. piece.action .. "}}" }
end

local function peek(r)
	return r.list[r.at]
end

local function take(r, kind, word)
	local token = r.list[r.at]
	if token and token.kind == kind and (not word or token.word == word) then
		r.at = r.at + 1
		return token
	end
end

local constants = { ["true"] = { value = true }, ["false"] = { value = false }, ["nil"] = {} }

local function number_of(r, token)
	local number = tonumber(token.word)
	if not number then
		fail(r.line, "'" .. token.word .. "' is not a number")
	end
	return { kind = "value", value = math.tointeger(number) or number }
end

local pipeline

local function base_operand(r)
	local token = peek(r)
	if not token then
		fail(r.line, "something is missing in '" .. r.source .. "'")
	end
	r.at = r.at + 1
	if token.kind == "string" or token.kind == "raw" then
		return { kind = "value", value = token.word }
	elseif token.kind == "number" then
		return number_of(r, token)
	elseif token.kind == "variable" then
		return { kind = "variable", name = token.word }
	elseif token.kind == "dot" then
		return { kind = "dot" }
	elseif token.kind == "field" then
		return { kind = "get", of = { kind = "dot" }, name = token.word:sub(2) }
	elseif token.kind == "word" then
		local constant = constants[token.word]
		return constant and { kind = "value", value = constant.value } or { kind = "function", name = token.word, line = r.line }
	elseif token.word == "(" then
		local inner = pipeline(r)
		if not take(r, "sign", ")") then
			fail(r.line, "')' is missing in '" .. r.source .. "'")
		end
		return { kind = "pipeline", commands = inner }
	end
	fail(r.line, "'" .. token.word .. "' is not understood in '" .. r.source .. "'")
end

-- With the fields behind it: $x.a.b, (…).a
local function operand(r)
	local node = base_operand(r)
	while peek(r) and peek(r).kind == "field" and not peek(r).gap do
		node = { kind = "get", of = node, name = take(r, "field").word:sub(2) }
	end
	return node
end

local function command(r)
	local list = { line = r.line }
	repeat
		list[#list + 1] = operand(r)
		local next = peek(r)
	until not next or (next.kind == "sign" and next.word ~= "(")
	return list
end

function pipeline(r)
	local commands = { command(r) }
	while take(r, "sign", "|") do
		commands[#commands + 1] = command(r)
	end
	return commands
end

local function finished(r)
	if peek(r) then
		fail(r.line, "'" .. peek(r).word .. "' is too much in '" .. r.source .. "'")
	end
end

-- [$a [, $b] :=] pipeline
local function declaration(r, most)
	local node, start = { names = {}, line = r.line }, r.at
	while most > 0 and peek(r) and peek(r).kind == "variable" do
		node.names[#node.names + 1] = take(r, "variable").word
		if not take(r, "sign", ",") then
			break
		end
	end
	local sign = #node.names > 0 and (take(r, "sign", ":=") or take(r, "sign", "="))
	if not sign or #node.names > most then
		node.names, r.at = {}, start
	else
		node.set = sign.word == "="
	end
	node.commands = pipeline(r)
	finished(r)
	return node
end

local block

local openers = { ["if"] = 1, ["with"] = 1, ["range"] = 2 }

-- An opener's node: its branches up to "end".
local function branch(state, r, kind)
	local node = { kind = kind, line = r.line, subject = declaration(r, openers[kind]) }
	local stop
	node.body, stop = block(state, kind, r.line)
	if stop.word == "else" and peek(stop.reader) then
		local inner = take(stop.reader, "word")
		if not inner or inner.word ~= kind or kind == "range" then
			fail(stop.reader.line, "'else' is followed by '" .. (peek(stop.reader) or inner).word .. "'")
		end
		node.other = { branch(state, stop.reader, kind) }
	elseif stop.word == "else" then
		node.other, stop = block(state, kind, r.line)
		if stop.word ~= "end" then
			fail(stop.reader.line, "a second 'else' of the '" .. kind .. "' of line " .. node.line)
		end
	end
	return node
end

local function statement(state, r)
	local word = peek(r) and peek(r).kind == "word" and peek(r).word
	if openers[word] then
		r.at = r.at + 1
		return branch(state, r, word)
	elseif word == "break" or word == "continue" then
		r.at = r.at + 1
		finished(r)
		return { kind = word, line = r.line }
	elseif word == "define" or word == "template" or word == "block" then
		fail(r.line, "'" .. word .. "' is not supported: render the part by itself, and give it as a variable")
	end
	local node = declaration(r, 1)
	node.kind = #node.names > 0 and "let" or "print"
	return node
end

-- Nodes up to an "end" or "else" of `kind` (nil: the end of the text), and that.
function block(state, kind, line)
	local nodes = {}
	state.depth = state.depth + 1
	if state.depth > 100 then
		fail(line, "nested deeper than 100 levels")
	end
	while true do
		local piece = state.pieces[state.at]
		if not piece then
			if kind then
				fail(line, "the '" .. kind .. "' of this line has no 'end'")
			end
			return nodes
		end
		state.at = state.at + 1
		if piece.text then
			nodes[#nodes + 1] = { kind = "text", text = piece.text }
		else
			local r = reader(piece)
			local word = peek(r) and peek(r).kind == "word" and peek(r).word
			if word == "end" or word == "else" then
				if not kind then
					fail(piece.line, "'" .. word .. "' without an 'if', 'range' or 'with'")
				end
				r.at = r.at + 1
				if word == "end" then
					finished(r)
				end
				state.depth = state.depth - 1
				return nodes, { word = word, reader = r }
			end
			nodes[#nodes + 1] = statement(state, r)
		end
	end
end

-- The nodes of a text.
function parse.text(text)
	return (block({ pieces = pieces(text), at = 1, depth = 0 }))
end

return parse
