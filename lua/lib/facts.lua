-- SPDX-License-Identifier: MIT
-- facts: what there is on this host. Each function gives a value, or nil and a message.
local core = ...
local arguments = core.library("arguments")
local machine = core.library("machine")
local facts = {}

-- What each function may be given: the host (this one) and, of some, one thing of many.
local function read(fn, extra, ...)
	local names, kinds = { "agent" }, { agent = "string?" }
	if extra then
		names, kinds = { extra, "agent" }, { agent = "string?", [extra] = "string?" }
	end
	local args = arguments.read("facts." .. fn, names, kinds, ...)
	if args.agent and not core.is_this_host(args.agent) then
		return nil, "no agent '" .. args.agent .. "' is known: facts are those of this host"
	end
	return args
end

local function one_of(list, field, wanted, what)
	if not wanted then
		return list
	end
	for _, one in ipairs(list) do
		if one[field] == wanted then
			return one
		end
	end
	return nil, "there is no " .. what .. " '" .. wanted .. "'"
end

-- Gathering.

local gather = {}

function gather.hostname()
	return core.uname().nodename
end

local function os_release()
	local values = {}
	for name, value in (machine.read("/etc/os-release") or machine.read("/usr/lib/os-release") or ""):gmatch("([%w_]+)=([^\n]*)") do
		values[name] = value:match('^"(.*)"$') or value
	end
	return values
end

local architectures = { x86_64 = "amd64", aarch64 = "arm64", i686 = "386", i386 = "386", armv7l = "arm", armv6l = "arm" }

-- What runs us, as far as /proc tells it; "": nothing that shows.
local function virtualization()
	if core.exists("/.dockerenv") then
		return "docker"
	elseif core.exists("/run/.containerenv") then
		return "podman"
	end
	local vendor = (machine.read("/sys/class/dmi/id/sys_vendor") or ""):lower()
	for word, name in pairs({ qemu = "kvm", vmware = "vmware", innotek = "virtualbox", xen = "xen", ["microsoft"] = "hyperv", ["amazon ec2"] = "amazon",
		["google"] = "google" }) do
		if vendor:find(word, 1, true) then
			return name
		end
	end
	return (machine.read("/proc/cpuinfo") or ""):find("\nflags[^\n]* hypervisor") and "vm" or ""
end

function gather.platform()
	local uname, release = core.uname(), os_release()
	local family = (release.ID_LIKE or release.ID or ""):match("%S*")
	return {
		os = uname.sysname:lower(), distribution = release.ID or "", name = release.PRETTY_NAME or "", family = family,
		version = release.VERSION_ID or "", architecture = architectures[uname.machine] or uname.machine, kernel = uname.sysname,
		kernel_version = uname.release, virtualization = virtualization(),
	}
end

function gather.memory()
	return machine.memory()
end

-- "\040" → " "
local function unescape(text)
	return (text:gsub("\\(%d%d%d)", function(digits)
		return string.char(tonumber(digits, 8))
	end))
end

