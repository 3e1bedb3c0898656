#!/usr/bin/env bats
# A daemon that is killed at any moment of a run: nothing is lost, nothing is done or told twice.

bats_require_minimum_version 1.5.0
load lib

before_start()
{
	export XDG_CONFIG_HOME=$T/config
	mkdir -p "$T/config/sloth"
}

# counting NAME TASKS LINES: each task says its lines, with a rest now and then.
counting()
{
	local i
	for ((i = 1; i <= $2; i++)); do
		printf 'task("t%d"):command([==[i=0; while [ $i -lt %d ]; do echo "line $i"; i=$((i + 1)); [ $((i %% 25)) -ne 0 ] || sleep 0.02; done]==])\n' "$i" "$3"
	done >"$1"
}

# Each line of each task once, in order; each task tried once.
counted()
{
	local i j
	for ((i = 1; i <= $2; i++)); do
		for ((j = 0; j < $3; j++)); do echo "line $j"; done | cmp - "$M/runs/$1/tasks/t$i/log" || return 1
		[ "$(cat "$M/runs/$1/tasks/t$i/status")" = success ] || return 1
		[ "$(wc -l <"$M/runs/$1/tasks/t$i/attempts")" -eq 1 ] || return 1
	done
	[ "$(grep -c '\] line ' "$M/runs/$1/log")" -eq $(($2 * $3)) ]
}

@test "a daemon that is killed again and again while tasks print: each line once, each task once" {
	counting count.sloth 4 400
	cp count.sloth "$M/runs/"
	for ((round = 0; round < 5; round++)); do
		sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
		kill_daemon
		sleep "0.0$((RANDOM % 10))"
		start_daemon
	done
	[ "$(cat "$M/runs/count/wait")" = success ]
	counted 1 4 400
}

@test "a newer program takes the daemon's place, again and again: each line once" {
	counting count.sloth 3 300
	cp count.sloth "$M/runs/"
	for ((round = 0; round < 4; round++)); do
		stop_daemon
		start_daemon
	done
	[ "$(cat "$M/runs/count/wait")" = success ]
	counted 1 3 300
}

@test "a daemon that is killed while a task says more than fits on the line: each line once" {
	script flood.sloth 'seq 1 900000'
	cp flood.sloth "$M/runs/"
	eventually test -s "$M/runs/1/log"
	kill_daemon
	sleep 0.5
	start_daemon
	[ "$(cat "$M/runs/flood/wait")" = success ]
	seq 1 900000 | cmp - "$M/runs/1/tasks/work/log"
}

@test "a daemon that is killed while a run waits for a slot" {
	echo 'max_concurrent_executions: 1' >config/sloth/config.yaml
	stop_daemon
	start_daemon
	script first.sloth "echo begun >> $T/first; until [ -e $T/go ]; do sleep 0.05; done"
	script second.sloth "echo begun >> $T/second"
	cp first.sloth "$M/runs/"
	eventually test -s first
	cp second.sloth "$M/runs/"
	[ "$(cat "$M/runs/second/status")" = waiting ]
	kill_daemon
	start_daemon
	[ "$(cat "$M/runs/second/status")" = waiting ]
	[ ! -e second ]
	touch go
	[ "$(cat "$M/runs/second/wait")" = success ]
	[ "$(cat "$M/runs/first/wait")" = success ]
	[ "$(wc -l <first)$(wc -l <second)" = 11 ]
}

