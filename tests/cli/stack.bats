#!/usr/bin/env bats
# Stacks, locks and files by command.

bats_require_minimum_version 1.5.0
load common

@test "a stack from its birth to its end" {
	run sloth stack new web --description 'The web shop'
	[ "$status" -eq 0 ]
	[ "$output" = "✓ Stack 'web' created" ]
	[ "$(sloth cat /stacks/web/description)" = 'The web shop' ]
	run sloth stack list
	[[ ${lines[0]} =~ ^NAME\ +STATUS\ +LAST\ RUN ]]
	[[ ${lines[1]} =~ ^web\ +created\ +-\ +-\ +0$ ]]
	run sloth stack show web
	[[ $output == *'Status:           created'*'Total Executions: 0'*'unlocked'* ]]
	run sloth stack delete web --force
	[ "$status" -eq 0 ]
	[ "$(sloth ls /stacks)" = "" ]
}

@test "what is there, what is not, what is no name" {
	sloth stack new web
	run -4 sloth stack new web
	[[ $output == sloth:* ]]
	run -4 sloth stack show nothing
	[ "$output" = 'sloth: there is no stack nothing' ]
	run -4 sloth stack lock acquire nothing
	[ "$output" = 'sloth: there is no stack nothing' ]
	run -4 sloth stack delete nothing --yes
	[ "$output" = 'sloth: there is no stack nothing' ]
	run -4 sloth cat /stacks/web/nothing
	[ "$output" = 'sloth: there is no /stacks/web/nothing' ]
	run -10 sloth stack new 'a b'
}

@test "deleting asks, and refuses where nobody can answer" {
	sloth stack new web
	run -11 sloth stack delete web </dev/null
	[[ $output == *'--force'* ]]
	sloth cat /stacks/web/status
}

@test "list by status, as JSON, as YAML" {
	sloth stack new a
	sloth stack new b
	run sloth stack list --json
	[[ $output == *'"name": "a"'*'"name": "b"'* ]]
	run sloth stack list --format yaml
	[[ ${lines[0]} == -* ]]
	[[ $output == *'name: a'* ]]
	run sloth stack list --status failed --json
	[ "$output" = "[]" ]
	run -10 sloth stack list --status broken
}

@test "a lock: acquire, status, list, release" {
	sloth stack new web
	run sloth stack lock acquire web --reason "It's v2, \"soon\"" --locked-by deploy-bot --operation deployment
	[ "$status" -eq 0 ]
	[[ $output == "✓ Lock acquired for stack 'web'"*'Locked by:        deploy-bot'*"Reason:           It's v2, \"soon\""* ]]
	run sloth stack lock status web
	[[ $output == *'Status: LOCKED'*'Operation:        deployment'*'Duration:'* ]]
	run sloth stack lock list
	[[ ${lines[1]} =~ ^web\ +LOCKED\ +deploy-bot ]]
	run sloth stack show web
	[[ $output == *'LOCKED'* ]]
	run -11 sloth stack lock release web --unlocked-by someone
	run sloth stack lock release web --unlocked-by deploy-bot
	[ "$output" = "✓ Lock released for stack 'web'" ]
	run sloth stack lock status web --json
	[[ $output != *deploy-bot* ]]
	run -4 sloth stack lock release web
}

@test "a lock without words, with a duration, and the refusals of bad ones" {
	sloth stack new web
	sloth stack lock acquire web
	sloth stack lock release web
	sloth stack lock acquire web --duration 30m
	run -10 sloth stack lock acquire web --duration soon
	run -10 sloth stack lock acquire web --reason $'two\nlines'
	run -4 sloth stack lock acquire nothing
	run -4 sloth stack lock status nothing
}

@test "force needs a reason, and is loud" {
	sloth stack new web
	sloth stack lock acquire web --reason stuck
	run -10 sloth stack lock force-release web
	run sloth stack lock force-release web --reason 'Emergency maintenance'
	[ "$status" -eq 0 ]
	[[ $output == *'WARNING'*'✓ Lock force-released'* ]]
	run sloth events --type 'lock.force*'
	[[ $output == *'Emergency maintenance'* ]]
}

@test "a lock of another user is refused with who holds it" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	# The folders of bats let nobody else through.
	SLOTH_HOME=$(mktemp -d /tmp/sloth-session-XXXXXX)
	chmod 711 "$SLOTH_HOME"
	(umask 0 && sloth stack new web) # whose lock anybody may take
	sloth stack lock acquire web --locked-by admin --reason 'Deploying v2'
	run -5 setpriv --reuid 65534 --regid 65534 --clear-groups sloth stack lock acquire web
	[[ $output == *admin*'Deploying v2'* ]]
	run -11 setpriv --reuid 65534 --regid 65534 --clear-groups sloth stack lock release web
	sloth stack new private
	run -12 setpriv --reuid 65534 --regid 65534 --clear-groups sloth stack lock acquire private
}

@test "ls, cat, write" {
	sloth stack new web
	run sloth ls -l /stacks/web
	[[ ${lines[0]} == MODE* ]]
	[[ $output == *description* ]]
	echo 'By pipe' | sloth write /stacks/web/description
	[ "$(sloth cat /stacks/web/description)" = 'By pipe' ]
	sloth write /stacks/web/version --text v3
	[ "$(sloth cat stacks/web/version)" = v3 ]
	[ "$(sloth cat /stacks//web/../web/./version)" = v3 ]
	run -4 sloth cat /stacks/web/nothing
	run -4 sloth ls /nothing
	run sloth cat /version --json
	[[ $output == *'"path": "/version"'* ]]
	run -10 sloth write /stacks/web/values.yaml --text $'a:\n\t- b: ['
}

@test "events: the past, by type and stack" {
	sloth stack new a
	sloth stack new b
	run sloth events
	[[ $output == *stack.created*stack.created* ]]
	[ "$(sloth events --stack b --type stack.created | wc -l)" -eq 1 ]
	[ "$(sloth events --type 'stack.c*' --limit 1 --json | grep -c '"type":"stack.created"')" -eq 1 ]
	[ "$(sloth events --limit 0)" = "" ]
	run -10 sloth events --limit x
}

@test "events --follow shows what happens later" {
	sloth stack new a
	sloth events --follow >log &
	pid=$!
	eventually grep -q 'stack.created.* a ' log
	sloth stack new later
	eventually grep -q 'stack.created.* later ' log
	kill "$pid"
}
