#!/usr/bin/env bats
# cp, mv, install, tee, dd, cat, ls, stat, touch, rm, ln, wc, head …

bats_require_minimum_version 1.5.0
load lib

@test "mkdir, mv and rmdir make, rename and destroy stacks" {
	mkdir "$M/stacks/prod"
	[ -d "$M/stacks/prod" ]
	[ "$(ls "$M/stacks")" = prod ]
	refused 'File exists' mkdir "$M/stacks/prod"
	echo 'one of many' >"$M/stacks/prod/description"
	mv "$M/stacks/prod" "$M/stacks/live"
	[ ! -e "$M/stacks/prod" ]
	[ "$(cat "$M/stacks/live/description")" = 'one of many' ]
	file_has "$M/stacks/live/activity" stack.created
	rmdir "$M/stacks/live"
	[ -z "$(ls "$M/stacks")" ]
	refused 'No such file' rmdir "$M/stacks/live"
}

@test "mkdir -p and mkdir -m" {
	mkdir -p "$M/stacks/a"
	mkdir -p "$M/stacks/a"
	mkdir -m 0700 "$M/stacks/b"
	[ "$(stat -c %a "$M/stacks/b")" = 700 ]
	(umask 027 && mkdir "$M/stacks/c")
	[ "$(stat -c %a "$M/stacks/c")" = 750 ]
}

@test "the size that stat gives is the number of bytes that can be read, everywhere" {
	mkdir "$M/stacks/prod"
	printf 'a: 1\n' >values
	cp values "$M/stacks/prod/values.yaml"
	script hello.sloth 'echo hello'
	cp hello.sloth "$M/stacks/prod/runs/"
	[ "$(cat "$M/runs/latest/wait")" = success ]
	find "$M" -type f >files
	[ "$(wc -l <files)" -gt 30 ]
	while read -r file; do
		case $file in
		*/events* | */activity*) continue ;; # grow
		*/validate* | */coverage* | "$M"/metrics*) continue ;; # of the moment when it is read
		esac
		size=$(stat -c %s "$file")
		[ "$(wc -c <"$file")" = "$size" ] || { echo "$file: wc -c, not $size"; false; }
		[ "$(cat "$file" | wc -c)" = "$size" ] || { echo "$file: cat, not $size"; false; }
	done <files
}

@test "cat, head, tail, cut, sort, wc read as everywhere" {
	mkdir "$M/stacks/prod"
	seq 1000 | sed 's/.*/k&: &/' >values
	cp values "$M/stacks/prod/values.yaml"
	v=$M/stacks/prod/values.yaml
	cmp values "$v"
	[ "$(head -n 1 "$v")" = 'k1: 1' ]
	[ "$(head -c -2 "$v" | tail -n 1)" = 'k1000: 100' ]
	[ "$(tail -n 1 "$v")" = 'k1000: 1000' ]
	[ "$(tail -c 5 "$v")" = 1000 ]
	[ "$(sort -rn -k 2 "$v" | head -n 1)" = 'k1000: 1000' ]
	[ "$(wc -l <"$v")" -eq 1000 ]
	[ "$(sha256sum <"$v")" = "$(sha256sum <values)" ]
	[ "$(od -An -c -N 2 "$v" | tr -d ' ')" = k1 ]
}

@test "cp in all its ways writes a document" {
	mkdir "$M/stacks/prod"
	v=$M/stacks/prod/values.yaml
	for way in '' -p -a -f --remove-destination --reflink=auto --sparse=always -b --no-preserve=all; do
		echo "way: '$way'" >values
		cp $way values "$v"
		[ "$(cat "$v")" = "way: '$way'" ] || { echo "cp $way"; false; }
	done
	cp "$v" out
	cmp out "$v"
	cp -a "$M/stacks/prod" copy
	cmp copy/values.yaml "$v"
	[ "$(stat -c %a "$v")" = 644 ]
}

@test "install, mv, tee, dd, cat write a document" {
	mkdir "$M/stacks/prod"
	v=$M/stacks/prod/values.yaml
	echo 'by: install' >values
	install -m 644 values "$v"
	[ "$(cat "$v")" = 'by: install' ]
	echo 'by: mv' >values
	mv values "$v"
	[ "$(cat "$v")" = 'by: mv' ]
	echo 'by: tee' | tee "$v" >/dev/null
	[ "$(cat "$v")" = 'by: tee' ]
	echo 'and: more' | tee -a "$v" >/dev/null
	[ "$(cat "$v")" = $'by: tee\nand: more' ]
	echo 'by: dd' | dd of="$v" bs=1 status=none
	[ "$(cat "$v")" = 'by: dd' ]
	echo 'by: dd with fsync' | dd of="$v" conv=fsync status=none
	[ "$(cat "$v")" = 'by: dd with fsync' ]
	echo 'by: cat' | cat >"$v"
	[ "$(cat "$v")" = 'by: cat' ]
	echo 'by: busybox' >values
	busybox cp values "$v"
	[ "$(busybox cat "$v")" = 'by: busybox' ]
}

