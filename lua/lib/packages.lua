-- SPDX-License-Identifier: MIT
-- Managers of packages: a row each, with the words of its commands. In these stand "%names" for names (or paths), and the names of
-- the row's `roots` for the words that mean another root, in which %R is that; none without one.
local core = ...
local tool = core.library("tool")
local packages = {}

-- A line a package: status, name, version.
local DPKG_LINE = "${db:Status-Status}\t${binary:Package}\t${Version}\n"
local RPM_LINE = "installed\t%{NAME}\t%{VERSION}-%{RELEASE}\n"

local function tabbed(line)
	return line:match("^(%S*)\t(%S*)\t(%S*)$")
end

-- pacman
local function spaced(line)
	local name, version = line:match("^(%S+) (%S+)$")
	return "installed", name, version
end

-- apk: "name-1.2-r3"
local function dashed(line)
	local name, version = line:match("^(%S-)%-(%d[^%s-]*%-r%d+)")
	return "installed", name, version
end

-- Nothing is asked: files of configuration that somebody changed stay as they are. A name that there is none of is no pattern.
local function apt(...)
	return { "apt-get", "%root", "-y", "-q", "-o", "DPkg::Options::=--force-confdef", "-o", "DPkg::Options::=--force-confold",
		"-o", "APT::Cmd::Pattern-Only=true", "-o", "DPkg::Lock::Timeout=120", ... }
end

-- Those whose packages rpm(8) keeps.
local function rpm(name, root, ...)
	local function by(...)
		return { name, "%root", ... }
	end
	return {
		name = name, program = name, needs = "rpm", version = "-", line = tabbed, none = "is not installed",
		roots = { root = root, rpm = { "--root=%R" } },
		query = { "rpm", "%rpm", "-q", "--qf", RPM_LINE, "%names" }, list = { "rpm", "%rpm", "-qa", "--qf", RPM_LINE },
		install = by("-y", "install", "%names"), install_file = by("-y", "install", "%names"), remove = by("-y", "remove", "%names"),
		update = by("-y", "makecache"), upgrade = by("-y", "upgrade"), upgrade_some = by("-y", "upgrade", "%names"),
		search = by("-q", "search", "%names"), info = by("-q", "info", "%names"), clean = by("clean", "all"), autoremove = by("-y", "autoremove"),
	}
end

local zypper = rpm("zypper", { "--root", "%R" })
zypper.version, zypper.autoremove = "=", nil
for name, word in pairs({ install = "install", install_file = "install", remove = "remove", upgrade_some = "update", search = "search", info = "info" }) do
	zypper[name] = { "zypper", "--non-interactive", "%root", word, "%names" }
end
for name, word in pairs({ update = "refresh", upgrade = "update", clean = "clean" }) do
	zypper[name] = { "zypper", "--non-interactive", "%root", word }
end

