#!/usr/bin/env bats
# Resources in a mounted tree: what people do with them, and who may.

bats_require_minimum_version 1.5.0
load lib

# What is registered here is looked at by nobody.
before_start()
{
	unwatched
}

registered()
{
	mkdir "$M/stacks/prod"
	cat >register.sloth <<-'END'
		task("register"):command(function()
		    stack.register_resource{ type = "file", name = "/etc/motd", properties = { mode = "0644" } }
		    stack.register_resource{ type = "file", name = "a b", properties = {}, dependencies = { "file//etc/motd" } }
		    stack.register_resource{ type = "service", name = "nginx", properties = { running = true } }
		end)
	END
	cp register.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ]
	R=$M/stacks/prod/resources
}

@test "read, changed by hand, protected, forgotten" {
	registered
	[ "$(ls "$R")" = $'file\nservice' ]
	[ "$(ls "$R/file")" = $'%2Fetc%2Fmotd\na%20b' ]
	[ "$(cat "$R/file/a%20b/depends")" = 'file//etc/motd explicit' ]
	[ "$(cat "$R"/file/*/status | sort -u)" = pending ]
	[ "$(find "$R" -name desired.json | wc -l)" -eq 3 ]
	tar -C "$R" -cf resources.tar . && tar -tf resources.tar >/dev/null
	echo '{"mode": "0600"}' >new.json
	cp new.json "$R/file/%2Fetc%2Fmotd/desired.json"
	[ "$(tr -d ' \n' <"$R/file/%2Fetc%2Fmotd/desired.json")" = '{"mode":"0600"}' ]
	echo '[' >bad.json
	refused 'Invalid argument' cp bad.json "$R/file/%2Fetc%2Fmotd/desired.json"
	says 'desired.json:'
	echo 1 >"$R/service/nginx/protect"
	refused 'Operation not permitted' rmdir "$R/service/nginx"
	says 'service/nginx of stack prod is protected'
	refused 'Operation not permitted' rmdir "$M/stacks/prod"
	says '1 protected resource (service/nginx)'
	refused 'Invalid argument' bash -c "echo 2 >'$R/service/nginx/protect'"
	echo 0 >"$R/service/nginx/protect"
	rmdir "$R/service/nginx"
	[ "$(ls "$R")" = file ]
	refused 'No such file' cat "$R/service/nginx/status"
	refused 'Operation not permitted' mkdir "$R/file/new"
	refused 'Operation not permitted' rmdir "$R/file"
	[[ $(cat "$M/stacks/prod/activity") == *'resource.deleted'* ]]
	rmdir "$M/stacks/prod"
}

@test "only who may change the stack, and not while somebody else holds it" {
	need_root
	registered
	refused 'Permission denied' as $nobody bash -c "echo 1 >'$R/service/nginx/protect'"
	refused 'Permission denied' as $nobody rmdir "$R/service/nginx"
	[ "$(as $nobody cat "$R/service/nginx/status")" = pending ]
	chmod 700 "$M/stacks/prod"
	refused 'Permission denied' as $nobody cat "$R/service/nginx/status"
	refused 'Permission denied' as $nobody cat "$M/stacks/prod/resources.json"
	chmod 777 "$M/stacks/prod"
	echo maintenance >"$M/stacks/prod/lock"
	refused 'resource busy' as $nobody rmdir "$R/service/nginx"
	refused 'resource busy' as $nobody bash -c "echo '{}' | tee '$R/service/nginx/desired.json'"
	rm "$M/stacks/prod/lock"
	as $nobody rmdir "$R/service/nginx"
}

@test "what a run registers is seen at once through the mount" {
	registered
	[ "$(cat "$R/file/%2Fetc%2Fmotd/status")" = pending ]
	cat >apply.sloth <<-'END'
		task("apply"):command(function()
		    stack.update_resource("file", "/etc/motd", { status = "applied", actual = { mode = "0644" } })
		    stack.delete_resource("service", "nginx")
		end)
	END
	cp apply.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ]
	[ "$(cat "$R/file/%2Fetc%2Fmotd/status")" = applied ]
	[ "$(tr -d ' \n' <"$R/file/%2Fetc%2Fmotd/actual.json")" = '{"mode":"0644"}' ]
	[ "$(ls "$R")" = file ]
	[ ! -e "$R/service/nginx/status" ]
}

