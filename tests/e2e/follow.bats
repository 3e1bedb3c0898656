#!/usr/bin/env bats
# Runs followed through the mounted tree: logs and events that grow, with true sizes, read in every way.

bats_require_minimum_version 1.5.0
load lib

# same FILE: what stat, wc, cat and dd say of it is the same.
same()
{
	local size
	cat "$1" >copy
	size=$(stat -c %s "$1")
	[ "$size" -eq "$(stat -c %s copy)" ]
	[ "$(wc -c <"$1")" -eq "$size" ]
	dd if="$1" bs=1 skip=17 count=40 status=none | cmp - <(tail -c +18 copy | head -c 40)
	dd if="$1" bs=4096 skip=1 status=none | cmp - <(tail -c +4097 copy)
	tail -n 3 "$1" | cmp - <(tail -n 3 copy)
	head -n 2 "$1" | cmp - <(head -n 2 copy)
}

make_steps()
{
	cat >steps.sloth <<END
local function step(n, after)
	return task("step-" .. n):depends_on(after):command([[echo begin; echo "err \$SLOTH_TASK" >&2; until [ -e $T/go-]] .. n .. [[ ]; do sleep 0.02; done; seq 2000]]):build()
end
local one = step(1, {})
workflow.define("steps"):tasks({ one, step(2, { one }) })
END
	cp steps.sloth "$M/runs/"
}

@test "log, log.json and events.json have true sizes, while they grow and after" {
	make_steps
	eventually grep -q begin "$M/runs/latest/tasks/step-1/log"
	local file
	for file in log log.json events.json tasks/step-1/log tasks/step-1/log.json; do
		[ "$(cat "$M/runs/latest/$file" | wc -c)" -eq "$(stat -c %s "$M/runs/latest/$file")" ]
	done
	touch go-1 go-2
	[ "$(cat "$M/runs/latest/wait")" = success ]
	for file in log log.json events.json tasks/step-1/log tasks/step-2/log.json; do
		same "$M/runs/latest/$file"
	done
	python3 - "$M/runs/latest" <<'END'
import json, sys
run = sys.argv[1]
log = [json.loads(line) for line in open(run + "/log.json")]
for task in ("step-1", "step-2"):
    own = [json.loads(line) for line in open(f"{run}/tasks/{task}/log.json")]
    assert own == [line for line in log if line["task"] == task]
    assert [line["text"] for line in own if line["stream"] == "out"] == ["begin"] + [str(i) for i in range(1, 2001)]
    assert [line["text"] for line in own if line["stream"] == "err"] == ["err " + task]
    text = open(f"{run}/tasks/{task}/log").read().splitlines()
    assert sorted(text) == sorted(line["text"] for line in own)
# Each line of the rendered log is one of these, in this order.
assert [f'{line["time"][11:23]} [{line["task"]}] {line["text"]}' for line in log] == open(run + "/log").read().splitlines()
events = [(line["task"], line["to"]) for line in map(json.loads, open(run + "/events.json"))]
assert events == [(None, "queued"), (None, "waiting"), (None, "running"), ("step-1", "running"), ("step-1", "success"),
                  ("step-2", "running"), ("step-2", "success"), (None, "success")], events
END
}

@test "tail -F, tail -f by poll, and cat of a pipe that is closed early" {
	make_steps
	eventually test -e "$M/runs/latest/events.json"
	timeout 300 tail -n +1 -F "$M/runs/latest/events.json" >events 2>/dev/null &
	local by_name=$!
	timeout 300 tail -n +1 -f "$M/runs/latest/tasks/step-2/log.json" >lines &
	local by_handle=$!
	touch go-1
	eventually grep -q '"from":"pending".*"task":"step-2"' events
	touch go-2
	eventually grep -q '"text":"2000"' lines
	eventually grep -q '"task":null.*"to":"success"' events
	kill $by_name $by_handle
	cmp events "$M/runs/latest/events.json"
	cmp lines "$M/runs/latest/tasks/step-2/log.json"
	run bash -o pipefail -c "cat $M/runs/latest/log.json | head -n 1"
	[[ $output == '{"run":1,'*'"task":"step-1"'* ]]
}

@test "poll(2) wakes who follows the events of a run" {
	make_steps
	eventually grep -q begin "$M/runs/latest/tasks/step-1/log"
	python3 - "$M/runs/latest/events.json" <<END
import os, select, sys
file = os.open(sys.argv[1], os.O_RDONLY)
seen = os.read(file, 1 << 16)
poll = select.poll()
poll.register(file, select.POLLIN)
assert not poll.poll(0)
open("$T/go-1", "w").close()
while b'"task":"step-2"' not in seen:
    assert poll.poll(60000), "nothing more comes"
    seen += os.read(file, 1 << 16)
open("$T/go-2", "w").close()
while b'"task":null' not in seen.splitlines()[-1]:
    assert poll.poll(60000), "nothing more comes"
    seen += os.read(file, 1 << 16)
END
}

@test "two hundred readers at once" {
	make_steps
	touch go-1 go-2
	[ "$(cat "$M/runs/latest/wait")" = success ]
	cat "$M/runs/latest/log.json" >copy
	python3 - "$M/runs/latest/log.json" <<'END'
import os, sys
whole = open("copy", "rb").read()
files = [os.open(sys.argv[1], os.O_RDONLY) for _ in range(200)]
for offset in range(0, len(whole), 30000):
    for file in files:
        assert os.pread(file, 4096, offset) == whole[offset:offset + 4096]
END
}

@test "the log tells what was dropped; what is in it stays readable" {
	stop_daemon
	mkdir -p config/sloth
	export XDG_CONFIG_HOME=$T/config
	echo 'max_log_size: 20000' >config/sloth/config.yaml
	start_daemon
	cat >flood.sloth <<'END'
local t = task("flood"):command("seq 100000"):build()
workflow.define("flood"):tasks({ t })
END
	cp flood.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	tail -n 1 "$M/runs/latest/log" | grep -q 'over max_log_size (20000 bytes): the rest is dropped'
	tail -n 1 "$M/runs/latest/log.json" | grep -q '"stream":"log","task":null,"text":"the log is over max_log_size'
	[ "$(stat -c %s "$M/runs/latest/log")" -lt 21000 ]
	same "$M/runs/latest/log.json"
}

@test "summary and test report in the tree; as private as the run" {
	need_root
	make_steps
	touch go-1 go-2
	[ "$(cat "$M/runs/latest/wait")" = success ]
	grep -q '^Critical path:  step-1  ' "$M/runs/latest/summary"
	same "$M/runs/latest/junit.xml" || [ "$(stat -c %s "$M/runs/latest/junit.xml")" -lt 4096 ]
	python3 -c 'import sys, xml.etree.ElementTree as t; assert t.parse(sys.argv[1]).getroot().get("tests") == "2"' "$M/runs/latest/junit.xml"
	chmod 700 "$M/stacks/steps"
	local file
	for file in log.json events.json summary summary.json junit.xml tasks/step-1/log.json; do
		run setpriv --reuid 1000 --regid 1000 --clear-groups cat "$M/runs/1/$file"
		[ "$status" -ne 0 ]
		[[ $output == *'ermission denied'* ]]
	done
}
