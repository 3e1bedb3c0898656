#!/usr/bin/env bats
# What workflows tell of themselves: events and metrics.

bats_require_minimum_version 1.5.0
load common

# lua NAME TEXT: runs a task with this text on the stack prod.
lua()
{
	printf 'task("t"):command(function()\n%s\nend)\n' "$2" >"$1.sloth"
	sloth run "$1.sloth" --stack prod
}

@test "events of a workflow stand in the trail and in the stack's activity" {
	lua tell 'assert(event.dispatch("deploy.completed", { version = "v2", note = "two\nlines" }))
		assert(event.dispatch("complex_event", { tags = { "production" } }))
		assert(event.dispatch_custom("user_login", "somebody came"))
		assert(event.dispatch_file("created", "/etc/motd"))'
	run sloth cat /stacks/prod/activity
	[[ $output == *' deploy.completed stack=prod run='*'note="two\nlines" version=v2'* ]]
	[[ $output == *' complex_event stack=prod'* ]]
	[[ $output == *' custom stack=prod run='*'message="somebody came" name=user_login'* ]]
	[[ $output == *' file.created stack=prod run='*'path=/etc/motd'* ]]
	[[ $(sloth cat /events.json) == *'"type":"deploy.completed"'* ]]
	sloth cat /audit
}

@test "what no event may be" {
	run ! lua own 'assert(event.dispatch("stack.destroyed", {}))'
	[[ $output == *"events of the type stack.… are the daemon's own"* ]]
	for type in workflow.saved drift.fixed check.failed; do
		run ! lua own "assert(event.dispatch('$type', {}))"
		[[ $output == *"are the daemon's own"* ]]
	done
	run ! lua odd 'assert(event.dispatch("two words.x", {}))'
	[[ $output == *'is no type of event'* ]]
	run ! lua large 'assert(event.dispatch("a.b", { text = ("x"):rep(20000) }))'
	[[ $output == *'the data of the event a.b has 20011 bytes, and the limit is 16384'* ]]
	run ! lua flood 'for i = 1, 10001 do assert(event.dispatch("a.b")) end'
	[[ $output == *'has left 10000 events, which is the limit'* ]]
	run ! grep -Eq '^[^ ]+ (stack.destroyed|"two words.x") ' <<<"$(sloth cat /events)"
}

