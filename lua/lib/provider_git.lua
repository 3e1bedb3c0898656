-- SPDX-License-Identifier: MIT
-- Provider: checkouts of git repositories. What somebody changed there, or committed and gave to nobody, is said and left, unless `force`
-- asks for its end.
local core = ...
local git = core.library("git_tool")
local on_disk = core.library("on_disk")

local checkout = {
	type = "git",
	module = "git",
	key = "path",
	properties = {
		path = { kind = "path", required = true },
		ensure = { kind = "word", words = { "present", "absent" }, default = "present" },
		url = { kind = "line" },
		ref = { kind = "line", compare = false },
		branch = { kind = "line", severity = "low" },
		commit = { kind = "line", severity = "high" },
		clean = { kind = "boolean", default = true, state = true },
		depth = { kind = "integer", min = 1, compare = false },
		force = { kind = "boolean", compare = false },
	},
	impact = {
		[""] = "what is built or run from this checkout is missing, or something else",
		commit = "what is built or run from this checkout is another version than was meant",
		clean = "what is built or run from this checkout is no version that anybody else has",
		url = "its next version would come from somewhere else",
		branch = "what is committed here goes to another branch than was meant",
	},
}

function checkout.validate(desired)
	if desired.ensure == "absent" then
		return nil
	elseif not desired.url then
		return "'url' is missing"
	elseif desired.ref and desired.branch and desired.ref ~= desired.branch then
		return "either 'ref' or 'branch'"
	end
	local ref = desired.ref or desired.branch
	return git.wrong_url(desired.url) or ref and git.wrong_ref(ref) or
		desired.commit and not git.is_commit(desired.commit) and "'commit' has 40 digits" or nil
end

-- The name becomes a commit: that is what is looked for later, without asking anybody.
function checkout.prepare(desired)
	if desired.ensure == "absent" then
		return true
	elseif not desired.url:find(":", 1, true) then
		desired.url = core.path(desired.url)
	end
	local commit, branch = git.resolve(desired.url, desired.commit or desired.ref or desired.branch)
	if not commit then
		return nil, branch
	end
	desired.commit, desired.branch = commit, branch
	return true
end