function gather.mounts()
	local mounts = {}
	for device, place, kind, options in (machine.read("/proc/self/mounts") or ""):gmatch("(%S+) (%S+) (%S+) (%S+) [^\n]*\n") do
		mounts[#mounts + 1] = { device = unescape(device), mountpoint = unescape(place), fstype = kind, options = options }
	end
	return mounts
end

-- File systems that somebody else answers for may never answer: they are not asked for their size.
local remote = { nfs = true, nfs4 = true, cifs = true, smb3 = true, fuse = true, sshfs = true, ["9p"] = true, ceph = true, glusterfs = true, afs = true }

local function has_disk(mount)
	return mount.device:find("^/dev/") or mount.fstype == "overlay" or mount.fstype == "tmpfs" or mount.fstype == "zfs" or mount.fstype == "btrfs"
end

function gather.disk()
	local disks, seen = {}, {}
	for _, mount in ipairs(gather.mounts()) do
		local kind = mount.fstype:match("^[^.]*")
		local size = not remote[kind] and has_disk(mount) and not seen[mount.mountpoint] and machine.disk(mount.mountpoint)
		if size and size.total > 0 then
			seen[mount.mountpoint] = true
			size.device, size.mountpoint, size.fstype = mount.device, mount.mountpoint, mount.fstype
			disks[#disks + 1] = size
		end
	end
	return disks
end

local function line_of(path)
	return (machine.read(path) or ""):match("^[^\n]*")
end

function gather.network()
	local list, by_name = {}, {}
	for _, row in ipairs(core.interfaces()) do
		local one = by_name[row.name]
		if not one then
			local folder = "/sys/class/net/" .. row.name .. "/"
			local speed = math.tointeger(tonumber(line_of(folder .. "speed")))
			one = { name = row.name, mac = line_of(folder .. "address"), mtu = math.tointeger(tonumber(line_of(folder .. "mtu"))) or 0,
				is_up = row.up, speed = speed and speed > 0 and speed .. " Mb/s" or "", addresses = core.mark_list({}) }
			by_name[row.name] = one
			list[#list + 1] = one
		end
		if row.address then
			table.insert(one.addresses, row.address)
		end
	end
	return list
end

local function run(...)
	local raw = core.exec({ arguments = { ... }, capture = true, quiet = true, timeout_ms = 30000 })
	return raw.exit_code == 0 and raw.stdout or nil
end

-- What asks each manager for a line a package: name, version, architecture, description, by tabs.
local managers = {
	{ name = "apt", there = "/var/lib/dpkg/status",
		"dpkg-query", "-W", "-f", "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${binary:Summary}\n" },
	{ name = "rpm", there = "/usr/bin/rpm", "rpm", "-qa", "--qf", "installed\t%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SUMMARY}\n" },
	{ name = "pacman", there = "/usr/bin/pacman", "pacman", "-Q" },
	{ name = "apk", there = "/sbin/apk", "apk", "list", "--installed" },
}

local function manager()
	for _, row in ipairs(managers) do
		if core.exists(row.there) then
			return row
		end
	end
end

-- One line of the output: of those managers that say no more, name and version alone.
local lines = {
	pacman = function(line) return line:match("^(%S+) (%S+)$") end,
	apk = function(line)
		local name, version, architecture = line:match("^(%S+)%-(%d%S*) (%S+) ")
		return name, version, architecture
	end,
}

local function tabbed(line)
	local status, name, version, architecture, description = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
	if status == "installed" then
		return name, version, architecture, description
	end
end

function gather.packages()
	local row = manager()
	if not row then
		return nil, "no manager of packages is known here (apt, rpm, pacman, apk)"
	end
	local text = run(table.unpack(row))
	if not text then
		return nil, row[1] .. " has failed"
	end
	local packages = core.mark_list({})
	for line in text:gmatch("[^\n]+") do
		local name, version, architecture, description = (lines[row.name] or tabbed)(line)
		if name then
			packages[#packages + 1] = { name = name, version = version, architecture = architecture or "", description = description or "" }
		end
	end
	return { manager = row.name, installed_count = #packages, packages = packages }
end

function gather.services()
	if not core.exists("/run/systemd/system") then
		return nil, "systemd does not run here"
	end
	local text = run("systemctl", "list-units", "--type=service", "--all", "--plain", "--no-legend", "--no-pager")
	if not text then
		return nil, "systemctl has failed"
	end
	local services = core.mark_list({})
	for unit, load, active, state in text:gmatch("(%S+)%.service%s+(%S+)%s+(%S+)%s+(%S+)[^\n]*\n") do
		if load ~= "not-found" then
			services[#services + 1] = { name = unit, status = active, state = state }
		end
	end
	return services
end

function gather.users()
	local users = {}
	for name, uid, gid, home, shell in (machine.read("/etc/passwd") or ""):gmatch("([^:\n]+):[^:]*:(%d+):(%d+):[^:]*:([^:]*):([^\n]*)") do
		users[#users + 1] = { username = name, uid = uid, gid = gid, home = home, shell = shell }
	end
	return users
end

local states = { R = "running", Z = "zombie" }

function gather.processes()
	local count = { total = 0, running = 0, sleeping = 0, zombie = 0 }
	for _, pid in ipairs(fs.ls("/proc") or {}) do
		local state = pid:find("^%d+$") and (machine.read("/proc/" .. pid .. "/stat") or ""):match("^.*%) (%a)")
		if state then
			local word = states[state] or "sleeping"
			count.total = count.total + 1
			count[word] = count[word] + 1
		end
	end
	return count
end

function gather.uptime()
	local seconds = tonumber((machine.read("/proc/uptime") or "0"):match("^[%d.]+")) or 0
	local boot = math.tointeger(tonumber((machine.read("/proc/stat") or ""):match("\nbtime (%d+)"))) or 0
	return { seconds = math.floor(seconds), boot_time = boot, timezone = core.zone() }
end

function gather.load()
	local one, five, fifteen = (machine.read("/proc/loadavg") or ""):match("^([%d.]+) ([%d.]+) ([%d.]+)")
	return { tonumber(one) or 0, tonumber(five) or 0, tonumber(fifteen) or 0 }
end

function gather.kernel()
	local uname = core.uname()
	return { name = uname.sysname, version = uname.release }
end

-- What workflows call.

local function plain(fn, ...)
	local args, text = read("get_" .. fn, nil, ...)
	if not args then
		return nil, text
	end
	return gather[fn]()
end

function facts.get_hostname(...) return plain("hostname", ...) end
function facts.get_platform(...) return plain("platform", ...) end
function facts.get_memory(...) return plain("memory", ...) end
function facts.get_mounts(...) return plain("mounts", ...) end
function facts.get_packages(...) return plain("packages", ...) end
function facts.get_services(...) return plain("services", ...) end
function facts.get_users(...) return plain("users", ...) end
function facts.get_processes(...) return plain("processes", ...) end
function facts.get_uptime(...) return plain("uptime", ...) end
function facts.get_load(...) return plain("load", ...) end
function facts.get_kernel(...) return plain("kernel", ...) end

local function select_one(fn, gathered, extra, field, what, needed, ...)
	local args, text = read(fn, extra, ...)
	if not args then
		return nil, text
	elseif needed and not args[extra] then
		core.fail("facts." .. fn .. ": '" .. extra .. "' is missing")
	end
	local list, problem = gather[gathered]()
	if not list then
		return nil, problem
	end
	return one_of(list.packages or list, field, args[extra], what)
end

function facts.get_disk(...) return select_one("get_disk", "disk", "mountpoint", "mountpoint", "file system at", false, ...) end
function facts.get_network(...) return select_one("get_network", "network", "interface", "name", "interface", false, ...) end
function facts.get_service(...) return select_one("get_service", "services", "name", "name", "service", true, ...) end
function facts.get_user(...) return select_one("get_user", "users", "username", "username", "user", true, ...) end

-- One that is not installed is an answer, too.
function facts.get_package(...)
	local args, text = read("get_package", "name", ...)
	if not args then
		return nil, text
	elseif not args.name then
		core.fail("facts.get_package: 'name' is missing")
	end
	local all, problem = gather.packages()
	if not all then
		return nil, problem
	end
	local one = one_of(all.packages, "name", args.name, "package") or { name = args.name }
	one.installed = one.version ~= nil
	return one
end

-- All of it. What this host does not have is not in it.
function facts.get_all(...)
	local args, text = read("get_all", nil, ...)
	if not args then
		return nil, text
	end
	local all = { cpus = machine.cpus() }
	for name, fn in pairs(gather) do
		all[name] = fn()
	end
	all.architecture = all.platform.architecture
	return all
end

-- query("memory.total"), "$.disk[0].mountpoint": one value of what get_all() gives; only what is asked for is gathered.
function facts.query(...)
	local args, text = read("query", "path", ...)
	if not args then
		return nil, text
	elseif not args.path then
		core.fail("facts.query: 'path' is missing")
	end
	local steps = {}
	for name, index in args.path:gsub("^%$%.?", ""):gmatch("([%w_-]*)%[?(%d*)%]?") do
		if name ~= "" then
			steps[#steps + 1] = name
		end
		if index ~= "" then
			steps[#steps + 1] = math.tointeger(index) + 1 -- as in JSONPath, from 0
		end
	end
	local first = table.remove(steps, 1)
	local value, problem
	if gather[first] then
		value, problem = gather[first]()
	elseif first == "cpus" then
		value = machine.cpus()
	end
	for _, step in ipairs(steps) do
		value = type(value) == "table" and value[step] or nil
	end
	if value == nil then
		return nil, problem or "there is no fact '" .. args.path .. "'"
	end
	return value
end

return facts
