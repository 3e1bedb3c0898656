-- SPDX-License-Identifier: MIT
-- pkg: packages of the host's manager (or of another root). Those that change something give what result.lua says, and register each
-- package.
local core = ...
local arguments = core.library("arguments")
local packages = core.library("packages")
local result = core.library("result")
local pkg = {}

local aliases = { name = "packages", package = "packages", query = "packages", pattern = "packages", names = "packages", path = "source", file = "source" }

local kinds = {
	packages = "any?", version = "string?", source = "string?", root = "string?", manager = "string?", purge = "boolean?",
	update_cache = "boolean?", state = "string?",
}

-- ("nginx"), ({ "nginx", "redis" }), either with a table of options, or one table. `first`: what stands at the first position.
local function read(fn, names, first, value, options, ...)
	fn = "pkg." .. fn
	local args = {}
	if select("#", ...) > 0 or options ~= nil and type(options) ~= "table" then
		core.fail(fn .. " takes one value and a table of options (its arguments: " .. table.concat(names, ", ") .. ")")
	end
	local plain = type(value) == "table" and getmetatable(value) == nil and value[1] == nil
	for key, one in pairs(plain and value or options or {}) do
		args[kinds[key] and key or aliases[key] == first and first or key] = one
	end
	if not plain and value ~= nil then
		args[first] = value
	end
	local known = {}
	for _, name in ipairs(names) do
		known[name] = kinds[name]
	end
	return arguments.read(fn, names, known, args), fn
end

-- The names that are asked for; "nginx=1.18.0" has a version, too.
local function names_of(fn, args, needed)
	local value = args.packages
	local list, versions = {}, {}
	if type(value) == "string" then
		value = { value }
	elseif value ~= nil and type(value) ~= "table" then
		core.fail(fn .. ": 'packages' must be a name or a list of names, not a " .. type(value))
	end
	for i, one in ipairs(value or {}) do
		local name, version = tostring(one):match("^([^=]+)=(.+)$")
		list[i] = name or tostring(one)
		versions[list[i]] = version
		if not packages.name_ok(list[i]) then
			core.fail(fn .. ": '" .. tostring(one) .. "' is not the name of a package")
		end
	end
	if needed and not list[1] then
		core.fail(fn .. ": 'packages' is missing (a name, or a list of names)")
	end
	return list, versions
end

local function manager_of(args)
	return packages.manager(args.manager)
end

local function root_of(args)
	return args.root and core.path(args.root)
end

