-- SPDX-License-Identifier: MIT
-- git: repositories, by git(1). Those that change something give what result.lua says.
local core = ...
local declared = core.library("declared")
local result = core.library("result")
local tool = core.library("git_tool")
local git = {}

local aliases = { dest = "path", dir = "path", directory = "path", repo = "url", repository = "url", version = "ref", msg = "message", name = "tag" }
local kinds = {
	url = "string", path = "string", ref = "string?", branch = "string?", depth = "any?", force = "boolean?", remote = "string?", files = "any?",
	message = "string", all = "boolean?", author = "string?", allow_empty = "boolean?", tag = "string", tags = "boolean?", follow_tags = "boolean?",
	set_upstream = "boolean?", limit = "number?",
}

local function check_words(fn, args)
	for _, name in ipairs({ "ref", "branch", "remote", "tag" }) do
		local wrong = args[name] and tool.wrong_ref(args[name])
		if wrong then
			core.fail(fn .. ": " .. wrong)
		end
	end
end

-- `more`: kinds that differ.
local function read(fn_name, names, more, ...)
	local fn, known = "git." .. fn_name, {}
	for _, name in ipairs(names) do
		known[name] = more and more[name] or kinds[name]
	end
	local args = declared.read(fn, names, known, aliases, ...)
	check_words(fn, args)
	args.path = args.path and core.path(args.path)
	return args, fn
end

local function acting(fn_name, names, more, ...)
	local args, fn = read(fn_name, names, more, ...)
	core.acts(fn)
	return args, fn
end

local function bad(args, message)
	return result.bad(message, { path = args.path, stderr = message, stdout = "" })
end

-- What a command brought about: whether another commit, branch or index is there.
local function done(args, raw, changed, message)
	return result.good(changed, message, { path = args.path, stdout = raw.stdout, stderr = raw.stderr })
end

local function registered(path)
	local properties = declared.properties("git", path)
	return properties.url and properties
end

-- A checkout that is a resource is one of what it is now.
local function kept(path, ok, message, res)
	local properties = ok and res.changed and registered(path)
	local now = properties and tool.status(path)
	if now then
		local written, text = core.library("resource").record("git", { path = path, url = properties.url, ref = now.branch, branch = now.branch, commit = now.commit,
			depth = properties.depth })
		if not written then
			return result.bad(text, { path = path })
		end
	end
	return ok, message, res
end

-- clone(url, path [, { ref, branch, depth, force }]): a resource.
function git.clone(...)
	local args = acting("clone", { "url", "path", "ref", "branch", "depth", "force" }, nil, ...)
	return core.library("resource").git(args)
end

-- With the resource's address, and without the commit that it had.
local function again(args, ref)
	local properties = registered(args.path)
	return core.library("resource").git({ path = args.path, url = properties.url, ref = ref or properties.ref or properties.branch, depth = properties.depth, force = args.force })
end

local function moved(args, words, message)
	local before, text = tool.status(args.path)
	local raw, after
	if before then
		raw, text = tool.run(args.path, words)
	end
	if raw then
		after, text = tool.status(args.path)
	end
	if not after then
		return bad(args, text)
	end
	local changed = before.commit ~= after.commit or before.branch ~= after.branch
	return kept(args.path, done(args, raw, changed, args.path .. (changed and message or " is as wanted")))
end

function git.checkout(...)
	local args = acting("checkout", { "path", "ref", "force" }, { ref = "string" }, ...)
	if registered(args.path) then
		return again(args, args.ref)
	end
	return moved(args, args.force and { "checkout", "--quiet", "--force", args.ref, "--" } or { "checkout", "--quiet", args.ref, "--" }, ": " .. args.ref)
end

