#!/usr/bin/env bats
# Looking for drift: by the drift file, at the end of runs, with whose rights; and fixing it by a run.

bats_require_minimum_version 1.5.0
load lib

before_start()
{
	unwatched
}

# deploy NAME TEXT: runs a workflow in the stack prod, and waits for its end.
deploy()
{
	printf '%s\n' "$2" >"$1.sloth"
	cp "$1.sloth" "$M/stacks/prod/runs/"
	finished "$M/stacks/prod/runs/$1"
}

finished()
{
	eventually file_final "$1/status"
}

file_final()
{
	[[ $(cat "$1") =~ ^(success|failed|cancelled|timed_out|interrupted|rolled_back|rollback_failed)$ ]]
}

# number NAME: of drift.json's summary.
number()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["summary"][sys.argv[2]])' "$M/stacks/prod/drift.json" "$1"
}

two_files()
{
	mkdir "$M/stacks/prod"
	deploy host "workflow.define('host'):config({ ${1-} })
		task('files'):command(function()
			assert(resource.file('$T/one', { content = 'one\n', mode = '0644' }))
			assert(resource.file('$T/two', { content = 'two\n', mode = '0644', depends_on = { 'file/$T/one' } }))
		end)"
	[ "$(cat "$M/stacks/prod/runs/host/status")" = success ]
}

@test "echo detect returns when it is done: what has changed is in the files then" {
	two_files
	echo detect >"$M/stacks/prod/drift"
	[ "$(number in_sync)" = 2 ]
	echo other >one
	chmod 600 two
	echo detect >"$M/stacks/prod/drift"
	[ "$(number drifted)" = 2 ]
	[ "$(ls "$M/stacks/prod/drift.d" | wc -l)" = 2 ]
	echo two >two
	chmod 644 two
	echo "detect $T/two" >"$M/stacks/prod/drift"
	[ "$(number drifted)" = 1 ]
	refused 'No such file' tee "$M/stacks/prod/drift" <<<'detect three'
}

@test "a stack without resources is looked at at once; many resources come in parts" {
	mkdir "$M/stacks/prod"
	echo detect >"$M/stacks/prod/drift"
	[ "$(number total)" = 0 ]
	deploy many "task('files'):command(function()
		for i = 1, 350 do assert(resource.file('$T/f' .. i, { content = 'x' })) end
	end)"
	echo detect >"$M/stacks/prod/drift"
	[ "$(number in_sync)" = 350 ]
	rm f7 f300
	echo detect >"$M/stacks/prod/drift"
	[ "$(number in_sync)" = 348 ]
	[ "$(number drifted)" = 2 ]
}

# What there is to be looked at: kinds of things, each with everything that can happen to one of them.
kinds='file bare owned directory symlink absent'
mutations='none content same_size chmod chown remove directory link fifo folder_away folder_link'

declare_all()
{
	local kind mutation

	for kind in $kinds; do
		for mutation in $mutations; do
			echo "declare('$kind', '$T/$kind-$mutation/x')"
		done
	done
}

# mutate NAME: what happens in a folder to the thing x. Some of it can't be done to some: then it stays.
mutate_none() { :; }
mutate_content() { echo other, and longer >x; }
mutate_same_size() { printf 'Hello\n' >x; }
mutate_chmod() { chmod 711 x; }
mutate_chown() { chown -h 12345:12345 x; }
mutate_remove() { rm -rf x; }
mutate_directory() { rm -rf x; mkdir x; }
mutate_link() { rm -rf x; ln -s /etc/motd x; }
mutate_fifo() { rm -rf x; mkfifo x; }
mutate_folder_away() { mv "$PWD" "$PWD.away"; }
mutate_folder_link() { mv "$PWD" "$PWD.away"; ln -s "$PWD.away" "$PWD"; }

