#!/usr/bin/env bats
# Locks by command: of stacks, named ones, several at once, and for as long as a command runs.

bats_require_minimum_version 1.5.0
load common

@test "several stacks at once: all or none, with one answer each" {
	sloth stack new web
	sloth stack new api
	run sloth stack lock acquire web api --reason move --json
	[ "$status" -eq 0 ]
	[[ $output == '['*'"stack": "web"'*'"stack": "api"'*']' ]]
	run sloth stack lock list
	[ "${#lines[@]}" -eq 3 ]
	run -4 sloth stack lock release web nothing
	[ "$(sloth stack lock list | wc -l)" -eq 3 ]
	run sloth stack lock release web api
	[ "$output" = "$(printf '%s\n' "✓ Lock released for stack 'web'" "✓ Lock released for stack 'api'")" ]
	run sloth stack lock list --all --json
	[[ $output == *'"locked": false'* ]]
	run -10 sloth stack lock acquire web 'a b'
}

@test "tokens: status, renew and release by a token that is out of date" {
	sloth stack new web
	sloth stack lock acquire web
	token=$(sloth stack lock status web --json | sed -n 's/.*"token": \([0-9]*\).*/\1/p')
	sloth stack lock status web --token "$token"
	run sloth stack lock renew web --token "$token" --duration 2h
	[[ $output == "✓ Lock renewed for stack 'web' until "* ]]
	sloth stack lock release web --token "$token"
	sloth stack lock acquire web
	for verb in status renew release; do
		run -7 sloth stack lock $verb web --token "$token"
	done
	run -10 sloth stack lock status web --token x
	run -10 sloth stack lock release web web2 --token 1
}

@test "maintenance, a process, force" {
	sloth stack new web
	run -10 sloth stack lock acquire web --maintenance
	[[ $output == *'--reason TEXT'* ]]
	run sloth stack lock acquire web --maintenance --reason 'disk swap'
	[ "$status" -eq 0 ]
	run sloth stack lock status web
	[[ $output == *'Kind:             maintenance'* ]]
	workflow hello.sloth 'echo hello'
	run -5 sloth run hello.sloth --stack web
	[[ $output == *'under maintenance'*'disk swap'* ]]
	run -10 sloth stack lock acquire web --force
	run sloth stack lock acquire web --force --reason 'it is done' --duration 5m
	[ "$status" -eq 0 ]
	[[ $(sloth stack lock status web --json) == *'"kind": "durable"'* ]]
	sloth stack lock release web
	sleep 1000 3>&- &
	process=$!
	sloth stack lock acquire web --pid $process
	[[ $(sloth stack lock status web) == *"Ends with:        process $process"* ]]
	kill $process
	wait $process || :
	eventually bash -c '[[ $(sloth stack lock status web) == *unlocked* ]]'
	run -1 sloth stack lock acquire web --pid $process
	run -10 sloth stack lock acquire web --pid me
}

@test "named locks" {
	run sloth lock acquire db --reason dump
	[[ $output == "✓ Lock acquired for lock 'db'"*'Reason:           dump'* ]]
	run sloth lock status db
	[[ $output == 'Lock: db'*'Status: LOCKED'* ]]
	[[ $(sloth lock status db --json) == *'"lock": "db"'* ]]
	run sloth lock list
	[[ ${lines[1]} =~ ^locks/db\ +LOCKED ]]
	[[ $(sloth stack lock list) == *locks/db* ]]
	sloth lock release db
	run -4 sloth lock release db
	run -4 sloth lock status nothing
	run -10 sloth lock acquire x.json
	sloth lock acquire db
	run sloth lock force-release db --reason stuck
	[[ $output == *'✓ Lock force-released'* ]]
	[[ $(sloth lock list --all) == *'locks/db unlocked'* ]]
	run sloth lock remove db
	[ "$output" = "✓ Lock 'db' removed" ]
	[ "$(sloth lock list --all)" = '' ]
}

