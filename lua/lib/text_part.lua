-- SPDX-License-Identifier: MIT
-- What providers share that keep a part of a text file (a line, a block, a key) of which the rest is others'.
local core = ...
local managed_text = core.library("managed_text")
local text_part = {}

local shared = {
	name = { kind = "line", required = true },
	ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
	path = { kind = "path", required = true, compare = false },
	mode = { kind = "mode", compare = false },
}
-- Of those whose place in the file can be chosen.
local placed = {
	insertafter = { kind = "line", compare = false },
	insertbefore = { kind = "line", compare = false },
}

local function add(to, from)
	for key, value in pairs(from) do
		to[key] = to[key] or value
	end
end

-- Completes a provider of which there are its type, own properties, impact, validate() and
--   p.found(text, desired)  what there is of it: { ensure, … }; or nil and a message
--   p.change_of(desired)    a function that makes of the file's text the one with it; or nil and a message
-- p.placed: it has insertafter and insertbefore.
function text_part.provider(p)
	local found, change_of, validate = p.found, p.change_of, p.validate
	add(p.properties, shared)
	add(p.properties, p.placed and placed or {})
	p.module, p.key = "file_ops", "name"
	p.found, p.change_of, p.placed = nil, nil, nil

	function p.validate(desired)
		return validate(desired) or desired.insertafter and desired.insertbefore and "either 'insertafter' or 'insertbefore'" or nil
	end

	function p.read(desired)
		local text, message = managed_text.read(desired.path)
		if message then
			return nil, message
		end
		return found(text or "", desired)
	end

	function p.apply(desired)
		return managed_text.edit(desired.path, desired.mode, change_of(desired))
	end

	function p.image(desired)
		return managed_text.image(desired.path)
	end

	function p.undo(desired, before)
		return managed_text.undo(desired.path, before, change_of(desired))
	end

	function p.watch(desired)
		return { desired.path }
	end
	return p
end

return text_part