# said STACK: "PATH STATUS FINDINGS" of each resource, whatever it is called.
said()
{
	python3 - "$M/stacks/$1" <<-'EOF'
		import json, sys
		stack = sys.argv[1]
		findings = {}
		for one in json.load(open(stack + '/drift.json'))['findings']:
		    about = {key: one[key] for key in ('property', 'kind', 'severity', 'expected', 'actual', 'cause', 'impact', 'fix')}
		    findings.setdefault(one['type'] + ' ' + one['name'], []).append(about)
		for one in json.load(open(stack + '/resources.json')):
		    found = findings.get(one['type'] + ' ' + one['name'], [])
		    actual = one.get('actual') or json.load(open(f"{stack}/resources/{one['type']}/{one['name'].replace('/', '%2F')}/actual.json"))
		    print(one['properties']['path'], one['status'], json.dumps([actual, sorted(found, key=lambda f: f['property'])], sort_keys=True))
	EOF
}

@test "the short look says what the providers say, whatever happens" {
	local kind mutation
	local wanted
	wanted="local of = {
			file = { 'file', { content = 'hello\n', mode = '0644' } }, bare = { 'file', { mode = '0600' } },
			owned = { 'file', { content = 'hello\n', owner = '$(id -un)', group = '$(id -gn)' } },
			directory = { 'directory', { mode = '0755' } }, symlink = { 'symlink', { target = '/etc/hello' } },
			absent = { 'file', { ensure = 'absent' } },
		}"

	for kind in $kinds; do
		for mutation in $mutations; do
			mkdir "$kind-$mutation"
		done
	done
	mkdir "$M/stacks/prod" "$M/stacks/whole"
	# A name that is not the path: then there is no short look.
	printf '%s\n' "task('all'):command(function()" "$wanted" "local function declare(kind, path)
			local args = { path = path }
			for key, value in pairs(of[kind][2]) do args[key] = value end
			assert(resource[of[kind][1]](NAME, args))
		end" "$(declare_all)" 'end)' >all.text
	sed 's/NAME, //' all.text >quick.sloth
	sed "s/NAME, /('of' .. path), /" all.text >whole.sloth
	cp quick.sloth "$M/stacks/prod/runs/"
	finished "$M/stacks/prod/runs/quick"
	cp whole.sloth "$M/stacks/whole/runs/"
	finished "$M/stacks/whole/runs/whole"
	[ "$(cat "$M/stacks/prod/runs/quick/status")" = success ]
	[ "$(cat "$M/stacks/whole/runs/whole/status")" = success ]
	echo detect | tee "$M/stacks/prod/drift" >"$M/stacks/whole/drift"
	[ "$(number in_sync)" = 66 ]
	sqlite3 "$SLOTH_HOME/sloth.db" "SELECT stacks.name, SUM(settled) FROM stacks JOIN resources ON stack_id = stacks.id GROUP BY 1" | sort >settled
	diff settled <(printf 'prod|66\nwhole|0\n')
	for kind in $kinds; do
		for mutation in $mutations; do
			(cd "$kind-$mutation" && "mutate_$mutation" 2>/dev/null) || true
		done
	done
	echo detect | tee "$M/stacks/prod/drift" >"$M/stacks/whole/drift"
	said prod | sort >quick.said
	said whole | sort >whole.said
	diff quick.said whole.said
	[ "$(wc -l <quick.said)" = 66 ]
	[ "$(grep -c ' drifted ' quick.said)" -gt 30 ]
	[ "$(grep -c ' applied ' quick.said)" -gt 8 ]
}

@test "several ask at once, and all are answered" {
	two_files
	rm one
	for i in 1 2 3 4 5 6; do
		(echo detect >"$M/stacks/prod/drift") 3>&- &
		jobs[i]=$!
	done
	for i in 1 2 3 4 5 6; do
		wait "${jobs[i]}"
	done
	[ "$(number drifted)" = 1 ]
}

