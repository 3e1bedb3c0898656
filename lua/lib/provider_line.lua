-- SPDX-License-Identifier: MIT
-- Provider: one line in a file of which the rest is others'.
local core = ...
local edit = core.library("edit")

local line = {
	type = "line",
	placed = true,
	properties = {
		line = { kind = "line" },
		regexp = { kind = "line", compare = false },
	},
	impact = {
		[""] = "what reads this file does not find the line, or finds one that should not be there",
		line = "what reads this file works with another line than was meant",
	},
}

function line.validate(desired)
	if desired.ensure ~= "absent" and not desired.line then
		return "'line' is missing"
	elseif not desired.line and not desired.regexp then
		return "'line' or 'regexp' is needed"
	end
end

function line.change_of(desired)
	local change = desired.ensure == "absent" and edit.without_line or edit.line
	return function(text) return (change("resource.line", text, desired)) end
end

function line.found(text, desired)
	local found = edit.found_line("resource.line", text, desired)
	return { ensure = found and "present" or "absent", line = found }
end

return core.library("text_part").provider(line)
