#!/usr/bin/env bats
# What ends a lock, and what it stops: processes, time, maintenance, tokens, force.

bats_require_minimum_version 1.5.0
load lib

stack()
{
	mkdir -p "$M/stacks/prod"
	L=$M/stacks/prod/lock
}

@test "pid=: the lock ends with the process" {
	stack
	sleep 1000 3>&- &
	process=$!
	echo "pid=$process reason=bound" >"$L"
	file_has "$L" "ends_with_pid: $process"
	[[ $(cat "$L.json") == *"\"ends_with_pid\":$process"* ]]
	kill -KILL "$process"
	wait "$process" || :
	eventually file_has "$L" unlocked
	file_has "$M/events" "reason=\"its process $process has ended\""
	refused 'No such process' bash -c "echo 'pid=$process' > '$L'"
	refused 'Invalid argument' bash -c "echo 'pid=-1' > '$L'"
	refused 'Invalid argument' bash -c "echo 'pid=me' > '$L'"
	# Renewed with another process, it is that one's.
	sleep 1000 3>&- &
	process=$!
	sleep 1000 3>&- &
	next=$!
	echo "pid=$process" >"$L"
	echo "pid=$next" >"$L"
	kill "$process"
	wait "$process" || :
	file_has "$L" "ends_with_pid: $next"
	kill "$next"
	eventually file_has "$L" unlocked
	wait "$next" || :
}

@test "pid=: over a restart of the daemon, and of a process that died meanwhile" {
	stack
	mkdir "$M/stacks/other"
	sleep 1000 3>&- &
	one=$!
	sleep 1000 3>&- &
	two=$!
	echo "pid=$one" >"$L"
	echo "pid=$two" >"$M/stacks/other/lock"
	kill_daemon
	kill "$two"
	wait "$two" || :
	umount -l "$M" 2>/dev/null || fusermount3 -uz "$M"
	start_daemon
	eventually file_has "$M/stacks/other/lock" unlocked
	file_has "$L" "ends_with_pid: $one"
	kill "$one"
	wait "$one" || :
	eventually file_has "$L" unlocked
	# No descriptor of a process is left.
	eventually bash -c "! ls -l /proc/$daemon/fd | grep -q pidfd"
}

@test "pid=: of another user" {
	need_root
	stack
	chmod 777 "$M/stacks/prod"
	refused 'not permitted' as $nobody bash -c "echo 'pid=$$' > '$L'"
	[ "$(cat "$L")" = unlocked ]
	as $nobody bash -c "echo \"pid=\$\$ reason=mine\" > '$L'; cat '$L'" | grep ends_with_pid
	eventually file_has "$L" unlocked
}

@test "maintenance: nothing runs, not even for its holder, who may change things by hand" {
	stack
	script hello.sloth 'echo hello'
	refused 'Invalid argument' bash -c "echo maint > '$L'"
	says 'say what is being done'
	echo 'maint reason="disk swap"' >"$L"
	file_has "$L" 'kind: maintenance'
	file_has "$L" 'expires: never'
	echo 'by hand' >"$M/stacks/prod/description"
	refused 'busy' cp hello.sloth "$M/stacks/prod/runs/"
	says 'under maintenance by root (uid 0): "disk swap"'
	# A script of the same user that locks as ever does not end it.
	refused busy bash -c "echo deploying > '$L'"
	file_has "$L" 'reason: disk swap'
	kill_daemon
	umount -l "$M" 2>/dev/null || fusermount3 -uz "$M"
	start_daemon
	file_has "$L" 'kind: maintenance'
	rm "$L"
	cp hello.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	# What runs is not a person, though its user holds the lock.
	echo 'maint reason="disk swap"' >"$L"
	refused busy env SLOTH_RUN=1 bash -c "echo x > '$M/stacks/prod/description'"
	[ "$(cat "$M/stacks/prod/description")" = 'by hand' ]
}

@test "maintenance: a durable lock of one's own becomes one, and waits for a run" {
	stack
	echo mine >"$L"
	before=$(sed -n 's/^token: //p' "$L")
	echo 'maint reason=swap' >"$L"
	file_has "$L" 'kind: maintenance'
	[ "$(sed -n 's/^token: //p' "$L")" -gt "$before" ]
	rm "$L"
	script slow.sloth "until [ -e $T/go ]; do sleep 0.05; done"
	cp slow.sloth "$M/stacks/prod/runs/"
	refused busy bash -c "echo 'maint reason=swap' > '$L'"
	echo 'maint reason=swap wait=60s' >"$L" 3>&- &
	waiter=$!
	eventually file_has "$L" waiting:
	touch go
	wait "$waiter"
	file_has "$L" 'kind: maintenance'
}

