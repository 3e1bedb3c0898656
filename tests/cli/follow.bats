#!/usr/bin/env bats
# Following runs: lines of a pipe, attach, logs, lists, summaries, test reports.

bats_require_minimum_version 1.5.0
load common

# A run with all ends: out and err, another try, a failure, something after it.
make_mixed()
{
	cat >mixed.sloth <<'END'
local build = task("build"):command("echo out; echo err >&2; printf 'a\\377b\\n'"):build()
local say = task("say"):depends_on({ build }):command(function() log.info("from lua") return true end):build()
local flaky = task("flaky"):depends_on({ say }):retries(1, { strategy = "fixed", base = "10ms" }):command("echo try; exit 3"):build()
local after = task("after"):depends_on({ flaky }):command("true"):build()
workflow.define("mixed"):tasks({ build, say, flaky, after })
END
}

@test "in a pipe: a line for each event and each line of output, errors once, no escapes" {
	make_mixed
	run -1 --separate-stderr sloth run mixed.sloth
	[ "$stderr" = '' ]
	[[ $output != *$'\033'* ]]
	[ "${lines[0]}" = 'Run 1: workflow mixed, 4 tasks' ]
	[ "${lines[1]}" = 'build: running' ]
	# What a command prints comes before its end; its two streams in any order.
	[[ ${lines[2]} == 'build | '* ]]
	[[ $output == *'build | out'*'build: success in '* ]]
	[[ $output == *'build | err'*'build: success in '*'say | from lua'*'say: success in '* ]]
	[[ $output == *'flaky | try'*'flaky: try 1 failed in '*': exit status 3; next try in '*'flaky: running (try 2)'*'flaky | try'*'flaky: failed in '*'(try 2): exit status 3'* ]]
	[[ $output == *'after: upstream_failed: not started, because flaky failed'* ]]
	[ "$(grep -c 'failed.*exit status 3' <<<"$output")" -eq 2 ]
	[[ ${lines[-1]} =~ ^✗\ Run\ 1\ of\ mixed.sloth\ on\ mixed:\ failed\ in\ .*\(2\ success,\ 1\ failed,\ 1\ upstream_failed\)$ ]]
	# Bytes are what they were.
	sloth logs --task build | grep -qaF $'a\377b'
}

@test "--timestamps, --verbose with --json, --quiet" {
	make_mixed
	run -1 sloth run mixed.sloth --timestamps
	[[ ${lines[1]} =~ ^20[0-9-]{8}T[0-9:.]{12}Z\ build:\ running$ ]]
	[[ ${lines[2]} =~ ^20[0-9-]{8}T[0-9:.]{12}Z\ build\ \|\  ]]
	sloth run mixed.sloth --json --verbose >out || [ $? -eq 1 ]
	python3 - <<'END'
import json
lines = [json.loads(line) for line in open("out")]
assert lines[0] == {**lines[0], "type": "run", "from": None, "to": "queued", "status": "queued"}, lines[0]
logs = [line for line in lines if line["type"] == "log"]
assert {line["stream"] for line in logs} == {"out", "err", "log"}, logs
assert [line["try"] for line in logs if line["task"] == "flaky"] == [1, 2], logs
tasks = [(line["task"], line["to"], line["try"]) for line in lines if line["type"] == "task"]
assert tasks == [("build", "running", 1), ("build", "success", 1), ("say", "running", 1), ("say", "success", 1),
                 ("flaky", "running", 1), ("flaky", "retry_wait", 1), ("flaky", "running", 2), ("flaky", "failed", 2),
                 ("after", "upstream_failed", 0)], tasks
assert lines[-1]["type"] == "result" and lines[-1]["status"] == "failed"
assert lines[-2]["type"] == "run" and lines[-2]["to"] == "failed"
END
	run -1 --separate-stderr sloth run mixed.sloth --quiet
	[ "$output" = '' ]
	[ "$stderr" = 'sloth: run 3: failed: task flaky: exit status 3' ]
}

