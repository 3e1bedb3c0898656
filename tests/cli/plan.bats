#!/usr/bin/env bats
# What a workflow would do: --dry-run, workflow plan, workflow validate, --task, --skip, --pick.

bats_require_minimum_version 1.5.0
load common

release()
{
	cat >release.sloth <<'END'
local build = task("build"):description("Compile"):command("touch built"):timeout("5m"):retries(3, "linear"):env({ TOKEN = "xyzzy" })
local test = task("test"):command("true"):depends_on(build):run_if("test -e built")
local deploy = task("deploy"):depends_on({ build, test }):command(function() return true end)
task("mail"):command("false"):next_if_fail(deploy)
task("cleanup"):command("true"):always():depends_on(deploy)
task("lint"):command("true"):priority(9):idempotent()
workflow.define("release"):version("2.0"):tasks({ build, test, deploy, "mail", "cleanup", "lint" })
	:config({ timeout = "30m", max_parallel_tasks = 2, lock_timeout = "10m" })
END
}

# The tree is as if nobody had asked.
nothing_left()
{
	[ -z "$(sloth ls /runs)" ]
	[ -z "$(sloth ls /stacks)" ]
	[ -z "$(ls "$SLOTH_HOME/work")" ]
}

@test "the plan says what comes before the tasks, and no more than what happens" {
	echo 'workflow.define("w"):config({ validate_before = true, create_snapshot = true, detect_drift = true }) task("a"):command("true")' >w.sloth
	run sloth run w.sloth --dry-run
	[ "$status" -eq 0 ]
	[[ $output == *'The stack is validated first.'*'A snapshot is taken first.'*'Drift is looked for after the tasks.'* ]]
}

@test "--dry-run: order, conditions, limits; nothing runs and nothing is left" {
	release
	run sloth run release.sloth --dry-run
	[ "$status" -eq 0 ]
	[[ $output == *'Workflow release 2.0'*'On stack release, which is made.'*'At most 2 tasks at once; it ends after 30m'*'waits for the lock for 10m'* ]]
	[[ $output == *'1. lint'*'priority: 9'*'2. build: Compile'*'$ touch built'*'ends after: 5m'*'tries again: 3 times, linear'*'3. test (after build)'*'only if: test -e built'* ]]
	[[ $output == *'4. deploy (after build, test)'*'function, line 3'*'5. mail'*'only after a failure of: deploy'*'In any case, after all others:'*'6. cleanup'* ]]
	[[ $output == *'lint'*'may be run again'* ]]
	[[ $output == *'Longest way, 4 of 6 tasks: build → test → deploy → mail'*'not taken back'* ]]
	# Values of the environment may be secrets.
	[[ $output == *'environment: TOKEN'* ]]
	[[ $output != *xyzzy* ]]
	[ "$(sloth run release.sloth --plan)" = "$output" ]
	[ "$(sloth workflow plan release.sloth)" = "$output" ]
	nothing_left
	[ ! -e built ]
}

@test "plans for programs: json, dot, svg" {
	release
	sloth workflow plan release.sloth --format json >plan.json
	python3 - <<-'END'
		import json
		plan = json.load(open("plan.json"))
		tasks = {task["name"]: task for task in plan["tasks"]}
		assert [tasks[n]["order"] for n in ("lint", "build", "test", "deploy", "mail", "cleanup")] == [1, 2, 3, 4, 5, 6]
		assert [tasks[n]["level"] for n in ("build", "test", "deploy", "mail")] == [1, 2, 3, 4]
		assert tasks["build"]["retries"] == {"base": 1000, "cap": 60000, "count": 3, "strategy": "linear"}
		assert tasks["build"]["timeout_ms"] == 300000 and tasks["build"]["env"] == ["TOKEN"]
		assert tasks["mail"]["next_if_fail"] == ["deploy"] and tasks["cleanup"]["always"] is True
		assert plan["limits"] == {"max_parallel_tasks": 2, "timeout_ms": 1800000, "on_failure": "stop"}
		assert plan["critical_path"] == ["build", "test", "deploy", "mail"]
		assert plan["on"] == {"name": "release", "exists": False}
	END
	[ "$(sloth run release.sloth -n --json)" = "$(cat plan.json)" ]
	run sloth workflow plan release.sloth --format dot
	[[ $output == digraph*'"build" -> "test"'*'"deploy" -> "mail" [style=dashed'* ]]
	run -10 sloth workflow plan release.sloth --format mermaid
	if sloth workflow plan release.sloth --format svg >plan.svg; then
		grep -q '<svg' plan.svg
	fi
	nothing_left
}

@test "a run has the same plan, in the same words" {
	release
	sloth run release.sloth -t build --quiet
	run sloth cat /runs/1/plan
	[[ $output == *'1. build: Compile'*'Left out: test, deploy, mail, cleanup, lint'* ]]
	[[ $(sloth cat /runs/1/plan.json) == *'"critical_path"'* ]]
}

@test "what a task consumes is named" {
	printf 'task("a"):command("touch x"):artifacts("x")\ntask("b"):command("true"):consumes("a/x")\n' >keeps.sloth
	run sloth run keeps.sloth -n
	[[ $output == *'keeps: x'*'needs the artifacts of: a/x'* ]]
}

