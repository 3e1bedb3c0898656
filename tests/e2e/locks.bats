#!/usr/bin/env bats
# flock in all its modes, and locks that are written.

bats_require_minimum_version 1.5.0
load lib

lock()
{
	mkdir -p "$M/stacks/prod"
	L=$M/stacks/prod/lock
}

@test "an unlocked stack says so; flock -n gets it" {
	lock
	[ "$(cat "$L")" = unlocked ]
	flock -n "$L" true
	[ "$(cat "$L")" = unlocked ]
	[[ $(cat "$M/stacks/prod/lock.json") == *'"locked":false'* ]]
}

@test "while a command runs, others wait, are refused, or time out" {
	lock
	flock "$L" sh -c "touch $T/held; until [ -e $T/go ]; do sleep 0.05; done" 3>&- &
	holder=$!
	eventually test -e held
	file_has "$L" 'kind: session'
	file_has "$L" "uid: $(id -u)"
	run -1 flock -n "$L" true
	run -1 flock -w 0.2 "$L" true
	run -99 flock -n -E 99 "$L" true
	flock "$L" touch got 3>&- &
	waiter=$!
	eventually file_has "$L" 'waiting:'
	[ ! -e got ]
	touch go
	wait "$holder"
	wait "$waiter"
	[ -e got ]
	[ "$(cat "$L")" = unlocked ]
}

@test "the fd form: exec 9< lock; flock 9; flock -u 9" {
	lock
	exec 9<"$L"
	flock 9
	run -1 flock -n "$L" true
	flock -u 9
	flock -n "$L" true
	flock 9
	exec 9<&-
	eventually flock -n "$L" true
}

@test "the fd form for writing: exec 9> lock takes no command away" {
	lock
	exec 9>"$L"
	flock 9
	run -1 flock -n "$L" true
	exec 9>&-
	eventually flock -n "$L" true
}

@test "shared locks stand side by side, and keep an exclusive one out" {
	lock
	exec 9<"$L"
	flock -s 9
	flock -s -n "$L" true
	run -1 flock -n "$L" true
	file_has "$L" 'kind: shared'
	flock -x -n 9
	run -1 flock -s -n "$L" true
	exec 9<&-
}

@test "a child that inherits the descriptor keeps the lock" {
	lock
	(
		flock 9
		sh -c "touch $T/held; until [ -e $T/go ]; do sleep 0.05; done" &
	) 9<"$L" 3>&-
	eventually test -e held
	run -1 flock -n "$L" true
	touch go
	eventually flock -n "$L" true
}

@test "a holder that is killed gives the lock to the next one" {
	lock
	setsid flock "$L" sleep 1000 3>&- &
	holder=$!
	eventually file_has "$L" 'kind: session'
	flock "$L" touch got 3>&- &
	waiter=$!
	eventually file_has "$L" waiting:
	kill -KILL -- "-$holder"
	wait "$waiter"
	[ -e got ]
	wait "$holder" 2>/dev/null || :
}

@test "a waiter that is killed leaves the queue" {
	lock
	exec 9<"$L"
	flock 9
	flock "$L" true 9<&- 3>&- &
	waiter=$!
	eventually file_has "$L" waiting:
	kill -KILL "$waiter"
	wait "$waiter" 2>/dev/null || :
	eventually bash -c "! grep -q waiting: '$L'"
	exec 9<&-
	flock -n "$L" true
}

@test "waiters are served in their order" {
	lock
	exec 9<"$L"
	flock 9
	for i in 1 2 3 4 5; do
		flock "$L" sh -c "echo $i >> $T/order" 9<&- 3>&- &
		eventually bash -c "[ \$(grep -c waiting: '$L') -eq $i ]"
	done
	exec 9<&-
	eventually bash -c "[ \$(wc -l <order) -eq 5 ]"
	[ "$(tr -d '\n' <order)" = 12345 ]
	wait %2 %3 %4 %5 %6 2>/dev/null || :
}

@test "the holder's own commands may change the stack; others may not" {
	lock
	exec 9<"$L"
	flock 9
	echo mine >"$M/stacks/prod/description"
	exec 9<&-
	setsid flock "$L" sleep 1000 3>&- &
	holder=$!
	eventually file_has "$L" 'kind: session'
	refused 'Device or resource busy' bash -c "echo x > '$M/stacks/prod/description'"
	says sleep
	echo text >text
	refused busy cp text "$M/stacks/prod/outputs.d/x"
	refused busy cp text "$M/stacks/prod/values.yaml"
	[ "$(cat "$M/stacks/prod/description")" = mine ]
	kill -KILL -- "-$holder"
	wait "$holder" || :
}

