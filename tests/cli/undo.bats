#!/usr/bin/env bats
# Undoing whole runs, and the maintenance that a failed rollback leaves.

bats_require_minimum_version 1.5.0
load common

# All that there is in a folder: names, kinds, modes, owners, targets, contents.
tree()
{
	(cd "$1" && find . \( -type d -printf '%p %y %#m %U %G\n' \) -o -printf '%p %y %#m %U %G %l %s\n' | LC_ALL=C sort &&
		find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
}

# A folder, and w.sloth, which changes things in it and in its stack.
things()
{
	mkdir d
	echo old >d/kept
	chmod 600 d/kept
	ln -s old d/link
	printf 'a\nb\n' >d/hosts
	cat >w.sloth <<END
local dir = "$PWD/d"
task("first"):command(function()
	resource.directory{ path = dir .. "/new", mode = "0750" }
	resource.file{ path = dir .. "/new/file", content = values.text or "new\n" }
	return true
end)
task("second"):depends_on("first"):command(function()
	resource.file{ path = dir .. "/kept", content = values.text or "changed\n" }
	resource.symlink{ path = dir .. "/link", target = "elsewhere" }
	resource.line{ name = "x", path = dir .. "/hosts", line = "10.0.0.1 x" }
	state.set("k", "new")
	stack.set_output("o", values.text or "1")
	return true
end)
workflow.define("w"):tasks({ "first", "second" })
END
}

# The process of a run.
runner_pid()
{
	local pid
	for pid in $(pgrep -x sloth-runner); do
		[ "$(readlink "/proc/$pid/cwd")" != "$SLOTH_HOME/work/$1" ] || echo "$pid"
	done
}

end_daemon()
{
	local pid
	pid=$(daemon_pid)
	kill "$pid"
	eventually eval "! kill -0 $pid"
}

@test "what a run did is undone, in the world and in the stack; the undo, too" {
	things
	sloth stack new w
	echo old | sloth write /stacks/w/state/k
	tree d >before
	sloth run w.sloth
	tree d >after
	run -0 sloth stack undo w --run 1 --dry-run
	[[ $output == *"line/x (task second)"*"directory/$PWD/d/new (task first)"* ]]
	tree d | diff after -
	run -0 sloth stack undo w --run 1 --yes
	[[ $output == *"undo-1 | line/x is as it was"* ]]
	tree d | diff before -
	[ "$(sloth cat /stacks/w/state/k)" = old ]
	[ -z "$(sloth ls /stacks/w/outputs.d)" ]
	[ -z "$(sloth ls /stacks/w/resources)" ]
	sloth stack drift detect w
	# Nothing is left of it; what did it can be undone.
	run -4 sloth stack undo w --run 1 --yes
	[[ $output == "sloth: run 1 was undone already" ]]
	sloth stack undo w --run 2 --yes
	tree d | diff after -
	[ "$(sloth cat /stacks/w/state/k)" = new ]
	[ "$(sloth cat /stacks/w/outputs.d/o)" = 1 ]
	sloth stack drift detect w
	sloth stack undo w --run 3 --yes
	tree d | diff before -
	sloth stack drift detect w
	# And so, as at first, the run itself can be undone no more, nor the first undo.
	run -4 sloth stack undo w --run 1 --yes
	# The workflow of the stack is that of people.
	[[ $(sloth cat /stacks/w/workflow) != *run-undo* ]]
}

@test "later runs that changed the same are named, and stand in the way" {
	things
	tree d >before
	sloth run w.sloth
	tree d >first
	echo 'text: "2"' >v.yaml
	sloth run w.sloth --values v.yaml
	run -7 sloth stack undo w --run 1 --yes
	[[ $output == *"later runs have changed what run 1 did: file/$PWD/d/kept by run 2, file/$PWD/d/new/file by run 2. Undo those first, or force it"* ]]
	sloth stack undo w --run 2 --yes
	tree d | diff first -
	[ "$(sloth cat /stacks/w/outputs.d/o)" = 1 ]
	sloth stack undo w --run 1 --yes
	tree d | diff before -
}

@test "a fix of drift is no later change: it brought back what the run had done" {
	things
	tree d >before
	sloth run w.sloth
	echo drifted >d/kept
	run -2 sloth stack drift detect w
	sloth stack drift fix w --auto-approve
	sloth stack undo w --run 1 --yes
	tree d | diff before -
	sloth stack drift detect w
}

@test "a sealed value is the older one again, in the world and in the stack" {
	cat >s.sloth <<END
task("t"):command(function()
	resource.file{ path = "$PWD/s", content = values.word or "first-w0rd", mode = "0600", sensitive = "content" }
end)
END
	sloth run s.sloth
	echo 'word: second-w0rd' >v.yaml
	sloth run s.sloth --values v.yaml
	sloth stack undo s --run 2 --yes
	[ "$(cat s)" = first-w0rd ]
	sloth stack drift detect s
	echo theirs >s
	run -2 sloth stack drift detect s
	sloth stack drift fix s --auto-approve
	[ "$(cat s)" = first-w0rd ]
	# The undo, too; and nothing of it is told.
	sloth stack undo s --run 3 --force
	[ "$(cat s)" = second-w0rd ]
	sloth stack drift detect s
	run -0 sloth cat /stacks/s/resources.json
	[[ $output != *w0rd* ]]
}

@test "an undo that was cut short when the things were back: the next one undoes the stack, too" {
	"$SLOTH_BUILD/fs/slothd" --failpoints >/dev/null 2>&1 || skip 'needs the option torture'
	things
	sloth stack new w
	echo old | sloth write /stacks/w/state/k
	tree d >before
	sloth run w.sloth
	end_daemon
	SLOTH_FAILPOINT=undo.marked:5 run -1 sloth stack undo w --run 1 --yes
	tree d | diff before -
	[ "$(sloth cat /stacks/w/state/k)" = new ]
	end_daemon
	sloth stack undo w --run 1 --yes
	[ "$(sloth cat /stacks/w/state/k)" = old ]
	run -4 sloth cat /stacks/w/outputs.d/o
	run -4 sloth stack undo w --run 1 --yes
	[[ $output == *'run 1 was undone already'* ]]
}

# Tasks that say how they are undone, and a type of resource that the workflow defines: own.sloth, with a file that it imports.
own()
{
	mkdir -p lib
	cat >lib/words.lua <<END
return { back = "back" }
END
	cat >own.sloth <<END
local words = import("lib/words.lua")
local dir = "$PWD"
stack_word = values.word or "first"
resource.define("note", {
	properties = { name = "name", text = "text" },
	read = function(d)
		local there = fs.exists(dir .. "/note." .. d.name)
		return there and { text = fs.read(dir .. "/note." .. d.name) } or { ensure = "absent" }
	end,
	apply = function(d) fs.write(dir .. "/note." .. d.name, d.text) return true end,
	image = function(d, actual) return { text = actual.text or false } end,
	undo = function(d, image)
		if image.text then fs.write(dir .. "/note." .. d.name, image.text) else fs.rm(dir .. "/note." .. d.name) end
		return true
	end,
})
task("note"):command(function() return resource.note{ name = "n", text = stack_word } end)
task("script"):depends_on("note"):env({ PLACE = dir }):command("echo made >$PWD/script"):undo("rm \$PLACE/script; echo script >>\$PLACE/order")
task("fn"):depends_on("script"):command(function()
	resource.file{ path = dir .. "/by-fn", content = stack_word }
	return true, "done", { word = "of-fn" }
end):undo(function(this, params, outputs)
	fs.append(dir .. "/order", this.name .. " " .. words.back .. " " .. outputs.word .. " " .. stack_word .. "\\n")
	fs.rm(dir .. "/by-fn")
	if fs.exists(dir .. "/stubborn") then return false, "I will not" end
	return true
end)
task("plain"):depends_on("fn"):command(function() return resource.file{ path = dir .. "/plain", content = "x" } end)
workflow.define("own"):tasks({ "note", "script", "fn", "plain" })
END
}

@test "tasks that say how they are undone are undone so, with what they gave out; types that the workflow defines, too" {
	own
	echo 'word: second' >v.yaml
	sloth run own.sloth --values v.yaml
	[ "$(cat note.n)$(cat script)$(cat by-fn)$(cat plain)" = secondmadesecondx ]
	rm -r lib own.sloth
	run -0 sloth stack undo own --run 1 --dry-run
	[[ $output == *"file/$PWD/plain (task plain)"*"task/fn (by its own undo)"*"task/script (by its own undo)"*"note/n (task note)"* ]]
	[[ $output != *by-fn* ]]
	run -0 sloth stack undo own --run 1 --yes
	[[ $output == *"file/$PWD/plain is as it was"*"fn is undone by its own undo"*"script is undone by its own undo"*"note/n is as it was"* ]]
	[ "$(cat order)" = "fn back of-fn second
script" ]
	[ ! -e note.n ]
	[ ! -e script ]
	[ ! -e by-fn ]
	[ ! -e plain ]
	[ -z "$(sloth ls /stacks/own/resources)" ]
	[[ $(sloth cat /runs/1/tasks/fn/attempts) == *undo* ]]
	run -4 sloth stack undo own --run 1 --yes
	[[ $output == "sloth: run 1 was undone already" ]]
	# What images are of comes again by an undo of the undo; what the functions did does not.
	sloth stack undo own --run 2 --yes
	[ "$(cat note.n)$(cat plain)" = secondx ]
	[ ! -e script ]
}

@test "an undo of a task that fails is called again by the next undo, and no other" {
	own
	sloth run own.sloth
	touch stubborn
	run -1 sloth stack undo own --run 1 --yes
	[[ $output == *"I will not"* ]]
	[ ! -e script ]
	[ ! -e plain ]
	rm stubborn
	echo again >by-fn
	sloth stack undo own --run 1 --yes
	[ "$(cat order)" = "fn back of-fn first
script
fn back of-fn first" ]
	[ ! -e by-fn ]
}

@test "drift of a type that the workflow defines is fixed; the fix can be undone" {
	own
	sloth run own.sloth
	echo theirs >note.n
	rm -r lib own.sloth
	run -2 sloth stack drift detect own
	sloth stack drift fix own --auto-approve
	[ "$(cat note.n)" = first ]
	sloth stack drift detect own
	sloth stack undo own --run 2 --yes
	[ "$(cat note.n)" = theirs ]
}

@test "which types of resources a workflow must have defined is known here and there" {
	cat >t.sloth <<END
task("t"):command(function() print("types: " .. table.concat(resource.types(), " ")) return true end)
END
	run -0 sloth run t.sloth
	[[ $output == *"types: $(sed -n '/known\[\] = /,/;/p' "$SLOTH_SOURCE/engine/earlier.c" | grep -o '"[a-z_]*"' | tr -d '"' | paste -sd ' ')"* ]]
}

@test "tasks of a workflow in YAML, and one that can't be read any more" {
	cat >y.yaml <<END
tasks:
  made:
    command: echo x >$PWD/made
    undo: rm $PWD/made
END
	sloth run y.yaml
	sloth stack undo y --run 1 --yes
	[ ! -e made ]
	cat >bad.sloth <<END
if fs.exists("$PWD/gone") then error("not any more") end
task("a"):command(function() return resource.file{ path = "$PWD/a", content = "x" } end)
task("b"):depends_on("a"):command("touch $PWD/b"):undo("rm $PWD/b")
END
	sloth run bad.sloth
	touch gone
	run -1 sloth stack undo bad --run 3 --yes
	[[ $output == *"the workflow of run 3 can't be read: /runs/3/bad.sloth:1: not any more"* ]]
	[ ! -e a ]
	[ -e b ]
}

@test "by force: also what later runs changed" {
	things
	tree d >before
	sloth run w.sloth
	echo 'text: "2"' >v.yaml
	sloth run w.sloth --values v.yaml
	sloth stack undo w --run 1 --force
	tree d | diff before -
	[ -z "$(sloth ls /stacks/w/outputs.d)" ]
}

@test "what the stack has by another hand since stands in the way, too" {
	things
	sloth run w.sloth
	echo mine | sloth write /stacks/w/state/k
	tree d >before
	run -7 sloth stack undo w --run 1 --yes
	[[ $output == *"the state k of stack w was changed again since: undo that first, or force it"* ]]
	tree d | diff before -
	sloth stack undo w --run 1 --force
	run -4 sloth cat /stacks/w/state/k
}

@test "what somebody changed since is left; the rest is undone, and the next undo goes on" {
	things
	tree d >before
	sloth run w.sloth
	echo theirs >d/kept
	run -1 sloth stack undo w --run 1 --yes
	[[ $output == *"file/$PWD/d/kept: it was changed by somebody else since, and is left as it is"* ]]
	[ "$(cat d/kept)" = theirs ]
	[ ! -e d/new ]
	[ "$(readlink d/link)" = old ]
	# The stack still says what there is.
	[ "$(sloth cat /stacks/w/outputs.d/o)" = 1 ]
	echo changed >d/kept
	sloth stack undo w --run 1 --yes
	tree d | diff before -
	[ -z "$(sloth ls /stacks/w/outputs.d)" ]
}

@test "the process of a run is killed between intent and end: what it did is undone afterwards" {
	things
	tree d >before
	sed -i '$d' w.sloth
	cat >>w.sloth <<END
task("third"):depends_on("second"):command("touch $PWD/up; exec sleep 1000")
workflow.define("w"):tasks({ "first", "second", "third" })
END
	sloth run w.sloth --detach
	eventually test -e up
	kill -KILL "$(runner_pid 1)"
	[ "$(sloth cat /runs/1/wait)" = interrupted ]
	sloth stack undo w --run 1 --yes
	tree d | diff before -
}

@test "the daemon is killed while a run is undone: it is undone all the same" {
	things
	tree d >before
	cat >slow.sloth <<END
task("slow"):command(function()
	resource.command{ name = "slow", check = "test -e $PWD/made", apply = "touch $PWD/made",
		undo = "touch $PWD/undoing; until [ -e $PWD/go ]; do sleep 0.05; done; rm $PWD/made" }
	resource.file{ path = "$PWD/d/kept", content = "slow" }
	return true
end)
workflow.define("w"):tasks({ "slow" })
END
	sloth run slow.sloth
	sloth stack undo w --run 1 --yes --detach
	eventually test -e undoing
	kill -9 "$(daemon_pid)"
	touch go
	[ "$(sloth cat /runs/2/wait)" = success ]
	tree d | diff before -
	[ ! -e made ]
	[[ $(sloth cat /runs/1/changes) != *" changed "* ]]
}

@test "refused: another stack's run, one that goes on, one of somebody else, words that there are not" {
	things
	sloth run w.sloth
	sloth stack new other
	run -4 sloth stack undo other --run 1 --yes
	[[ $output == "sloth: stack other has no run 1: that one was on w" ]]
	run -10 sloth stack undo w --run x --yes
	run -10 sloth stack undo w 2 --run 1 --yes
	run -10 sh -c 'echo undo now | sloth write /runs/1/ctl'
	[[ $output == *'"undo now" is no command for a run: cancel, retry, retry failed, undo [plan] [force]'* ]]
	workflow long.sloth "touch $PWD/up; exec sleep 1000"
	sloth run long.sloth --detach
	eventually test -e up
	run -5 sh -c 'echo undo | sloth write /runs/2/ctl'
	[[ $output == *"run 2 is running: cancel it, or wait for its end"* ]]
	echo cancel | sloth write /runs/2/ctl
}

@test "a rollback that failed leaves a maintenance lock; undoing the rest ends it" {
	things
	sed -i '$d' w.sloth
	cat >>w.sloth <<END
task("third"):depends_on("second"):command(function()
	if values.fail then
		fs.write(dir .. "/kept", "theirs\n")
		error("in the middle")
	end
end)
workflow.define("w"):tasks({ "first", "second", "third" }):config({ on_failure = "rollback" })
END
	tree d >before
	echo 'fail: true' >fail.yaml
	run -1 sloth run w.sloth --values fail.yaml
	[ "$(sloth cat /runs/1/status)" = rollback_failed ]
	[[ $(sloth cat /stacks/w/lock) == *"locked_by: maintenance"*"reason: the rollback of run 1 failed; left: file/$PWD/d/kept"*"kind: maintenance"* ]]
	run -5 sloth run w.sloth
	[[ $output == *"stack w is under maintenance: the rollback of run 1 failed; left: file/$PWD/d/kept. Nothing runs on it until "*"sloth stack undo w --run 1"* ]]
	# It survives the daemon, and an undo that fails in its turn.
	kill "$(daemon_pid)"
	run -1 sloth stack undo w --run 1 --yes
	[[ $(sloth cat /stacks/w/lock) == *"the rollback of run 1 failed"* ]]
	echo changed >d/kept
	sloth stack undo w --run 1 --yes
	tree d | diff before -
	[[ $(sloth cat /stacks/w/lock) == unlocked* ]]
	[ -z "$(sloth ls /stacks/w/resources)" ]
	sloth run w.sloth
}

@test "its owner may end the maintenance by hand" {
	things
	sed -i '$d' w.sloth
	cat >>w.sloth <<END
task("third"):depends_on("second"):command("false")
task("fourth"):command("true"):undo("exit 3")
workflow.define("w"):tasks({ "first", "second", "third", "fourth" }):config({ on_failure = "rollback" })
END
	run -1 sloth run w.sloth
	[[ $(sloth cat /stacks/w/lock) == *"the rollback of run 1 failed; left: fourth"* ]]
	sloth stack lock release w
	[[ $(sloth cat /stacks/w/lock) == unlocked* ]]
	run -1 sloth run w.sloth
}
