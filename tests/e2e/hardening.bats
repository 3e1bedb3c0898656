#!/usr/bin/env bats
# What the daemon's processes have given up, as /proc shows it; and that runs have not.

bats_require_minimum_version 1.5.0
load lib

# has PID NAME VALUE…: a line of /proc/PID/status
has()
{
	local value
	value=$(awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status")
	[ "$value" = "$3" ] || { echo "$2 of $1 is $value, not $3"; return 1; }
}

core_limit()
{
	awk '/Max core file size/ { print $6 }' "/proc/$1/limits"
}

# A run that tells of itself what /proc says.
runs_are_free()
{
	script w.sloth 'grep -E "NoNewPrivs|Seccomp:|CapBnd" /proc/self/status'
	cp w.sloth "$M/runs/w.sloth"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	file_has "$M/runs/latest/log" $'NoNewPrivs:\t0'
	file_has "$M/runs/latest/log" $'Seccomp:\t'"$(awk '$1 == "Seccomp:" { print $2 }' /proc/self/status)"
	file_has "$M/runs/latest/log" $'CapBnd:\t'"$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status)"
}

hardened()
{
	has "$daemon" NoNewPrivs 1
	has "$daemon" Seccomp 2
	# No CAP_SYS_MODULE (16), CAP_NET_ADMIN (12), CAP_SETUID (7); CAP_SYS_ADMIN (21), to mount.
	local effective
	effective=$((16#$(awk '$1 == "CapEff:" { print $2 }' "/proc/$daemon/status")))
	[ $((effective & (1 << 16 | 1 << 12 | 1 << 7))) -eq 0 ]
	[ $((effective & 1 << 21)) -ne 0 ]
	[ "$(core_limit "$daemon")" = 0 ]
}

@test "root's daemon: few capabilities, no_new_privs, seccomp, no core dumps; its runs are as ever" {
	need_root
	hardened
	runs_are_free
}

@test "the same when it has started anew, by a signal and because its spawner was killed" {
	need_root
	kill -HUP "$daemon"
	eventually grep -q 'starting anew' slothd.log
	eventually file_has "$M/health" ok
	hardened
	runs_are_free
	pkill -KILL -P "$daemon" -x sloth-spawner
	eventually grep -q 'without the spawner' slothd.log
	eventually file_has "$M/health" ok
	hardened
	runs_are_free
	# Mounting and unmounting needs what it has kept.
	mkdir more
	sloth mount "$T/more"
	[ "$(cat more/health)" = ok ]
	sloth umount "$T/more"
}

@test "where spawners come from is killed: the spawner makes another one, and runs are as ever after starting anew" {
	need_root
	for _ in 1 2 3; do
		pkill -KILL -P "$daemon" -x sloth-seed
		kill -HUP "$daemon"
		eventually file_has "$M/health" ok
		runs_are_free
	done
	seed=$(pgrep -P "$daemon" -x sloth-seed)
	kill -KILL "$seed"
	eventually grep -q 'was killed: the spawner makes another one' slothd.log
	eventually pgrep -P "$daemon" -x sloth-seed
	pkill -KILL -P "$daemon" -x sloth-spawner
	eventually grep -q 'without the spawner' slothd.log
	eventually file_has "$M/health" ok
	hardened
	runs_are_free
	# Nothing is left of those that died.
	[ -z "$(ps --ppid "$daemon" -o stat= | grep Z)" ]
}

@test "it and the spawner are killed at once: the daemon ends rather than to start runs with less than their users have" {
	need_root
	kill -STOP "$daemon"
	pkill -KILL -P "$daemon" -x 'sloth-seed|sloth-spawner'
	kill -CONT "$daemon"
	wait "$daemon" || status=$?
	daemon=''
	[ "$status" -eq 1 ]
	grep -q 'the process that spawners come from is gone' slothd.log
	start_daemon
	runs_are_free
}

@test "an ordinary user's daemon: no core dumps; its jobs have no_new_privs, and seccomp" {
	need_root
	stop_daemon
	umount "$M" 2>/dev/null || :
	chown -R $other "$T/home"
	setpriv --reuid $other --regid $other --clear-groups -- env SLOTH_HOME="$T/home" XDG_CONFIG_HOME="$T/home" SLOTH_FAILPOINT=job.begin=pause "$SLOTH_BUILD/fs/slothd" 2>>slothd.log </dev/null 3>&- &
	daemon=$!
	eventually test -S "$T/home/socket"
	has "$daemon" NoNewPrivs 0
	has "$daemon" CapEff 0000000000000000
	[ "$(core_limit "$daemon")" = 0 ]
	as $other env SLOTH_HOME="$T/home" "$SLOTH_BUILD/cli/sloth" check &
	asking=$!
	eventually pgrep -f "^slothd --job check $T/home"
	job=$(pgrep -f "^slothd --job check $T/home")
	has "$job" NoNewPrivs 1
	has "$job" Seccomp 2
	[ "$(core_limit "$job")" = 0 ]
	kill -KILL "$job"
	wait $asking || :
}
