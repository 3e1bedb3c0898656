#!/usr/bin/env bats
# Workflows by command: their end, their output, their exit status.

bats_require_minimum_version 1.5.0
load common

@test "a run that succeeds: its log, a summary, exit 0" {
	workflow hello.sloth 'echo "hello from the task"'
	run sloth run hello.sloth
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} =~ ^✓\ Run\ [0-9]+\ of\ hello.sloth.*success\ in ]]
	run sloth stack list
	[[ $output == *hello*completed* ]]
}

@test "of the daemon's environment a run sees nothing, not in its runner either" {
	workflow hello.sloth 'env; tr "\0" "\n" </proc/$PPID/environ; tr "\0" " " </proc/$PPID/cmdline'
	ONLY_THE_DAEMONS=secret run sloth run hello.sloth
	[ "$status" -eq 0 ]
	[[ $output != *ONLY_THE_DAEMONS* ]]
	[[ $output == *SLOTH_RUN=1* ]]
	[[ $output == *'| sloth-runner'* ]]
}

@test "a run that fails: exit 1, and why" {
	workflow bad.sloth 'exit 3'
	run -1 sloth run bad.sloth
	[[ $output == *'✗ Run '*failed* ]]
	[[ $output == *'work: '* ]]
	run -1 sloth run bad.sloth --quiet
	[ "${#lines[@]}" -eq 1 ]
}

@test "a workflow that is refused: exit 10 with file and line" {
	echo 'workflow.define("x' >broken.sloth
	run -10 sloth run broken.sloth
	[[ $output == *broken.sloth:1* ]]
	: >empty.sloth
	run -10 sloth run empty.sloth
	[[ $output == *empty* ]]
	run -4 sloth run missing.sloth
	cp broken.sloth 'a b.sloth'
	run -10 sloth run 'a b.sloth'
	[[ $output == *'--file'* ]]
}

@test "on a stack, which is made if it is not there" {
	workflow hello.sloth 'true'
	sloth run hello.sloth --stack prod --quiet
	[ "$(sloth cat /stacks/prod/status)" = completed ]
	sloth run hello.sloth --stack prod --quiet
	[[ $(sloth stack show prod) == *'Total Executions: 2'* ]]
}

@test "values: files over each other, --set over all" {
	cat >show.sloth <<'END'
local t = task("show"):command(function()
	log.info("region=" .. tostring(values.region) .. " size=" .. tostring(values.size) .. " db=" .. tostring(values.db.host))
	return true
end):build()
workflow.define("show"):tasks({ t })
END
	printf 'region: eu\nsize: 1\ndb:\n  host: one\n' >a.yaml
	printf '{"size": 2}' >b.json
	run sloth run show.sloth --values a.yaml --values b.json --set db.host=two
	[ "$status" -eq 0 ]
	[[ $output == *'region=eu size=2 db=two'* ]]
	printf 'a: [\n' >bad.yaml
	run -10 sloth run show.sloth --values bad.yaml
	[[ $output == *bad.yaml* ]]
	run -10 sloth run show.sloth --set region
}

@test "--detach prints the number; --file names the run" {
	workflow hello.sloth 'true'
	run sloth run greeting --file hello.sloth --detach
	[ "$status" -eq 0 ]
	[[ $output =~ ^[0-9]+$ ]]
	[ "$(sloth cat "/runs/$output/wait")" = success ]
	[ "$(sloth cat /runs/greeting/status)" = success ]
}

@test "--json: changes of state, then the result" {
	workflow hello.sloth 'true'
	run sloth run hello.sloth --json
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == '{"type":"run"'* ]]
	[[ $output == *'{"type":"task"'*'"task":"work"'* ]]
	[[ ${lines[-1]} == '{"type":"result"'*'"status":"success"'* ]]
}

@test "Ctrl-C cancels the run: exit 15" {
	workflow long.sloth 'echo begun; exec sleep 1000'
	set -m
	sloth run long.sloth >out 2>err &
	pid=$!
	set +m
	eventually sloth cat /runs/long/tasks/work/status
	eventually bash -c '[ "$(sloth cat /runs/long/tasks/work/status)" = running ]'
	kill -INT "$pid"
	result=0
	wait "$pid" || result=$?
	[ "$result" -eq 15 ]
	grep -q 'Cancelling' err
	grep -q cancelled out
	[ "$(sloth cat /runs/long/status)" = cancelled ]
}

@test "a run that is killed with its terminal goes on" {
	workflow short.sloth "until [ -e $PWD/go ]; do sleep 0.05; done; echo done"
	set -m
	# (These tests may have been started by nohup.)
	env --default-signal=HUP sloth run short.sloth >out 2>&1 &
	pid=$!
	set +m
	eventually sloth cat /runs/short/status
	kill -HUP "$pid"
	wait "$pid" || :
	touch go
	[ "$(sloth cat /runs/short/wait)" = success ]
}

