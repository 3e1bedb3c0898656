#!/usr/bin/env bats
# What a stack was: snapshots/, at/, history, blame, by cat, ls, ln, rm, rmdir, diff and tar.

bats_require_minimum_version 1.5.0
load lib

put()
{
	printf '%s\n' "$2" | tee "$M/stacks/prod/$1" >/dev/null
}

@test "every change is a version; diff -r shows what changed and nothing else" {
	mkdir "$M/stacks/prod"
	put outputs.d/url http://a
	put outputs.d/port 80
	put values.yaml 'replicas: 2'
	put outputs.d/url http://b
	[ "$(ls "$M/stacks/prod/snapshots" | grep -c '^v')" = 5 ]
	[ "$(readlink "$M/stacks/prod/snapshots/latest")" = v5 ]
	cd "$M/stacks/prod/snapshots"
	[ "$(cat v2/outputs.d/url)" = http://a ]
	[ "$(cat v5/outputs)" = $'port=80\nurl=http://b' ]
	[ "$(cat v4/values.yaml)" = 'replicas: 2' ]
	[ ! -e v3/values.yaml ]
	run diff -rq v4 v5
	[ "$status" = 1 ]
	[ "$output" = $'Files v4/outputs and v5/outputs differ\nFiles v4/outputs.d/url and v5/outputs.d/url differ\nFiles v4/outputs.json and v5/outputs.json differ' ]
	# What did not change is the same file, since when it is so.
	[ "$(stat -c %i v4/outputs.d/port)" = "$(stat -c %i v5/outputs.d/port)" ]
	[ "$(stat -c %Y v4/outputs.d/port)" = "$(stat -c %Y v3)" ]
	[ "$(tar c v4 | sha256sum)" = "$(tar c v4 | sha256sum)" ]
	refused 'Permission denied' tee v4/outputs.d/url <<<x
	refused 'not permitted' rm v4/outputs.d/url
	cd "$T"
}

@test "snapshots: taken with a description, named, listed, deleted" {
	mkdir "$M/stacks/prod"
	echo 'before the upgrade' >"$M/stacks/prod/snapshots/new"
	echo 'description="v2 it is" tags=a,b creator=bot name=good' >"$M/stacks/prod/snapshots/new"
	put description x
	run cat "$M/stacks/prod/snapshots/list"
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} == "v3  "*"  bot  manual  [a,b]  v2 it is  (good)" ]]
	[[ ${lines[1]} == "v2  "*"  manual  before the upgrade" ]]
	[ "$(readlink "$M/stacks/prod/snapshots/good")" = v3 ]
	cd "$M/stacks/prod/snapshots"
	ln -s v2 first
	ln -s good also
	[ "$(readlink also)" = v3 ]
	[ "$(ls first/)" = "$(ls v2/)" ]
	refused 'not permitted' rmdir v2
	says 'pinned by its name first'
	rm first
	rmdir v2
	[ ! -e v2 ]
	refused 'No such file' cat v2/meta.json
	refused 'not permitted' rmdir v4
	says 'v4 is what stack prod is now'
	refused 'No such file' ln -s v2 gone
	says 'no such version'
	refused 'Invalid argument' ln -s v3 v9
	refused 'File exists' ln -sn v3 good
	refused 'Invalid argument' ln -s ../../other x
	refused 'File exists' ln -s v3 new
	refused 'Invalid argument' bash -c 'echo "descripton=x" > new'
	refused 'Invalid argument' bash -c 'echo "tags=a/b" > new'
	cd "$T"
	[[ $(cat "$M/stacks/prod/activity") == *snapshot.created*snapshot.named*snapshot.unnamed*snapshot.deleted* ]]
}

