#!/usr/bin/env bats
# Two users: one may not touch what the other's mode forbids.

bats_require_minimum_version 1.5.0
load lib

setup_stacks()
{
	need_root
	chmod 1777 "$M/stacks" "$M/state" "$M/runs"
}

@test "without membership nobody may create in the folders that belong to the daemon" {
	need_root
	refused 'Permission denied' as $nobody mkdir "$M/stacks/mine"
	refused 'Permission denied' as $nobody mkdir "$M/state/mine"
	script hello.sloth 'echo hello'
	refused 'Permission denied' as $nobody cp hello.sloth "$M/runs/"
	chmod 1777 "$M/stacks"
	as $nobody mkdir "$M/stacks/mine"
	[ "$(stat -c %u "$M/stacks/mine")" = $nobody ]
}

@test "a stack of mode 700 is its owner's alone" {
	setup_stacks
	as $nobody mkdir -m 700 "$M/stacks/mine"
	as $nobody bash -c "echo secret > '$M/stacks/mine/description'"
	for command in "cat '$M/stacks/mine/description'" "ls '$M/stacks/mine'" "cat '$M/stacks/mine/outputs'" \
		"cat '$M/stacks/mine/lock'" "echo x > '$M/stacks/mine/description'" "flock -n '$M/stacks/mine/lock' true"; do
		refused 'Permission denied' as $other bash -c "$command"
	done
	[ "$(cat "$M/stacks/mine/description")" = secret ]
}

@test "a stack of mode 755 may be looked at and not changed" {
	setup_stacks
	as $nobody mkdir -m 755 "$M/stacks/mine"
	[ "$(as $other cat "$M/stacks/mine/status")" = created ]
	script hello.sloth 'echo hello'
	for command in "echo x > '$M/stacks/mine/description'" "echo x > '$M/stacks/mine/lock'" \
		"cp hello.sloth '$M/stacks/mine/runs/'" "touch '$M/stacks/mine/state/key'" "echo x > '$M/stacks/mine/outputs.d/o'" \
		"echo 'a: 1' > '$M/stacks/mine/values.yaml'"; do
		run as $other bash -c "$command"
		[ "$status" -ne 0 ] || { echo "$command"; false; }
	done
	[ "$(cat "$M/stacks/mine/lock")" = unlocked ]
}

@test "state.ctl of a stack asks what each command needs" {
	mkdir "$M/stacks/s"
	echo red >"$M/stacks/s/state/color"
	chmod 755 "$M/stacks/s"
	[ "$(as $other "$SLOTH_BUILD/cli/sloth" state get color --stack s)" = red ]
	[[ $(as $other "$SLOTH_BUILD/cli/sloth" state list --stack s) == *red* ]]
	for line in 'set color blue' 'cas color red blue' 'delete color' clear; do
		refused 'Permission denied' as $other bash -c "/bin/echo $line >'$M/stacks/s/state.ctl'"
	done
	chmod 733 "$M/stacks/s"
	as $other bash -c "/bin/echo set color blue >'$M/stacks/s/state.ctl'"
	refused 'Permission denied' as $other bash -c "/bin/echo show color >'$M/stacks/s/state.ctl'"
	refused 'Permission denied' as $other bash -c "/bin/echo incr color >'$M/stacks/s/state.ctl'"
	file_has "$M/stacks/s/state/color" blue
}

@test "while stacks/ is closed nothing tells others of the stacks in it" {
	setup_stacks
	mkdir -m 755 "$M/stacks/mine" "$M/stacks/lower"
	touch "$M/stacks/mine/tags/word"
	ln -s ../../lower "$M/stacks/mine/deps/lower"
	told() { as $other sh -c "cd '$M'; cat events events.json stacks.json graph/* metrics 2>/dev/null; find tags graph; find stacks"; }
	told | grep -q 'mine'
	told | grep -q 'word'
	chmod 700 "$M/stacks"
	run told
	run -1 grep -E 'mine|lower|word' <<<"$output"
	[[ $(cat "$M/events") == *mine* ]]
	chmod 711 "$M/stacks" # a way through, and no list
	refused 'denied' as $other ls "$M/graph"
	[ "$(as $other cat "$M/stacks/mine/status")" = created ]
	chmod 755 "$M/stacks"
	told | grep -q 'word'
}