@test "it is looked for with the rights of the stack's owner, whoever asks" {
	need_root
	chmod 1777 "$M/stacks"
	mkdir -m 700 secret
	printf 'the secret' >secret/file
	printf 'the secret' >hidden
	chmod 600 hidden
	as $nobody mkdir -m 755 "$M/stacks/mine"
	echo "task('a'):command(function()
		assert(stack.register_resource({ type = 'file', name = '$T/hidden', properties = { content = 'the secret' } }))
		assert(stack.register_resource({ type = 'file', name = '$T/secret/file', properties = { mode = '0600' } }))
	end)" >guess.sloth
	as $nobody cp guess.sloth "$M/stacks/mine/runs/"
	finished "$M/stacks/mine/runs/guess"
	[ "$(cat "$M/stacks/mine/runs/guess/status")" = success ]
	for user in $nobody 0; do
		as $user bash -c "echo detect >'$M/stacks/mine/drift'"
		run cat "$M/stacks/mine/drift.json"
		[[ $output == *'"unknown": 2'* ]]
		[[ $output == *'Permission denied'* ]]
		[[ $output != *sha256* ]]
	done
	# Who may not change it may not ask.
	refused 'Permission denied' as $other bash -c "echo detect >'$M/stacks/mine/drift'"
}

@test "what the workflow defines is known; reading changes nothing and asks no daemon" {
	mkdir "$M/stacks/prod"
	echo 3 >count
	deploy own "
		resource.define('count', {
			key = 'path', properties = { path = { kind = 'path', required = true }, n = { kind = 'text' } },
			read = function(d) return { n = exec.run('cat ' .. d.path, { stream = false }).stdout:match('%d+') } end,
			apply = function(d) return fs.write(d.path, d.n .. '\n') end,
		})
		local bad = { key = 'name', properties = { name = { kind = 'text' } }, apply = function() return true end }
		local function with(read)
			return { key = 'name', properties = { name = { kind = 'text' } }, apply = function() return true end, read = read }
		end
		resource.define('writes', with(function() fs.write('$T/written', 'x') return {} end))
		resource.define('asks', with(function() return { ensure = state.get('x') } end))
		resource.define('breaks', with(function() error('out of order') end))
		task('a'):command(function()
			assert(resource.count('$T/count', { n = '4' }))
			for _, type in ipairs({ 'writes', 'asks', 'breaks' }) do
				assert(stack.register_resource({ type = type, name = type, properties = { name = type } }))
			end
			assert(stack.register_resource({ type = 'nobody', name = 'knows', properties = {} }))
		end)"
	[ "$(cat "$M/stacks/prod/runs/own/status")" = success ]
	[ "$(cat count)" = 4 ]
	echo detect >"$M/stacks/prod/drift"
	[ "$(number in_sync)" = 1 ]
	[ "$(number unknown)" = 4 ]
	[ ! -e written ]
	run cat "$M/stacks/prod/drift.json"
	[[ $output == *"fs.write changes something, and can't while drift is looked for"* ]]
	[[ $output == *"asks the daemon, and can't while drift is looked for"* ]]
	[[ $output == *'out of order'* ]]
	[[ $output == *"there is no provider for resources of the type 'nobody'"* ]]
	echo 5 >count
	echo detect >"$M/stacks/prod/drift"
	[ "$(number drifted)" = 1 ]
}

@test "detect_drift: after the tasks, told in the log and the result; auto_drift_detect for all runs of a stack" {
	two_files 'detect_drift = true'
	[[ $(cat "$M/stacks/prod/runs/host/log") == *'drift: none, 2 resources are as desired' ]]
	[[ $(cat "$M/stacks/prod/runs/host/result.json") == *'"in_sync": 2'* ]]
	rm two
	deploy quiet 'task("a"):command("true")'
	not file_has "$M/stacks/prod/runs/quiet/log" drift
	echo 'auto_drift_detect: true' >"$M/stacks/prod/config.yaml"
	deploy loud 'task("a"):command("false")'
	[ "$(cat "$M/stacks/prod/runs/loud/status")" = failed ]
	file_has "$M/stacks/prod/runs/loud/log" "drift: 1 of 2 resources are not as desired: file/$T/two"
	[ "$(number drifted)" = 1 ]
	deploy over 'workflow.define("over"):config({ detect_drift = false }) task("a"):command("true")'
	not file_has "$M/stacks/prod/runs/over/log" drift
	deploy cancelled 'task("a"):command("true") workflow.define("cancelled"):on_start(function() return false end)'
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
}

