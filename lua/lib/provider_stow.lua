-- SPDX-License-Identifier: MIT
-- Provider: packages of links, as stow(8) makes them: each thing of a package is linked to from the target. What stands there and is no
-- link of ours is left as it is.
local core = ...
local link_farm = core.library("link_farm")
local on_disk = core.library("on_disk")

local stow = {
	type = "stow",
	module = "stow",
	key = "name",
	properties = {
		name = { kind = "line", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		package = { kind = "line", compare = false },
		source = { kind = "path", required = true, compare = false },
		target = { kind = "path", required = true, compare = false },
		no_folding = { kind = "boolean", compare = false },
		ignore = { kind = "list", compare = false },
		links = { kind = "boolean", default = true, state = true },
	},
	impact = {
		[""] = "what reads these files does not find them, or finds some that should be gone",
		links = "what reads these files does not find all of them",
	},
}

function stow.validate(desired)
	desired.package = desired.package or desired.name
	if desired.package:find("^/") or ("/" .. desired.package .. "/"):find("/../", 1, true) then
		return "'" .. desired.package .. "' is not the name of a package: a folder in 'source'"
	end
end

local function told(names, what)
	if not names[1] then
		return nil
	end
	return table.concat(names, ", ", 1, math.min(#names, 3)) .. (#names > 3 and " and " .. #names - 3 .. " more" or "") .. " " .. what
end

local function differences(plan)
	local list = {}
	for _, text in ipairs({ told(plan.missing, "missing") or false, told(plan.stale, "left of what is gone") or false, told(plan.conflicts, "in the way") or false }) do
		list[#list + 1] = text or nil
	end
	return table.concat(list, "; ")
end

function stow.read(desired)
	local plan, message = link_farm.plan(desired)
	if not plan then
		return nil, message
	elseif plan.there_are == 0 and (desired.ensure == "absent" or plan.actions[1]) then
		return { ensure = "absent" }
	end
	return { ensure = "present", links = not plan.actions[1] and not plan.conflicts[1] or differences(plan) }
end

local acts = {}

-- In the place of nothing, or of a link of ours that leads to nothing.
function acts.link(path, action)
	local st = core.look(path)
	if st and st.type ~= "link" then
		return nil, path .. " is there meanwhile, and is left as it is"
	end
	return core.exchange_link(action.text, path)
end

function acts.mkdir(path)
	return core.make_directory(path)
end

function acts.unlink(path)
	local st = core.look(path)
	if st and st.type ~= "link" then
		return nil, path .. " is no link any more"
	end
	return core.unlink(path)
end

function stow.apply(desired)
	local plan, message = link_farm.plan(desired)
	if not plan then
		return nil, message
	elseif plan.conflicts[1] then
		return nil, told(plan.conflicts, "in " .. desired.target .. (plan.conflicts[2] and " are" or " is")) .. " no link of this package, and left as it is"
	end
	for _, action in ipairs(plan.actions) do
		local ok
		ok, message = on_disk.work(action.path, true, function(path) return acts[action.what](path, action) end)
		if not ok then
			return nil, message
		end
	end
	return true
end

local function is_below_any(path, folders)
	for _, folder in ipairs(folders) do
		if path:sub(1, #folder + 1) == folder .. "/" then
			return true
		end
	end
	return false
end

-- What stands where something will be done, in that order. Below a link that goes there is nothing yet.
function stow.image(desired)
	local plan, message = link_farm.plan(desired)
	if not plan then
		return nil, message
	end
	local list, seen, links = core.mark_list({}), {}, {}
	for _, action in ipairs(plan.actions) do
		if not seen[action.path] then
			seen[action.path] = true
			links[#links + 1] = action.what == "unlink" and action.path or nil
			local before
			if is_below_any(action.path, links) then
				before = { ensure = "absent" }
			else
				before, message = on_disk.image({ path = action.path })
			end
			if not before then
				return nil, message
			end
			list[#list + 1] = { path = action.path, before = before }
		end
	end
	return { list = list }
end

-- A folder that was made for a link that stood there whole makes room for it. Where the folders above are gone already, so is all that was
-- made in them.
local function put_back(one)
	local _, _, missing = on_disk.at(one.path, false, function(path)
		local st = core.look(path)
		return one.before.ensure ~= "link" or not st or st.type ~= "directory" or core.remove_directory(path)
	end)
	if missing and one.before.ensure == "absent" then
		return true
	end
	return on_disk.undo({ path = one.path }, one.before)
end

function stow.undo(desired, image)
	for i = #image.list, 1, -1 do
		local ok, message = put_back(image.list[i])
		if not ok then
			return nil, message
		end
	end
	return true
end

-- Its links, and the package: what is new there shall be linked, too. And what would be done now: a link to what is in the package no more.
function stow.watch(desired)
	local package = desired.source .. "/" .. (desired.package or desired.name)
	local list = { package .. "/" }
	local function walk(at)
		for _, name in ipairs(fs.ls(package .. at) or {}) do
			local here = at .. "/" .. name
			local st = core.look(package .. here)
			list[#list + 1] = desired.target .. here
			if st and st.type == "directory" then
				list[#list + 1] = package .. here .. "/"
				walk(here)
			end
		end
	end
	walk("")
	local plan = link_farm.plan(desired)
	for _, action in ipairs(plan and plan.actions or {}) do
		list[#list + 1] = action.path
	end
	return list
end

return stow
