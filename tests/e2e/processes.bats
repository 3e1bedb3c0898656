#!/usr/bin/env bats
# Processes of tasks: what ends with them, what goes on, also when they hide and when the run's own process is killed.

bats_require_minimum_version 1.5.0
load lib

before_start()
{
	export XDG_CONFIG_HOME=$T/config
	mkdir -p "$T/config/sloth"
	# A process that lost its parent, has a session and a group of its own, and no environment.
	cat >"$T/hide.py" <<'X'
import os, sys
if os.fork(): sys.exit(0)
os.setsid()
if os.fork(): os._exit(0)
null = os.open("/dev/null", os.O_RDWR)
for fd in 0, 1, 2: os.dup2(null, fd)
with open(sys.argv[1] + ".new", "w") as f: f.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
os.execve("/bin/sleep", ["sleep", "1000"], {})
X
}

after_end()
{
	for file in "$T"/pid*; do
		[ -s "$file" ] && kill -KILL "$(cat "$file")" 2>/dev/null
	done
	return 0
}

without_cgroups()
{
	stop_daemon
	echo 'cgroups: false' >"$T/config/sloth/config.yaml"
	start_daemon
}

# Whether this daemon can make groups: root on a machine with version 2.
has_cgroups()
{
	script where.sloth 'grep ^0:: /proc/self/cgroup || :'
	cp where.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	grep -q '/sloth/run-.*/task-0' "$M/runs/latest/log"
}

need_cgroups()
{
	has_cgroups || skip 'no cgroups can be made here'
}

lives()
{
	local state
	state=$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null) || return 1
	[ "$state" != Z ]
}

gone()
{
	not lives "$1"
}

# The runner of a task's shell.
runner_of()
{
	cut -d ' ' -f 4 "/proc/$1/stat"
}

hides_and_fails()
{
	script hide.sloth "python3 $T/hide.py $T/pid; until [ -s $T/pid ]; do sleep 0.01; done; exit 3"
	cp hide.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = failed ]
	gone "$(cat pid)"
}

@test "a task that fails leaves nothing behind, however it hides: with cgroups" {
	need_cgroups
	hides_and_fails
}

@test "a task that fails leaves nothing behind, however it hides: without cgroups" {
	without_cgroups
	hides_and_fails
	script where.sloth 'cat /proc/self/cgroup'
	cp where.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	not grep -q '/sloth/run-' "$M/runs/latest/log"
}

@test "kill -9 of a runner: its tasks end, also one that hides; what a successful task left goes on" {
	need_cgroups
	cat >crash.sloth <<X
task("server"):command("sleep 1000 >/dev/null 2>&1 & echo \$! > $T/pid-server")
task("work"):depends_on("server"):command("python3 $T/hide.py $T/pid; echo \$\$ > $T/pid-task; until [ -e $T/never ]; do sleep 0.05; done")
X
	cp crash.sloth "$M/runs/"
	eventually test -s pid-task
	eventually test -s pid
	kill -KILL "$(runner_of "$(cat pid-task)")"
	[ "$(cat "$M/runs/latest/wait")" = interrupted ]
	eventually gone "$(cat pid-task)"
	eventually gone "$(cat pid)"
	lives "$(cat pid-server)"
	[ "$(cat "$M/runs/latest/tasks/work/status")" = lost ]
	[ "$(cat "$M/runs/latest/tasks/server/status")" = success ]
}

@test "kill -9 of a runner without cgroups: what it marked ends, what a successful task left goes on" {
	without_cgroups
	cat >crash.sloth <<X
task("server"):command("setsid sleep 1000 >/dev/null 2>&1 & echo \$! > $T/pid-server")
task("work"):depends_on("server"):command("setsid sleep 1000 >/dev/null 2>&1 & echo \$! > $T/pid; echo \$\$ > $T/pid-task; until [ -e $T/never ]; do sleep 0.05; done")
X
	cp crash.sloth "$M/runs/"
	eventually test -s pid-task
	kill -KILL "$(runner_of "$(cat pid-task)")"
	[ "$(cat "$M/runs/latest/wait")" = interrupted ]
	eventually gone "$(cat pid-task)"
	eventually gone "$(cat pid)"
	lives "$(cat pid-server)"
}

@test "daemon and runner are both killed: the next daemon ends what was left, and retry goes on from what had finished" {
	has_cgroups && cgroups=yes
	mkdir "$M/stacks/prod"
	cat >both.sloth <<X
task("first"):command("echo once >> $T/first")
task("work"):depends_on("first"):command("python3 $T/hide.py $T/pid; echo \$\$ > $T/pid-task; until [ -e $T/go ]; do sleep 0.05; done; echo through")
X
	cp both.sloth "$M/stacks/prod/runs/"
	eventually test -s pid-task
	eventually test -s pid
	runner=$(runner_of "$(cat pid-task)")
	kill_daemon
	kill -KILL "$runner"
	start_daemon
	[ "$(cat "$M/stacks/prod/runs/both/wait")" = interrupted ]
	eventually gone "$(cat pid-task)"
	[ -z "${cgroups-}" ] || eventually gone "$(cat pid)"
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
	[ "$(cat "$M/stacks/prod/runs/both/tasks/work/status")" = lost ]
	touch go
	echo 'retry failed' >"$M/stacks/prod/runs/both/ctl"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ]
	[ "$(wc -l <first)" -eq 1 ]
	file_has "$M/stacks/prod/runs/latest/log" through
}