@test "refusals: as a run would be refused, with the same exit status" {
	echo 'workflow.define("x' >broken.sloth
	run -10 sloth run broken.sloth --dry-run
	[[ $output == *broken.sloth:1* ]]
	printf 'task("a"):command("true"):depends_on("b")\ntask("b"):command("true"):depends_on("a")\n' >circle.sloth
	run -9 sloth workflow validate circle.sloth
	[[ $output == *'a → b (circle.sloth:1) → a (circle.sloth:2)'* ]]
	printf 'exec.run("touch acted")\ntask("a"):command("true")\n' >acts.sloth
	run -10 sloth workflow plan acts.sloth
	[[ $output == *acts.sloth:1* ]]
	[ ! -e acted ]
	printf 'task("deploy"):command("true")\n' >good.sloth
	run -10 sloth run good.sloth --dry-run --task deplou
	[[ $output == *"did you mean 'deploy'"* ]]
	run -10 sloth run good.sloth --skip deplou
	[[ $output == *"did you mean 'deploy'"* ]]
	run -4 sloth workflow plan missing.sloth
	run -9 sloth workflow validate good.sloth circle.sloth broken.sloth
	[[ $output == *'✓ good.sloth: workflow good, 1 task'*broken.sloth:1* ]]
	[ -z "$(sloth ls /stacks)" ]
}

@test "a locked stack: the plan says so, and is made" {
	release
	sloth stack new prod
	echo 'color: red' | sloth write /stacks/prod/values.yaml
	printf 'task("paint"):command("paint " .. values.color .. values.size)\n' >paint.sloth
	run sloth run paint.sloth -n -s prod --set size=7
	[[ $output == *'$ paint red7'* ]]
	echo 'maint reason=disks' | sloth write /stacks/prod/lock
	run sloth run release.sloth -n -s prod
	[ "$status" -eq 0 ]
	[[ $output == *'On stack prod.'*'It would be refused now: '*disks* ]]
}

@test "--task and --skip: what is needed, what belongs to it, what is left out" {
	cat >all.sloth <<-'END'
		for _, name in ipairs({ "a", "b", "c" }) do task(name):command("echo ran-" .. name) end
		task("d"):command("echo ran-d; false"):depends_on("a")
		task("d-failed"):command("echo ran-d-failed"):next_if_fail("d")
		task("d-after"):command("echo ran-d-after"):always():depends_on("d")
		task("all-after"):command("echo ran-all-after"):always()
		task("b-failed"):command("echo ran-b-failed"):next_if_fail("b")
	END
	run -1 sloth run all.sloth -t d
	[[ $output == *ran-a*ran-d*ran-d-failed*ran-d-after* ]]
	[[ $output != *ran-b* && $output != *ran-c* && $output != *ran-all-after* ]]
	run -1 sloth run all.sloth -t d -x a
	[[ $output == *ran-d* && $output != *ran-a* ]]
	run sloth run all.sloth -x d -x c
	[ "$status" -eq 0 ]
	[[ $output == *ran-all-after* && $output != *ran-d[[:space:]]* && $output != *ran-c* ]]
	# What runs after a failure, asked for by name, brings what it may follow on.
	run sloth run all.sloth -t b-failed
	[ "$status" -eq 0 ]
	[[ $output == *ran-b* && $output != *ran-b-failed* ]]
}

@test "--pick: numbers, ranges and names, on a terminal only" {
	release
	run -11 sloth run release.sloth --pick </dev/null
	[[ $output == *'--pick asks on a terminal'*'--task NAME'* ]]
	nothing_left
	command -v script >/dev/null || skip 'no script(1)'
	mkfifo keys
	# pick ANSWER: given when it is asked for.
	pick()
	{
		script -qec "sloth run release.sloth --pick" /dev/null <keys >asked 2>&1 3>&- &
		local pid=$! result=0
		exec 7>keys
		eventually grep -q 'Run which of them?' asked
		printf '%s\n' "$1" >&7
		wait $pid || result=$?
		exec 7>&-
		cat asked
		return $result
	}
	run pick '1-2 lint'
	[[ $output == *'1'*'build'*'Compile'*'Run which of them?'* ]]
	run sloth cat /runs/1/status.json
	[[ $(sloth cat /runs/1/tasks/lint/status) == success ]]
	[[ $(sloth cat /runs/1/tasks/test/status) == s* ]]
	[[ $(sloth cat /runs/1/tasks/deploy/status) == skipped ]]
	run pick '9'
	[[ $output == *'"9" is none of the tasks: numbers from 1 to 6'* ]]
	run pick ''
	[[ $output == *'nothing was picked'* ]]
	[ "$(sloth ls /runs | grep -c '^[0-9]')" -eq 1 ]
}

@test "saved workflows: save, list, show, delete, run by name" {
	printf 'task("a"):description("First"):command("echo saved")\nworkflow.define("x"):description("Some words"):tasks("a")\n' >deploy.sloth
	run sloth workflow save deploy.sloth
	[[ $output == *'Saved deploy.sloth, version 1'* ]]
	printf 'task("a"):command("echo newer")\n' >deploy.sloth
	sloth workflow save deploy.sloth
	run sloth workflow list
	[[ $output == *'deploy.sloth'*'deploy'*2*1* ]]
	[[ $(sloth workflow show deploy) == *newer* ]]
	[[ $(sloth workflow show deploy.sloth --version 1) == *saved* ]]
	run -4 sloth workflow show deploy --version 7
	[[ $(sloth workflow list --json) == *'"version": 2'* ]]
	printf 'task("a"):comand("x")\n' >bad.sloth
	run -10 sloth workflow save bad.sloth
	[[ $output == *bad.sloth:1* ]]
	rm deploy.sloth
	[[ $(sloth workflow plan deploy) == *'1. a'* ]]
	[[ $(sloth run deploy) == *newer* ]]
	run -11 sloth workflow delete deploy </dev/null
	sloth workflow delete deploy --yes
	run -4 sloth workflow show deploy
}