local function present(path)
	local found, message = git.status(path)
	local raw
	if found then
		raw, message = git.run(path, { "config", "--get", "remote.origin.url" }, { ok = { [1] = true } })
	end
	if not raw then
		return nil, message
	end
	return { ensure = "present", commit = found.commit, branch = found.branch, url = git.shown_url(raw.stdout:match("^[^\n]+")),
		clean = #found.changes == 0 or git.named(found.changes) .. " changed" }
end

local function is_empty(path)
	return #(fs.ls(path) or { "?" }) == 0
end

function checkout.read(desired)
	local actual, message = on_disk.at(desired.path, false, function(path)
		local st, text = core.look(path)
		if not st then
			return text == nil and { ensure = "absent" } or nil, text
		elseif st.type ~= "directory" then
			return { ensure = "replaced", found = "a " .. st.type, type = st.type }
		elseif core.look(path .. "/.git") then
			return present(path)
		end
		return is_empty(path) and { ensure = "absent" } or { ensure = "replaced", found = "a directory that is no checkout", type = "directory" }
	end)
	if not actual and not message then
		return { ensure = "absent" }
	end
	return actual, message
end

local function ref_of(path, name)
	return git.ask(path, "rev-parse", "--verify", "--quiet", name) and name or nil
end

-- What would have no name any more: the branch that is checked out, and the one that takes its place, or all of them.
local function given_up(path, desired, all)
	local words = { "HEAD" }
	words[#words + 1] = all and "--branches" or not all and desired.branch and ref_of(path, "refs/heads/" .. desired.branch) or nil
	words[#words + 1] = all and ref_of(path, "refs/stash") or nil
	return table.unpack(words)
end

-- Why what is there is left, or nil. `all`: all of it would go.
local function reason_to_keep(path, desired, actual, all)
	if desired.force then
		return nil
	elseif actual.clean ~= true then
		return desired.path .. " has local changes (" .. actual.clean .. "), and is left as it is (force = true overwrites them)"
	elseif not actual.commit then
		return nil
	end
	local words = { "rev-list", "--max-count=1", given_up(path, desired, all) }
	table.move({ "--not", "--remotes", "--tags" }, 1, 3, #words + 1, words)
	local own, message = git.ask(path, table.unpack(words))
	return own == nil and message or own ~= "" and desired.path .. " has commits that were given to nobody (" .. own:sub(1, 10) ..
		"), and is left as it is (force = true gives them up)" or nil
end

local function fetch(path, desired)
	local words = { "fetch", "--quiet", "--tags", "--force" }
	if desired.depth then
		words[#words + 1] = "--depth=" .. desired.depth
	end
	words[#words + 1] = "origin"
	local with = { table.unpack(words) }
	if desired.branch then
		with[#with + 1] = "+refs/heads/" .. desired.branch .. ":refs/remotes/origin/" .. desired.branch
	elseif desired.depth then
		-- By a name: what has none would be taken for somebody's own the next time.
		with[#with + 1] = "+" .. desired.commit .. ":refs/remotes/origin/sloth-" .. desired.commit
	else
		with[#with + 1] = "+refs/heads/*:refs/remotes/origin/*"
	end
	return git.run(path, with)
end

local function has(path, commit)
	return git.run(path, { "cat-file", "-e", commit .. "^{commit}" }) ~= nil
end

-- The commit, on its branch or on none. Without force git leaves what nobody has told it of, and is in the way.
local function switch(path, desired)
	local words = { "checkout", "--quiet", desired.force and "--force" or nil }
	if desired.branch then
		words[#words + 1], words[#words + 2] = "-B", desired.branch
	else
		words[#words + 1] = "--detach"
	end
	words[#words + 1] = desired.commit
	local done, message = git.run(path, words)
	if done and desired.branch then
		-- For who works there by hand; that it can't be is no failure.
		git.run(path, { "branch", "--quiet", "--set-upstream-to=origin/" .. desired.branch, desired.branch })
	end
	return done and true or nil, message
end

local function set_url(path, desired, actual)
	if actual.url == desired.url or not desired.url then
		return true
	end
	local done, message = git.run(path, { "remote", actual.url and "set-url" or "add", "origin", desired.url })
	return done and true or nil, message
end

-- What is given up has been given to somebody, by names that the fetch may move on from: ended between that and the checkout, it would be
-- taken for somebody's own work the next time.
local function keep_names(path, desired, actual)
	local names = { ["sloth-before"] = actual.commit and "HEAD", ["sloth-before-branch"] = desired.branch and ref_of(path, "refs/heads/" .. desired.branch) }
	for name, of in pairs(names) do
		local done, message = git.run(path, { "update-ref", "refs/remotes/origin/" .. name, of })
		if not done then
			return nil, message
		end
	end
	return true
end

-- The checkout that is there becomes what is desired; its objects first.
local function update(path, desired, actual)
	local message = (actual.commit ~= desired.commit or actual.clean ~= true) and reason_to_keep(path, desired, actual) or nil
	local ok = not message
	if ok then
		ok, message = set_url(path, desired, actual)
	end
	if ok and not has(path, desired.commit) then
		if not desired.force then
			ok, message = keep_names(path, desired, actual)
		end
		if ok then
			ok, message = fetch(path, desired)
		end
	end
	if ok and not has(path, desired.commit) then
		ok, message = nil, desired.url .. " does not give commit " .. desired.commit
	end
	if ok then
		ok, message = switch(path, desired)
	end
	return ok, message
end

local staged_meta = { __close = function(self)
	core.remove_tree(self.path)
end }

-- Beside its place, which it takes when all of it is there.
local function clone(path, desired)
	local spare = path:match("^(.*/)") .. "." .. path:match("[^/]*$"):sub(1, 200) .. ".sloth-clone"
	core.remove_tree(spare)
	local staged <close> = setmetatable({ path = spare }, staged_meta)
	local held <close>, message = on_disk.new_folder(spare)
	local ok = held
	if ok then
		ok, message = git.run(nil, { "init", "--quiet", "--template=", "--", held.folder })
	end
	if ok then
		ok, message = update(held.folder, desired, { clean = true })
	end
	if ok then
		ok, message = core.rename(spare, path)
	end
	return ok and true or nil, message
end

local function remove(path, desired, actual)
	local message = reason_to_keep(path, desired, actual, true)
	if message then
		return nil, message
	end
	return fs.rm_r(path)
end

-- fn(the checkout), held: it is the same one whatever is put in its place meanwhile.
local function in_checkout(desired, fn)
	return on_disk.work(desired.path .. "/.git", false, function(_, anchor) return fn(anchor.folder) end)
end

function checkout.apply(desired, actual)
	return on_disk.work(desired.path, desired.ensure ~= "absent", function(path, anchor)
		local ok, message
		if actual.ensure == "replaced" then
			return nil, desired.path .. " is " .. actual.found .. ", and is left as it is"
		elseif desired.ensure == "absent" then
			ok, message = remove(path, desired, actual)
		elseif actual.ensure == "absent" then
			ok, message = clone(path, desired)
		else
			ok, message = in_checkout(desired, function(at) return update(at, desired, actual) end)
		end
		if not ok then
			return nil, message
		end
		return core.sync(anchor.folder)
	end)
end

-- Commits stay in the repository; changes that were overwritten don't.
function checkout.image(desired, actual)
	if actual.ensure == "absent" then
		local before, message = on_disk.image(desired)
		return before and { ensure = "absent", folder = before }, message
	elseif actual.ensure ~= "present" then
		return nil, "there was " .. actual.found
	elseif desired.ensure == "absent" then
		return nil, "what was in it is not kept"
	elseif actual.clean ~= true then
		return nil, "the local changes were not kept"
	end
	-- With a password in it, it is not kept, and stays what it is then.
	local url = actual.url ~= nil and not actual.url:find(":***@", 1, true) and actual.url or nil
	return { ensure = "present", commit = actual.commit, branch = actual.branch, url = url }
end

function checkout.undo(desired, before)
	local actual, message = checkout.read(desired)
	if not actual then
		return nil, message
	end
	if before.ensure == "absent" then
		local gone = actual.ensure == "absent"
		if not gone then
			gone, message = on_disk.work(desired.path, false, function(path) return remove(path, desired, actual) end)
		end
		if not gone then
			return nil, message
		end
		return on_disk.undo(desired, before.folder)
	end
	return in_checkout(desired, function(path)
		return update(path, { path = desired.path, commit = before.commit, branch = before.branch, url = before.url }, actual)
	end)
end

-- Checkouts that are as somebody else has them, too.
local function listed(path, at, found)
	if not core.look(at .. "/.git") then
		return nil
	end
	local actual, message = present(at)
	if not actual then
		return nil, path .. ": " .. message
	elseif not actual.url or not actual.commit then
		return nil, path .. (actual.url and " has no commits" or " has no remote 'origin'")
	elseif actual.clean ~= true then
		return nil, path .. " has local changes (" .. actual.clean .. ")"
	end
	return { path = found.path, url = actual.url, commit = actual.commit, branch = actual.branch }
end

function checkout.list(selector, given)
	return on_disk.list(selector, "directory", given, listed)
end

-- Which files of a checkout are changed only git finds out.
function checkout.watch(desired)
	local own = desired.path .. "/.git/"
	return { desired.path, own .. "HEAD", own .. "logs/HEAD", own .. "config", own .. "index", { poll = 60 } }
end

function checkout.deps(desired, actual)
	return on_disk.deps({ path = desired.path }, actual)
end

function checkout.suggest(desired, actual, name)
	local at = "git -C " .. on_disk.quoted(desired.path)
	local commands = {
		[""] = desired.ensure ~= "absent" and "git clone -- " .. on_disk.quoted(desired.url) .. " " .. on_disk.quoted(desired.path) or nil,
		clean = at .. " status",
		commit = at .. " checkout " .. (desired.branch and "-B " .. on_disk.quoted(desired.branch) .. " " or "") .. (desired.commit or ""),
	}
	return commands[name]
end

return checkout
