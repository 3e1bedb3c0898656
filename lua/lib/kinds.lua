-- SPDX-License-Identifier: MIT
-- What the words of a workflow take: each kind gives the value as it is kept, or nil and what it must be.
local core = ...
local kinds = {}

local specs = setmetatable({}, { __mode = "k" }) -- task object → its table

local function keys(t)
	local list = {}
	for key in pairs(t) do
		list[#list + 1] = key
	end
	table.sort(list)
	return list
end

-- Words of other languages for ours.
local others = {
	after = "depends_on", args = "params", cmd = "command", cwd = "workdir", depends = "depends_on", deps = "depends_on", desc = "description",
	dir = "workdir", directory = "workdir", environment = "env", ["if"] = "run_if", inputs = "consumes", max_parallel = "max_parallel_tasks",
	max_retries = "retries", needs = "depends_on", on_error = "on_failure", only_if = "run_if", parallel = "max_parallel_tasks", requires = "depends_on",
	retry = "retries", script = "shell", steps = "tasks", unless = "run_if", variables = "env", working_dir = "workdir",
}

-- The one name that begins so.
local function completed(word, list)
	local found
	for _, name in ipairs(list) do
		if #word > 2 and name:sub(1, #word) == word then
			if found then
				return nil
			end
			found = name
		end
	end
	return found
end

local function suggest(word, list)
	word = tostring(word)
	for _, name in ipairs(list) do
		if name == others[word] then
			return ": did you mean '" .. name .. "'?"
		end
	end
	local near = core.nearest(word, list) or completed(word, list)
	return near and ": did you mean '" .. near .. "'?" or ""
end

function kinds.text(v)
	if type(v) == "number" then
		v = tostring(v)
	end
	return type(v) == "string" and v or nil, "a string"
end

-- Whose rights commands have: refused where the workflow stands, when this run may not become that one.
function kinds.user(v)
	if type(v) ~= "string" and math.type(v) ~= "integer" then
		return nil, "the name of a user"
	end
	local ok, why = core.may_become(tostring(v))
	return ok and tostring(v) or nil, "a user that this run may become: " .. tostring(why)
end

function kinds.number(v)
	return math.type(v) == "integer" and v or nil, "a whole number"
end

function kinds.count(v)
	return math.type(v) == "integer" and v >= 1 and v or nil, "a whole number above 0"
end

function kinds.duration(v)
	local ms = core.duration(v)
	return ms and ms > 0 and ms or nil, 'a duration ("30s", "5m", "1h30m", or seconds)'
end

function kinds.grace(v)
	return core.duration(v), 'a duration ("30s", "5m", or seconds)'
end

-- A flag's method without an argument means true.
function kinds.flag(v)
	if v == nil then
		v = true
	end
	if type(v) ~= "boolean" then
		return nil, "true or false"
	end
	return v
end

-- A hook: a function, or a shell command.
function kinds.fn(v)
	if type(v) == "string" then
		return core.library("hook").of(v)
	end
	return type(v) == "function" and v or nil, "a function or a shell command"
end

function kinds.table(v)
	return type(v) == "table" and v or nil, "a table"
end

function kinds.condition(v)
	local fits = type(v) == "function" or type(v) == "string" or type(v) == "boolean"
	if not fits then
		return nil, "a function, a shell command or a boolean"
	end
	return { check = v }
end

function kinds.command(v)
	if specs[v] then
		v = specs[v].command
	end
	return (type(v) == "function" or type(v) == "string") and v or nil, "a function or a string (a shell script)"
end

function kinds.env(v)
	local list = {}
	if type(v) ~= "table" then
		return nil, "a table of names and values"
	end
	for name, value in pairs(v) do
		if type(name) ~= "string" or name == "" or name:find("[=%z]") then
			return nil, "a table of names and values"
		end
		local kind = type(value)
		if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
			return nil, "a table of names and values ('" .. name .. "' is a " .. kind .. ")"
		end
		list[#list + 1] = name .. "=" .. tostring(value)
	end
	table.sort(list)
	return list
end

function kinds.strings(...)
	local list = {}
	local function add(v)
		if type(v) == "string" then
			list[#list + 1] = v
		elseif type(v) == "table" and not specs[v] then
			for _, item in ipairs(v) do
				if not add(item) then
					return false
				end
			end
		else
			return false
		end
		return true
	end
	for i = 1, select("#", ...) do
		if not add((select(i, ...))) then
			return nil, "a string or a list of strings"
		end
	end
	return core.mark_list(list)
end

-- Paths from the root on.
function kinds.paths(v)
	local list = kinds.strings(v)
	for _, path in ipairs(list or {}) do
		if path:sub(1, 1) ~= "/" then
			return nil, 'a path from the root ("/etc/nginx"), or a list of them'
		end
	end
	return list, 'a path from the root ("/etc/nginx"), or a list of them'
end

-- Names of tasks: strings, task objects, plain tables with a name, lists of these, several arguments.
function kinds.names(first, ...)
	if type(first) == "string" and select("#", ...) == 0 then
		return { first }
	end
	return kinds.many_names(first, ...)
end

function kinds.many_names(...)
	local list = {}
	local function add(v)
		if type(v) == "string" then
			list[#list + 1] = v
		elseif specs[v] then
			list[#list + 1] = specs[v].name
		elseif type(v) == "table" and type(v.name) == "string" then
			list[#list + 1] = v.name
		elseif type(v) == "table" then
			for _, item in ipairs(v) do
				if not add(item) then
					return false
				end
			end
		else
			return false
		end
		return true
	end
	for i = 1, select("#", ...) do
		if not add((select(i, ...))) then
			return nil, "a task, its name, or a list of these"
		end
	end
	return list
end

-- Globs of files below the task's directory.
function kinds.globs(...)
	local what = "a relative path or glob, without '..', or a list of these"
	local list = kinds.strings(...)
	for _, glob in ipairs(list or {}) do
		if glob == "" or glob:sub(1, 1) == "/" or ("/" .. glob .. "/"):find("/%.?%.?/") then
			return nil, what .. ", not '" .. glob .. "'"
		end
	end
	if not list then
		return nil, what
	end
	return list
end

-- What other tasks keep: "task", "task/glob", task objects, lists of these.
function kinds.consumed(...)
	local list, names = {}, kinds.names(...)
	if not names then
		return nil, "'task', 'task/glob', or a list of these"
	end
	for _, name in ipairs(names) do
		local task, glob = name:match("^([^/]+)/(.+)$")
		if not task and name:find("/", 1, true) then
			return nil, "'task', 'task/glob' or a list of these, not '" .. name .. "'"
		end
		list[#list + 1] = { task = task or name, glob = glob }
	end
	return core.mark_list(list)
end

-- Where a task runs: a name, a list of names, { address = … }, { tags = … }, or a function that gives one of these.
function kinds.host(...)
	local v, expected = ..., "an agent's name, a list of names, a table with address or tags, or a function"
	if select("#", ...) > 1 then
		v = { ... }
	end
	if type(v) == "function" then
		return { fn = v }
	elseif type(v) == "string" and v ~= "" then
		return { names = { v }, said = v }
	elseif type(v) ~= "table" or next(v) == nil then
		return nil, expected
	elseif #v > 0 then
		local names, what = kinds.strings(v)
		return names and { names = names, said = names }, what and expected
	end
	for key in pairs(v) do
		if key ~= "address" and key ~= "tags" and key ~= "name" then
			return nil, "a table with address or tags; there is no '" .. tostring(key) .. "'" .. suggest(key, { "address", "tags", "name" })
		end
	end
	if v.name ~= nil and type(v.name) ~= "string" or v.address ~= nil and type(v.address) ~= "string" then
		return nil, expected
	end
	local tags = v.tags and kinds.strings(v.tags)
	if v.tags and not tags then
		return nil, "a table whose tags are a string or a list of strings"
	end
	return { names = v.name and { v.name }, address = v.address, tags = tags, said = { name = v.name, address = v.address, tags = tags } }
end

function kinds.host_tags(...)
	local tags, what = kinds.strings(...)
	return tags and { tags = tags, said = { tags = tags } }, what
end

local strategies = { "exponential", "linear", "fixed" }

function kinds.strategy(v)
	for _, name in ipairs(strategies) do
		if v == name then
			return v
		end
	end
	return nil, "'exponential', 'linear' or 'fixed', not '" .. tostring(v) .. "'" .. suggest(v, strategies)
end

local retry_words = { "count", "strategy", "base", "delay", "cap", "retry_on", "never" }

local function check_words(t, words, what)
	for key in pairs(t) do
		local known = false
		for _, word in ipairs(words) do
			known = known or key == word
		end
		if not known then
			return nil, what .. " without '" .. tostring(key) .. "'" .. suggest(key, words)
		end
	end
	return true
end

-- retries(n [, strategy | table]) or retries{ count = n, … }
function kinds.retries(count, how)
	if type(count) == "table" then
		count, how = count.count, count
	end
	if math.type(count) ~= "integer" or count < 0 then
		return nil, "the number of further tries"
	end
	if type(how) == "string" then
		how = { strategy = how }
	elseif how ~= nil and type(how) ~= "table" then
		return nil, "a number, and the strategy or a table"
	end
	local policy = { count = count, strategy = "exponential", base = 1000, cap = 60000 }
	if how == nil then
		return policy
	end
	local ok, what = check_words(how, retry_words, "a table")
	if not ok then
		return nil, what
	end
	if how.strategy ~= nil then
		policy.strategy, what = kinds.strategy(how.strategy)
		policy.said = true
		if not policy.strategy then
			return nil, what
		end
	end
	for _, name in ipairs({ "base", "cap" }) do
		local value = how[name]
		if name == "base" and value == nil then
			value = how.delay
		end
		if value ~= nil then
			policy[name] = core.duration(value)
			if not policy[name] then
				return nil, "durations for base and cap"
			end
		end
	end
	if how.retry_on ~= nil then
		if type(how.retry_on) ~= "table" then
			return nil, "a table for retry_on"
		end
		ok, what = check_words(how.retry_on, { "exit", "timeout", "signal", "error" }, "a retry_on")
		if not ok then
			return nil, what
		end
	end
	if how.never ~= nil then
		if type(how.never) ~= "table" then
			return nil, "a table for never"
		end
		ok, what = check_words(how.never, { "exit" }, "a never")
		if not ok then
			return nil, what
		end
	end
	policy.retry_on, policy.never = how.retry_on, how.never
	return policy
end

local policies = { "stop", "continue", "cancel", "rollback" }

function kinds.policy(v)
	for _, name in ipairs(policies) do
		if v == name then
			return v
		end
	end
	return nil, "'stop', 'continue', 'cancel' or 'rollback'" .. (type(v) == "string" and suggest(v, policies) or "")
end

-- on_task_failure = "continue", or an old boolean: go on?
function kinds.old_policy(v)
	if type(v) == "boolean" then
		return v and "continue" or "stop"
	end
	return kinds.policy(v)
end

-- fail_fast: the same the other way round.
function kinds.fail_fast(v)
	if type(v) == "boolean" then
		return v and "stop" or "continue"
	end
	return nil, "true or false"
end

return { kinds = kinds, specs = specs, keys = keys, suggest = suggest }
