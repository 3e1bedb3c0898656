-- SPDX-License-Identifier: MIT
-- Providers: each knows one type of thing in the world, how it is read and how it is changed. A provider is a table; see RESOURCE in
-- sloth-lua(7). Those of users (resource.define) have the same form.
local core = ...
local property = core.library("property")
local provider = {}

-- Type → library that has it, compiled when the type is first used.
local libraries = {
	archive = "provider_archive",
	block = "provider_block",
	command = "provider_command",
	cron = "provider_cron",
	directory = "provider_directory",
	docker = "provider_docker",
	file = "provider_file",
	git = "provider_git",
	group = "provider_group",
	http = "provider_http",
	ini = "provider_ini",
	line = "provider_line",
	mount = "provider_mount",
	output = "provider_output",
	package = "provider_package",
	port = "provider_port",
	process = "provider_process",
	service = "provider_service",
	ssh_key = "provider_ssh_key",
	stow = "provider_stow",
	symlink = "provider_symlink",
	sysctl = "provider_sysctl",
	user = "provider_user",
}

local defined = {} -- by the workflow
local ready = {} -- type → a provider that was checked

local functions = { "validate", "prepare", "read", "diff", "apply", "image", "undo", "watch", "deps", "suggest", "list" }
local needed = { "read", "apply" }
local fields = { "type", "module", "key", "properties", "impact", "irreversible" }
local row_fields = { "kind", "required", "default", "words", "severity", "shown", "min", "max", "state", "equal", "input", "compare", "description", "sensitive" }
local severities = { low = true, medium = true, high = true, critical = true }

