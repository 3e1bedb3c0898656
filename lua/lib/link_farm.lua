-- SPDX-License-Identifier: MIT
-- Packages of links: a folder whose things are linked to from another one, as stow(8) does it. This file only plans: what would have to
-- be made and removed.
local core = ...
local on_disk = core.library("on_disk")
local farm = {}

-- What a package may have and nobody wants linked.
local left_out = { [".git"] = true, [".gitignore"] = true, [".gitmodules"] = true, [".hg"] = true, [".svn"] = true, CVS = true, [".stow-local-ignore"] = true }
local left_out_patterns = { "^README", "^LICENSE", "^COPYING", "~$", "^#.*#$", "^%.#" }

local function is_left_out(desired, name, path)
	for _, pattern in ipairs(left_out_patterns) do
		if path == name and name:find(pattern) and not name:find("^%.[^#]") then
			return true
		end
	end
	for _, glob in ipairs(desired.ignore or {}) do
		if core.glob_matches(glob, path) or core.glob_matches(glob, name) then
			return true
		end
	end
	return left_out[name] or false
end

local function normal(path)
	local parts = {}
	for part in path:gmatch("[^/]+") do
		if part == ".." then
			parts[#parts] = nil
		elseif part ~= "." then
			parts[#parts + 1] = part
		end
	end
	return "/" .. table.concat(parts, "/")
end

-- How `to` is called in a link in `folder`.
function farm.relative(folder, to)
	local from, rest = normal(folder), normal(to)
	local a, b = from:gmatch("[^/]+"), rest:gmatch("[^/]+")
	local up, down, same = {}, {}, true
	local x, y = a(), b()
	while x or y do
		same = same and x == y
		if not same then
			up[#up + 1], down[#down + 1] = x and "..", y
		end
		x, y = a(), b()
	end
	table.move(down, 1, #down, #up + 1, up)
	return table.concat(up, "/")
end

local function folder_of(path)
	return path:match("^(.*)/[^/]*$")
end

-- { type, leads: where a link leads }; nil: there is nothing; or nil and a message.
local function look(path)
	local st, message = on_disk.at(path, false, core.look)
	if st and st.type == "link" then
		return { type = "link", leads = normal(st.target:sub(1, 1) == "/" and st.target or folder_of(path) .. "/" .. st.target) }
	end
	return st, message
end

local function is_below(path, folder)
	return path:sub(1, #folder + 1) == folder .. "/"
end

local function sorted(folder)
	local names = fs.ls(folder)
	table.sort(names or {})
	return names
end

local Plan = {}
Plan.__index = Plan

function Plan:add(what, path, leads)
	self.actions[#self.actions + 1] = { what = what, path = path, text = leads and farm.relative(folder_of(path), leads) }
end

-- What stands at a name of the target. `unfolded`: the folder of another package that stood there whole, and is taken apart.
function Plan:there(path, name, unfolded)
	if self.new then
		return nil
	elseif not unfolded then
		return look(path)
	end
	local st = core.look(unfolded .. "/" .. name)
	return st and { type = "link", leads = unfolded .. "/" .. name }
end

-- The folder of another package stands there as a link (or would, `unfolded` itself): it becomes a folder with links.
function Plan:unfold(path, leads, unfolded)
	if not unfolded then
		self:add("unlink", path)
	end
	self:add("mkdir", path)
	return leads
end

-- The links of an unfolded folder that nothing of ours goes into.
function Plan:refill(at, unfolded, taken)
	for _, name in ipairs(unfolded and sorted(unfolded) or {}) do
		if not taken[name] then
			self:add("link", self.target .. at .. "/" .. name, unfolded .. "/" .. name)
		end
	end
end

-- Of things that are not in the package any more links are left.
function Plan:sweep(at, known)
	for _, name in ipairs(not self.new and sorted(self.target .. at) or {}) do
		local path = self.target .. at .. "/" .. name
		local st = not known[name] and look(path)
		if st and st.type == "link" and is_below(st.leads, self.package) and not core.look(st.leads) then
			self.stale[#self.stale + 1] = (at .. "/" .. name):sub(2)
			self:add("unlink", path)
		end
	end
end

function Plan:conflict(at)
	self.conflicts[#self.conflicts + 1] = at:sub(2)
end

-- A folder of the package where there is none yet.
function Plan:new_folder(at)
	local source, path = self.package .. at, self.target .. at
	self.missing[#self.missing + 1] = at:sub(2)
	if not self.desired.no_folding then
		self:add("link", path, source)
		return
	end
	self:add("mkdir", path)
	local before = self.new
	self.new = true
	self:visit(at)
	self.new = before
end

local function is_folder(path)
	local st = core.look(path)
	return st and st.type == "directory"
end

function Plan:folder(at, st, unfolded)
	local path = self.target .. at
	if not st then
		self:new_folder(at)
	elseif st.type == "link" and is_below(st.leads, self.stow) and not is_below(st.leads, self.package) and is_folder(st.leads) then
		self:visit(at, self:unfold(path, st.leads, unfolded))
	elseif st.type == "directory" then
		self:visit(at)
	else
		self:conflict(at)
	end
end

-- All of the package below `at` ("", "/.config").
function Plan:visit(at, unfolded)
	local known = {}
	for _, name in ipairs(sorted(self.package .. at) or {}) do
		local here = at .. "/" .. name
		if not is_left_out(self.desired, name, here:sub(2)) then
			local source, path = self.package .. here, self.target .. here
			local st, message = self:there(path, name, unfolded)
			known[name] = true
			self.message = self.message or message
			if st and st.type == "link" and st.leads == source then
				self.there_are = self.there_are + 1
			elseif is_folder(source) then
				self:folder(here, st, unfolded)
			elseif st and not (st.type == "link" and is_below(st.leads, self.package) and not core.look(st.leads)) then
				self:conflict(here)
			else
				self.missing[#self.missing + 1] = here:sub(2)
				self:add("link", path, source)
			end
		end
	end
	self:refill(at, unfolded, known)
	if not unfolded then
		self:sweep(at, known)
	end
end

-- All links that lead into the package go.
function Plan:clear(at)
	for _, name in ipairs(sorted(self.package .. at) or {}) do
		local here = at .. "/" .. name
		local st, message = look(self.target .. here)
		self.message = self.message or message
		if st and st.type == "link" and st.leads == self.package .. here then
			self.there_are = self.there_are + 1
			self:add("unlink", self.target .. here)
		elseif st and st.type == "directory" and is_folder(self.package .. here) then
			self:clear(here)
		end
	end
end

-- The package is gone: links that led into it lead nowhere. Below the target they are looked for, in folders of so many names.
local NAMES_MAX, DEPTH_MAX = 20000, 16

function Plan:clear_dangling(at, depth)
	for _, name in ipairs(sorted(self.target .. at) or {}) do
		self.names = self.names + 1
		if self.names > NAMES_MAX then
			self.message = self.message or "there are more than " .. NAMES_MAX .. " names below " .. self.desired.target .. ", and the package is gone that would say which are its links"
			return
		end
		local here = at .. "/" .. name
		local path = self.target .. here
		local st = look(path)
		if st and st.type == "link" and is_below(st.leads, self.package) then
			self.there_are = self.there_are + 1
			self:add("unlink", path)
		elseif st and st.type == "directory" and depth < DEPTH_MAX then
			self:clear_dangling(here, depth + 1)
		end
	end
end

-- { actions = list of { what = "link", "mkdir", "unlink", path, text }, missing, stale, conflicts = names, there_are = number of links }; or
-- nil and a message.
function farm.plan(desired)
	local stow = core.real_path(desired.source)
	local package = stow and normal(stow .. "/" .. desired.package)
	local st = package and core.look(package)
	local gone = desired.ensure == "absent" and not st
	if gone then
		stow = stow or normal(desired.source)
		package = normal(stow .. "/" .. desired.package)
	elseif not st or st.type ~= "directory" then
		return nil, "there is no package '" .. desired.package .. "' in " .. desired.source
	end
	local target, message = on_disk.real_folder(desired.target)
	if message then
		return nil, message
	end
	local plan = setmetatable({ desired = desired, stow = stow, package = package, target = target or desired.target, new = not target, actions = {},
		missing = {}, stale = {}, conflicts = {}, there_are = 0 }, Plan)
	if gone then
		plan.names = 0
		if target then
			plan:clear_dangling("", 0)
		end
	elseif desired.ensure == "absent" then
		plan:clear("")
	else
		plan:visit("")
	end
	if plan.message then
		return nil, plan.message
	end
	return plan
end

return farm
