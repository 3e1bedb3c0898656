-- SPDX-License-Identifier: MIT
-- file_ops.unarchive: an archive as a resource, or where it would go with the run's own folder, unpacked and forgotten.
local core = ...
local drift = core.library("drift")
local provider = core.library("provider")
local result = core.library("result")
local unarchive = {}

local function bring_about(p, desired)
	local ok, message = drift.guarded(p.prepare, desired)
	local actual
	if ok then
		actual, message = drift.read(p, desired)
	end
	if not actual then
		return nil, message
	end
	local changes = drift.changes(p, desired, actual)
	if changes[1] then
		ok, message = drift.guarded(p.apply, desired, actual, changes)
	end
	return ok and true or nil, message, changes[1] ~= nil, desired.entries
end

local function unregistered(fn, args)
	local p = provider.find("archive")
	local desired = provider.desired(p, fn, args, true)
	local ok, message, changed, entries = bring_about(p, desired)
	if not ok then
		return result.bad(message)
	end
	return result.good(changed, "", { entries = entries })
end

function unarchive.run(fn, src, dest, args)
	local wanted = { path = dest, source = src, strip = args.strip, exclude = args.exclude, owner = args.owner, group = args.group }
	local ok, message, res
	if core.library("recorded").outlives_run(dest) then
		ok, message, res = core.library("resource").archive(wanted)
	else
		ok, message, res = unregistered(fn, wanted)
	end
	if not ok then
		return false, message, res
	end
	res.message = res.changed and src .. " extracted to " .. dest or dest .. " has all of " .. src
	res.src, res.dest = src, dest
	return res, res, res
end

return unarchive
