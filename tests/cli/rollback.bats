#!/usr/bin/env bats
# on_failure = "rollback": what a run did is undone, and the stack goes back.

bats_require_minimum_version 1.5.0
load common

@test "undone in reverse order, and the stack as it was before" {
	cat >r.sloth <<END
task("a"):command(function() state.set("k", "new"); stack.set_output("o", "new") end):undo("echo a >>$PWD/order")
task("b"):depends_on("a"):command("true"):undo("echo b >>$PWD/order")
task("c"):depends_on("b"):command("true")
task("d"):depends_on("c"):command("exit 3"):undo("echo d >>$PWD/order")
task("e"):always():command("echo e >>$PWD/order")
workflow.define("r"):tasks({ "a", "b", "c", "d", "e" }):config({ on_failure = "rollback" })
END
	sloth stack new r
	echo old | sloth write /stacks/r/state/k
	run -1 sloth run r.sloth
	# What becomes of tasks and what is logged are two streams.
	[[ $output == *$'\nb: success'*$'\nc: success'*$'\nd: failed'* ]]
	[[ $output == *$'\nrolling back: 3 tasks were done\n'*$'\nrolled back; '* ]]
	[ "$(cat order)" = $'b\na\ne' ]
	[ "$(sloth cat /runs/1/status)" = rolled_back ]
	[[ $(sloth cat /runs/1/error) == 'task d: exit status 3; rolled back; not undone, because they have no undo: c; the stack is as before, as v'* ]]
	[ "$(sloth cat /stacks/r/state/k)" = old ]
	[ -z "$(sloth ls /stacks/r/outputs.d)" ]
	[[ $(sloth cat /runs/1/tasks/a/attempts) == *$'\n2 undo success '* ]]
	[ "$(sloth cat /runs/1/tasks/a/attempts.d/2/kind)" = undo ]
	[ "$(sloth cat /runs/1/tasks/a/status)" = success ]
	[[ $(sloth cat /stacks/r/lock) == unlocked* ]]
}

@test "a service works with its file as it was, and drift is not found" {
	mkdir s
	printf 'old\n' >conf
	cat >w.sloth <<END
local root = "$PWD/s"
task("conf"):command(function()
	if values.line then return resource.line{ name = "more", path = "$PWD/conf", line = values.line } end
	return resource.file{ path = "$PWD/conf", content = values.text or "old\\n" }
end)
task("web"):depends_on("conf"):command(function()
	return resource.service{ name = "web", command = "cp $PWD/conf $PWD/seen; exec sleep 1000", restart_on = { "$PWD/conf" }, root = root }
end)
task("last"):depends_on("web"):command(function()
	while fs.read("$PWD/seen") ~= (values.text or "old\\n") do time.sleep("10ms") end
	return not values.fails
end)
workflow.define("w"):tasks({ "conf", "web", "last" }):config({ on_failure = "rollback" })
END
	echo 'task("end"):command(function() return resource.service{ name = "web", ensure = "absent", root = "'"$PWD"'/s" } end)' >end.sloth
	printf 'text: "new\\n"\nfails: true\n' >v.yaml
	sloth run w.sloth
	sloth stack drift detect w
	run -1 sloth run w.sloth --values v.yaml
	[ "$(sloth cat /runs/2/status)" = rolled_back ]
	[[ $(sloth cat /runs/2/log) == *"service/web works with $PWD/conf as it was"* ]]
	eventually eval '[ "$(cat seen)" = old ]'
	sloth stack drift detect w
	# And so by the undo of a whole run.
	sed -i '/fails/d' v.yaml
	sloth run w.sloth --values v.yaml
	sloth stack undo w --run 3 --yes
	eventually eval '[ "$(cat seen)" = old ]'
	sloth stack drift detect w
	# What was changed is a part of the file.
	printf 'text: "old\\nmore\\n"\nline: more\nfails: true\n' >v.yaml
	run -1 sloth run w.sloth --values v.yaml
	[ "$(sloth cat /runs/5/status)" = rolled_back ]
	eventually eval '[ "$(cat seen)" = old ]'
	sloth stack drift detect w
	sloth run end.sloth --stack w
}

