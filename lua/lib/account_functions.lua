-- SPDX-License-Identifier: MIT
-- What the modules user and group have in common: the same functions over lines of /etc/passwd and /etc/group.
local core = ...
local accounts = core.library("accounts")
local declared = core.library("declared")
local result = core.library("result")
local account_functions = {}

-- Adds to the module what both have. `of`: noun ("user"), file ("passwd"), aliases, kinds (name → kind of an argument), deletes (further
-- arguments of delete), info(args, fields), getters (function → field of what info gives). Gives back what the others are made of:
--   read(fn, names, more, …)    the arguments, and the whole name of the function
--   acting(fn, names, more, …)  the same, of one that changes something that must be there: arguments; or nil and the three of a failure
function account_functions.add(module, of)
	local base = {}

	-- `more`: kinds that differ.
	function base.read(fn, names, more, ...)
		fn = of.noun .. "." .. fn
		local all, known = { "name" }, { name = "string" }
		for _, name in ipairs(names) do
			all[#all + 1], known[name] = name, more[name] or of.kinds[name]
		end
		local args = declared.read(fn, all, known, of.aliases, ...)
		args.root = args.root and core.path(args.root)
		return args, fn
	end

	local function there(args)
		local fields, message = accounts.find(args.root, of.file, args.name)
		return fields, message, "there is no " .. of.noun .. " '" .. args.name .. "'"
	end

	function base.acting(fn_name, names, more, ...)
		local args, fn = base.read(fn_name, names, more, ...)
		core.acts(fn)
		local fields, message, missing = there(args)
		if not fields then
			return nil, table.pack(result.bad(message or missing, { name = args.name }))
		end
		return args, fn, fields
	end

	local function deleting(fn_name)
		return function(...)
			local names = { table.unpack(of.deletes) }
			names[#names + 1] = "root"
			local args, fn = base.read(fn_name, names, {}, ...)
			core.acts(fn)
			args.ensure = "absent"
			return core.library("resource")[of.noun](args)
		end
	end
	module.delete, module.remove = deleting("delete"), deleting("remove")

	function module.exists(...)
		local fields, message = there((base.read("exists", { "root" }, {}, ...)))
		if not fields and message then
			return nil, message
		end
		return fields ~= nil
	end

	local function info(fn, ...)
		local args = base.read(fn, { "root" }, {}, ...)
		local fields, message, missing = there(args)
		if not fields then
			return nil, message or missing
		end
		return of.info(args, fields)
	end

	function module.get_info(...)
		return info("get_info", ...)
	end

	for fn, field in pairs(of.getters) do
		module[fn] = function(...)
			local found, message = info(fn, ...)
			return found and found[field], message
		end
	end
	return base
end

-- All lines of the file as `make(args, fields)` shows them.
function account_functions.list(fn, file, names, kinds, make, ...)
	kinds.root = "string?"
	names[#names + 1] = "root"
	local args = core.library("arguments").read(fn, names, kinds, ...)
	args.root = args.root and core.path(args.root)
	local lines, message = accounts.lines(args.root, file)
	if not lines then
		return nil, message
	end
	local list = {}
	for _, fields in ipairs(lines) do
		list[#list + 1] = make(args, fields)
	end
	return core.mark_list(list)
end

return account_functions