@test "a run whose drift is looked for holds its lock, and can be cancelled" {
	mkdir "$M/stacks/prod"
	mkfifo gate
	echo "
		resource.define('slow', { key = 'name', properties = { name = { kind = 'text' } }, apply = function() return true end,
			read = function() exec.run('cat $T/gate') return {} end })
		workflow.define('slow'):config({ detect_drift = true })
		task('a'):command(function()
			assert(stack.register_resource({ type = 'slow', name = 'slow', properties = { name = 'slow' } }))
		end)" >slow.sloth
	cp slow.sloth "$M/stacks/prod/runs/"
	eventually file_has "$M/runs/1/tasks/a/status" success
	exec 9>gate # somebody reads
	[ "$(cat "$M/runs/1/status")" = running ]
	refused 'busy' tee "$M/stacks/prod/description" <<<x
	echo cancel >"$M/runs/1/ctl"
	finished "$M/runs/1"
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
	exec 9>&-
	# The next one is looked at to its end.
	cp slow.sloth "$M/stacks/prod/runs/again.sloth"
	exec 9>gate
	[ "$(cat "$M/runs/2/status")" = running ]
	exec 9>&-
	finished "$M/runs/2"
	[ "$(cat "$M/runs/2/status")" = success ]
	file_has "$M/runs/2/log" 'drift: none, 1 resource is as desired'
}

@test "a daemon that dies while a run's drift is looked for: the next one looks again" {
	mkdir "$M/stacks/prod"
	mkfifo gate
	echo "
		resource.define('slow', { key = 'name', properties = { name = { kind = 'text' } }, apply = function() return true end,
			read = function() exec.run('cat $T/gate') return {} end })
		workflow.define('slow'):config({ detect_drift = true })
		task('a'):command(function()
			assert(stack.register_resource({ type = 'slow', name = 'slow', properties = { name = 'slow' } }))
		end)" >slow.sloth
	cp slow.sloth "$M/stacks/prod/runs/"
	exec 9>gate
	kill_daemon
	umount -l "$M" 2>/dev/null || fusermount3 -uz "$M"
	exec 9>&-
	start_daemon
	exec 9>gate
	[ "$(cat "$M/runs/1/status")" = running ]
	exec 9>&-
	finished "$M/runs/1"
	[ "$(cat "$M/runs/1/status")" = success ]
	file_has "$M/runs/1/log" 'drift: none, 1 resource is as desired'
}

@test "fix: a run with a task for what differs, in the order of the dependencies, from which nothing is left to fix" {
	two_files
	refused 'No such file' tee "$M/stacks/prod/drift" <<<fix
	says 'nothing has drifted'
	rm one
	chmod 600 two
	echo detect >"$M/stacks/prod/drift"
	echo fix >"$M/stacks/prod/drift"
	finished "$M/runs/2"
	[ "$(cat "$M/runs/2/status")" = success ]
	[ "$(cat "$M/runs/2/workflow" | grep -c depends_on)" = 1 ]
	[ "$(cat one)" = one ]
	[ "$(stat -c %a two)" = 644 ]
	[ "$(number in_sync)" = 2 ]
	[ "$(grep -c ' fixed ' "$M/stacks/prod/drift.history")" = 2 ]
	# It is no workflow of the stack, and what the stack was is kept before.
	[[ $(cat "$M/stacks/prod/workflow") == *"task('files')"* ]]
	[[ $(cat "$M/stacks/prod/snapshots/list") == *on_drift_fix* ]]
	[[ $(cat "$M/stacks/prod/validate") == *passed* ]]
	echo detect >"$M/stacks/prod/drift"
	[ "$(number in_sync)" = 2 ]
	refused 'No such file' tee "$M/stacks/prod/drift" <<<fix
}

