#!/usr/bin/env bats
# What one user may have: the next one is refused with a sentence, and what others do goes on.

bats_require_minimum_version 1.5.0
load lib

before_start()
{
	need_root
	mkdir -p config/sloth
	export XDG_CONFIG_HOME=$T/config
	cat >config/sloth/config.yaml <<-END
		watch: false
		quotas:
		  stacks: 2
		  keys: 3
		  runs: 2
		  waits: 3
		  open_files: 20
		  open_size: 1MB
		  connections: 8
		  storage: 2MB
	END
	chmod 755 "$T/home"
}

# they_are_told WORDS PYTHON: another user does it, and prints the errno's name; his `error` has the words.
they_are_told()
{
	local words=$1
	# Not started as that user: he may not be allowed to use what `python3` is here.
	python3 -c "
import errno, fcntl, os, sys, threading
uid, M, T = int(sys.argv[1]), *sys.argv[2:]
os.setgroups([]), os.setgid(uid), os.setuid(uid)
$2
" "$other" "$M" "$T" >told
	if [[ $(cat told) != *"$words"* ]]; then
		echo "they were told: $(cat told)"
		return 1
	fi
}

# he_has WHAT USED LIMIT: the other user, as root sees it. Who has nothing is not there: 0.
he_has()
{
	local found
	found=$(awk -v what="$1" '$1 == "daemon" && $2 == what { print $3, $4 }' "$M/quota")
	[ "${found:-0 $3}" = "$2 $3" ] || { echo "he has $1: $found"; return 1; }
}

@test "sloth quota: one's own; of others for root; a row each, and as JSON" {
	local sloth=$SLOTH_BUILD/cli/sloth
	chmod 1777 "$M/stacks"
	as $other mkdir "$M/stacks/a"
	run as $other "$sloth" quota
	[ "$status" -eq 0 ]
	[[ ${lines[0]} =~ ^USER\ +QUOTA\ +USED\ +LIMIT\ +USE%$ ]]
	[[ $output =~ daemon\ +stacks\ +1\ +2\ +50% ]]
	[[ $output =~ daemon\ +storage\ +[0-9]+\ (bytes|KB)\ +2048\ KB\ +[0-9]+% ]]
	[ "${#lines[@]}" -eq "$(($(wc -l <"$M/quota") + 1 - $(grep -vc ^daemon "$M/quota" || :)))" ]
	[[ $(as $other "$sloth" quota -u $other --json) == *'"user": "daemon"'* ]]
	run -12 as $other "$sloth" quota --user root
	[[ $output == *'nothing of root is shown to you'* ]]
	run -4 "$sloth" quota --user no-such-user
	[[ $output == *'there is no user "no-such-user"'* ]]
	run "$sloth" quota
	[[ $output =~ daemon\ +stacks\ +1\ +2\ +50% && $output != *secrets* ]]
	run "$sloth" quota --user daemon
	[[ $output =~ daemon\ +secrets\ +0\ +[0-9]+\ +0% && $output != *root* ]]
	[ "$("$sloth" quota --user 54321)" = "54321 has nothing." ]
	[ "$("$sloth" quota --user 54321 --json | tr -d ' \n')" = '{"users":[]}' ]
	[[ $("$sloth" complete -- quota --us) == --user* ]]
	[ "$("$sloth" complete -- quota --user '')" = :users ]
}

@test "stacks and keys: EDQUOT, and again when some are gone" {
	chmod 1777 "$M/stacks" "$M/state"
	as $other mkdir "$M/stacks/a" "$M/stacks/b" "$M/state/n"
	they_are_told 'EDQUOT you may have 2 stacks' '
try: os.mkdir(M + "/stacks/c")
except OSError as e: print(errno.errorcode[e.errno], open(M + "/error").read())'
	mkdir "$M/stacks/roots-1" "$M/stacks/roots-2" "$M/stacks/roots-3"
	as $other rmdir "$M/stacks/a"
	as $other mkdir "$M/stacks/c"
	as $other sh -c "cd $M/state/n && echo 1 >a && echo 1 >b && echo 1 >c"
	they_are_told 'EDQUOT you may have 3 keys' '
f = os.open(M + "/state/n/d", os.O_WRONLY | os.O_CREAT)
try: os.write(f, b"1\n"); os.close(f)
except OSError as e: print(errno.errorcode[e.errno], open(M + "/error").read())'
	he_has stacks 2 2
	he_has keys 3 3
	# Through the socket it is the same, and the command says it.
	chmod 666 "$SLOTH_HOME/socket"
	run as $other env SLOTH_HOME="$SLOTH_HOME" "$(command -v sloth)" stack new d
	[ "$status" -eq 14 ]
	[[ $output == *'quotas.stacks in config.yaml'* ]]
	# What was refused has left nothing: a few hundred of those, and he could make nothing any more.
	run as $other env SLOTH_HOME="$SLOTH_HOME" "$(command -v sloth)" write state/n/e <<<1
	[ "$status" -eq 14 ]
	[ ! -e "$M/state/n/e" ]
}

@test "what waits: EAGAIN for one too many, the others go on waiting" {
	mkdir -m 777 "$M/stacks/prod"
	echo 'for a while' >"$M/stacks/prod/lock"
	they_are_told 'EAGAIN you may have 3 requests that wait' '
def wait():
    f = os.open(M + "/stacks/prod/lock", os.O_WRONLY)
    try:
        fcntl.flock(f, fcntl.LOCK_EX)
    except OSError as e:
        print(errno.errorcode[e.errno], open(M + "/error").read(), flush=True)
        open(T + "/sloth/stacks/prod/description").read()
        os._exit(0)
for _ in range(4):
    threading.Thread(target=wait).start()'
	eventually he_has waits 0 3
	# Nobody is in the way of anybody else.
	rm "$M/stacks/prod/lock"
	timeout 60 flock "$M/stacks/prod/lock" true
}

