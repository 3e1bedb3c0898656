-- SPDX-License-Identifier: MIT
-- resource: things in the world as they shall be. Each call reads what there is, changes what differs, reads again, and registers
-- the thing with the run's stack, so that drift is found and mended later.
local core = ...
local drift = core.library("drift")
local provider = core.library("provider")
local images = core.library("images")
local result = core.library("result")
local resource = {}

-- What every declaration may have beside the properties of its type.
local options_known = { depends_on = true, protect = true, dry_run = true, sensitive = true }
local SENSITIVE = "<sensitive>" -- what is shown in the place of a value that nobody is told

local function has_stack()
	return core.run().stack ~= nil
end

-- true; or nil, a message, the errno's name. Without a stack there is nobody to tell. `late`: the answer is the task's, at its end.
local function tell(fn, args, late)
	if not has_stack() then
		return true
	end
	args.quiet = late or nil -- then nobody reads what it is now
	local about = args.type .. "/" .. args.name .. " can't be registered: "
	if late and core.report(fn, args, about) then
		return true
	end
	local answer, text, errno = core.call(fn, args)
	if text then
		return nil, about .. text, errno
	end
	return answer or true
end

-- How this resource is told of: whole at a declaration, its states alone at a fix.
local function teller(p, name, desired, options)
	return function(fields, late)
		local args = { type = p.type, name = name, actual = fields.actual, status = fields.status, error = fields.error, applied = fields.applied,
			settled = fields.settled, fixed = fields.fixed, image = fields.image, intact = true }
		if options.fix then
			return tell("resource.update", args, late)
		end
		args.module, args.properties, args.dependencies, args.protect = p.module, desired, options.depends_on, options.protect
		args.sensitive = options.sensitive
		return tell("resource.register", args, late)
	end
end

local function word(value)
	if value == nil then
		return "nothing"
	elseif type(value) == "table" then
		return json.encode(value)
	end
	return tostring(value)
end

