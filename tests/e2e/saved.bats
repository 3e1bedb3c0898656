#!/usr/bin/env bats
# shellcheck disable=SC2154
# workflows/: saved workflows. Checked when they are written, kept in versions, not run.

bats_require_minimum_version 1.5.0
load lib

@test "cp checks it, keeps it, and runs nothing; its plan can be read" {
	printf 'task("a"):command("touch %s/acted")\ntask("b"):command("true"):depends_on("a")\n' "$T" >deploy.sloth
	cp deploy.sloth "$M/workflows/"
	cmp deploy.sloth "$M/workflows/deploy.sloth"
	[ "$(stat -c %s "$M/workflows/deploy.sloth")" -eq "$(stat -c %s deploy.sloth)" ]
	[ "$(ls "$M/workflows")" = 'deploy.sloth
deploy.sloth.d
deploy.sloth.json' ]
	file_has "$M/workflows/deploy.sloth.d/plan" '2. b (after a)'
	file_has "$M/workflows/deploy.sloth.d/plan.dot" '"a" -> "b"'
	python3 -m json.tool "$M/workflows/deploy.sloth.d/plan.json" >/dev/null
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["version"] == 1 and d["tasks"] == 2 and d["workflow"] == "deploy", d' "$M/workflows/deploy.sloth.json"
	[ ! -e acted ]
	[ -z "$(ls "$M/runs")" ]
	[ -z "$(ls "$M/stacks")" ]
}

@test "what is no good is refused at close, with its line, and changes nothing" {
	printf 'task("a"):command("true")\n' >good.sloth
	cp good.sloth "$M/workflows/x.sloth"
	printf 'task("a"):comand("true")\n' >bad.sloth
	refused 'Invalid argument' cp bad.sloth "$M/workflows/x.sloth"
	says x.sloth:1
	cmp good.sloth "$M/workflows/x.sloth"
	refused 'Invalid argument' cp bad.sloth "$M/workflows/new.sloth"
	[ ! -e "$M/workflows/new.sloth" ]
	printf 'task("a"):command("true"):depends_on("b")\ntask("b"):command("true"):depends_on("a")\n' >circle.sloth
	refused 'symbolic links' cp circle.sloth "$M/workflows/new.sloth"
	says 'a → b (new.sloth:1) → a (new.sloth:2)'
	[ ! -e "$M/workflows/new.sloth" ]
	refused 'cannot move' mv "$M/workflows/x.sloth" "$M/workflows/x.txt"
	says "no workflow's name"
	# A name that was refused is free.
	cp good.sloth "$M/workflows/new.sloth"
	file_has "$M/workflows/new.sloth.json" '"version": 1'
}

@test "versions: each text that was saved; the same text is none" {
	for n in 1 2 3; do
		printf 'task("t%s"):command("true")\n' "$n" >w.sloth
		cp w.sloth "$M/workflows/"
		cp w.sloth "$M/workflows/"
	done
	[ "$(ls "$M/workflows/w.sloth.d" | tr '\n' ' ')" = 'plan plan.dot plan.json v1 v2 v3 ' ]
	file_has "$M/workflows/w.sloth.d/v1" t1
	cmp w.sloth "$M/workflows/w.sloth.d/v3"
	refused 'denied' bash -c "echo x > '$M/workflows/w.sloth.d/v1'"
	# Going back is saving it again.
	cp "$M/workflows/w.sloth.d/v1" "$M/workflows/w.sloth"
	file_has "$M/workflows/w.sloth" t1
	[ -e "$M/workflows/w.sloth.d/v4" ]
	kill_daemon
	umount -l "$M" 2>/dev/null || fusermount3 -uz "$M"
	start_daemon
	file_has "$M/workflows/w.sloth.d/v2" t2
	file_has "$M/workflows/w.sloth" t1
}

@test "mv, rm, sed -i, chmod, and editors' temporary files" {
	printf 'task("a"):command("true")\n' >w.sloth
	(umask 077 && cp w.sloth "$M/workflows/")
	[ "$(stat -c %a "$M/workflows/w.sloth")" = 600 ]
	chmod 664 "$M/workflows/w.sloth"
	[ "$(stat -c %a "$M/workflows/w.sloth")" = 664 ]
	mv "$M/workflows/w.sloth" "$M/workflows/v.sloth"
	[ ! -e "$M/workflows/w.sloth" ]
	sed -i 's/"a"/"b"/' "$M/workflows/v.sloth"
	file_has "$M/workflows/v.sloth" '"b"'
	cp w.sloth "$M/workflows/v.sloth.tmp"
	mv "$M/workflows/v.sloth.tmp" "$M/workflows/v.sloth"
	file_has "$M/workflows/v.sloth" '"a"'
	rm "$M/workflows/v.sloth"
	[ -z "$(ls "$M/workflows")" ]
	file_has "$M/events" workflow.saved
	file_has "$M/events" workflow.deleted
}

@test "rights: its owner's mode, the folder's sticky bit, the plan as private as the text" {
	need_root
	chmod 1777 "$M/workflows"
	printf 'task("a"):command("true")\n' >w.sloth
	chmod 644 w.sloth
	as "$other" bash -c "umask 077; cp w.sloth '$M/workflows/'"
	[ "$(stat -c %u "$M/workflows/w.sloth")" -eq "$other" ]
	for file in w.sloth w.sloth.json w.sloth.d/plan; do
		refused 'denied' as "$nobody" cat "$M/workflows/$file"
	done
	refused 'denied' as "$nobody" cp w.sloth "$M/workflows/w.sloth"
	as "$nobody" rm -f "$M/workflows/w.sloth" && return 1
	as "$nobody" mv "$M/workflows/w.sloth" "$M/workflows/mine.sloth" && return 1
	as "$nobody" cp w.sloth "$M/workflows/mine.sloth"
	as "$nobody" mv "$M/workflows/mine.sloth" "$M/workflows/w.sloth" && return 1
	refused 'not permitted' as "$nobody" chmod 777 "$M/workflows/w.sloth"
	as "$other" chmod 644 "$M/workflows/w.sloth"
	as "$nobody" cat "$M/workflows/w.sloth.d/plan" | grep -q '1. a'
}

@test "a saved workflow is run by its name; it is loaded with the saver's rights" {
	printf 'task("a"):command("echo saved")\n' >deploy.sloth
	cp deploy.sloth "$M/workflows/"
	rm deploy.sloth
	run sloth run deploy -s prod
	[ "$status" -eq 0 ]
	[[ $output == *saved* ]]
	printf 'task("a"):command("echo file")\n' >deploy.sloth
	[[ $(sloth run deploy.sloth) == *file* ]]
	[[ $(sloth run --workflow deploy) == *saved* ]]
	[[ $(sloth run other --workflow deploy) == *other.sloth* ]]
	run -4 sloth run nothing
	[[ $output == *'no file nothing, and no saved workflow'* ]]
	need_root
	echo secret >secret
	chmod 600 secret
	chmod 1777 "$M/workflows"
	printf 'local f = assert(io.open("%s/secret"))\ntask("a"):command("echo " .. f:read("a"))\n' "$T" >steal.sloth
	chmod 644 steal.sloth
	as "$other" cp steal.sloth "$M/workflows/" && return 1
	not test -e "$M/workflows/steal.sloth"
}
