-- What every provider of resources promises. contract.check(TYPE, example): the example has
--   properties = the desired state, in a folder that is empty but for what before() puts there
--   before()   makes what was there before
--   found      false: resource.find can't find it
--   changes    name → a function that changes the thing in the world; drift must be found after each, and nothing after it was mended
--   given      what the daemon tells detection with the resource
--   told       list of the changes that the kernel tells of though its provider has some polled; "none" where a program stands for what
--              would be watched
-- Whatever changes is seen by the process that watches (fake-watcher.h), or its provider says that it polls.
local contract = {}

-- All that there is below the task's folder: names, kinds, modes, owners, targets, times, contents. Without what programs keep beside their
-- lists: "passwd-" is the one before the last change.
function contract.tree()
	local listing = exec.run("find . ! -name '*-' ! -name .pwd.lock -printf '%p %y %#m %U %G %l %s %T@\\n' | LC_ALL=C sort", { stream = false })
	local sums = exec.run("find . -type f ! -name '*-' -print0 | LC_ALL=C sort -z | xargs -0r sha256sum", { stream = false })
	local attributes = exec.run("getfattr -R -h -d -m user. . 2>/dev/null || true", { stream = false })
	return listing.stdout .. sums.stdout .. attributes.stdout
end

-- Without times: what was put back was written anew.
local function things(text)
	return (text:gsub("(%S+) [%d.]+\n", "%1\n"))
end

local function good(type_name, properties)
	local copy = {}
	for key, value in pairs(properties) do copy[key] = value end
	local ok, message, res = resource[type_name](copy)
	assert(ok, tostring(message))
	return res
end

local function row_of(res)
	return assert(stack.get_resource(res.type, res.name))
end

local function report(res)
	return resource.inspect(row_of(res))
end

