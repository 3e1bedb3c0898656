#!/usr/bin/env bats
# Backups and checks by the command.

bats_require_minimum_version 1.5.0
load common

# What a database holds, as SQL: without the events, and the tokens, which a restore adds to.
dump()
{
	python3 -c '
import sqlite3, sys
db = sqlite3.connect(":memory:")
sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).backup(db)
db.execute("DELETE FROM events")
db.execute("DELETE FROM sqlite_sequence")
db.execute("UPDATE stacks SET token = 0")
for line in db.iterdump():
    print(line)
' "$1"
}

newest()
{
	sloth cat /backups/new
}

@test "create: verified, listed, and a plain file for its owner alone" {
	sloth stack new prod
	run sloth backup create --reason 'before the upgrade'
	[ "$status" -eq 0 ]
	[[ $output == *"created and verified"*keys/* ]]
	name=$(newest)
	[[ $name =~ ^sloth-[0-9]{8}T[0-9]{6}Z\.db$ ]]
	[ "$(stat -c %a "$SLOTH_HOME/backups/$name")" = 600 ]
	[ "$(stat -c %a "$SLOTH_HOME/backups")" = 700 ]
	run sloth backup list
	[[ $output == *"$name"*manual*'before the upgrade'* ]]
	sha=$(sha256sum <"$SLOTH_HOME/backups/$name")
	[ "$(sloth backup list --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["sha256"])')" = "${sha%% *}" ]
	run sloth backup create --json
	[[ $output == *'"name": "sloth-'*'"schema": '[1-9]* ]]
	[ "$(sloth backup list --json | grep -c '"name"')" -eq 2 ]
	[ "$(sloth events --type backup.created | wc -l)" -eq 2 ]
	run -10 sloth backup create --reason $'two\nlines'
	run -10 sloth backup crate
}

@test "verify: what was changed is found, whatever it was" {
	sloth stack new prod
	sloth backup create
	name=$(newest)
	run sloth backup verify "$name"
	[[ $output == *'is in order'* ]]
	run sloth backup verify "${name%.db}" --json
	[[ $output == *'"ok": true'* ]]
	sloth backup verify latest
	run -4 sloth backup verify sloth-20200101T000000Z
	run -4 sloth backup verify ../sloth.db
	# one bit of a page in the middle
	printf '\377\000\377\000' | dd of="$SLOTH_HOME/backups/$name" bs=1 seek=20000 conv=notrunc status=none
	run -13 sloth backup verify "$name"
	[[ $output == *SHA-256* ]]
	run -13 sloth backup restore --force "$name"
	[ "$(sloth stack list | grep -c prod)" -eq 1 ]
	# without a manifest the database itself must tell
	rm "$SLOTH_HOME/backups/${name%.db}.json"
	dd if=/dev/urandom of="$SLOTH_HOME/backups/$name" bs=4096 seek=3 count=8 conv=notrunc status=none
	run -13 sloth backup verify "$name"
}

@test "a forged event in a backup is found" {
	sloth stack new prod
	sloth backup create
	name=$(newest)
	rm "$SLOTH_HOME/backups/${name%.db}.json"
	python3 -c '
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE events SET line = replace(line, ?, ?) WHERE id = 1", ("prod", "grod"))
db.commit()' "$SLOTH_HOME/backups/$name"
	run -13 sloth backup verify "$name"
	[[ $output == *'event 1 '* ]]
}

@test "restore brings back exactly what was, and keeps what is" {
	sloth stack new prod -d 'as it was'
	echo one | sloth write /stacks/prod/outputs.d/key
	sloth backup create
	name=$(newest)
	dump "$SLOTH_HOME/backups/$name" >was
	sloth stack delete prod --force
	sloth stack new other
	run -11 sloth backup restore "$name"
	[[ $output == *--force* ]]
	run sloth backup restore --force "$name"
	[ "$status" -eq 0 ]
	[ "$(sloth stack output prod key)" = one ]
	run sloth stack list
	[[ $output == *prod* && $output != *other* ]]
	dump "$SLOTH_HOME/sloth.db" >is
	diff was is
	run sloth events --type backup.restored
	[[ $output == *"$name"* ]]
	# what was there is kept
	kept=("$SLOTH_HOME"/sloth.db-before-restore-*Z)
	dump "${kept[0]}" | grep -q "'other'"
	[ ! -e "$SLOTH_HOME/restore" ]
	sloth check --deep
}

@test "restored several times in a second: each is done, and keeps what was there" {
	sloth stack new prod
	sloth backup create
	name=$(newest)
	for i in 1 2 3 4; do
		sloth stack new "later$i"
		sloth backup restore --force "$name"
		[[ $(sloth stack list) != *later* ]]
	done
	[ "$(ls "$SLOTH_HOME" | grep -c '^sloth\.db-before-restore-[^-]*Z\(-[2-4]\)\?$')" -eq 4 ]
}

@test "restore: tokens rise above all that were given" {
	sloth stack new prod
	sloth backup create
	name=$(newest)
	for i in 1 2 3; do
		sloth write /stacks/prod/lock --text x
		sloth write /stacks/prod/lock --text unlock
	done
	before=$(sloth stack show prod --json | sed -n 's/.*"token": \([0-9]*\).*/\1/p' | head -n 1)
	sloth backup restore --yes "$name"
	sloth write /stacks/prod/lock --text x
	after=$(sloth stack show prod --json | sed -n 's/.*"token": \([0-9]*\).*/\1/p' | head -n 1)
	[ "$after" -gt "$before" ]
}

@test "restore is refused while a run is unfinished" {
	workflow slow.sloth 'sleep 300'
	sloth backup create
	sloth run --detach slow.sloth --stack s
	run -5 sloth backup restore latest --force
	[[ $output == *'not finished'* ]]
	sloth write /runs/latest/ctl --text cancel
	sloth cat /runs/latest/wait
	sloth backup restore latest --force
	[ -z "$(sloth stack list)" ]
}

@test "a damaged database: no daemon starts, and restore works all the same" {
	sloth stack new prod
	sloth backup create
	name=$(newest)
	pid=$(daemon_pid)
	kill "$pid"
	eventually test ! -e "/proc/$pid"
	rm -f "$SLOTH_HOME/socket" "$SLOTH_HOME/sloth.db-wal" "$SLOTH_HOME/sloth.db-shm"
	dd if=/dev/urandom of="$SLOTH_HOME/sloth.db" bs=4096 count=4 conv=notrunc status=none
	run sloth stack list
	[ "$status" -ne 0 ]
	run -13 sloth check
	run sloth backup restore --force "$name"
	echo "$output"
	[ "$status" -eq 0 ]
	run sloth stack list
	[[ $output == *prod* ]]
	[ "$(sloth events --type backup.restored | wc -l)" -eq 1 ]
}

@test "a backup of a newer Sloth is refused" {
	sloth stack new prod
	sloth backup create
	name=$(newest)
	rm "$SLOTH_HOME/backups/${name%.db}.json"
	python3 -c '
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT INTO schema_versions VALUES (999, 0)")
db.commit()' "$SLOTH_HOME/backups/$name"
	run sloth backup restore --force "$name"
	[ "$status" -ne 0 ]
	[[ $output == *'a newer Sloth'* ]]
}

# A database of the first schema, with a stack.
old_database()
{
	python3 -c '
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript(open(sys.argv[2]).read())
db.execute("PRAGMA application_id = 0x536c5468")
db.execute("INSERT INTO schema_versions VALUES (1, 0)")
db.execute("INSERT INTO stacks VALUES (1, ?, 0, 0, 493, ?, 1, 1, 1, 7, 0, 0)", ("old", "created"))
db.commit()' "$1" "$SLOTH_SOURCE/tests/engine/schema-1.sql"
}

@test "a backup of an older schema is brought up to date" {
	sloth stack new now
	mkdir -p "$SLOTH_HOME/backups"
	old_database "$SLOTH_HOME/backups/sloth-20260101T000000Z.db"
	sloth backup verify sloth-20260101T000000Z
	sloth backup restore --force sloth-20260101T000000Z
	run sloth stack list
	[[ $output == *old* && $output != *now* ]]
	sloth check --deep
}

@test "the backup before a schema changes is kept with the others" {
	mkdir -p "$SLOTH_HOME"
	old_database "$SLOTH_HOME/sloth.db"
	run sloth stack list
	[[ $output == *old* ]]
	run sloth backup list
	[[ $output == *migration*'before the schema, version 1, was changed'* ]]
	sloth backup verify latest
	[ "$(sqlite3 "$SLOTH_HOME"/backups/*.db 'SELECT max(version) FROM schema_versions' 2>/dev/null || echo 1)" = 1 ]
}

@test "delete" {
	sloth backup create
	name=$(newest)
	run -11 sloth backup delete "$name"
	run sloth backup delete --force "${name%.db}"
	[ "$status" -eq 0 ]
	[ -z "$(ls "$SLOTH_HOME/backups")" ]
	run -4 sloth backup delete --force "$name"
	run -4 sloth backup delete --force latest
	sloth backup create
	sloth backup delete --force latest
	[ -z "$(sloth backup list)" ]
	[ "$(sloth backup list --json)" = '[]' ]
	[ "$(sloth events --type backup.deleted | wc -l)" -eq 2 ]
}

@test "check: quick, deep, and what is damaged" {
	sloth stack new prod
	run sloth check
	[ "$status" -eq 0 ]
	[[ $output == *ok*pages* && $output != *events* ]]
	run sloth check --deep
	[ "$status" -eq 0 ]
	[[ $output == *events* ]]
	run sloth check --json
	[[ $output == *'"ok": true'* ]]
	pid=$(daemon_pid)
	kill "$pid"
	eventually test ! -e "/proc/$pid"
	python3 -c '
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE events SET json = replace(json, ?, ?) WHERE id = 1", ("prod", "grod"))
db.execute("UPDATE contents SET data = zeroblob(length(data)) WHERE id = 1")
db.execute("INSERT INTO kv VALUES (77, 4711, 0, ?, ?, 0, 0)", ("lost", "1"))
db.commit()' "$SLOTH_HOME/sloth.db"
	sloth check
	run -13 sloth check --deep
	[[ $output == *damaged*'the key lost is of a stack that is gone'*'event 1 '*'contents are not what was stored'*'sloth backup restore'* ]]
	run -13 sloth check --deep --json
	[[ $output == *'"ok": false'* ]]
}

@test "the daily backup comes by itself, and old ones go" {
	export XDG_CONFIG_HOME=$PWD/config
	mkdir -p config/sloth
	printf 'stacks:\n  backup_interval: 1s\n  backup_keep: 2\n' >config/sloth/config.yaml
	sloth stack new prod
	sloth backup create --reason mine
	for i in {1..3}; do
		before=$(sloth events --type backup.created --limit 1000 | wc -l)
		eventually bash -c "[ \"\$(sloth events --type backup.created --limit 1000 | wc -l)\" -gt $before ]"
	done
	eventually bash -c '[ "$(sloth backup list --json | grep -c "\"kind\": \"daily\"")" -le 2 ]'
	[ "$(sloth backup list --json | grep -c '"kind": "manual"')" -eq 1 ]
}

@test "artifacts are not in a backup: what is left of their files is there after a restore" {
	printf 'task("t"):command("printf %%s $SLOTH_RUN >f"):artifacts("f")\n' >a.sloth
	for run in 1 2; do
		sloth run a.sloth
	done
	sloth backup create
	sloth run a.sloth
	rm -r "$SLOTH_HOME/artifacts/2"
	sloth backup restore --force latest
	[ "$(sloth cat /runs/1/artifacts/f)" = 1 ]
	# Its row came back, its bytes did not; of run 3 the backup knows nothing.
	[ "$(sloth ls /runs/2/artifacts)" = f ]
	run -13 sloth cat /runs/2/artifacts/f
	run ! sloth ls /runs/3
	[ "$(ls "$SLOTH_HOME/artifacts")" = 1 ]
	sloth run a.sloth
	[ "$(sloth cat /runs/3/artifacts/f)" = 3 ]
}
