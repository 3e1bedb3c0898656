-- SPDX-License-Identifier: MIT
-- Settings of the kernel: files below /proc/sys, and files with lines "name = value" that say what they are at the start.
local core = ...
local managed_text = core.library("managed_text")
local kernel = { image = managed_text.image, undo = managed_text.undo }

kernel.FILE = "/etc/sysctl.d/99-sloth.conf"

-- Values of several words stand with tabs or blanks between them.
function kernel.plain(value)
	return (tostring(value):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- "net.ipv4.ip_forward", or "net/ipv4/conf/eth0.1/forwarding": the sign that comes first parts them. nil: it is no name.
local function parts_of(name)
	local slashes = name:match("[./]") == "/"
	local parts = {}
	for part in (name .. (slashes and "/" or ".")):gmatch(slashes and "([^/]*)/" or "([^.]*)%.") do
		part = slashes and part or part:gsub("/", ".")
		if not part:find("^[%w_:@.-]+$") or part:find("^%.+$") then
			return nil
		end
		parts[#parts + 1] = part
	end
	return parts[1] and parts or nil
end

function kernel.path(name, root)
	local parts = parts_of(name)
	return parts and (root or "") .. "/proc/sys/" .. table.concat(parts, "/")
end

-- The value as the kernel has it; or nil and a message.
function kernel.read(name, root)
	local file, message = io.open(kernel.path(name, root), "r")
	if not file then
		return nil, message
	end
	local text
	text, message = file:read("a")
	file:close()
	return text and kernel.plain(text), message
end

function kernel.write(name, value, root)
	local file, message = io.open(kernel.path(name, root), "w")
	if not file then
		return nil, message
	end
	local ok
	ok, message = file:write(value, "\n")
	local closed, text = file:close()
	if not ok or not closed then
		return nil, "the kernel takes no '" .. value .. "' for " .. name .. ": " .. (message or text or "")
	end
	return true
end

-- "name = value", "-name = value" (an error of it doesn't matter); in another spelling the same name.
local function line_of(line)
	local name, value = line:match("^%s*%-?%s*([^%s=#;]+)%s*=%s*(.-)%s*$")
	local parts = name and parts_of(name)
	return parts and table.concat(parts, "/"), value
end

local function each_line(text)
	return (text ~= "" and text:gsub("\n$", "") .. "\n" or ""):gmatch("(.-)\n")
end

-- What a file says of it, the last one that does; nil: nothing; or nil and a message.
function kernel.kept(path, name)
	local text, message = managed_text.read(path)
	local wanted, found = table.concat(parts_of(name), "/"), nil
	for line in each_line(text or "") do
		local one, value = line_of(line)
		found = one == wanted and value or found
	end
	return found, message
end

-- Names of the settings in a file, with dots, each once; or nil and a message.
function kernel.kept_names(path)
	local text, message = managed_text.read(path)
	local seen, list = {}, {}
	for line in each_line(text or "") do
		local name = line_of(line)
		if name and not seen[name] then
			seen[name], list[#list + 1] = true, name:gsub("[./]", { ["."] = "/", ["/"] = "." })
		end
	end
	return not message and list or nil, message
end

-- The text of such a file with this value, or with nil without it.
function kernel.with(text, name, value)
	local wanted, kept, at = table.concat(parts_of(name), "/"), {}, nil
	for line in each_line(text) do
		if line_of(line) == wanted then
			at = at or #kept + 1
		else
			kept[#kept + 1] = line
		end
	end
	if value then
		table.insert(kept, at or #kept + 1, name .. " = " .. value)
	end
	return kept[1] and table.concat(kept, "\n") .. "\n" or ""
end

function kernel.edit(path, change)
	return managed_text.edit(path, "0644", change)
end

-- Names of all, those with `pattern` in them.
function kernel.names(pattern)
	local list, folders = {}, { "" }
	while folders[1] do
		local folder = table.remove(folders)
		for _, name in ipairs(fs.ls("/proc/sys/" .. folder) or {}) do
			local path = folder .. name
			local st = core.stat("/proc/sys/" .. path, true)
			if st and st.type == "directory" then
				folders[#folders + 1] = path .. "/"
			elseif st and st.type == "file" then
				local dotted = path:gsub("[./]", { ["."] = "/", ["/"] = "." })
				list[#list + 1] = (not pattern or dotted:find(pattern, 1, true)) and dotted or nil
			end
		end
	end
	table.sort(list)
	return list
end

return kernel
