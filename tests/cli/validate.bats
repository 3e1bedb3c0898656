#!/usr/bin/env bats
# What is checked before a run, by command and by the tree.

bats_require_minimum_version 1.5.0
load common

@test "a stack in order, and one that is not" {
	sloth stack new web
	run sloth stack validate web
	[ "$status" -eq 0 ]
	[[ $output == 'Validating stack: web'*'✓ Configuration syntax valid'*'✓ All dependencies available'*'✓ No lock conflicts'*'Validation passed: web is ready for execution' ]]
	printf 'validation:\n  min_disk_space: 1000TB\n' | sloth write /stacks/web/config.yaml
	run -10 sloth stack validate web
	[[ $output == *'✗ Disk space check failed'*'1000TB required'*'✗ Validation failed: '*' found'*'Fix these issues'* ]]
	run -10 sloth stack validate web --json
	[[ $output == *'"passed": false'* ]]
	[[ $(sloth cat /stacks/web/validate) == *'fail  disk '*'failed: '* ]]
	run -4 sloth stack validate nothing
	run -10 sloth stack validate 'a b'
}

@test "all stacks, unless one is called so" {
	sloth stack new web
	sloth stack new worse
	run sloth stack validate all
	[ "$status" -eq 0 ]
	[[ $output == *'Stack: web'*'✓ PASS'*'Total:    2 stacks'*'Overall: PASSED' ]]
	printf 'validation:\n  min_disk_space: 1000TB\n' | sloth write /stacks/worse/config.yaml
	run -10 sloth stack validate all
	[[ $output == *'Stack: worse'*'✗ FAIL'*'- Disk space insufficient'*'Failed:   1 stack'*'Overall: FAILED' ]]
	run -10 sloth stack validate all --json
	[[ $output == '['*'"stack": "web"'* ]]
	sloth stack new all
	run sloth stack validate all
	[[ $output == 'Validating stack: all'* ]]
}

@test "the workflow is loaded, not run" {
	workflow ok.sloth 'true'
	sloth run ok.sloth --stack web --quiet
	run sloth stack validate web
	[[ $output == *'✓ Workflow definition valid'*'✓ All modules available'* ]]
	cat >uses.sloth <<-'END'
		-- nomodule.run() in a comment, and "nomodule.run()" in a string
		local mine = { run = function() end }
		task("work"):command(function(this, params)
			mine.run()
			if params.never then
				nomodule.run("x")
			end
			return true
		end)
	END
	sloth run uses.sloth --stack web --quiet
	run sloth stack validate web
	[ "$status" -eq 0 ]
	[[ $output == *"⚠ All modules available"*"'nomodule' is used (line 6)"* ]]
	[[ $output != *"'mine'"* ]]
	[[ $output != *"'params'"* ]]
	run -10 sloth stack validate web --strict
	[[ $output == *'1 warning found, and it is strict'* ]]
	printf 'validation: { strict_mode: true }\n' | sloth write /stacks/web/config.yaml
	run -10 sloth stack validate web
}

@test "a workflow that has stopped loading" {
	cat >values.sloth <<-'END'
		if values.broken then
			require("nosuchmodule")
		end
		task("work"):command(function() return true end)
	END
	sloth run values.sloth --stack web --quiet
	run -10 sloth stack validate web
	[[ $output == *"✗ Module check failed"*"There is no module 'nosuchmodule' (line 2)"* ]]
	echo 'broken: true' | sloth write /stacks/web/values.yaml
	run -10 sloth stack validate web
	[[ $output == *'✗ Workflow check failed'*"values.sloth:2: there is no module 'nosuchmodule'"* ]]
	cat >loops.sloth <<-'END'
		task("work"):command(function() return true end)
		local n = 0
		if values.loops then
			error("it went round")
		end
	END
	sloth run loops.sloth --stack other --quiet
	echo 'loops: true' | sloth write /stacks/other/values.yaml
	run -10 sloth stack validate other
	[[ $output == *'loops.sloth:4: it went round'* ]]
}

@test "a workflow that imports relatively is loaded with what its run had" {
	mkdir -p there/lib
	echo 'return { one = function() return task("one"):command("echo one"):build() end }' >there/lib/steps.sloth
	printf 'local steps = import("lib/steps.sloth")\nworkflow.define("main"):tasks({ steps.one() })\n' >there/main.sloth
	sloth run there/main.sloth --stack web --quiet
	run sloth stack validate web
	[ "$status" -eq 0 ]
	rm -r there/lib
	run sloth stack validate web
	[ "$status" -eq 0 ]
	[[ $output == *'✓ Workflow definition valid'* ]]
	# Also of a run that is to be validated before it begins.
	mkdir there/lib
	echo 'return { one = function() return task("one"):command("echo two"):build() end }' >there/lib/steps.sloth
	run sloth run there/main.sloth --stack web --validate
	[ "$status" -eq 0 ]
	[[ $output == *two* ]]
}

@test "files that resources name" {
	sloth stack new web
	cat >files.sloth <<-'END'
		task("work"):command(function()
			stack.register_resource{ type = "file", name = "app", properties = { src = "/nosuch/app.yaml", path = "/nosuch/folder/x" } }
			return true
		end)
	END
	sloth run files.sloth --stack web --quiet
	run -10 sloth stack validate web
	[[ $output == *'✗ File check failed'*'Missing file: /nosuch/app.yaml'*'for file/app'* ]]
	[[ $output == *'✗ Permission check failed'*'Cannot write to: /nosuch/folder/x'* ]]
}

@test "a run that is to be validated runs when all is well, and not at all when not" {
	cat >checked.sloth <<-'END'
		local t = task("work"):command(function() stack.set_output("ran", "yes") return true end):build()
		workflow.define("checked"):tasks({ t }):config({ validate_before = true })
	END
	sloth run checked.sloth --stack web --quiet
	[ "$(sloth stack output web ran)" = yes ]
	printf 'validation: { min_disk_space: 1000TB }\n' | sloth write /stacks/web/config.yaml
	run -1 sloth run checked.sloth --stack web
	[[ $output == *'validation failed, nothing was run'*'disk: Disk space insufficient'* ]]
	[[ $(sloth cat /runs/latest/error) == *'validation failed'* ]]
	[ "$(sloth cat /runs/latest/status)" = failed ]
	[ "$(sloth cat /stacks/web/lock)" = unlocked ]
	workflow plain.sloth 'true'
	sloth run plain.sloth --stack web --quiet
	run -1 sloth run plain.sloth --stack web --validate
	[[ $output == *'validation failed'* ]]
	rm checked.sloth
	sloth run plain.sloth --stack fresh --validate --quiet
}
