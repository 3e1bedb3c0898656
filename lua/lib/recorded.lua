-- SPDX-License-Identifier: MIT
-- What file_ops brought about, as resources of the run's stack: each function registers the one thing that it stands for.
local core = ...
local content = core.library("content")
local drift = core.library("drift")
local provider = core.library("provider")
local result = core.library("result")
local recorded = {}

local types = { "file", "directory", "symlink" }
local type_of = { file = "file", directory = "directory", link = "symlink" }

-- What a function says nothing of stays as it is registered.
recorded.attributes = { "mode", "owner", "group", "attributes" }
recorded.all = { "content", "source", "target", "recurse", "entries", "purge", "force", "mode", "owner", "group", "attributes" }

local function delete(type_name, path)
	local there, text = core.call("resource.exists", { type = type_name, name = path })
	if there then
		there, text = core.call("resource.delete", { type = type_name, name = path })
	end
	return text == nil, text and type_name .. "/" .. path .. " can't be unregistered: " .. text
end

-- Where a file is made, there shall be no folder of that name any more.
local function forget_others(type_name, path)
	for _, other in ipairs(types) do
		if other ~= type_name then
			local ok, text = delete(other, path)
			if not ok then
				return nil, text
			end
		end
	end
	return true
end

-- What stands in the run's own folder goes with the run: it would be missed for ever.
function recorded.outlives_run(path)
	local work = core.real_path(core.run().work) .. "/"
	local folder = core.library("property").path(path):match("^(.*)/")
	return ((core.real_path(folder) or folder) .. "/"):sub(1, #work) ~= work
end

-- as(type, properties, keep, what the function gives): that again, or the failure to register.
function recorded.as(type_name, properties, keep, ok, message, res)
	local nameable = utf8.len(properties.path) and utf8.len(properties.target or "")
	if not ok or not nameable or core.run().stack == nil or not recorded.outlives_run(properties.path) then
		return ok, message, res
	end
	local done, text = true, nil
	if res.changed then
		done, text = forget_others(type_name, core.library("property").path(properties.path))
	end
	if done then
		done, text = core.library("resource").record(type_name, properties, keep)
	end
	if not done then
		return result.bad(text, { changed = res.changed })
	end
	return ok, message, res
end

-- What it will be, and what is there now, when that is another thing; nil: nothing changes, or it can't be said.
local function looked(type_name, properties)
	local p = provider.find(type_name)
	local desired = provider.desired(p, "file_ops", properties, true)
	if p.prepare and not p.prepare(desired) then
		return nil
	end
	for name, row in pairs(p.properties) do
		desired[name] = not row.input and desired[name] or nil
	end
	local actual = drift.read(p, desired)
	return actual and drift.changes(p, desired, actual)[1] and p, desired, actual
end

-- Before something is done: what was there is kept for a rollback. Where it can't be, it is done without.
local function intend(type_name, properties)
	if core.run().stack == nil or not utf8.len(properties.path) or not utf8.len(properties.target or "") or not recorded.outlives_run(properties.path) then
		return nil
	end
	local p, desired, actual = drift.guarded(looked, type_name, properties)
	local image = p and core.library("images").take(p, desired, actual)
	local packed = image and core.library("images").packed(image)
	if not packed then
		return nil
	end
	local intent = { type = type_name, name = desired[p.key], module = p.module, status = "pending", actual = provider.brief(p, actual), image = packed, intact = true }
	local row = core.call("resource.get", { type = type_name, name = intent.name })
	intent.properties = not row and { path = desired.path } or nil
	return core.call(row and "resource.update" or "resource.register", intent) and { intent = intent, row = row } or nil
end

-- What failed is not registered by it; what was registered before is so as it was.
local function failed(sent)
	local intent, row = sent.intent, sent.row
	if row then
		core.call("resource.update", { type = intent.type, name = intent.name, status = row.status, actual = row.actual, intact = true })
	else
		core.call("resource.delete", { type = intent.type, name = intent.name })
	end
end

-- around(type, properties, keep, effect): what effect() gives, registered; with what was there before kept.
function recorded.around(type_name, properties, keep, effect)
	local sent = intend(type_name, properties)
	core.failpoint("recorded.intent")
	local ok, message, res = effect()
	core.failpoint("recorded.effect")
	if not ok and sent then
		failed(sent)
	end
	return recorded.as(type_name, properties, keep, ok, message, res)
end

-- By what stands there: what is neither file nor folder nor link is nobody's resource.
function recorded.by_kind(stat, properties, keep, effect)
	local type_name = type_of[stat and stat.type or "file"]
	if not type_name then
		return effect()
	end
	return recorded.around(type_name, properties, keep, effect)
end

-- What has the value of a secret in a place that everybody may see (its name, say) is done, and looked after by nobody.
local function is_of_secret(message)
	return tostring(message):find("has the value of a secret in it", 1, true) ~= nil
end

-- A part of a file of which the rest is others'. part: { type, properties }; nil: it can't be said what it is.
local function record_part(path, part, ok, message, res)
	local properties = part and part.properties
	if not part or not utf8.len(properties.line or properties.content or "") or not recorded.outlives_run(path) then
		return ok, message, res
	end
	local done, text = core.library("resource").record(part.type, properties)
	if not done and not is_of_secret(text) then
		return result.bad(text, { changed = res.changed })
	end
	return ok, message, res
end

local function whole_file(path)
	local row = core.call("resource.get", { type = "file", name = core.library("property").path(path) })
	return row and row.properties.content and row or nil
end

-- Brings a part about as the resource that it is, with what was there before kept for a rollback: what resource.TYPE gives. nil: it is no
-- resource of its own here (of a file that is one as a whole, in the run's own folder, or that can't be registered: with a secret in its name, say).
function recorded.declare(path, part)
	local st = core.stat(path, true)
	if not part or core.run().stack == nil or st and st.type ~= "file" or not recorded.outlives_run(path) or
		not utf8.len(part.properties.content or "") or whole_file(path) then
		return nil
	end
	local ok, message, res = core.library("resource")[part.type](part.properties)
	-- Nothing was done: what was asked for is, all the same, as far as that can be.
	if not ok and not res.changed and tostring(message):find("can't be registered", 1, true) then
		return nil
	end
	res.path = path
	return table.pack(ok, message, res)
end

local function form_of(path, bytes)
	return content.form(bytes, not content.is_public(path))
end

-- What another call put there as a whole, and this one edits: it shall be as it is after that.
local function edited_whole(path, change, effect)
	local before = change and core.read(path)
	local after = before and drift.guarded(change, before)
	local sent = after and after ~= before and intend("file", { path = path, content = form_of(path, after) })
	local ok, message, res = effect()
	if not ok and sent then
		failed(sent)
	end
	local bytes = ok and res.changed and core.read(path)
	if not bytes then
		return ok, message, res
	end
	return recorded.as("file", { path = path, content = form_of(path, bytes) }, recorded.attributes, ok, message, res)
end

-- change(text) gives the text that effect() will write. Of a file that nobody has registered as a whole only the part is meant.
function recorded.edited(path, part, change, effect)
	if core.run().stack ~= nil and utf8.len(path) and whole_file(path) then
		return edited_whole(path, change, effect)
	end
	local ok, message, res = effect()
	if not ok or not utf8.len(path) or core.run().stack == nil then
		return ok, message, res
	end
	return record_part(path, part, ok, message, res)
end

local NAME_MAX = 300

-- The name of a part: the same for the same words, however long they are.
function recorded.part_name(path, words)
	local name = core.library("property").path(path) .. ": " .. words
	return #name <= NAME_MAX and name or name:sub(1, utf8.offset(name, 0, NAME_MAX - 20) - 1) .. "… " .. content.digest_of(name).sha256:sub(1, 16)
end

return recorded