@test "logs: of all, of a task, a try, a stream, since then, the last ones" {
	make_mixed
	sloth run mixed.sloth --quiet || :
	run sloth logs
	[ "${#lines[@]}" -eq 6 ]
	[[ ${lines[0]} == 'build | '* ]]
	run sloth logs mixed --task flaky --try 2
	[ "$output" = 'try' ]
	run sloth logs 1 --stream err
	[ "$output" = 'build | err' ]
	run sloth run logs 1 --stream log
	[ "$output" = 'say | from lua' ]
	run sloth logs latest -n 1
	[ "$output" = 'flaky | try' ]
	run sloth logs --task build --task say --json
	[ "${#lines[@]}" -eq 4 ]
	[[ $output == *'"text":"out"'* ]]
	run sloth logs --since 1h -n 2 --timestamps
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} =~ Z\ flaky\ \|\ try$ ]]
	run sloth logs --since 2020-01-01 --stream err
	[ "${#lines[@]}" -eq 1 ]
	run -4 sloth logs --task biuld
	[[ $output == *'no task "biuld": did you mean build?'* ]]
	run -4 sloth logs 99
	[[ $output == *'there is no run 99'* ]]
	run -4 sloth logs nothing
	run -10 sloth logs --stream stdout
	run -10 sloth logs --since tomorrow
	run -10 sloth logs 'a b'
}

@test "logs --follow: to the end, over a restart of the daemon" {
	workflow slow.sloth "echo one; until [ -e $BATS_TEST_TMPDIR/go ]; do sleep 0.05; done; echo two"
	sed -i 's/local result = exec.run(\(.*\))$/local result = exec.run(\1, { stream = true })/' slow.sloth
	sloth run slow.sloth --detach
	sloth logs slow --follow >out &
	local reader=$!
	eventually bash -c '[ "$(sloth cat /runs/slow/tasks/work/status)" = running ]'
	kill -9 "$(daemon_pid)"
	eventually sloth cat /runs/slow/status
	touch go
	wait $reader
	grep -q two out
	[ "$(grep -c one out)" -eq 1 ]
}

@test "attach: what goes on, what is over; Ctrl-C leaves it alone" {
	workflow slow.sloth "until [ -e $BATS_TEST_TMPDIR/go ]; do sleep 0.05; done; exit 3"
	sloth run slow.sloth --detach
	set -m
	sloth run attach slow >out 2>&1 &
	local first=$!
	sloth run attach latest --json >json 2>&1 &
	local second=$!
	set +m
	eventually grep -q 'work: running' out
	kill -INT $first
	wait $first || [ $? -eq 130 ]
	[ "$(sloth cat /runs/slow/status)" = running ]
	touch go
	local result=0
	wait $second || result=$?
	[ $result -eq 1 ]
	[[ $(tail -n 1 json) == '{"type":"result"'*'"status":"failed"'* ]]
	run -1 sloth follow 1
	[[ $output == *'work: failed in '* ]]
	run -4 sloth run attach 2
	run -4 sloth follow nothing
}

@test "run list and run show" {
	run sloth run list
	[ "$output" = '' ]
	run -4 sloth run show
	[[ $output == *'there is no run yet'* ]]
	make_mixed
	workflow good.sloth true
	sloth run mixed.sloth --quiet || :
	sloth run good.sloth --stack prod --quiet
	run sloth run list
	[ "${#lines[@]}" -eq 3 ]
	[[ ${lines[1]} == *2*good*prod*success* ]]
	run sloth run list --status failed --json
	[[ $output == *'"name": "mixed"'* && $output != *'"name": "good"'* ]]
	run sloth run list --stack prod -n 5
	[ "${#lines[@]}" -eq 2 ]
	run -10 sloth run list --status broken
	run sloth run show mixed
	[[ $output == *'Status:         failed'* && $output == *'Failed:         flaky  failed: exit status 3'* && $output == *'Critical path:  build  '* ]]
	run sloth run show 1 --json
	[[ $output == *'"critical_path": ['* ]]
	# By the name of a run that was submitted to a stack.
	run sloth run show good
	[[ $output == *'2 of good.sloth on prod'* ]]
}