@test "who changes who may use a thing leaves an event, once" {
	setup_stacks
	mkdir "$M/state/ns"
	touch "$M/locks/l"
	script saved.sloth 'echo hello'
	cp saved.sloth "$M/workflows/"
	before=$(wc -l <"$M/events")
	for _ in 1 2; do
		chmod 700 "$M/state/ns" "$M/workflows" && chmod 600 "$M/locks/l" "$M/workflows/saved.sloth"
		chown $other "$M/state/ns"
	done
	[ "$(tail -n "+$((before + 1))" "$M/events.json" | grep -c '"type":"[a-z]*.updated"')" -eq 5 ]
	tail -n "+$((before + 1))" "$M/events.json" | grep '"namespace.updated"' | grep '"mode":"0700"' | grep -q "\"owner\":$other"
	for type in namespace lock folder workflow; do
		grep -q "\"type\":\"$type.updated\"" "$M/events.json"
	done
}

@test "only the owner renames, removes, and changes the mode" {
	setup_stacks
	as $nobody mkdir -m 777 "$M/stacks/mine"
	refused 'not permitted' as $other rmdir "$M/stacks/mine"
	refused 'not permitted' as $other mv "$M/stacks/mine" "$M/stacks/yours"
	refused 'not permitted' as $other chmod 700 "$M/stacks/mine"
	refused 'not permitted' as $other chown $other "$M/stacks/mine"
	as $nobody chmod 750 "$M/stacks/mine"
	[ "$(stat -c %a "$M/stacks/mine")" = 750 ]
	chown $other:$other "$M/stacks/mine"
	[ "$(as $other stat -c %u "$M/stacks/mine")" = $other ]
	as $other rmdir "$M/stacks/mine"
}

@test "the group counts" {
	setup_stacks
	mkdir -m 770 "$M/stacks/team"
	chgrp 4242 "$M/stacks/team"
	refused 'Permission denied' as $nobody cat "$M/stacks/team/status"
	sloth=$(command -v sloth)
	run -12 as $nobody "$sloth" stack lock acquire team
	[ "$output" = 'sloth: stack team is of root (uid 0), mode 0770: you may not do that' ]
	run -12 as $nobody "$sloth" backup create
	[ "$output" = 'sloth: you may not use /backups/new' ]
	member() { setpriv --reuid $nobody --regid $nobody --groups 4242 -- "$@"; }
	[ "$(member cat "$M/stacks/team/status")" = created ]
	member bash -c "echo ours > '$M/stacks/team/description'"
	[ "$(cat "$M/stacks/team/description")" = ours ]
}

@test "a run acts as its submitter, and is as private as its stack" {
	setup_stacks
	as $nobody mkdir -m 700 "$M/stacks/mine"
	script who.sloth 'id -u; id -G; echo "$SLOTH_STACK"'
	as $nobody cp who.sloth "$M/stacks/mine/runs/"
	[ "$(as $nobody cat "$M/stacks/mine/runs/latest/wait")" = success ]
	run=$(readlink "$M/runs/latest")
	[ "$(as $nobody cat "$M/runs/$run/tasks/work/log")" = $'65534\n65534\nmine' ]
	run as $other cat "$M/runs/$run/log"
	[ "$status" -ne 0 ]
	[ -z "$(as $other ls "$M/runs")" ]
	run as $other cat "$M/events"
	[[ $output != *mine* ]]
	run as $nobody cat "$M/events"
	[[ $output == *mine* ]]
}

@test "another user may not cancel a run" {
	setup_stacks
	mkdir -m 755 "$M/stacks/prod"
	script slow.sloth "until [ -e $T/go ]; do sleep 0.05; done"
	cp slow.sloth "$M/stacks/prod/runs/"
	run as $nobody bash -c "echo cancel > '$M/runs/latest/ctl'"
	[ "$status" -ne 0 ]
	touch go
	[ "$(cat "$M/runs/latest/wait")" = success ]
}

@test "the file error is each user's own" {
	setup_stacks
	run as $nobody bash -c "mkdir '$M/stacks/.bad'; cat '$M/error'"
	[[ $output == *'.bad'* ]]
	run as $other cat "$M/error"
	[[ $output != *'.bad'* ]]
	run setsid -w cat "$M/error"
	[[ $output != *'.bad'* ]]
}

@test "the socket judges as the mount does" {
	setup_stacks
	[ "$(stat -c %a "$SLOTH_HOME/socket")" = 666 ]
	mkdir -m 700 "$M/stacks/mine"
	run -12 as $nobody sloth cat /stacks/mine/status
	run -12 as $nobody sloth write /stacks/mine/description --text x
	chmod 755 "$M/stacks/mine"
	[ "$(as $nobody sloth cat /stacks/mine/status)" = created ]
	run -12 as $nobody sloth write /stacks/mine/description --text x
	run -12 as $nobody sloth stack lock acquire mine
}

