-- SPDX-License-Identifier: MIT
-- git(1) as providers and the module git call it: no hooks, no questions, nothing that a repository could have run by its own
-- configuration, and no password in an argument.
local core = ...
local tool = core.library("tool")
local git = {}

local SAFE = { "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass=", "-c", "protocol.ext.allow=never",
	"-c", "core.quotePath=false", "-c", "advice.detachedHead=false" }
local ENVIRONMENT = { "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_SSH_COMMAND=ssh -oBatchMode=yes", "GIT_PAGER=cat", "GIT_EDITOR=true" }

-- In the repository at `path` (nil: in none), and in none above it. What it gave; or nil, a message, what it gave. options as of tool.run().
function git.run(path, words, options)
	local all = { "git", "--no-optional-locks", table.unpack(SAFE) }
	local env = { table.unpack(ENVIRONMENT) }
	if path then
		all[#all + 1], all[#all + 2] = "-C", path
		env[#env + 1] = "GIT_CEILING_DIRECTORIES=" .. ((core.real_path(path) or path):match("^(.+)/[^/]*$") or "/")
	end
	table.move(words, 1, #words, #all + 1, all)
	options = options or {}
	local raw, message, failed = tool.run(all, { stdin = options.stdin, ok = options.ok, env = env })
	if not raw then
		return nil, message:gsub("fatal: ", "", 1), failed
	end
	return raw
end

-- What it printed, without the end of the line; or nil and a message.
function git.ask(path, ...)
	local raw, message = git.run(path, { ... })
	return raw and raw.stdout:gsub("%s+$", "") or nil, message
end

-- nil, or what is wrong with an address.
function git.wrong_url(url)
	if url:find("^%-") or url:find("%c") or url:find("^ext::") then
		return "'" .. url:sub(1, 80) .. "' is no address of a repository"
	elseif url:find("^%a[%w+.-]*://[^/@]*:[^/@]*@") then
		return "a password in 'url' could be seen by others: use a key of ssh, or a credential helper of git"
	end
end

-- An address as everybody may see it: who has set it in a repository may have written a password into it.
function git.shown_url(url)
	return url and (url:gsub("^(%a[%w+.-]*://[^/@:]*):[^/@]*@", "%1:***@"))
end

-- nil, or what is wrong with the name of a branch, a tag or a commit.
function git.wrong_ref(ref)
	return (ref == "" or ref:find("^%-") or ref:find("[%s%c]")) and "'" .. ref:sub(1, 80) .. "' is no branch, tag or commit" or nil
end

function git.is_commit(ref)
	return (#ref == 40 or #ref == 64) and ref:find("^%x+$") ~= nil
end

local function listed(text)
	local refs, head = {}, nil
	for line in text:gmatch("[^\n]+") do
		head = line:match("^ref: refs/heads/(%S+)\tHEAD$") or head
		local commit, name = line:match("^(%x+)\t(.+)$")
		if commit then
			refs[name] = commit
		end
	end
	return refs, head
end

-- commit, branch (nil: it is none) of a name in the repository at `url`, nil: of its HEAD; or nil and a message.
function git.resolve(url, ref)
	if ref and git.is_commit(ref) then
		return ref:lower()
	end
	local words = { "ls-remote", "--symref", "--", url }
	for _, name in ipairs(ref and { "refs/heads/" .. ref, "refs/tags/" .. ref, "refs/tags/" .. ref .. "^{}" } or { "HEAD" }) do
		words[#words + 1] = name
	end
	local raw, message = git.run(nil, words)
	if not raw then
		return nil, message
	end
	local refs, head = listed(raw.stdout)
	if not ref then
		return refs.HEAD, refs.HEAD and head or url .. " has no commits"
	elseif refs["refs/heads/" .. ref] then
		return refs["refs/heads/" .. ref], ref
	end
	local commit = refs["refs/tags/" .. ref .. "^{}"] or refs["refs/tags/" .. ref]
	return commit, not commit and "'" .. ref .. "' is neither a branch nor a tag of " .. url .. " (a commit has 40 digits)" or nil
end

-- What `status --porcelain=v2 --branch` says.
local function parsed(text)
	local found = { changes = {} }
	for line in text:gmatch("[^\n]+") do
		local key, value = line:match("^# branch%.(%S+) (.*)$")
		if key == "oid" then
			found.commit = value:find("^%x+$") and value or nil
		elseif key == "head" then
			found.branch = value ~= "(detached)" and value or nil
		elseif key == "upstream" then
			found.upstream = value
		elseif key == "ab" then
			found.ahead, found.behind = math.tointeger(tonumber(value:match("^%+(%d+)"))), math.tointeger(tonumber(value:match("%-(%d+)$")))
		elseif line:find("^[12u] ") then
			-- Blanks part what stands before the name: 8, 9 or 10 words.
			local words = ({ ["1"] = 8, ["2"] = 9, u = 10 })[line:sub(1, 1)]
			found.changes[#found.changes + 1] = line:match("^" .. ("%S+ "):rep(words) .. "([^\t]*)")
		elseif line:find("^%? ") then
			found.untracked = found.untracked or {}
			table.insert(found.untracked, line:sub(3))
		end
	end
	return found
end

-- { commit, branch, upstream, ahead, behind, changes = names, untracked = names, when asked for }; or nil and a message.
function git.status(path, untracked)
	local raw, message = git.run(path, { "status", "--porcelain=v2", "--branch", "--untracked-files=" .. (untracked and "normal" or "no"), "--ignore-submodules=dirty" })
	if not raw then
		return nil, message
	end
	return parsed(raw.stdout)
end

-- "a, b and 3 more"
function git.named(names)
	local text = table.concat(names, ", ", 1, math.min(#names, 3))
	return text .. (#names > 3 and " and " .. #names - 3 .. " more" or "")
end

return git
