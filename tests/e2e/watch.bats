#!/usr/bin/env bats
# What stacks look after is watched: each kind of change is seen without anybody asking, with the owner's rights alone, and not while a
# run is at work.

bats_require_minimum_version 1.5.0
load lib

# managed STACK LUA [COMMAND…]: a run whose task has this body, as somebody, and all that it registered is watched.
managed()
{
	local stack=$1 text=$2
	shift 2
	printf 'task("t"):command(function()\n%s\nend)\n' "$text" >"$stack.sloth"
	chmod 644 "$stack.sloth"
	"$@" sloth run --stack "$stack" "$stack.sloth"
	eventually watched "$stack"
}

# watching STACK KEY: of drift.json.
watching()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["watching"][sys.argv[2]])' "$M/stacks/$1/drift.json" "$2"
}

watched()
{
	[ "$(watching "$1" unwatched)" = 0 ]
}

polled()
{
	[ "$(watching "$1" polled)" -gt 0 ]
}

# drifted STACK NUMBER: as drift.json says.
drifted()
{
	[ "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["summary"]["drifted"])' "$M/stacks/$1/drift.json")" = "$2" ]
}

# seen COMMAND…: what it does to the one resource of the stack prod is seen, and so is that it was put right again by restore().
seen()
{
	echo "# $*"
	"$@"
	eventually drifted prod 1
	restore
	eventually drifted prod 0
}

restore()
{
	local folder
	[ ! -d aside ] || { rm -rf etc; mv aside etc; }
	[ -d etc/app ] || { rm -rf etc/app; mkdir -p etc/app; }
	folder=etc/app
	printf 'right\n' >new
	chmod 644 new
	chown 0:0 new 2>/dev/null || :
	mv new "$folder/conf"
}

@test "each kind of change of a file is seen, and that it is over" {
	managed prod "resource.file{ path = '$T/etc/app/conf', content = 'right\n', mode = '0644', owner = '$(id -un)' }"
	seen bash -c 'echo wrong >etc/app/conf'
	seen bash -c 'echo more >>etc/app/conf'
	seen truncate -s 2 etc/app/conf
	seen bash -c 'echo wrong >x; mv x etc/app/conf'
	seen rm etc/app/conf
	seen bash -c 'rm etc/app/conf; echo wrong >etc/app/conf'
	seen chmod 600 etc/app/conf
	[ "$(id -u)" -ne 0 ] || seen chown 1 etc/app/conf
	seen mv etc aside
	seen bash -c 'mv etc aside; mkdir -p etc/app; echo other >etc/app/conf'
	seen rm -r etc
	seen ln -sfn /dev/null etc/app/conf
	seen bash -c 'mkdir other; mv etc/app/conf etc/app/away'
	# A descriptor that stays open is no excuse.
	exec 7>>etc/app/conf
	seen bash -c 'echo more >&7'
	exec 7>&-
}

@test "what the way to it leads to: links that are turned, folders that come later" {
	mkdir -p releases/{1,2}
	printf 'right\n' | tee releases/1/conf >releases/2/conf
	ln -s releases/1 current
	managed prod "resource.file{ path = '$T/current/conf', content = 'right\n' }
		resource.directory{ path = '$T/a/b/c', ensure = 'absent' }
		resource.directory{ path = '$T/releases/1', entries = { 'conf' } }
		resource.symlink{ path = '$T/l', target = 'releases' }"
	echo wrong >releases/2/conf
	ln -sfn releases/2 current
	eventually drifted prod 1
	echo right >releases/2/conf
	eventually drifted prod 0
	mkdir -p a/b/c
	eventually drifted prod 1
	touch releases/1/new
	eventually drifted prod 2
	ln -sfn current l
	eventually drifted prod 3
	rm -r a releases/1/new
	ln -sfn releases l
	eventually drifted prod 0
	[[ $(cat "$M/stacks/prod/drift") == *'Watching: 4 of 4'* ]]
}

@test "a run's own changes are no drift, also where a module tells of them afterwards" {
	local i
	managed prod "for i = 1, 30 do resource.file{ path = '$T/f' .. i, content = 'one', mode = '0600' } end"
	for i in two three; do
		managed prod "for i = 1, 30 do
			if i % 2 == 0 then
				resource.file{ path = '$T/f' .. i, content = '$i', mode = '0644' }
			else
				file_ops.copy{ content = '$i', dest = '$T/f' .. i, mode = '0644' }
			end
		end
		time.sleep(0.3)"
	done
	echo wrong >f1
	eventually drifted prod 1
	[ "$(grep -c drift.detected "$M/stacks/prod/activity")" = 1 ]
	run ! grep -q drift.resolved "$M/stacks/prod/activity"
}

@test "who changes something while a run is at work is found when it is over" {
	mkfifo go
	managed prod "resource.file{ path = '$T/f', content = 'right' }"
	echo "task('w'):command(function() exec.run('read line <$T/go') end)" >wait.sloth
	cp wait.sloth "$M/stacks/prod/runs/"
	eventually grep -qx running "$M/stacks/prod/runs/wait/status"
	echo wrong >f
	echo detect >"$M/stacks/prod/drift"
	drifted prod 1 # who asks is told
	echo go >go
	eventually grep -qx success "$M/stacks/prod/runs/wait/status"
	printf right >f
	eventually drifted prod 0
}

