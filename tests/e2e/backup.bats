#!/usr/bin/env bats
# backups/ and check in the mounted tree: under load, killed in the middle, with a full disk, by others.

bats_require_minimum_version 1.5.0
load lib

job_pid()
{
	pgrep -f "^slothd --job backup $T/"
}

no_job()
{
	not job_pid
}

# In the middle: there is something unfinished.
kill_job()
{
	local pid
	compgen -G 'home/backups/.new-*' && pid=$(job_pid) && kill -KILL "$pid"
}

stop_job()
{
	local pid
	compgen -G 'home/backups/.new-*' && pid=$(job_pid) && kill -STOP "$pid"
}

@test "echo, cat, cp, rm: a backup is a file" {
	mkdir "$M/stacks/prod"
	echo 'before the upgrade' >"$M/backups/new"
	name=$(cat "$M/backups/new")
	[ "$(readlink "$M/backups/latest")" = "$name" ]
	cp "$M/backups/$name" copy.db
	cmp copy.db "home/backups/$name"
	[ "$(stat -c %s "$M/backups/$name")" = "$(stat -c %s copy.db)" ]
	[ "$(cat "$M/backups/latest" | sha256sum)" = "$(sha256sum <copy.db)" ]
	grep -q "$name.*before the upgrade" "$M/backups/list"
	grep -q '"sha256"' "$M/backups/list.json"
	echo "$name" >"$M/backups/verify"
	echo latest >"$M/backups/verify"
	run bash -c "echo nothing >'$M/backups/verify'"
	[ "$status" -ne 0 ]
	says 'there is no backup "nothing"'
	rm "$M/backups/$name"
	[ ! -e "home/backups/$name" ]
	[ -z "$(ls home/backups)" ]
}

@test "check: commands, and the answer" {
	grep -q 'not checked yet' "$M/check"
	echo quick >"$M/check"
	grep -q '^pages: ok' "$M/check"
	echo deep >"$M/check"
	grep -q '^events: ok' "$M/check"
	python3 -c 'import json, sys; sys.exit(not json.load(open(sys.argv[1]))["ok"])' "$M/check.json"
	run bash -c "echo shallow >'$M/check'"
	[ "$status" -ne 0 ]
	says 'quick, deep'
}

@test "others may look at the list, and nothing else" {
	need_root
	echo mine >"$M/backups/new"
	name=$(cat "$M/backups/new")
	as $nobody cat "$M/backups/list" >/dev/null
	refused 'Permission denied' as $nobody cat "$M/backups/$name"
	refused 'Permission denied' as $nobody sh -c "echo x >'$M/backups/new'"
	refused 'Permission denied' as $nobody sh -c "echo $name >'$M/backups/restore'"
	refused 'Permission denied' as $nobody sh -c "echo deep >'$M/check'"
	refused 'ermi' as $nobody rm -f "$M/backups/$name"
	[ -e "home/backups/$name" ]
}

@test "a backup while others write has whole turns, and is in order" {
	mkdir "$M/stacks/prod"
	for ((i = 0; i < 4; i++)); do
		(
			n=0
			while [ ! -e stop ] && [ "$n" -lt 100000 ]; do
				n=$((n + 1))
					printf '%d' "$n" | cp /dev/stdin "$M/stacks/prod/outputs.d/writer$i"
			done
		) 3>&- &
	done
	eventually test -e "$M/stacks/prod/outputs.d/writer3"
	for ((k = 0; k < 3; k++)); do
		echo "under load $k" >"$M/backups/new"
		echo latest >"$M/backups/verify"
	done
	: >stop
	# shellcheck disable=SC2046 # one word a process
	wait $(jobs -p | grep -v "^$daemon\$") || :
	[ "$(ls home/backups/*.db | wc -l)" -eq 3 ]
	echo deep >"$M/check"
}

@test "restore through the mount: the tree is there again, as it was" {
	mkdir "$M/stacks/prod"
	echo 'as it was' >"$M/stacks/prod/description"
	echo >"$M/backups/new"
	name=$(cat "$M/backups/new")
	rmdir "$M/stacks/prod"
	echo "$name" >"$M/backups/restore"
	eventually file_has "$M/stacks/prod/description" 'as it was'
	grep -q backup.restored "$M/events"
}

@test "kill -9 of the child, and of the daemon, leaves nothing that looks like a backup" {
	mkdir "$M/stacks/prod"
	for ((i = 0; i < 300; i++)); do
		head -c 100000 /dev/urandom | base64 -w 0 >"$M/stacks/prod/outputs.d/key$i"
	done
	# the child
	(echo one >"$M/backups/new") 2>refusal 3>&- &
	writer=$!
	eventually kill_job
	wait "$writer" || :
	eventually no_job
	eventually grep -q backup.failed "$M/events"
	[ -z "$(ls -A home/backups)" ]
	# the daemon, and its child with it
	(echo two >"$M/backups/new") 2>/dev/null 3>&- &
	writer=$!
	eventually stop_job
	kill_daemon
	wait "$writer" || :
	eventually no_job
	for file in home/backups/*.db; do
		[ ! -e "$file" ] || false
	done
	start_daemon
	[ -z "$(ls -A home/backups)" ]
	echo three >"$M/backups/new"
	echo latest >"$M/backups/verify"
}

@test "a full disk: the backup is refused, nothing of it stays, and all else goes on" {
	need_root
	stop_daemon
	small=$T/home/backups
	mkdir -p "$small"
	mount -t tmpfs -o size=1M,mode=700 tmpfs "$small"
	start_daemon
	mkdir "$M/stacks/prod"
	for ((i = 0; i < 20; i++)); do
		head -c 100000 /dev/urandom | base64 -w 0 >"$M/stacks/prod/outputs.d/key$i"
	done
	run bash -c "echo full >'$M/backups/new'"
	[ "$status" -ne 0 ]
	[[ $output == *'No space left'* ]]
	says 'no room'
	[ -z "$(ls -A "$small")" ]
	echo 'still here' >"$M/stacks/prod/description"
	echo deep >"$M/check"
}
