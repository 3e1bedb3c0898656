#!/bin/bash
# The session of the README with a real mount, a real run and a real server, in a temporary place that is gone
# afterwards: `./dev demo`. Usage: demo.bash BUILD-FOLDER EXAMPLES-FOLDER
set -euo pipefail
build=$(readlink -f "$1")
examples=$(readlink -f "$2")
place=$(mktemp -d /tmp/sloth-demo.XXXXXX)
chmod 755 "$place"
export SLOTH_HOME=$place/home PATH=$build/cli:$build/fs:$PATH LC_ALL=C.UTF-8 no_proxy=127.0.0.1
other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
result=1
holder='' # of the lock, while it is held

# Processes whose environment or command line names our place: the daemon, the server, and nobody else's.
ours()
{
	local folder pid
	for folder in /proc/[0-9]*; do
		pid=${folder#/proc/}
		if [ "$pid" = $$ ] || [ "$pid" = "$BASHPID" ]; then
			continue
		fi
		if [ "$1" = server ]; then
			grep -qzxF -- "$place/www" "$folder/cmdline" 2>/dev/null && echo "$pid"
		else
			[ "$(cat "$folder/comm" 2>/dev/null)" = slothd ] &&
				grep -qzxF -- "SLOTH_HOME=$SLOTH_HOME" "$folder/environ" 2>/dev/null && echo "$pid"
		fi
	done
	return 0
}

# end WHICH: SIGTERM, and SIGKILL for what is still there after five seconds.
end()
{
	local pid list i
	list=$(ours "$1")
	for pid in $list; do
		kill "$pid" 2>/dev/null || :
	done
	for ((i = 0; i < 100; i++)); do
		[ -n "$(ours "$1")" ] || return 0
		sleep 0.05
	done
	for pid in $(ours "$1"); do
		kill -KILL "$pid" 2>/dev/null || :
	done
}

cleanup()
{
	trap - EXIT INT TERM
	cd /
	[ -z "$holder" ] || kill -- "-$holder" 2>/dev/null || :
	if mountpoint -q "$place/sloth" 2>/dev/null; then
		sloth umount "$place/sloth" >/dev/null 2>&1 || umount -l "$place/sloth" 2>/dev/null ||
			fusermount3 -uz "$place/sloth" || :
	fi
	end server
	end daemon
	if mountpoint -q "$place/sloth" 2>/dev/null; then
		printf 'Still mounted: %s\n' "$place/sloth" >&2
		result=1
	else
		rm -rf -- "$place"
	fi
	exit "$result"
}
trap cleanup EXIT INT TERM

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

note()
{
	printf '\n%s# %s%s\n' "$dim" "$*" "$plain"
}

# show COMMAND [INSTEAD]: what a person would type, and what he would see. What fails ends the demo.
show()
{
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	bash -c "${2-$1}" 2>&1
}

# fails COMMAND [WORDS]: a refusal that is wanted, with these words in it.
fails()
{
	local out
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	if out=$(bash -c "$1" 2>&1); then
		printf '%s\nThis should have been refused.\n' "$out"
		return 1
	fi
	printf '%s\n' "$out"
	[ -z "${2-}" ] || [[ $out == *"$2"* ]]
}

# A free port, 8099 if it is.
port()
{
	python3 - <<'END'
import socket
for number in (8099, 0):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", number))
        except OSError:
            continue
        print(s.getsockname()[1])
        break
END
}

session()
{
	local port
	port=$(port)
	cd "$place"
	ln -s "$examples" examples

	note "The tree, in a folder of this demo ($place/sloth)"
	show 'sloth mount sloth'
	show 'ls sloth'

	note 'A stack is a folder'
	show 'mkdir sloth/stacks/prod'
	show 'flock -n sloth/stacks/prod/lock true && echo free'
	show "printf 'port: $port\nroot: $place/www\n' > sloth/stacks/prod/values.yaml"

	note 'Writing a workflow into runs/ runs it'
	show 'cp examples/webserver.sloth sloth/stacks/prod/runs/'
	show 'cat sloth/stacks/prod/runs/latest/wait'
	show 'cat sloth/stacks/prod/outputs'
	show 'cat sloth/stacks/prod/runs/latest/log'
	# shellcheck disable=SC2016 # show() expands it
	show 'curl -sS "$(cat sloth/stacks/prod/outputs.d/url)"'

	if [ "$(id -u)" -eq 0 ]; then
		note 'A lock stops everybody else: here another user, who may deploy otherwise'
		show 'chmod 777 sloth/stacks/prod'
		show 'echo maintenance > sloth/stacks/prod/lock'
		fails "${other[*]} cp examples/webserver.sloth sloth/stacks/prod/runs/" 'Device or resource busy'
	else
		note 'A lock stops everybody else: here another process'
		printf '%s$ flock sloth/stacks/prod/lock sleep 1000 &%s\n' "$bold" "$plain"
		setsid flock sloth/stacks/prod/lock sleep 1000 &
		holder=$!
		until grep -q session sloth/stacks/prod/lock; do
			sleep 0.05
		done
		fails 'cp examples/webserver.sloth sloth/stacks/prod/runs/' 'Device or resource busy'
	fi
	show 'cat sloth/stacks/prod/lock'
	if [ -n "$holder" ]; then
		show "kill %1 # the lock is gone with its process" "kill -- -$holder"
		wait "$holder" 2>/dev/null || :
		holder=''
	else
		show 'rm sloth/stacks/prod/lock'
	fi

	note 'A workflow that is no good is refused, with the line'
	fails "echo 'task(\"a\"):comand(\"true\")' > bad.sloth; cp bad.sloth sloth/runs/"
	show 'cat sloth/error'

	note 'What happened'
	show 'sloth stack show prod'
	show 'tail -n 5 sloth/events'
	show 'sloth umount sloth'
}

if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then
	printf 'The demo mounts the tree, and /dev/fuse is not usable here:\n\n'
	sloth doctor || :
	exit 1
fi
session
result=0
printf '\nAll of this is gone now: the mount, the daemon, the server and %s.\n' "$place"
