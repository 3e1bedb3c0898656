#!/usr/bin/env bats
# Bad input gets a sentence and changes nothing.

bats_require_minimum_version 1.5.0
load lib

@test "strange names are EINVAL, long ones ENAMETOOLONG, with a sentence" {
	for name in .hidden 'a b' -x 'ü' 'a*b' $'a\nb' 'a:b' '%41'; do
		refused 'Invalid argument' mkdir -- "$M/stacks/$name"
		says valid
	done
	refused 'too long' mkdir "$M/stacks/$(printf '%0129d' 0)"
	says 128
	refused 'too long' mkdir "$M/stacks/$(printf '%0300d' 0)"
	mkdir "$M/stacks/$(printf '%0128d' 0)"
	[ "$(ls "$M/stacks" | wc -l)" -eq 1 ]
	mkdir "$M/state/ns" "$M/stacks/prod"
	refused '' bash -c "echo x > '$M/state/ns/a b'"
	refused '' bash -c "echo x > '$M/stacks/prod/outputs.d/.x'"
	[ -z "$(ls -A "$M/state/ns" "$M/stacks/prod/outputs.d" | grep -v :)" ]
}

@test "what is too large is EFBIG, and the old content stays" {
	mkdir "$M/stacks/prod"
	echo 'a: 1' >"$M/stacks/prod/values.yaml"
	# Its first 8 MB would be good on their own.
	for ((i = 0; i < 900; i++)); do
		printf 'key%d: %010000d\n' "$i" 0
	done >large
	refused 'File too large' cp large "$M/stacks/prod/values.yaml"
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: 1' ]
	says max_document_size
	refused 'File too large' dd if=large of="$M/stacks/prod/outputs.d/large" bs=1M status=none
	refused 'File too large' cp large "$M/runs/large.sloth"
	refused 'File too large' truncate -s 1G "$M/stacks/prod/values.yaml"
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: 1' ]
	[ "$(cat "$M/health")" = ok ]
}

@test "YAML with a tab: the line, and nothing changes" {
	mkdir "$M/stacks/prod"
	echo 'a: 1' >"$M/stacks/prod/values.yaml"
	printf 'a:\n\tb: 2\n' >bad.yaml
	refused 'Invalid argument' cp bad.yaml "$M/stacks/prod/values.yaml"
	says values.yaml:2
	refused 'Invalid argument' cp bad.yaml "$M/stacks/prod/config.yaml"
	says config.yaml:2
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: 1' ]
	[ ! -s "$M/stacks/prod/config.yaml" ]
}

@test "an unknown setting: its line and the nearest known one" {
	mkdir "$M/stacks/prod"
	printf '# mine\nlock_timeuot: 1h\n' >bad.yaml
	refused 'Invalid argument' cp bad.yaml "$M/stacks/prod/config.yaml"
	says 'config.yaml:2'
	says lock_timeout
	printf 'lock_timeout: soon\n' >bad.yaml
	refused 'Invalid argument' cp bad.yaml "$M/stacks/prod/config.yaml"
	says duration
	printf 'lock_timeout: 2h\n' >good.yaml
	cp good.yaml "$M/stacks/prod/config.yaml"
	echo x >"$M/stacks/prod/lock"
	[[ $(cat "$M/stacks/prod/lock") == *expires* ]]
}

@test "workflows that are no good: file, line and reason; nothing runs" {
	mkdir "$M/stacks/prod"
	r=$M/stacks/prod/runs
	printf 'task("a"):command("true")\nworkflow.define("x"' >syntax.sloth
	printf 'task("a"):comand("true")\n' >method.sloth
	printf 'task("a"):command("true"):depends_on("b")\n' >unknown.sloth
	printf 'task("a"):command("true"):depends_on("b")\ntask("b"):command("true"):depends_on("a")\n' >cycle.sloth
	printf 'while true do end\n' >loop.txt
	refused 'Invalid argument' cp syntax.sloth "$r/"
	says syntax.sloth:2
	refused 'Invalid argument' cp method.sloth "$r/"
	says method.sloth:1
	says command
	refused 'Invalid argument' cp unknown.sloth "$r/"
	says unknown.sloth:1
	refused 'Too many levels' cp cycle.sloth "$r/"
	says cycle.sloth:
	[ "$(cat "$M/stacks/prod/status")" = created ]
	file_has "$M/stacks/prod/runs/syntax/error" syntax.sloth:2
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
}

@test "an empty workflow starts nothing, and neither does the same file closed again" {
	: >empty.sloth
	cp empty.sloth "$M/runs/"
	[ ! -e "$M/runs/latest" ]
	script hello.sloth true
	cp hello.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	first=$(readlink "$M/runs/latest")
	: >>"$M/runs/hello.sloth"
	exec 9>>"$M/runs/hello.sloth"
	exec 9>&-
	[ "$(readlink "$M/runs/latest")" = "$first" ]
}