@test "--junit: written whole, after a failure and a cancel, too" {
	make_mixed
	sloth run mixed.sloth --quiet --junit report.xml || [ $? -eq 1 ]
	python3 - <<'END'
import xml.etree.ElementTree as tree
root = tree.parse("report.xml").getroot()
assert root.tag == "testsuites" and root.get("tests") == "4" and root.get("failures") == "1" and root.get("skipped") == "1"
suite, = root.findall("testsuite")
cases = {case.get("name"): case for case in suite.findall("testcase")}
assert list(cases) == ["build", "say", "flaky", "after"], cases
assert cases["build"].find("failure") is None and len(cases["build"]) == 0
assert cases["flaky"].find("failure").get("message") == "exit status 3"
assert cases["flaky"].find("system-out").text == "try\ntry\n"
assert cases["after"].find("skipped") is not None
assert float(suite.get("time")) >= float(cases["flaky"].get("time")) > 0
END
	workflow odd.sloth "printf '<a>&\"\\001\\377\\n' >&2; exit 1"
	sed -i 's/return result.success, result.stdout/error("<x>\&" .. string.char(1, 255))/' odd.sloth
	sloth run odd.sloth --quiet --junit report.xml || [ $? -eq 1 ]
	python3 -c 'import xml.etree.ElementTree as t; r = t.parse("report.xml").getroot(); assert "<x>&\ufffd\ufffd" in r.find(".//failure").get("message"), t.tostring(r)'
	# A message of several lines: the first one is what is said, all of it is in the report.
	sed -i 's/error(.*)/error("first\\n  second")/' odd.sloth
	run -1 sloth run odd.sloth --junit report.xml
	[[ $output == *$': odd.sloth:3: first\n'* ]]
	python3 -c 'import xml.etree.ElementTree as t; f = t.parse("report.xml").getroot().find(".//failure"); assert f.get("message").endswith("first") and "\n  second" in f.text, t.tostring(f)'
	workflow slow.sloth 'exec sleep 1000'
	set -m
	sloth run slow.sloth --quiet --junit slow.xml &
	local pid=$!
	set +m
	eventually bash -c '[ "$(sloth cat /runs/slow/status)" = running ]'
	kill -INT $pid
	wait $pid || [ $? -eq 15 ]
	python3 -c 'import xml.etree.ElementTree as t; r = t.parse("slow.xml").getroot(); assert r.get("errors") == "1" and r.find(".//error").get("type") == "cancelled", t.tostring(r)'
	run -4 sloth run mixed.sloth --quiet --junit nowhere/report.xml
	[[ $output == *nowhere* ]]
	run -10 sloth run mixed.sloth --detach --junit report.xml
}

@test "a summary with slowest tasks and critical path, of a run that took its time" {
	cat >slow.sloth <<'END'
local a = task("short"):command("true"):build()
local b = task("long"):command("sleep 1"):build()
local c = task("last"):depends_on({ a, b }):command("true"):build()
workflow.define("slow"):tasks({ a, b, c })
END
	run sloth run slow.sloth
	[ "$status" -eq 0 ]
	[[ $output == *$'\n''Slowest: long '* ]]
	[[ $output == *$'\n''Critical path: long '*' → last '*$'\n''✓ Run 1 '* ]]
	sloth cat /runs/1/result.json >result.json
	python3 -c 'import json; r = json.load(open("result.json")); assert [t["task"] for t in r["critical_path"]] == ["long", "last"] and r["tasks"]["long"]["started"] < r["tasks"]["long"]["finished"] and r["queue_ms"] >= 0 and r["tasks"]["last"]["wait_ms"] >= 0, r'
}