@test "an undo that fails leaves the stack as it is, and is listed" {
	cat >r.sloth <<'END'
task("a"):command(function() state.set("k", "new") end):undo("echo undone")
task("b"):depends_on("a"):command("true"):undo("echo no >&2; exit 4")
task("c"):depends_on("b"):command("exit 3")
workflow.define("r"):tasks({ "a", "b", "c" }):config({ on_failure = "rollback" })
END
	run -1 sloth run r.sloth
	[ "$(sloth cat /runs/1/status)" = rollback_failed ]
	[ "$(sloth cat /runs/1/error)" = 'task c: exit status 3; the rollback failed; undo of b: exit status 4: no; the stack was not restored' ]
	[ "$(sloth cat /stacks/r/state/k)" = new ]
	[ "$(sloth cat /runs/1/tasks/a/attempts.d/2/log)" = undone ]
}

@test "a run that succeeds undoes nothing; one that is cancelled is not rolled back" {
	cat >r.sloth <<'END'
task("a"):command("true"):undo("echo never")
task("b"):depends_on("a"):command("echo up; exec sleep 1000"):run_if(function() return values.long end):undo("echo never")
workflow.define("r"):tasks({ "a", "b" }):config({ on_failure = "rollback" })
END
	sloth run r.sloth
	[ "$(sloth cat /runs/1/status)" = success ]
	echo '{ "long": true }' >v.json
	sloth run r.sloth --values v.json --detach
	eventually sh -c 'sloth cat /runs/2/log | grep -q up'
	echo cancel | sloth write /runs/2/ctl
	[ "$(sloth cat /runs/2/wait)" = cancelled ]
	[[ $(sloth cat /runs/2/log) != *never* ]]
}

rolling()
{
	cat >r.sloth <<'END'
task("a"):command("true"):undo("echo never")
task("b"):depends_on("a"):command("true"):undo("echo undoing; exec sleep 1000")
task("c"):depends_on("b"):command("exit 3")
workflow.define("r"):tasks({ "a", "b", "c" }):config({ on_failure = "rollback" })
END
	sloth run r.sloth --detach
	eventually sh -c 'sloth cat /runs/1/log | grep -q undoing'
	[ "$(sloth cat /runs/1/status)" = rolling_back ]
}

@test "cancelled while it is rolled back" {
	rolling
	echo cancel | sloth write /runs/1/ctl
	[ "$(sloth cat /runs/1/wait)" = rollback_failed ]
	[[ $(sloth cat /runs/1/error) == *'undo of b: '*'left as they are: a;'* ]]
}

@test "its process is killed while it is rolled back: what is left is listed" {
	rolling
	local home="$SLOTH_HOME" pid
	for pid in $(pgrep -x sloth-runner); do
		tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -q "^SLOTH_HOME=$home\$" && kill -KILL "$pid"
		[ "$(readlink "/proc/$pid/cwd")" != "$home/work/1" ] || kill -KILL "$pid"
	done
	[ "$(sloth cat /runs/1/wait)" = rollback_failed ]
	[[ $(sloth cat /runs/1/error) == 'the rollback was cut short: '*'; not undone: b, a' ]]
	[[ $(sloth cat /stacks/r/lock) == *"reason: the rollback of run 1 failed; left: b, a"* ]]
}