@test "fix NAME: that one alone; with the caller's rights, and not while somebody else holds the lock" {
	two_files
	rm one two
	echo detect >"$M/stacks/prod/drift"
	echo "fix $T/two" >"$M/stacks/prod/drift"
	finished "$M/runs/2"
	[ ! -e one ]
	[ "$(cat two)" = two ]
	refused 'No such file' tee "$M/stacks/prod/drift" <<<"fix $T/two"
	says "nothing of $T/two has drifted"
	need_root
	chmod 777 "$M/stacks/prod"
	as $nobody bash -c "echo 'mine' >'$M/stacks/prod/lock'"
	refused 'busy' tee "$M/stacks/prod/drift" <<<fix
	as $nobody bash -c "echo detect >'$M/stacks/prod/drift'"
	as $nobody bash -c "echo fix >'$M/stacks/prod/drift'"
	finished "$M/runs/3"
	[ "$(cat "$M/runs/3/status")" = failed ]
	[ ! -e one ]
	file_has "$M/runs/3/error" 'Permission denied'
}

@test "what somebody else has put into the stack is not read with its owner's rights, until the owner asks for the same" {
	need_root
	chmod 1777 "$M/stacks"
	printf 'the secret' >hidden
	chmod 600 hidden
	mkdir -m 777 "$M/stacks/prod"
	echo "
		resource.define('spy', { key = 'name', properties = { name = { kind = 'text' } }, apply = function() return true end,
			read = function() return { found = fs.read('$T/hidden') } end })
		task('a'):command(function()
			assert(stack.register_resource({ type = 'file', name = '$T/hidden', properties = { path = '$T/hidden', content = 'x' } }))
			assert(stack.register_resource({ type = 'spy', name = 'spy', properties = { name = 'spy' } }))
		end)" >spy.sloth
	as $nobody cp spy.sloth "$M/stacks/prod/runs/"
	finished "$M/stacks/prod/runs/spy"
	[ "$(cat "$M/stacks/prod/runs/spy/status")" = success ]
	as $nobody bash -c "echo detect >'$M/stacks/prod/drift'"
	[ "$(number unknown)" = 2 ]
	run cat "$M/stacks/prod/drift.json"
	[[ $output == *"it was nobody (uid 65534) who asked for it, not the stack's owner"* ]]
	[[ $output != *sha256* && $output != *'the secret'* ]]
	# The owner asks for the file, too, and for nothing else.
	deploy mine "task('a'):command(function()
		assert(stack.register_resource({ type = 'file', name = '$T/hidden', properties = { path = '$T/hidden', content = 'x' } }))
	end)"
	echo detect >"$M/stacks/prod/drift"
	[ "$(number unknown)" = 1 ]
	[[ $(cat "$M/stacks/prod/drift.json") == *sha256* ]]
	# What somebody else changes of it is his again.
	as $nobody bash -c "cp spy.sloth '$M/stacks/prod/runs/same.sloth'"
	finished "$M/stacks/prod/runs/same"
	echo detect >"$M/stacks/prod/drift"
	[ "$(number unknown)" = 1 ]
	sed "s/content = 'x'/content = 'y'/" spy.sloth >other.sloth
	as $nobody cp other.sloth "$M/stacks/prod/runs/"
	finished "$M/stacks/prod/runs/other"
	echo detect >"$M/stacks/prod/drift"
	[ "$(number unknown)" = 2 ]
	# Going back to a version of a stack that others may write to does not make it the owner's.
	version=$(readlink "$M/stacks/prod/snapshots/latest")
	deploy back "task('a'):command(function()
		assert(stack.register_resource({ type = 'file', name = '$T/hidden', properties = { path = '$T/hidden', content = 'z' } }))
	end)"
	echo detect >"$M/stacks/prod/drift"
	[ "$(number unknown)" = 1 ]
	sloth stack snapshot restore prod "$version" --yes
	echo detect >"$M/stacks/prod/drift"
	[ "$(number unknown)" = 2 ]
}