-- Of several that are not there: one command for all, before each is looked at.
local function together(row, command, list, args, wanted)
	local names = {}
	for _, name in ipairs(list) do
		local found, message = packages.look(row, name, root_of(args))
		if not found then
			return nil, message
		elseif (found.status == "installed") ~= wanted then
			names[#names + 1] = name
		end
	end
	if not names[2] then
		return names
	end
	local done, message = packages.run(row, command, names, root_of(args))
	return done and names, message
end

local function summary(changed, verb)
	return changed[1] and verb .. " " .. table.concat(changed, ", ") or "packages are as wanted"
end

-- Each of them as a resource; what was done for all of them before counts as change.
local function each(list, before, verb, declare)
	local done, changed, results = {}, {}, {}
	for _, name in ipairs(before) do
		done[name] = true
	end
	for i, name in ipairs(list) do
		local ok, message, res = declare(name)
		if not ok then
			return result.bad(message, res)
		end
		results[i] = { name = name, changed = res.changed or done[name] or false }
		changed[#changed + 1] = results[i].changed and name or nil
	end
	return result.good(changed[1] ~= nil, summary(changed, verb), { packages = core.mark_list(results) })
end

local function declare(properties)
	return core.library("resource").package(properties)
end

local INSTALL = { "packages", "version", "root", "manager", "update_cache", "state", "source" }

-- install(packages [, { version, state = "present" | "latest", update_cache, source, root, manager }])
function pkg.install(...)
	local args, fn = read("install", INSTALL, "packages", ...)
	core.acts(fn)
	local list, versions = names_of(fn, args, true)
	if args.state and args.state ~= "present" and args.state ~= "latest" then
		core.fail(fn .. ": 'state' must be 'present' or 'latest', not '" .. args.state .. "'")
	elseif (args.version or args.source) and list[2] then
		core.fail(fn .. ": a 'version' and a 'source' are for one package")
	end
	local row, message = manager_of(args)
	local before, ok = {}, true
	if row and args.update_cache then
		ok, message = packages.run(row, "update", {}, root_of(args))
	end
	if row and ok and list[2] and not next(versions) then
		before, message = together(row, "install", list, args, true)
	end
	if not row or not ok or not before then
		return result.bad(fn .. ": " .. message)
	end
	local res = table.pack(each(list, before, "installed", function(name)
		return declare({ name = name, version = args.version or versions[name], source = args.source, root = args.root, manager = args.manager })
	end))
	if res[1] and args.state == "latest" then
		return pkg.upgrade({ packages = list, root = args.root, manager = args.manager, before = res[1] })
	end
	return table.unpack(res, 1, res.n)
end

-- install_local(path of a package [, { name, root, manager }])
function pkg.install_local(...)
	local args, fn = read("install_local", { "source", "packages", "root", "manager" }, "source", ...)
	core.acts(fn)
	if not args.source then
		core.fail(fn .. ": 'source' is missing (the path of a package)")
	end
	local name = args.packages
	if not name then
		local raw, message = core.library("tool").run({ "dpkg-deb", "-f", core.path(args.source), "Package" })
		if not raw then
			return result.bad(fn .. ": " .. message)
		end
		name = raw.stdout:match("^(%S+)")
	end
	return declare({ name = name, source = args.source, root = args.root, manager = args.manager })
end

-- remove(packages [, { purge, root, manager }])
function pkg.remove(...)
	local args, fn = read("remove", { "packages", "purge", "root", "manager" }, "packages", ...)
	core.acts(fn)
	local list = names_of(fn, args, true)
	local row, message = manager_of(args)
	local before = {}
	if row and list[2] then
		before, message = together(row, args.purge and row.purge and "purge" or "remove", list, args, false)
	end
	if not row or not before then
		return result.bad(fn .. ": " .. message)
	end
	return each(list, before, "removed", function(name)
		return declare({ name = name, ensure = "absent", purge = args.purge, root = args.root, manager = args.manager })
	end)
end

local function installed(row, args)
	local list, message = packages.list(row, root_of(args))
	local versions = {}
	for _, one in ipairs(list or {}) do
		versions[one.name] = one.version
	end
	return list and versions, message
end

local function differences(before, after)
	local list = {}
	for name, version in pairs(after) do
		if before[name] ~= version then
			list[#list + 1] = name .. " " .. version
		end
	end
	for name in pairs(before) do
		if not after[name] then
			list[#list + 1] = name .. " (removed)"
		end
	end
	table.sort(list)
	return list
end

-- Runs one of the manager's commands, and tells what is installed otherwise than before.
local function act(fn, args, command, names, verb, also)
	local row, message = manager_of(args)
	local before, after, done
	if row then
		before, message = installed(row, args)
	end
	if before then
		done, message = packages.run(row, command, names, root_of(args))
	end
	if done then
		after, message = installed(row, args)
	end
	if not after then
		return result.bad(fn .. ": " .. message)
	end
	local list = differences(before, after)
	return result.good(list[1] ~= nil or also or false, summary(list, verb), { packages = core.mark_list(list), output = done.stdout })
end

-- upgrade([packages] [, { root, manager }]): all that are installed, or some.
function pkg.upgrade(...)
	local given = ...
	local before = type(given) == "table" and given.before or nil
	if before then
		given.before = nil
	end
	local args, fn = read("upgrade", { "packages", "root", "manager" }, "packages", ...)
	core.acts(fn)
	local list = names_of(fn, args)
	return act(fn, args, list[1] and "upgrade_some" or "upgrade", list, "upgraded", before and before.changed)
end

-- autoremove([{ root, manager }]): what was installed only because others needed it.
function pkg.autoremove(...)
	local args, fn = read("autoremove", { "root", "manager" }, "root", ...)
	core.acts(fn)
	return act(fn, args, "autoremove", {}, "removed")
end

local function upkeep(name, message)
	pkg[name] = function(...)
		local args, fn = read(name, { "root", "manager" }, "root", ...)
		core.acts(fn)
		local row, text = manager_of(args)
		local raw
		if row then
			raw, text = packages.run(row, name, {}, root_of(args))
		end
		if not raw then
			return result.bad(fn .. ": " .. text)
		end
		return result.good(true, message, { output = raw.stdout })
	end
end
upkeep("update", "lists of packages are up to date")
upkeep("clean", "what was downloaded is removed")

-- What asks: a value, or nil and a message.

local function ask(fn, ...)
	local args
	args, fn = read(fn, { "packages", "root", "manager" }, "packages", ...)
	local list = names_of(fn, args, true)
	local row, message = manager_of(args)
	if not row then
		return nil, message
	end
	return row, list[1], root_of(args)
end

-- Its version, or nil (and a message when that can't be known).
function pkg.version(...)
	local row, name, root = ask("version", ...)
	local found, message
	if row then
		found, message = packages.look(row, name, root)
	end
	if not row or not found then
		return nil, message or name
	elseif found.status ~= "installed" then
		return nil, name .. " is not installed"
	end
	return found.version
end

function pkg.is_installed(...)
	local row, name, root = ask("is_installed", ...)
	local found, message
	if row then
		found, message = packages.look(row, name, root)
	end
	if not found then
		return nil, message or name
	end
	return found.status == "installed"
end

-- What the manager tells of it, with the version that is installed.
function pkg.info(...)
	local row, name, root = ask("info", ...)
	if not row then
		return nil, name
	end
	local raw, message = packages.run(row, "info", { name }, root)
	if not raw then
		return nil, message
	end
	local found = packages.look(row, name, root) or {}
	local here = found.status == "installed"
	return { name = name, installed = here, version = here and found.version or nil, text = raw.stdout, manager = row.name }
end

-- A list of lines: names, and with some managers what they are.
function pkg.search(...)
	local args, fn = read("search", { "packages", "root", "manager" }, "packages", ...)
	local query = args.packages
	if type(query) ~= "string" or query == "" or query:find("^%-") then
		core.fail(fn .. ": what is searched for must be a text that doesn't begin with '-'")
	end
	local row, message = manager_of(args)
	local raw
	if row then
		raw, message = packages.run(row, "search", { query }, root_of(args))
	end
	if not raw then
		return nil, message
	end
	local list = {}
	for line in raw.stdout:gmatch("[^\n]+") do
		local name, text = line:match("^(%S+) %- (.*)$")
		list[#list + 1] = { name = name or line, description = text or "" }
	end
	return core.mark_list(list)
end

-- What is installed: a list of { name, version }.
function pkg.list(...)
	local args = read("list", { "root", "manager" }, "root", ...)
	local row, message = manager_of(args)
	if not row then
		return nil, message
	end
	return packages.list(row, root_of(args))
end

-- "apt", "dnf" …
function pkg.get_manager(...)
	local row, message = manager_of((read("get_manager", { "manager" }, "manager", ...)))
	return row and row.name or nil, message
end

return pkg
