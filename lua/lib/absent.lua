-- SPDX-License-Identifier: MIT
-- Modules that Sloth Runner knows and this version has not. They can be named, required and passed around, so that a
-- workflow loads; to call a function of one is an error that says so.
local core = ...
local absent = {}

local names = {}
for name in ([[
ai async aws azure circuit data_processor database digitalocean event facts firewall frp gcp github gitlab gitops
go_bridge helm hook http incus k8s kubernetes lvm math_ext metrics monitoring net network nfs nixos notification notifications
perf pulumi python queue raid redis reliability saga salt security session smb ssh system
terraform testing utils validate watcher workdir]]):gmatch("%S+") do
	names[name] = true
end

local meta = { __name = "module", __metatable = false }
local paths = setmetatable({}, { __mode = "k" })
local tops = {} -- name → its table

local function stand_in(path)
	local object = setmetatable({}, meta)
	paths[object] = path
	return object
end

function meta:__index(key)
	return stand_in(paths[self] .. "." .. tostring(key))
end

function meta:__newindex()
	core.fail("there is no module '" .. paths[self]:match("^[^.]*") .. "' in this version of Sloth: nothing can be assigned to it")
end

function meta:__call()
	local path = paths[self]
	local name = path:match("^[^.]*")
	core.fail("there is no module '" .. name .. "' in this version of Sloth" .. (path ~= name and ": " .. path .. " can't be called" or ""))
end

function meta:__tostring()
	return "module " .. paths[self] .. " (not in this version)"
end

-- What stands for a module, or nil: nobody knows that name.
function absent.module(name)
	if names[name] and not tops[name] then
		tops[name] = stand_in(name)
	end
	return tops[name]
end

function absent.is(value)
	return type(value) == "table" and paths[value] ~= nil
end

return absent