@test "a daemon that is killed while runs are submitted: each is whole or is not, and none begins twice" {
	for ((i = 0; i < 6; i++)); do
		printf 'task("work"):command([==[echo %d >> %s/begun]==])\n' "$i" "$T" >"r$i.sloth"
	done
	for ((i = 0; i < 6; i++)); do
		cp "r$i.sloth" "$M/runs/" 2>/dev/null && echo "$i" >>accepted &
		copier=$!
		sleep "0.0$((RANDOM % 10))"
		kill_daemon
		wait "$copier" || :
		start_daemon
	done
	# What was accepted is there, and comes to an end; what began began once.
	for i in $(cat accepted 2>/dev/null); do
		status=$(timeout 300 cat "$M/runs/r$i/wait")
		[[ $status =~ ^(success|interrupted)$ ]] || { echo "r$i: $status"; false; }
		[ "$status" = interrupted ] || grep -qx "$i" begun
	done
	for run in "$M"/runs/[0-9]*; do
		timeout 300 cat "$run/wait" >/dev/null
	done
	for stack in "$M"/stacks/*; do
		[ ! -e "$stack/lock" ] || [ "$(cat "$stack/lock")" = unlocked ]
	done
	[ ! -e begun ] || [ -z "$(sort begun | uniq -d)" ]
	eventually no_runners
}

@test "a daemon that is killed while a run ends: it has ended, once" {
	for ((i = 0; i < 5; i++)); do
		printf 'task("work"):command([==[touch %s/now%d; echo the end]==])\n' "$T" "$i" >"e$i.sloth"
		cp "e$i.sloth" "$M/runs/"
		eventually test -e "now$i"
		sleep "0.00$((RANDOM % 10))"
		kill_daemon
		start_daemon
		[ "$(cat "$M/runs/e$i/wait")" = success ]
		[ "$(cat "$M/runs/e$i/tasks/work/log")" = 'the end' ]
	done
}

# Whether nothing of a run of this home lives.
no_runners()
{
	for folder in /proc/[0-9]*; do
		case $(readlink "$folder/cwd" 2>/dev/null) in "$SLOTH_HOME"/work/*) return 1 ;; esac
	done
}

# row SQL ARGUMENT…
row()
{
	python3 - "$SLOTH_HOME/sloth.db" "$@" <<'X'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(sys.argv[2], sys.argv[3:])
db.commit()
X
}

@test "a daemon that died between storing that a run begins and saying so: the next one says it" {
	echo 'max_concurrent_executions: 1' >config/sloth/config.yaml
	stop_daemon
	start_daemon
	script first.sloth "echo begun >> $T/first; until [ -e $T/go ]; do sleep 0.05; done"
	script second.sloth "echo begun >> $T/second"
	cp first.sloth "$M/runs/"
	eventually test -s first
	cp second.sloth "$M/runs/"
	[ "$(cat "$M/runs/second/status")" = waiting ]
	kill_daemon
	row "UPDATE runs SET status = 'running' WHERE file = ?" second.sloth
	start_daemon
	[ "$(cat "$M/runs/second/wait")" = success ]
	touch go
	[ "$(cat "$M/runs/first/wait")" = success ]
	[ "$(wc -l <first)$(wc -l <second)" = 11 ]
}

# A run whose daemon and process died, and a stranger in whose name its row speaks: he is left alone.
stranger()
{
	mkdir "$M/stacks/prod"
	script slow.sloth "echo \$\$ > $T/task; until [ -e $T/go ]; do sleep 0.05; done"
	cp slow.sloth "$M/stacks/prod/runs/"
	eventually test -s task
	runner=$(cut -d ' ' -f 4 "/proc/$(cat task)/stat")
	kill_daemon
	kill -KILL "$runner" "$(cat task)"
	sleep 1000 3>&- &
	other=$!
	row "UPDATE runs SET pid = ?, pid_start = pid_start + ?, boot_id = CASE WHEN ? = '' THEN boot_id ELSE ? END" "$other" "$1" "$2" "$2"
	start_daemon
	[ "$(cat "$M/stacks/prod/runs/slow/wait")" = interrupted ]
	[ "$(cat "$M/stacks/prod/runs/slow/tasks/work/status")" = lost ]
	[[ $(cat "$M/stacks/prod/runs/slow/error") == *died* ]]
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
	kill -0 "$other"
	touch go
	echo 'retry failed' >"$M/stacks/prod/runs/slow/ctl"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ]
	[[ $(cat "$M/stacks/prod/runs/latest/log") == *"'work' was lost in the run before"* ]]
	kill -0 "$other"
	kill "$other"
}

# answered_and_killed EVENT FILE LINE: the line is written, and the daemon is killed between its answer and all else. What it is killed in
# may be another turn: the event says whether it was this one.
answered_and_killed()
{
	until grep -q "$1" "$M/events"; do
		echo turn.answered >points/armed
		echo "$3" >"$2" || :
		wait "$daemon" || :
		start_daemon
	done
}

# A run that goes on for long: long STACK.
long()
{
	"$SLOTH_BUILD/fs/slothd" --failpoints >/dev/null 2>&1 || skip 'needs the option torture'
	stop_daemon
	mkdir points
	export SLOTH_FAILPOINT=$T/points
	start_daemon
	mkdir "$M/stacks/$1"
	script long.sloth "echo begun >> $T/begun; exec sleep 1000"
	cp long.sloth "$M/stacks/$1/runs/"
	eventually test -s begun
}

@test "a daemon that is killed when it is stored that a run shall end, and before its process knows: it ends" {
	long prod
	answered_and_killed run.cancel_requested "$M/stacks/prod/runs/long/ctl" cancel
	[ "$(timeout 100 cat "$M/stacks/prod/runs/long/wait")" = cancelled ]
	eventually no_runners
}

@test "a daemon that is killed when a lock was taken away, before the run that had it knows: it ends, and says why" {
	long prod
	answered_and_killed lock.force_released "$M/stacks/prod/lock" 'force reason="the house burns"'
	[ "$(timeout 100 cat "$M/stacks/prod/runs/long/wait")" = cancelled ]
	[[ $(cat "$M/stacks/prod/runs/long/error") == *'the house burns'* ]]
	eventually no_runners
}

@test "after a reboot: the run is interrupted, and whoever has its process's number now is left alone" {
	stranger 0 aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee
}

@test "in the same boot, a process that began at another time is not the run's" {
	stranger 1 ''
}

# stuck NAME CONFIG TASK BEFORE: one task whose code stays in one function of C for ever, once BEFORE (Lua) is done.
stuck()
{
	cat >"$1.sloth" <<END
workflow.define("$1"):config({ $2 }):tasks({
	task("bomb"):grace(0)$3:command(function()
		$4
		return (("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b") == nil
	end),
})
END
}

# What another than cancel has to end.
ends_by_its_limit()
{
	[ "$(timeout 120 cat "$M/runs/$1/wait")" = "$2" ] || { head "$M/runs/$1/status" "$M/runs/$1/error"; return 1; }
	eventually no_runners
}

@test "a process that is stuck when the daemon is killed: the next daemon knows its limits" {
	stuck task '' ':timeout("3s")' "fs.touch(\"$T/task.now\")"
	stuck whole 'timeout = "3s"' '' "fs.touch(\"$T/whole.now\")"
	for name in task whole; do
		cp "$name.sloth" "$M/runs/"
		eventually test -e "$name.now"
	done
	kill_daemon
	start_daemon
	ends_by_its_limit task failed
	[ "$(cat "$M/runs/task/tasks/bomb/status")" = timed_out ]
	ends_by_its_limit whole timed_out
}

@test "a process that is stuck after it came back to a new daemon: its limits are known there" {
	stuck late '' ':timeout("5s")' "fs.touch(\"$T/now\") os.execute('until [ -e $T/go ]; do sleep 0.05; done')"
	cp late.sloth "$M/runs/"
	eventually test -e now
	kill_daemon
	start_daemon
	eventually file_has slothd.log 'is back'
	touch go
	ends_by_its_limit late failed
	[ "$(cat "$M/runs/late/tasks/bomb/status")" = timed_out ]
}

@test "nobody waits for a daemon whose home is gone" {
	script left.sloth "echo \$PPID > $T/runner; exec sleep 600"
	cp left.sloth "$M/runs/"
	eventually test -s runner
	kill_daemon
	rm -r home
	eventually eval '! kill -0 "$(cat runner)"'
	mkdir home
	start_daemon
}

@test "a daemon that is killed while it tells the kernel of a name, and can't end: the next one takes over" {
	need_root
	script first.sloth true
	cp first.sloth "$M/runs/"
	[ "$(cat "$M/runs/first/wait")" = success ]
	# Who renames has the folder's lock until the workflow is loaded, and this one takes its time.
	echo 'local begun = os.clock() while os.clock() - begun < 60 do end' >slow.sloth
	cp slow.sloth "$M/runs/slow.tmp"
	mv "$M/runs/slow.tmp" "$M/runs/slow.sloth" 3>&- &
	mover=$!
	eventually sloth cat runs/2/status
	PYTHONPATH=$SLOTH_SOURCE/tests/torture python3 -c 'import doors, os, pathlib
class Daemon: home = pathlib.Path(os.environ["SLOTH_HOME"])
doors.Socket(Daemon).rmdir("runs/1")'
	eventually grep -q fuse_reverse_inval /proc/"$daemon"/task/*/wchan
	kill -KILL "$daemon"
	daemon=''
	start_daemon
	[ -s "$M/version" ]
	not wait "$mover"
	[ ! -e "$M/runs/1" ]
}
