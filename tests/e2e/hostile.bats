#!/usr/bin/env bats
# What nobody does by accident, or hardly anybody: the daemon goes on, and nobody gets what is not his.

bats_require_minimum_version 1.5.0
load lib

@test "truncating a workflow starts nothing and is refused" {
	echo 'task("t"):command("true")' >"$M/runs/w.sloth"
	[ "$(cat "$M/runs/w/wait")" = success ]
	refused 'not supported' perl -e 'truncate($ARGV[0], 5) or die "$!\n"' "$M/runs/w.sloth"
	says 'write the workflow anew'
	[ ! -e "$M/runs/2" ]
	[ "$(cat "$M/health")" = ok ]
}

@test "a name that is no UTF-8 is refused" {
	refused 'Invalid argument' bash -c ": >'$M/runs/'$'.\xff\xfe'"
	says UTF-8
}

@test "nobody leaves a record in the stack of another" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir -m 700 "$M/stacks/private"
	echo 'task("t"):command("true")' >w.sloth
	chmod 644 w.sloth
	run as $other "$(command -v sloth)" run -s private "$T/w.sloth"
	[ "$status" -eq 12 ]
	[ -z "$(ls "$M/stacks/private/runs")" ]
	[ "$(grep -c run "$M/stacks/private/activity")" -eq 0 ]
}

@test "a run whose stack was made private is private at once" {
	need_root
	mkdir "$M/stacks/prod"
	echo 'task("t"):command("echo text")' >"$M/stacks/prod/runs/w.sloth"
	[ "$(cat "$M/runs/1/wait")" = success ]
	as $other cat "$M/runs/1/log"
	as $other ls -l "$M/runs/1" "$M/runs/1/tasks/t"
	chmod 700 "$M/stacks/prod"
	[ "$(stat -c %a "$M/runs/1")" = 700 ]
	not as $other stat "$M/runs/1/log"
	not as $other stat "$M/runs/1/tasks/t/log"
	not as $other readlink "$M/runs/1/stack"
}

@test "a run without a lock does not change a stack that somebody else has locked since" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir -m 777 "$M/stacks/prod"
	cat >w.sloth <<-'END'
		local t = task("t"):command(function()
			while not fs.exists(values.go) do sleep(0.1) end
			stack.set_output("taken", "1")
		end):build()
		workflow.define("w"):config({ require_lock = false }):tasks({ t })
	END
	echo "go: $T/go" >"$M/stacks/prod/values.yaml"
	cp w.sloth "$M/stacks/prod/runs/w.sloth"
	as $other bash -c "echo mine >'$M/stacks/prod/lock'"
	touch go
	[ "$(cat "$M/runs/1/wait")" = failed ]
	[ -z "$(cat "$M/stacks/prod/outputs")" ]
}

@test "a circle of aliases, and aliases that would be millions of values: refused at each door, with line and column" {
	mkdir "$M/stacks/prod"
	printf 'workflow: &a\n  description: *a\n' >circle.yaml
	echo 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]' >bomb.yaml
	for i in 1 2 3 4 5 6 7 8; do
		printf 'a%d: &a%d [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n' $i $i | sed "s/b/a$((i - 1))/g" >>bomb.yaml
	done
	for name in circle bomb; do
		case $name in
		circle) what='2:16: no anchor of that name above: a' ;;
		bomb) what='more than 100,000 values' ;;
		esac
		for door in "runs/$name.yaml" "stacks/prod/runs/$name.yaml" "workflows/$name.yaml" stacks/prod/values.yaml stacks/prod/config.yaml; do
			refused 'Invalid argument' cp $name.yaml "$M/$door"
			says "$what"
			file_has "$M/error" ".yaml:"
		done
		echo 'task("t"):command("true")' >plain.sloth
		refused "$what" sloth run --values $name.yaml plain.sloth
		refused "$what" sloth run --dry-run --values $name.yaml plain.sloth
		refused "$what" sloth run --dry-run $name.yaml
	done
	[ "$(cat "$M/health")" = ok ]
}
