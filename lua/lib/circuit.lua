-- SPDX-License-Identifier: MIT
-- circuit: circuit breakers by name, in one call.
local core = ...
local reliability = core.library("reliability")
local circuit = {}

-- What fn gives; when it fails or is not called, { success = false, error, circuit_open }.
function circuit.protect(name, fn, options)
	local breaker = reliability.circuit_breaker(name, options)
	local results = table.pack(breaker:call(fn))
	if results[1] == nil and results[2] ~= nil then
		return { success = false, error = tostring(results[2]), circuit_open = results[3] or false }
	end
	return table.unpack(results, 1, results.n)
end

function circuit.stats(name)
	return reliability.get_circuit_stats(name)
end

function circuit.status(name)
	local stats, err = reliability.get_circuit_stats(name)
	return stats and stats.state, err
end

function circuit.reset(name)
	return reliability.reset_circuit(name)
end

return circuit
