#!/usr/bin/env bats
# Runs whose process does not come back to its loop.

bats_require_minimum_version 1.5.0
load common

@test "code that nothing can interrupt: its process is killed, and the task has timed out" {
	cat >stuck.sloth <<'END'
workflow.define("stuck"):tasks({
	task("first"):command("true"),
	task("bomb"):depends_on("first"):timeout("200ms"):grace(0):command(function()
		return (("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b") == nil
	end),
})
END
	run -1 sloth run stuck.sloth
	[[ $output == *'bomb: timed_out'*'timed out after 200ms, and its code could not be interrupted'* ]]
	[ "$(sloth cat /runs/latest/status)" = failed ]
	[ "$(sloth cat /runs/latest/tasks/first/status)" = success ]
	[ "$(sloth cat /runs/latest/tasks/bomb/status)" = timed_out ]
	cat >whole.sloth <<'END'
workflow.define("whole"):config({ timeout = "200ms" }):tasks({
	task("bomb"):grace(0):command(function() return (("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b") == nil end),
})
END
	run -6 sloth run whole.sloth
	[[ $(sloth cat /runs/latest/error) == 'the workflow timed out after 200ms, and its code'* ]]
	[ "$(sloth cat /runs/latest/status)" = timed_out ]
}
