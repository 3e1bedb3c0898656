#!/usr/bin/env bats
# Locks with a name of their own, several at once, circles of waiters.

bats_require_minimum_version 1.5.0
load lib

@test "touch makes a lock, a line takes it, rm releases it and removes the name" {
	touch "$M/locks/db"
	[ "$(cat "$M/locks/db")" = unlocked ]
	[[ $(cat "$M/locks/db.json") == *'"locked":false'* ]]
	echo 'dump of the database' >"$M/locks/db"
	file_has "$M/locks/db" 'reason: dump of the database'
	[[ $(cat "$M/locks/db.json") == *'"reason":"dump of the database"'* ]]
	[ "$(ls "$M/locks")" = "$(printf 'ctl\nctl.json\ndb\ndb.json')" ]
	echo renew >"$M/locks/db"
	rm "$M/locks/db"
	[ "$(ls "$M/locks")" = "$(printf 'ctl\nctl.json')" ]
	echo 'first write makes it' >"$M/locks/other"
	file_has "$M/locks/other" 'kind: durable'
	echo unlock >"$M/locks/other"
	[ "$(cat "$M/locks/other")" = unlocked ]
	refused 'No such file' bash -c "echo unlock > '$M/locks/other' || cat '$M/error' && cat '$M/locks/none'"
	file_has "$M/events" 'lock.released user=root uid=0 kind=durable lock=other'
}

@test "names that can't be: .json, ctl, blanks" {
	refused 'Invalid argument' touch "$M/locks/x.json"
	refused 'Invalid argument' touch "$M/locks/.x"
	refused 'Invalid argument' touch "$M/locks/a b"
	refused 'not permitted' rm "$M/locks/ctl"
	refused 'not permitted' mkdir "$M/locks/folder"
	touch "$M/locks/a"
	refused 'not permitted' mv "$M/locks/a" "$M/locks/b"
}

@test "flock on a named lock: made by it, exclusive, freed by SIGKILL" {
	flock "$M/locks/db" true
	setsid flock "$M/locks/db" sleep 1000 3>&- &
	holder=$!
	eventually file_has "$M/locks/db" 'kind: session'
	run -1 flock -n "$M/locks/db" true
	refused 'Device or resource busy' bash -c "echo x > '$M/locks/db'"
	flock "$M/locks/db" touch got 3>&- &
	waiter=$!
	eventually file_has "$M/locks/db" waiting:
	# Who waits keeps the name.
	kill -KILL -- "-$holder"
	wait "$waiter"
	[ -e got ]
	rm "$M/locks/db"
	wait "$holder" || :
}

@test "the token of a name that was removed goes on where it was" {
	echo x >"$M/locks/db"
	before=$(sed -n 's/^token: //p' "$M/locks/db")
	rm "$M/locks/db"
	echo x >"$M/locks/db"
	[ "$(sed -n 's/^token: //p' "$M/locks/db")" -gt "$before" ]
}

@test "two users: modes count, only the holder releases, only the owner forces" {
	need_root
	refused 'Permission denied' as $nobody touch "$M/locks/mine"
	chmod 1777 "$M/locks"
	as $nobody bash -c "umask 077; echo secret > '$M/locks/mine'"
	refused 'Permission denied' as $other cat "$M/locks/mine"
	refused 'Permission denied' as $other bash -c "echo x > '$M/locks/mine'"
	[ "$(as $other cat "$M/locks/ctl")" = '' ]
	[ "$(as $other cat "$M/events" | grep -c secret)" = 0 ]
	as $nobody chmod 666 "$M/locks/mine"
	[[ $(as $other cat "$M/locks/ctl") == 'locks/mine: nobody'* ]]
	refused 'resource busy' as $other bash -c "echo x > '$M/locks/mine'"
	refused 'not permitted' as $other bash -c "echo unlock > '$M/locks/mine'"
	refused 'not permitted' as $other rm "$M/locks/mine"
	refused 'not permitted' as $other bash -c "echo 'force reason=x' > '$M/locks/mine'; cat '$M/error' >&2; exit 1"
	[[ $output == *'lock mine can be forced only by its owner '* ]]
	refused 'not permitted' as $other chmod 777 "$M/locks/mine"
	as $nobody bash -c "echo unlock > '$M/locks/mine'"
	as $other bash -c "echo 'my turn' > '$M/locks/mine'"
	refused 'not permitted' as $nobody rm "$M/locks/mine"
	as $nobody bash -c "echo 'force take reason=\"he sleeps\"' > '$M/locks/mine'"
	file_has "$M/locks/mine" 'uid: 65534'
	file_has "$M/events" 'lock.force_released'
	as $nobody rm "$M/locks/mine"
	[ ! -e "$M/locks/mine" ]
}