@test "with-lock: the command's status, output and environment" {
	sloth stack new web
	run -7 sloth with-lock web,locks/db --reason deploy -- sh -c 'echo $SLOTH_STACK $SLOTH_LOCKS; sloth lock list; exit 7'
	[[ ${lines[0]} == 'web stacks/web=1 locks/db=1' ]]
	[[ $output == *'locks/db LOCKED'*'with-lock deploy'*'web      LOCKED'* ]]
	[ "$(sloth lock list)" = '' ]
	PATH=$SLOTH_BUILD/cli:/usr/bin:/bin run -127 sloth with-lock web -- no-such-command
	echo 'no program' >file
	run -126 sloth with-lock web -- ./file
	run -137 sloth with-lock web -- sh -c 'kill -9 $$'
	run -10 sloth with-lock 'a b' -- true
	run -4 sloth with-lock nothing -- true
	run -10 sloth with-lock web
	[ "$(sloth lock list)" = '' ]
}

@test "with-lock: others are refused or wait, the command may change the stack" {
	sloth stack new web
	sloth with-lock web -- sh -c 'touch held; until [ -e go ]; do sleep 0.05; done; echo mine | sloth write /stacks/web/description' 3>&- &
	holder=$!
	eventually test -e held
	run -5 sloth with-lock web -- true
	[[ $output == *'session lock'* ]]
	run -6 sloth with-lock web --wait 100ms -- true
	sloth with-lock locks/other,web --wait 60s -- touch got 3>&- &
	waiter=$!
	eventually bash -c '[[ $(sloth stack lock status web) == *"Waiting:          1"* ]]'
	touch go
	wait $holder
	wait $waiter
	[ -e got ]
	[ "$(sloth cat /stacks/web/description)" = mine ]
}

@test "with-lock: killed, it frees the lock at once and ends the command; a signal is passed on" {
	sloth stack new web
	sloth with-lock web -- sh -c 'trap "touch ended; exit 3" TERM; touch held; while :; do sleep 0.05; done' 3>&- &
	holder=$!
	eventually test -e held
	kill -KILL $holder
	wait $holder || :
	eventually sloth with-lock web -- true
	eventually test -e ended
	rm held ended
	sloth with-lock web -- sh -c 'trap "touch ended; exit 3" TERM; touch held; while :; do sleep 0.05; done' 3>&- &
	holder=$!
	eventually test -e held
	kill -TERM $holder
	result=0
	wait $holder || result=$?
	[ "$result" -eq 3 ]
	[ -e ended ]
}

@test "with-lock: what the command changes after the lock was taken away is refused" {
	sloth stack new web
	sloth with-lock web -- sh -c 'touch held; until [ -e go ]; do sleep 0.05; done; echo late | sloth write /stacks/web/description; echo $? >status' 3>&- &
	holder=$!
	eventually test -e held
	sloth stack lock force-release web --reason 'it hangs'
	touch go
	wait $holder
	[ "$(cat status)" -eq 7 ]
	[ "$(sloth cat /stacks/web/description)" = '' ]
}

@test "with-lock: a circle of two is told, and one inside of the other" {
	run -9 sloth with-lock locks/a --wait 60s -- sloth with-lock locks/a --wait 60s -- true
	[[ $output == *'you hold yourself'* ]]
	sloth with-lock locks/a --wait 60s -- sh -c 'touch a; until [ -e b ]; do sleep 0.05; done; sloth with-lock locks/b --wait 60s -- true; echo $? >one' 3>&- &
	one=$!
	sloth with-lock locks/b --wait 60s -- sh -c 'touch b; until [ -e a ]; do sleep 0.05; done; sloth with-lock locks/a --wait 60s -- true; echo $? >two' 3>&- &
	two=$!
	wait $one $two
	[ "$(sort one two | tr '\n' ' ')" = '0 9 ' ]
}
