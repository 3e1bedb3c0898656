-- SPDX-License-Identifier: MIT
-- sysctl: settings of the kernel. Those that change something give what result.lua says, and register the setting.
local core = ...
local declared = core.library("declared")
local kernel = core.library("kernel_settings")
local result = core.library("result")
local tool = core.library("tool")
local sysctl = {}

local kinds = { name = "string", value = "any", file = "string?", root = "string?", pattern = "string?" }

local function read(fn, names, ...)
	fn = "sysctl." .. fn
	local known = {}
	for _, name in ipairs(names) do
		known[name] = kinds[name]
	end
	local args = declared.read(fn, names, known, { param = "name", key = "name", parameter = "name" }, ...)
	if args.name and not kernel.path(args.name) then
		core.fail(fn .. ": '" .. args.name .. "' is not the name of a setting (\"net.ipv4.ip_forward\")")
	end
	args.root = args.root and core.path(args.root)
	args.file = args.file and core.path(args.file)
	return args, fn
end

local function set(fn_name, persistent)
	return function(...)
		local args, fn = read(fn_name, { "name", "value", persistent and "file" or "root", persistent and "root" or nil }, ...)
		core.acts(fn)
		local value = args.value
		if type(value) == "boolean" then
			value = value and "1" or "0"
		elseif type(value) ~= "string" and type(value) ~= "number" then
			core.fail(fn .. ": 'value' must be a text, a number or a boolean, not a " .. type(value))
		end
		return core.library("resource").sysctl({ name = args.name, value = tostring(value), persistent = persistent, file = args.file, root = args.root })
	end
end
sysctl.set, sysctl.set_persistent = set("set", false), set("set_persistent", true)

-- remove(name [, file]): it is no more set at the start. What the kernel has now stays.
function sysctl.remove(...)
	local args, fn = read("remove", { "name", "file", "root" }, ...)
	core.acts(fn)
	return core.library("resource").sysctl({ name = args.name, ensure = "absent", file = args.file, root = args.root })
end

local function load(fn, ...)
	local raw, message = tool.run({ "sysctl", "-q", ... })
	if not raw then
		return result.bad(fn .. ": " .. message)
	end
	return result.good(true, "settings of the kernel are loaded", { output = raw.stdout })
end

-- reload([file]): what the file sets.
function sysctl.reload(...)
	local args, fn = read("reload", { "file" }, ...)
	core.acts(fn)
	return load(fn, "-p", args.file)
end

-- apply(): what all files set.
function sysctl.apply(...)
	local _, fn = read("apply", {}, ...)
	core.acts(fn)
	return load(fn, "--system")
end

-- What asks: a value, or nil and a message.

function sysctl.get(...)
	local args = read("get", { "name", "root" }, ...)
	return kernel.read(args.name, args.root)
end

function sysctl.exists(...)
	local args = read("exists", { "name", "root" }, ...)
	return core.exists(kernel.path(args.name, args.root))
end

-- list([pattern]): a list of { name, value } of those that may be read.
function sysctl.list(...)
	local args = read("list", { "pattern" }, ...)
	local list = {}
	for _, name in ipairs(kernel.names(args.pattern)) do
		local value = kernel.read(name)
		list[#list + 1] = value and { name = name, value = value } or nil
	end
	return core.mark_list(list)
end

return sysctl
