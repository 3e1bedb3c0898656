#!/usr/bin/env bats
# Files that tasks keep with their run, and give to others.

bats_require_minimum_version 1.5.0
load common

# flow NAME: standard input is the workflow; it is run.
flow()
{
	cat >"$1.sloth"
	run sloth run "$1.sloth"
}

@test "kept under their paths, with their modes, and put into the directory of who consumes them" {
	flow a <<'END'
task("build"):command([[mkdir -p out/sub; printf hello >out/a.txt; printf b >out/sub/b.bin; : >out/empty; chmod 755 out/a.txt
	ln -s a.txt out/link; printf no >other.txt]]):artifacts("out", "**/*.bin")
task("all"):consumes("build"):command('cat out/a.txt out/link out/sub/b.bin && test -x out/a.txt && test ! -s out/empty && test ! -e other.txt')
task("some"):consumes({ "build/out/*.txt" }):command(function() return exec.run("find . -type f").stdout == "./out/a.txt\n" end)
END
	[ "$status" -eq 0 ]
	[ "$(sloth cat /runs/1/tasks/all/log)" = hellohellob ]
	[ "$(sloth cat /runs/1/artifacts/out/a.txt)" = hello ]
	[ "$(sloth ls /runs/1/artifacts/out)" = $'a.txt\nempty\nlink\nsub' ]
	[ "$(sloth cat /runs/1/tasks/build/artifacts/out/sub/b.bin)" = b ]
	[ -z "$(sloth ls /runs/1/tasks/all/artifacts)" ]
	run -4 sloth cat /runs/1/artifacts/other.txt
	run -4 sloth cat /runs/1/artifacts/out/sub/c
}

@test "a failed try keeps nothing, the next one what it has" {
	flow a <<'END'
task("t"):command('echo $SLOTH_TRY >f; test $SLOTH_TRY = 2'):artifacts("f"):retries(1, { base = 0.01 })
task("late"):command('echo x >g'):artifacts("g"):post_hook(function() return false end)
task("no"):command('echo x >h; exit 1'):artifacts("h")
workflow.define("a"):tasks({ "t", "late", "no" }):config({ on_failure = "continue" })
END
	[ "$status" -eq 1 ]
	[ "$(sloth ls /runs/1/artifacts)" = f ]
	[ "$(sloth cat /runs/1/artifacts/f)" = 2 ]
	[ "$(ls "$SLOTH_HOME/artifacts/1" | wc -l)" -eq 1 ]
}

@test "what can't be kept fails the try, and is named" {
	flow a <<'END'
task("none"):command("true"):artifacts("out/*.tar")
task("out"):command("ln -s /etc/passwd p"):artifacts("p")
task("up"):command("mkdir d; ln -s ../.. d/l; touch d/f"):artifacts("d/l/**")
task("dir"):command("mkdir d; ln -s d l"):artifacts("l")
task("pipe"):command("mkfifo q"):artifacts("*")
task("name"):command([[touch "$(printf 'a\nb')"]]):artifacts("a*")
task("one"):command("touch same"):artifacts("same")
task("two"):depends_on("one"):command("touch same"):artifacts("same")
task("wants"):consumes("one/other"):command("true")
task("dry"):command("true")
task("wants2"):consumes("dry"):command("true")
workflow.define("a"):tasks({ "none", "out", "up", "dir", "pipe", "name", "one", "two", "wants", "dry", "wants2" }):config({ on_failure = "continue" })
END
	[ "$status" -eq 1 ]
	error() { sloth cat "/runs/1/tasks/$1/error"; }
	[ "$(error none)" = 'the artifact out/*.tar is not there' ]
	[ "$(error out)" = "the artifact p is a link that leads out of the task's directory" ]
	[ "$(error up)" = 'the artifact d/l/** is not there' ]
	[ "$(error dir)" = 'the artifact l is a link to a folder, and only plain files can be kept' ]
	[ "$(error pipe)" = 'the artifact q is a device, a pipe or a socket, and only plain files can be kept' ]
	[[ $(error name) == *'has control characters in it'* ]]
	[ "$(error two)" = "the artifact same can't be kept: task one keeps that path already" ]
	[ "$(error wants)" = "consumes 'one/other': task one has kept no such artifact; it keeps same" ]
	[ "$(error wants2)" = "consumes 'dry': task dry has kept no such artifact; it keeps none" ]
}

@test "refused where it is written" {
	flow up <<'END'
task("t"):command("true"):artifacts("a/../b")
END
	[ "$status" -eq 10 ]
	[[ $output == *"up.sloth:1: task 't': 'artifacts' must be a relative path or glob"*"not 'a/../b'"* ]]
	flow root <<'END'
task("t"):command("true"):artifacts({ "/etc/passwd" })
END
	[ "$status" -eq 10 ]
	flow who <<'END'
task("build"):command("true")
task("t"):command("true"):consumes("biuld/x")
END
	[ "$status" -eq 10 ]
	[[ $output == *"who.sloth:2: task 't' depends on 'biuld'"*build* ]]
}

