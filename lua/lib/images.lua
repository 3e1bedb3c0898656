-- SPDX-License-Identifier: MIT
-- What things were before they were changed: taken before each change, kept by the daemon with the run, and put back when the run is rolled
-- back or undone. A thing that somebody else has changed since is left as it is.
local core = ...
local drift = core.library("drift")
local on_disk = core.library("on_disk")
local property = core.library("property")
local provider = core.library("provider")
local images = {}

-- By an image that has all of the thing; others are made again by their provider, where an undo is undone.
local function is_whole(p)
	return p.undo == on_disk.undo
end

-- Types of things that have read files, and the property that names these. What it says is of the files: it is looked at when they are put back.
local FOLLOWERS = { service = "restart_on" }

local function compared(p, desired)
	local names = {}
	for _, name in ipairs(provider.keys(desired)) do
		local row = p.properties[name]
		if row and name ~= p.key and name ~= "ensure" and name ~= FOLLOWERS[p.type] and row.compare ~= false then
			names[#names + 1] = name
		end
	end
	return names
end

local function ensure_of(values)
	return values.ensure or "present"
end

-- Whether `now` is one of these, property by property: what was half done is ours, too.
local function is_one_of(p, desired, now, states)
	local function any(test)
		for _, state in ipairs(states) do
			if test(state) then
				return true
			end
		end
		return false
	end
	local ensure = ensure_of(now)
	if not any(function(state) return ensure_of(state) == ensure end) then
		return false
	elseif ensure == "absent" then
		return true
	end
	for _, name in ipairs(compared(p, desired)) do
		local row = p.properties[name]
		if not any(function(state) return property.equal(row, state[name], now[name]) end) then
			return false, name
		end
	end
	return true
end

-- Of somebody who may not see all of it.
local function is_public(value)
	if type(value) ~= "table" then
		return true
	elseif (value.base64 or value.parts or value.text) and not value.public then
		return false
	end
	for _, item in pairs(value) do
		if not is_public(item) then
			return false
		end
	end
	return true
end

-- { p, desired, was, before } or with `reason` in the place of `before`: it can't be put back.
function images.take(p, desired, actual)
	local image = { p = p, desired = desired, was = actual, way = "undo" }
	if p.irreversible then
		image.reason = type(p.irreversible) == "string" and p.irreversible or "what " .. p.type .. " does can't be taken back"
	elseif not p.image or not p.undo then
		image.reason = "what " .. p.type .. " was before can't be kept"
	else
		image.before, image.reason = drift.guarded(p.image, desired, actual)
		if not image.before then
			image.reason = image.reason or "what " .. p.type .. " was before can't be kept"
		end
	end
	return image
end

-- As the daemon keeps it; nil: an empty image, of a provider that only looks, has nothing to put back.
function images.packed(image)
	local p = image.p
	if image.before and next(image.before) == nil then
		return nil
	end
	core.image_taken()
	return {
		desired = is_whole(p) and provider.brief(p, image.desired) or image.desired,
		was = provider.brief(p, image.was),
		image = image.before and { way = image.way, before = image.before } or nil,
		reason = image.reason,
		undoes = image.undoes,
		private = not is_public(image.before),
	}
end

-- Of what a function changes beside the one thing that it registers: folders above it, what is in a folder, a file that is edited.

local function keep(type_name, desired)
	local p = provider.find(type_name)
	desired.ensure = desired.ensure or "present"
	local actual, message = drift.read(p, desired)
	local image = actual and images.take(p, desired, actual) or { p = p, desired = desired, was = {}, reason = message }
	local ok
	ok, message = core.call("image.add", { type = type_name, name = desired[p.key], image = images.packed(image) })
	return ok and true, message
end

-- act(), after what there is was kept. `desired`: its path, and what else is said of it.
function images.around(type_name, desired, act)
	desired.path = property.path(desired.path)
	if core.run().stack == nil or not utf8.len(desired.path) or not utf8.len(desired.target or "") or
		not core.library("recorded").outlives_run(desired.path) then
		return act()
	end
	local ok, message = keep(type_name, desired)
	if not ok then
		return nil, message
	end
	core.failpoint("around.intent")
	local results = table.pack(act())
	core.failpoint("around.effect")
	if results[1] then
		core.tell("image.done", { type = type_name, name = desired.path })
	end
	return table.unpack(results, 1, results.n)
end

-- Bytes.

local spilled_meta = { __close = function(self)
	for _, path in ipairs(self) do
		core.remove_some(path)
	end
end }

local count = 0

-- Into a file of the run's own folder: it is too large for our memory.
local function spill(value, run, spilled)
	count = count + 1
	local path = core.run().work .. "/.image-" .. count
	local out <close>, message = core.writer(path)
	if not out then
		return nil, message
	end
	spilled[#spilled + 1] = path
	for _, part in ipairs(value.parts) do
		local base64
		base64, message = core.call("image.read", { run = run, id = part })
		if not base64 then
			return nil, message
		end
		local ok
		ok, message = out(core.base64_decode(base64))
		if not ok then
			return nil, message
		end
	end
	value.spilled, value.parts = path, nil
	return true
end

local function fetch(value, run, spilled)
	if type(value) ~= "table" then
		return true
	elseif value.parts and (value.size or 0) > on_disk.IMAGE_MAX then
		return spill(value, run, spilled)
	elseif value.parts then
		local texts = {}
		for i, part in ipairs(value.parts) do
			local base64, message = core.call("image.read", { run = run, id = part })
			if not base64 then
				return nil, message
			end
			texts[i] = #value.parts > 1 and core.base64_decode(base64) or base64
		end
		value.base64 = #texts == 1 and texts[1] or crypto.base64_encode(table.concat(texts))
		value.parts = nil
	end
	for _, item in pairs(value) do
		local ok, message = fetch(item, run, spilled)
		if not ok then
			return nil, message
		end
	end
	return true
end

local function copy(value)
	if type(value) ~= "table" then
		return value
	end
	local new = {}
	for key, item in pairs(value) do
		new[key] = copy(item)
	end
	return new
end

-- Putting back.

local function act(entry, before, actual)
	if entry.way == "apply" then
		return drift.guarded(entry.p.apply, entry.desired, actual, drift.changes(entry.p, entry.desired, actual))
	end
	return drift.guarded(entry.p.undo, entry.desired, before)
end

local function verify(entry)
	local p = entry.p
	local now, message = drift.read(p, entry.desired)
	if not now then
		return nil, "it was put back, and can't be read: " .. message
	end
	local same, name = is_one_of(p, entry.desired, provider.brief(p, now), { entry.was })
	if not same then
		return nil, "it was put back, and still differs" .. (name and ": " .. name or "")
	end
	return now
end

-- entry = { p, desired, was, became (or nil), before, way, run, reason, force }; keep(actual, before) is called before anything is changed.
-- true when it was changed, false when it is as it was already, what there is now; or nil, a message, and "foreign" (it is
-- somebody else's work) or "final" (nothing is kept).
function images.put_back(entry, keep)
	if entry.reason then
		return nil, "it can't be undone: " .. entry.reason, "final"
	elseif not entry.before then
		return nil, "it can't be undone"
	elseif next(entry.before) == nil then
		return false, entry.was
	end
	local p = entry.p
	local actual, message = drift.read(p, entry.desired)
	if not actual then
		return nil, message
	end
	local now = provider.brief(p, actual)
	if is_one_of(p, entry.desired, now, { entry.was }) then
		return false, actual
	elseif not entry.force and not is_one_of(p, entry.desired, now, { entry.became or provider.brief(p, entry.desired), entry.was }) then
		return nil, "it was changed by somebody else since, and is left as it is", "foreign"
	end
	local spilled <close> = setmetatable({}, spilled_meta)
	local before = copy(entry.before)
	local ok
	ok, message = fetch(before, entry.run, spilled)
	if ok and keep then
		ok, message = keep(actual, before)
	end
	core.failpoint("undo.intent")
	if ok then
		ok, message = act(entry, before, actual)
	end
	core.failpoint("undo.effect")
	if not ok then
		return nil, message or "it can't be put back"
	end
	now, message = verify(entry)
	return now and true, now or message
end

-- What the daemon keeps of one.
local function entry_of(id, force)
	local row, message = core.call("image.get", { id = id })
	if not row then
		return nil, message
	end
	local p
	p, message = provider.find(row.type)
	local desired = p and row.desired
	if desired then
		desired, message = drift.guarded(provider.registered, p, row.name, desired)
	end
	return {
		p = p, desired = desired, was = row.was or {}, became = row.became, before = row.image and row.image.before, way = row.image and row.image.way,
		run = row.run, id = row.id, type = row.type, name = row.name, force = force,
		reason = row.reason ~= "" and row.reason or not desired and (message or "what it was is not kept") or nil,
	}
end

-- What it is before an undo changes it again: this can be undone, too.
local function keeper(entry)
	return function(actual, before)
		local image
		if is_whole(entry.p) then
			image = images.take(entry.p, entry.desired, actual)
		else
			image = { p = entry.p, desired = entry.desired, was = actual, way = entry.way == "apply" and "undo" or "apply", before = before }
		end
		image.undoes = entry.id
		local ok, message = core.call("image.add", { type = entry.type, name = entry.name, image = images.packed(image) })
		return ok and true, message
	end
end

-- Paths of this run that are as they were.
local restored = {}

local function note_restored(entry)
	-- What is a part of a file has another name than that.
	local path = entry.desired.path or entry.desired[entry.p.key]
	if type(path) == "string" and path:find("^/") then
		restored[path] = true
	end
end

local function put_back_one(id, options)
	local entry, message = entry_of(id, options.force)
	if not entry then
		return nil, message
	end
	local changed, now, why = images.put_back(entry, options.keep and keeper(entry))
	local state = changed == nil and "failed" or "undone"
	local ok
	ok, message = core.call("image.mark", { id = id, state = state, error = changed == nil and now or nil })
	core.failpoint("undo.marked")
	if changed and options.keep then
		core.tell("image.done", { type = entry.type, name = entry.name, became = provider.brief(entry.p, now) })
	end
	if changed then
		note_restored(entry)
	end
	if not ok and changed ~= nil then
		return nil, message
	end
	return changed, changed == nil and now or nil, why
end

local function restored_of(paths)
	for _, path in ipairs(paths or {}) do
		if restored[path] then
			return path
		end
	end
end

local function settle_one(p, row, property_name)
	local desired = drift.guarded(provider.registered, p, row.name, row.properties)
	local path = desired and restored_of(desired[property_name])
	local actual = path and drift.read(p, desired)
	for _, change in ipairs(actual and drift.changes(p, desired, actual) or {}) do
		if change.property == property_name then
			local ok, message = drift.guarded(p.apply, desired, actual, { change })
			core.log(p.type .. "/" .. row.name .. (ok and " works with " .. path .. " as it was\n" or
				" could not be made to work with " .. path .. " as it was: " .. tostring(message) .. "\n"))
		end
	end
end

-- After the last file was put back, and the stack: what has read it since reads it again.
function images.settle()
	for type_name, property_name in pairs(next(restored) and FOLLOWERS or {}) do
		local p, count, answer = provider.find(type_name), 0, nil
		repeat
			answer = core.call("resource.list", { type = type_name, skip = count })
			for _, row in ipairs(answer and answer.list or {}) do
				count = count + 1
				settle_one(p, row, property_name)
			end
		until not answer or not answer.more
	end
	restored = {}
end

-- Those of a run, the last one first: `of` a task, or from the image `first` back to `last`.
local function each(args, fn)
	local before = args.first and args.first + 1
	repeat
		local answer, message = core.call("image.list", { run = args.run, of = args.of, before = before })
		if not answer then
			return nil, message
		end
		for _, row in ipairs(answer.list) do
			if args.last and row.id < args.last then
				return true
			end
			before = row.id
			fn(row)
		end
	until not answer.more
	return true
end

-- args: run (nil: this one), of, first, last, force, keep (what it is now is kept, so that this can be undone, too). Lists of "TYPE/NAME" that were
-- put back, and of sentences about what was not, and about what can't be; or nil and a message.
function images.undo(args)
	local done, left, final = {}, {}, {}
	local ok, message = each(args, function(row)
		local what = row.type .. "/" .. row.name
		local changed, problem, why = put_back_one(row.id, args)
		if changed == nil then
			table.insert(why == "final" and final or left, what .. ": " .. problem)
			core.log(what .. " is not undone: " .. problem .. "\n")
		else
			done[#done + 1] = what
			core.log(what .. (changed and " is as it was\n" or " is as it was already\n"))
		end
	end)
	if not ok then
		return nil, message
	end
	return done, left, final
end

return images
