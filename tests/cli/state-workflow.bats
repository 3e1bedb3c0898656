#!/usr/bin/env bats
# state workflow: the executions of workflows.

bats_require_minimum_version 1.5.0
load common

# What is registered here is looked at by nobody.
before_start()
{
	unwatched
}

deployment()
{
	cat >deploy.sloth <<'END'
task("apply"):command(function()
	stack.register_resource{ type = "container", name = "web", module = "docker",
		properties = { image = "nginx:" .. (values.tag or "1") } }
	stack.register_resource{ type = "file", name = "/etc/motd", module = "file", properties = { mode = "0644" } }
	stack.set_output("url", "http://web")
	return true
end)
END
	sloth run -q deploy.sloth --stack prod "$@"
}

# FIELD of the first object, as Python sees it.
field()
{
	python3 -c 'import json, sys
value = json.load(sys.stdin)
value = value[0] if isinstance(value, list) else value
print(value[sys.argv[1]])' "$1"
}

@test "list: executions with version, status and duration; filters" {
	deployment
	deployment --set tag=2
	workflow broken.sloth 'exit 1'
	run -1 sloth run -q broken.sloth
	run sloth state workflow list
	[ "${#lines[@]}" -eq 4 ]
	[[ ${lines[1]} == *' 3 broken'*failed* ]]
	[[ ${lines[2]} == *' 2 deploy'*prod*v*success* ]]
	[ "$(sloth state workflow list --name deploy --json | grep -c '"name": "deploy"')" -eq 2 ]
	[ "$(sloth state workflow list --status failed -o json | field name)" = broken ]
	[ "$(sloth state workflow list --limit 1 --output json | field id)" = 3 ]
	[ "$(sloth state workflow list --name nothing)" = '' ]
	[ "$(sloth state workflow list --name nothing --json)" = '[]' ]
	run -10 sloth state workflow list --status good
	[[ $output == *'pending, running, success, failed or rolled_back'* ]]
	run -10 sloth state workflow list --limit x
}

@test "a running one is running" {
	workflow slow.sloth 'sleep 300'
	sloth run --detach slow.sloth
	eventually bash -c '[ "$(sloth state workflow list --json | grep -c "\"status\": \"running\"")" -eq 1 ]'
	sloth write /runs/1/ctl --text cancel
	sloth cat /runs/1/wait
	[ "$(sloth state workflow show slow --json | field status)" = failed ]
	[ "$(sloth state workflow show slow --json | field run_status)" = cancelled ]
}

@test "show: by name the newest, by number that one" {
	deployment
	deployment --set tag=2
	run sloth state workflow show deploy
	[[ $output == 'Workflow: deploy (v'*'Basic Information:'*' 2'*'Resources:'*container*web*update*'/etc/motd'*noop*'Outputs:'*'url = http://web'* ]]
	[ "$(sloth state workflow show 1 --json | field id)" = 1 ]
	[ "$(sloth state workflow show deploy -o json | field id)" = 2 ]
	run -4 sloth state workflow show 77
	run -4 sloth state workflow show nothing
	[[ $output == *'sloth state workflow list'* ]]
	run -10 sloth state workflow show ../..
}

@test "resources: what each execution did to them" {
	deployment
	deployment --set tag=2
	run sloth state workflow resources 1
	[[ ${lines[1]} == container*web*create* ]]
	[[ ${lines[2]} == file*/etc/motd*create* ]]
	run sloth state workflow resources 2
	[[ ${lines[1]} == container*web*update* ]]
	[[ ${lines[2]} == file*/etc/motd*noop* ]]
	[ "$(sloth state workflow resources 2 --type file --json | field action)" = noop ]
	[ "$(sloth state workflow resources 2 --type nothing --json)" = '[]' ]
}

@test "outputs" {
	deployment
	[ "$(sloth state workflow outputs deploy)" = url=http://web ]
	[ "$(sloth state workflow outputs 1 --json | field url)" = http://web ]
	run -4 sloth state workflow outputs 9
}

@test "versions, and back to one of them" {
	deployment
	first=$(sloth state workflow versions 1 --json | field version)
	deployment --set tag=2
	second=$(sloth state workflow versions 2 --json | field version)
	[ "$second" -gt "$first" ]
	[ "$(sloth state workflow versions deploy --json | field version)" = "$second" ]
	[[ $(sloth state workflow versions deploy) == *"v$first "* ]]
	run -11 sloth state workflow rollback 2 "$first"
	[[ $output == *--force* ]]
	sloth state workflow rollback 2 "$first" --force
	[[ $(sloth cat /stacks/prod/resources.json) == *nginx:1* ]]
	[ "$(sloth state workflow rollback deploy "v$second" --yes --json | field restored)" = True ]
	[[ $(sloth cat /stacks/prod/resources.json) == *nginx:2* ]]
	run -10 sloth state workflow rollback deploy 'a/b' --yes
	run sloth state workflow rollback deploy 999 --yes
	[ "$status" -ne 0 ]
	[[ $output == *999* ]]
}

@test "delete asks, and is the end of it" {
	deployment
	run -11 sloth state workflow delete 1
	[[ $output == *--force* ]]
	sloth state workflow delete 1 --force
	[ "$(sloth state workflow list --json)" = '[]' ]
	run -4 sloth state workflow delete 1 --force
	workflow slow.sloth 'sleep 300'
	sloth run --detach slow.sloth
	run -5 sloth state workflow delete slow --force
	sloth write /runs/latest/ctl --text cancel
	sloth cat /runs/latest/wait
	[ "$(sloth state workflow delete slow --yes --json | field deleted)" = True ]
}
