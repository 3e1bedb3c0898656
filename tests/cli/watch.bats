#!/usr/bin/env bats
# Watching where the kernel does not tell of everything.

bats_require_minimum_version 1.5.0
load common

# watching KEY: of drift.json.
watching()
{
	sloth cat /stacks/much/drift.json | python3 -c 'import json, sys; print(json.load(sys.stdin)["watching"][sys.argv[1]])' "$1"
}

polled()
{
	[ "$(watching polled)" -gt 0 ]
}

drifted()
{
	[[ $(sloth cat /stacks/much/drift.json) == *"\"drifted\": $1"* ]]
}

all_heard()
{
	[ "$(watching polled)" = 0 ]
}

# other_users PID: whether it has left our user namespace.
other_users()
{
	[ "$(readlink "/proc/$1/ns/user")" != "$(readlink /proc/self/ns/user)" ]
}

# The limit of a user namespace of its own, so that nobody else lacks any.
@test "no watches left: the rest is polled, and said so; with watches again it is watched" {
	local pid
	mkfifo go
	[ "$(id -u)" -eq 0 ] || skip 'needs root, to map all users'
	# Who is nobody loses his rights with exec(2), and has them by the next one.
	unshare -U bash -c 'read -r go <>go; exec bash -ec "echo 6 >/proc/sys/user/max_inotify_watches; exec $SLOTH_BUILD/fs/slothd"' \
		>slothd.log 2>&1 3>&- &
	pid=$!
	eventually other_users "$pid"
	echo '0 0 65536' | tee "/proc/$pid/uid_map" >"/proc/$pid/gid_map"
	echo go >go
	eventually test -S "$SLOTH_HOME/socket"
	printf 'task("t"):command(function()
		for i = 1, 8 do resource.file{ path = "%s/many/" .. i .. "/f", content = "right" } end
	end)\n' "$PWD" >much.sloth
	sloth run --stack much much.sloth
	eventually polled
	[[ $(watching why) == *max_user_watches* ]]
	[[ $(sloth cat /stacks/much/drift) == *'Watching: 8 of 8, '*'by looking now and then (there are no more watches'* ]]
	[ "$(sloth cat /events | grep -c drift.polled)" = 1 ]
	nsenter --user --target "$pid" bash -c 'echo 1000 >/proc/sys/user/max_inotify_watches'
	echo wrong | tee many/{1..8}/f >/dev/null
	eventually drifted 8
	eventually all_heard
}
