-- SPDX-License-Identifier: MIT
-- Drift: how a thing in the world differs from what is desired, and whether somebody changed it, or it was never brought about.
local core = ...
local property = core.library("property")
local provider = core.library("provider")
local drift = {}

local KINDS_OF_WHOLE = { absent = "high", replaced = "high", present = "medium" }

-- What is not compared: the name, and what only says how.
local function is_compared(p, name)
	return name ~= p.key and name ~= "ensure" and p.properties[name] and p.properties[name].compare ~= false
end

-- The whole thing: it is missing, there is something else in its place, or it should not be there.
local function whole(desired, actual)
	local expected, there = desired.ensure or "present", actual.ensure or "present"
	if expected == "absent" and there ~= "absent" or expected ~= "absent" and (there == "absent" or there == "replaced") then
		return { property = "", expected = expected, actual = actual.found or there }
	end
end

-- A list of { property, expected, actual }; the property "" is the whole thing.
function drift.changes(p, desired, actual)
	if p.diff then
		return p.diff(desired, actual)
	end
	local change = whole(desired, actual)
	if change then
		return { change }
	end
	local changes = {}
	for _, name in ipairs(desired.ensure ~= "absent" and provider.keys(desired) or {}) do
		if is_compared(p, name) and not property.equal(p.properties[name], desired[name], actual[name]) then
			changes[#changes + 1] = { property = name, expected = desired[name], actual = actual[name] }
		end
	end
	return changes
end

-- An error of a provider's function is a message, but not the end of the task.
local function guarded(fn, ...)
	local answer = table.pack(pcall(fn, ...))
	if answer[1] then
		return table.unpack(answer, 2, answer.n)
	elseif core.ending() then
		core.error(answer[2], 0)
	end
	return nil, tostring(answer[2])
end
drift.guarded = guarded

-- Bytes that are no UTF-8 could be told to nobody, and who writes them somewhere would keep us from seeing and mending it.
local function readable(value)
	if type(value) == "string" then
		return utf8.len(value) and value or (value:gsub("[\x80-\xff]", "\u{FFFD}"))
	end
	for key, item in pairs(type(value) == "table" and value or {}) do
		local text = readable(item)
		if text ~= item then
			value[key] = text
		end
	end
	return value
end

-- What there is, or nil and a message. `given`: what detection was given with the resource, as nobody can be asked then.
function drift.read(p, desired, given)
	local actual, message = guarded(p.read, desired, given)
	if type(actual) ~= "table" then
		return nil, message or "the provider of " .. p.type .. " can't say what there is"
	end
	return readable(actual)
end

local function show(p, name, value)
	local row = p.properties[name]
	return row and property.show(row, value) or value
end

-- For people and reports. `hidden`: a set of properties whose values nobody is told.
function drift.shown(p, changes, hidden)
	local list = {}
	for i, change in ipairs(changes) do
		local secret = hidden and hidden[change.property]
		list[i] = {
			property = change.property,
			expected = secret and "<sensitive>" or show(p, change.property, change.expected),
			actual = secret and "<sensitive>" or show(p, change.property, change.actual),
		}
	end
	return list
end

-- "changed": somebody did it after us. "unapplied": it was not brought about yet.
local function cause(p, change, applied, actual)
	if not applied then
		return "unapplied"
	elseif change.property == "" then
		return (applied.ensure or "present") == (actual.ensure or "present") and "unapplied" or "changed"
	end
	local row = p.properties[change.property]
	local before = applied[change.property]
	return (before == nil or row and property.equal(row, before, change.actual)) and "unapplied" or "changed"
end

local function severity(p, change, actual)
	local row = p.properties[change.property == "" and "ensure" or change.property] or {}
	return change.severity or row.severity or change.property == "" and KINDS_OF_WHOLE[actual.ensure or "present"] or "medium"
end

local function kind(p, change)
	local row = p.properties[change.property == "" and "ensure" or change.property] or {}
	return row.state and "state" or change.property == "" and "resource" or "configuration"
end

local function finding(p, change, desired, actual, applied)
	return {
		property = change.property,
		kind = change.kind or kind(p, change),
		severity = severity(p, change, actual),
		expected = show(p, change.property, change.expected),
		actual = show(p, change.property, change.actual),
		cause = cause(p, change, applied, actual),
		impact = change.impact or p.impact and p.impact[change.property] or nil,
		fix = p.suggest and guarded(p.suggest, desired, actual, change.property) or nil,
	}
end

-- What it needs and is not there.
local function missing_needs(p, desired, actual, applied, findings)
	if not p.deps or desired.ensure == "absent" then
		return
	end
	for _, need in ipairs(guarded(p.deps, desired, actual) or {}) do
		local other = provider.find(need.type)
		local there = other and drift.read(other, { [other.key] = need.name, ensure = "present" })
		if there and there.ensure == "absent" then
			findings[#findings + 1] = {
				property = "needs " .. need.type .. "/" .. need.name, kind = "dependency", severity = "high", expected = "present",
				actual = "absent", cause = applied and "changed" or "unapplied", impact = p.type .. "/" .. desired[p.key] .. " can't be as desired without it",
			}
		end
	end
end

local function state_of(findings)
	for _, one in ipairs(findings) do
		if one.cause == "changed" then
			return "drifted"
		end
	end
	return findings[1] and "unapplied" or "in_sync"
end

local short_looks = { file = true, directory = true, symlink = true }

local function same_name(desired, actual)
	return desired == nil or desired == actual
end

-- Whether a short look without its provider (lua/glance.h) can say later that it still is as it is now. What has one name today and
-- another tomorrow is left to the provider.
function drift.settled(p, name, desired, actual)
	return short_looks[p.type] and desired.path == name and not (desired.attributes or desired.entries or desired.recurse) and
		same_name(desired.owner, actual.owner) and same_name(desired.group, actual.group) or false
end

-- What detection says of a registered resource { id, type, name, desired (or properties), applied, given }.
function drift.inspect(row)
	local report = { id = row.id, type = row.type, name = row.name, state = "unknown", findings = core.mark_list({}) }
	local p, message = provider.find(row.type)
	local desired, actual, changes
	if p then
		desired, message = guarded(provider.registered, p, row.name, row.desired or row.properties)
	end
	if desired then
		actual, message = drift.read(p, desired, row.given)
	end
	if actual then
		changes, message = guarded(drift.changes, p, desired, actual)
	end
	if not changes then
		report.error = message
		return report
	end
	for i, change in ipairs(changes) do
		report.findings[i] = finding(p, change, desired, actual, row.applied)
	end
	missing_needs(p, desired, actual, row.applied, report.findings)
	report.state = state_of(report.findings)
	report.actual = provider.brief(p, actual)
	report.settled = report.state == "in_sync" and drift.settled(p, row.name, desired, actual)
	return report
end

return drift
