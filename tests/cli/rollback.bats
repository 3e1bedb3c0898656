#!/usr/bin/env bats
# on_failure = "rollback": what a run did is undone, and the stack goes back.

bats_require_minimum_version 1.5.0
load common

@test "undone in reverse order, and the stack as it was before" {
	cat >r.sloth <<END
task("a"):command(function() state.set("k", "new"); stack.set_output("o", "new") end):undo("echo a >>$PWD/order")
task("b"):depends_on("a"):command("true"):undo("echo b >>$PWD/order")
task("c"):depends_on("b"):command("true")
task("d"):depends_on("c"):command("exit 3"):undo("echo d >>$PWD/order")
task("e"):always():command("echo e >>$PWD/order")
workflow.define("r"):tasks({ "a", "b", "c", "d", "e" }):config({ on_failure = "rollback" })
END
	sloth stack new r
	echo old | sloth write /stacks/r/state/k
	run -1 sloth run r.sloth
	[[ $output == *$'\nb: success'*$'\nc: success'*$'\nd: failed'*$'\nrolling back: 3 tasks were done\n'*$'\nrolled back; '* ]]
	[ "$(cat order)" = $'b\na\ne' ]
	[ "$(sloth cat /runs/1/status)" = rolled_back ]
	[[ $(sloth cat /runs/1/error) == 'task d: exit status 3; rolled back; not undone, because they have no undo: c; the stack is as before, as v'* ]]
	[ "$(sloth cat /stacks/r/state/k)" = old ]
	[ -z "$(sloth ls /stacks/r/outputs.d)" ]
	[[ $(sloth cat /runs/1/tasks/a/attempts) == *$'\n2 undo success '* ]]
	[ "$(sloth cat /runs/1/tasks/a/attempts.d/2/kind)" = undo ]
	[ "$(sloth cat /runs/1/tasks/a/status)" = success ]
	[[ $(sloth cat /stacks/r/lock) == unlocked* ]]
}

@test "an undo that fails leaves the stack as it is, and is listed" {
	cat >r.sloth <<'END'
task("a"):command(function() state.set("k", "new") end):undo("echo undone")
task("b"):depends_on("a"):command("true"):undo("echo no >&2; exit 4")
task("c"):depends_on("b"):command("exit 3")
workflow.define("r"):tasks({ "a", "b", "c" }):config({ on_failure = "rollback" })
END
	run -1 sloth run r.sloth
	[ "$(sloth cat /runs/1/status)" = rollback_failed ]
	[ "$(sloth cat /runs/1/error)" = 'task c: exit status 3; the rollback failed; undo of b: exit status 4: no; the stack was not restored' ]
	[ "$(sloth cat /stacks/r/state/k)" = new ]
	[ "$(sloth cat /runs/1/tasks/a/attempts.d/2/log)" = undone ]
}

@test "a run that succeeds undoes nothing; one that is cancelled is not rolled back" {
	cat >r.sloth <<'END'
task("a"):command("true"):undo("echo never")
task("b"):depends_on("a"):command("echo up; exec sleep 1000"):run_if(function() return values.long end):undo("echo never")
workflow.define("r"):tasks({ "a", "b" }):config({ on_failure = "rollback" })
END
	sloth run r.sloth
	[ "$(sloth cat /runs/1/status)" = success ]
	echo '{ "long": true }' >v.json
	sloth run r.sloth --values v.json --detach
	eventually sh -c 'sloth cat /runs/2/log | grep -q up'
	echo cancel | sloth write /runs/2/ctl
	[ "$(sloth cat /runs/2/wait)" = cancelled ]
	[[ $(sloth cat /runs/2/log) != *never* ]]
}

rolling()
{
	cat >r.sloth <<'END'
task("a"):command("true"):undo("echo never")
task("b"):depends_on("a"):command("true"):undo("echo undoing; exec sleep 1000")
task("c"):depends_on("b"):command("exit 3")
workflow.define("r"):tasks({ "a", "b", "c" }):config({ on_failure = "rollback" })
END
	sloth run r.sloth --detach
	eventually sh -c 'sloth cat /runs/1/log | grep -q undoing'
	[ "$(sloth cat /runs/1/status)" = rolling_back ]
}

@test "cancelled while it is rolled back" {
	rolling
	echo cancel | sloth write /runs/1/ctl
	[ "$(sloth cat /runs/1/wait)" = rollback_failed ]
	[[ $(sloth cat /runs/1/error) == *'undo of b: '*'left as they are: a;'* ]]
}

@test "its process is killed while it is rolled back: what is left is listed" {
	rolling
	local home="$SLOTH_HOME" pid
	for pid in $(pgrep -x sloth-runner); do
		tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -q "^SLOTH_HOME=$home\$" && kill -KILL "$pid"
		[ "$(readlink "/proc/$pid/cwd")" != "$home/work/1" ] || kill -KILL "$pid"
	done
	[ "$(sloth cat /runs/1/wait)" = rollback_failed ]
	[[ $(sloth cat /runs/1/error) == 'the rollback was cut short: '*'; not undone: b, a' ]]
	[[ $(sloth cat /stacks/r/lock) == unlocked* ]]
}

@test "the daemon is killed while a run is rolled back: it goes on, and the next daemon hears the end" {
	cat >r.sloth <<END
task("a"):command(function() state.set("k", "new") end):undo("echo a >>$PWD/order")
task("b"):depends_on("a"):command("true"):undo("echo b >>$PWD/order; until [ -e $PWD/go ]; do sleep 0.05; done; echo undone")
task("c"):depends_on("b"):command("exit 3")
workflow.define("r"):tasks({ "a", "b", "c" }):config({ on_failure = "rollback" })
END
	sloth stack new r
	echo old | sloth write /stacks/r/state/k
	sloth run r.sloth --detach
	eventually test -s order
	kill -9 "$(daemon_pid)"
	[ "$(sloth cat /runs/1/status)" = rolling_back ]
	[[ $(sloth cat /stacks/r/lock) != unlocked* ]]
	touch go
	[ "$(sloth cat /runs/1/wait)" = rolled_back ]
	[ "$(cat order)" = $'b\na' ]
	[ "$(sloth cat /runs/1/tasks/b/attempts.d/2/log)" = undone ]
	[[ $(sloth cat /runs/1/error) == 'task c: exit status 3; rolled back; the stack is as before, as v'* ]]
	[ "$(sloth cat /stacks/r/state/k)" = old ]
	[[ $(sloth cat /stacks/r/lock) == unlocked* ]]
}
