#!/usr/bin/env bats
# Killed daemons, stale mounts, clean ends, full disks.

bats_require_minimum_version 1.5.0
load lib

@test "SIGTERM: the tree is unmounted, the exit status is 0, the state is there afterwards" {
	mkdir "$M/stacks/prod"
	echo 'kept' >"$M/stacks/prod/description"
	stop_daemon
	not mountpoint -q "$M"
	[ -z "$(ls -A "$M")" ]
	start_daemon
	[ "$(cat "$M/stacks/prod/description")" = kept ]
}

@test "SIGTERM while somebody has a file open and somebody waits" {
	mkdir "$M/stacks/prod"
	exec 9<"$M/stacks/prod/lock"
	flock 9
	flock "$M/stacks/prod/lock" true 9<&- 3>&- &
	waiter=$!
	eventually file_has "$M/stacks/prod/lock" waiting:
	stop_daemon
	exec 9<&-
	wait "$waiter" || :
	not mountpoint -q "$M"
	start_daemon
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
}

@test "kill -9: what was acknowledged is there, and the stale mount is taken away at the next start" {
	mkdir "$M/stacks/prod"
	for ((i = 0; i < 8; i++)); do
		(
			n=0
			while printf '%d\n' "$n" | cp /dev/stdin "$M/stacks/prod/outputs.d/writer$i"; do
				echo "$n" >"acknowledged$i"
				n=$((n + 1))
			done 2>/dev/null
		) 3>&- &
	done
	eventually bash -c '[ "$(cat acknowledged7)" -gt 5 ]'
	kill_daemon
	wait
	run ls "$M"
	[ "$status" -ne 0 ]
	start_daemon
	for ((i = 0; i < 8; i++)); do
		stored=$(cat "$M/stacks/prod/outputs.d/writer$i")
		[ "$stored" -ge "$(cat "acknowledged$i")" ] || { echo "$i: $stored"; false; }
	done
}

@test "kill -9: durable locks stay, session locks go" {
	mkdir "$M/stacks/a" "$M/stacks/b"
	echo 'through thick and thin' >"$M/stacks/a/lock"
	setsid flock "$M/stacks/b/lock" sleep 1000 3>&- &
	holder=$!
	eventually file_has "$M/stacks/b/lock" 'kind: session'
	kill_daemon
	kill -KILL -- "-$holder"
	wait "$holder" 2>/dev/null || :
	start_daemon
	file_has "$M/stacks/a/lock" 'through thick and thin'
	[ "$(cat "$M/stacks/b/lock")" = unlocked ]
}

@test "kill -9: a run that goes on is taken up, and never runs twice" {
	mkdir "$M/stacks/prod"
	script slow.sloth "echo begun >> $T/begun; until [ -e $T/go ]; do sleep 0.05; done; echo end"
	cp slow.sloth "$M/stacks/prod/runs/"
	eventually test -s begun
	kill_daemon
	start_daemon
	[ "$(cat "$M/stacks/prod/runs/slow/status")" = running ]
	touch go
	[ "$(cat "$M/stacks/prod/runs/slow/wait")" = success ]
	[ "$(wc -l <begun)" -eq 1 ]
	[ "$(cat "$M/stacks/prod/status")" = completed ]
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
}

@test "a clean restart: runs go on" {
	script slow.sloth "echo begun >> $T/begun; until [ -e $T/go ]; do sleep 0.05; done; echo the end"
	cp slow.sloth "$M/runs/"
	eventually test -s begun
	stop_daemon
	touch go
	start_daemon
	[ "$(cat "$M/runs/slow/wait")" = success ]
	[ "$(wc -l <begun)" -eq 1 ]
	file_has "$M/runs/slow/log" 'the end'
}

@test "a runner that is killed: the run is interrupted, its lock released, its tasks ended" {
	mkdir "$M/stacks/prod"
	script slow.sloth "echo \$\$ > $T/task; until [ -e $T/go ]; do sleep 0.05; done"
	cp slow.sloth "$M/stacks/prod/runs/"
	eventually test -s task
	runner=$(cut -d ' ' -f 4 "/proc/$(cat task)/stat")
	kill -KILL "$runner"
	status=$(cat "$M/stacks/prod/runs/slow/wait")
	[ "$status" = interrupted ]
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
	eventually bash -c "! kill -0 $(cat task)"
	touch go
	echo 'retry failed' >"$M/stacks/prod/runs/slow/ctl"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ]
}

@test "a second daemon on the same home is refused, and told who is there" {
	run -5 slothd
	[[ $output == *"$daemon"* ]]
	[ "$(cat "$M/health")" = ok ]
}

@test "mount and umount by command, twice at once; umount(8) is fine, too" {
	mkdir two "$M/stacks/prod"
	sloth mount two
	echo seen >"$M/stacks/prod/description"
	[ "$(cat two/stacks/prod/description)" = seen ]
	sloth umount "$T/two"
	[ -z "$(ls two)" ]
	sloth mount "$T/two"
	if [ "$(id -u)" -eq 0 ]; then umount two; else fusermount3 -u two; fi
	[ -z "$(ls two)" ]
	[ "$(cat "$M/health")" = ok ]
	refused 'not mounted' sloth umount "$T/two"
}