@test "a run is undone by the one who started it, and by nobody else; what a failed rollback leaves is the owner's" {
	setup_stacks
	mkdir -m 755 "$T/theirs"
	chown $nobody:$nobody "$T/theirs"
	as $nobody bash -c "umask 077; echo private >'$T/theirs/f'"
	cat >"$T/w.sloth" <<END
task("a"):command(function() return resource.file{ path = "$T/theirs/f", content = "new\n" } end)
task("b"):depends_on("a"):command(function()
	if values.fail then
		fs.write("$T/theirs/f", "somebody's\n")
		error("no")
	end
end)
workflow.define("w"):tasks({ "a", "b" }):config({ on_failure = "rollback" })
END
	as $nobody mkdir -m 755 "$M/stacks/w"
	as $nobody cp "$T/w.sloth" "$M/stacks/w/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	[[ $(as $other cat "$M/runs/1/changes") == *" changed file/$T/theirs/f by a" ]]
	refused 'not permitted' bash -c "echo undo >'$M/runs/1/ctl'"
	[[ $(cat "$M/error") == "run 1 was started by nobody (uid $nobody): what it changed is put back with the rights of that user, by nobody else"* ]]
	refused 'Permission denied' as $other bash -c "echo undo >'$M/runs/1/ctl'"
	as $nobody bash -c "echo undo >'$M/runs/1/ctl'"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	[ "$(cat "$T/theirs/f")" = private ]
	# What only its owner may read has not become anybody's.
	run ! grep -rqa '^private$' "$SLOTH_HOME"
	as $nobody bash -c "echo 'fail: true' >'$M/stacks/w/values.yaml'"
	as $nobody cp "$T/w.sloth" "$M/stacks/w/runs/again.sloth"
	[ "$(cat "$M/runs/latest/wait")" = rollback_failed ]
	[[ $(cat "$M/stacks/w/lock") == *"locked_by: maintenance"*"uid: $nobody"*"reason: the rollback of run 3 failed; left: file/$T/theirs/f"* ]]
	refused 'Permission denied' as $other rm "$M/stacks/w/lock"
	as $nobody bash -c "echo new >'$T/theirs/f'; echo undo >'$M/runs/3/ctl'"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	[ "$(cat "$T/theirs/f")" = private ]
	[ "$(cat "$M/stacks/w/lock")" = unlocked ]
}

@test "a workflow that its owner put aside is nobody else's to open under its old name" {
	setup_stacks
	as $nobody mkdir -m 700 "$M/stacks/mine"
	echo 'workflow.define("w"):stack("mine"):tasks({ task("t"):command("echo private"):build() })' >w.sloth
	as $nobody cp w.sloth "$M/runs/deploy.sloth"
	as $nobody mv "$M/runs/deploy.sloth" "$M/runs/deploy.bak"
	refused 'Permission denied' as $other python3 -c 'import os, sys; print(os.read(os.open(sys.argv[1], os.O_RDONLY | os.O_CREAT), 1000))' "$M/runs/deploy.sloth"
	refused 'Permission denied' as $other cp w.sloth "$M/runs/deploy.sloth"
	refused 'may not' as $other "$(command -v sloth)" write /runs/deploy.sloth --text x
	as $nobody cp "$M/runs/deploy.bak" "$M/runs/deploy.sloth"
	[ "$(as $nobody cat "$M/runs/latest/wait")" = success ]
}

@test "who looks at what he may not read takes nothing from who may" {
	setup_stacks
	as $nobody mkdir -m 711 "$M/stacks/mine"
	stop_daemon
	start_daemon
	as $other stat "$M/stacks/mine/status" "$M/stacks/mine/created"
	[ "$(as $nobody cat "$M/stacks/mine/status")" = created ]
	[ "$(as $nobody wc -c <"$M/stacks/mine/created")" -gt 20 ]
}

@test "a run reads of another stack what its user may read in the tree" {
	setup_stacks
	mkdir -m 744 "$M/stacks/named" # its names may be listed, and nothing behind them
	echo value >"$M/stacks/named/outputs.d/key"
	as $nobody mkdir -m 733 "$M/state/box" # keys may be put into it, not read
	as $nobody bash -c "echo 41 >'$M/state/box/number'"
	cat >w.sloth <<'END'
task("t"):command(function()
	print("output", stack("named"):output("key"))
	for _, call in ipairs({ "get", "increment" }) do
		print(call, pcall(state.namespace("box")[call], "number"))
	end
end)
END
	as $other mkdir "$M/stacks/mine"
	as $other cp w.sloth "$M/stacks/mine/runs/"
	as $other cat "$M/runs/latest/wait"
	as $other cat "$M/runs/latest/log" >log
	cat log
	cut -d ' ' -f 2- log >said # without the times
	not grep -qE 'value|41|42' said
	[ "$(cat "$M/state/box/number")" = 41 ]
}