@test "open files: EMFILE, and again when some are closed" {
	they_are_told 'EMFILE you may have 20 files and folders' '
files = []
try:
    for _ in range(30):
        files.append(os.open(M + "/version", os.O_RDONLY))
except OSError as e:
    print(len(files), errno.errorcode[e.errno], open(M + "/error").read())' # which can be opened, though
	[[ $(cat told) == 20* ]]
	they_are_told 'EMFILE' '
try: folders = [os.open(M + "/stacks", os.O_RDONLY) for _ in range(30)]
except OSError as e: print(errno.errorcode[e.errno])'
	eventually he_has open_files 0 20
}

@test "text that is written and not closed: EMFILE beyond open_size" {
	mkdir -m 777 "$M/stacks/prod"
	they_are_told 'EMFILE you may have 1048576 bytes' '
files = []
try:
    for n in range(10):
        files.append(os.open(M + "/stacks/prod/.tmp%d" % n, os.O_WRONLY | os.O_CREAT))
        os.write(files[-1], b"x" * 130000)
except OSError as e:
    name = errno.errorcode[e.errno]
    os.close(files[0])
    print(len(files), name, open(M + "/error").read())'
	[[ $(cat told) == 9* ]]
	eventually he_has open_size 0 1048576
}

@test "1 MB in a loop: EDQUOT when all versions together are too much, and again when they are gone" {
	chmod 1777 "$M/stacks"
	as $other mkdir "$M/stacks/prod"
	they_are_told 'EDQUOT you may have 2097152 bytes stored' '
import random
path = M + "/stacks/prod/values.yaml"
for n in range(10000):
    try:
        with open(path, "w") as file:
            file.write("x: " + random.randbytes(200000).hex())
    except OSError as e:
        print(errno.errorcode[e.errno], open(M + "/error").read())
        break'
	# Others, and he himself with what takes nothing, go on.
	echo 'a: 1' >"$M/stacks/prod/config.yaml" || :
	as $other cat "$M/stacks/prod/values.yaml" >/dev/null
	as $other rmdir "$M/stacks/prod"
	as $other rmdir "$M"/destroyed/*
	mkdir -m 777 "$M/stacks/next"
	eventually as $other sh -c "echo 'a: 1' >$M/stacks/next/values.yaml"
	eventually as $other sh -c "echo 'a: 2' >$M/stacks/next/values.yaml && grep -q 'a: 2' $M/stacks/next/values.yaml"
}

@test "connections: one too many is told so and closed" {
	chmod 666 "$SLOTH_HOME/socket"
	mkfifo hold
	exec 9<>hold
	python3 -c "
import os, socket, sys
os.setgroups([]), os.setgid($other), os.setuid($other)
sockets = []
for n in range(8):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    sockets.append(s)
print('there', flush=True)
sys.stdin.read()" "$SLOTH_HOME/socket" <hold >there &
	pid=$!
	eventually grep -q there there
	eventually he_has connections 8 8
	run as $other env SLOTH_HOME="$SLOTH_HOME" "$(command -v sloth)" cat version
	exec 9>&-
	kill $pid
	wait $pid || :
	echo "$output"
	[[ $output == *'you may have 8 connections'* ]]
	[ "$status" -eq 5 ]
	# Root is not concerned.
	sloth cat version
	eventually as $other env SLOTH_HOME="$SLOTH_HOME" "$(command -v sloth)" cat version
}

@test "runs that are not over: EAGAIN, and again when one is" {
	mkdir -m 777 "$M/stacks/prod"
	chmod 1777 "$M/runs" "$M/stacks"
	cat >w.sloth <<-END
		task("t"):command(function()
			while not fs.exists("$T/go") do sleep(0.1) end
			return true
		end)
	END
	chmod 755 "$T"
	as $other cp w.sloth "$M/runs/one.sloth"
	as $other cp w.sloth "$M/runs/two.sloth"
	run as $other cp w.sloth "$M/runs/three.sloth"
	[ "$status" -ne 0 ]
	chmod 666 "$SLOTH_HOME/socket"
	run as $other env SLOTH_HOME="$SLOTH_HOME" "$(command -v sloth)" run w.sloth
	[[ $output == *'you may have 2 runs that are not over'* ]]
	he_has runs 2 2
	touch go
	[ "$(cat "$M/runs/1/wait")" = success ]
	[ "$(cat "$M/runs/2/wait")" = success ]
	as $other cp w.sloth "$M/runs/two.sloth"
	[ "$(cat "$M/runs/latest/wait")" = success ]
}

@test "everybody sees his own, root all" {
	chmod 1777 "$M/stacks"
	as $other mkdir "$M/stacks/his"
	as $nobody mkdir "$M/stacks/nobodys"
	as $other cat "$M/quota" >seen
	[ "$(cut -d ' ' -f 1 seen | sort -u)" = daemon ]
	grep -Eq '^daemon +stacks +1 +2$' seen
	[ "$(cut -d ' ' -f 1 "$M/quota" | sort -u | tr '\n' ' ')" = 'daemon nobody root ' ]
	as $other cat "$M/quota.json" | python3 -c "
import json, sys
users = json.load(sys.stdin)['users']
assert len(users) == 1 and users[0]['user'] == 'daemon', users
assert users[0]['quotas']['stacks'] == {'used': 1, 'limit': 2}, users"
	python3 -c "
import json, sys
users = {user['user']: user for user in json.load(open(sys.argv[1]))['users']}
assert users['root']['quotas']['stacks']['limit'] is None, users" "$M/quota.json"
}
