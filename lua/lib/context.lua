-- SPDX-License-Identifier: MIT
-- Contexts: a tree of reasons to stop. What ends above ends below.
local core = ...
local object = core.library("object")
local context = {}

local CANCELLED, LATE = "context canceled", "context deadline exceeded"

local methods = {}
local kind = object.kind("context", methods)

local function make(parent, deadline)
	if parent and parent.until_ms and (not deadline or parent.until_ms < deadline) then
		deadline = parent.until_ms
	end
	local self = setmetatable({
		parent = parent or false, until_ms = deadline or false, reason = false, closes = false, watched = false,
		children = setmetatable({}, { __mode = "k" }), spawned = {},
	}, kind)
	if parent then
		parent.children[self] = true
	end
	return self
end

local function stop(self, reason)
	if self.reason then
		return
	end
	self.reason = reason
	if self.closes then
		self.closes:close()
	end
	for id in pairs(self.spawned) do
		core.cancel(id, reason)
	end
	self.spawned = {}
	for child in pairs(self.children) do
		stop(child, reason)
	end
end

-- The reason, when there is one by now.
local function reason_of(self)
	if not self.reason and self.parent and reason_of(self.parent) then
		stop(self, self.parent.reason)
	end
	if not self.reason and self.until_ms and core.now() >= self.until_ms then
		stop(self, LATE)
	end
	return self.reason or nil
end

-- Makes the deadline happen for those that wait.
local function watch(self)
	if self.until_ms and not self.watched and not reason_of(self) then
		self.watched = true
		core.spawn(function()
			while not reason_of(self) do
				core.sleep(math.max(1, self.until_ms - core.now()))
			end
		end)
	end
end

function methods:with_cancel()
	local child = make(self)
	return child, function() stop(child, CANCELLED) end
end

function methods:with_deadline(ms)
	if type(ms) ~= "number" then
		core.fail("context:with_deadline: milliseconds since 1970 are expected, not a " .. type(ms))
	end
	local child = make(self, ms)
	return child, function() stop(child, CANCELLED) end
end

function methods:with_timeout(ms)
	return self:with_deadline(core.now() + object.check_ms(ms, "context:with_timeout"))
end

function methods:is_cancelled()
	return reason_of(self) ~= nil
end

function methods:err()
	return reason_of(self)
end

function methods:cancel()
	stop(self, CANCELLED)
end

-- Milliseconds since 1970, true; or nil, false.
function methods:deadline()
	if self.until_ms then
		return self.until_ms, true
	end
	return nil, false
end

-- A channel that is closed when it is over: for select.
function methods:done()
	if not self.closes then
		self.closes = core.library("channel").new()
		if reason_of(self) then
			self.closes:close()
		end
	end
	watch(self)
	return self.closes
end

-- A goroutine that ends with it, wherever it waits.
function methods:spawn(fn, ...)
	object.check(fn, "function", "context:spawn")
	if reason_of(self) then
		return false, self.reason
	end
	local mine
	local function run(...)
		local results = table.pack(pcall(fn, ...))
		self.spawned[mine] = nil
		if not results[1] and not core.ending() then
			core.error(results[2], 0)
		end
	end
	mine = core.spawn(run, ...)
	self.spawned[mine] = true
	if self.until_ms then
		core.limit(mine, self.until_ms - core.now(), LATE)
	end
	watch(self)
	return true
end

function context.new()
	return make()
end

-- goroutine.context.with_timeout(ms): of a context without an end.
function context.root(name)
	local method = methods[name]
	return function(first, ...)
		return method(make(), first, ...)
	end
end

return context
