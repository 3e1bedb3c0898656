#!/usr/bin/env bats
# Tags by command.

bats_require_minimum_version 1.5.0
load common

@test "add, list, remove" {
	sloth stack new web
	run sloth stack tags add web production critical
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "✓ Tag 'production' added to stack 'web'" ]
	run sloth stack tags list web
	[ "$output" = $'critical\nproduction' ]
	sloth stack tags add web critical # once more changes nothing
	run sloth stack tags list web --json
	[ "$(tr -d ' \n' <<<"$output")" = '["critical","production"]' ]
	run sloth stack show web
	[[ $output == *'Tags:'*'critical, production'* ]]
	run sloth stack tags remove web critical
	[ "$output" = "✓ Tag 'critical' removed from stack 'web'" ]
	[ "$(sloth stack tags list web)" = production ]
	run sloth events --stack web
	[[ $output == *'tag.added'*'"tag":"critical"'*'tag.removed'*'"tag":"critical"'* ]]
}

@test "stacks by tag: all of those that are named" {
	for name in a b c; do sloth stack new "$name"; done
	sloth stack tags add a production critical
	sloth stack tags add b production
	run sloth stack list --tag production
	[[ $output == *$'\na '*$'\nb '* && $output != *$'\nc '* ]]
	run sloth stack list --tag production --tag critical --json
	[ "$(grep -c '"name"' <<<"$output")" -eq 1 ]
	[[ $output == *'"name": "a"'* ]]
	run sloth stack list --tag nothing --json
	[ "$output" = "[]" ]
	run sloth stack tags list
	[ "$output" = $'critical\nproduction' ]
	[ "$(sloth cat /tags/critical/a/status)" = created ]
}

@test "refusals" {
	sloth stack new web
	run -4 sloth stack tags add nothing x
	run -4 sloth stack tags remove web nothing
	run -4 sloth stack tags list nothing
	run -10 sloth stack tags add web 'a b'
	run -10 sloth stack tags add web
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	SLOTH_HOME=$(mktemp -d /tmp/sloth-session-XXXXXX)
	chmod 711 "$SLOTH_HOME"
	sloth stack new private
	run -12 setpriv --reuid 65534 --regid 65534 --clear-groups sloth stack tags add private x
}