@test "at/TIME, history and blame" {
	mkdir "$M/stacks/prod"
	put outputs.d/url a
	when=$(stat -c %y "$M/stacks/prod/snapshots/v2" | sed 's/ \(.\{12\}\).*/T\1Z/; s/ /T/')
	put outputs.d/url b
	[ "$(cat "$M/stacks/prod/at/$when/outputs.d/url")" = a ]
	[ "$(readlink "$M/stacks/prod/at/-0s")" = ../snapshots/v3 ]
	refused 'No such file' cat "$M/stacks/prod/at/-2h/outputs"
	says 'no version of the stack that is as old'
	refused 'No such file' ls "$M/stacks/prod/at/yesterday"
	says 'this is no time'
	[ -z "$(ls "$M/stacks/prod/at")" ]
	run cat "$M/stacks/prod/history"
	[[ ${lines[0]} == v3*'output url' && ${lines[2]} == v1*created ]]
	[[ $(cat "$M/stacks/prod/blame") == *v3*'output url'* ]]
	python3 -c 'import json,sys; l=json.load(open(sys.argv[1])); assert [v["version"] for v in l] == [3,2,1], l' "$M/stacks/prod/history.json"
	python3 -c 'import json,sys; l=json.load(open(sys.argv[1])); assert {v["name"]: v["version"] for v in l}["url"] == 3' "$M/stacks/prod/blame.json"
}

@test "versions are as private as the stack" {
	need_root
	mkdir -m 755 "$M/stacks/prod"
	put outputs.d/url a
	[ "$(as $nobody cat "$M/stacks/prod/snapshots/v2/outputs")" = url=a ]
	refused 'Permission denied' as $nobody bash -c "echo x > $M/stacks/prod/snapshots/new"
	refused 'Permission denied' as $nobody rmdir "$M/stacks/prod/snapshots/v1"
	refused 'Permission denied' as $nobody ln -s v1 "$M/stacks/prod/snapshots/mine"
	chmod 711 "$M/stacks/prod" # to go in, and not to read
	refused 'Permission denied' as $nobody cat "$M/stacks/prod/snapshots/v2/outputs"
	refused 'Permission denied' as $nobody ls "$M/stacks/prod/at/-0s/"
	refused 'Permission denied' as $nobody cat "$M/stacks/prod/history"
	chmod 755 "$M/stacks/prod"
	[ "$(as $nobody cat "$M/stacks/prod/snapshots/v2/outputs")" = url=a ]
}

@test "a snapshot goes on while somebody else holds the lock; versions outlive a restart" {
	need_root
	mkdir -m 777 "$M/stacks/prod"
	echo mine >"$M/stacks/prod/lock"
	as $nobody bash -c "echo 'by nobody' > $M/stacks/prod/snapshots/new"
	stop_daemon
	start_daemon
	[[ $(cat "$M/stacks/prod/snapshots/list") == *'by nobody' ]]
	[ "$(cat "$M/stacks/prod/snapshots/v1/meta.json" | grep -c name)" = 1 ]
}

