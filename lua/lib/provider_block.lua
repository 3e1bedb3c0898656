-- SPDX-License-Identifier: MIT
-- Provider: some lines between two marks in a file of which the rest is others'.
local core = ...
local edit = core.library("edit")

local block = {
	type = "block",
	placed = true,
	properties = {
		content = { kind = "lines", severity = "high" },
		marker = { kind = "line", compare = false },
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
	end
	for one in ((desired.content or "") .. "\n"):gmatch("(.-)\n") do
		if one == first or one == last then
			return "'content' has the mark '" .. one .. "' in it"
		end
	end
end

function block.change_of(desired)
	local first, last = marks_of(desired)
	local args = { state = desired.ensure, content = desired.content, insertafter = desired.insertafter, insertbefore = desired.insertbefore }
	return function(text) return edit.block("resource.block", text, args, first, last) end
end

function block.found(text, desired)
	local found, message = edit.found_block(text, marks_of(desired))
	if message then
		return nil, message
	end
	return { ensure = found and "present" or "absent", content = found }
end

return core.library("text_part").provider(block)