@test "an ordinary user's run has a cgroup of its own, too, and it is removed afterwards" {
	need_root
	need_cgroups
	base=$(sed -n 's/.* \([^ ]*\) rw.* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n 1)
	[ -d "$base" ]
	cat >theirs.sloth <<X
task("a"):command([==[
	grep ^0:: /proc/self/cgroup; python3 $T/hide.py $T/world/pid; until [ -s $T/world/pid ]; do sleep 0.01; done
	own=$base\$(sed -n s/^0:://p /proc/self/cgroup)
	mkdir -p "\$own/1/2" && echo some; mkdir -p "\$own/1/2/3/4/5/6/7/8/9" || echo not so deep
	echo 0 >$base/cgroup.procs || echo not out
	exit 1
]==])
X
	mkdir -m 777 world
	mkdir "$M/stacks/theirs"
	chown $nobody "$M/stacks/theirs"
	as $nobody cp theirs.sloth "$M/stacks/theirs/runs/"
	latest=$(readlink "$M/runs/latest")
	[ "$(cat "$M/runs/$latest/wait")" = failed ]
	grep -q "/sloth/run-$latest-.*/task-0" "$M/runs/$latest/log"
	gone "$(cat world/pid)"
	grep -q some "$M/runs/$latest/log"
	grep -q 'not so deep' "$M/runs/$latest/log"
	grep -q 'not out' "$M/runs/$latest/log"
	path=$(grep -ho "/[^ ]*/run-$latest-[0-9a-f]*" "$M/runs/$latest/log" | head -n 1)
	eventually test ! -e "$base$path"
}

@test "user: a task's commands as another user, with his groups, environment and directory" {
	need_root
	name=$(getent passwd $nobody | cut -d : -f 1)
	group=$(id -gn $nobody)
	cat >as.sloth <<X
task("a"):user("$name"):workdir("sub"):command([==[
	id -un; id -Gn; echo "\$HOME|\$USER|\$LOGNAME|\$SLOTH_TASK"; touch here && stat -c %U here
	echo answer=42 >> "\$SLOTH_OUTPUT"
	cat /proc/self/cgroup | grep -q . && ! cat $SLOTH_HOME/sloth.db >/dev/null 2>&1 && echo no database
]==])
task("b"):depends_on("a"):command(function(this, params, deps)
	assert(deps.a.answer == "42")
	assert(exec.run("id -un", { user = "$name" }).stdout == "$name\n")
	assert(exec.run("id -u", { user = "$nobody" }).stdout == "$nobody\n")
	assert(exec.run("id -un").stdout == "root\n")
	assert(exec.run("id -un", { user = "root" }).stdout == "root\n")
	assert(exec.run("echo \$HOME", { user = "$name", env = { HOME = "/x" } }).stdout == "/x\n")
	local r, err, failed = exec.run("true", { user = "no-such-user" })
	assert(failed and r.exit_code == 126 and err == "user 'no-such-user': there is no such user here", err)
	r, err = exec.run("true", { user = "$name", workdir = "/root" })
	assert(err == "user '$name' may not enter the working directory /root", err)
end)
X
	[ "$(stat -c %a /root)" = 700 ] || skip '/root is open to everybody here'
	cp as.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ] || { cat "$M/runs/latest/log" "$M/runs/latest/error"; false; }
	log=$M/runs/latest/tasks/a/log
	[ "$(head -n 1 "$log")" = "$name" ]
	[ "$(sed -n 2p "$log")" = "$group" ]
	grep -qxF "$(getent passwd $nobody | cut -d : -f 6)|$name|$name|a" "$log"
	grep -qx 'no database' "$log"
	[ "$(sed -n 4p "$log")" = "$name" ]
}

@test "user: nobody but root becomes another" {
	need_root
	mkdir "$M/stacks/x"
	chown $nobody "$M/stacks/x"
	echo 'task("a"):user("root"):command("id")' >root.sloth
	not as $nobody cp root.sloth "$M/stacks/x/runs/"
	[[ $(cat "$M/stacks/x/runs/latest/error") == *"root.sloth:1"*"only root's runs may become another user"* ]]
	echo 'task("a"):user("'$nobody'"):command(function() local r, err = exec.run("id", { user = "root" }); error(err) end)' >self.sloth
	as $nobody cp self.sloth "$M/stacks/x/runs/"
	[ "$(cat "$M/stacks/x/runs/latest/wait")" = failed ]
	[[ $(cat "$M/stacks/x/runs/latest/error") == *"only root's runs may become another user"* ]]
}

@test "how a command ended is told: exit status, signal, core" {
	cat >ends.sloth <<'X'
workflow("ends"):config({ on_failure = "continue" })
task("code"):command("exit 7")
task("killed"):command("kill -KILL $$")
task("segv"):command("ulimit -c 0; kill -SEGV $$")
task("late"):timeout("100ms"):command("sleep 1000")
X
	cp ends.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = failed ]
	file_has "$M/runs/latest/tasks/code/error" 'exit status 7'
	file_has "$M/runs/latest/tasks/killed/error" 'ended by SIGKILL (Killed)'
	file_has "$M/runs/latest/tasks/segv/error" 'ended by SIGSEGV (Segmentation fault)'
	file_has "$M/runs/latest/tasks/killed/attempts" SIGKILL
	file_has "$M/runs/latest/tasks/late/status" timed_out
	file_has "$M/runs/latest/tasks/late/error" 'timed out after 100ms'
}