-- "mode 0600 → 0644"
local function describe(p, name, shown)
	local parts = {}
	for i, change in ipairs(shown) do
		if change.property ~= "" then
			parts[i] = change.property .. " " .. word(change.actual) .. " → " .. word(change.expected)
		elseif change.expected == "absent" then
			parts[i] = "removed"
		else
			parts[i] = change.actual == "absent" and "made" or "in the place of " .. word(change.actual)
		end
	end
	return p.type .. " " .. name .. (#parts == 0 and " is as wanted" or ": " .. table.concat(parts, ", "))
end

-- Those that a fix was asked for.
local function chosen(changes, only)
	if not only then
		return changes, {}
	end
	local some, others = {}, {}
	for _, change in ipairs(changes) do
		table.insert(only[change.property] and some or others, change)
	end
	return some, others
end

-- What is asked for, but for that which is left alone: a provider that makes a thing anew would bring it about with the rest.
local function without(desired, others)
	if not others[1] then
		return desired
	end
	local rest = {}
	for key, value in pairs(desired) do
		rest[key] = value
	end
	for _, change in ipairs(others) do
		rest[change.property] = nil
	end
	return rest
end

-- What was brought about: of that which was left alone, what it was.
local function applied_now(p, desired, others, before)
	local applied = provider.brief(p, desired)
	for _, change in ipairs(others) do
		applied[change.property] = before and before[change.property] or nil
	end
	return applied
end

-- Result → what was before; beside it, as results are shown, returned and stored.
local taken = setmetatable({}, { __mode = "k" })

local function remember(image, ok, ...)
	taken[ok] = image
	return ok, ...
end

-- Changes what differs, and looks whether it is as desired then. nil and a message, or what there is now.
local function act(p, desired, actual, changes, only, hidden)
	local ok, message = drift.guarded(p.apply, desired, actual, changes)
	if not ok then
		return nil, message or "it can't be changed"
	end
	local now
	now, message = drift.read(p, desired)
	if not now then
		return nil, "it was changed, and can't be read: " .. message
	end
	local left = chosen(drift.changes(p, desired, now), only)
	if left[1] then
		local one = drift.shown(p, left, hidden)[1]
		return nil, "it was changed, and still differs: " .. (one.property == "" and "it" or one.property) .. " is " .. word(one.actual) ..
			", not " .. word(one.expected)
	end
	return now
end

-- Properties whose values nobody is told: what the stack keeps sealed of those that were told of, or would.
local function hidden_of(p, name, desired, options, told)
	local hidden = {}
	for key, value in pairs(told and told ~= true and told.resource.properties or {}) do
		hidden[key] = value == SENSITIVE or nil
	end
	local more = not told and has_stack() and
		core.call("resource.sealed", { type = p.type, name = name, properties = desired, sensitive = options.sensitive })
	for _, key in ipairs(more or options.sensitive or {}) do
		hidden[key] = true
	end
	return hidden
end

-- Messages of files begin with the path already.
local function about(p, name, message)
	return message:sub(1, #name) == name and message or p.type .. " " .. name .. ": " .. message
end

local function failed(p, name, tell_of, message, actual)
	local told = tell_of({ status = "failed", error = message, actual = actual and provider.brief(p, actual) })
	return result.bad(about(p, name, message), { type = p.type, name = name, registered = told and true or false })
end

-- options: depends_on, protect, dry_run; fix = the registered one, only = set of properties that are mended.
local function converge(p, name, desired, options)
	local tell_of = teller(p, name, desired, options)
	local actual, message = drift.read(p, desired)
	if not actual then
		return result.bad(about(p, name, message), { type = p.type, name = name })
	end
	local changes, others = chosen(drift.changes(p, desired, actual), options.only)
	local shown = {}
	local more = { type = p.type, name = name, changes = core.mark_list(shown) }
	if options.dry_run then
		more.dry_run = true
		shown = changes[1] and drift.shown(p, changes, hidden_of(p, name, desired, options)) or shown
		more.changes = core.mark_list(shown)
		return result.good(changes[1] ~= nil, describe(p, name, shown), more)
	end
	local now, image = actual, nil
	if changes[1] then
		local told
		image = images.take(p, desired, actual)
		told, message = tell_of({ status = "pending", actual = provider.brief(p, actual), image = images.packed(image) })
		if not told then
			return result.bad(message, { type = p.type, name = name })
		end
		image.id = type(told) == "table" and told.image or nil
		local hidden = hidden_of(p, name, desired, options, told)
		shown = drift.shown(p, changes, hidden)
		more.changes = core.mark_list(shown)
		core.failpoint("intent")
		now, message = act(p, without(desired, others), actual, changes, options.only, hidden)
		core.failpoint("effect")
		if not now then
			return failed(p, name, tell_of, message)
		end
	end
	-- What was refused would have been refused before it was changed; so the next one need not wait for the answer.
	local told, text = tell_of({
		status = others[1] and "drifted" or "applied",
		applied = applied_now(p, desired, others, options.fix and options.fix.applied),
		actual = provider.brief(p, now),
		settled = not others[1] and drift.settled(p, name, desired, now),
		fixed = others[1] and core.mark_list(provider.keys(options.only)) or nil,
	}, changes[1] ~= nil)
	if not told then
		return result.bad(text, { type = p.type, name = name, changed = changes[1] ~= nil })
	end
	return remember(image, result.good(changes[1] ~= nil, describe(p, name, shown), more))
end

local function reference(where, value)
	if type(value) == "table" and value.type and value.name then
		return value.type .. "/" .. value.name
	elseif type(value) == "string" and value:find("^[^/]+/.") then
		return value
	end
	core.fail(where .. ': depends_on has "TYPE/NAME", like "package/nginx", or what another resource.TYPE gave')
end

local function references(where, value)
	if value == nil then
		return nil
	elseif type(value) ~= "table" or value.type then
		value = { value }
	end
	local list = {}
	for i, one in ipairs(value) do
		list[i] = reference(where, one)
	end
	return core.mark_list(list)
end

-- A property, or a list of properties, whose values nobody is told.
local function sensitive_names(where, names)
	if type(names) == "string" then
		names = { names }
	end
	for _, name in ipairs(type(names) == "table" and names or names == nil and {} or core.fail(where .. ": sensitive is a list of properties")) do
		if type(name) ~= "string" then
			core.fail(where .. ": sensitive is a list of properties")
		end
	end
	return names and core.mark_list(names)
end

-- What is sensitive in each resource of a type.
local function with_sensitive(p, desired, options)
	for _, name in ipairs(provider.keys(p.properties)) do
		if p.properties[name].sensitive and desired[name] ~= nil then
			options.sensitive = options.sensitive or core.mark_list({})
			table.insert(options.sensitive, name)
		end
	end
	return options
end

-- ({ … }) or (name, { … }).
local function arguments_of(where, ...)
	local name, properties = ...
	if type(name) == "table" and getmetatable(name) == nil and select("#", ...) == 1 then
		name, properties = nil, name
	elseif type(name) ~= "string" or name == "" or properties ~= nil and type(properties) ~= "table" or select("#", ...) > 2 then
		core.fail(where .. " takes a table of properties, or a name and such a table")
	end
	local args, options = {}, {}
	for key, value in pairs(properties or {}) do
		if options_known[key] then
			options[key] = value
		else
			args[key] = value
		end
	end
	options.depends_on = references(where, options.depends_on)
	options.sensitive = sensitive_names(where, options.sensitive)
	return name, args, options
end

-- From what is only asked for to what is kept.
local function prepare(p, desired)
	local ok, message = true, nil
	if p.prepare then
		ok, message = drift.guarded(p.prepare, desired)
	end
	for name, row in pairs(p.properties) do
		if row.input then
			desired[name] = nil
		end
	end
	return ok, message
end

local function declare(type_name, ...)
	local where = "resource." .. type_name
	local p = provider.find(type_name)
	local name, args, options = arguments_of(where, ...)
	if name and args[p.key] == nil then
		args[p.key] = name
	end
	local desired = provider.desired(p, where, args, true)
	core.acts(where)
	local ok, message = prepare(p, desired)
	if not ok then
		return result.bad(where .. ": " .. message)
	end
	for _, one in ipairs(options.sensitive or {}) do
		if not p.properties[one] or one == p.key then
			core.fail(where .. ": sensitive has '" .. one .. "', which is no property" .. (one == p.key and " but the name, that everybody is told" or ""))
		end
	end
	return converge(p, name or tostring(desired[p.key]), desired, with_sensitive(p, desired, options))
end

local function declaration(type_name)
	return function(...)
		return declare(type_name, ...)
	end
end

for _, type_name in ipairs(provider.types()) do
	resource[type_name] = declaration(type_name)
end

local own = {} -- of types that the workflow defined

function resource.define(type_name, p)
	if resource[type_name] then
		core.fail("resource.define: '" .. type_name .. "' is taken")
	end
	provider.define(type_name, p)
	own[type_name] = declaration(type_name)
end

-- Names of all types.
function resource.types()
	return core.mark_list(provider.types())
end

local function set_of(names)
	if names == nil then
		return nil
	end
	local set = {}
	for _, name in ipairs(names) do
		set[name] = true
	end
	return set
end

-- Mends a registered resource, or only some of its properties.
function resource.fix(type_name, name, properties)
	local where = "resource.fix"
	core.acts(where)
	if type(type_name) ~= "string" or type(name) ~= "string" or properties ~= nil and type(properties) ~= "table" then
		core.fail(where .. " takes a type, a name and, when not all shall be mended, a list of properties")
	end
	local row, message = core.call("resource.get", { type = type_name, name = name, unsealed = true })
	if not row then
		return result.bad(message and type_name .. "/" .. name .. ": " .. message or "the stack has no resource " .. type_name .. "/" .. name)
	end
	local p, desired
	p, message = provider.find(type_name)
	if p then
		desired, message = drift.guarded(provider.registered, p, name, row.properties)
	end
	if not desired then
		return result.bad(type_name .. "/" .. name .. ": " .. message)
	end
	return converge(p, name, desired, { fix = row, only = set_of(properties), sensitive = row.sensitive })
end

-- What detection says of a resource, as stack.get_resource gives it.
function resource.inspect(row)
	if type(row) ~= "table" or not row.type or not row.name then
		core.fail("resource.inspect takes a resource, as stack.get_resource gives it")
	end
	return drift.inspect(row)
end

-- What there is of a type; see adopt.lua.
function resource.find(...)
	return core.library("adopt").find(...)
end

function resource.adopt(...)
	return core.library("adopt").adopt(...)
end

-- A workflow that declares what find() and adopt() give.
function resource.declarations(...)
	return core.library("declarations").text(...)
end

-- Puts back what was there before the call that gave `res`.
function resource.undo(res)
	local where = "resource.undo"
	core.acts(where)
	if type(res) ~= "table" or not res.type or not res.changes then
		core.fail(where .. " takes what resource.TYPE gave")
	end
	local name = res.type .. " " .. res.name
	if not res.changed or res.dry_run then
		return result.good(false, name .. " was not changed")
	end
	local image = taken[res]
	if not image then
		return result.bad(name .. " can't be undone: what it was is not known any more")
	end
	local changed, now, why = images.put_back(image)
	if changed == nil then
		return result.bad(name .. (why == "foreign" and now:gsub("^it", "") or ": " .. now))
	elseif image.id then
		core.tell("image.mark", { id = image.id, state = "undone" })
	end
	if not changed then
		return result.good(false, name .. " is as it was")
	end
	local p = image.p
	local ok, message = tell("resource.register", { type = res.type, name = res.name, status = "pending", actual = provider.brief(p, now),
		applied = provider.brief(p, now), intact = true })
	if not ok then
		return result.bad(message)
	end
	return result.good(true, name .. " is as it was")
end

local UNDO_OPTIONS = { "from", "to", "force" }

-- Puts back what an earlier run changed, the last change first: all of it, or the changes from `from` back to `to`.
function resource.undo_run(run, options)
	local where = "resource.undo_run"
	core.acts(where)
	if math.type(run) ~= "integer" then
		core.fail(where .. " takes the number of a run")
	end
	local kinds = { from = "number?", to = "number?", force = "boolean?" }
	options = core.library("arguments").read(where, UNDO_OPTIONS, kinds, options or {})
	local done, left, final = images.undo({ run = run, first = options.from, last = options.to, force = options.force, keep = true })
	if not done then
		return result.bad(left)
	end
	-- By force, what can't be put back is left without more words.
	for _, problem in ipairs(final) do
		if not options.force then
			left[#left + 1] = problem
		end
	end
	if left[1] then
		return result.bad(table.concat(left, "; "), { undone = core.mark_list(done), left = core.mark_list(left) })
	end
	return result.good(#done > 0, #done .. (#done == 1 and " thing is as it was" or " things are as they were"), { undone = core.mark_list(done) })
end

-- What is kept of an earlier registration: `keep` names the properties that the caller says nothing of.
local function with_kept(p, name, desired, keep)
	local row = keep and core.call("resource.get", { type = p.type, name = name, unsealed = true })
	if not row or (row.properties.ensure or "present") ~= (desired.ensure or "present") then
		return desired
	end
	for _, one in ipairs(keep) do
		if desired[one] == nil then
			desired[one] = row.properties[one]
		end
	end
	return desired
end

local function without_texts(p, desired)
	for name, row in pairs(p.properties) do
		if row.kind == "text" then
			desired[name] = nil
		end
	end
	return desired
end

-- Registers what a function of a module brought about (or found so). true, or nil and a message. What has a secret's value in it
-- is not kept; see resource.register in doc/protocol.md.
function resource.record(type_name, properties, keep)
	core.acts("resource.record")
	local p, message = provider.find(type_name)
	if not p then
		core.fail("resource.record: " .. message)
	elseif not has_stack() then
		return true
	end
	local desired = provider.desired(p, "resource.record(" .. type_name .. ")", properties, true)
	local options = with_sensitive(p, desired, {})
	local done
	done, message = prepare(p, desired)
	if not done then
		return nil, message
	end
	local name = tostring(desired[p.key])
	desired = with_kept(p, name, desired, type(keep) == "table" and keep)
	local function register()
		local brief = provider.brief(p, desired)
		return tell("resource.register", { type = p.type, name = name, module = p.module, properties = desired, status = "applied", applied = brief,
			actual = brief, sensitive = options.sensitive, intact = true })
	end
	local ok, text, errno = register()
	if not ok and errno == "ENOTSUP" then
		without_texts(p, desired)
		ok, text = register()
	end
	if not ok and errno == "EDQUOT" then
		-- Nobody has declared it: what was asked for is done, and nothing looks after it.
		core.log("warning: " .. text .. "\n")
		return true
	end
	return ok and true or nil, text
end

return setmetatable(resource, { __index = own, __metatable = false })
