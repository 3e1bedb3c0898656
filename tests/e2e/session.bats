#!/usr/bin/env bats
# The whole way through: mount it, write a workflow into runs/, read the outputs.

bats_require_minimum_version 1.5.0
load lib

after_end()
{
	local pid
	for pid in $(grep -lzF -- "$T/www" /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != python3 ] || kill "$pid"
	done
	return 0
}

free_port()
{
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

@test "the session of the README, with a real server" {
	port=$(free_port)
	mkdir two
	sloth mount "$T/two"
	mkdir "$M/stacks/prod"
	[ "$(flock -n "$M/stacks/prod/lock" true && echo free)" = free ]
	printf 'port: %d\nroot: %s\n' "$port" "$T/www" >"$M/stacks/prod/values.yaml"
	cp "$SLOTH_SOURCE/examples/webserver.sloth" "$M/stacks/prod/runs/"
	run cat "$M/stacks/prod/runs/latest/wait"
	[ "$output" = success ] || { cat "$M/runs/latest/log"; false; }
	[ "$(cat "$M/stacks/prod/outputs")" = "url=http://127.0.0.1:$port/" ]
	[[ $(curl -sS "$(cat "$M/stacks/prod/outputs.d/url")") == *'It works'* ]]
	if [ "$(id -u)" -eq 0 ]; then
		chmod 777 "$M/stacks/prod"
		cp "$SLOTH_SOURCE/examples/webserver.sloth" again.sloth
		echo maintenance >"$M/stacks/prod/lock"
		refused 'Device or resource busy' as $nobody cp again.sloth "$M/stacks/prod/runs/"
		run as $nobody bash -c "cp again.sloth '$M/stacks/prod/runs/'; cat '$M/error'"
		[[ $output == *maintenance* ]]
		rm "$M/stacks/prod/lock"
	fi
	run sloth stack show prod
	[ "$status" -eq 0 ]
	[[ $output == *completed* ]]
	sloth umount "$T/two"

	first=$(cat "$M/stacks/prod/state/pid")
	cp "$SLOTH_SOURCE/examples/webserver.sloth" "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ]
	[ "$(cat "$M/stacks/prod/state/pid")" != "$first" ]
	curl -sS "http://127.0.0.1:$port/" >/dev/null
}

@test "the demo" {
	run timeout 1200 bash "$SLOTH_SOURCE/examples/demo.bash" "$SLOTH_BUILD" "$SLOTH_SOURCE/examples"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[[ $output == *'It works'* ]]
	[[ $output == *'Device or resource busy'* ]]
	place=$(sed -n 's/.*the server and \(.*\)\.$/\1/p' <<<"$output")
	[ -n "$place" ]
	[ ! -e "$place" ]
	not grep -qF "$place" /proc/mounts
}

@test "a run of several tasks: plan, order, logs, results, tasks at the same time" {
	cat >build.sloth <<-'END'
		local a = task("a"):command("echo from a"):build()
		local b = task("b"):depends_on(a):command("echo from b"):build()
		local c = task("c"):depends_on(a):command(function(this, params, deps)
		    stack.set_output("answer", 42)
		    return true, "done", { half = 21 }
		end):build()
		local d = task("d"):depends_on({ b, c }):command(function(this, params, deps)
		    return deps.c.half == 21
		end):build()
		workflow.define("build"):description("Four tasks"):tasks({ a, b, c, d })
	END
	cp build.sloth "$M/runs/"
	[ "$(cat "$M/runs/build/wait")" = success ]
	[ "$(ls "$M/runs/build/tasks" | tr '\n' ' ')" = 'a b c d ' ]
	[ "$(cat "$M/runs/build/tasks/a/log")" = 'from a' ]
	[ "$(cat "$M/stacks/build/outputs")" = answer=42 ]
	[ "$(cat "$M/runs/build/outputs")" = answer=42 ]
	[[ $(cat "$M/runs/build/tasks/c/output.json") == *21* ]]
	[[ $(cat "$M/runs/build/plan") == *'d (after b, c)'* ]]
	[[ $(cat "$M/runs/build/plan.dot") == 'digraph'*'"a" -> "b"'* ]]
	python3 -m json.tool "$M/runs/build/plan.json" >/dev/null
	python3 -m json.tool "$M/runs/build/result.json" >/dev/null
	python3 -m json.tool "$M/runs/build/status.json" >/dev/null
	[ "$(cat "$M/runs/build/stack/status")" = completed ]
	[ -s "$M/runs/build/duration" ]
	[ -s "$M/runs/build/started" ]
	[ -s "$M/runs/build/finished" ]
	cmp build.sloth "$M/runs/build/workflow"
	cmp build.sloth "$M/stacks/build/workflow"
}

@test "a run that fails says why, and the stack shows it" {
	script bad.sloth 'echo about to fail; echo reason >&2; exit 3'
	cp bad.sloth "$M/runs/"
	[ "$(cat "$M/runs/bad/wait")" = failed ]
	[[ $(cat "$M/runs/bad/tasks/work/error") == *'3'* ]]
	[ -s "$M/runs/bad/error" ]
	[ "$(cat "$M/stacks/bad/status")" = failed ]
	echo 'retry' >"$M/runs/bad/ctl"
	[ "$(cat "$M/runs/bad/wait")" = failed ]
	[ "$(ls -d "$M"/runs/[0-9]* | wc -l)" -eq 2 ]
}

@test "cancel ends the whole tree of processes" {
	script slow.sloth "setsid sleep 1000 & echo \$! >> $T/pids; sleep 1000 & echo \$! >> $T/pids; wait"
	cp slow.sloth "$M/runs/"
	eventually bash -c '[ $(wc -l <pids) -eq 2 ]'
	echo cancel >"$M/runs/slow/ctl"
	[ "$(cat "$M/runs/slow/wait")" = cancelled ]
	while read -r pid; do
		not kill -0 "$pid"
	done <pids
	[ "$(cat "$M/stacks/slow/lock")" = unlocked ]
}

@test "a task may use the tree while it runs" {
	mkdir "$M/stacks/prod"
	script self.sloth "echo \"from the task\" > $M/stacks/prod/description && cat $M/runs/\$SLOTH_RUN/status && ls -R $M/stacks >/dev/null"
	cp self.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/prod/runs/self/wait")" = success ] || { cat "$M/stacks/prod/runs/self/log"; false; }
	[ "$(cat "$M/stacks/prod/description")" = 'from the task' ]
}

