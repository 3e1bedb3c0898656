#!/usr/bin/env bats
# Resources: registered by workflows, read and changed in the tree, by command.

bats_require_minimum_version 1.5.0
load common

before_start()
{
	unwatched
}

# task LUA: runs a workflow with this body on the stack web.
task()
{
	printf 'task("t"):command(function()\n%s\nend)\n' "$1" >"$BATS_TEST_TMPDIR/t.sloth"
	sloth run --stack web "$BATS_TEST_TMPDIR/t.sloth"
}

R=/stacks/web/resources

two_resources()
{
	sloth stack new web
	task 'stack.register_resource{ type = "file", name = "/etc/motd", module = "file_ops", properties = { mode = "0644" },
		dependencies = { "package/nginx" } }
		stack.register_resource{ type = "package", name = "nginx", module = "pkg", status = "applied" }'
}

@test "a workflow registers, updates, lists and deletes" {
	sloth stack new web
	run task '
		local how, r = stack.register_resource{ type = "file", name = "/etc/motd", properties = { mode = "0644" } }
		assert(how == "created" and r.status == "pending" and r.properties.mode == "0644" and r.path == "file/%2Fetc%2Fmotd")
		assert(stack.register_resource{ type = "file", name = "/etc/motd", properties = { mode = "0644" } } == "unchanged")
		how, r = stack.register_resource("file", "/etc/motd", "file_ops", { mode = "0600" }, { "user/web" })
		assert(how == "changed" and r.module == "file_ops" and r.dependencies[1] == "user/web" and r.run == 1)
		how, r = stack.update_resource("file", "/etc/motd", { status = "applied", actual = { mode = "0600" } })
		assert(how == "unchanged" and r.status == "applied" and r.applied.mode == "0600" and r.actual.mode == "0600")
		stack.register_resource{ type = "user", name = "web" }
		assert(#stack.list_resources() == 2 and #stack.list_resources("user") == 1 and #stack.list_resources(nil, "applied") == 1)
		assert(#stack.list_resources{ status = "failed" } == 0)
		assert(stack.resource_exists("user", "web") and stack.get_resource{ type = "user", name = "web" }.type == "user")
		assert(stack.delete_resource("user", "web") == true and stack.delete_resource("user", "web") == false)
		assert(stack.get_resource("user", "web") == nil)
		assert(#stack("web"):resources() == 1 and stack("web"):resource("file", "/etc/motd").status == "applied")'
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(sloth ls $R)" = file ]
	run sloth cat /stacks/web/activity
	[[ $output == *'resource.created stack=web run=1'*'resource.changed'*'resource.deleted'* ]]
}

@test "blame, attribute by attribute, by the name that people write" {
	two_resources
	task 'stack.register_resource{ type = "file", name = "/etc/motd", module = "file_ops", properties = { mode = "0600" },
		dependencies = { "package/nginx" } }'
	[[ $(sloth cat $R/file/%2Fetc%2Fmotd/blame) == *'  module  run 1'*'  properties.mode  run 2'* ]]
	run sloth stack blame web
	[[ $output == *'resource file//etc/motd '* && $output != *%2F* ]]
	for item in file//etc/motd file/%2Fetc%2Fmotd resource/file//etc/motd; do
		run sloth stack blame web "$item"
		[ "$status" -eq 0 ]
		[[ ${lines[0]} == ATTRIBUTE*VERSION*TIME*USER*RUN && $output == *module*' 1'*properties.mode*' 2'* ]]
	done
	run sloth stack blame web file//etc/motd --json
	[[ $output == *'"attribute": "properties.mode"'*'"run": 2'* ]]
	run sloth stack blame web file//etc/nothing
	[ "$status" -eq 4 ]
	run sloth stack history web
	[[ $output == *'resource file//etc/motd'* ]]
	run sloth stack snapshot compare web v1 current
	[[ $output == *'Added resource: file//etc/motd'* ]]
	run sloth stack snapshot compare web v1 current --json
	[[ $output == *'"name": "file/%2Fetc%2Fmotd"'* ]]
}

@test "a long list comes whole" {
	sloth stack new web
	run task '
		for i = 1, 30 do
			stack.register_resource{ type = "x", name = ("%02d"):format(i), properties = { text = ("x"):rep(200000) } }
		end
		local list = stack.list_resources()
		assert(#list == 30 and list[30].name == "30", #list)
		assert(#stack.list_resources("y") == 0)'
	[ "$status" -eq 0 ] || { echo "$output"; false; }
}

@test "wrong arguments are told, and with them the known ones" {
	sloth stack new web
	run task '
		local function fails(words, fn, ...)
			local ok, err = pcall(fn, ...)
			assert(not ok and tostring(err):find(words, 1, true), tostring(err))
		end
		fails("has no argument '"'typ'"': did you mean '"'type'"'? (its arguments: type, name, module,", stack.register_resource, { typ = "x" })
		fails("'"'name'"' is missing", stack.register_resource, { type = "x" })
		fails("must be a table, not a string", stack.register_resource, "x", "y", "z", "p")
		fails("is a list of properties", stack.register_resource, { type = "x", name = "y", sensitive = 1 })
		fails("a type, a name and a table of what changes", stack.update_resource, "x", "y")
		fails("stack.update_resource: stack web has no resource x/y", stack.update_resource, "x", "y", {})
		fails("\"fine\" is no status; there are pending, applied", stack.register_resource, { type = "x", name = "y", status = "fine" })
		fails("no status", stack.list_resources, nil, "fine")
		fails("is no type of resource", stack.register_resource, "x/y", "z")
		fails("x/a → x/a", stack.register_resource, { type = "x", name = "a", dependencies = { "x/a" } })
		fails("there is no stack other", function() return stack("other"):resources() end)
		stack.register_resource{ type = "x", name = "p", protect = true }
		fails("is protected: write 0 to stacks/web/resources/x/p/protect first", stack.delete_resource, "x", "p")'
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	run -11 sloth stack delete web --force
	[[ $output == *"it has 1 protected resource (x/p)"* ]]
}

@test "the tree: states, dependencies, protection" {
	two_resources
	[ "$(sloth cat $R/file/%2Fetc%2Fmotd/status)" = pending ]
	[ "$(sloth cat $R/file/%2Fetc%2Fmotd/depends)" = 'package/nginx explicit' ]
	[ "$(sloth cat $R/package/nginx/dependents)" = 'file//etc/motd explicit' ]
	[ "$(sloth cat $R/package/nginx/applied.json)" = '{}' ]
	[ "$(sloth cat $R/package/nginx/actual.json)" = null ]
	[ "$(sloth cat $R/package/nginx/module)" = pkg ]
	[[ $(sloth cat $R/package/nginx/last_applied) == 20* ]]
	echo '{"mode": "0600", "a": 1}' | sloth write $R/file/%2Fetc%2Fmotd/desired.json
	[ "$(sloth cat $R/file/%2Fetc%2Fmotd/checksum)" = "$(printf '{"a":1,"mode":"0600"}' | sha256sum | cut -d ' ' -f 1)" ]
	[ "$(sloth cat $R/file/%2Fetc%2Fmotd/action)" = update ]
	run -10 sloth write $R/file/%2Fetc%2Fmotd/desired.json --text '{"a": '
	[[ $output == *'desired.json:'* ]]
	run -10 sloth write $R/file/%2Fetc%2Fmotd/desired.json --text '[1]'
	sloth write $R/package/nginx/protect --text 1
	[ "$(sloth cat $R/package/nginx/protect)" = 1 ]
	run -10 sloth write $R/package/nginx/protect --text yes
	run -4 sloth cat $R/file/none/status
	run -4 sloth ls $R/none
	run sloth cat $R.json
	[[ $output == '[{"action":"update"'*'"type":"file"'*'"type":"package"'*']' ]]
}

@test "stack resources: a table, filters, JSON; stack show has them, too" {
	two_resources
	run sloth stack resources web
	[ "$status" -eq 0 ]
	[[ ${lines[0]} =~ ^TYPE\ +NAME\ +ACTION\ +STATUS\ +MODULE\ +UPDATED ]]
	[[ ${lines[1]} =~ ^file\ +/etc/motd\ +create\ +pending\ +file_ops\ +20 ]]
	[[ ${lines[2]} =~ ^package\ +nginx\ +create\ +applied\ +pkg\ +20 ]]
	run sloth stack resources web --type package --status applied
	[ "${#lines[@]}" -eq 2 ]
	task 'stack.register_resource("x", "\27[31m\n")'
	run sloth stack resources web --type x
	[[ ${lines[1]} == 'x    \x1b[31m'* ]]
	[ "${#lines[@]}" -eq 2 ]
	task 'stack.delete_resource("x", "\27[31m\n")'
	run sloth stack resources web --status failed
	[ "$output" = '' ]
	run sloth stack resources web --type file --json
	[[ $output == '['*'"name": "/etc/motd"'*'"properties": {'*']' ]]
	[[ $output != *nginx\",* ]]
	run -10 sloth stack resources web --status fine
	[[ $output == *'must be pending, applied'* ]]
	run -4 sloth stack resources none
	run sloth stack show web
	[[ $output == *'Resources (2)'*'• file//etc/motd (pending)'*'• package/nginx (applied)'*'Lock Status'* ]]
	[[ $output == *'Total Snapshots:  '* ]] # the runs have kept some
	sloth write /stacks/web/snapshots/new --text 'Before v2'
	run sloth stack show web
	[[ $output == *'Snapshots:'*'Total Snapshots:  '*'Latest Snapshot:  v'*' (20'* ]]
	run sloth stack show web --json
	[[ $output == *'"resources": ['*'"snapshots": ['* ]]
	sloth stack new other
	sloth stack deps add web other >/dev/null 2>&1 || sloth write /stacks/web/depends --text 'other >=1.0'
	run sloth stack show web
	[[ $output == *'Dependencies (1)'*'• other'* ]]
	task 'for i = 1, 13 do stack.register_resource("x", "r" .. i) end'
	run sloth stack show web
	[[ $output == *'Resources (15)'*'... 11 more'* ]]
}

@test "export and import: there and back again" {
	two_resources
	sloth write /stacks/web/description --text 'The web shop'
	sloth write /stacks/web/values.yaml --text 'port: 80'
	sloth write $R/package/nginx/protect --text 1
	run sloth stack export web web.json
	[ "$output" = "✓ Stack 'web' exported to web.json" ]
	[ "$(stat -c %a web.json)" = 600 ]
	sloth stack export web | cmp - web.json
	[ "$(sloth cat /stacks/web/export.json)" = "$(cat web.json)" ]
	run sloth stack import web.json --name copy
	[ "$output" = "✓ Stack 'copy' imported" ]
	sloth stack export copy - | sed 's/"name":"copy"/"name":"web"/' | cmp - web.json
	[ "$(sloth cat /stacks/copy/resources/package/nginx/status)" = applied ]
	run -11 sloth stack delete copy --force
	[[ $output == *package/nginx* ]]
	run sloth stack import - --name third --json <web.json
	[[ $output == *'"imported": true'* ]]
	run sloth stack export third third.json --json
	[[ $output == *'"file": "third.json"'* ]]
}

@test "import refuses what is there, what is wrong, and leaves nothing behind" {
	two_resources
	sloth stack export web web.json
	run -4 sloth stack import web.json
	[[ $output == *'stack web is not empty'* ]]
	sloth write /stacks/web/description --text 'changed'
	sloth stack import web.json --force
	sloth stack export web | cmp - web.json
	sed 's/"format_version":1/"format_version":9/' web.json >new.json
	run -10 sloth stack import new.json --name copy
	[[ $output == *'format_version 9'* ]]
	run -4 sloth cat /stacks/copy/status
	echo '{' >bad.json
	run -10 sloth stack import bad.json --name copy
	[[ $output == *'bad.json:'* ]]
	echo '{"format": "sloth-stack"}' >nameless.json
	run -10 sloth stack import nameless.json
	[[ $output == *'--name'* ]]
	run -10 sloth stack import web.json --name 'a b'
	run -4 sloth stack import none.json
	run -4 sloth stack export none
	run -4 sloth stack export web /nonexistent/file
	# A file can't ask for what only --force may.
	sed 's/"format_version":1/"format_version":1, "replace": true/' web.json >replace.json
	run -4 sloth stack import replace.json
}

@test "the example: only what differs is done" {
	run sloth run "$SLOTH_SOURCE/examples/resources.sloth" --stack site --set "folder=$PWD/site"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(cat site/index.html)" = '<h1>Hello</h1>' ]
	run sloth stack resources site --status applied
	[ "${#lines[@]}" -eq 3 ]
	run sloth run "$SLOTH_SOURCE/examples/resources.sloth" --stack site --set "folder=$PWD/site"
	[[ $output == *'2 unchanged'* ]] || { echo "$output"; false; }
	run sloth run "$SLOTH_SOURCE/examples/resources.sloth" --stack site --set "folder=$PWD/site" --set title=Again
	[ "$status" -eq 0 ]
	[ "$(cat site/index.html)" = '<h1>Again</h1>' ]
	run sloth stack show site --json
	[[ $output == *"directory/$PWD/site"* ]]
}

@test "a secret in a property is sealed: brought about, and told nobody" {
	sloth stack new web
	printf s3cret-word | sloth secrets set word >/dev/null
	cd "$BATS_TEST_TMPDIR"
	run task '
		local word, f = secret.get("word"), "'"$BATS_TEST_TMPDIR"'/f"
		local dry = resource.file{ path = f, content = "pw=" .. word, mode = "0600", dry_run = true }
		assert(dry.changed and not fs.exists(f))
		local res = assert(resource.file{ path = f, content = "pw=" .. word, mode = "0600" })
		print(res.message)
		assert(fs.read(f) == "pw=" .. word)
		local kept = stack.get_resource("file", f)
		assert(kept.status == "applied" and kept.properties.mode == "0600")
		for _, state in ipairs{ "properties", "applied", "actual" } do
			assert(kept[state].content == "<sensitive>", state)
		end
		assert(resource.file{ path = f, content = "pw=" .. word, mode = "0600" }.changed == false)
		assert(fs.write(f, "other"))
		res = assert(resource.file{ path = f, content = "pw=" .. word, mode = "0600" })
		assert(res.changed and res.changes[1].actual == "<sensitive>" and res.changes[1].expected == "<sensitive>", res.message)
		print(res.message)
		assert(file_ops.copy{ content = "pw=" .. word .. "\n", dest = "'"$BATS_TEST_TMPDIR"'/g", mode = "0600" }.changed)
		assert(stack.get_resource("file", "'"$BATS_TEST_TMPDIR"'/g").properties.content == "<sensitive>")
		-- What is said anew is sealed, too, though nobody knows it for a secret.
		assert(file_ops.lineinfile{ path = "'"$BATS_TEST_TMPDIR"'/g", line = "more" }.changed)
		assert(stack.get_resource("file", "'"$BATS_TEST_TMPDIR"'/g").properties.content == "<sensitive>")
		local ok, text = resource.file{ path = "'"$BATS_TEST_TMPDIR"'/" .. word, content = "x" }
		assert(ok == false and text:find("its name or what it depends on has the value of a secret"), tostring(text))
		assert(stack.register_resource{ type = "thing", name = "t", properties = { a = "x", b = "seen" }, sensitive = { "a" } } == "created")
		assert(stack.register_resource{ type = "thing", name = "t", properties = { a = "x", b = "seen" } } == "unchanged")
		assert(stack.register_resource{ type = "thing", name = "t", properties = { a = "y", b = "seen" } } == "changed")
		kept = stack.get_resource("thing", "t")
		assert(kept.properties.a == "<sensitive>" and kept.properties.b == "seen" and kept.status == "pending")'
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[[ $output == *'f: content <sensitive> → <sensitive>'* && $output != *s3cret* && $output != *sha256* ]]
	[ "$(cat g)" = $'pw=s3cret-word\nmore' ]
	run ! grep -rq s3cret "$SLOTH_HOME/sloth.db" "$SLOTH_HOME/sloth.db-wal"
}

@test "a secret does not become a part of a unit of systemd, which tells it to everybody" {
	sloth stack new web
	printf s3cret-word | sloth secrets set word >/dev/null
	mkdir -p "$BATS_TEST_TMPDIR/root/usr/lib/systemd"
	touch "$BATS_TEST_TMPDIR/root/usr/lib/systemd/systemd"
	run task '
		local root = "'"$BATS_TEST_TMPDIR"'/root"
		local ok, text = resource.service{ name = "x", command = "/bin/true", env = { WORD = secret.get("word") }, enabled = false, root = root }
		assert(ok == false and text:find("'"'"'env'"'"' has a secret in it, and systemctl show tells"), text)
		assert(#fs.glob(root .. "/etc/systemd/system/*") == 0)'
	[ "$status" -eq 0 ] || { echo "$output"; false; }
}

@test "what something sensitive was before is kept, and told nobody" {
	sloth stack new web
	run -0 task '
		local is = "first-word"
		resource.define("thing", { key = "name", properties = { name = { kind = "line" }, value = { kind = "line" } },
			read = function() return { ensure = "present", value = is } end,
			apply = function(desired) is = desired.value return true end,
			image = function() return { value = is } end, undo = function(desired, before) is = before.value return true end })
		local res = assert(resource.thing{ name = "p", value = "second-word", sensitive = "value" })
		assert(resource.undo(res) and is == "first-word")'
	[ "$(sqlite3 "$SLOTH_HOME/sloth.db" 'SELECT sealed FROM images')" = 1 ]
}

@test "what is sensitive is compared and mended all the same" {
	sloth stack new web
	printf the-token | sloth secrets set token >/dev/null
	cd "$BATS_TEST_TMPDIR"
	run task '
		local f = "'"$BATS_TEST_TMPDIR"'/f"
		assert(resource.file{ path = f, content = secret.get("token"), mode = "0600" })
		local ok, text = pcall(resource.file, { path = f, content = "x", sensitive = "contents" })
		assert(not ok and text:find("which is no property"), text)
		ok, text = pcall(resource.file, { path = f, content = "x", sensitive = "path" })
		assert(not ok and text:find("but the name"), text)
		ok, text = pcall(resource.file, { path = f, content = "<sensitive>" })
		assert(not ok and text:find("is not known here"), text)'
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	run -0 sloth stack drift detect web
	echo other >f
	run -2 sloth stack drift detect web
	[[ $output == *'content (expected: <sensitive>, actual: <sensitive>)'* ]]
	run -10 sloth stack drift adopt web "$BATS_TEST_TMPDIR/f" --property content
	[[ $output == *'is sensitive: what it was changed to is kept nowhere'* ]]
	run -0 sloth stack drift fix web --yes
	[ "$(cat f)" = the-token ]
	run -0 sloth stack drift detect web
	run -0 sloth cat /stacks/web/export.json
	[[ $output != *the-token* && $output == *'<sensitive>'* ]]
	run -0 sloth cat /stacks/web/drift.history
	[[ $output == *'expected: <sensitive>'* ]]
	# A copy of the stack has no value to compare with, and says so.
	sloth cat /stacks/web/export.json >web.json
	sloth stack delete web --force
	run -0 sloth stack import web.json
	run -1 sloth stack drift detect web
	[ "$(cat f)" = the-token ]
}
