#!/usr/bin/env bats
# rsync, tar, less, grep -r, find, diff -r, tail -f and their like.

bats_require_minimum_version 1.5.0
load lib

stack()
{
	mkdir "$M/stacks/prod"
	printf 'name: old\n' >"$M/stacks/prod/values.yaml"
	echo 'The web shop' >"$M/stacks/prod/description"
	echo 'http://127.0.0.1/' | tee "$M/stacks/prod/outputs.d/url" >/dev/null
	script hello.sloth 'echo hello'
	cp hello.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/stacks/prod/runs/latest/wait")" = success ]
}

@test "rsync -a out of the tree, twice: the second time nothing is new" {
	stack
	rsync -a "$M/stacks/prod" copy/
	cmp copy/prod/values.yaml "$M/stacks/prod/values.yaml"
	[ "$(cat copy/prod/outputs.d/url)" = 'http://127.0.0.1/' ]
	[ -z "$(rsync -ai "$M/stacks/prod" copy/)" ]
}

@test "rsync into the tree, with a temporary name and in place" {
	stack
	mkdir src
	echo 'name: brand new' >src/values.yaml
	rsync -r src/ "$M/stacks/prod/"
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'name: brand new' ]
	echo 'name: newer than new' >src/values.yaml
	rsync -r --inplace src/ "$M/stacks/prod/"
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'name: newer than new' ]
	[ -z "$(find "$M/stacks/prod" -name '.values*')" ]
}

@test "tar: out, compared, and back into another stack" {
	stack
	tar -cf prod.tar -C "$M/stacks" prod
	mkdir out
	tar -xf prod.tar -C out
	diff -r --no-dereference -x 'activity*' -x 'validate*' -x 'coverage*' -x duration "$M/stacks/prod" out/prod
	mkdir "$M/stacks/again"
	tar -xOf prod.tar prod/values.yaml | tee "$M/stacks/again/values.yaml" >/dev/null
	cmp "$M/stacks/again/values.yaml" "$M/stacks/prod/values.yaml"
}

@test "less, more's friends, file names with find and xargs" {
	stack
	[ "$(LESS='' less -F "$M/stacks/prod/description" </dev/null | cat)" = 'The web shop' ]
	[ "$(find "$M/stacks" -name snapshots -prune -o -name description -exec cat {} +)" = 'The web shop' ]
	[ "$(find "$M/stacks" -maxdepth 1 -type d | wc -l)" -eq 2 ]
	[ "$(find "$M/runs" -name status -path '*/tasks/*' -not -path '*/attempts.d/*' -exec cat {} +)" = success ]
	[ "$(find "$M/stacks" -type l -path '*/runs/latest')" = "$M/stacks/prod/runs/latest" ]
	du -s "$M" >/dev/null
}

@test "grep -r finds what stands anywhere, and ends" {
	stack
	run timeout 300 grep -rl 'The web shop' "$M/stacks"
	[ "$status" -eq 0 ]
	[[ $output == *"$M/stacks/prod/description"* ]]
	run timeout 300 grep -r --include=status success "$M/runs"
	[ "$status" -eq 0 ]
}

@test "diff -r between two stacks" {
	stack
	mkdir "$M/stacks/other"
	cp "$M/stacks/prod/values.yaml" "$M/stacks/other/values.yaml"
	run diff "$M/stacks/prod/values.yaml" "$M/stacks/other/values.yaml"
	[ "$status" -eq 0 ]
	run diff "$M/stacks/prod/description" "$M/stacks/other/description"
	[ "$status" -eq 1 ]
	[[ $output == *'< The web shop'* ]]
}

@test "git takes files of the tree" {
	stack
	git init -q repo
	cp "$M/stacks/prod/values.yaml" repo/
	[ "$(git -C repo hash-object "$M/stacks/prod/values.yaml")" = "$(git -C repo hash-object values.yaml)" ]
}

@test "tail -f follows a log that grows, and a run's end" {
	script slow.sloth "echo first; until [ -e $T/go ]; do sleep 0.05; done; echo second"
	cp slow.sloth "$M/runs/"
	tail -n +1 -f "$M/runs/slow/log" >seen 3>&- &
	tail=$!
	eventually grep -q first seen
	not grep -q second seen
	touch go
	eventually grep -q second seen
	kill "$tail"
	wait "$tail" || :
	[ "$(cat "$M/runs/slow/wait")" = success ]
	grep -q second "$M/runs/slow/log"
	[ "$(cat "$M/runs/slow/tasks/work/log")" = $'first\nsecond' ]
}

@test "tail -f follows the events" {
	tail -n +1 -f "$M/events" >seen 3>&- &
	tail=$!
	mkdir "$M/stacks/one"
	eventually grep -q 'stack.created.*one' seen
	mkdir "$M/stacks/two"
	eventually grep -q 'stack.created.*two' seen
	kill "$tail"
	wait "$tail" || :
}

@test "poll wakes a reader of a stream, and one that waits for a run" {
	script slow.sloth "echo first; until [ -e $T/go ]; do sleep 0.05; done; echo second"
	cp slow.sloth "$M/runs/"
	timeout 300 python3 - "$M/runs/slow/log" >seen 3>&- <<-'END' &
		import os, select, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		poll = select.poll()
		poll.register(fd, select.POLLIN)
		text = b""
		while b"second" not in text:
		    poll.poll()
		    text += os.read(fd, 4096)
		    print(text, flush=True)
	END
	poller=$!
	eventually grep -q first seen
	touch go
	wait "$poller"
	grep -q second seen
}

@test "the text of events.json is JSON, and its chain has no hole" {
	stack
	python3 - "$M/events.json" <<-'END'
		import json, sys
		rows = [json.loads(line) for line in open(sys.argv[1])]
		assert len(rows) > 5
		assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
		assert all(row["type"] and row["time"] for row in rows)
	END
}