@test "the daemon is killed while a run is rolled back: it goes on, and the next daemon hears the end" {
	cat >r.sloth <<END
task("a"):command(function() state.set("k", "new") end):undo("echo a >>$PWD/order")
task("b"):depends_on("a"):command("true"):undo("echo b >>$PWD/order; until [ -e $PWD/go ]; do sleep 0.05; done; echo undone")
task("c"):depends_on("b"):command("exit 3")
workflow.define("r"):tasks({ "a", "b", "c" }):config({ on_failure = "rollback" })
END
	sloth stack new r
	echo old | sloth write /stacks/r/state/k
	sloth run r.sloth --detach
	eventually test -s order
	kill -9 "$(daemon_pid)"
	[ "$(sloth cat /runs/1/status)" = rolling_back ]
	[[ $(sloth cat /stacks/r/lock) != unlocked* ]]
	touch go
	[ "$(sloth cat /runs/1/wait)" = rolled_back ]
	[ "$(cat order)" = $'b\na' ]
	[ "$(sloth cat /runs/1/tasks/b/attempts.d/2/log)" = undone ]
	[[ $(sloth cat /runs/1/error) == 'task c: exit status 3; rolled back; the stack is as before, as v'* ]]
	[ "$(sloth cat /stacks/r/state/k)" = old ]
	[[ $(sloth cat /stacks/r/lock) == unlocked* ]]
}

