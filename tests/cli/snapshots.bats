#!/usr/bin/env bats
# Versions by command: snapshot create, list, show, compare, restore, delete, pin, unpin; history, blame, undo.

bats_require_minimum_version 1.5.0
load common

# A stack with an output that has changed, and a snapshot between.
prepare()
{
	sloth stack new web
	echo http://a | sloth write /stacks/web/outputs.d/url
	echo 'replicas: 2' | sloth write /stacks/web/values.yaml
	sloth stack snapshot create web -d 'before "v2"' --creator bot --tags prod,upgrade --name good >/dev/null
	echo http://b | sloth write /stacks/web/outputs.d/url
	echo 'replicas: 4' | sloth write /stacks/web/values.yaml
}

@test "create, list, show" {
	prepare
	run sloth stack snapshot create web --description 'second'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "✓ Snapshot created for stack 'web'" ]
	[[ $output == *'Version:'*v7*'Description:'*second* ]]
	run sloth stack snapshot list web
	[ "${#lines[@]}" -eq 3 ]
	[[ ${lines[1]} == v7*second*manual* ]]
	[[ ${lines[2]} == v4*bot*'before "v2"'*manual*prod,upgrade*good ]]
	run sloth stack snapshot list web --json
	[[ $output == *'"creator": "bot"'* ]]
	run sloth stack snapshot show web good
	[[ $output == *'Version:'*v4*'Creator:'*bot*'Outputs:'*1* ]]
	run sloth stack snapshot show web 2 --json
	[[ $output == *'"version": 2'*'"what": "output url"'*'"outputs": 1'* ]]
	run sloth stack snapshot create web --json
	[[ $output == *'"version": 8'* ]]
	run sloth stack snapshot create web --tags 'a b!'
	[ "$status" -eq 10 ]
	run sloth stack snapshot create web --name good
	[ "$status" -eq 4 ]
	run sloth stack snapshot show web v99
	[ "$status" -eq 4 ]
	run sloth stack snapshot show web ../x
	[ "$status" -eq 10 ]
	run sloth stack snapshot create nothing
	[ "$status" -eq 4 ]
}

@test "compare: exit status 2 when something differs" {
	prepare
	run sloth stack snapshot compare web good current
	[ "$status" -eq 2 ]
	[ "$output" = 'Comparing snapshots: good -> current

Changes:
  ~ Modified output: url (http://a -> http://b)
  ~ Modified values (replicas: 2 -> 4)' ]
	run sloth stack snapshot compare web v3 good
	[ "$status" -eq 0 ]
	[[ $output == *'No differences' ]]
	run sloth stack snapshot compare web v1 v2 --json
	[ "$status" -eq 2 ]
	[[ $output == *'"op": "+"'* ]]
	run sloth stack snapshot compare web v1 v99
	[ "$status" -eq 4 ]
}

@test "restore asks, shows what it does, and can be undone" {
	prepare
	run sloth stack snapshot restore web good </dev/null
	[ "$status" -eq 11 ]
	[[ $output == *'http://b -> http://a'*'--force'* ]]
	[ "$(sloth stack output web url)" = http://b ]
	run sloth stack snapshot restore web good --dry-run
	[ "$status" -eq 0 ]
	[[ $output == *'nothing was changed' ]]
	[ "$(sloth stack output web url)" = http://b ]
	run sloth stack snapshot restore web good --force
	[ "$status" -eq 0 ]
	[[ $output == *'✓ Snapshot restored successfully'*'Version:'*v7*'Before:'*v6*"Restored By:      $(id -un)" ]]
	[ "$(sloth stack output web url)" = http://a ]
	run sloth stack undo web </dev/null
	[ "$status" -eq 11 ]
	[[ $output == *'undo the last change of stack web'*'--force'* ]]
	[ "$(sloth stack output web url)" = http://a ]
	run sloth stack undo web --json --yes
	[[ $output == *'"version": 8'*'"changed": true'* ]]
	[ "$(sloth stack output web url)" = http://b ]
	sloth stack snapshot restore web v1 --only outputs --yes
	[ -z "$(sloth stack output web)" ]
	[ "$(sloth cat /stacks/web/values.yaml)" = 'replicas: 4' ]
	sloth stack undo web 2 --force >/dev/null
	[ "$(sloth stack output web url)" = http://a ]
	run sloth stack undo web 99 --yes
	[ "$status" -eq 4 ]
	run sloth stack undo web x
	[ "$status" -eq 10 ]
	run sloth stack snapshot restore web v1 --only everything --force
	[ "$status" -eq 10 ]
	run sloth stack snapshot restore web v99 --force
	[ "$status" -eq 4 ]
}

@test "restore and undo say item by item what they did" {
	prepare
	run sloth stack snapshot restore web good --only outputs --yes --verbose
	[ "$status" -eq 0 ]
	[[ $output == *'restored successfully'*'~ Modified output: url (http://b -> http://a)'* ]]
	[[ ${output#*successfully} != *values* ]]
	run sloth stack undo web -y -v --json
	[[ $output == *'"changes": ['*'"name": "url"'*'"to": "http://b"'* ]]
	run sloth stack undo web -y --json
	[[ $output != *'"changes"'* ]]
}

@test "delete, pin, unpin" {
	prepare
	run sloth stack snapshot delete web good --yes
	[ "$status" -eq 11 ]
	[[ $output == *'pinned by its name good'* ]]
	run sloth stack snapshot delete web 2 </dev/null
	[ "$status" -eq 11 ]
	run sloth stack snapshot delete web 2 --yes
	[ "$output" = "✓ Snapshot v2 of stack 'web' deleted" ]
	run sloth stack snapshot delete web 2 --yes
	[ "$status" -eq 4 ]
	run sloth stack snapshot delete web current --yes
	[ "$status" -eq 11 ]
	sloth stack snapshot unpin web good
	run sloth stack snapshot delete web 4 --force --json
	[[ $output == *'"deleted": true'* ]]
	run sloth stack snapshot pin web 3 three
	[ "$output" = "✓ v3 of stack 'web' is pinned as 'three'" ]
	run sloth stack snapshot pin web 3 v9
	[ "$status" -eq 10 ]
	run sloth stack snapshot pin web 99 x
	[ "$status" -eq 4 ]
}

@test "history and blame" {
	prepare
	run sloth stack history web --limit 2
	[ "${#lines[@]}" -eq 3 ]
	[[ ${lines[1]} == v6*values* ]]
	run sloth stack history web --json
	[[ $output == *'"what": "created"'* ]]
	run sloth stack blame web
	[[ $output == *'output url '*v5* ]]
	run sloth stack blame web output/url --json
	[[ $output == *'"version": 5'* ]]
	run sloth stack blame web nothing
	[ "$status" -eq 4 ]
	run sloth stack history nothing
	[ "$status" -eq 4 ]
}

@test "destroyed: list, restore, purge" {
	prepare
	sloth stack delete web --force
	run sloth stack destroyed list
	[ "$output" = web.1 ]
	run sloth stack destroyed list --json
	[[ $output == *'"name": "web.1"'*'"destroyed": "20'*'Z"'* ]]
	run sloth stack destroyed restore nothing
	[ "$status" -eq 4 ]
	run sloth stack destroyed restore web --name again
	[ "$output" = "✓ Stack 'again' is there again" ]
	[ "$(sloth stack output again url)" = http://b ]
	sloth stack delete again --force
	run sloth stack destroyed purge again </dev/null
	[ "$status" -eq 11 ]
	run sloth stack destroyed purge again.1 --yes
	[ "$status" -eq 0 ]
	[ -z "$(sloth stack destroyed list)" ]
}
