#!/usr/bin/env bats
# The example of a whole small host: each line of its README is done, in its order.

bats_require_minimum_version 1.5.0
load lib

# Its service outlives runs and daemons.
after_end()
{
	[ ! -e "$T/host" ] || sloth run "$SLOTH_SOURCE/examples/host/end.sloth" --stack host --set "root=$T/host" >/dev/null 2>&1
}

# readme N: the commands of the Nth block of the README, below this folder.
readme()
{
	awk -v n="$1" '/^```/ { inside = !inside; if (inside) count++; next } inside && count == n && /^\$ / { print substr($0, 3) }' \
		"$SLOTH_SOURCE/examples/host/README.md" | sed "s|/tmp/host|$T/host|g; s|examples/|$SLOTH_SOURCE/examples/|g"
}

# follow N [STATUS]: they are done, one after the other; a status of 2 is drift, and no failure, nor is that one.
follow()
{
	local line
	while IFS= read -r line <&7; do
		echo "\$ $line"
		bash -c "$line" 7<&- || [[ $? == [2${2-}] ]] || return 1
	done 7< <(readme "$1")
}

conf=etc/greeter.d/greeter.conf

@test "the README of examples/host can be followed" {
	[ "$(grep -c '^```' "$SLOTH_SOURCE/examples/host/README.md")" = 14 ]
	run -0 follow 1
	run -0 follow 2
	[[ $output == *'4 unchanged'* || $output == *'3 unchanged, 1 skipped'* ]] || { echo "$output"; false; }
	[[ $output == *greeter.conf*hello ]] || { echo "$output"; false; }
	run -0 follow 3
	[[ $output == *'1 of 2 files managed (50 %), 1 ignored'*local.conf*'Adopted 1 resource, 1 looked after already'*'2 of 2 files managed'*'file: unchanged'* ]] ||
		{ echo "$output"; false; }
	run -0 follow 4
	[[ $output == *'Drifted Resources:    3'*"greeter.conf: mode (expected: 0644, actual: 0666)"*'All drift corrected'*fixed* ]] || { echo "$output"; false; }
	[ "$(cat "host/$conf")" = $'greeting = hello\nworkers = 2' ]
	[ -L host/etc/greeter.conf ]
	run -0 follow 5
	[[ $output == *'is ignored'*'is adopted'* ]] || { echo "$output"; false; }
	[ "$(stat -c %a host/etc/greeter.d/local.conf)" = 640 ]
	run -0 follow 6 1
	[[ $output == *'rolled back'*'welcome back'*'Drifted Resources:    0'* ]] || { echo "$output"; false; }
	[ ! -e host/etc/greeter.d/leave.conf ]
	run -0 sloth stack drift detect host
	[ "$(sloth cat /stacks/host/drift.json | grep -c '"property"')" = 0 ]
	run -0 follow 7
	[ ! -e host ]
	run -4 sloth stack show host
}

@test "the README of examples/host can be followed by an ordinary user" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs" "$T"
	chmod 666 "$T/home/socket" 2>/dev/null || :
	run -0 as $nobody "$SLOTH_SOURCE/examples/host/prepare" "$T/host"
	run -0 as $nobody sloth run "$SLOTH_SOURCE/examples/host/host.sloth" --stack host --set "root=$T/host"
	[[ $output == *'accounts: skipped'*'service: success'* ]] || { echo "$output"; false; }
	echo hacked >>"host/$conf"
	run -2 as $nobody sloth stack drift detect host
	run -0 as $nobody sloth stack drift fix host --yes
	run -0 as $nobody sloth run "$SLOTH_SOURCE/examples/host/end.sloth" --stack host --set "root=$T/host"
}
