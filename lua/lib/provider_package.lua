-- SPDX-License-Identifier: MIT
-- Provider: packages, by the manager of the host or of another root.
local core = ...
local packages = core.library("packages")

-- "1.18.0" is kept by each revision of it: "1.18.0-6".
local function same_version(desired, actual)
	return desired == actual or actual:sub(1, #desired + 1) == desired .. "-"
end

local package = {
	type = "package",
	module = "pkg",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		version = { kind = "line", equal = same_version },
		source = { kind = "path", compare = false },
		purge = { kind = "boolean", compare = false },
		root = { kind = "path", compare = false },
		manager = { kind = "word", words = packages.names, compare = false },
	},
	impact = {
		[""] = "what needs this package finds it missing, or finds one that should not be there",
		version = "another version than was meant runs: its bugs, its formats",
	},
}

-- What dpkg says of one that is whole.
local WHOLE = { installed = true, ["triggers-awaited"] = true, ["triggers-pending"] = true }
local NONE = { ["not-installed"] = true, ["config-files"] = true }

function package.validate(desired)
	if not packages.name_ok(desired.name) then
		return "'" .. desired.name .. "' is not the name of a package"
	elseif desired.version and not desired.version:find("^[%w][%w.+:~*_-]*$") then
		return "'" .. desired.version .. "' is not a version"
	elseif desired.ensure == "absent" and (desired.version or desired.source) then
		return "a package that is absent has no 'version' and no 'source'"
	elseif desired.purge and desired.ensure ~= "absent" then
		return "'purge' is for ensure = \"absent\""
	end
end

-- A package from a file has the file's version.
function package.prepare(desired)
	local row, message = packages.manager(desired.manager)
	if not row then
		return nil, message
	elseif desired.version and not row.version and not desired.source then
		return nil, row.name .. " can't install a certain version: give its file as 'source'"
	elseif not desired.source or desired.version or not row.of_file then
		return true
	end
	local raw
	raw, message = packages.run(row, "of_file", { desired.source })
	if not raw then
		return nil, message
	end
	desired.version = raw.stdout:match("^(%S+)")
	return true
end

function package.read(desired)
	local row, message = packages.manager(desired.manager)
	local found
	if row then
		found, message = packages.look(row, desired.name, desired.root)
	end
	if not found then
		return nil, message
	elseif not found.status or NONE[found.status] then
		local left = found.status == "config-files" or nil
		if left and desired.ensure == "absent" and desired.purge then
			return { ensure = "left", found = "its configuration", configuration = true }
		end
		return { ensure = "absent", configuration = left }
	elseif not WHOLE[found.status] then
		return { ensure = desired.ensure == "absent" and "present" or "replaced", found = found.status, version = found.version }
	end
	return { ensure = "present", version = found.version }
end

local function install(row, desired, version)
	if desired.source then
		return packages.run(row, "install_file", { desired.source }, desired.root)
	end
	return packages.run(row, "install", { desired.name .. (version and row.version and row.version .. version or "") }, desired.root)
end

function package.apply(desired)
	local row, message = packages.manager(desired.manager)
	local done
	if not row then
		return nil, message
	elseif desired.ensure == "absent" then
		done, message = packages.run(row, desired.purge and row.purge and "purge" or "remove", { desired.name }, desired.root)
	else
		done, message = install(row, desired, desired.version)
	end
	return done and true or nil, message
end

function package.image(desired, actual)
	return { ensure = actual.ensure, version = actual.version, configuration = actual.configuration }
end

-- What was there is installed again from where the manager finds it.
function package.undo(desired, before)
	local row, message = packages.manager(desired.manager)
	local done
	if not row then
		return nil, message
	elseif before.ensure == "absent" then
		done, message = packages.run(row, not before.configuration and row.purge and "purge" or "remove", { desired.name }, desired.root)
	elseif before.ensure == "left" then
		return nil, "its configuration was removed, and is not kept"
	elseif not row.version then
		return nil, row.name .. " can't install version " .. before.version .. " again"
	else
		done, message = packages.run(row, "install", { desired.name .. row.version .. before.version }, desired.root)
	end
	return done and true or nil, message
end

-- Without versions, unless `exact`: an update would be drift.
function package.list(pattern, given, exact)
	local row, message = packages.manager(given.manager)
	local installed
	if row then
		installed, message = packages.list(row, given.root)
	end
	if not installed then
		return nil, message
	end
	local meant, list, count = core.library("selector").names(pattern), {}, {}
	for _, one in ipairs(installed) do
		local plain = one.name:match("^[^:]*")
		count[plain] = (count[plain] or 0) + 1
	end
	for _, one in ipairs(installed) do
		local plain = one.name:match("^[^:]*")
		if meant(one.name) or meant(plain) then
			-- The architecture is said where there are several.
			list[#list + 1] = { name = count[plain] > 1 and one.name or plain, version = exact and one.version or nil, root = given.root, manager = given.manager }
		end
	end
	return list
end

local FOLDERS = { apt = "/var/lib/dpkg/status", dnf = "/var/lib/rpm", yum = "/var/lib/rpm", zypper = "/var/lib/rpm",
	pacman = "/var/lib/pacman/local", apk = "/lib/apk/db/installed" }

-- The list of what is installed.
function package.watch(desired)
	local row = packages.manager(desired.manager)
	return row and { (desired.root or "") .. FOLDERS[row.name] } or nil
end

function package.suggest(desired, actual, name)
	local row = packages.manager(desired.manager)
	if not row or desired.root then
		return nil
	end
	local program = row.name == "apt" and "apt-get" or row.name
	local words = { apt = { "install", "remove" }, pacman = { "-S", "-R" }, apk = { "add", "del" } }
	local verb = (words[row.name] or { "install", "remove" })[desired.ensure == "absent" and 2 or 1]
	local version = desired.ensure ~= "absent" and desired.version and row.version and row.version .. desired.version or ""
	return program .. " " .. verb .. " " .. (desired.source or desired.name .. version)
end

return package
