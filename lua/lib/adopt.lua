-- SPDX-License-Identifier: MIT
-- Taking what is there under management: things are found by their providers, and registered as they are. Nothing in the world is
-- changed.
local core = ...
local drift = core.library("drift")
local provider = core.library("provider")
local result = core.library("result")
local adopt = {}

-- That are asked for at once who looks after them.
local AT_ONCE = 500

local options_known = { "dry_run", "exact", "force" }
local is_option = { dry_run = true, exact = true, force = true }

local function types_with_list()
	local list = {}
	for _, type_name in ipairs(provider.types()) do
		list[#list + 1] = provider.find(type_name).list and type_name or nil
	end
	return table.concat(list, ", ")
end

-- "file,directory", or a list.
local function types_of(where, types)
	local list = {}
	if type(types) == "string" then
		types = { table.unpack(core.library("strings").split(types, ",")) }
	end
	for i, type_name in ipairs(type(types) == "table" and types or {}) do
		local p, message = provider.find(type_name)
		if not p then
			local near = core.nearest(tostring(type_name), provider.types())
			core.fail(where .. ": " .. message .. (near and ": did you mean '" .. near .. "'?" or ""))
		elseif not p.list then
			core.fail(where .. ": nobody can say which things of the type '" .. type_name .. "' there are; what can be found is " .. types_with_list())
		end
		list[i] = p
	end
	if not list[1] then
		core.fail(where .. " takes a type (or a list of types), a selector, and options in a table")
	end
	return list
end

-- Properties that are not compared with what is there may be given: they say where it is, and how it is changed.
local function may_be_given(p, name)
	local row = p.properties[name]
	return row ~= nil and row.compare == false and not row.input and not row.required
end

local function given_of(where, p, options)
	local given = {}
	for name, value in pairs(options) do
		if may_be_given(p, name) then
			given[name] = value
		elseif not is_option[name] then
			local known = { table.unpack(options_known) }
			for _, property in ipairs(provider.keys(p.properties)) do
				known[#known + 1] = may_be_given(p, property) and property or nil
			end
			local near = core.nearest(tostring(name), known)
			core.fail(where .. " has no option '" .. tostring(name) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
				" (known: " .. table.concat(known, ", ") .. ")")
		end
	end
	return given
end

-- What is found of one type, as it would be kept; what is no resource has a reason.
local function candidates(where, p, text, options, rows, notes)
	local found, message = drift.guarded(p.list, text, given_of(where, p, options), options.exact)
	if not found then
		return nil, message or "nothing can be found of it"
	end
	for _, note in ipairs(type(message) == "table" and message or {}) do
		notes[#notes + 1] = note
	end
	for _, properties in ipairs(found) do
		local name = tostring(properties[p.key])
		local desired, reason = drift.guarded(provider.desired, p, p.type .. "/" .. name, properties)
		rows[#rows + 1] = { p = p, type = p.type, name = name, desired = desired, result = not desired and "failed" or nil, reason = reason }
	end
	return true
end

-- Who looks after them: sets `managers`, names of stacks, "" being one that may not be read.
local function ask_managers(rows)
	for first = 1, core.run().stack and #rows or 0, AT_ONCE do
		local labels = {}
		for i = first, math.min(first + AT_ONCE - 1, #rows) do
			labels[#labels + 1] = rows[i].type .. "/" .. rows[i].name
		end
		local answer, message = core.call("resource.managers", { resources = core.mark_list(labels) })
		if message then
			return nil, message
		end
		for i, label in ipairs(labels) do
			rows[first + i - 1].managers = answer[label]
		end
	end
	return true
end

local function others_of(row)
	local own, list, unnamed = core.run().stack, {}, nil
	for _, name in ipairs(row.managers or {}) do
		if name == "" then
			unnamed = true
		elseif name ~= own then
			list[#list + 1] = name
		end
	end
	list[#list + 1] = unnamed and "one that you may not read" or nil
	return list
end

local function is_own(row)
	for _, name in ipairs(row.managers or {}) do
		if name == core.run().stack then
			return true
		end
	end
	return false
end

-- What is there, and is what list() said.
local function look(row)
	local actual, message = drift.read(row.p, row.desired)
	if not actual then
		return nil, message
	end
	local change = drift.shown(row.p, drift.changes(row.p, row.desired, actual))[1]
	if change then
		return nil, "it was changed meanwhile" .. (change.property ~= "" and " (" .. change.property .. ")" or "")
	end
	return actual
end

-- `sole`: unless another stack has come first meanwhile.
local function register(row, actual, sole)
	local answer, message, errno = core.call("resource.register", { type = row.type, name = row.name, module = row.p.module, properties = row.desired,
		status = "applied", applied = provider.brief(row.p, row.desired), actual = provider.brief(row.p, actual), intact = true, sole = sole })
	return answer ~= nil, message, errno == "EEXIST" and "elsewhere" or "failed"
end

local function take(row, options)
	local others = others_of(row)
	if row.result then
		return
	elseif is_own(row) then
		row.result = "managed"
	elseif others[1] and not options.force then
		row.result, row.reason = "elsewhere", "the stack " .. table.concat(others, ", ") .. " manages it"
	else
		local actual, message = look(row)
		local ok, why = actual ~= nil, "failed"
		if ok and not options.dry_run then
			ok, message, why = register(row, actual, not options.force)
		end
		row.result, row.reason = ok and "adopted" or why, not ok and message or nil
	end
end

-- What is registered of one's own stays the wish.
local function own_wish(row)
	local registered = row.result == "managed" and core.call("resource.get", { type = row.type, name = row.name })
	return registered and registered.properties or row.desired
end

local function told(rows)
	local counts, list = { adopted = 0, managed = 0, elsewhere = 0, failed = 0 }, {}
	for i, row in ipairs(rows) do
		counts[row.result] = counts[row.result] + 1
		list[i] = { type = row.type, name = row.name, result = row.result, reason = row.reason, properties = own_wish(row) }
	end
	return counts, core.mark_list(list)
end

local function first_reason(rows)
	for _, row in ipairs(rows) do
		if row.reason then
			return row.type .. "/" .. row.name .. ": " .. row.reason
		end
	end
end

local function summary(counts, dry_run)
	local parts = { counts.adopted .. (dry_run and " would be adopted" or " adopted") }
	parts[2] = counts.managed > 0 and counts.managed .. " managed already" or nil
	parts[#parts + 1] = counts.elsewhere > 0 and counts.elsewhere .. " managed by other stacks" or nil
	parts[#parts + 1] = counts.failed > 0 and counts.failed .. " failed" or nil
	return table.concat(parts, ", ")
end

-- What is kept as a digest can't be brought back.
local function note_digests(rows, notes)
	local count = 0
	for _, row in ipairs(rows) do
		local text = row.result == "adopted" and row.desired.content
		count = count + (type(text) == "table" and text.sha256 and 1 or 0)
	end
	if count > 0 then
		notes[#notes + 1] = count == 1 and "1 file is not for everybody to read, or is too large: only size and SHA-256 of its content are kept" or
			count .. " files are not for everybody to read, or are too large: only sizes and SHA-256 of their contents are kept"
	end
end

local function conclude(rows, notes, options)
	note_digests(rows, notes)
	local counts, list = told(rows)
	local more = { resources = list, notes = core.mark_list(notes), dry_run = options.dry_run }
	for name, count in pairs(counts) do
		more[name] = count
	end
	local text = summary(counts, options.dry_run)
	if counts.failed > 0 or counts.elsewhere > 0 then
		return result.bad(text .. ": " .. first_reason(rows), more)
	end
	return result.good(counts.adopted > 0 and not options.dry_run, text, more)
end

local function read(where, types, text, options)
	options = options == nil and {} or options
	if type(text) ~= "string" or text == "" or type(options) ~= "table" then
		core.fail(where .. " takes a type (or a list of types), a selector, and options in a table")
	end
	return types_of(where, types), options
end

local function all_candidates(where, list, text, options)
	local rows, notes = {}, {}
	for _, p in ipairs(list) do
		local ok, message = candidates(where, p, text, options, rows, notes)
		if not ok then
			return nil, p.type .. " " .. text .. ": " .. message
		end
	end
	if not rows[1] then
		local all = {}
		for i, p in ipairs(list) do
			all[i] = p.type
		end
		return nil, "there is no " .. table.concat(all, ", ") .. " that '" .. text .. "' means" .. (notes[1] and ": " .. notes[1] or "")
	end
	return rows, notes
end

-- find(types, selector [, options]): what there is, as a list of { type, name, properties }; beside it what else is to be said, a list.
function adopt.find(types, text, options)
	local where = "resource.find"
	core.acts(where) -- a list of packages comes from a command
	local list
	list, options = read(where, types, text, options)
	local rows, notes = all_candidates(where, list, text, options)
	if not rows then
		return nil, notes
	end
	local found = {}
	for i, row in ipairs(rows) do
		found[i] = { type = row.type, name = row.name, properties = row.desired, reason = row.reason }
	end
	return core.mark_list(found), core.mark_list(notes)
end

-- adopt(types, selector [, { dry_run, force, exact, and properties }])
function adopt.adopt(types, text, options)
	local where = "resource.adopt"
	core.acts(where)
	local list
	list, options = read(where, types, text, options)
	local rows, notes = all_candidates(where, list, text, options)
	if not rows then
		return result.bad(notes)
	end
	local ok, message = ask_managers(rows)
	if not ok then
		return result.bad(message)
	end
	for _, row in ipairs(rows) do
		take(row, options)
		core.sleep(0)
	end
	return conclude(rows, notes, options)
end

return adopt