# look PID: what somebody gets to see of a process, a word each.
look()
{
	python3 -c '
import ctypes, os, sys
uid, pid = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([]), os.setgid(uid), os.setuid(uid)
libc = ctypes.CDLL(None, use_errno=True)
def tried(what, function):
    try:
        function()
        print(what, "done")
    except OSError as error:
        print(what, error.errno)
def attach():
    if libc.ptrace(16, pid, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "")
    os.waitpid(pid, 0x40000000)
    libc.ptrace(17, pid, 0, 0)
tried("attach", attach)
tried("memory", lambda: open(f"/proc/{pid}/mem", "rb").close())
tried("environment", lambda: open(f"/proc/{pid}/environ", "rb").read())
tried("descriptors", lambda: os.listdir(f"/proc/{pid}/fd"))
tried("signal", lambda: os.kill(pid, 0))
' "$1" "$2" 3>&-
}

@test "a run's processes are for their user to look into, and for nobody else" {
	setup_stacks
	mkdir -m 777 go
	mkfifo -m 666 go/on
	script held.sloth "echo \$\$ \$PPID >$T/go/ready; cat $T/go/on"
	as $other cp held.sloth "$M/runs/"
	eventually test -s go/ready
	read -r task runner <go/ready
	[ "$(<"/proc/$runner/comm")" = sloth-runner ]
	sleep 1000 3>&- &
	own=$!
	for pid in $runner $task; do
		[ "$(look $nobody $pid)" = "$(printf '%s\n' 'attach 1' 'memory 13' 'environment 13' 'descriptors 13' 'signal 1')" ]
		# As any process of his: some systems let only parents attach.
		[ "$(look $other $pid | grep -v attach)" = "$(printf '%s done\n' memory environment descriptors signal)" ]
	done
	look $other "$own" >strange
	kill $own
	for pid in $daemon $(pgrep -P $daemon); do
		[ "$(look $other "$pid")" = "$(<strange)" ]
		[ "$(look $nobody "$pid")" = "$(<strange)" ]
	done
	echo on >go/on
	[ "$(as $other cat "$M/runs/latest/wait")" = success ]
}

@test "a setuid program in a task does what it does in its user's shell, and gets nothing of the daemon's" {
	setup_stacks
	cp "$(command -v id)" suid-id
	cp "$(command -v ls)" suid-ls
	chmod 4755 suid-id suid-ls
	script suid.sloth "$T/suid-id -u; id -ru; $T/suid-ls /proc/self/fd | tr '\\n' ' '"
	as $other cp suid.sloth "$M/runs/"
	[ "$(as $other cat "$M/runs/latest/wait")" = success ]
	[ "$(as $other cat "$M/runs/latest/tasks/work/log")" = "$(as $other "$T/suid-id" -u)"$'\n'"$other"$'\n0 1 2 3 ' ]
}

@test "groups: a run has those of who submitted it to its end, the next look for drift those that its owner has then" {
	setup_stacks
	cp /etc/group group
	echo 'sloth-test:x:4242:daemon' >>group
	cat >script <<-'END'
		set -eux
		mount --bind group /etc/group
		export SLOTH_HOME=$T/inside
		mkdir -m 755 inside tree
		mkfifo ready
		slothd --mount "$T/tree" --ready-fd 8 8>ready 3>&- </dev/null &
		trap "kill $!; wait" EXIT
		[ "$(cat ready)" = 1 ]
		chmod 1777 tree/stacks tree/runs
		me() { setpriv --reuid 1 --regid 1 --init-groups -- "$@"; }
		mkdir -m 777 seen
		mkfifo -m 666 seen/go
		echo "resource.define('me', { key = 'name', properties = { name = { kind = 'text' } }, apply = function() return true end,
				read = function() exec.run('id -G >$T/seen/look') return {} end })
			task('a'):command(function()
				assert(stack.register_resource({ type = 'me', name = 'me', properties = { name = 'me' } }))
				exec.run('id -G >$T/seen/before; cat $T/seen/go; id -G >$T/seen/after')
			end)" >me.sloth
		me sloth run me.sloth --stack one &
		run=$!
		until [ -s seen/before ]; do kill -0 $run; read -rt 0.05 <> <(:) || :; done
		cp /etc/group was
		grep -v sloth-test was >/etc/group
		echo on >seen/go
		wait $run
		cmp seen/before seen/after
		[[ " $(cat seen/after) " == *' 4242 '* ]]
		me sloth stack drift detect one || :
		[[ " $(cat seen/look) " != *' 4242 '* ]]
		cat was >/etc/group
		me sloth stack drift detect one || :
		[[ " $(cat seen/look) " == *' 4242 '* ]]
	END
	T=$T unshare -m --propagation private bash script 3>&-
}
