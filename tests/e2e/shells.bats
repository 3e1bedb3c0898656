#!/usr/bin/env bats
# What shells do with > and exec, and that they tell of failures.

bats_require_minimum_version 1.5.0
load lib

shells=(bash dash zsh 'busybox sh')

@test "echo > FILE writes a control file and a document" {
	mkdir "$M/stacks/prod"
	for shell in "${shells[@]}"; do
		$shell -c "echo 'by $shell' > '$M/stacks/prod/description'"
		[ "$(cat "$M/stacks/prod/description")" = "by $shell" ]
		$shell -c "echo 'by: $shell' > '$M/stacks/prod/values.yaml'"
		[ "$(cat "$M/stacks/prod/values.yaml")" = "by: $shell" ]
	done
}

@test ": > FILE changes nothing" {
	mkdir "$M/stacks/prod"
	echo 'a: 1' >"$M/stacks/prod/values.yaml"
	echo kept >"$M/stacks/prod/description"
	for shell in "${shells[@]}"; do
		$shell -c ": > '$M/stacks/prod/values.yaml'"
		[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: 1' ] || { echo "$shell"; false; }
		$shell -c ": > '$M/stacks/prod/description'"
		[ "$(cat "$M/stacks/prod/description")" = kept ] || { echo "$shell"; false; }
	done
}

@test "exec 3> FILE; several lines; exec 3>&-" {
	mkdir "$M/stacks/prod"
	for shell in "${shells[@]}"; do
		$shell -c "exec 3> '$M/stacks/prod/values.yaml'; echo 'a: 1' >&3; echo 'b: 2' >&3; exec 3>&-"
		[ "$(cat "$M/stacks/prod/values.yaml")" = $'a: 1\nb: 2' ] || { echo "$shell"; false; }
	done
}

@test ">> FILE appends" {
	mkdir "$M/stacks/prod"
	for shell in "${shells[@]}"; do
		$shell -c "echo 'a: 1' > '$M/stacks/prod/values.yaml'; echo 'b: 2' >> '$M/stacks/prod/values.yaml'"
		[ "$(cat "$M/stacks/prod/values.yaml")" = $'a: 1\nb: 2' ] || { echo "$shell"; false; }
	done
}

@test "a here-document and a loop that writes" {
	mkdir "$M/stacks/prod"
	for shell in "${shells[@]}"; do
		$shell <<-END
			cat > '$M/stacks/prod/values.yaml' <<EOT
			one: 1
			two: 2
			EOT
		END
		[ "$(cat "$M/stacks/prod/values.yaml")" = $'one: 1\ntwo: 2' ] || { echo "$shell"; false; }
		$shell -c "for i in 1 2 3; do echo \"k\$i: \$i\"; done > '$M/stacks/prod/values.yaml'"
		[ "$(cat "$M/stacks/prod/values.yaml")" = $'k1: 1\nk2: 2\nk3: 3' ] || { echo "$shell"; false; }
	done
}

@test "echo into a lock that somebody else holds fails in every shell" {
	need_root
	mkdir -m 777 "$M/stacks/prod"
	as $nobody bash -c "echo mine > '$M/stacks/prod/lock'"
	for shell in "${shells[@]}"; do
		run $shell -c "echo x > '$M/stacks/prod/lock'"
		[ "$status" -ne 0 ] || { echo "$shell"; false; }
		run $shell -c "echo x > '$M/stacks/prod/description'"
		[ "$status" -ne 0 ] || { echo "$shell, description"; false; }
	done
	refused 'Device or resource busy' bash -c "echo x > '$M/stacks/prod/lock'"
	says mine
	[ ! -s "$M/stacks/prod/description" ]
}

@test "noclobber and [ -e ] see what is there" {
	mkdir "$M/stacks/prod"
	echo 'a: 1' >"$M/stacks/prod/values.yaml"
	for shell in "${shells[@]}"; do
		run $shell -c "set -C; echo 'b: 2' > '$M/stacks/prod/values.yaml'"
		[ "$status" -ne 0 ] || { echo "$shell"; false; }
		$shell -c "[ -e '$M/stacks/prod/values.yaml' ] && [ -d '$M/stacks' ] && [ ! -e '$M/stacks/nothing' ]"
	done
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: 1' ]
}

@test "cd into the tree, globs, command substitution" {
	mkdir "$M/stacks/a" "$M/stacks/b"
	for shell in "${shells[@]}"; do
		[ "$($shell -c "cd '$M/stacks' && echo *")" = 'a b' ]
		[ "$($shell -c "cd '$M/stacks/a' && echo \"\$(cat status)\" && pwd -P")" = "created"$'\n'"$M/stacks/a" ]
	done
}
