#!/usr/bin/env bats
# shellcheck disable=SC2154
# Runs that wait before they begin: for the lock of their stack, and for a slot.

bats_require_minimum_version 1.5.0
load lib

before_start()
{
	case $BATS_TEST_DESCRIPTION in
	*'one slot'*)
		export XDG_CONFIG_HOME=$T/config
		mkdir -p config/sloth
		printf 'max_concurrent_executions: 1\n' >config/sloth/config.yaml
		;;
	esac
}

# holder NAME: a workflow that runs until the file go-NAME is there.
holder()
{
	script "$1.sloth" "echo $1 >> $T/order; until [ -e $T/go-$1 ]; do sleep 0.05; done"
}

# waiter NAME: one that waits for its lock.
waiter()
{
	printf 'task("work"):command("echo %s >> %s/order")\nworkflow.define("x"):tasks("work"):config({ lock_timeout = "%s" })\n' \
		"$1" "$T" "${2-5m}" >"$1.sloth"
}

submit()
{
	local name
	for name; do
		cp "$name.sloth" "$M/stacks/prod/runs/" || return
	done
}

restart_after_kill()
{
	kill_daemon
	umount -l "$M" 2>/dev/null || fusermount3 -uz "$M"
	start_daemon
}

status_of()
{
	cat "$M/runs/$1/status"
}

has_status()
{
	[ "$(status_of "$1")" = "$2" ]
}

@test "a locked stack refuses a run, and takes one that waits; waiters are seen, and served in their order" {
	mkdir "$M/stacks/prod"
	holder a
	waiter b
	waiter c
	script d.sloth true
	submit a
	eventually test -s order
	refused 'busy' cp d.sloth "$M/stacks/prod/runs/"
	says 'sloth run --wait'
	submit b c
	has_status 3 waiting
	file_has "$M/runs/3/waiting" 'the lock of stack prod'
	file_has "$M/runs/3/waiting" 'place 1 of 2'
	file_has "$M/runs/3/waiting" 'held by run 1 of '
	file_has "$M/runs/4/waiting" 'place 2 of 2'
	file_has "$M/runs/4/status.json" '"for": "lock"'
	file_has "$M/stacks/prod/lock" 'waiting: run 3 of '
	file_has "$M/stacks/prod/lock.json" '"run":4'
	# Who comes later does not overtake them, nor does a person.
	refused 'temporarily unavailable' bash -c "flock -n 3 || { echo temporarily unavailable; exit 1; }" 3>"$M/stacks/prod/lock"
	touch go-a
	[ "$(cat "$M/runs/4/wait")" = success ]
	[ "$(tr '\n' ' ' <order)" = 'a b c ' ]
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
	[ ! -s "$M/runs/3/waiting" ]
}

@test "the wait for the lock is over: timed_out, with the holder; what was waited for goes on" {
	mkdir "$M/stacks/prod"
	holder a
	waiter b 200ms
	submit a
	submit b
	[ "$(cat "$M/runs/2/wait")" = timed_out ]
	file_has "$M/runs/2/error" 'waited 200ms in vain. stack prod is locked by run 1 of '
	not grep -q waiting: "$M/stacks/prod/lock"
	[ "$(cat "$M/runs/2/tasks/work/status")" = cancelled ]
	has_status 1 running
	# What the submitter says counts more than what the workflow says.
	refused 'locked by run 1' sloth run b.sloth -s prod --wait 0
	[ "$status" -eq 5 ]
	refused 'waited 100ms in vain' sloth run b.sloth -s prod --wait 100ms
	[ "$status" -eq 6 ]
	refused 'must be a duration' sloth run b.sloth -s prod --wait soon
	[ "$status" -eq 10 ]
	touch go-a
	[ "$(cat "$M/runs/1/wait")" = success ]
}

@test "a run that waits for the lock can be cancelled, and leaves the queue" {
	mkdir "$M/stacks/prod"
	holder a
	waiter b
	waiter c
	submit a b c
	echo cancel >"$M/runs/2/ctl"
	[ "$(cat "$M/runs/2/wait")" = cancelled ]
	file_has "$M/runs/3/waiting" 'place 1 of 1'
	touch go-a
	[ "$(cat "$M/runs/3/wait")" = success ]
	[ "$(tr '\n' ' ' <order)" = 'a c ' ]
}

