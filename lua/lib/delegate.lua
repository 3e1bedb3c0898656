-- SPDX-License-Identifier: MIT
-- delegate_to: where a task runs. There is this host, under several names; every other one would be an agent's.
local core = ...
local kinds = core.library("kinds").kinds
local delegate = {}

-- "web-01:50051", "[::1]:50051": without the port
local function host_of(address)
	return address:match("^%[(.*)%]") or address:match("^([^:]*):%d+$") or address
end

local function is_here(name)
	return core.is_this_host(name)
end

-- What is wrong with a place, or nil: it is here.
local function refusal(where)
	local advice = 'there are no agents yet; delegate_to("local") and sloth run --local run it here, and so does a name in local_agents (config.yaml)'
	for _, name in ipairs(where.names or {}) do
		if not is_here(name) then
			return "no agent is called '" .. name .. "': " .. advice
		end
	end
	if where.address and not is_here(host_of(where.address)) then
		return "no agent has the address '" .. where.address .. "': " .. advice
	elseif where.tags then
		return "no agent has the tags '" .. table.concat(where.tags, "', '") .. "': " .. advice
	end
end

-- At the end of loading: what the command line says about it, and whether there is something to say when the task starts.
function delegate.settle(task, options)
	if options["local"] then
		task.delegate_to = nil
		return
	end
	if not task.delegate_to and options.delegate_to then
		task.delegate_to = kinds.host(options.delegate_to)
	end
	local where = task.delegate_to
	if where then
		task.remote = (where.fn or refusal(where)) and true or nil
		task.delegate_said = where.fn and "(a function)" or where.said
	end
end

-- When the task starts: nil, or why it can't run. `call` calls the function that says where.
function delegate.problem(task, call)
	local where, what = task.delegate_to, nil
	if where.fn then
		local said = call(where.fn)
		if said == nil then
			return
		end
		where, what = kinds.host(said)
		if not where or where.fn then
			return "delegate_to: the function must give " .. (what or "a name, not a function")
		end
	end
	return refusal(where)
end

return delegate
