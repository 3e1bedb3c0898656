#!/usr/bin/env bats
# Keys and values through the mount and from workflows, together.

bats_require_minimum_version 1.5.0
load lib

# flow NAME: a workflow of one task, whose function's body is on standard input.
flow()
{
	{
		echo 'task("work"):command(function()'
		cat
		echo 'end)'
	} >"$1"
}

# succeeds FILE [STACK]: a run of it does.
succeeds()
{
	cp "$1" "$M/stacks/${2:-prod}/runs/"
	[ "$(cat "$M/stacks/${2:-prod}/runs/latest/wait")" = success ] || { cat "$M/runs/latest/log" "$M/runs/latest/error"; return 1; }
}

@test "a command's answer is read from the same open file, behind what was written" {
	mkdir "$M/state/jobs" "$M/stacks/prod"
	exec 9<>"$M/state.ctl"
	echo 'incr jobs/next 41' >&9
	read -r number <&9
	[ "$number" = 41 ]
	printf 'incr jobs/next\nappend jobs/log a\nappend jobs/log "b c"\n' >&9
	[ "$(cat <&9)" = $'42\na\nab c' ]
	echo "set jobs/list '[1,\"two\"]' type=json" >&9
	echo 'push jobs/list 3 type=number' >&9
	echo 'pop jobs/list' >&9
	echo 'list jobs/l*' >&9
	[[ $(cat <&9) == *'"key":"list"'*'"value":[1,"two"]'*'"key":"log"'* ]]
	exec 9>&-
	[ "$(cat "$M/state/jobs/next")" = 42 ]
	[[ $(cat "$M/state.ctl") == *'cas NAMESPACE/KEY OLD NEW'* ]]
	echo 'set color blue ttl=1h' >"$M/stacks/prod/state.ctl"
	[[ $(getfattr --only-values -n user.sloth.ttl "$M/stacks/prod/state/color") =~ ^(1h|59m) ]]
	refused 'Stale file handle' bash -c "/bin/echo cas color red green >'$M/stacks/prod/state.ctl'"
	says 'color is blue, not red'
	echo 'clear' >"$M/stacks/prod/state.ctl"
	[ -z "$(ls "$M/stacks/prod/state")" ]
	refused 'Invalid argument' bash -c "/bin/echo icnr jobs/next >'$M/state.ctl'"
	says 'did you mean "incr"'
}

@test "many at once count right" {
	mkdir "$M/state/jobs" "$M/stacks/prod"
	flow count.sloth <<-'END'
		for i = 1, 20 do state.namespace("jobs").increment("n") end
	END
	pids=()
	for i in 1 2 3; do
		cp count.sloth "$M/runs/count$i.sloth" & pids+=($!)
		(for j in 1 2 3 4 5 6 7 8 9 10; do echo 'incr jobs/n' >"$M/state.ctl"; done) & pids+=($!)
		(for j in 1 2 3 4 5; do sloth state incr n --namespace jobs >/dev/null; done) & pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3; do [ "$(cat "$M/runs/$i/wait")" = success ]; done
	[ "$(cat "$M/state/jobs/n")" = $((3 * (20 + 10 + 5))) ]
}

