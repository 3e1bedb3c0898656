#!/usr/bin/env bats
# mount and umount by command.

bats_require_minimum_version 1.5.0
load common

need_fuse()
{
	sloth doctor --json | tr -d ' \n' | grep -q '"check":"fuse","status":"ok"' || skip "no /dev/fuse"
	sloth doctor --json | tr -d ' \n' | grep -q '"check":"rights","status":"ok"' || skip "may not mount"
}

@test "mount makes the folder, umount takes the tree away" {
	need_fuse
	run sloth mount here
	[ "$status" -eq 0 ]
	[ "$output" = "✓ Mounted on $PWD/here" ]
	[ "$(cat here/version)" = "$(sloth cat /version)" ]
	run -5 sloth mount here
	run sloth umount here
	[ "$status" -eq 0 ]
	[ ! -e here/version ]
	run -4 sloth umount here
	[[ $output == *'not mounted'* ]]
}

@test "what a dead daemon left behind can be unmounted" {
	need_fuse
	sloth mount "$PWD/here"
	kill -9 "$(daemon_pid)"
	run sloth umount here
	[ "$status" -eq 0 ]
	ls here
}

@test "a file is no place for a mount" {
	need_fuse
	: >file
	run -4 sloth mount file
	[[ $output == *'not a folder'* ]]
	run -4 sloth mount /nowhere/at/all
	[[ $output == *'/nowhere/at/all'* ]]
}