# All that there is in a folder: names, kinds, modes, owners, targets, contents.
tree()
{
	(cd "$1" && find . \( -type d -printf '%p %y %#m %U %G\n' \) -o -printf '%p %y %#m %U %G %l %s\n' | LC_ALL=C sort &&
		find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
}

# A folder that many things are changed in, by the workflow w.sloth; with `fail`, which fails in the middle.
things()
{
	mkdir d
	echo old >d/kept
	echo secret >d/private
	chmod 600 d/private
	head -c 2500000 /dev/urandom >d/large
	ln -s old d/link
	printf 'a\nb\n' >d/hosts
	cat >w.sloth <<END
local dir = "$PWD/d"
task("first"):command(function()
	resource.directory{ path = dir .. "/new/folder", mode = "0750" }
	resource.file{ path = dir .. "/new/folder/file", content = "new\n", mode = "0640" }
	return true
end)
task("second"):depends_on("first"):command(function()
	resource.file{ path = dir .. "/kept", content = "changed\n", mode = "0600" }
	resource.file{ path = dir .. "/private", content = "no secret\n", mode = "0644" }
	resource.file{ path = dir .. "/large", content = "small\n" }
	resource.symlink{ path = dir .. "/link", target = "elsewhere" }
	resource.line{ name = "x", path = dir .. "/hosts", line = "10.0.0.1 x" }
	resource.line{ name = "y", path = dir .. "/hosts", line = "10.0.0.2 y" }
	return true
end)
task("third"):depends_on("second"):command(function()
	resource.file{ path = dir .. "/half", content = "half\n" }
	if values.foreign then fs.write(dir .. "/kept", "theirs\n") end
	if values.fail then error("in the middle") end
end)
workflow.define("w"):tasks({ "first", "second", "third" }):config({ on_failure = "rollback" })
END
	echo 'fail: true' >fail.yaml
}

@test "what tasks without undo changed is put back byte for byte, also by the one that failed" {
	things
	tree d >before
	run -1 sloth run w.sloth --values fail.yaml
	[ "$(sloth cat /runs/1/status)" = rolled_back ]
	tree d | diff before -
	[ "$(sloth cat /runs/1/changes | grep -c ' undone ')" = 9 ]
	[[ $(sloth cat /runs/1/changes) == *" undone line/y by second"* ]]
	[[ $(sloth cat /runs/1/log) == *"[second] file/$PWD/d/large is as it was"* ]]
	[ "$(sloth cat /runs/1/tasks/third/attempts.d/2/kind)" = undo ]
	# Nothing is looked after that was not before, and nothing has drifted.
	[ -z "$(sloth ls /stacks/w/resources)" ]
	sloth stack drift detect w
	# What only its owner could read is not in the database.
	run ! grep -rqa '^secret$' "$SLOTH_HOME"
}

@test "a rollback brings back what the stack knew of its resources, and drift is not found" {
	things
	sloth run w.sloth
	sloth stack drift detect w
	tree d >before
	sed -i 's/changed\\n/changed again\\n/; s/half\\n/whole\\n/' w.sloth
	run -1 sloth run w.sloth --values fail.yaml
	[ "$(sloth cat /runs/2/status)" = rolled_back ]
	tree d | diff before -
	[ "$(sloth cat "/stacks/w/resources/file/$(sloth ls /stacks/w/resources/file | grep kept)/status")" = applied ]
	sloth stack drift detect w
}

@test "what somebody else has changed since is left, and the rollback has failed" {
	things
	echo 'foreign: true' >>fail.yaml
	run -1 sloth run w.sloth --values fail.yaml
	[ "$(sloth cat /runs/1/status)" = rollback_failed ]
	[ "$(cat d/kept)" = theirs ]
	[ "$(cat d/private)" = secret ]
	[ ! -e d/new ]
	[[ $(sloth cat /runs/1/error) == *"undo of second: file/$PWD/d/kept: it was changed by somebody else since, and is left as it is; the stack was not restored"* ]]
	[[ $(sloth cat /runs/1/changes) == *" not undone file/$PWD/d/kept by second: it was changed by somebody else"* ]]
}

@test "a file that is too large is changed, and says that it can't be undone" {
	things
	mkdir -p cfg/sloth
	echo 'stacks: { max_before_image: 1MB }' >cfg/sloth/config.yaml
	export XDG_CONFIG_HOME=$PWD/cfg
	run -1 sloth run w.sloth --values fail.yaml
	[ "$(sloth cat /runs/1/status)" = rollback_failed ]
	[ "$(cat d/large)" = small ]
	[[ $(sloth cat /runs/1/changes) == *"file/$PWD/d/large by second: it can't be undone: it has 2500000 bytes, and up to "* ]]
	[ "$(cat d/kept)" = old ]
}

@test "the plan says what a rollback does about each task" {
	cat >p.sloth <<'END'
task("a"):command("true")
task("b"):depends_on("a"):command("true"):undo("echo undone")
task("c"):depends_on("b"):command(function() end)
workflow.define("p"):tasks({ "a", "b", "c" }):config({ on_failure = values.policy or "rollback" })
END
	run -0 sloth workflow plan p.sloth
	[[ $output == *$'1. a\n      $ true\n      in a rollback: no undo: what its command does stays\n'* ]]
	[[ $output == *$'undo: echo undone\n      in a rollback: its undo\n'* ]]
	[[ $output == *$'function, line 3\n      in a rollback: what it changes by resources is put back\n'* ]]
	[[ $output == *$'Not taken back, because they say no undo: a'* ]]
	run -0 sloth workflow plan p.sloth --json
	[[ $output == *'"rollback": "images"'* ]]
	echo 'policy: stop' >v.yaml
	run -0 sloth workflow plan p.sloth --values v.yaml
	[[ $output != *"in a rollback"* ]]
}

@test "what file_ops changes beside the thing that it registers is put back, too" {
	mkdir -p d/source/below
	echo orig >d/edited
	echo 1 >d/source/one
	ln -s one d/source/link
	echo 2 >d/source/below/two
	tree d >before
	cat >f.sloth <<END
local dir = "$PWD/d"
task("a"):command(function()
	assert(file_ops.copy{ content = "new\n", dest = dir .. "/some/folders/file" })
	assert(file_ops.copy(dir .. "/source", dir .. "/copied"))
	assert(file_ops.replace{ path = dir .. "/edited", pattern = "orig", replacement = "other" })
	assert(file_ops.remove(dir .. "/source/one"))
	return true
end)
task("b"):depends_on("a"):command("false")
workflow.define("f"):tasks({ "a", "b" }):config({ on_failure = "rollback" })
END
	run -1 sloth run f.sloth
	[ "$(sloth cat /runs/1/status)" = rolled_back ]
	tree d | diff before -
}