@test "a token that is out of date releases, renews and changes nothing" {
	stack
	echo one >"$L"
	token=$(sed -n 's/^token: //p' "$L")
	echo "check token=$token" >"$L"
	echo "renew token=$token" >"$L"
	echo "unlock token=$token" >"$L"
	refused 'Stale file handle' bash -c "echo 'check token=$token' > '$L'"
	echo two >"$L"
	for verb in check renew unlock; do
		refused 'Stale file handle' bash -c "echo '$verb token=$token' > '$L'"
		says 'somebody else has it now'
	done
	file_has "$L" 'reason: two'
	refused 'Invalid argument' bash -c "echo check > '$L'"
	refused 'Invalid argument' bash -c "echo 'unlock token=x' > '$L'"
	rm "$L"
	# Processes of runs bear their token.
	refused 'Stale file handle' env SLOTH_STACK=prod SLOTH_LOCK_TOKEN=$token bash -c "echo x > '$M/stacks/prod/description'"
	says "nothing was changed: this process (SLOTH_LOCK_TOKEN) holds the token $token of stack prod"
	echo value >text
	refused 'Stale file handle' env SLOTH_STACK=prod SLOTH_LOCK_TOKEN=$token cp text "$M/stacks/prod/outputs.d/key"
	env SLOTH_STACK=other SLOTH_LOCK_TOKEN=$token bash -c "echo x > '$M/stacks/prod/description'"
	echo three >"$L"
	token=$(sed -n 's/^token: //p' "$L")
	env SLOTH_STACK=prod SLOTH_LOCK_TOKEN=$token cp text "$M/stacks/prod/outputs.d/key"
}

@test "a run that lost its lock: fenced at once, cancelled, and its error says why" {
	stack
	script slow.sloth "touch $T/began; until [ -e $T/go ]; do sleep 0.05; done; echo late > $M/stacks/prod/outputs.d/key"
	cp slow.sloth "$M/stacks/prod/runs/"
	eventually test -e began
	file_has "$L" 'run: 1'
	file_has "$L" 'step: 1 of 1 (work)'
	refused busy bash -c "echo x > '$M/stacks/prod/description'"
	says 'step 1 of 1 (work)'
	[[ $(cat "$L.json") == *'"task":"work","tasks":1,"tasks_done":0'* ]]
	echo 'force reason="wrong version"' >"$L"
	touch go
	[ "$(cat "$M/runs/1/wait")" = cancelled ]
	file_has "$M/runs/1/error" 'took the lock of stack prod away: wrong version'
	[ ! -e "$M/stacks/prod/outputs.d/key" ]
	[ "$(cat "$L")" = unlocked ]
}

@test "force take: before those who wait, and with a new token" {
	need_root
	stack
	chmod 777 "$M/stacks/prod"
	as $nobody bash -c "echo his > '$L'"
	token=$(sed -n 's/^token: //p' "$L")
	as $other bash -c "echo 'wait=60s reason=waits' > '$L'" 3>&- &
	waiter=$!
	eventually file_has "$L" waiting:
	refused 'Invalid argument' bash -c "echo 'force take' > '$L'"
	refused 'Invalid argument' bash -c "echo 'force ttl=1m reason=x' > '$L'"
	echo 'force take reason="he is away" ttl=5m operation=fix' >"$L"
	file_has "$L" 'uid: 0'
	file_has "$L" 'operation: fix'
	[ "$(sed -n 's/^token: //p' "$L")" -gt $((token + 1)) ]
	rm "$L"
	wait "$waiter"
	file_has "$L" 'reason: waits'
}