@test "metrics of a workflow are there for Prometheus" {
	lua measure 'assert(metrics.gauge("queue_size", 23.5, { queue = "a\"b\\c\nd", region = 1 }) == true)
		metrics.gauge("queue_size", 7)
		assert(metrics.counter("requests") == 1)
		assert(metrics.counter("requests", 2.5) == 3.5)
		metrics.histogram("size_bytes", 3, { kind = "x" })
		metrics.histogram("size_bytes", 200, { kind = "x" })
		local ms, value = metrics.timer("query", function() return "found" end)
		assert(ms >= 0 and value == "found")
		local nothing, text = metrics.timer("query", function() error("broken") end)
		assert(nothing == nil and text:find("broken"))
		local names = metrics.list_custom()
		assert(table.concat(names, " ") == "query queue_size requests size_bytes", table.concat(names, " "))
		assert(metrics.get_custom("queue_size", { queue = "a\"b\\c\nd", region = "1" }).value == 23.5)
		assert(metrics.get_custom("nothing") == nil)
		local size = metrics.get_custom("size_bytes")
		assert(size.type == "histogram" and size.count == 2 and size.sum == 203 and size.avg == 101.5 and size.min == 3 and size.max == 200 and size.tags.kind == "x")
		assert(metrics.get_custom("query").count == 1 and metrics.get_custom("query").duration_ms >= 0)'
	run sloth cat /stacks/prod/metrics
	[ "$status" -eq 0 ]
	[[ $output == *'# HELP queue_size Set by workflows.
# TYPE queue_size gauge
queue_size{queue="a\"b\\c\nd",region="1",stack="prod"} 23.5
queue_size{stack="prod"} 7
# HELP requests_total Set by workflows.
# TYPE requests_total counter
requests_total{stack="prod"} 3.5
# HELP size_bytes Set by workflows.
# TYPE size_bytes histogram
size_bytes_bucket{'* ]]
	[[ $output == *'size_bytes_bucket{kind="x",stack="prod",le="1"} 0
size_bytes_bucket{kind="x",stack="prod",le="5"} 1'* ]]
	[[ $output == *'size_bytes_bucket{kind="x",stack="prod",le="+Inf"} 2
size_bytes_sum{kind="x",stack="prod"} 203
size_bytes_count{kind="x",stack="prod"} 2'* ]]
	[[ $output == *'# TYPE query_seconds histogram'*'query_seconds_count{stack="prod"} 1'* ]]
	[[ $output != *sloth_* ]]
	sloth cat /metrics.json | python3 -c 'import json, sys
families = {f["name"]: f for f in json.load(sys.stdin)}
assert families["requests_total"]["samples"] == [{"name": "requests_total", "labels": {"stack": "prod"}, "value": 3.5}]
assert [s["value"] for s in families["sloth_stacks"]["samples"] if s["labels"]["status"] == "completed"] == [1]'
	# Another run goes on from there; and they go with a command, or with their stack.
	lua again 'assert(metrics.counter("requests") == 4.5)'
	sloth write /stacks/prod/metrics <<<'delete requests'
	run ! sloth write /stacks/prod/metrics <<<'delete requests'
	[[ $output == *'the stack has no metric requests'* ]]
	run ! sloth write /stacks/prod/metrics <<<'remove requests'
	[[ $output == *'"delete NAME" and "clear"'* ]]
	run ! grep requests <<<"$(sloth cat /metrics)"
	[[ $(sloth cat /stacks/prod/activity) == *' metric.deleted stack=prod '*'name=requests series=1'* ]]
	sloth stack delete prod --force
	run ! grep queue_size <<<"$(sloth cat /metrics)"
}

@test "the daemon's own metrics follow the format" {
	lua work 'return true'
	run ! lua bad 'error("no")'
	sloth cat /metrics >text
	grep -qx 'sloth_runs{status="success"} 1' text
	grep -qx 'sloth_runs{status="failed"} 1' text
	grep -qx 'sloth_runs{status="queued"} 0' text
	grep -qx 'sloth_stacks{status="failed"} 1' text
	grep -qx 'sloth_healthy 1' text
	grep -Eqx 'sloth_commits_total [1-9][0-9]*' text
	grep -Eqx 'sloth_database_size_bytes [1-9][0-9]+' text
	grep -Eqx 'process_resident_memory_bytes [1-9][0-9e+.]+' text
	[ "$(sed -n 's/^sloth_events_total //p' text)" -eq "$(sloth cat /events.json | wc -l)" ]
	# Each family: HELP, TYPE, samples of it alone; counters end in _total.
	python3 - text <<'END'
import re, sys
family, kind, seen, samples = None, None, set(), 0
for line in open(sys.argv[1]):
    word = line.split()
    if line.startswith("# HELP "):
        assert family is None or samples, family
        family, kind, samples = word[2], None, 0
        assert family not in seen and len(word) > 3, line
        seen.add(family)
    elif line.startswith("# TYPE "):
        assert word[2] == family and kind is None, line
        kind = word[3]
        assert (kind == "counter") == family.endswith("_total"), line
    else:
        found = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? (-?[0-9.e+-]+)\n', line)
        assert found and found.group(1) == family and kind, line
        samples += 1
assert len(seen) >= 15, seen
END
}

@test "what no metric may be" {
	refuses()
	{
		run ! lua m "$1"
		[[ $output == *"$2"* ]] || { echo "$output"; return 1; }
	}
	refuses 'metrics.gauge("two words", 1)' '"two words" is no name of a metric'
	refuses 'metrics.gauge("sloth_stacks", 1)' "the daemon's own"
	refuses 'metrics.counter("c", -1)' 'what goes down, too, is a gauge'
	refuses 'metrics.gauge("g", 1) metrics.counter("g")' 'the metric g is a gauge, and can'\''t be a counter'
	refuses 'metrics.gauge("x_total", 1) metrics.counter("x")' 'would be shown as x_total, which is the name of a gauge already'
	refuses 'metrics.histogram("h", 1) metrics.gauge("h_sum", 1)' 'choose another name'
	refuses 'metrics.gauge("i_count", 1) metrics.histogram("i", 1)' 'choose another name'
	refuses 'metrics.gauge("t", 1, { stack = "x" })' 'the tag stack is set by the daemon'
	refuses 'metrics.gauge("t", 1, { ["a b"] = "x" })' 'is no name of a tag'
	refuses 'metrics.gauge("t", 1, { a = ("x"):rep(300) })' 'a text of up to 256 bytes'
	refuses 'local t = {} for i = 1, 11 do t["a" .. i] = i end metrics.gauge("t", 1, t)' 'up to 10 tags, not 11'
	refuses 'metrics.gauge("t", 1/0)' 'no number that can be kept'
	refuses 'metrics.gauge("t", "much")' "'value' must be a number"
	refuses 'for i = 1, 1001 do metrics.gauge("many", i, { n = i }) end' 'has 1000 series of metrics, which is the limit'
	refuses 'metrics.alert("a", { level = "loud" })' "'loud' is no level"
	# The name is taken by another stack, too.
	printf 'task("t"):command(function() metrics.histogram("g", 1) end)\n' >other.sloth
	run ! sloth run other.sloth --stack other
	[[ $output == *'the metric g would be shown as g, which is the name of a gauge already'* ]]
}

@test "an alert is an event and a line" {
	run lua warn 'assert(metrics.alert("high_cpu", { level = "critical", message = "too much", threshold = 80, value = 91.5 }))'
	[[ $output == *'alert high_cpu: too much'* ]]
	[[ $(sloth cat /stacks/prod/activity) == *' metric.alert stack=prod run='*'alert=high_cpu level=critical message="too much" threshold=80 value=91.5'* ]]
}

@test "numbers of the machine" {
	lua machine 'local cpu = metrics.system_cpu()
		assert(cpu >= 0 and cpu <= 100, cpu)
		local m = metrics.system_memory()
		assert(m.total_mb > m.used_mb and m.percent > 0 and m.percent <= 100 and m.available_mb > 0)
		local d = metrics.system_disk()
		assert(d.total_gb > 0 and d.percent >= 0 and d.free_gb <= d.total_gb)
		local nothing, text = metrics.system_disk("/no/such/place")
		assert(nothing == nil and text:find("No such file"))
		assert(metrics.runtime_info().num_cpu >= 1 and metrics.runtime_info().goroutines >= 1)
		local h = metrics.health_status()
		assert(({ healthy = 1, warning = 1, critical = 1 })[h.overall] and h.disk.usage > 0 and h.disk.usage <= 100)'
}

@test "the command metrics" {
	lua m 'metrics.gauge("mine", 1) metrics.gauge("other", 2)'
	[[ $(sloth metrics) == *'sloth_healthy 1'*'mine{stack="prod"} 1'* ]]
	[ "$(sloth metrics --stack prod | grep -v '^#')" = $'mine{stack="prod"} 1\nother{stack="prod"} 2' ]
	[[ $(sloth metrics --stack prod --json) == *'"value": 1.0'* ]]
	sloth metrics delete prod mine
	[ "$(sloth metrics -s prod | grep -v '^#')" = 'other{stack="prod"} 2' ]
	run -4 sloth metrics delete prod mine
	run -10 sloth metrics delete prod
	sloth metrics delete prod --all
	[ "$(sloth metrics -s prod)" = '' ]
	run -4 sloth metrics --stack none
}