@test "several at once: all or none" {
	mkdir "$M/stacks/prod" "$M/stacks/staging"
	setsid flock "$M/locks/db" sleep 1000 3>&- &
	holder=$!
	eventually file_has "$M/locks/db" 'kind: session'
	refused 'resource busy' bash -c "echo 'acquire stacks/staging locks/db stacks/prod reason=move' > '$M/locks/ctl'"
	says 'lock db is locked by'
	[ "$(cat "$M/stacks/staging/lock")" = unlocked ]
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
	echo 'acquire stacks/staging locks/db stacks/prod locks/db reason=move wait=60s' >"$M/locks/ctl" 3>&- &
	waiter=$!
	eventually file_has "$M/locks/db" 'for 3 locks at once'
	file_has "$M/stacks/prod/lock" unlocked
	# Whoever comes later is served later, though the stack is free.
	run -1 flock -n "$M/stacks/prod/lock" true
	kill -KILL -- "-$holder"
	wait "$waiter"
	for file in stacks/prod/lock stacks/staging/lock locks/db; do
		file_has "$M/$file" 'reason: move'
	done
	[ "$(wc -l <"$M/locks/ctl")" -eq 3 ]
	[[ $(cat "$M/locks/ctl.json") == *'"lock":"db"'*'"stack":"prod"'* || $(cat "$M/locks/ctl.json") == *'"stack":"prod"'*'"lock":"db"'* ]]
	refused 'No such file' bash -c "echo 'release stacks/prod locks/none2' > '$M/locks/ctl'"
	file_has "$M/stacks/prod/lock" 'reason: move'
	echo 'release stacks/prod stacks/staging locks/db' >"$M/locks/ctl"
	[ "$(cat "$M/locks/ctl")" = '' ]
	refused 'Invalid argument' bash -c "echo 'acquire prod' > '$M/locks/ctl'"
	refused 'No such file' bash -c "echo 'acquire stacks/none' > '$M/locks/ctl'"
	refused 'Invalid argument' bash -c "echo 'acquire reason=x' > '$M/locks/ctl'"
	wait "$holder" || :
}

@test "two who want the same two in another order: both get them" {
	need_root
	chmod 1777 "$M/locks"
	touch "$M/locks/a" "$M/locks/b"
	chmod 666 "$M/locks/a" "$M/locks/b"
	for ((i = 0; i < 20; i++)); do
		as $nobody bash -c "echo 'acquire locks/a locks/b wait=60s' > '$M/locks/ctl' && echo 'release locks/a locks/b' > '$M/locks/ctl'" 3>&- &
		pids[2 * i]=$!
		as $other bash -c "echo 'acquire locks/b locks/a wait=60s' > '$M/locks/ctl' && echo 'release locks/b locks/a' > '$M/locks/ctl'" 3>&- &
		pids[2 * i + 1]=$!
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || :
	done
	[ "$(cat "$M/locks/a")" = unlocked ]
	[ "$(cat "$M/locks/b")" = unlocked ]
}

@test "a circle of waiters is EDEADLK, and the sentence names it" {
	touch "$M/locks/a" "$M/locks/b"
	flock "$M/locks/a" sh -c "touch a; until [ -e go ]; do sleep 0.05; done; exec flock '$M/locks/b' touch got-b" 3>&- &
	one=$!
	eventually file_has "$M/locks/a" 'kind: session'
	flock "$M/locks/b" sh -c "touch b; until [ -e go2 ]; do sleep 0.05; done; flock '$M/locks/a' true; echo \$? >status; cat '$M/error' >sentence" 3>&- &
	two=$!
	eventually file_has "$M/locks/b" 'kind: session'
	touch go
	eventually file_has "$M/locks/b" waiting:
	touch go2
	wait "$one" "$two"
	[ -e got-b ]
	[ "$(cat status)" -ne 0 ]
	grep -q 'you want lock a, which is held by .*; he waits for lock b, which you hold' sentence
}

@test "a command that wants its own lock again is told, and not left to wait" {
	touch "$M/locks/a"
	run flock "$M/locks/a" flock "$M/locks/a" true
	[ "$status" -ne 0 ]
	[[ $output == *deadlock* ]]
}

@test "users with durable locks in a circle" {
	need_root
	mkdir "$M/stacks/one" "$M/stacks/two"
	chmod 777 "$M/stacks/one" "$M/stacks/two"
	as $nobody bash -c "echo x > '$M/stacks/one/lock'"
	as $other bash -c "echo y > '$M/stacks/two/lock'"
	as $nobody bash -c "echo 'wait=60s reason=z' > '$M/stacks/two/lock'" 3>&- &
	waiter=$!
	eventually file_has "$M/stacks/two/lock" waiting:
	refused 'deadlock avoided' as $other bash -c "echo 'wait=60s reason=w' > '$M/stacks/one/lock'"
	as $other rm "$M/stacks/two/lock"
	wait "$waiter"
	file_has "$M/stacks/two/lock" 'reason: z'
}