@test "binary junk into every writable file: refused, nothing changed, nobody dies" {
	mkdir "$M/stacks/prod" "$M/state/ns"
	echo 'a: 1' >"$M/stacks/prod/values.yaml"
	echo text | tee "$M/stacks/prod/outputs.d/o" "$M/stacks/prod/state/k" "$M/state/ns/k" >/dev/null
	script hello.sloth true
	cp hello.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	run=$(readlink "$M/runs/latest")
	python3 -c 'import random, sys; random.seed(7); sys.stdout.buffer.write(bytes(random.randrange(256) for _ in range(8000)))' >junk
	snapshot() { (cd "$M/stacks/prod" && cat description version config.yaml values.yaml workflow outputs outputs.json lock state/k "$M/state/ns/k") | sha256sum; }
	before=$(snapshot)
	count=0
	while read -r file; do
		run bash -c "cat junk > '$file'"
		[ "$status" -ne 0 ] || { echo "taken: $file"; false; }
		run cp junk "$file"
		[ "$status" -ne 0 ] || { echo "taken from cp: $file"; false; }
		count=$((count + 1))
	done < <(find "$M/stacks" "$M/state" "$M/runs/$run" -type f -perm /222)
	[ "$count" -ge 9 ]
	for name in junk.sloth junk.lua junk.yaml; do
		run cp junk "$M/stacks/prod/runs/$name"
		[ "$status" -ne 0 ] || { echo "ran: $name"; false; }
		run cp junk "$M/runs/$name"
		[ "$status" -ne 0 ] || { echo "ran: $name"; false; }
	done
	[ "$(snapshot)" = "$before" ]
	[ "$(cat "$M/health")" = ok ]
	[ "$(cat "$M/runs/$run/status")" = success ]
	cat "$M/error" >/dev/null
}

@test "unknown commands of a run name the known ones" {
	script hello.sloth true
	cp hello.sloth "$M/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	echo cancle | refused 'Invalid argument' tee "$M/runs/latest/ctl"
	says cancel
	refused '' bash -c "echo cancel > '$M/runs/latest/ctl'"
}

@test "clients that are killed in the middle leave nothing behind" {
	mkdir "$M/stacks/prod"
	script slow.sloth "until [ -e $T/go ]; do sleep 0.05; done"
	cp slow.sloth "$M/runs/"
	cat "$M/runs/slow/wait" 3>&- &
	reader=$!
	setsid flock "$M/stacks/prod/lock" sleep 1000 3>&- &
	holder=$!
	eventually file_has "$M/stacks/prod/lock" 'kind: session'
	flock "$M/stacks/prod/lock" true 3>&- &
	waiter=$!
	eventually file_has "$M/stacks/prod/lock" waiting:
	kill -KILL "$reader" "$waiter"
	kill -KILL -- "-$holder"
	wait "$reader" "$waiter" "$holder" 2>/dev/null || :
	eventually file_has "$M/stacks/prod/lock" unlocked
	touch go
	[ "$(cat "$M/runs/slow/wait")" = success ]
}

@test "a reader that waits can be interrupted" {
	script slow.sloth "until [ -e $T/go ]; do sleep 0.05; done"
	cp slow.sloth "$M/runs/"
	run -124 timeout -s INT 0.3 cat "$M/runs/slow/wait"
	touch go
	[ "$(cat "$M/runs/slow/wait")" = success ]
}

@test "too many temporary files are EDQUOT" {
	mkdir "$M/stacks/prod"
	for ((i = 0; i < 256; i++)); do
		: >"$M/stacks/prod/.tmp$i"
	done
	refused 'quota' touch "$M/stacks/prod/.tmp256"
	says max_scratch_files
	rm "$M"/stacks/prod/.tmp*
	touch "$M/stacks/prod/.tmp256"
}

@test "a document that was removed stays away when nothing good is renamed onto it" {
	mkdir "$M/stacks/prod"
	echo 'a: 1' >"$M/stacks/prod/values.yaml"
	rm "$M/stacks/prod/values.yaml"
	printf '\ta: [' >"$M/stacks/prod/x.tmp"
	refused '' mv "$M/stacks/prod/x.tmp" "$M/stacks/prod/values.yaml"
	[ ! -e "$M/stacks/prod/values.yaml" ]
	[ -e "$M/stacks/prod/x.tmp" ]
	echo 'a: 2' >"$M/stacks/prod/x.tmp"
	mv "$M/stacks/prod/x.tmp" "$M/stacks/prod/values.yaml"
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: 2' ]
}

@test "a workflow that is refused is refused at each close of its descriptor" {
	python3 - "$M/runs/bad.sloth" <<-'END'
		import errno, os, sys
		fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
		os.write(fd, b"task(")
		for close in (lambda: os.close(os.dup(fd)), lambda: os.fsync(fd), lambda: os.close(fd)):
		    try:
		        close()
		    except OSError as error:
		        assert error.errno == errno.EINVAL, error
		    else:
		        raise SystemExit("it was taken")
	END
	says 'was refused'
	[ "$(cat "$M/runs/bad/status")" = failed ]
	[ "$(ls -d "$M"/runs/[0-9]* | wc -l)" -eq 1 ]
}
