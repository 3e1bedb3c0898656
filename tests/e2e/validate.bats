#!/usr/bin/env bats
# Validation and the audit trail through the mount, by several users.

bats_require_minimum_version 1.5.0
load lib

@test "validate is read with the rights of who reads it" {
	need_root
	mkdir -m 0755 "$M/stacks/prod"
	grep -q '^passed: prod' "$M/stacks/prod/validate"
	run as "$nobody" cat "$M/stacks/prod/validate"
	[[ $output == *'fail  permissions   You may not change the stack prod'*'failed: '* ]]
	chmod 0700 "$M/stacks/prod"
	refused 'Permission denied' as "$nobody" cat "$M/stacks/prod/validate"
	mkdir -m 0777 "$M/stacks/shared"
	run as "$nobody" cat "$M/stacks/shared/validate"
	[[ $output == *'passed: shared'* ]]
}

@test "another user's lock is a conflict, one's own is none" {
	need_root
	mkdir -m 0777 "$M/stacks/prod"
	chmod 0777 "$M/stacks/prod"
	as "$nobody" sh -c "echo 'reason=\"night shift\" ttl=1h' > $M/stacks/prod/lock"
	run as "$nobody" cat "$M/stacks/prod/validate"
	[[ $output == *'ok    lock '*'passed: '* ]]
	run as "$other" cat "$M/stacks/prod/validate"
	[[ $output == *'fail  lock '*'night shift'*'failed: 1 error'* ]]
}

@test "files of resources are looked at by the reader, not by the daemon" {
	need_root
	mkdir -m 0777 "$M/stacks/prod"
	chmod 0777 "$M/stacks/prod"
	mkdir -m 0700 "$T/private"
	echo secret >"$T/private/app.yaml"
	cat >files.sloth <<-END
		task("work"):command(function()
			stack.register_resource{ type = "file", name = "app", properties = { src = "$T/private/app.yaml" } }
			return true
		end)
	END
	cp files.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	grep -q '^ok    files' "$M/stacks/prod/validate"
	run as "$nobody" cat "$M/stacks/prod/validate"
	[[ $output == *'fail  files '*"Cannot read: $T/private/app.yaml (Permission denied"* ]]
}

@test "a workflow that never ends loading is given up" {
	mkdir "$M/stacks/loops" "$M/stacks/deaf"
	printf 'if values.stuck then while true do end end\ntask("work"):command("true")\n' >loops.sloth
	# Nothing of the process itself can interrupt this.
	printf 'if values.stuck then (("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b") end\ntask("work"):command("true")\n' >deaf.sloth
	for stack in loops deaf; do
		cp "$stack.sloth" "$M/stacks/$stack/runs/"
		[ "$(cat "$M/stacks/$stack/runs/latest/wait")" = success ]
		echo 'stuck: true' >"$M/stacks/$stack/values.yaml"
	done
	cat "$M/stacks/loops/validate" >loops &
	local loops=$!
	cat "$M/stacks/deaf/validate" >deaf &
	local deaf=$!
	cat "$M/health" # the daemon goes on
	wait "$loops" "$deaf"
	grep -q '^fail  workflow .*loops.sloth:1: the workflow is still being loaded' loops
	grep -q '^fail  workflow .*took too long' deaf
	eventually not pgrep -f "$T/home/work/check"
	[ -z "$(ls "$T/home/work" | grep check)" ]
}

@test "a reader who leaves takes the check along" {
	mkdir "$M/stacks/prod"
	printf 'if values.stuck then while true do end end\ntask("work"):command("true")\n' >stuck.sloth
	cp stuck.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	echo 'stuck: true' >"$M/stacks/prod/values.yaml"
	run -124 timeout 1 cat "$M/stacks/prod/validate"
	eventually eval '[ -z "$(ls "$T/home/work" | grep check)" ]'
}

@test "many readers at once" {
	mkdir "$M/stacks/prod"
	script hello.sloth 'echo hello'
	cp hello.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		cat "$M/stacks/prod/validate" >"report.$i" &
		readers+=" $!"
	done
	# shellcheck disable=SC2086
	wait $readers
	[ "$(cat report.* | grep -c '^passed: prod')" -eq 12 ]
}

@test "a user whose checks don't end leaves room for another's" {
	need_root
	chmod 1777 "$M/stacks"
	mkdir "$M/stacks/stuck"
	as "$other" mkdir "$M/stacks/prod"
	printf 'if values.stuck then while true do end end\ntask("work"):command("true")\n' >stuck.sloth
	cp stuck.sloth "$M/stacks/stuck/runs/"
	as "$other" cp stuck.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/stuck/runs/latest/wait" "$M/stacks/prod/runs/latest/wait" | grep -c success)" = 2 ]
	echo 'stuck: true' >"$M/stacks/stuck/values.yaml"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		cat "$M/stacks/stuck/validate" >"report.$i" 3>&- &
		readers+=" $!"
	done
	eventually eval '[ "$(awk "/^root +waits/ { print \$3 }" "$M/quota")" -ge 12 ]'
	run as "$other" cat "$M/stacks/prod/validate"
	[[ $output == *'passed: prod'* ]]
	[ "$(cat report.* | grep -c 'still being loaded')" -lt 9 ]
	# shellcheck disable=SC2086
	kill $readers
	eventually eval '[ -z "$(ls "$T/home/work" | grep check)" ]'
}

@test "the trail: verified by all, archived by root alone, followed across an archive" {
	need_root
	mkdir "$M/stacks/prod"
	run as "$nobody" cat "$M/audit"
	[[ $output == *' events, chain intact, head '* ]]
	refused 'Permission denied' as "$nobody" sh -c "echo archive > $M/archives"
	sloth events follow >followed &
	tailing=$!
	eventually grep -q 'stack.created  *prod' followed
	echo archive >"$M/archives"
	grep -q '^events-1-' "$M/archives"
	mkdir "$M/stacks/later"
	eventually grep -q 'stack.created  *later' followed
	grep -q 'events.archived' followed
	kill "$tailing"
	not grep -q 'stack=prod' "$M/events"
	grep -q 'chain intact' "$M/audit.deep"
	stop_daemon
	rm home/archive/events-1-*
	start_daemon
	grep -q 'chain intact' "$M/audit"
	refused 'Bad message' cat "$M/audit.deep"
	says 'No such file'
}