@test "ttl: by the clock since boot, also while no daemon runs" {
	need_root
	unshare -T --boottime 1 true 2>/dev/null || skip 'no time namespaces'
	stack
	mkdir "$M/stacks/long"
	echo 'ttl=1h reason=short' >"$L"
	echo 'ttl=5h reason=long' >"$M/stacks/long/lock"
	stop_daemon
	slothd() { exec unshare -T --boottime 7200 -- "$SLOTH_BUILD/fs/slothd" "$@"; }
	start_daemon
	unset -f slothd
	eventually file_has "$L" unlocked
	file_has "$M/events" lock.expired
	file_has "$M/stacks/long/lock" 'reason: long'
	# unshare stands before it.
	if [ "$(cat "/proc/$daemon/comm")" = unshare ]; then
		kill -TERM "$(pgrep -P "$daemon")"
		wait "$daemon"
		daemon=''
	fi
}

@test "kill -9 of the daemon while clients lock: never two holders, none left behind" {
	stack
	echo 0 >count
	for ((i = 0; i < 50; i++)); do
		(
			for ((k = 0; k < 4; k++)); do
				flock -w 60 "$L" sh -c 'n=$(cat count); echo $((n + 1)) > count; echo x >> done' 2>/dev/null || :
			done
		) 3>&- &
		pids[i]=$!
	done
	eventually bash -c '[ $(wc -l <done) -ge 50 ]'
	kill_daemon
	wait "${pids[@]}" || :
	[ "$(cat count)" -eq "$(wc -l <done)" ]
	umount -l "$M" 2>/dev/null || fusermount3 -uz "$M"
	start_daemon
	[ "$(cat "$L")" = unlocked ]
	flock -n "$L" true
}

# Who comes in while another is in, and lives, is one too many.
critical='other=$(cat inside 2>/dev/null)
	if [ -n "$other" ] && state=$(cut -d " " -f 3 "/proc/$other/stat" 2>/dev/null) && [ "$state" != Z ]; then
		echo "$$ beside $other" >>violated
	fi
	echo $$ >inside
	read -rt 0.01 <> <(:) || :
	: >inside
	echo x >>done'

@test "fifty clients, of which some are killed at any moment: never two holders" {
	stack
	export critical
	for ((i = 0; i < 50; i++)); do
		(for ((k = 0; k < 3; k++)); do flock "$L" bash -c "$critical" || :; done) 3>&- 2>/dev/null &
		pids[i]=$!
	done
	for ((i = 0; i < 40; i++)); do
		victims=($(pgrep -f "^flock $L" || :))
		[ "${#victims[@]}" -eq 0 ] || kill -KILL "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null || :
		pause
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || :
	done
	[ ! -e violated ] || { cat violated; false; }
	[ "$(wc -l <done)" -gt 50 ]
	eventually file_has "$L" unlocked
	not grep -q waiting: "$L"
}

@test "who waits for several and is killed leaves all queues" {
	stack
	touch "$M/locks/a" "$M/locks/b"
	exec 9<"$M/locks/a"
	flock 9
	bash -c "echo 'acquire locks/a locks/b wait=60s' > '$M/locks/ctl'" 9<&- 3>&- &
	waiter=$!
	eventually file_has "$M/locks/b" 'for 2 locks at once'
	kill -KILL "$waiter"
	wait "$waiter" || :
	eventually bash -c "! grep -q waiting: '$M/locks/b'"
	flock -n "$M/locks/b" true
	exec 9<&-
	flock -n "$M/locks/a" true
	[ "$(cat "$M/locks/ctl")" = '' ]
}

@test "a workflow that waits for a named lock waits on when the daemon is killed" {
	cat >holds.sloth <<-END
		task("one"):command(function()
			state.lock("db", 5)
			exec.run("until [ -e $T/go ]; do sleep 0.05; done")
			state.unlock("db")
			return true
		end)
	END
	cat >waits.sloth <<-END
		task("two"):command(function()
			return state.with_lock("db", function() return exec.run("touch $T/got").success end, 60)
		end)
	END
	cp holds.sloth "$M/runs/"
	eventually file_has "$M/locks/db" 'kind: run'
	file_has "$M/locks/db" 'operation: task one'
	cp waits.sloth "$M/runs/"
	eventually file_has "$M/locks/db" 'waiting: run 2 of '
	kill_daemon
	umount -l "$M" 2>/dev/null || fusermount3 -uz "$M"
	start_daemon
	eventually file_has "$M/locks/db" 'waiting: run 2 of '
	file_has "$M/locks/db" 'kind: run'
	touch go
	[ "$(cat "$M/runs/2/wait")" = success ]
	[ -e got ]
	[ "$(cat "$M/locks/db")" = unlocked ]
}
