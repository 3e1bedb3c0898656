-- SPDX-License-Identifier: MIT
-- Provider: one line in a file of which the rest is others'.
local core = ...
local edit = core.library("edit")
local managed_text = core.library("managed_text")

local line = {
	type = "line",
	module = "file_ops",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		path = { kind = "path", required = true, compare = false },
		line = { kind = "line" },
		regexp = { kind = "line", compare = false },
		insertafter = { kind = "line", compare = false },
		insertbefore = { kind = "line", compare = false },
		mode = { kind = "mode", compare = false },
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
	elseif desired.insertafter and desired.insertbefore then
		return "either 'insertafter' or 'insertbefore'"
	end
end

local function change_of(desired)
	local change = desired.ensure == "absent" and edit.without_line or edit.line
	return function(text) return (change("resource.line", text, desired)) end
end

function line.read(desired)
	local text, message = managed_text.read(desired.path)
	if message then
		return nil, message
	end
	local found = edit.found_line("resource.line", text or "", desired)
	return { ensure = found and "present" or "absent", line = found }
end

function line.apply(desired)
	return managed_text.edit(desired.path, desired.mode, change_of(desired))
end

function line.image(desired)
	return managed_text.image(desired.path)
end

function line.undo(desired, before)
	return managed_text.undo(desired.path, before, change_of(desired))
end

function line.watch(desired)
	return { desired.path }
end

return line
