-- SPDX-License-Identifier: MIT
-- stow: packages of links (of configuration files, say), without stow(8). They give what result.lua says, and register the package.
local core = ...
local declared = core.library("declared")
local stow = {}

local aliases = { source = "source_dir", target = "target_dir", dir = "source_dir", name = "package" }
local kinds = {
	package = "string", source_dir = "string", target_dir = "string", create_target = "boolean?", verbose = "boolean?", no_folding = "boolean?",
	ignore = "any?",
}
local names = { "package", "source_dir", "target_dir", "create_target", "verbose", "no_folding", "ignore" }

-- "~" is the submitter's.
local function path_of(text)
	return core.path((text:gsub("^~%f[/\0]", core.getenv("HOME") or "~")))
end

local function read(fn, ...)
	local args = declared.read(fn, names, kinds, aliases, ...)
	core.acts(fn)
	args.source_dir, args.target_dir = path_of(args.source_dir), path_of(args.target_dir)
	return args
end

-- What was done, a line each, when that was asked for.
local function say(args, ok, message, res)
	if args.verbose then
		core.log("stow " .. args.package .. ": " .. tostring(message) .. "\n")
	end
	return ok, message, res
end

local function bring_about(args, ensure)
	return say(args, core.library("resource").stow(args.package .. " in " .. args.target_dir, {
		package = args.package, source = args.source_dir, target = args.target_dir, no_folding = args.no_folding, ignore = args.ignore, ensure = ensure,
	}))
end

-- link{ package, source_dir, target_dir [, create_target, no_folding, ignore, verbose] }
function stow.link(...)
	local args = read("stow.link", ...)
	local st = args.create_target == false and core.stat(args.target_dir)
	if args.create_target == false and not (st and st.type == "directory") then
		return core.library("result").bad("there is no directory " .. args.target_dir .. " (create_target = true makes it)")
	end
	return bring_about(args, "present")
end

-- Links of what is not in the package any more go in any case.
function stow.restow(...)
	return bring_about(read("stow.restow", ...), "present")
end

function stow.unlink(...)
	return bring_about(read("stow.unlink", ...), "absent")
end

-- ensure_target(path [, { owner, group, mode }])
function stow.ensure_target(...)
	local args = declared.read("stow.ensure_target", { "path", "owner", "mode", "group" },
		{ path = "string", owner = "any?", mode = "any?", group = "any?" }, {}, ...)
	core.acts("stow.ensure_target")
	return core.library("resource").directory({ path = path_of(args.path), owner = args.owner, group = args.group, mode = args.mode or "0755" })
end

return stow