@test "a durable lock: written, read, renewed, released in three ways" {
	lock
	echo "Deploying v2" >"$L"
	file_has "$L" 'reason: Deploying v2'
	file_has "$L" 'kind: durable'
	[[ $(cat "$M/stacks/prod/lock.json") == *'"reason":"Deploying v2"'* ]]
	echo renew >"$L"
	rm "$L"
	[ "$(cat "$L")" = unlocked ]
	[ -e "$L" ]
	echo 'reason="again, with words" operation=deploy ttl=30m by=deploy-bot' >"$L"
	file_has "$L" 'locked_by: deploy-bot'
	file_has "$L" 'operation: deploy'
	echo unlock >"$L"
	[ "$(cat "$L")" = unlocked ]
	refused 'No such file' rm "$L"
	echo 'ttl=1s reason=short' >"$L"
	eventually file_has "$L" unlocked
}

@test "bad words are refused, with a sentence" {
	lock
	for line in 'reason=x ttl=soon' 'reasn=x' 'reason="open' 'unlock now=1' 'force' 'ttl=0' 'reason=a reason=b' ''; do
		run bash -c "echo '$line' > '$L'"
		[ "$status" -ne 0 ] || { echo "taken: $line"; false; }
		[ -s "$M/error" ]
	done
	echo 'reasn=x' | refused 'Invalid argument' tee "$L"
	says 'reason'
	[ "$(cat "$L")" = unlocked ]
}

@test "the token rises with every grant and never falls" {
	lock
	last=0
	for i in 1 2 3; do
		echo "round $i" >"$L"
		token=$(sed -n 's/^token: //p' "$L")
		[ "$token" -gt "$last" ]
		last=$token
		rm "$L"
	done
	exec 9<"$L"
	flock 9
	[ "$(sed -n 's/^token: //p' "$L")" -gt "$last" ]
	exec 9<&-
}

@test "another user: EBUSY with who, since when and why; neither release nor chmod; the owner may force" {
	need_root
	lock
	chmod 777 "$M/stacks/prod"
	echo 'Deploying v2' >"$L"
	refused 'Device or resource busy' as $nobody bash -c "echo x > '$L'"
	run as $nobody bash -c "echo x > '$L'; cat '$M/error'"
	[[ $output == *'root'*'Deploying v2'* ]]
	refused 'not permitted' as $nobody rm "$L"
	refused 'not permitted' as $nobody bash -c "echo unlock > '$L'"
	run as $nobody bash -c "echo 'force reason=mine' > '$L'"
	[ "$status" -ne 0 ]
	run -1 as $nobody flock -n "$L" true
	rm "$L"
	as $nobody bash -c "echo 'my turn' > '$L'"
	refused busy bash -c "echo x > '$M/stacks/prod/version'"
	refused 'Invalid argument' bash -c "echo force > '$L'"
	echo 'force reason="emergency"' >"$L"
	file_has "$M/events" emergency
}

@test "wait= waits, and gives up with ETIMEDOUT" {
	need_root
	lock
	chmod 777 "$M/stacks/prod"
	echo first >"$L"
	refused 'timed out' as $nobody bash -c "echo 'reason=second wait=100ms' > '$L'"
	as $nobody bash -c "echo 'reason=second wait=60s' > '$L'" 3>&- &
	waiter=$!
	eventually file_has "$L" waiting:
	rm "$L"
	wait "$waiter"
	file_has "$L" 'reason: second'
}

@test "a hundred shells at once, one at a time" {
	lock
	echo 0 >count
	for ((i = 0; i < 100; i++)); do
		flock "$L" sh -c 'n=$(cat count); echo $((n + 1)) > count' 3>&- &
		pids[i]=$!
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	[ "$(cat count)" -eq 100 ]
	[ "$(cat "$L")" = unlocked ]
}

@test "a hundred shells at once want the durable lock: one has it" {
	lock
	for ((i = 0; i < 100; i++)); do
		(flock -n "$L" sh -c "echo $i >> winners; until [ -e $T/go ]; do sleep 0.05; done" || echo "$i" >>losers) 3>&- &
		pids[i]=$!
	done
	eventually bash -c '[ $(wc -l <losers) -eq 99 ]'
	touch go
	wait "${pids[@]}"
	[ "$(wc -l <winners)" -eq 1 ]
}