@test "nothing is written outside of the directory of who consumes" {
	mkdir victim
	cat >a.sloth <<END
task("build"):command("mkdir d; echo new >d/f"):artifacts("d/f")
task("t"):consumes("build"):workdir("$PWD/work"):command("true")
END
	mkdir work
	ln -s "$PWD/victim" work/d
	run sloth run a.sloth
	[ "$status" -eq 1 ]
	[[ $(sloth cat /runs/1/tasks/t/error) == *'a link on its way leads elsewhere'* ]]
	[ -z "$(ls victim)" ]
	rm work/d
	mkdir work/d
	echo old >victim/f
	ln -s "$PWD/victim/f" work/d/f
	run sloth run a.sloth
	[ "$status" -eq 0 ]
	[ "$(cat victim/f)" = old ]
	[ "$(cat work/d/f)" = new ]
}

@test "limits, and what is over them" {
	mkdir -p config/sloth
	printf 'max_artifact_size: 1000\nmax_run_artifacts: 1500\n' >config/sloth/config.yaml
	XDG_CONFIG_HOME=$PWD/config flow a <<'END'
task("big"):command("head -c 1001 /dev/zero >f"):artifacts("f")
task("one"):command("head -c 1000 /dev/zero >g"):artifacts("g")
task("two"):depends_on("one"):command("head -c 501 /dev/zero >h"):artifacts("h")
workflow.define("a"):tasks({ "big", "one", "two" }):config({ on_failure = "continue" })
END
	[ "$(sloth cat /runs/1/tasks/big/error)" = 'the artifact f has 1001 bytes, and the limit is 1000 (max_artifact_size)' ]
	[[ $(sloth cat /runs/1/tasks/two/error) == *'the run would keep 1501 bytes, and the limit is 1500 (max_run_artifacts)' ]]
	[ "$(sloth ls /runs/1/artifacts)" = g ]
}

# Its permissions, as the tree shows them.
mode_of()
{
	sloth ls -l "/runs/1/artifacts/$1" | grep -oE '^[-d]([r-][w-][x-]){3}'
}

@test "one that has a secret in it is its owner's alone, and the log says so" {
	printf 'hunter22hunter22' | sloth secrets set password
	flow a <<'END'
task("t"):command(function()
	local value = secret.get("password")
	fs.write("plain", "nothing in it\n")
	fs.write("config", "user=app\npassword=" .. value .. "\n")
	fs.write("edge", ("x"):rep(262144 - 7) .. value .. ("y"):rep(300000))
	fs.write("encoded", "a" .. crypto.base64_encode(value))
	fs.write(value, "nothing\n")
	fs.write("mine", value)
	exec.run("chmod 600 mine; chmod 755 config")
end):artifacts("*")
task("after"):consumes("t/config"):command("cat config; ls -l config | cut -c 1-10")
END
	[ "$status" -eq 0 ]
	[ "$(mode_of plain)" = -r--r--r-- ]
	[ "$(mode_of '***')" = -r--r--r-- ]
	for name in config edge encoded mine; do
		[[ $(mode_of $name) == -r-[x-]------ ]] || { echo "$name: $(mode_of $name)"; false; }
	done
	# As it is: a part of a file is not replaced, and who consumes it gets what was kept.
	sloth cat /runs/1/artifacts/edge | grep -q 'xhunter22hunter22y'
	[ "$(sloth cat /runs/1/tasks/after/log)" = $'user=app\npassword=***\n-rwx------' ]
	log=$(sloth cat /runs/1/tasks/t/log)
	[ "$(grep -c 'has a secret in it that the run was handed: only its owner may read it' <<<"$log")" -eq 3 ]
	[[ $log == *'warning: the artifact config has a secret'* && $log == *'the artifact edge has'* && $log != *hunter22* ]]
	[[ $log != *plain* ]]
}

@test "a retry of what failed has the artifacts of tasks that are kept" {
	cat >a.sloth <<END
task("build"):command("head -c 600000 /dev/zero >f; echo built >>$PWD/built"):artifacts("f")
task("t"):consumes("build"):command("test -e $PWD/may && wc -c <f")
END
	run sloth run a.sloth
	[ "$status" -eq 1 ]
	touch may
	echo 'retry failed' | sloth write /runs/1/ctl
	[ "$(sloth cat /runs/2/wait)" = success ]
	[ "$(sloth cat /runs/2/tasks/t/log)" = 600000 ]
	[ "$(wc -l <built)" -eq 1 ]
}