@test "two users: each is watched with his own rights" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir hers
	chown 1001 hers
	mkdir -m 700 mine
	echo secret >mine/f
	as 1001 mkdir "$M/stacks/his"
	managed his "resource.file{ path = '$T/hers/f', content = 'right' }
		stack.register_resource{ type = 'file', name = '$T/mine/f', status = 'applied', properties = { content = 'secret' } }" as 1001 env HOME="$T/hers"
	[ -n "$(watcher 1001)" ]
	[ -z "$(watcher 0)" ]
	eventually polled his
	[[ $(watching his why) == *'mine'*'Permission denied'* ]]
	[[ $(cat "$M/stacks/his/drift.json") == *'"unknown": 1'* ]]
	grep -q 'drift.polled.*his' "$M/events"
	echo wrong >hers/f
	eventually drifted his 1
	# It goes with the stack.
	chown 0 "$M/stacks/his"
	eventually gone_of 1001
	eventually works_for 0
	echo 'watch: false' >"$M/stacks/his/config.yaml"
	eventually not_watched his
}

gone_of()
{
	[ -z "$(watcher "$1")" ]
}

works_for()
{
	[ -n "$(watcher "$1")" ]
}

not_watched()
{
	grep -q '"watching": null' "$M/stacks/$1/drift.json"
}

# changed_by STACK KEY: of the first finding in drift.json.
changed_by()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["findings"][0]["changed_by"][sys.argv[2]])' "$M/stacks/$1/drift.json" "$2"
}

@test "who changed it is told, where the kernel tells root's daemon" {
	need_root
	local writer
	mkfifo go
	touch f
	managed prod "resource.file{ path = '$T/f', content = 'right', mode = '0666' }"
	install -m 666 /dev/null pid
	as 1001 bash -c "echo \$\$ >'$T/pid'; echo wrong >'$T/f'; read -r line <'$T/go'" >/dev/null 2>&1 3>&- </dev/null &
	eventually drifted prod 1
	writer=$(<pid)
	[ "$(changed_by prod pid)" = "$writer" ]
	[ "$(changed_by prod uid)" = 1001 ]
	[ "$(changed_by prod command)" = bash ]
	[ "$(changed_by prod exe)" = "$(readlink -f "$(command -v bash)")" ]
	[[ $(cat "$M/stacks/prod/drift") == *"  Changed:   by 1001 (uid 1001), bash ("*"), process $writer"* ]]
	grep 'drift.detected' "$M/events.json" | grep -Eq "\"changed_by\": *\{[^}]*\"pid\": *$writer"
	echo go >go
	# Somebody else, after that.
	echo worse >f
	eventually changed_by_us
	# What a run brings about again is nobody's.
	managed prod "resource.file{ path = '$T/f', content = 'right', mode = '0666' }"
	drifted prod 0
}

changed_by_us()
{
	[ "$(changed_by prod uid)" = 0 ]
}

@test "watch_exact: whoever opens what he changes is known, though he is gone at once; nobody is held by one that is stopped and killed" {
	need_root
	local i runner reader
	stop_daemon
	export XDG_CONFIG_HOME=$T/config
	mkdir -p config/sloth
	echo 'watch_exact: true' >config/sloth/config.yaml
	start_daemon
	managed prod "resource.file{ path = '$T/f', content = 'right', mode = '0666' }"
	runner=$(watcher)
	grep -q sloth-openers "/proc/$runner"/task/*/comm
	for i in 1 2 3 4 5 6 7 8; do
		as 1001 sh -c "echo wrong >'$T/f'"
		eventually drifted prod 1
		[ "$(changed_by prod uid)" = 1001 ]
		[ "$(changed_by prod exe)" = "$(readlink -f "$(command -v sh)")" ]
		printf right >f
		eventually drifted prod 0
	done
	kill -STOP "$runner"
	cat f >/dev/null 3>&- &
	reader=$!
	kill -KILL "$runner"
	wait "$reader"
}

@test "what is no file: processes that end" {
	local first last
	# A program of a name that nobody else's processes have.
	cp "$(command -v sleep)" "watched-$$"
	"./watched-$$" 4711 3>&- &
	first=$!
	"./watched-$$" 4711 3>&- &
	last=$!
	managed prod "resource.process{ name = 'watched-$$', count = 2 }"
	kill "$last"
	eventually drifted prod 1
	"./watched-$$" 4711 3>&- &
	last=$!
	eventually drifted prod 0
	kill "$first" "$last"
	eventually drifted prod 1
}

@test "the process is killed, the daemon is killed: what happened meanwhile is found" {
	local runner
	managed prod "resource.file{ path = '$T/f', content = 'right' }"
	runner=$(watcher)
	kill -KILL "$runner"
	echo wrong >f
	eventually drifted prod 1
	[ "$(watcher)" != "$runner" ]
	runner=$(watcher)
	kill_daemon
	wait_for_end "$runner"
	umount -l "$M"
	printf right >f
	start_daemon
	eventually drifted prod 0
	echo wrong >f
	eventually drifted prod 1
}

# watcher UID: the process of this daemon that watches for him.
watcher()
{
	local pid
	for pid in $(pgrep -x -u "${1-$UID}" sloth-watcher); do
		[[ $(readlink "/proc/$pid/cwd") != "$T"/home/work/watch* ]] || echo "$pid"
	done
	return 0
}
