-- SPDX-License-Identifier: MIT
-- Files of which providers keep a part (a line, a block, an entry), and others the rest: read and edited whole, with the folder held,
-- never through a link, and put back only when nothing else in them was changed since.
local core = ...
local on_disk = core.library("on_disk")
local managed_text = {}

local MAX = 4 << 20

local function refuse(path, st)
	return path .. " is a " .. (st.type == "link" and "symbolic link to " .. (st.target or "?") .. ", and is not followed" or st.type .. ", and no file")
end

-- The text; nil: there is no file; or nil and a message.
function managed_text.read(path)
	return on_disk.at(path, false, function(at)
		local st, message = core.look(at)
		if not st then
			return nil, message
		elseif st.type ~= "file" then
			return nil, refuse(path, st)
		end
		return core.read_file(at, MAX)
	end)
end

-- change(text) gives the new one, or nil and a message; `mode` ("0644") and `owner` ({ uid, gid }) of a file that is made. true, or nil and
-- a message.
function managed_text.edit(path, mode, change, owner)
	return on_disk.work(path, true, function(at, anchor)
		local st, message = core.look(at)
		if message or st and st.type ~= "file" then
			return nil, message or refuse(path, st)
		end
		local ok
		ok, message = core.library("put").edit("edit", at, { mode = not st and mode or nil, owner = not st and owner and owner.uid or nil, group = not st and owner and owner.gid or nil, most = MAX }, function(old) return change(old or "") end)
		if not ok then
			return nil, message
		end
		return core.sync(anchor.folder)
	end)
end

function managed_text.image(path)
	return on_disk.image({ path = path })
end

-- Puts back the whole file, when it is what `change` made of the one before.
function managed_text.undo(path, before, change)
	local now, message = managed_text.read(path)
	local old = before.ensure == "file" and core.base64_decode(before.base64) or ""
	if message then
		return nil, message
	elseif now ~= change(old) then
		return nil, path .. " was changed in other places, too, since then: it is left as it is"
	end
	return on_disk.undo({ path = path }, before)
end

return managed_text