local function names_of(...)
	local set, list = {}, {}
	for _, names in ipairs({ ... }) do
		for _, name in ipairs(names) do
			set[name], list[#list + 1] = true, name
		end
	end
	return set, list
end

local function keys(t)
	local list = {}
	for key in pairs(t) do
		list[#list + 1] = tostring(key)
	end
	table.sort(list)
	return list
end
provider.keys = keys

local function known(where, t, set, list)
	for key in pairs(t) do
		if not set[key] then
			local near = core.nearest(tostring(key), list)
			core.fail(where .. ": there is no '" .. tostring(key) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
				" (known: " .. table.concat(list, ", ") .. ")")
		end
	end
end

local provider_set, provider_list = names_of(functions, fields)
local row_set, row_list = names_of(row_fields)

local function check_row(where, name, row)
	where = where .. ": property '" .. tostring(name) .. "'"
	if type(row) ~= "table" then
		core.fail(where .. " must be a table, not a " .. type(row))
	end
	known(where, row, row_set, row_list)
	row.kind = row.kind or (row.words and "word" or "any")
	if not property.kinds[row.kind] then
		core.fail(where .. ": there is no kind '" .. tostring(row.kind) .. "' (known: " .. table.concat(keys(property.kinds), ", ") .. ")")
	elseif row.kind == "word" and type(row.words) ~= "table" then
		core.fail(where .. ": 'words' is missing")
	elseif row.severity and not severities[row.severity] then
		core.fail(where .. ": severity is low, medium, high or critical, not '" .. tostring(row.severity) .. "'")
	end
end

-- The provider itself; raises what is wrong with it.
function provider.check(where, p)
	known(where, p, provider_set, provider_list)
	for _, name in ipairs(functions) do
		if p[name] ~= nil and type(p[name]) ~= "function" then
			core.fail(where .. ": '" .. name .. "' must be a function, not a " .. type(p[name]))
		end
	end
	for _, name in ipairs(needed) do
		if not p[name] then
			core.fail(where .. ": '" .. name .. "' is missing (a function)")
		end
	end
	if type(p.properties) ~= "table" or type(p.key) ~= "string" or type(p.properties[p.key]) ~= "table" then
		core.fail(where .. ": 'properties' must be a table, and 'key' the name of one of them")
	end
	for name, row in pairs(p.properties) do
		check_row(where, name, row)
	end
	return p
end

-- What a user's provider reads, as it would be kept; what does not fit stays as it is.
local function normalised(p, actual)
	if type(actual) ~= "table" then
		return actual
	end
	local kept = {}
	for name, value in pairs(actual) do
		local row = p.properties[name]
		local ok, fitting
		if row and name ~= "ensure" then
			ok, fitting = pcall(property.kinds[row.kind].normalise, value, row, name)
		end
		if ok and fitting ~= nil then
			kept[name] = fitting
		else
			kept[name] = value
		end
	end
	return kept
end

-- The table stays the user's.
local function own_copy(p)
	if type(p) ~= "table" then
		return p
	end
	local copy = {}
	for key, value in pairs(p) do
		copy[key] = value
	end
	if type(p.properties) == "table" then
		copy.properties = {}
		for name, row in pairs(p.properties) do
			copy.properties[name] = type(row) == "string" and { kind = row } or row
		end
	end
	return copy
end

function provider.define(type_name, p)
	p = own_copy(p)
	local where = "resource.define(" .. tostring(type_name) .. ")"
	if type(type_name) ~= "string" or not core.name_ok(type_name) then
		core.fail("resource.define: the type must be a name of letters, digits, '.', '_' and '-'")
	elseif libraries[type_name] then
		core.fail(where .. ": this type is there already")
	elseif type(p) ~= "table" then
		core.fail(where .. ": the provider must be a table, not a " .. type(p))
	end
	if type(p.properties) == "table" and p.properties.ensure == nil then
		p.properties.ensure = { kind = "word", words = { "present", "absent" }, default = "present" }
	end
	p.type = p.type or type_name
	p.module = p.module or "resource"
	p.key = p.key or "name"
	provider.check(where, p)
	local read = p.read
	function p.read(desired)
		local actual, message = read(desired)
		return normalised(p, actual), message
	end
	defined[type_name], ready[type_name] = p, p
end

-- All types, those of the workflow, too.
function provider.types()
	local list = keys(libraries)
	for type_name in pairs(defined) do
		list[#list + 1] = type_name
	end
	table.sort(list)
	return list
end

-- The provider, or nil and a message.
function provider.find(type_name)
	if not ready[type_name] and libraries[type_name] then
		ready[type_name] = provider.check(type_name, core.library(libraries[type_name]))
	end
	if not ready[type_name] then
		core.library("earlier").load()
	end
	if ready[type_name] then
		return ready[type_name]
	end
	local why = core.library("earlier").why()
	return nil, "there is no provider for resources of the type '" .. tostring(type_name) .. "'" .. (why and "; " .. why or "")
end

-- What is kept is JSON.
local function is_text(value)
	if type(value) == "table" then
		for key, item in pairs(value) do
			if not is_text(key) or not is_text(item) then
				return false
			end
		end
	end
	return type(value) ~= "string" or utf8.len(value) ~= nil
end

local function normalise(p, where, desired, name, value)
	local row = p.properties[name]
	local kept, what = property.kinds[row.kind].normalise(value, row, where)
	if kept == nil then
		local said = type(value) == "string" and "'" .. value:sub(1, 80) .. "'" or type(value) == "table" and "a table" or tostring(value)
		core.fail(where .. ": '" .. name .. "' must be " .. what .. ", not " .. said)
	end
	if kept == "<sensitive>" then
		core.fail(where .. ": the sensitive value of '" .. name .. "' is not known here: run the workflow that asks for it")
	elseif not row.input and not is_text(kept) then
		core.fail(where .. ": '" .. name .. "' must be UTF-8, as what is kept with the stack is")
	end
	desired[name] = kept
end

-- What is desired, in the form in which it is kept; raises what is wrong with it. `inputs`: properties that are only asked for,
-- and not kept, may be there.
function provider.desired(p, where, args, inputs)
	local desired = {}
	for name in pairs(args) do
		if not p.properties[name] then
			local list = keys(p.properties)
			local near = core.nearest(tostring(name), list)
			core.fail(where .. " has no property '" .. tostring(name) .. "'" .. (near and ": did you mean '" .. near .. "'?" or "") ..
				" (its properties: " .. table.concat(list, ", ") .. ")")
		end
	end
	for name, row in pairs(p.properties) do
		local value = args[name]
		if value == nil then
			value = row.default
		end
		if value ~= nil and (inputs or not row.input) then
			normalise(p, where, desired, name, value)
		elseif row.required and value == nil then
			core.fail(where .. ": '" .. name .. "' is missing (its properties: " .. table.concat(keys(p.properties), ", ") .. ")")
		end
	end
	local message = p.validate and p.validate(desired)
	if message then
		core.fail(where .. ": " .. message)
	end
	return desired
end

-- From what is registered: a resource that was registered by hand may have its key as name only.
function provider.registered(p, name, properties)
	local args = { [p.key] = name }
	for key, value in pairs(properties or {}) do
		args[key] = value
	end
	return provider.desired(p, p.type .. "/" .. name, args)
end

-- Without what is long: what is kept of things that were seen or brought about.
function provider.brief(p, values)
	local brief = {}
	for name, value in pairs(values) do
		local row = p.properties[name]
		if row then
			brief[name] = property.brief(row, value)
		elseif type(value) ~= "table" then
			brief[name] = value
		end
	end
	return brief
end

return provider
