#!/usr/bin/env bats
# The trail of events by command: filters, one event, verifying, archives.

bats_require_minimum_version 1.5.0
load common

@test "events are filtered" {
	sloth stack new a
	sloth stack new b
	sloth stack lock acquire a --reason x
	run sloth events
	[ "${#lines[@]}" -eq 3 ]
	run sloth events list --stack a
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == *'lock.acquired'*'a'* ]]
	run sloth events list --type 'stack.*' --limit 1
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == *'stack.created'*'b'* ]]
	run sloth events list --user "$(id -un)" --since 1h --json
	[ "${#lines[@]}" -eq 3 ]
	[[ ${lines[0]} == '{"id":1,'* ]]
	[ "$(sloth events list --user nobody)" = "" ]
	run sloth events list --format yaml --limit 2
	[[ $output == '- id: 2'*$'\n- data:'*$'\n  id: 3\n'*'type: lock.acquired'* ]]
	[ "$(sloth events list --until 1h)" = "" ]
	[ "$(sloth events list --since 2099-01-01)" = "" ]
	[ "$(sloth events list --run 7)" = "" ]
	run -10 sloth events list --since yesterday
	[[ $output == *'--since yesterday'* ]]
	run -10 sloth events lits
	[[ $output == *'did you mean "events list"'* ]]
}

@test "one event" {
	sloth stack new a
	run sloth events show 1
	[[ $output == *'type:'*'stack.created'* ]]
	run sloth events show 1 --json
	[[ $output == *'"stack": "a"'* ]]
	run -4 sloth events show 99
	run -10 sloth events show none
}

@test "activity of a stack, and of one that is gone" {
	sloth stack new a
	sloth stack new b
	run sloth stack activity a
	[ "${#lines[@]}" -eq 1 ]
	run sloth stack activity a --json
	[[ $output == '{"id":1,'*'"stack":"a"'* ]]
	sloth stack delete a --force
	run sloth stack activity a
	[[ ${lines[0]} == *'stack.created'* ]]
	[[ $output == *'stack.destroyed'* ]]
	[[ $output != *'  b  '* ]]
	[ "$(sloth stack activity a --type 'lock.*' --limit 3 || :)" = "" ]
	run -4 sloth stack activity nothing
}

@test "the chain is verified, and what does not fit is named" {
	sloth stack new a
	sloth stack new b
	run sloth audit verify
	[ "$status" -eq 0 ]
	[[ $output == '✓ 2 events, chain intact'*'(event 2)' ]]
	run sloth audit verify --json
	[[ $output == *'"intact": true'* ]]
	[[ $(sloth cat /audit) == '2 events, chain intact, head '* ]]
	kill "$(daemon_pid)"
	eventually grep -q . "$SLOTH_HOME/sloth.db"
	python3 - "$SLOTH_HOME/sloth.db" <<-'END'
		import sqlite3, sys
		database = sqlite3.connect(sys.argv[1], timeout=20)
		database.execute("UPDATE events SET json = replace(json, '\"a\"', '\"x\"') WHERE id = 1")
		database.commit()
	END
	run -13 sloth audit verify
	[[ $output == *'event 1 '*'does not fit to event 0'* ]]
	run -13 sloth audit verify --deep --json
	[[ $output == *'"what": "hash"'* ]]
	run -13 sloth cat /audit
	[[ $output == *'event 1 '* ]]
}

@test "older events go into an archive, and the chain goes on" {
	sloth stack new a
	sloth stack new b
	run -11 sloth events clear </dev/null
	[[ $output == *'--force'* ]]
	run sloth events clear --before 1d --force
	[ "$output" = 'There is nothing to archive' ]
	run sloth events clear --force
	[ "$output" = '✓ 2 events archived in archive/events-1-2.jsonl.zst' ]
	run sloth events
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == *'events.archived'* ]]
	run sloth audit verify --deep
	[[ $output == '✓ 3 events, chain intact'*'Archives:     1'* ]]
	run sloth events clear --yes --json
	[[ $output == *'"archived": 1'* ]]
	[[ $(sloth cat /archives) == 'events-1-2.jsonl.zst events=2 '*'events-3-3.jsonl.zst events=1 '* ]]
	run -10 sloth write /archives --text 'burn before=1d'
	[[ $output == *'archive [before=TIME]'* ]]
	echo spoilt >"$SLOTH_HOME/archive/events-1-2.jsonl.zst"
	sloth audit verify
	run -13 sloth audit verify --deep
	[[ $output == *'events-1-2.jsonl.zst'* ]]
}

@test "who follows sees everything once, whatever is archived meanwhile" {
	sloth stack new a
	sloth events follow --json >followed &
	echo $! >pid
	eventually grep -q '"id":1,' followed
	sloth events clear --force
	sloth stack new b
	eventually grep -q '"stack":"b"' followed
	kill "$(cat pid)"
	run grep -o '"id":[0-9]*' followed
	[ "$output" = $'"id":1\n"id":2\n"id":3' ]
}