@test "restore, undo and compare" {
	mkdir "$M/stacks/prod"
	put outputs.d/url http://a
	put values.yaml 'replicas: 2'
	put outputs.d/url http://b
	put values.yaml 'replicas: 4'
	S=$M/stacks/prod/snapshots
	[ "$(cat "$S/compare/v3..current")" = $'~ output url: http://a -> http://b\n~ values: replicas: 2 -> 4' ]
	[ "$(cat "$S/compare/5..v3")" = $'~ output url: http://b -> http://a\n~ values: replicas: 4 -> 2' ]
	python3 -c 'import json,sys; l=json.load(open(sys.argv[1])); assert [c["op"] for c in l] == ["~", "~"], l' "$S/compare/v3..v5.json"
	[ ! -s "$S/compare/v3..v3" ]
	refused 'No such file' cat "$S/compare/v3"
	refused 'No such file' cat "$S/compare/v3..v99"
	[ -z "$(ls "$S/compare")" ]
	echo 'v3 dry-run' >"$S/restore"
	[ "$(readlink "$S/latest")" = v5 ]
	echo v3 >"$S/restore"
	[ "$(cat "$M/stacks/prod/outputs.d/url")" = http://a ]
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'replicas: 2' ]
	[ "$(readlink "$S/latest")" = v6 ]
	diff -r "$S/v3" "$S/v6"
	[[ $(cat "$S/list") == v5*'before_restore  before the restore of v3' ]]
	echo undo >"$S/restore"
	[ "$(cat "$M/stacks/prod/outputs.d/url")" = http://b ]
	echo 'v3 only=values' >"$S/restore"
	[ "$(cat "$M/stacks/prod/outputs.d/url")" = http://b ]
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'replicas: 2' ]
	refused 'Invalid argument' bash -c "echo 'v3 only=x' > $S/restore"
	refused 'No such file' bash -c "echo v99 > $S/restore"
	[[ $(cat "$M/stacks/prod/activity") == *snapshot.restored* ]]
}

@test "a restore waits for nobody: it is refused while another holds the lock, or a run goes on" {
	need_root
	mkdir -m 777 "$M/stacks/prod"
	put outputs.d/url a
	echo mine >"$M/stacks/prod/lock"
	refused 'busy' as $nobody bash -c "echo v1 > $M/stacks/prod/snapshots/restore"
	rm "$M/stacks/prod/lock"
	put config.yaml 'auto_lock: false'
	mkfifo -m 666 go
	script long.sloth "read x < $T/go"
	cp long.sloth "$M/stacks/prod/runs/"
	refused 'busy' bash -c "echo v1 > $M/stacks/prod/snapshots/restore"
	says 'unfinished run'
	echo >go
	cat "$M/runs/1/wait"
	echo v1 >"$M/stacks/prod/snapshots/restore"
	[ ! -s "$M/stacks/prod/outputs" ]
}

@test "what is stored damaged is said, and never restored" {
	mkdir "$M/stacks/prod"
	put values.yaml "$(seq -f 'key%g: 1' 100)"
	put outputs.d/url b
	put values.yaml 'a: 1'
	stop_daemon
	python3 - "$T/home/sloth.db" <<-'PYTHON'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	db.execute("UPDATE contents SET data = zeroblob(length(data)) WHERE size > 500")
	db.commit()
	PYTHON
	start_daemon
	refused 'Bad message' cat "$M/stacks/prod/snapshots/v2/values.yaml"
	says 'stack prod, version v2: the stored content of text values is damaged'
	refused 'Bad message' bash -c "echo v3 > $M/stacks/prod/snapshots/restore"
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: 1' ]
	echo 'v3 only=outputs' >"$M/stacks/prod/snapshots/restore"
}

@test "a destroyed stack is brought back, or removed for good" {
	mkdir "$M/stacks/prod"
	put outputs.d/url http://a
	put values.yaml 'replicas: 2'
	touch "$M/stacks/prod/tags/live"
	rmdir "$M/stacks/prod"
	[ "$(ls "$M/destroyed")" = prod.1 ]
	file_has "$M/destroyed/prod.1/info" name=prod
	[ "$(cat "$M/destroyed/prod.1/snapshots/latest/outputs")" = url=http://a ]
	[[ $(cat "$M/destroyed/prod.1/snapshots/list") == *'before_destroy'* ]]
	refused 'No such file' bash -c "echo x > $M/destroyed/prod.1/snapshots/new"
	mkdir "$M/stacks/prod"
	refused 'File exists' bash -c "echo > $M/destroyed/prod.1/restore"
	says 'there is a stack prod now'
	echo again >"$M/destroyed/prod.1/restore"
	[ -z "$(ls "$M/destroyed")" ]
	[ "$(cat "$M/stacks/again/outputs.d/url")" = http://a ]
	[ "$(cat "$M/stacks/again/values.yaml")" = 'replicas: 2' ]
	[ "$(ls "$M/stacks/again/tags")" = live ]
	[ -d "$M/stacks/again/snapshots/v1" ]
	rmdir "$M/stacks/again"
	rmdir "$M/destroyed/again.1"
	[ -z "$(ls "$M/destroyed")" ]
}

@test "destroyed stacks are as private as they were" {
	need_root
	mkdir -m 700 "$M/stacks/prod"
	put outputs.d/url secret
	rmdir "$M/stacks/prod"
	refused 'Permission denied' as $nobody cat "$M/destroyed/prod.1/snapshots/v2/outputs"
	refused 'Permission denied' as $nobody bash -c "echo > $M/destroyed/prod.1/restore"
	refused 'not permitted' as $nobody rmdir "$M/destroyed/prod.1"
	cat "$M/destroyed/prod.1/snapshots/v2/outputs"
}

@test "runs keep the version before them, as the settings and the workflow say" {
	mkdir "$M/stacks/prod"
	put outputs.d/url a
	script one.sloth true
	cp one.sloth "$M/stacks/prod/runs/"
	cat "$M/runs/1/wait"
	[[ $(cat "$M/stacks/prod/snapshots/list") == v2*'before_deployment  before run 1' ]]
	put config.yaml 'auto_snapshot: false'
	cp one.sloth "$M/stacks/prod/runs/two.sloth"
	cat "$M/runs/2/wait"
	[ "$(wc -l <"$M/stacks/prod/snapshots/list")" = 1 ]
	printf 'workflow.define("w"):tasks(task("a"):command("true")):config({ create_snapshot = true })\n' >three.sloth
	cp three.sloth "$M/stacks/prod/runs/"
	cat "$M/runs/3/wait"
	[[ $(cat "$M/stacks/prod/snapshots/list") == *'before_deployment  before run 3'* ]]
	refused 'Invalid argument' cp <(echo 'snapshot_triggers: [sometimes]') "$M/stacks/prod/config.yaml"
	says 'a list of before_deployment'
}

@test "a daemon that is killed amid restores and snapshots leaves no half of them" {
	mkdir "$M/stacks/prod"
	local i n value
	for i in 1 2; do
		for n in a b c d; do put "outputs.d/$n" "$i"; done
		put values.yaml "all: $i"
		ln -s latest "$M/stacks/prod/snapshots/state$i"
	done
	for round in 1 2 3; do
		(
			while :; do
				echo state1 >"$M/stacks/prod/snapshots/restore" || exit 0
				echo storm >"$M/stacks/prod/snapshots/new" || exit 0
				echo state2 >"$M/stacks/prod/snapshots/restore" || exit 0
			done
		) &>/dev/null 3>&- &
		eventually test "$(readlink "$M/stacks/prod/snapshots/latest" | tr -d v)" -gt $((round * 10))  || :
		read -rt 0.3 <> <(:) || :
		kill_daemon
		wait $! || :
		start_daemon
		value=$(cat "$M/stacks/prod/outputs.d/a")
		for n in b c d; do [ "$(cat "$M/stacks/prod/outputs.d/$n")" = "$value" ]; done
		[ "$(cat "$M/stacks/prod/values.yaml")" = "all: $value" ]
		diff -r "$M/stacks/prod/snapshots/latest/" "$M/stacks/prod/snapshots/state$value/"
	done
	echo "$(readlink "$M/stacks/prod/snapshots/latest")"
}

@test "workflows are compared by their tasks" {
	mkdir "$M/stacks/prod"
	printf '\ntask("build"):timeout("10m"):command("true")\ntask("ship"):command("true"):depends_on("build")\n' >w.sloth
	cp w.sloth "$M/stacks/prod/runs/"
	cat "$M/runs/1/wait"
	printf 'task("build"):timeout("15m"):command("true")\ntask("db"):command("true")\n' >w.sloth
	cp w.sloth "$M/stacks/prod/runs/"
	cat "$M/runs/2/wait"
	[ "$(cat "$M/stacks/prod/snapshots/compare/v2..current")" = '~ workflow
~ task build: timeout_ms: 600000 -> 900000
- task ship
+ task db' ]
}

@test "versions whose time is over go by themselves" {
	local i
	mkdir "$M/stacks/prod"
	put config.yaml 'snapshot_retention: 1s'
	ln -s v1 "$M/stacks/prod/snapshots/first"
	for i in $(seq 30); do put outputs.d/n "$i"; done
	stop_daemon
	start_daemon
	stat "$M/stacks/prod/snapshots/v3" "$M/stacks/prod/snapshots/v3/outputs" >/dev/null 2>&1 || :
	gone()
	{
		! stat "$M/stacks/prod/snapshots/v3/outputs" 2>/dev/null
	}
	eventually gone
	refused 'No such file' ls "$M/stacks/prod/snapshots/v3"
	ls "$M/stacks/prod/snapshots/first/" >/dev/null
	[ "$(cat "$M/stacks/prod/snapshots/v20/outputs")" = n=18 ]
	[ "$(cat "$M/stacks/prod/snapshots/latest/outputs")" = n=30 ]
	eventually file_has "$M/stacks/prod/activity" snapshot.expired
}
