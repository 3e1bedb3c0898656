#!/usr/bin/env bats
# What must not be told: sensitive outputs, secrets, and where they may not appear.

bats_require_minimum_version 1.5.0
load lib

canary=CANARY-7Hq2vXw9

# run_workflow STACK FILE: runs it there and waits; the status is in $output.
run_workflow()
{
	cp "$2" "$M/stacks/$1/runs/" && run cat "$M/stacks/$1/runs/latest/wait"
}

@test "a sensitive output is read by its file alone, and each reading leaves an event" {
	mkdir "$M/stacks/box"
	cat >set.sloth <<-END
		task("work"):command(function()
			stack.set_output("password", "$canary", { sensitive = true })
			stack.set_output("url", "http://x")
			return stack.get_output("password") == "$canary"
		end)
	END
	run_workflow box set.sloth
	[ "$output" = success ]
	[ "$(cat "$M/stacks/box/outputs")" = $'password=<sensitive>\nurl=http://x' ]
	[ "$(cat "$M/stacks/box/outputs.json")" = '{"password":"<sensitive>","url":"http://x"}' ]
	file_has "$M/runs/latest/outputs" '<sensitive>'
	[ "$(stat -c %a "$M/stacks/box/outputs.d/password")" = 600 ]
	[ "$(grep -c output.read "$M/events")" = 1 ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = "$canary" ]
	[ "$(grep -c output.read "$M/events")" = 2 ]
	ls -l "$M/stacks/box/outputs.d" # that is no reading
	[ "$(grep -c output.read "$M/stacks/box/activity")" = 2 ]
	# Set anew, it stays so.
	echo other-value >"$M/stacks/box/outputs.d/password"
	[ "$(grep password "$M/stacks/box/outputs")" = 'password=<sensitive>' ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = other-value ]
}

@test "an output is made sensitive by an attribute, and never again public" {
	mkdir "$M/stacks/box"
	exec 7>"$M/stacks/box/outputs.d/first"
	setfattr -n user.sloth.sensitive -v 1 /dev/fd/7
	echo "$canary" >&7
	exec 7>&-
	[ "$(cat "$M/stacks/box/outputs")" = 'first=<sensitive>' ]
	[ "$(cat "$M/stacks/box/outputs.d/first")" = "$canary" ]
	[ "$(getfattr --only-values -n user.sloth.sensitive "$M/stacks/box/outputs.d/first")" = 1 ]
	not grep -qa "$canary" "$T"/home/sloth.db*
	rm "$M/stacks/box/outputs.d/first"
	echo - >"$M/stacks/box/outputs.d/password"
	setfattr -n user.sloth.sensitive -v 1 "$M/stacks/box/outputs.d/password"
	echo $canary >"$M/stacks/box/outputs.d/password"
	[ "$(cat "$M/stacks/box/outputs")" = 'password=<sensitive>' ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = $canary ]
	refused 'not permitted' setfattr -n user.sloth.sensitive -v 0 "$M/stacks/box/outputs.d/password"
	refused 'not supported' setfattr -n user.sloth.colour -v 1 "$M/stacks/box/outputs.d/password"
	rm "$M/stacks/box/outputs.d/password"
	echo public >"$M/stacks/box/outputs.d/password"
	[ "$(cat "$M/stacks/box/outputs")" = 'password=public' ]
}

@test "others don't read a sensitive output, though they may change the stack" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	as $nobody mkdir -m 777 "$M/stacks/box"
	chmod 777 "$M/stacks/box"
	cat >"$T/set.sloth" <<-END
		task("work"):command(function() stack.set_output("password", "$canary", { sensitive = true }) end)
	END
	as $nobody cp set.sloth "$M/stacks/box/runs/"
	[ "$(cat "$M/stacks/box/runs/latest/wait")" = success ]
	refused 'Permission denied' as $other cat "$M/stacks/box/outputs.d/password"
	refused 'Permission denied' as $other bash -c "echo x > '$M/stacks/box/outputs.d/password'"
	[ "$(as $other cat "$M/stacks/box/outputs")" = 'password=<sensitive>' ]
	[ "$(as $other stat -c %s "$M/stacks/box/outputs.d/password")" = 0 ]
	cat >"$T/get.sloth" <<-END
		task("work"):command(function() log.info("got " .. stack.get_output("password")) end)
	END
	as $other cp get.sloth "$M/stacks/box/runs/"
	[ "$(cat "$M/stacks/box/runs/latest/wait")" = failed ]
	file_has "$M/stacks/box/runs/latest/tasks/work/error" 'only its owner'
	[ "$(as $nobody cat "$M/stacks/box/outputs.d/password")" = $canary ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = $canary ]
}
