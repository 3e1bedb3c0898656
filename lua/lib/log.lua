-- SPDX-License-Identifier: MIT
-- log: lines in the log of the task. Words of several arguments are joined like print's.
local core = ...
local log = {}

local levels = {
	info = "", print = "", success = "success: ", warning = "warning: ", warn = "warning: ", error = "error: ", debug = "debug: ",
}

local function show(v, indent, seen)
	-- A protected metatable: something that stands for a text, like the result of a command.
	if type(v) ~= "table" or getmetatable(v) == false then
		return tostring(v)
	elseif seen[v] then
		return "(itself)"
	end
	seen[v] = true
	local lines, names = {}, {}
	for key in pairs(v) do
		names[#names + 1] = key
	end
	table.sort(names, function(a, b)
		if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
			return a < b
		end
		return type(a) < type(b)
	end)
	for _, key in ipairs(names) do
		local value = show(v[key], indent .. "  ", seen)
		lines[#lines + 1] = indent .. tostring(key) .. ":" .. (value:find("^\n") and value or " " .. value)
	end
	seen[v] = nil
	return #lines == 0 and "{}" or "\n" .. table.concat(lines, "\n")
end

for name, prefix in pairs(levels) do
	log[name] = function(...)
		local words = table.pack(...)
		for i = 1, words.n do
			words[i] = type(words[i]) == "table" and show(words[i], "  ", {}) or tostring(words[i])
		end
		core.log(prefix .. table.concat(words, "\t") .. "\n")
		core.log_room()
	end
end

-- log.table(value [, title])
log["table"] = function(value, title)
	local text = show(value, "  ", {}):gsub("^\n", "")
	core.log((title and tostring(title) .. ":\n" or "") .. text .. "\n")
	core.log_room()
end

return log
