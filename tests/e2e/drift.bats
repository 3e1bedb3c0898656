#!/usr/bin/env bats
# Drift, by the command and in the mounted tree; and two users: nobody sees more by it than Unix lets them.

bats_require_minimum_version 1.5.0
load lib

before_start()
{
	unwatched
}

# host STACK ROOT [COMMAND…]: the example, as somebody.
host()
{
	local stack=$1 root=$2
	shift 2
	"$@" sloth run "$SLOTH_SOURCE/examples/host.sloth" --stack "$stack" --set "root=$root"
}

@test "the command and the tree tell the same" {
	host host "$T/host"
	rm "$T/host/etc/enabled/app.conf"
	chmod 700 "$T/host/www"
	run -2 sloth stack drift detect host
	[[ $output == *'Drifted Resources:    2'* ]]
	[[ $(cat "$M/stacks/host/drift") == *'Drifted Resources:    2'*"Resource: $T/host/www (directory)"* ]]
	[ "$(ls "$M/stacks/host/drift.d" | wc -l)" = 2 ]
	echo "ignore $T/host/www/mode reason=wanted" >"$M/stacks/host/drift"
	run -2 sloth stack drift show host
	[[ $output == *'Ignored:'*wanted* ]]
	run -0 sloth stack drift fix host --yes
	[ -L "$T/host/etc/enabled/app.conf" ]
	[ "$(stat -c %a "$T/host/www")" = 700 ]
	[ "$(ls "$M/stacks/host/drift.d" | wc -l)" = 1 ]
	file_has "$M/stacks/host/drift.history" 'fixed'
}

@test "a stack that somebody else has locked is looked at, and not fixed" {
	need_root
	host host "$T/host"
	chmod 600 host/etc/app.conf
	chmod 777 "$M/stacks/host"
	as $nobody bash -c "echo maintenance >'$M/stacks/host/lock'"
	run -2 sloth stack drift detect host
	run -5 sloth stack drift fix host --yes
	[[ $output == *maintenance* ]]
	run -5 sloth stack drift adopt host "$T/host/etc/app.conf"
	[ "$(stat -c %a host/etc/app.conf)" = 600 ]
	as $nobody rm "$M/stacks/host/lock"
	run -0 sloth stack drift fix host --yes
	[ "$(stat -c %a host/etc/app.conf)" = 644 ]
}

@test "a stack of mode 700 keeps its drift to itself" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir -m 755 theirs
	chown $nobody theirs
	as $nobody mkdir -m 700 "$M/stacks/mine"
	host mine "$T/theirs/host" as $nobody
	chmod 600 theirs/host/etc/app.conf
	run -2 as $nobody sloth stack drift detect mine
	for command in detect show fix history 'ignore mine x' 'adopt mine x' 'acknowledge mine x' 'unignore mine x'; do
		# shellcheck disable=SC2086 # words
		[[ $command == *\ * ]] || command="$command mine"
		# shellcheck disable=SC2086
		run -12 as $other sloth stack drift $command
		[[ $output == *"mode 0700: you may not"* && $output != *app.conf* ]] || { echo "$command: $output"; false; }
	done
	[ "$(as $other sloth complete -- stack drift fix mine '')" = '' ]
	for file in drift drift.json drift.history drift.history.json drift.d; do
		refused 'Permission denied' as $other ls -l "$M/stacks/mine/$file"
		refused 'Permission denied' as $other cat "$M/stacks/mine/$file"
	done
	run as $other sloth events
	[[ $output != *app.conf* ]]
}

