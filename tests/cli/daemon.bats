#!/usr/bin/env bats
# A daemon starts by itself where none answers.

bats_require_minimum_version 1.5.0
load common

@test "the first command starts the daemon, the second one finds it" {
	run sloth ls /
	[ "$status" -eq 0 ]
	[[ $output == *stacks* ]]
	first=$(daemon_pid)
	[ -n "$first" ]
	[ "$(daemon_pid)" = "$first" ]
}

@test "the daemon does not hold the command's terminal or pipes" {
	out=$(sloth ls / | cat)
	[[ $out == *stacks* ]]
	pid=$(daemon_pid)
	[ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
	[ "$(readlink "/proc/$pid/fd/1")" = /dev/null ]
	[ "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ]
}

@test "twenty commands at once start one daemon and all succeed" {
	for i in {1..20}; do
		sloth stack new "s$i" >"out$i" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat out*; false; }
	done
	[ "$(sloth ls /stacks | wc -l)" -eq 20 ]
}

@test "what keeps the daemon from starting is told" {
	mkdir "$SLOTH_HOME"
	: >"$SLOTH_HOME/x"
	mkdir -p "$SLOTH_HOME/sloth.db" # a folder where the database should be
	run sloth ls /
	[ "$status" -ne 0 ]
	[[ $output == "sloth: "* ]]
	rm -r "$SLOTH_HOME"
}

@test "a home that can't be made is told" {
	SLOTH_HOME=/dev/null/home run -4 sloth ls /
	[[ $output == *'/dev/null/home'* ]]
}

@test "umount starts no daemon" {
	run -4 sloth umount /nowhere
	[[ $output == *'not mounted'* ]]
	[ ! -e "$SLOTH_HOME" ]
}

@test "doctor: lines for people, JSON for programs" {
	run sloth doctor
	[ "$status" -eq 0 ]
	[[ $output == *'✓ ok    Daemon'* ]]
	run sloth doctor --json
	[[ $output == *'"check": "daemon"'* ]]
}
