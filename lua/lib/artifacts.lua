-- SPDX-License-Identifier: MIT
-- Files that a task keeps with its run, and gets from others.
local core = ...
local artifacts = {}

local BATCH = 500 -- files that one call announces

local function send(file, id)
	local offset, problem = 0, nil
	while offset < file.size do
		offset, problem = core.artifact_send(id, file.path, offset, file.size)
		if problem then
			return problem
		end
		core.log_room()
	end
end

local function announce(files, first)
	local batch = table.move(files, first, math.min(first + BATCH - 1, #files), 1, {})
	return batch, core.call("artifact.add", { files = core.mark_list(batch) })
end

-- nil, or a sentence. Of a sensitive task only the owner may read them.
function artifacts.save(globs, sensitive)
	local files, problem = core.artifact_find(globs)
	if not files then
		return problem
	end
	for _, file in ipairs(sensitive and files or {}) do
		file.mode = file.mode & 448
	end
	for first = 1, #files, BATCH do
		local batch, ids, refusal = announce(files, first)
		if not ids then
			return refusal
		end
		for i, file in ipairs(batch) do
			problem = send(file, ids[i])
			if problem then
				return problem
			end
		end
	end
end

-- All that a task has kept; or nil and a sentence.
local function kept_by(name)
	local all, after = {}, nil
	repeat
		local some, problem = core.call("artifact.list", { of = name, after = after })
		if not some then
			return nil, problem
		end
		table.move(some, 1, #some, #all + 1, all)
		after = #some > 0 and some[#some].path or nil
	until not after
	return all
end

local function receive(file)
	local offset = 0
	repeat
		local bytes, problem = "", nil
		if file.size > 0 then
			bytes, problem = core.call("artifact.read", { id = file.id, offset = offset })
		end
		if bytes then
			_, problem = core.artifact_put(file.path, offset, bytes, file.mode)
		end
		if problem then
			return problem
		end
		offset = offset + #bytes
	until offset >= file.size
end

local function missing(wanted, all)
	local what = wanted.glob and wanted.task .. "/" .. wanted.glob or wanted.task
	local known = #all == 0 and "it keeps none" or "it keeps " .. all[1].path .. (#all > 1 and " and " .. #all - 1 .. " more" or "")
	return "consumes '" .. what .. "': task " .. wanted.task .. " has kept no such artifact; " .. known
end

local function fetch_one(wanted)
	local all, problem = kept_by(wanted.task)
	local found = false
	if not all then
		return problem
	end
	for _, file in ipairs(all) do
		if not wanted.glob or core.glob_matches(wanted.glob, file.path) then
			found = true
			problem = receive(file)
			if problem then
				return problem
			end
		end
	end
	return not found and missing(wanted, all) or nil
end

-- nil, or a sentence.
function artifacts.fetch(list)
	for _, wanted in ipairs(list) do
		local problem = fetch_one(wanted)
		if problem then
			return problem
		end
	end
end

return artifacts