@test "who may read a stack sees its drift; looking, fixing and deciding are for those who may write" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir -m 755 theirs
	chown $nobody theirs
	as $nobody mkdir -m 755 "$M/stacks/mine"
	host mine "$T/theirs/host" as $nobody
	chmod 600 theirs/host/etc/app.conf
	run -2 as $nobody sloth stack drift detect mine
	run -2 as $other sloth stack drift show mine
	[[ $output == *'Expected:  0644'* ]]
	for command in detect 'fix mine --yes' "ignore mine $T/theirs/host/etc/app.conf" "adopt mine $T/theirs/host/etc/app.conf"; do
		[[ $command == *\ * ]] || command="$command mine"
		# shellcheck disable=SC2086
		run -12 as $other sloth stack drift $command
	done
	[ "$(stat -c %a theirs/host/etc/app.conf)" = 600 ]
	run -2 as $other sloth stack drift show mine
	# Nobody lends their rights to what another has asked for.
	run -11 sloth stack drift fix mine --yes
	[[ $output == *'who asked for'* ]]
	[ "$(stat -c %a theirs/host/etc/app.conf)" = 600 ]
	# The owner's fix is the owner's: what was given to root meanwhile can't be mended by it.
	run -0 as $nobody sloth stack drift fix mine --yes
	[ "$(stat -c %a:%u theirs/host/etc/app.conf)" = 644:$nobody ]
	chown 0 theirs/host/www/index.html
	chmod 600 theirs/host/www/index.html
	run -1 as $nobody sloth stack drift fix mine --yes
	[[ $output == *"Unknown Resources:"*"$T/theirs/host/www/index.html"* ]]
	[ "$(stat -c %a:%u theirs/host/www/index.html)" = 600:0 ]
}

@test "a stack can't be used to read what its owner may not, also when root looks" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir -m 700 private
	echo 'the secret' >private/file
	as $nobody mkdir -m 755 "$M/stacks/mine"
	echo "task('a'):command(function()
		stack.register_resource({ type = 'file', name = '$T/private/file', properties = { path = '$T/private/file', content = 'the secret\n' } })
	end)" >spy.sloth
	as $nobody sloth run spy.sloth --stack mine
	for user in $nobody 0; do
		run -1 as $user sloth stack drift detect mine
		[[ $output == *'Unknown Resources:    1'*"$T/private/file: "*'Permission denied'* ]] || { echo "$output"; false; }
		[[ $output != *sha256* && $(cat "$M/stacks/mine/drift.json") != *sha256* ]]
	done
}

@test "what is there is adopted by a line in the tree, with the writer's rights and no others" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir -m 755 theirs
	echo 'a = 1' >theirs/open
	echo secret >theirs/closed
	chmod 600 theirs/closed
	as $nobody mkdir -m 777 "$M/stacks/host"
	as $nobody bash -c "echo \"adopt file $T/theirs/open\" >'$M/stacks/host/drift'"
	[ "$(as $nobody cat "$M/runs/latest/wait")" = success ]
	[ "$(as $nobody cat "$M/stacks/host/resources/file/"*open/status)" = applied ]
	grep -q '"result":"adopted"' "$M/runs/latest/artifacts/adopted.json"
	grep -q 'content = "a = 1\\n"' "$M/runs/latest/artifacts/adopted.sloth"
	# What he may not read, he can't.
	as $nobody bash -c "echo \"adopt file $T/theirs/*ed\" >'$M/stacks/host/drift'"
	[ "$(as $nobody cat "$M/runs/latest/wait")" = failed ]
	[[ $(as $nobody cat "$M/runs/latest/error") == *'theirs/closed: Permission denied'* ]]
	# Of what only root may read, the content is kept by nobody.
	echo "adopt file $T/theirs/closed" >"$M/stacks/host/drift"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	! grep -rq secret "$M/stacks/host/resources" "$M/runs/latest/artifacts" || false
	# Another one's wish is not read with the owner's rights; and a stack that is not one's own is not written to.
	touch theirs/third
	as $other bash -c "echo \"adopt file $T/theirs/third\" >'$M/stacks/host/drift'"
	[ "$(as $other cat "$M/runs/latest/wait")" = success ]
	echo detect >"$M/stacks/host/drift"
	grep -q "it was .* who asked for it, not the stack's owner" "$M/stacks/host/drift.json"
	as $nobody chmod 755 "$M/stacks/host"
	refused 'Permission denied' as $other bash -c "echo \"adopt file $T/theirs/third\" >'$M/stacks/host/drift'"
	as $nobody bash -c "echo maintenance >'$M/stacks/host/lock'"
	refused 'Device or resource busy' bash -c "echo \"adopt file $T/theirs/third\" >'$M/stacks/host/drift'"
	refused 'Device or resource busy' bash -c "echo \"adopt file $T/theirs/third dry_run\" >'$M/stacks/host/drift'"
}