@test "outputs: all, one, as JSON; a missing one" {
	cat >out.sloth <<'END'
local t = task("t"):command(function()
	stack.set_output("url", "https://example.com")
	stack.set_output("count", 3)
	return true
end):build()
workflow.define("out"):tasks({ t })
END
	sloth run out.sloth --quiet
	[ "$(sloth stack output out url)" = https://example.com ]
	run sloth stack output out
	[[ $output == *'count=3'*'url=https://example.com'* ]]
	run sloth stack outputs out --json
	[[ $output == *'"count": 3'* ]]
	run -4 sloth stack output out nothing
}

@test "a daemon that dies under a run: the command finds the next one and sees the end" {
	workflow long.sloth "until [ -e $PWD/go ]; do sleep 0.05; done; echo over"
	sloth run long.sloth >out 2>err &
	pid=$!
	eventually bash -c '[ "$(sloth cat /runs/long/tasks/work/status)" = running ]'
	kill -9 "$(daemon_pid)"
	touch go
	wait "$pid"
	cat out
	grep -q 'success' out
}

@test "a second Ctrl-C ends what ignores the first one" {
	workflow deaf.sloth 'trap "" TERM INT; while :; do sleep 0.1; done'
	set -m
	sloth run deaf.sloth >out 2>err &
	pid=$!
	set +m
	eventually bash -c '[ "$(sloth cat /runs/deaf/tasks/work/status)" = running ]'
	kill -INT "$pid"
	eventually grep -q Ctrl-C err
	kill -INT "$pid"
	result=0
	wait "$pid" || result=$?
	[ "$result" -eq 15 ]
	grep -q 'at once' err
}

@test "--wait: the lock is waited for, and who has it is named" {
	workflow slow.sloth "until [ -e $BATS_TEST_TMPDIR/go ]; do sleep 0.05; done"
	workflow next.sloth 'echo after'
	sloth run slow.sloth --stack prod --detach
	run -5 sloth run next.sloth --stack prod
	[[ $output == *'locked by run 1 of'*'sloth run --wait 10m'* ]]
	run -6 sloth run next.sloth --stack prod --wait 100ms
	[[ $output == *'timed_out'* ]]
	run -10 sloth run next.sloth --stack prod --wait soon
	sloth run next.sloth --stack prod --wait 5m >out 2>&1 &
	local waiter=$!
	eventually grep -q 'Run 5 waits for the lock of stack prod' out
	touch go
	wait $waiter
	grep -q 'success' out
}

@test "retry: what failed, or all, as a new run that is followed" {
	cat >deploy.sloth <<END
task("build"):command("echo built >>$PWD/built; echo what >f"):artifacts("f")
task("check"):consumes("build"):command("cat f; test -e $PWD/may")
END
	run -1 sloth run deploy.sloth
	run -1 sloth retry deploy
	[[ $output == *'Run 2'*'check: failed'* ]]
	touch may
	run sloth retry 2 failed
	[ "$status" -eq 0 ]
	[[ $output == *'Run 3'*'check | what'* ]]
	[ "$(wc -l <built)" -eq 1 ]
	run sloth run retry latest all --quiet
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(wc -l <built)" -eq 2 ]
	[ "$(sloth retry latest --detach)" = 5 ]
	[ "$(sloth cat /runs/5/wait)" = success ]
	[[ $(sloth retry latest --detach --json) == *'"run": 6'* ]]
	run -10 sloth retry
	run -10 sloth retry 1 some
	[[ $output == *'"some": what to retry is "failed" or "all"'* ]]
	run -10 sloth retry 1 --detach --junit x
	run -4 sloth retry 77
	[[ $output == *'there is no run 77'* ]]
	run -4 sloth retry nothing
	[ "$(sloth complete retry 1 '')" = $'failed\nall' ]
	[[ $(sloth complete retry '') == *deploy* ]]
}

@test "retry: not of a run that goes on" {
	workflow slow.sloth "until [ -e $PWD/go ]; do sleep 0.05; done"
	sloth run slow.sloth --detach
	run -5 sloth retry slow
	[[ $output == *'run 1 is still'* ]]
	touch go
	[ "$(sloth cat /runs/1/wait)" = success ]
}

@test "retry: what was finished has given more than can be handed over" {
	cat >large.sloth <<'END'
for i = 1, 5 do
	task("t" .. i):command(function() return true, "made", { text = ("x"):rep(1000000) } end)
end
task("last"):depends_on("t1", "t2", "t3", "t4", "t5"):command("false")
END
	run -1 sloth run large.sloth
	run -1 sloth retry latest
	[[ $output == *'the outputs of the tasks that had finished) has more than 4 MiB; '*'does all tasks again'* ]]
	run -1 sloth retry 1 all
}