@test "waiters for the lock keep their places and their time when the daemon is killed" {
	mkdir "$M/stacks/prod"
	holder a
	waiter b
	waiter c 1h
	waiter d 1s
	submit a b c d
	restart_after_kill
	eventually file_has "$M/runs/2/waiting" 'place 1 of '
	file_has "$M/runs/3/waiting" 'place 2 of '
	# The time went on: it is not counted anew.
	[ "$(cat "$M/runs/4/wait")" = timed_out ]
	touch go-a
	[ "$(cat "$M/runs/3/wait")" = success ]
	[ "$(tr '\n' ' ' <order)" = 'a b c ' ]
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
}

@test "a run that waits sees what the run before it has set" {
	mkdir "$M/stacks/prod"
	printf 'color: red\n' >"$M/stacks/prod/values.yaml"
	cat >a.sloth <<-END
		task("work"):command(function()
			exec.run("until [ -e $T/go-a ]; do sleep 0.05; done; printf 'color: blue\\\\n' > $M/stacks/prod/values.yaml")
		end)
	END
	cat >b.sloth <<-'END'
		task("work"):command(function() log.info("it is " .. values.color .. " and " .. values.size) end)
	END
	printf 'size: 7\n' >size.yaml
	submit a
	sloth run b.sloth -s prod --values size.yaml --wait 5m --detach
	touch go-a
	[ "$(cat "$M/runs/2/wait")" = success ]
	file_has "$M/runs/2/log" 'it is blue and 7'
}

@test "a run waits for the end of maintenance, and for that of somebody else's lock" {
	need_root
	mkdir "$M/stacks/prod"
	waiter a
	echo 'maint reason=disks' >"$M/stacks/prod/lock"
	submit a
	has_status 1 waiting
	file_has "$M/runs/1/waiting" disks
	echo unlock >"$M/stacks/prod/lock"
	[ "$(cat "$M/runs/1/wait")" = success ]
	chmod 777 "$M/stacks/prod"
	as "$other" bash -c "echo mine > '$M/stacks/prod/lock'"
	submit a
	file_has "$M/runs/2/waiting" "(uid $other)"
	rmdir "$M/stacks/prod" && return 1
	as "$other" bash -c "echo unlock > '$M/stacks/prod/lock'"
	[ "$(cat "$M/runs/2/wait")" = success ]
}

@test "one slot: first come, first served; a stack that is locked takes none" {
	mkdir "$M/stacks/prod"
	holder a
	holder b
	holder c
	waiter d
	submit a
	cp b.sloth c.sloth "$M/runs/"
	submit d
	eventually test -s order
	file_has "$M/runs/2/waiting" 'a slot; place 1 of 2 in the queue; 1 run is running, and max_concurrent_executions is 1'
	file_has "$M/runs/3/waiting" 'place 2 of 2'
	file_has "$M/runs/4/waiting" 'the lock of stack prod'
	# A daemon that comes anew knows who has the slot.
	restart_after_kill
	eventually file_has "$M/runs/3/waiting" 'place 2 of 2'
	has_status 2 waiting
	touch go-b go-c go-a
	[ "$(cat "$M/runs/4/wait")" = success ]
	[ "$(tr '\n' ' ' <order)" = 'a b c d ' ]
}

@test "one slot: a task that waits for the run that it has started" {
	script inner.sloth "echo inner >> $T/order"
	script outer.sloth "SLOTH_HOME=$SLOTH_HOME $(command -v sloth) run $T/inner.sloth && echo outer >> $T/order"
	sloth run outer.sloth
	[ "$(tr '\n' ' ' <order)" = 'inner outer ' ]
	# Its second child waits for the first: they share that slot.
	script two.sloth "export PATH=$PATH SLOTH_HOME=$SLOTH_HOME; sloth run $T/a.sloth -d; sloth run $T/b.sloth -d; sloth cat /runs/5/waiting > $T/said; touch $T/go-a $T/go-b"
	holder a
	holder b
	sloth run two.sloth
	[ "$(cat "$M/runs/5/wait")" = success ]
	file_has said 'a slot'
}

@test "a stack's own number of runs: the others are not kept waiting" {
	mkdir "$M/stacks/prod"
	printf 'auto_lock: false\nmax_concurrent_executions: 1\n' >"$M/stacks/prod/config.yaml"
	holder a
	holder b
	script c.sloth true
	submit a b
	sloth run c.sloth
	file_has "$M/runs/2/waiting" '1 run is running on stack prod, and max_concurrent_executions is 1'
	touch go-a go-b
	[ "$(cat "$M/runs/2/wait")" = success ]
}