-- Never a merge: what was committed here stays what it is.
function git.pull(...)
	local args = acting("pull", { "path", "remote", "branch", "force" }, nil, ...)
	if registered(args.path) then
		return again(args, args.branch)
	end
	local words = { "pull", "--quiet", "--ff-only" }
	if args.remote or args.branch then
		words[#words + 1], words[#words + 2] = args.remote or "origin", args.branch
	end
	return moved(args, words, " has new commits")
end

local function run(args, words, message, options)
	local raw, text = tool.run(args.path, words, options)
	if not raw then
		return bad(args, text)
	end
	return done(args, raw, true, message)
end

local function refs(path)
	return tool.ask(path, "for-each-ref", "--format=%(refname) %(objectname)")
end

function git.fetch(...)
	local args = acting("fetch", { "path", "remote" }, nil, ...)
	local before = refs(args.path)
	local ok, message, res = run(args, { "fetch", "--quiet", "--tags", "--", args.remote or "origin" }, "")
	if not ok then
		return ok, message, res
	end
	local changed = refs(args.path) ~= before
	return done(args, res, changed, args.path .. (changed and " knows new commits" or " knows all commits"))
end

function git.init(...)
	local args = acting("init", { "path", "branch" }, nil, ...)
	if core.stat(args.path .. "/.git") then
		return result.good(false, args.path .. " is a repository", { path = args.path })
	end
	local words = { "init", "--quiet", "--template=" }
	words[#words + 1] = args.branch and "--initial-branch=" .. args.branch or nil
	words[#words + 1], words[#words + 2] = "--", args.path
	local raw, message = tool.run(nil, words)
	return raw and done(args, raw, true, args.path .. " is a repository") or bad(args, message)
end

local function index(path)
	-- Where there is no repository, diff compares files.
	local there, message = tool.ask(path, "rev-parse", "--git-dir")
	if not there then
		return nil, message
	end
	return tool.ask(path, "diff", "--cached", "--raw", "--no-abbrev")
end

-- add(path [, files]): all without files.
function git.add(...)
	local args = acting("add", { "path", "files" }, nil, ...)
	local before, text = index(args.path)
	if not before then
		return bad(args, text)
	end
	local words = { "add", "--all", "--" }
	for _, name in ipairs(type(args.files) == "table" and args.files or { args.files or "." }) do
		words[#words + 1] = tostring(name)
	end
	local ok, message, res = run(args, words, "")
	if not ok then
		return ok, message, res
	end
	local changed = index(args.path) ~= before
	return done(args, res, changed, args.path .. (changed and ": added" or " has nothing new"))
end

local function commit_words(args)
	local words = { "commit", "--quiet", "--no-verify", "--file=-" }
	words[#words + 1] = args.author and "--author=" .. args.author or nil
	words[#words + 1] = args.allow_empty and "--allow-empty" or nil
	return words
end

-- commit(path, message [, { all, author, allow_empty }]): what was added; with all, all that differs.
function git.commit(...)
	local args = acting("commit", { "path", "message", "all", "author", "allow_empty" }, nil, ...)
	if args.all then
		local ok, message, res = git.add(args.path)
		if not ok then
			return ok, message, res
		end
	end
	local staged, text = index(args.path)
	if not staged then
		return bad(args, text)
	elseif staged == "" and not args.allow_empty then
		return result.good(false, args.path .. " has nothing to commit", { path = args.path })
	end
	return kept(args.path, run(args, commit_words(args), args.path .. ": committed", { stdin = args.message }))
end

-- tag(path, tag [, message [, { ref, force }]])
function git.tag(...)
	local args = acting("tag", { "path", "tag", "message", "ref", "force" }, { message = "string?" }, ...)
	local there = tool.ask(args.path, "rev-parse", "--verify", "--quiet", "refs/tags/" .. args.tag .. "^{commit}")
	local wanted, text = tool.ask(args.path, "rev-parse", "--verify", (args.ref or "HEAD") .. "^{commit}")
	if not wanted then
		return bad(args, text)
	elseif there == wanted then
		return result.good(false, "tag " .. args.tag .. " is as wanted", { path = args.path })
	elseif there and not args.force then
		return bad(args, "tag " .. args.tag .. " is " .. there:sub(1, 10) .. " already (force = true moves it)")
	end
	local words = { "tag" }
	words[#words + 1] = args.force and "--force" or nil
	table.move(args.message and { "--annotate", "--file=-" } or {}, 1, 2, #words + 1, words)
	table.move({ "--", args.tag, wanted }, 1, 3, #words + 1, words)
	return run(args, words, "tag " .. args.tag .. " set", { stdin = args.message })
end

local push_options = { tags = "--tags", follow_tags = "--follow-tags", force = "--force-with-lease", set_upstream = "--set-upstream" }

-- push(path [, remote [, branch [, { tags, follow_tags, force, set_upstream }]]])
function git.push(...)
	local args = acting("push", { "path", "remote", "branch", "tags", "follow_tags", "force", "set_upstream" }, nil, ...)
	local words = { "push", "--porcelain", "--no-verify" }
	for name, option in pairs(push_options) do
		words[#words + 1] = args[name] and option or nil
	end
	words[#words + 1] = "--"
	words[#words + 1] = args.remote or "origin"
	words[#words + 1] = args.branch or "HEAD"
	local raw, message = tool.run(args.path, words)
	if not raw then
		return bad(args, message)
	end
	local changed = raw.stdout:find("^[ +*-]\t") ~= nil or raw.stdout:find("\n[ +*-]\t") ~= nil
	return done(args, raw, changed, args.path .. (changed and " pushed" or " has nothing to push"))
end

-- What asks: a value, or nil and a message.

-- { commit, branch, upstream, ahead, behind, clean, changes, untracked }
function git.status(...)
	local args = read("status", { "path" }, nil, ...)
	local found, message = tool.status(args.path, true)
	if not found then
		return nil, message
	end
	found.untracked = core.mark_list(found.untracked or {})
	core.mark_list(found.changes)
	found.clean = #found.changes == 0 and #found.untracked == 0
	return found
end

-- Whether it is the folder of one, not one within it.
function git.is_repo(...)
	local args = read("is_repo", { "path" }, nil, ...)
	local inside = core.stat(args.path) and tool.ask(args.path, "rev-parse", "--git-dir")
	return inside == ".git" or inside == "."
end

local function lines(text)
	local list = {}
	for line in (text or ""):gmatch("[^\n]+") do
		list[#list + 1] = line
	end
	return core.mark_list(list)
end

-- Name → words of git; with `many`, a list of lines.
local function asker(fn_name, many, ...)
	local words = { ... }
	git[fn_name] = function(...)
		local args = read(fn_name, { "path" }, nil, ...)
		local text, message = tool.ask(args.path, table.unpack(words))
		if not text then
			return nil, message
		end
		return many and lines(text) or text
	end
end
asker("current_branch", false, "branch", "--show-current")
asker("current_commit", false, "rev-parse", "--verify", "HEAD")
asker("remote_url", false, "config", "--get", "remote.origin.url")
asker("branches", true, "for-each-ref", "--format=%(refname:short)", "refs/heads")
asker("tags", true, "for-each-ref", "--format=%(refname:short)", "refs/tags")

-- The newest commits: a list of { commit, author, time, subject }.
function git.log(...)
	local args = read("log", { "path", "limit", "ref" }, nil, ...)
	local text, message = tool.ask(args.path, "log", "--max-count=" .. math.tointeger(args.limit or 10), "--format=%H%x09%at%x09%an%x09%s", args.ref or "HEAD", "--")
	if not text then
		return nil, message
	end
	local list = lines(text)
	for i, line in ipairs(list) do
		local commit, time, author, subject = line:match("^(%x+)\t(%d+)\t([^\t]*)\t(.*)$")
		list[i] = { commit = commit, time = math.tointeger(tonumber(time)), author = author, subject = subject }
	end
	return list
end

-- repo(path): its methods are these functions, one after the other; result() is what the last one gave.
local repo = {}
repo.__index = repo
repo.__name = "repository"

for _, name in ipairs({ "checkout", "pull", "fetch", "add", "commit", "tag", "push" }) do
	repo[name] = function(self, ...)
		local _, _, res = git[name](self.path, ...)
		self.last = res
		return self
	end
end

function repo:result()
	return self.last
end

function repo:status()
	return git.status(self.path)
end

function git.repo(...)
	local args = read("repo", { "path" }, nil, ...)
	if not git.is_repo(args.path) then
		return nil, args.path .. " is no repository"
	end
	return setmetatable({ path = args.path, RepoPath = args.path }, repo)
end

return git