@test "mv within a stack: a draft becomes the document" {
	mkdir "$M/stacks/prod"
	echo 'a: draft' >"$M/stacks/prod/values.yaml.tmp"
	mv "$M/stacks/prod/values.yaml.tmp" "$M/stacks/prod/values.yaml"
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: draft' ]
	[ ! -e "$M/stacks/prod/values.yaml.tmp" ]
}

@test "ls -l, stat and touch" {
	mkdir "$M/stacks/prod"
	run ls -l "$M/stacks/prod"
	[[ $output == *'-rw-r--r--'*'config.yaml'* ]]
	[[ $output == *'-r--r--r--'*'status'* ]]
	[[ $output == *'drwx'*'runs'* ]]
	touch "$M/stacks/prod/values.yaml"
	[ ! -s "$M/stacks/prod/values.yaml" ]
	echo 'a: 1' >"$M/stacks/prod/values.yaml"
	touch "$M/stacks/prod/values.yaml"
	[ "$(cat "$M/stacks/prod/values.yaml")" = 'a: 1' ]
	stat -f "$M" >/dev/null
	df "$M" >/dev/null
	[ "$(stat -c %i "$M/stacks/prod/status")" = "$(stat -c %i "$M/stacks/prod/status")" ]
	before=$(stat -c %Y "$M/stacks/prod/created")
	[ "$before" -gt 1000000000 ]
}

@test "times are true: a file that did not change keeps its time" {
	mkdir "$M/stacks/prod"
	echo 'a: 1' >"$M/stacks/prod/values.yaml"
	eventually bash -c "touch marker; [ marker -nt '$M/stacks/prod/values.yaml' ]"
	cat "$M/stacks/prod/values.yaml" >/dev/null
	: >"$M/stacks/prod/values.yaml"
	[ marker -nt "$M/stacks/prod/values.yaml" ]
	eventually bash -c "echo 'a: 3' >'$M/stacks/prod/values.yaml'; [ '$M/stacks/prod/values.yaml' -nt marker ]"
}

