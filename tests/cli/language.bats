#!/usr/bin/env bats
# The language, where it needs the daemon: files that a workflow imports, where tasks run.

bats_require_minimum_version 1.5.0
load common

write_importing() {
	mkdir -p project/lib
	cat >project/main.sloth <<'END'
local shared, util = import("lib/tasks.lua"), require("util")
workflow.define("importing"):tasks({
	{ name = "build", uses = shared.build },
	{ name = "greet", command = function() log.info(util.greet("world")) return values.ok == true end, depends_on = "build" },
})
END
	echo 'return { build = { command = "echo built" } }' >project/lib/tasks.lua
	echo 'return { greet = function(who) return "hello " .. who end }' >project/util.lua
}

@test "a workflow imports what stands beside it, and a retry gets that as it was" {
	write_importing
	run -1 sloth run project/main.sloth
	[[ $output == *'built'*'hello world'* ]]
	echo 'return { greet = function() return "changed" end }' >project/util.lua
	rm project/lib/tasks.lua
	echo retry | sloth write /runs/1/ctl
	[ "$(sloth cat /runs/2/wait)" = failed ]
	[[ $(sloth cat /runs/2/log) == *'built'*'hello world'* ]]
	echo 'retry failed' | sloth write /runs/2/ctl
	[ "$(sloth cat /runs/3/wait)" = failed ]
	[[ $(sloth cat /runs/3/log) == *'hello world'* ]]
	# Another run reads the files again.
	run -10 sloth run project/main.sloth
	[[ $output == *"main.sloth:1: import('lib/tasks.lua'): there is no file "*/project/lib/tasks.lua* ]]
	[[ $output == *'    1 | local shared'* ]]
}

@test "a copy into the tree has no folder, an absolute path needs none" {
	write_importing
	run -10 sloth write /runs/copied.sloth <project/main.sloth
	[[ $output == *"came without a folder"*"sloth run FILE"* ]]
	printf 'local shared = import("%s/project/lib/tasks.lua")\ntask("build", { uses = shared.build })\n' "$PWD" >absolute.sloth
	sloth write /runs/absolute.sloth <absolute.sloth
	[ "$(sloth cat /runs/absolute/wait)" = success ]
	# A pipe would hold up the run, were it read.
	mkfifo project/util.lua.fifo
	printf 'import("%s/project/util.lua.fifo")\n' "$PWD" >pipe.sloth
	run -10 sloth run pipe.sloth
	[[ $output == *'it is no file'* ]]
	head -c 1100000 /dev/zero | tr '\0' ' ' >project/large.lua
	printf 'import("project/large.lua")\n' >large.sloth
	run -10 sloth run large.sloth
	[[ $output == *'larger than 1 MiB'* ]]
}

@test "tasks that name an agent fail with a sentence; --local and --delegate-to" {
	cat >far.sloth <<'END'
task("here"):command("true")
task("far"):command("true"):delegate_to("web-01"):depends_on("here")
END
	run -1 sloth run far.sloth
	[[ $output == *"no agent is called 'web-01'"*'--local'* ]]
	[ "$(sloth cat /runs/far/tasks/here/status)" = success ]
	[[ $(sloth cat /runs/far/plan.json) == *'"delegate_to"'*'web-01'* ]]
	sloth run far.sloth --local --quiet
	run -1 sloth run far.sloth --delegate-to db-01
	[[ $output == *"no agent is called 'db-01'"* ]]
	sloth run far.sloth --delegate-to localhost --task here --quiet
}

@test "a workflow for agents runs unchanged where the configuration says that their names mean this host" {
	printf 'task("far"):command("true"):delegate_to("web-01")' >far.sloth
	mkdir -p config/sloth
	echo 'local_agents: [db-01, web-01]' >config/sloth/config.yaml
	XDG_CONFIG_HOME=$PWD/config sloth run far.sloth --quiet
	[[ $(sloth cat /config.yaml) == *'local_agents: [db-01, web-01]'* ]]
	echo 'task("free"):command("true")' >free.sloth
	sloth run free.sloth --delegate-to db-01 --quiet
	run -1 sloth run free.sloth --delegate-to db-02
	[[ $output == *"no agent is called 'db-02'"*local_agents* ]]
}

@test "what is asked for and not there is nil and a message" {
	cat >asks.sloth <<'END'
task("a"):command(function()
	stack.set_output("port", 80)
	for expected, answer in pairs({
		["there is no stack nowhere"] = { stack("nowhere"):output("x") },
		["the stack asks has no output 'host'"] = { stack("asks"):output("host") },
		["the stack has no output 'host'"] = { stack.get_output("host") },
		["there is no secret none"] = { secret.get("none") },
		["no stack nowhere"] = { stack("nowhere"):outputs() },
		["stack nowhere"] = { stack("nowhere"):info() },
	}) do
		assert(answer[1] == nil and answer[2]:find(expected, 1, true), answer[2])
	end
	assert(stack("asks"):output("port") == 80 and stack.get_output("port") == 80 and stack("asks"):outputs().port == 80)
	assert(not pcall(stack.get_output, {}) and not pcall(secret.get) and not pcall(stack.set_output, nil, 1))
end)
END
	sloth run asks.sloth --quiet
}

# What the documents of Sloth Runner show, between the arrows as it stands there.
@test "the workflows of the documents run" {
	for name in deploy_app production_deploy state_api deploy_control cache balance; do
		run sloth run "$SLOTH_SOURCE/tests/cli/documents/$name.sloth"
		echo "$name: $output"
		[ "$status" -eq 0 ]
	done
	[ "$(sloth state get deployment_version --stack production_deploy)" = v2.0.0 ]
	run sloth run "$SLOTH_SOURCE/tests/cli/documents/module/main.sloth"
	[ "$status" -eq 0 ]
}

@test "max_run_memory: what a run's code may have, and no more" {
	cat >hog.sloth <<'END'
task("hog"):command(function() return #("x"):rep(40 << 20) > 0 end)
END
	sloth run hog.sloth --quiet
	kill -9 "$(daemon_pid)"
	mkdir -p config/sloth
	echo 'max_run_memory: 32MB' >config/sloth/config.yaml
	XDG_CONFIG_HOME=$PWD/config run -1 sloth run hog.sloth
	[[ $(sloth cat /runs/2/tasks/hog/error) == *'over the memory limit of 32 MB for the Lua code of a run (max_run_memory)' ]]
}