@test "a process that looks is its owner's, with his groups, and whoever gives up waiting leaves it alone" {
	need_root
	chmod 1777 "$M/stacks"
	mkdir -m 777 seen
	as $other mkdir -m 755 "$M/stacks/mine"
	echo "
		resource.define('me', { key = 'name', properties = { name = { kind = 'text' } }, apply = function() return true end,
			read = function() exec.run('id >$T/seen/id; cat $T/seen/gate') return {} end })
		task('a'):command(function()
			assert(stack.register_resource({ type = 'me', name = 'me', properties = { name = 'me' } }))
		end)" >me.sloth
	mkfifo -m 666 seen/gate
	as $other cp me.sloth "$M/stacks/mine/runs/"
	finished "$M/stacks/mine/runs/me"
	bash -c "exec /bin/echo detect >'$M/stacks/mine/drift'" 3>&- &
	job=$!
	eventually test -s seen/id
	[ "$(cat seen/id)" = "$(setpriv --reuid $other --regid $other --init-groups id)" ]
	kill -TERM $job
	wait $job || :
	exec 9>seen/gate
	exec 9>&-
	eventually file_has "$M/stacks/mine/drift.json" '"in_sync": 1'
}

@test "owners with many stacks to look at leave a turn to the one who has one" {
	need_root
	chmod 1777 "$M/stacks"
	mkdir -m 777 seen gates
	for stack in 1-a 1-b 1-c 2-a 2-b 2-c 3-a 3-b 3-c 5-a 5-b 5-c 65534-a; do
		echo "resource.define('slow', { key = 'name', properties = { name = { kind = 'text' } }, apply = function() return true end,
				read = function() exec.run('echo >$T/seen/$stack; cat $T/gates/$stack') return {} end })
			task('a'):command(function()
				assert(stack.register_resource({ type = 'slow', name = 'slow', properties = { name = 'slow' } }))
			end)" >slow.sloth
		mkfifo -m 666 "gates/$stack"
		as "${stack%-*}" mkdir -m 755 "$M/stacks/of-$stack"
		as "${stack%-*}" cp slow.sloth "$M/stacks/of-$stack/runs/"
		finished "$M/stacks/of-$stack/runs/slow"
	done
	for stack in 1-a 1-b 1-c 2-a 2-b 2-c 3-a 3-b 3-c 5-a 5-b 5-c; do
		as "${stack%-*}" bash -c "exec /bin/echo detect >'$M/stacks/of-$stack/drift'" 3>&- &
	done
	eventually eval '[ "$(ls seen | wc -l)" -eq 8 ]' # two of each
	as 65534 bash -c "exec /bin/echo detect >'$M/stacks/of-65534-a/drift'" 3>&- &
	eventually eval '[ "$(awk "/^nobody +waits/ { print \$3 }" "$M/quota")" = 1 ]'
	first=$(ls seen | head -n 1)
	echo >"gates/$first"
	eventually eval '[ "$(ls seen | wc -l)" -eq 9 ]'
	[ -e seen/65534-a ]
	for gate in gates/*; do
		[ "$gate" = "gates/$first" ] || echo >"$gate" 3>&- &
	done
	eventually eval '! grep -qv " 0 " <(awk "\$2 == \"waits\" { print \" \" \$3 \" \" }" "$M/quota")'
}

@test "a fix of one property leaves another that is ignored, and says that the first is mended" {
	two_files
	echo "ignore $T/one/mode" >"$M/stacks/prod/drift"
	echo other >one
	chmod 600 one
	echo detect >"$M/stacks/prod/drift"
	[ "$(number findings)" = 1 ]
	run -0 sloth stack drift fix prod --yes
	[[ $output == *'All drift corrected'* ]]
	[ "$(cat one)" = one ]
	[ "$(stat -c %a one)" = 600 ]
	[ "$(number findings)" = 0 ]
	[ "$(number ignored)" = 1 ]
	[ "$(number in_sync)" = 2 ]
	grep -q 'drift.fixed .*properties="\[\\"content\\"\]"' "$M/stacks/prod/activity"
}

@test "a fix whose process is killed in the middle: what is done is done, the rest is told, and done by the next" {
	mkdir "$M/stacks/prod"
	touch safe
	deploy host "task('all'):command(function()
			assert(resource.file('$T/one', { content = 'one\n' }))
			assert(resource.command('middle', { check = 'test -e $T/middle', apply = 'test -e $T/safe || kill -9 \$PPID; touch $T/middle', depends_on = 'file/$T/one' }))
			assert(resource.file('$T/two', { content = 'two\n', depends_on = 'command/middle' }))
		end)"
	[ "$(cat "$M/stacks/prod/runs/host/status")" = success ]
	rm safe one middle two
	echo detect >"$M/stacks/prod/drift"
	[ "$(number drifted)" = 3 ]
	echo fix >"$M/stacks/prod/drift"
	finished "$M/stacks/prod/runs/latest"
	[ "$(cat "$M/stacks/prod/runs/latest/status")" = interrupted ]
	# The intent was on disk, and the effect was not.
	[ "$(cat one)" = one ]
	[ "$(cat "$M"/stacks/prod/resources/file/*one/status)" = applied ]
	[ "$(cat "$M/stacks/prod/resources/command/middle/status")" = pending ]
	[ ! -e two ]
	[ "$(number drifted)" = 2 ]
	[ "$(number in_sync)" = 1 ]
	[ "$(cat "$M/stacks/prod/lock")" = unlocked ]
	touch safe
	run -0 sloth stack drift fix prod --yes
	[ -e middle ]
	[ "$(cat two)" = two ]
	[ "$(number in_sync)" = 3 ]
}

@test "an output of another stack is compared with what the owner may read, whoever asks" {
	need_root
	chmod 1777 "$M/stacks"
	mkdir -m 755 "$M/stacks/network"
	echo v-1 >"$M/stacks/network/outputs.d/vpc"
	as $other mkdir -m 755 "$M/stacks/prod"
	echo "task('a'):command(function()
		assert(resource.output{ name = 'net', stack = 'network', output = 'vpc' })
	end)" >use.sloth
	as $other cp use.sloth "$M/stacks/prod/runs/"
	finished "$M/stacks/prod/runs/use"
	echo detect >"$M/stacks/prod/drift"
	[ "$(number in_sync)" = 1 ]
	echo v-2 >"$M/stacks/network/outputs.d/vpc"
	as $other sh -c "echo detect >'$M/stacks/prod/drift'"
	file_has "$M/stacks/prod/drift.json" '"expected": "v-1"'
	file_has "$M/stacks/prod/drift.json" '"actual": "v-2"'
	# What is not his to read is told to nobody here, though root asks.
	chmod 700 "$M/stacks/network"
	echo v-3 >"$M/stacks/network/outputs.d/vpc"
	echo detect >"$M/stacks/prod/drift"
	[ "$(number unknown)" = 1 ]
	file_has "$M/stacks/prod/drift.json" 'may not read the stack network'
	run -1 grep v-3 "$M/stacks/prod/drift.json" "$M/stacks/prod/resources.json"
	# Nor is what is sensitive.
	chmod 755 "$M/stacks/network"
	setfattr -n user.sloth.sensitive -v 1 "$M/stacks/network/outputs.d/vpc"
	as $other sh -c "echo detect >'$M/stacks/prod/drift'"
	file_has "$M/stacks/prod/drift.json" 'the output vpc is sensitive'
}