-- In the order in which they are looked for.
local managers = {
	{
		name = "apt", program = "dpkg-query", version = "=", line = tabbed, none = "no packages found",
		roots = {
			root = { "-o", "Dir=%R", "-o", "Dir::State::status=%R/var/lib/dpkg/status", "-o", "DPkg::Options::=--root=%R",
				"-o", "DPkg::Options::=--log=%R/var/log/dpkg.log" },
			query = { "--root=%R" }, dpkg = { "--root=%R", "--log=%R/var/log/dpkg.log" },
		},
		query = { "dpkg-query", "%query", "-W", "-f", DPKG_LINE, "%names" }, list = { "dpkg-query", "%query", "-W", "-f", DPKG_LINE },
		install = apt("--allow-downgrades", "install", "%names"), remove = apt("remove", "%names"), purge = apt("purge", "%names"),
		install_file = { "dpkg", "%dpkg", "--force-confdef", "--force-confold", "--install", "%names" },
		of_file = { "dpkg-deb", "-f", "%names", "Version" },
		update = apt("update"), upgrade = apt("upgrade"), upgrade_some = apt("--only-upgrade", "install", "%names"),
		search = { "apt-cache", "%root", "search", "--names-only", "%names" },
		info = { "apt-cache", "%root", "show", "--no-all-versions", "%names" },
		clean = apt("clean"), autoremove = apt("autoremove"),
	},
	rpm("dnf", { "--installroot=%R" }),
	zypper,
	rpm("yum", { "--installroot=%R" }),
	{
		name = "pacman", program = "pacman", line = spaced, none = "was not found", roots = { root = { "--root", "%R" } },
		query = { "pacman", "%root", "-Q", "%names" }, list = { "pacman", "%root", "-Q" },
		install = { "pacman", "%root", "--noconfirm", "-S", "%names" }, remove = { "pacman", "%root", "--noconfirm", "-R", "%names" },
		install_file = { "pacman", "%root", "--noconfirm", "-U", "%names" },
		update = { "pacman", "%root", "--noconfirm", "-Sy" }, upgrade = { "pacman", "%root", "--noconfirm", "-Su" },
		upgrade_some = { "pacman", "%root", "--noconfirm", "-S", "%names" },
		search = { "pacman", "%root", "-Ssq", "%names" }, info = { "pacman", "%root", "-Si", "%names" },
		clean = { "pacman", "%root", "--noconfirm", "-Sc" },
	},
	{
		name = "apk", program = "apk", version = "=", line = dashed, roots = { root = { "--root", "%R" } },
		query = { "apk", "%root", "info", "-e", "-v", "%names" }, list = { "apk", "%root", "info", "-v" },
		install = { "apk", "%root", "add", "%names" }, remove = { "apk", "%root", "del", "%names" },
		install_file = { "apk", "%root", "add", "--allow-untrusted", "%names" },
		update = { "apk", "%root", "update" }, upgrade = { "apk", "%root", "upgrade" },
		upgrade_some = { "apk", "%root", "add", "--upgrade", "%names" },
		search = { "apk", "%root", "search", "-q", "%names" }, info = { "apk", "%root", "info", "-a", "%names" },
		clean = { "apk", "%root", "cache", "clean" },
	},
}

packages.names = {}
for i, row in ipairs(managers) do
	packages.names[i] = row.name
end

-- The one of this host, or the one with this name. Or nil and a message.
function packages.manager(name)
	for _, row in ipairs(managers) do
		if row.name == name or not name and tool.path(row.program) and (not row.needs or tool.path(row.needs)) then
			return row
		end
	end
	return nil, "no manager of packages is known here (" .. table.concat(packages.names, ", ") .. ")"
end

-- Options can't be smuggled in as names, nor what apt-get takes for "remove it".
function packages.name_ok(name)
	return type(name) == "string" and name:find("^[%w][%w+._-]*:?[%w-]*$") ~= nil and name:sub(-1) ~= "-"
end

local function words_of(row, command, names, root)
	local words = {}
	for _, word in ipairs(row[command]) do
		local key = word:match("^%%(%l+)$")
		local more = key == "names" and names or key and (root and row.roots[key] or {}) or { word }
		for _, one in ipairs(more) do
			words[#words + 1] = key and key ~= "names" and one:gsub("%%R", function() return root end) or one
		end
	end
	return words
end

-- Runs one of the row's commands. What it gave; or nil, a message, what it gave.
function packages.run(row, command, names, root)
	if not row[command] then
		return nil, row.name .. " can't do that (" .. command:gsub("_", " ") .. ")"
	end
	return tool.run(words_of(row, command, names or {}, root))
end

local function nothing_found(row, raw)
	if row.none then
		return (raw.stdout .. raw.stderr):find(row.none, 1, true) ~= nil
	end
	return raw.exit_code == 1 and raw.stderr == ""
end

-- What is there of one: { status, version } or {}; or nil and a message.
function packages.look(row, name, root)
	local raw, message, failed = packages.run(row, "query", { name }, root)
	if not raw then
		return failed and nothing_found(row, failed) and {} or nil, message
	end
	local found = {}
	for line in raw.stdout:gmatch("[^\n]+") do
		local status, _, version = row.line(line)
		if version and (not found.status or status == "installed") then
			found = { status = status, version = version }
		end
	end
	return found
end

-- All that are installed: a list of { name, version }; or nil and a message.
function packages.list(row, root)
	local raw, message = packages.run(row, "list", {}, root)
	if not raw then
		return nil, message
	end
	local list = {}
	for line in raw.stdout:gmatch("[^\n]+") do
		local status, name, version = row.line(line)
		if name and status == "installed" then
			list[#list + 1] = { name = name, version = version }
		end
	end
	return core.mark_list(list)
end

return packages