@test "what a workflow stores keeps its type, and any text is a key" {
	mkdir "$M/stacks/prod"
	flow store.sloth <<-'END'
		state.set("whole", 2)
		state.set("half", 2.5)
		state.set("yes", true)
		state.set("table", { a = { 1, 2 } })
		state.set("/etc/motd ü", "text")
		assert(math.type(state.get("whole")) == "integer" and state.get("half") == 2.5 and state.get("yes") == true)
		assert(state.get("table").a[2] == 2 and state.get("/etc/motd ü") == "text")
		assert(#state.keys() == 5 and #state.keys("/etc/*") == 1 and state.get_all().whole == 2)
		assert(state.compare_swap("whole", 2, 3) and not state.compare_swap("whole", 2, 4))
		assert(state.compare_swap("new", nil, 1) and not state.compare_swap("new", nil, 2))
		assert(state.list_push("l", "a") == 1 and state.list_push("l", { b = 1 }) == 2 and state.list_pop("l").b == 1)
		assert(state.list_length("l") == 1 and state.append("log", "x") == "x" and state.decrement("n") == -1)
		state.set("soon", 1, 60)
		assert(state.get_ttl("soon") > 50 and state.get_ttl("whole") == nil and state.set_ttl("whole", "1h"))
		assert(state.get_ttl("whole") > 3000 and state.delete("soon") and not state.delete("soon"))
		assert(state.stats().keys == 9 and state.clear("l*") == 2 and not state.exists("log"))
		local ok, err = pcall(state.set, ("k"):rep(200), 1)
		assert(not ok and err:find("1 to 128 bytes", 1, true), err)
		ok, err = pcall(state.increment, "table")
		assert(not ok and err:find("no number", 1, true), err)
		ok, err = pcall(state.keys, ("*"):rep(10000))
		assert(not ok and err:find("at most 1024 bytes", 1, true), err)
	END
	succeeds store.sloth
	[ "$(cat "$M/stacks/prod/state/whole")" = 3 ]
	[ "$(getfattr --only-values -n user.sloth.type "$M/stacks/prod/state/half")" = number ]
	[ "$(cat "$M/stacks/prod/state/%2Fetc%2Fmotd%20%C3%BC")" = text ]
	[ "$(cat "$M/stacks/prod/state/table")" = '{"a":[1,2]}' ]
	echo 41 >"$M/stacks/prod/state/n"
	flow more.sloth <<-'END'
		assert(state.increment("n") == 42)
	END
	succeeds more.sloth
}

@test "too much is refused with words, and nothing breaks" {
	mkdir "$M/stacks/prod"
	flow large.sloth <<-'END'
		for i = 1, 5 do state.set("part" .. i, ("x"):rep(1000000)) end
		local ok, err = pcall(state.get_all)
		assert(not ok and err:find("ask for less at a time", 1, true), err)
		assert(#state.get("part3") == 1000000 and state.clear("part*") == 5)
		ok, err = pcall(state.set, "huge", ("x"):rep(5000000))
		assert(not ok, "was taken")
		return true, "fine"
	END
	succeeds large.sloth
	[ -z "$(ls "$M/stacks/prod/state")" ]
	refused '' bash -c "head -c 9000000 /dev/zero | tr '\\0' x | sloth state set huge -"
	(printf 'set a/b '; head -c 70000 /dev/zero | tr '\0' x) >line
	refused 'File too large' dd if=line of="$M/state.ctl" bs=100k
}

@test "a flood of keys ends at max_keys" {
	stop_daemon
	mkdir -p "$T/config/sloth"
	printf 'stacks:\n  max_keys: 50\n' >"$T/config/sloth/config.yaml"
	export XDG_CONFIG_HOME=$T/config
	start_daemon
	mkdir "$M/state/a"
	for i in {1..50}; do echo $i >"$M/state/a/k$i"; done
	refused 'Disk quota exceeded' cp /etc/hostname "$M/state/a/more"
	says 'max_keys (50)'
	run -14 sloth state set more 1 --namespace a
	echo again >"$M/state/a/k1"
	rm "$M/state/a/k2"
	cp /etc/hostname "$M/state/a/more"
}

@test "keys end on time after a restart, too" {
	mkdir "$M/state/a"
	sloth state set short 1 --ttl 300ms --namespace a
	sloth state set long 1 --ttl 1h --namespace a
	stop_daemon
	eventually bash -c '[ $(date +%s%N) -gt '$(($(date +%s%N) + 300000000))' ]'
	start_daemon
	[ "$(ls "$M/state/a")" = long ]
	[[ $(getfattr --only-values -n user.sloth.ttl "$M/state/a/long") =~ ^59m ]]
}

@test "locks of names keep workflows apart, and end with them" {
	mkdir "$M/stacks/prod"
	flow apart.sloth <<-'END'
		for i = 1, 5 do
			state.with_lock("counter", function()
				local n = tonumber(fs.read(values.file))
				sleep(0.01)
				fs.write(values.file, tostring(n + 1))
			end, 60)
		end
	END
	echo 0 >"$T/counter"
	chmod 666 "$T/counter"
	for i in 1 2 3; do sloth run --set "file=$T/counter" -s "s$i" apart.sloth >/dev/null & pids[i]=$!; done
	wait "${pids[@]}"
	[ "$(cat "$T/counter")" = 15 ]

	flow rest.sloth <<-'END'
		assert(state.try_lock("mine") and state.lock("other", 1))
		local ok = pcall(state.with_lock, "third", function() error("oops") end)
		assert(not ok and state.try_lock("third") and state.unlock("third") and not state.unlock("third"))
		local got, why = state.namespace("x").lock("taken", "50ms")
		assert(got == false and why, why)
		local ok, err = pcall(state.with_lock, "taken", function() end, 0.05)
		assert(not ok and err:find("taken", 1, true), err)
		assert(state.try_lock("taken", 1) == false)
		while not fs.exists(values.go) do sleep(0.02) end
	END
	sloth state lock taken --reason 'the operator has it'
	echo "go: $T/go" >"$M/stacks/prod/values.yaml"
	cp rest.sloth "$M/stacks/prod/runs/"
	eventually grep -q '^locked_by' "$M/locks/mine"
	not sloth state unlock mine
	touch go
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ] || { cat "$M/runs/latest/error"; false; }
	[ "$(cat "$M/locks/mine" "$M/locks/other" "$M/locks/third")" = $'unlocked\nunlocked\nunlocked' ]
	sloth state unlock taken
}

@test "who writes in blocks cuts no command: awk, cat and cp of thousands of lines, and a long line" {
	mkdir "$M/state/many"
	awk 'BEGIN { for (i = 1; i <= 3000; i++) printf "set many/k%d value-of-%d\n", i, i }' >"$M/state.ctl"
	for key in k1 k2999 k3000; do [ "$(cat "$M/state/many/$key")" = "value-of-${key#k}" ]; done
	[ "$(ls "$M/state/many" | wc -l)" -eq 3000 ]
	[ "$(cat "$M"/state/many/* | grep -c '^value-of-[0-9]*$')" -eq 3000 ]
	awk 'BEGIN { for (i = 1; i <= 5000; i++) printf "set many/k%d other-of-%d\n", i, i }' >lines
	[ "$(stat -c %s lines)" -gt 131072 ]
	cat lines >"$M/state.ctl"
	[ "$(cat "$M"/state/many/* | grep -c '^other-of-[0-9]*$')" -eq 5000 ]
	sed s/other/third/ lines >lines2
	cp lines2 "$M/state.ctl"
	[ "$(cat "$M"/state/many/* | grep -c '^third-of-[0-9]*$')" -eq 5000 ]
	# A line of two blocks and a half, by who writes block by block.
	long=$(printf '%010000d' 7)
	printf 'set many/long %s\n' "$long" >line
	dd if=line of="$M/state.ctl" bs=4096 status=none conv=notrunc
	[ "$(cat "$M/state/many/long")" = "$long" ]
	# One that is larger than a command may be is no command.
	printf 'set many/huge %070000d\n' 7 >line
	refused 'File too large' bash -c "cat line >'$M/state.ctl'"
	[ ! -e "$M/state/many/huge" ]
}

@test "a last line that ends with a block, and has no end, is not done, and that is said" {
	mkdir "$M/state/last"
	printf 'set last/k %04085d' 7 >line
	[ "$(stat -c %s line)" -eq 4096 ]
	cat line >"$M/state.ctl"
	eventually file_has "$M/error" 'the last line was not done: it has no end'
	[ ! -e "$M/state/last/k" ]
	# Through the socket all of it is there, so it is known to be the end.
	sloth write state.ctl <line
	[ -e "$M/state/last/k" ]
	# Shorter ones need no end.
	printf 'set last/short 1' >"$M/state.ctl"
	[ "$(cat "$M/state/last/short")" = 1 ]
}