@test "a stack is a file: cp makes it anew" {
	registered
	echo 'port: 80' >"$M/stacks/prod/values.yaml"
	touch "$M/stacks/prod/tags/live"
	cp "$M/stacks/prod/export.json" prod.json
	mkdir "$M/stacks/copy"
	cp prod.json "$M/stacks/copy/export.json"
	[ "$(cat "$M/stacks/copy/values.yaml")" = 'port: 80' ]
	[ "$(ls "$M/stacks/copy/resources/file")" = $'%2Fetc%2Fmotd\na%20b' ]
	sed 's/"name":"copy"/"name":"prod"/' "$M/stacks/copy/export.json" | diff - prod.json
	refused 'not empty' cp prod.json "$M/stacks/copy/export.json"
	says 'stack copy is not empty'
	sed 's/"format_version":1,/"format_version":1,"replace":true,/; s/live/old/' prod.json >replace.json
	cp replace.json "$M/stacks/copy/export.json"
	[ "$(ls "$M/stacks/copy/tags")" = old ]
	echo '{}' >bad.json
	refused 'Invalid argument' cp bad.json "$M/stacks/copy/export.json"
	if [ "$(id -u)" -eq 0 ]; then
		refused 'Permission denied' as $nobody cp "$T/bad.json" "$M/stacks/copy/export.json"
	fi
}

# commits COMMAND …: how often something was made durable meanwhile.
commits()
{
	local before

	before=$(sed -n 's/^sloth_commits_total //p' "$M/metrics")
	"$@"
	echo $(($(sed -n 's/^sloth_commits_total //p' "$M/metrics") - before))
}

forty_files()
{
	printf '%s\n' "task('files'):command(function()
		for i = 1, 40 do
			assert(resource.file{ path = '$T/' .. i, content = '$1', mode = '0644' })
		end
	end)" >files.sloth
	cp files.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ]
}

@test "what is brought about is durable with what comes next, and before the run says so; what is as it was costs nothing" {
	mkdir "$M/stacks/prod"
	# Whoever watches writes, too.
	echo "watch: false" >"$M/stacks/prod/config.yaml"
	[ "$(commits forty_files one)" -lt 70 ]
	[ "$(cat "$M"/stacks/prod/resources/file/*/status | sort | uniq -c)" = '     40 applied' ]
	# Looked at in between, they are still what was brought about.
	echo detect >"$M/stacks/prod/drift"
	[ "$(commits forty_files one)" -lt 30 ]
	[ "$(commits forty_files two)" -lt 70 ]
	[ "$(cat "$M"/stacks/prod/resources/file/*/status | sort | uniq -c)" = '     40 applied' ]
	grep -q two 40
}

@test "what was brought about and can't be registered then fails the task" {
	mkdir "$M/stacks/prod"
	# What is there afterwards is more than is kept of a resource.
	printf '%s\n' "resource.define('giant', {
		properties = { name = { kind = 'line' } },
		read = function(desired)
			local there = fs.exists('$T/giant')
			return { ensure = there and 'present' or 'absent', size = there and ('x'):rep(600000) or nil }
		end,
		apply = function(desired) fs.write('$T/giant', 'x') return true end,
	})
	task('make'):command(function()
		fs.write('$T/said', tostring(resource.giant{ name = 'it' } ~= false))
		return true, 'all is well'
	end):retries(0)" >giant.sloth
	cp giant.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = failed ]
	[ "$(cat said)" = true ]
	grep -q "giant/it can't be registered: giant/it: its actual properties are over" "$M/stacks/prod/runs/latest/tasks/make/error"
	[ "$(cat "$M/stacks/prod/resources/giant/it/status")" = pending ]
}
