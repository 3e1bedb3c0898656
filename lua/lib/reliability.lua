-- SPDX-License-Identifier: MIT
-- reliability: trying again, and leaving alone for a while what fails.
local core = ...
local object, handle = core.library("object"), core.library("handle")
local reliability = {}

-- What a function gave back is a failure when it raised an error, gave nil or false, or a value and a text that says what
-- went wrong (as exec.run does), or a table whose `success` is false.
local function judge(results)
	local first, second = results[2], results[3]
	local text = type(second) == "string" and second ~= "" and second or nil
	if not results[1] then
		return false, first
	elseif first == false or (first == nil and text) then
		return false, text or "it returned false"
	elseif type(first) == "table" and rawget(first, "success") == false then
		return false, text or rawget(first, "error") or rawget(first, "message") or "it did not succeed"
	elseif first ~= true and first ~= nil and text then
		return false, text
	end
	return true
end

local function attempt(fn)
	local results = table.pack(pcall(fn))
	local ok, err = judge(results)
	return ok, err, results
end

-- Retries.

reliability.strategy = { FIXED_DELAY = "fixed", EXPONENTIAL_BACKOFF = "exponential", LINEAR_BACKOFF = "linear", CUSTOM_BACKOFF = "custom" }

local waits = {
	fixed = function(config) return config.initial_delay end,
	linear = function(config, k) return config.initial_delay * k end,
	exponential = function(config, k) return config.initial_delay * config.multiplier ^ (k - 1) end,
	custom = function(config, k) return object.check_seconds(config.custom_delay(k), "reliability: custom_delay") end,
}

-- Other names of the options.
local aliases = {
	delay = "initial_delay", backoff_factor = "multiplier", backoff = "strategy", attempts = "max_attempts",
	should_retry = "retry_if", retry_on = "retry_if",
}
local retry_options = {
	max_attempts = true, initial_delay = true, max_delay = true, multiplier = true, strategy = true, jitter = true,
	retry_if = true, on_retry = true, custom_delay = true,
}
for name in pairs(aliases) do
	retry_options[name] = true
end

local function read_retry(given, what)
	object.check_options(given, retry_options, what)
	local config = { max_attempts = 3, initial_delay = 1, max_delay = 30, multiplier = 2, strategy = "exponential", jitter = true }
	for key, value in pairs(given) do
		config[aliases[key] or key] = value
	end
	object.check_count(config.max_attempts, 1, what .. ": max_attempts")
	config.initial_delay = object.check_seconds(config.initial_delay, what .. ": initial_delay")
	config.max_delay = object.check_seconds(config.max_delay, what .. ": max_delay")
	object.check(config.multiplier, "number", what .. ": multiplier")
	config.wait = waits[config.strategy]
	if not config.wait then
		core.fail(what .. ": the strategy is \"fixed\", \"linear\", \"exponential\" or \"custom\", not " .. tostring(config.strategy))
	elseif config.strategy == "custom" then
		object.check(config.custom_delay, "function", what .. ": custom_delay")
	end
	return config
end

-- Half of the wait is fixed, half is chance: many that failed together do not come back together.
local function delay_of(config, k)
	local ms = math.min(config.max_delay, config.wait(config, k))
	if config.jitter then
		ms = ms / 2 + ms / 2 * math.random()
	end
	return ms
end

local function retry(config, fn)
	local k = 1
	while true do
		local ok, err, results = attempt(fn)
		if ok then
			return table.unpack(results, 2, results.n)
		elseif core.ending() or k >= config.max_attempts or (config.retry_if and not config.retry_if(err)) then
			return nil, err, k
		end
		local ms = delay_of(config, k)
		if config.on_retry then
			config.on_retry(k, ms / 1000, err)
		end
		core.sleep(ms)
		k = k + 1
	end
end

-- retry(attempts, delay, fn), retry(attempts, fn), retry(fn, options): what fn gives; or nil, the last error, and how often
-- it was tried.
function reliability.retry(first, second, third)
	if type(first) == "function" then
		return retry(read_retry(second or {}, "reliability.retry"), first)
	end
	local delay, fn = second, third
	if third == nil then
		delay, fn = 1, second
	end
	object.check(fn, "function", "reliability.retry")
	return retry(read_retry({ max_attempts = first, initial_delay = delay }, "reliability.retry"), fn)
end

function reliability.retry_with_config(config, fn)
	object.check(fn, "function", "reliability.retry_with_config")
	return retry(read_retry(config, "reliability.retry_with_config"), fn)
end

-- Circuit breakers: one of a name in a run.

local breakers = {}
local methods = {}
local kind = object.kind("circuit_breaker", methods)
local breaker_options = {
	name = true, max_failures = true, failure_threshold = true, timeout = true, reset_timeout = true, recovery_timeout = true,
	success_threshold = true, half_open_requests = true, on_state_change = true,
}

local function read_breaker(config, what)
	object.check_options(config, breaker_options, what)
	local pause = config.reset_timeout or config.recovery_timeout
	local limit = pause and config.timeout
	return {
		threshold = object.check_count(config.failure_threshold or config.max_failures or 5, 1, what .. ": failure_threshold"),
		pause = object.check_seconds(pause or config.timeout or 60, what .. ": reset_timeout"),
		limit = limit and object.check_seconds(limit, what .. ": timeout"),
		successes = object.check_count(config.success_threshold or 1, 1, what .. ": success_threshold"),
		trials = object.check_count(config.half_open_requests or 1, 1, what .. ": half_open_requests"),
		on_state_change = config.on_state_change and object.check(config.on_state_change, "function", what .. ": on_state_change"),
	}
end