@test "what is written shows at once, in everything that shows it" {
	mkdir "$M/stacks/prod"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		echo "$i" >"$M/stacks/prod/version"
		[ "$(cat "$M/stacks/prod/version")" = "$i" ]
		echo "value$i" | tee "$M/stacks/prod/outputs.d/key" >/dev/null
		[ "$(cat "$M/stacks/prod/outputs")" = "key=value$i" ]
		[ "$(cat "$M/stacks/prod/outputs.d/key")" = "value$i" ]
		[ "$(stat -c %s "$M/stacks/prod/outputs.d/key")" = $((6 + ${#i})) ]
	done
	rm "$M/stacks/prod/outputs.d/key"
	[ ! -e "$M/stacks/prod/outputs.d/key" ]
	[ ! -s "$M/stacks/prod/outputs" ]
}

@test "ln makes nothing here" {
	mkdir "$M/stacks/prod"
	run ln -s /etc "$M/stacks/prod/etc"
	[ "$status" -ne 0 ]
	run ln "$M/stacks/prod/status" "$M/stacks/prod/status2"
	[ "$status" -ne 0 ]
	run mkfifo "$M/stacks/prod/fifo"
	[ "$status" -ne 0 ]
	[ ! -e "$M/stacks/prod/etc" ]
}

@test "what is read-only can't be written, also by root" {
	mkdir "$M/stacks/prod"
	for file in README version health error config.yaml events stacks/prod/status stacks/prod/outputs stacks/prod/created; do
		run bash -c "echo x > '$M/$file'"
		[ "$status" -ne 0 ] || { echo "$file"; false; }
		run rm -f "$M/$file"
		[ "$status" -ne 0 ] || { echo "rm $file"; false; }
		[ -e "$M/$file" ]
	done
}

@test "state: keys of a stack and of a namespace, with an end" {
	mkdir "$M/stacks/prod" "$M/state/shared"
	echo 7 | tee "$M/stacks/prod/state/attempts" "$M/state/shared/attempts" >/dev/null
	[ "$(cat "$M/stacks/prod/state/attempts")" = 7 ]
	[ "$(ls "$M/state/shared")" = attempts ]
	refused 'not empty' rmdir "$M/state/shared"
	setfattr -n user.sloth.ttl -v 100ms "$M/state/shared/attempts"
	eventually bash -c "! cat '$M/state/shared/attempts'"
	eventually rmdir "$M/state/shared"
	rm "$M/stacks/prod/state/attempts"
	[ -z "$(ls "$M/stacks/prod/state")" ]
}

@test "state: extended attributes tell and change when a key ends, and what type it has" {
	mkdir "$M/state/a" "$M/state/b"
	echo 7 >"$M/state/a/k"
	[ "$(getfattr --only-values -n user.sloth.type "$M/state/a/k")" = string ]
	run -1 getfattr -n user.sloth.ttl "$M/state/a/k"
	setfattr -n user.sloth.ttl -v 30m "$M/state/a/k"
	[[ $(getfattr --only-values -n user.sloth.ttl "$M/state/a/k") =~ ^(30m|29m[0-9]+s)$ ]]
	cp --preserve=xattr "$M/state/a/k" "$M/state/b/k"
	[[ $(getfattr -d "$M/state/b/k") == *expires=*ttl=\"*m* ]]
	setfattr -x user.sloth.ttl "$M/state/b/k"
	[ "$(getfattr -d "$M/state/b/k" | grep -c user)" -eq 1 ]
	setfattr -n user.sloth.type -v number "$M/state/b/k"
	cp -a "$M/state/b/k" "$M/state/b/copy"
	[ "$(getfattr --only-values -n user.sloth.type "$M/state/b/copy")" = number ]
	refused 'Invalid argument' setfattr -n user.sloth.type -v array "$M/state/b/k"
	says 'of the type number, not array'
	refused 'not supported' setfattr -n user.sloth.tll -v 1h "$M/state/b/k"
	says user.sloth.ttl
}

@test "state: the owner of a namespace says who may use it" {
	mkdir "$M/state/a"
	chmod 2750 "$M/state/a"
	[ "$(stat -c %a "$M/state/a")" = 2750 ]
	[ "$(id -u)" -eq 0 ] || return 0
	chgrp 65534 "$M/state/a"
	[ "$(stat -c %g "$M/state/a")" = 65534 ]
}

@test "each file of a run has the size of what is read" {
	printf -- '-- ü: more bytes than letters\ntask("a"):command("echo ü; exit 1")\ntask("b"):command(function() return true, "ö", { out = "ä" } end)\nworkflow.define("w"):tasks({ "a", "b" }):config({ on_failure = "continue" })\n' >w.sloth
	cp w.sloth "$M/runs/"
	[ "$(cat "$M/runs/w/wait")" = failed ]
	cmp w.sloth "$M/runs/1/workflow"
	find "$M/runs/1" -type f >files
	[ "$(wc -l <files)" -gt 40 ]
	while read -r file; do
		[ "$(stat -c %s "$file")" -eq "$(cat "$file" | wc -c)" ] || { echo "$file: $(stat -c %s "$file")"; false; }
	done <files
	grep -q '"error": *"' "$M/runs/1/status.json"
}

@test "a folder is read in pieces, from any place where a name begins, and from no other" {
	mkdir "$M/state/many"
	for i in {100..499}; do echo "$i" >"$M/state/many/$(printf "k%0100d" "$i")"; done
	python3 - "$M/state/many" <<'END'
import ctypes, os, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
folder = os.open(sys.argv[1], os.O_RDONLY)
data = ctypes.create_string_buffer(8192)


def piece():
    """What the next getdents64(2) says: (name, where the next one begins)."""
    size = libc.syscall(ctypes.c_long(217 if os.uname().machine == "x86_64" else 61), folder, data, len(data))
    if size < 0:
        raise OSError(ctypes.get_errno(), "getdents64")
    place, found = 0, []
    while place < size:
        _, following, length = struct.unpack_from("<QqH", data, place)
        found.append((data.raw[place + 19:place + length].split(b"\0")[0].decode(), following))
        place += length
    return found


whole = []
while more := piece():
    whole += more
assert sorted(name for name, _ in whole) == sorted([*os.listdir(sys.argv[1]), ".", ".."]), whole
for at in 395, 7, 200, 0, 399:
    os.lseek(folder, whole[at][1], os.SEEK_SET)
    assert piece()[0] == whole[at + 1], at
os.lseek(folder, whole[7][1] + 3, os.SEEK_SET)
try:
    piece()
    raise AssertionError("a name began where there is none")
except OSError as error:
    assert error.errno == 22, error
END
}
