-- SPDX-License-Identifier: MIT
-- Provider: a key in a section of a file of which the rest is others'.
local core = ...
local ini = core.library("ini")
local managed_text = core.library("managed_text")
local on_disk = core.library("on_disk")

local function outer_blanks(value)
	return value:match("^%s*(.-)%s*$")
end

local key = {
	type = "ini",
	properties = {
		section = { kind = "line", compare = false },
		key = { kind = "line", required = true, compare = false },
		value = { kind = "string", equal = function(a, b) return outer_blanks(a) == outer_blanks(b) end },
	},
	impact = {
		[""] = "what reads this file works without a setting that was meant, or with one that was not",
		value = "what reads this file works with another value than was meant",
	},
}

function key.validate(desired)
	if desired.key:find("^[%s#;%[]") or desired.key:find("[=:]") or desired.key:find("%s$") then
		return "'" .. desired.key .. "' can't be a key: it begins with a letter or digit, and has no '=' or ':' in it"
	elseif desired.section and (desired.section:find("[%[%]]") or outer_blanks(desired.section) ~= desired.section) then
		return "'" .. desired.section .. "' can't be a section: its name is given without brackets"
	elseif desired.ensure ~= "absent" and not desired.value then
		return "'value' is missing"
	elseif desired.value and desired.value:find("[\n\r%z]") then
		return "'value' has one line"
	elseif desired.value and desired.value:find("\\%s*$") then
		return "'value' can't end with '\\': the next line would be taken for a part of it"
	end
end

function key.change_of(desired)
	local value = desired.ensure ~= "absent" and outer_blanks(desired.value) or nil
	return function(text) return ini.set(text, desired.section, desired.key, value) end
end

function key.found(text, desired)
	local value, message = ini.find(text, desired.section, desired.key)
	if message then
		return nil, desired.path .. ": " .. message
	end
	return { ensure = value and "present" or "absent", value = value }
end

-- All keys of the files that a selector means. The same name twice in a section is a list, and none of ours.
function key.list(selector)
	local files, message = on_disk.list(selector, "file", {})
	if not files then
		return nil, message
	end
	local list, notes = {}, message
	for _, file in ipairs(files) do
		local text
		text, message = managed_text.read(file.path)
		notes[#notes + 1] = not text and message or nil
		for _, one in ipairs(text and ini.all(text) or {}) do
			one.path, one.name = file.path, file.path .. ": " .. (one.section and "[" .. one.section .. "] " or "") .. one.key
			list[#list + 1] = one
		end
	end
	return list, notes
end

return core.library("text_part").provider(key)
