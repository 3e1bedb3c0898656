-- SPDX-License-Identifier: MIT
-- What modules ask of a service by its name, whoever keeps it running: a supervisor of ours, where it has one, else systemd.
local core = ...
local supervised = core.library("supervised")
local units = core.library("units")
local services = {}

-- What supervised.look() gives, where it is one of those; nil: it is none; or nil and a message.
local function of_ours(name, root)
	if name:find("/", 1, true) or name:find("^%.") then
		return nil, "'" .. name .. "' is no name of a service"
	end
	local one, message = supervised.look({ name = name, root = root })
	return one and one.spec and one or nil, message
end

-- "supervised" or "systemd"; or nil and a message.
function services.backend(name, root)
	local one, message = of_ours(name, root)
	return not message and (one and "supervised" or "systemd") or nil, message
end

-- true or false, and its state in a word; or nil and a message.
function services.is_active(name, root)
	local one, message = of_ours(name, root)
	if one then
		return one.running or false, one.up and one.status.state or one.stray and "stray" or "stopped"
	elseif message then
		return nil, message
	elseif root then
		return nil, "below another root nothing of systemd's runs"
	end
	local found
	found, message = units.show(name)
	if not found then
		return nil, message
	end
	return found.ActiveState == "active", found.LoadState == "not-found" and "not-found" or found.ActiveState
end

function services.is_enabled(name, root)
	local one, message = of_ours(name, root)
	if one then
		return false, "supervised"
	elseif message then
		return nil, message
	end
	local word
	word, message = units.enabled_state(root, name)
	if not word then
		return nil, message
	end
	return units.is_enabled_word(word), word
end

local STATUS = { "state", "pid", "restarts", "text" }

-- For people.
function services.status(name, root)
	local one, message = of_ours(name, root)
	if message then
		return nil, message
	elseif not one then
		return units.text_of("status", "--lines=20", "--full", units.full_name(name))
	end
	local lines = { name .. " (supervised, " .. one.folder .. ")" }
	for _, key in ipairs(one.status and STATUS or {}) do
		lines[#lines + 1] = one.status[key] ~= nil and ("%10s: %s"):format(key, one.status[key]) or nil
	end
	return table.concat(lines, "\n") .. "\n"
end

local acts = {
	supervised = {
		restart = function(what) return core.library("in_turn")({ { supervised.stop, what }, { supervised.start, what } }) end,
		reload = supervised.reload,
	},
	systemd = {
		restart = function(what) return units.act(what.root, "restart", what.name) end,
		reload = function(what) return units.act(what.root, "reload", what.name) end,
	},
}

-- verb: "restart" or "reload"; of { name, root }. true, or nil and a message.
function services.act(verb, what)
	local backend, message = services.backend(what.name, what.root)
	if not backend then
		return nil, message
	end
	return acts[backend][verb](what)
end

return services