@test "values: the stack's, and those of one run" {
	mkdir "$M/stacks/prod"
	echo 'region: eu' >"$M/stacks/prod/values.yaml"
	printf 'task("work"):command(function() stack.set_output("region", values.region) end)\n' >v.sloth
	cp v.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/prod/runs/v/wait")" = success ]
	[ "$(cat "$M/stacks/prod/outputs.d/region")" = eu ]
	exec 9>"$M/stacks/prod/runs/v.sloth"
	setfattr -n user.sloth.values -v 'region: us' "$M/stacks/prod/runs/v.sloth"
	cat v.sloth >&9
	exec 9>&-
	[ "$(cat "$M/stacks/prod/runs/v/wait")" = success ]
	[ "$(cat "$M/stacks/prod/outputs.d/region")" = us ]
}

@test "names: latest, the newest run of a file, rmdir of a run" {
	script one.sloth true
	script two.sloth true
	cp one.sloth "$M/runs/"
	[ "$(cat "$M/runs/one/wait")" = success ]
	cp two.sloth "$M/runs/"
	[ "$(cat "$M/runs/two/wait")" = success ]
	[ "$(readlink "$M/runs/latest")" = "$(readlink "$M/runs/two")" ]
	cp one.sloth "$M/runs/"
	[ "$(cat "$M/runs/one/wait")" = success ]
	[ "$(readlink "$M/runs/latest")" = "$(readlink "$M/runs/one")" ]
	cmp one.sloth "$M/runs/one.sloth"
	run=$(readlink "$M/runs/two")
	rmdir "$M/runs/$run"
	[ ! -e "$M/runs/$run" ]
}
