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

# A command beside which there is no slothd to start.
alone()
{
	mkdir -p bin
	cp "$SLOTH_BUILD/cli/sloth" bin/
	PATH=$PWD/bin:$PATH
}

@test "no daemon, and none that could be started: told, and not taken for a name that does not exist" {
	alone
	run -1 sloth cat version
	[[ $output == *'no daemon answers'*"can't be started"* ]]
}

@test "a daemon that goes while it is asked, and none that could be started: told" {
	alone
	mkdir "$SLOTH_HOME"
	python3 - "$SLOTH_HOME/socket" 3>&- <<-'END' &
		import os, socket, sys
		listener = socket.socket(socket.AF_UNIX)
		listener.bind(sys.argv[1])
		listener.listen()
		connection = listener.accept()[0]
		connection.recv(1, socket.MSG_PEEK)
		listener.close()
		os.unlink(sys.argv[1])
	END
	server=$!
	until [ -S "$SLOTH_HOME/socket" ]; do read -rt 0.05 <> <(:) || :; done
	for words in 'cat version' 'ls /'; do
		run -1 sloth $words
		[[ $output == *'no daemon answers'* ]]
	done
	wait "$server"
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