@test "each try has its log, its error and its times" {
	flow a <<'END'
task("t"):command('echo try $SLOTH_TRY; test $SLOTH_TRY = 3 || { echo "no $SLOTH_TRY" >&2; exit 7; }'):retries(3, { base = 0.01 })
	:on_success(function() log.info("well done") end)
END
	[ "$status" -eq 0 ]
	cd_attempt() { sloth cat "/runs/1/tasks/t/attempts.d/$1"; }
	[ "$(sloth ls /runs/1/tasks/t/attempts.d)" = $'1\n2\n3' ]
	[ "$(cd_attempt 1/status) $(cd_attempt 2/status) $(cd_attempt 3/status)" = 'failed failed success' ]
	[ "$(cd_attempt 1/log | sort)" = $'no 1\ntry 1' ]
	[ "$(cd_attempt 2/log | sort)" = $'no 2\ntry 2' ]
	[ "$(cd_attempt 3/log)" = $'try 3\nwell done' ]
	[ "$(cd_attempt 1/log; cd_attempt 2/log; cd_attempt 3/log)" = "$(sloth cat /runs/1/tasks/t/log)" ]
	[ "$(cd_attempt 2/error)" = 'exit status 7: no 2' ]
	[ -z "$(cd_attempt 3/error)" ]
	[ "$(cd_attempt 1/kind)" = run ]
	[[ $(cd_attempt 1/started) < $(cd_attempt 2/finished) ]]
	[ "$(sloth cat /runs/1/tasks/t/attempts.json | python3 -c 'import json, sys
print([(a["attempt"], a["status"], a["log_size"]) for a in json.load(sys.stdin)])')" = "[(1, 'failed', 11), (2, 'failed', 11), (3, 'success', 16)]" ]
	run -4 sloth cat /runs/1/tasks/t/attempts.d/4/log
	run -4 sloth cat /runs/1/tasks/t/attempts.d/01/log
}

# sending FILES: a run whose second task keeps so many of two megabytes. That the first one is over has been told.
sending()
{
	cat >a.sloth <<END
task("first"):command("echo \$PPID >$PWD/runner; head -c 2000000 /dev/urandom >f0; sha256sum f0 >$PWD/sums"):artifacts("f0")
task("many"):depends_on("first"):command("until [ -e $PWD/go ]; do sleep 0.05; done; for i in \$(seq $1); do head -c 2000000 /dev/urandom >f\$i; done; sha256sum f* >>$PWD/sums"):artifacts("f*")
END
	sloth run a.sloth --detach
	eventually sh -c '[ "$(sloth cat /runs/1/tasks/first/status)" = success ]'
}

# Waits until the daemon has so many, whole or not.
have_come()
{
	local end=$((SECONDS + 120))
	until [ "$(find "$SLOTH_HOME/artifacts/1" -type f 2>/dev/null | wc -l)" -ge "$1" ]; do
		((SECONDS < end)) || return 1
	done
}

# What is shown is whole: the sums of its files are those of the task's.
is_whole()
{
	local name
	for name; do
		[ "$(sloth cat "/runs/1/artifacts/$name" | sha256sum | cut -d ' ' -f 1)  $name" = "$(grep " $name\$" sums)" ] || { echo "$name is another"; return 1; }
	done
}

@test "the daemon is killed while artifacts are on their way: those that are kept are whole, and the others come" {
	sending 24
	for count in 3 8 13 18 23; do
		pid=$(daemon_pid)
		touch go
		have_come "$count"
		kill -9 "$pid"
		names=$(sloth ls /runs/1/artifacts)
		# All of a task's, or none.
		[ "$names" = f0 ] || [ "$(wc -l <<<"$names")" -eq 25 ]
		# shellcheck disable=SC2086 # one word a name
		is_whole $names
	done
	[ "$(sloth cat /runs/1/wait)" = success ]
	[ "$(sloth ls /runs/1/artifacts | wc -l)" -eq 25 ]
	# shellcheck disable=SC2046 # one word a name
	is_whole $(sloth ls /runs/1/artifacts)
	[ "$(find "$SLOTH_HOME/artifacts/1" -type f | wc -l)" -eq 25 ]
}

@test "the daemon and the run are killed while artifacts are on their way: those of the task that was over are there" {
	sending 24
	pid=$(daemon_pid)
	touch go
	have_come 3
	kill -STOP "$(cat runner)"
	kill -9 "$pid" "$(cat runner)"
	sloth cat /runs/1/wait
	# Who was slow to kill them finds all of it.
	if [ "$(sloth cat /runs/1/tasks/many/status)" = success ]; then
		count=25
	else
		count=1
		[ "$(sloth cat /runs/1/status)" = interrupted ]
		[ -z "$(sloth ls /runs/1/tasks/many/artifacts)" ]
	fi
	[ "$(sloth ls /runs/1/artifacts | wc -l)" -eq $count ]
	# shellcheck disable=SC2046 # one word a name
	is_whole f0 $(sloth ls /runs/1/artifacts)
	[ "$(find "$SLOTH_HOME/artifacts/1" -type f | wc -l)" -eq $count ]
}
