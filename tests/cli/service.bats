#!/usr/bin/env bats
# Services that a supervisor of ours keeps running: what they survive, and what ends them.

bats_require_minimum_version 1.5.0
load common

before_start()
{
	R=$BATS_TEST_TMPDIR/host
	mkdir "$R"
}

# service MORE PROPERTIES: a run whose task wants it so, on the stack host, and goes on as is said; prepared only: in service.sloth.
prepared()
{
	cat >"$BATS_TEST_TMPDIR/service.sloth" <<-END
		task("service"):command(function()
			assert(resource.service{ name = "sleeper", root = "$R", $2 })
			$1
		end)
	END
}

service()
{
	prepared "$@"
	sloth run --stack host "$BATS_TEST_TMPDIR/service.sloth"
}

field()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$R/var/lib/sloth/services/sleeper/status.json" "$1"
}

runs()
{
	[[ $({ tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null) == *"$2"* ]]
}

is_gone()
{
	! kill -0 "$1" 2>/dev/null
}

drifted()
{
	[[ $(sloth cat /stacks/host/drift.json) == *"\"drifted\": $1"* ]]
}

end_service()
{
	local pid
	pid=$(field supervisor 2>/dev/null) && runs "$pid" --supervise && kill "$pid"
}

eval "common_$(declare -f teardown)"

# Also what a test that failed has left.
teardown()
{
	end_service || :
	common_teardown
}

SLEEPER='command = "exec sleep 4242", restart = "never"'

@test "it outlives a run that fails, one that is cancelled, and a daemon that is killed" {
	local pid supervisor run result daemon
	run -1 service 'error("no")' "$SLEEPER"
	pid=$(field pid) supervisor=$(field supervisor)
	runs "$pid" 'sleep 4242'
	[[ $(tr '\0' '\n' <"/proc/$pid/environ") != *SLOTH_* ]]
	service 'exec.spawn("sleep 4242")' "$SLEEPER"
	[ "$(field pid)" = "$pid" ]
	prepared 'print("waits") sleep(4242)' "$SLEEPER"
	set -m
	sloth run --stack host service.sloth >out 2>&1 3>&- &
	run=$!
	set +m
	eventually grep -q waits out
	kill -INT "$run"
	result=0
	wait "$run" || result=$?
	[ "$result" -eq 15 ]
	runs "$pid" 'sleep 4242'
	daemon=$(daemon_pid)
	kill -KILL "$daemon"
	eventually is_gone "$daemon"
	run -0 sloth stack drift detect host
	runs "$pid" 'sleep 4242'
	runs "$supervisor" --supervise
}

@test "its end is drift as soon as it happens; a fix starts it again, with a run that says so" {
	local pid
	service '' "$SLEEPER"
	pid=$(field pid)
	sloth cat /stacks/host/drift.json >/dev/null
	eventually drifted 0
	kill "$pid"
	eventually drifted 1
	run -2 sloth stack drift show host
	[[ $output == *'Attribute: running'*'Expected:  true'*'Actual:    false'* ]] || { echo "$output"; false; }
	run -0 sloth stack drift fix host --auto-approve
	[[ $output == *'sleeper: Changed running to true'* ]] || { echo "$output"; false; }
	[ "$(field pid)" != "$pid" ]
	runs "$(field pid)" 'sleep 4242'
}

@test "a file system that goes is drift as soon as it happens" {
	local pid mounted
	[ "$(id -u)" -eq 0 ] && unshare --mount true || skip 'needs a namespace of mounts'
	mkdir etc
	unshare --mount --propagation private "$SLOTH_BUILD/fs/slothd" >slothd.log 2>&1 3>&- &
	pid=$!
	eventually test -S "$SLOTH_HOME/socket"
	cat >mount.sloth <<-END
		task("mount"):command(function()
			assert(resource.mount{ path = "$R/data", device = "store", fstype = "tmpfs", options = "size=1M", file = "$PWD/etc/fstab" })
		end)
	END
	sloth run --stack host mount.sloth
	mounted=(nsenter --target "$pid" --mount findmnt -n --mountpoint "$R/data")
	"${mounted[@]}"
	eventually drifted 0
	nsenter --target "$pid" --mount umount "$R/data"
	eventually drifted 1
	run -0 sloth stack drift fix host --auto-approve
	"${mounted[@]}"
	run findmnt -n --mountpoint "$R/data"
	[ "$status" -ne 0 ]
}

@test "what is absent is ended with all that it started" {
	local pid kid
	service '' "command = 'sleep 4343 & echo \$! >$R/kid; exec sleep 4242'"
	pid=$(field pid)
	eventually test -s "$R/kid"
	kid=$(cat "$R/kid")
	runs "$kid" 'sleep 4343'
	service '' 'ensure = "absent"'
	is_gone "$pid"
	is_gone "$kid"
	[ ! -e "$R/var/lib/sloth/services/sleeper" ]
}