local function enter(self, state)
	local before = self.state
	self.state, self.in_a_row, self.trying = state, 0, 0
	if state == "open" then
		self.opened = core.uptime()
	end
	if self.config.on_state_change and before ~= state then
		self.config.on_state_change(before, state)
	end
end

-- Whether it may be called now; else what to say.
local function admit(self)
	if self.state == "open" then
		local left = self.opened + self.config.pause - core.uptime()
		if left > 0 then
			return false, string.format("circuit breaker '%s' is open after %d failures: next try in %.1f s", self.name,
				self.stats_of.consecutive_failures, left / 1000)
		end
		enter(self, "half_open")
	end
	if self.state == "half_open" then
		if self.trying >= self.config.trials then
			return false, "circuit breaker '" .. self.name .. "' is half open, and is being tried"
		end
		self.trying = self.trying + 1
	end
	return true
end

local function succeeded(self)
	local stats = self.stats_of
	stats.total_success, stats.consecutive_success = stats.total_success + 1, stats.consecutive_success + 1
	stats.consecutive_failures, stats.last_success = 0, core.now()
	if self.state == "half_open" then
		self.trying, self.in_a_row = math.max(0, self.trying - 1), self.in_a_row + 1
		if self.in_a_row >= self.config.successes then
			enter(self, "closed")
		end
	end
end

local function failed(self)
	local stats = self.stats_of
	stats.total_failures, stats.consecutive_failures = stats.total_failures + 1, stats.consecutive_failures + 1
	stats.consecutive_success, stats.last_failure = 0, core.now()
	if self.state == "half_open" or (self.state == "closed" and stats.consecutive_failures >= self.config.threshold) then
		enter(self, "open")
	end
end

-- What fn gives; or nil, the error, and whether it was not even called.
local function call(self, fn, ...)
	object.check(fn, "function", "circuit_breaker:call")
	local may, why = admit(self)
	if not may then
		return nil, why, true
	end
	local args, ok, err, results = table.pack(...), nil, nil, nil
	self.stats_of.requests = self.stats_of.requests + 1
	if self.config.limit then
		results = table.pack(handle.timeout(self.config.limit, fn, ...))
		ok, err = judge(results)
	else
		ok, err, results = attempt(function() return fn(table.unpack(args, 1, args.n)) end)
	end
	if ok then
		succeeded(self)
		return table.unpack(results, 2, results.n)
	end
	failed(self)
	return nil, err, false
end

-- Also as breaker.call(fn).
function methods:call(...)
	return call(self, ...)
end

local function moment(ms)
	return ms and os.date("!%Y-%m-%dT%H:%M:%SZ", ms // 1000)
end

function methods:stats()
	local stats = self.stats_of
	return {
		name = self.name, state = self.state, requests = stats.requests,
		total_success = stats.total_success, total_failures = stats.total_failures,
		consecutive_success = stats.consecutive_success, consecutive_failures = stats.consecutive_failures,
		successes = stats.total_success, failures = stats.total_failures,
		last_success_time = moment(stats.last_success), last_failure_time = moment(stats.last_failure),
	}
end

function methods:get_state()
	if self.state == "open" and core.uptime() >= self.opened + self.config.pause then
		return "half_open"
	end
	return self.state
end

function methods:reset()
	local stats = self.stats_of
	stats.consecutive_failures, stats.consecutive_success = 0, 0
	enter(self, "closed")
end

local function breaker(name, config, what)
	if type(name) ~= "string" then
		core.fail(what .. ": its name must be a string, not a " .. type(name))
	end
	local self = breakers[name]
	if not self then
		self = setmetatable({
			name = name, config = false, state = "closed", opened = 0, in_a_row = 0, trying = 0,
			stats_of = { requests = 0, total_success = 0, total_failures = 0, consecutive_success = 0, consecutive_failures = 0 },
		}, kind)
		breakers[name] = self
	end
	if config or not self.config then
		self.config = read_breaker(config or {}, what)
	end
	return self
end

-- circuit_breaker(name, options) and circuit_breaker{ name = …, … } → the breaker; with a function: what its call gives.
function reliability.circuit_breaker(first, second, third)
	local what = "reliability.circuit_breaker"
	if type(first) == "table" then
		return breaker(first.name, first, what)
	elseif type(first) == "function" then
		local where = core.where()
		return call(breaker(where, second, what), first)
	end
	if type(second) == "function" then
		second, third = third, second
	end
	local self = breaker(first, second, what)
	if third then
		return call(self, third)
	end
	return self
end

function reliability.get_circuit_stats(name)
	local self = breakers[name]
	if self then
		return self:stats()
	end
	return nil, "circuit breaker not found: " .. tostring(name)
end

function reliability.reset_circuit(name)
	if not breakers[name] then
		return false, "circuit breaker not found: " .. tostring(name)
	end
	breakers[name]:reset()
	return true
end

function reliability.list_circuits()
	local names = {}
	for name in pairs(breakers) do
		names[#names + 1] = name
	end
	table.sort(names)
	return names
end

-- Limits.

-- What fn gives; or nil and "timeout exceeded", or the error. The limit is in seconds.
function reliability.timeout(fn, limit)
	object.check(fn, "function", "reliability.timeout")
	return handle.value(handle.timeout(object.check_seconds(limit, "reliability.timeout"), fn))
end

-- What fn gives; or, when it fails, what the other function gives for the error.
function reliability.fallback(fn, other)
	object.check(fn, "function", "reliability.fallback")
	object.check(other, "function", "reliability.fallback: the second")
	local ok, err, results = attempt(fn)
	if ok then
		return table.unpack(results, 2, results.n)
	end
	return other(err)
end

return reliability
