-- SPDX-License-Identifier: MIT
-- Watching: where a resource is heard of is watched, and then it is looked at.
local core = ...
local drift = core.library("drift")
local provider = core.library("provider")
local watching = {}

-- What the provider wants to be watched, or nil: it is found by detection only.
local function wants_of(p, row)
	local desired = drift.guarded(provider.registered, p, row.name, row.desired)
	local wants = desired and drift.guarded(p.watch, desired)
	return type(wants) == "table" and core.mark_list(wants) or nil
end

-- As drift.inspect(row).
function watching.inspect(row)
	local p = provider.find(row.type)
	if not core.watch(row.id, row.stack, p and p.watch and wants_of(p, row)) then
		return { id = row.id, type = row.type, name = row.name, state = "unwatched", findings = core.mark_list({}) }
	end
	local report = drift.inspect(row)
	core.looked(row.id)
	return report
end

return watching
