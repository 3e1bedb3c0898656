-- SPDX-License-Identifier: MIT
-- Provider: some lines between two marks in a file of which the rest is others'.
local core = ...
local edit = core.library("edit")
local managed_text = core.library("managed_text")

local block = {
	type = "block",
	module = "file_ops",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		path = { kind = "path", required = true, compare = false },
		content = { kind = "lines", severity = "high" },
		marker = { kind = "line", compare = false },
		insertafter = { kind = "line", compare = false },
		insertbefore = { kind = "line", compare = false },
		mode = { kind = "mode", compare = false },
	},
	impact = {
		[""] = "what reads this file does not find these lines, or finds some that should not be there",
		content = "what reads this file works with other lines than were meant",
	},
}

local function marks_of(desired)
	local marker = desired.marker or "# {mark} " .. desired.name
	return (marker:gsub("{mark}", "BEGIN")), (marker:gsub("{mark}", "END"))
end

function block.validate(desired)
	local first, last = marks_of(desired)
	if desired.ensure ~= "absent" and (desired.content or "") == "" then
		return "'content' is missing"
	elseif first == last then
		return "'marker' needs {mark} where BEGIN and END go: \"# {mark} ours\""
	elseif desired.insertafter and desired.insertbefore then
		return "either 'insertafter' or 'insertbefore'"
	end
	for one in ((desired.content or "") .. "\n"):gmatch("(.-)\n") do
		if one == first or one == last then
			return "'content' has the mark '" .. one .. "' in it"
		end
	end
end

local function change_of(desired)
	local first, last = marks_of(desired)
	local args = { state = desired.ensure, content = desired.content, insertafter = desired.insertafter, insertbefore = desired.insertbefore }
	return function(text) return edit.block("resource.block", text, args, first, last) end
end

function block.read(desired)
	local text, message = managed_text.read(desired.path)
	local found
	if not message then
		found, message = edit.found_block(text or "", marks_of(desired))
	end
	if message then
		return nil, message
	end
	return { ensure = found and "present" or "absent", content = found }
end

function block.apply(desired)
	return managed_text.edit(desired.path, desired.mode, change_of(desired))
end

function block.image(desired)
	return managed_text.image(desired.path)
end

function block.undo(desired, before)
	return managed_text.undo(desired.path, before, change_of(desired))
end

function block.watch(desired)
	return { desired.path }
end

return block