@test "mount.sloth, as mount(8) calls it" {
	mkdir two
	env -u SLOTH_HOME "$SLOTH_BUILD/data/mount.sloth" none "$T/two" -o "rw,nofail,x-systemd.automount,home=$SLOTH_HOME"
	[ "$(cat two/health)" = ok ]
	sloth umount "$T/two"
	run -0 "$SLOTH_BUILD/data/mount.sloth" none "$T/two" -fv -o ro
	[[ $output == *"$T/two"* ]]
	run -1 "$SLOTH_BUILD/data/mount.sloth" none
	run -32 "$SLOTH_BUILD/data/mount.sloth" none "$T/two" -o nonsense_option
}

@test "mount -o ro" {
	mkdir two
	sloth mount two -o ro
	refused 'Read-only' mkdir two/stacks/x
	[ "$(cat two/health)" = ok ]
	sloth umount two
}

@test "a full disk is ENOSPC, and all goes on after it is freed" {
	need_root
	mkdir small
	mount -t tmpfs -o size=24m,mode=755 none "$T/small"
	small=$T/small
	stop_daemon
	export SLOTH_HOME=$small/home
	mkdir "$SLOTH_HOME"
	start_daemon
	mkdir "$M/stacks/prod"
	echo first | tee "$M/stacks/prod/outputs.d/o" >/dev/null
	head -c 32M /dev/zero >"$small/ballast" 2>/dev/null || :
	for ((i = 0; i < 200; i++)); do
		head -c 50000 /dev/urandom | base64 -w 0 >big
		cp big "$M/stacks/prod/outputs.d/big$i" 2>why || break
	done
	[ -s why ]
	grep -q 'No space' why
	[[ $(cat "$M/health") == *'No space'* ]]
	[ "$(cat "$M/stacks/prod/outputs.d/o")" = first ]
	rm "$small/ballast"
	echo second | tee "$M/stacks/prod/outputs.d/o" >/dev/null
	[ "$(cat "$M/stacks/prod/outputs.d/o")" = second ]
	[ "$(cat "$M/health")" = ok ]
	stop_daemon
}

@test "a database that is none of ours is refused and left alone" {
	stop_daemon
	echo 'no database' >home/sloth.db
	rm -f home/sloth.db-wal home/sloth.db-shm
	run slothd
	[ "$status" -ne 0 ]
	[ "$(cat home/sloth.db)" = 'no database' ]
	rm home/sloth.db
	start_daemon
}

@test "a writer that is killed changes nothing and starts nothing" {
	mkdir "$M/stacks/prod"
	echo 'a: whole' >"$M/stacks/prod/values.yaml"
	cat >die.py <<'X'
import os, signal, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
os.write(fd, sys.argv[2].encode())
os.kill(os.getpid(), int(sys.argv[3]))
X
	for signal in 2 9 15; do
		not python3 die.py "$M/stacks/prod/values.yaml" $'a: half\n' $signal
		[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: whole' ]
		not python3 die.py "$M/runs/half.sloth" $'workflow.define("half")\n' $signal
		[ -z "$(ls "$M/runs" | grep '^[0-9]')" ]
		# Nor is a name left of what it has only begun.
		not python3 die.py "$M/runs/begun.sloth" '' $signal
		eventually [ ! -e "$M/runs/half.sloth" -a ! -e "$M/runs/begun.sloth" ]
	done
}

@test "what a run leaves in its work folder goes with the run" {
	script leaves.sloth 'mkdir -p a/b; echo x > a/b/file; ln -s / a/root'
	cp leaves.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	work=$SLOTH_HOME/work/1
	[ -n "$(find "$work" -name file)" ]
	rmdir "$M/runs/1"
	eventually bash -c "[ ! -e '$work' ]"
	[ -e /bin/sh ]
	script nothing.sloth 'true'
	cp nothing.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	eventually bash -c "[ -z \"\$(ls '$SLOTH_HOME/work')\" ]"
}

times()
{
	[ "$(grep -c "$2" "$3")" -eq "$1" ]
}

@test "SIGHUP, or the end of the spawner: the daemon starts anew, its mounts are there, and runs go on" {
	script slow.sloth "echo begun; until [ -e $T/go ]; do sleep 0.05; done; echo end"
	cp slow.sloth "$M/runs/"
	eventually grep -q begun "$M/runs/1/log"
	kill -HUP "$daemon"
	eventually times 2 'mounted at' slothd.log
	eventually test -e "$M/stacks/slow/status"
	pkill -KILL -P "$daemon" -x sloth-spawner
	eventually times 3 'mounted at' slothd.log
	grep -q 'without the spawner' slothd.log
	eventually test -e "$M/stacks/slow/status"
	touch go
	[ "$(cat "$M/runs/1/wait")" = success ]
	[ "$(grep -c 'begun' "$M/runs/1/log")" -eq 1 ]
	script after.sloth 'echo after'
	eventually cp after.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
}

@test "SIGTERM while the daemon starts anew: it ends, and nothing is left mounted" {
	stop_daemon
	for ((i = 0; i < 10; i++)); do
		start_daemon
		kill -HUP "$daemon"
		# Together with it, and at any moment of the new start.
		((i == 0)) || eventually grep -q 'starting anew' slothd.log
		((i < 2)) || sleep "0.0$i"
		kill -TERM "$daemon"
		wait "$daemon"
		! mountpoint -q "$M"
		: >slothd.log
	done
	daemon=''
}