local function in_sync(res, when)
	local found = report(res)
	assert(found.state == "in_sync" and #found.findings == 0, when .. ": " .. json.encode(found))
end

local function dry(type_name, example)
	local before = contract.tree()
	local copy = { dry_run = true }
	for key, value in pairs(example.properties) do copy[key] = value end
	local res = good(type_name, copy)
	assert(res.changed and res.dry_run and #res.changes > 0, "a dry run tells what would change")
	assert(contract.tree() == before, "a dry run changed something")
end

-- From now on the watcher looks after it, and nothing else.
local function watched(res, when, given)
	state.set("watch", { type = res.type, name = res.name, given = given })
	local first = state.get("watch")
	assert(first.state == "in_sync", when .. ": the watcher finds " .. json.encode(first))
	return first
end

-- Told of without being asked, or polled.
local function watcher_tells(res, how, name, state_wanted, since)
	if not how.polled then
		local seen = state.get("watch." .. state_wanted)
		assert(seen, res.type .. ": the watcher does not hear of '" .. name .. "' (" .. state_wanted .. "), and does not poll")
		log.info(("watched: %s %s (%s) after %.1f ms"):format(res.type, name, state_wanted, math.max(0, seen.at - since) * 1000))
	end
end

-- Runs change(); the watcher sees it.
function contract.seen(res, example, name, change)
	local how = example.told ~= "none" and watched(res, name, example.given) or { polled = true }
	for _, one in ipairs(type(example.told) == "table" and example.told or {}) do
		how.polled = how.polled and one ~= name
	end
	change()
	watcher_tells(res, how, name, "drifted", time.now())
	return how
end

local function drifts(type_name, res, example, name, change)
	local how = contract.seen(res, example, name, change)
	local found = report(res)
	assert(found.state == "drifted" and #found.findings > 0, type_name .. ": '" .. name .. "' is not seen: " .. json.encode(found))
	for _, one in ipairs(found.findings) do
		assert(one.cause == "changed" and one.kind and one.severity and one.expected ~= nil, json.encode(one))
	end
	local ok, message, mended = resource.fix(res.type, res.name)
	assert(ok, type_name .. ": '" .. name .. "' can't be mended: " .. tostring(message))
	assert(mended.changed, name)
	watcher_tells(res, how, name, "in_sync", time.now())
	in_sync(res, type_name .. ": after mending '" .. name .. "'")
	assert(not resource.fix(res.type, res.name).changed, "mending twice changed something")
end

-- Puts back what was before, byte for byte.
local function undone(type_name, example)
	local before = contract.tree()
	local res = good(type_name, example.properties)
	assert(res.changed)
	if example.irreversible then
		local ok, message = resource.undo(res)
		assert(ok == false and tostring(message):find(example.irreversible, 1, true), tostring(message))
		return
	end
	local ok, message = resource.undo(res)
	assert(ok, tostring(message))
	local after = contract.tree()
	assert(things(after) == things(before), type_name .. ": undo did not put back what was:\n" .. before .. "\n" .. after)
end

-- Providers that can say what there is find what they have brought about, and say it as it is.
local where = { "root", "file", "user", "manager", "backend" }
local findable = { file = true, directory = true, symlink = true, package = true, user = true, group = true, cron = true, sysctl = true, service = true }

local function found(type_name, example, res)
	local properties, given = row_of(res).properties, {}
	local key = properties.name and "name" or "path"
	if example.found == false or not findable[type_name] or properties.ensure == "absent" then return end
	for _, name in ipairs(where) do
		given[name] = properties[name]
	end
	local list = assert(resource.find(type_name, properties[key], given))
	assert(#list == 1 and list[1].name == res.name, json.encode(list))
	local report = resource.inspect({ type = type_name, name = res.name, desired = list[1].properties })
	assert(report.state == "in_sync", type_name .. ": what was found is not so: " .. json.encode(report))
end

function contract.check(type_name, example)
	if example.before then example.before() end
	dry(type_name, example)
	undone(type_name, example)
	if example.irreversible then
		if example.after then example.after() end
		if example.before then example.before() end
	end
	local res = good(type_name, example.properties)
	assert(res.changed and row_of(res).status == "applied", "the first time changes something")
	in_sync(res, type_name .. ": after it was applied")
	local tree = contract.tree()
	assert(not good(type_name, example.properties).changed, "the second time changes nothing")
	found(type_name, example, res)
	assert(contract.tree() == tree, "the second time, or looking what there is, wrote something")
	-- One order: each begins with what the mending of the one before left.
	local names = {}
	for name in pairs(example.changes) do names[#names + 1] = name end
	table.sort(names)
	for _, name in ipairs(names) do
		drifts(type_name, res, example, name, example.changes[name])
	end
	if example.after then example.after() end
	log.info("contract of " .. type_name .. " kept: " .. (example.name or res.name:match("[^/]*$")))
end

-- The same of providers that only look. changes: name → { change, mend }: both are done by others.
function contract.looks(type_name, example)
	local before = contract.tree()
	local res = good(type_name, example.properties)
	assert(not res.changed and row_of(res).status == "applied", "it is as wanted, and was changed")
	in_sync(res, type_name .. ": after it was looked at")
	for name, by in pairs(example.changes) do
		local how = contract.seen(res, example, name, by[1])
		local found = report(res)
		assert(found.state == "drifted" and found.findings[1].kind == "state", type_name .. ": '" .. name .. "' is not seen: " .. json.encode(found))
		local ok, message = resource.fix(res.type, res.name)
		assert(ok == false and #tostring(message) > 20, type_name .. ": '" .. name .. "' can't be mended by looking")
		by[2]()
		watcher_tells(res, how, name, "in_sync", time.now())
		in_sync(res, type_name .. ": after '" .. name .. "' was mended")
		assert(resource.fix(res.type, res.name).changed == false)
	end
	assert(contract.tree() == before, "looking changed something")
	log.info("contract of " .. type_name .. " kept: " .. (example.name or res.name))
end

return contract
