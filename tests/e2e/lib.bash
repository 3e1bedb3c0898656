# shellcheck shell=bash disable=SC2034,SC2119,SC2120,SC2154 # names that the suites use, and those of bats
# What the suites of the mount share. SLOTH_BUILD is the build's folder, SLOTH_SOURCE the source's.
#
# Every test has a daemon of its own, with its home in $T/home and its tree at $M; the test stands in $T. A daemon that
# ends badly (a sanitizer's complaint, too) fails the test.

setup()
{
	need_fuse
	T=$(mktemp -d /tmp/sloth-e2e.XXXXXX)
	chmod 755 "$T"
	M=$T/sloth
	mkdir "$M" "$T/home"
	chmod 755 "$T/home"
	export SLOTH_HOME=$T/home PATH=$SLOTH_BUILD/cli:$SLOTH_BUILD/fs:$PATH LC_ALL=C.UTF-8 TZ=UTC no_proxy=127.0.0.1
	unset XDG_RUNTIME_DIR XDG_STATE_HOME XDG_CONFIG_HOME NO_COLOR
	umask 022
	cd "$T" || return
	type before_start &>/dev/null && before_start
	start_daemon
}

# For before_start(): what stacks look after is looked at when somebody asks, and not whenever it changes.
unwatched()
{
	mkdir -p config/sloth
	export XDG_CONFIG_HOME=$PWD/config
	echo 'watch: false' >config/sloth/config.yaml
}

# In CI, as root, a test that can't run has failed.
need_fuse()
{
	if [ -r /dev/fuse ] && [ -w /dev/fuse ] && command -v fusermount3 >/dev/null; then
		return 0
	fi
	if [ -n "${CI-}" ] && [ "$(id -u)" -eq 0 ]; then
		echo '/dev/fuse is not usable, and CI must not skip this'
		return 1
	fi
	skip '/dev/fuse is not usable'
}

need_root()
{
	[ "$(id -u)" -eq 0 ] || skip 'needs root, to act as two users'
}

# start_daemon [OPTION…]: returns when it serves and the tree is there.
start_daemon()
{
	local answer
	rm -f ready
	mkfifo ready
	slothd --mount "$M" --ready-fd 8 "$@" 8>ready 2>>slothd.log 3>&- </dev/null &
	daemon=$!
	read -r answer <ready
	rm -f ready
	[ "$answer" = 1 ] || { echo "slothd: $answer"; return 1; }
}

# stop_daemon: by SIGTERM; it must end well, and soon.
stop_daemon()
{
	local result=0 pid=$daemon
	daemon=''
	kill -TERM "$pid"
	wait_for_end "$pid" || { echo 'the daemon does not end'; kill -KILL "$pid"; return 1; }
	wait "$pid" || result=$?
	[ "$result" -eq 0 ] || echo "the daemon ended with exit status $result"
	return "$result"
}

kill_daemon()
{
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null || :
	daemon=''
}

wait_for_end()
{
	local state end=$((SECONDS + 120))
	while ((SECONDS < end)); do
		state=$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null) || return 0
		[ "$state" != Z ] || return 0
		pause
	done
	return 1
}

# A short rest between two looks at something.
pause()
{
	read -rt 0.05 <> <(:) || :
}

# $small: a small file system that a test has mounted, for a daemon's home.
drop_small()
{
	[ -n "${small-}" ] || return 0
	[ -z "${daemon-}" ] || stop_daemon || :
	umount -l "$small" || :
	small=''
}

teardown()
{
	local result=0 pid
	[ -n "${T-}" ] || return 0
	cd / || :
	type after_end &>/dev/null && { after_end || :; }
	drop_small
	exec 9>&- 8>&-
	if [ -n "${daemon-}" ]; then
		cd "$T" && stop_daemon || result=1
		cd / || :
	fi
	# What a test has left: runners and tasks of this home.
	for pid in $(ours); do
		kill -KILL "$pid" 2>/dev/null || :
	done
	if mountpoint -q "$M" 2>/dev/null || ! stat "$M" &>/dev/null; then
		echo "$M was left mounted"
		umount -l "$M" 2>/dev/null || fusermount3 -uz "$M" 2>/dev/null || :
		result=1
	fi
	if [ -s "$T/slothd.log" ]; then
		sed 's/^/slothd: /' "$T/slothd.log" | tail -n 60
		! grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$T/slothd.log" || result=1
	fi
	rm -rf -- "$T"
	return "$result"
}

# Processes whose environment names our home or our folder.
ours()
{
	local folder
	for folder in /proc/[0-9]*; do
		if [ "${folder#/proc/}" = $$ ] || [ "${folder#/proc/}" = "$BASHPID" ]; then
			continue
		fi
		case $(cat "$folder/comm" 2>/dev/null) in
		bats* | bash) continue ;;
		esac
		if grep -qzF -- "=$T" "$folder/environ"; then
			echo "${folder#/proc/}"
		fi
	done 2>/dev/null
}

# as UID COMMAND…: as another user, who is in no group.
as()
{
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups -- "$@"
}

nobody=65534
other=1 # "daemon" in Debian

# Waits until a command succeeds; for what happens a moment later.
eventually()
{
	local end=$((SECONDS + 120))
	while ((SECONDS < end)); do
		"$@" >/dev/null 2>&1 && return 0
		pause
	done
	echo "never came true: $*"
	return 1
}

file_has()
{
	[[ $(cat "$1") == *"$2"* ]]
}

# refused WORDS COMMAND…: it fails, and says so in these words.
refused()
{
	local words=$1
	shift
	run "$@"
	[ "$status" -ne 0 ] || { echo "was not refused: $*"; return 1; }
	[[ $output == *"$words"* ]] || { echo "$* said: $output"; return 1; }
}

# Words that begin with ! make no test of bats fail: this does.
not()
{
	if "$@"; then
		echo "is true: $*"
		return 1
	fi
}

# says WORDS: the file `error` has them. Asked in the session of this test.
says()
{
	local text
	text=$(cat "$M/error")
	[[ $text == *"$1"* ]] || { echo "error says: $text"; return 1; }
}

# script NAME SHELL-COMMAND: a workflow of one task, "work".
script()
{
	printf 'task("work"):command([==[%s]==])\n' "$2" >"$1"
}
