#!/usr/bin/env bats
# What must not be told: sensitive outputs, secrets, and where they may not appear.

bats_require_minimum_version 1.5.0
load lib

canary=CANARY-7Hq2vXw9

# run_workflow STACK FILE: runs it there and waits; the status is in $output.
run_workflow()
{
	cp "$2" "$M/stacks/$1/runs/" && run cat "$M/stacks/$1/runs/latest/wait"
}

@test "a sensitive output is read by its file alone, and each reading leaves an event" {
	mkdir "$M/stacks/box"
	cat >set.sloth <<-END
		task("work"):command(function()
			stack.set_output("password", "$canary", { sensitive = true })
			stack.set_output("url", "http://x")
			return stack.get_output("password") == "$canary"
		end)
	END
	run_workflow box set.sloth
	[ "$output" = success ]
	[ "$(cat "$M/stacks/box/outputs")" = $'password=<sensitive>\nurl=http://x' ]
	[ "$(cat "$M/stacks/box/outputs.json")" = '{"password":"<sensitive>","url":"http://x"}' ]
	file_has "$M/runs/latest/outputs" '<sensitive>'
	[ "$(stat -c %a "$M/stacks/box/outputs.d/password")" = 600 ]
	[ "$(grep -c output.read "$M/events")" = 1 ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = "$canary" ]
	[ "$(grep -c output.read "$M/events")" = 2 ]
	ls -l "$M/stacks/box/outputs.d" # that is no reading
	[ "$(grep -c output.read "$M/stacks/box/activity")" = 2 ]
	# Set anew, it stays so.
	echo other-value >"$M/stacks/box/outputs.d/password"
	[ "$(grep password "$M/stacks/box/outputs")" = 'password=<sensitive>' ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = other-value ]
}

@test "an output is made sensitive by an attribute, and never again public" {
	mkdir "$M/stacks/box"
	exec 7>"$M/stacks/box/outputs.d/first"
	setfattr -n user.sloth.sensitive -v 1 /dev/fd/7
	echo "$canary" >&7
	exec 7>&-
	[ "$(cat "$M/stacks/box/outputs")" = 'first=<sensitive>' ]
	[ "$(cat "$M/stacks/box/outputs.d/first")" = "$canary" ]
	[ "$(getfattr --only-values -n user.sloth.sensitive "$M/stacks/box/outputs.d/first")" = 1 ]
	not grep -qa "$canary" "$T"/home/sloth.db*
	rm "$M/stacks/box/outputs.d/first"
	echo - >"$M/stacks/box/outputs.d/password"
	setfattr -n user.sloth.sensitive -v 1 "$M/stacks/box/outputs.d/password"
	echo $canary >"$M/stacks/box/outputs.d/password"
	[ "$(cat "$M/stacks/box/outputs")" = 'password=<sensitive>' ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = $canary ]
	refused 'not permitted' setfattr -n user.sloth.sensitive -v 0 "$M/stacks/box/outputs.d/password"
	refused 'not supported' setfattr -n user.sloth.colour -v 1 "$M/stacks/box/outputs.d/password"
	rm "$M/stacks/box/outputs.d/password"
	echo public >"$M/stacks/box/outputs.d/password"
	[ "$(cat "$M/stacks/box/outputs")" = 'password=public' ]
}

@test "others don't read a sensitive output, though they may change the stack" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	as $nobody mkdir -m 777 "$M/stacks/box"
	chmod 777 "$M/stacks/box"
	cat >"$T/set.sloth" <<-END
		task("work"):command(function() stack.set_output("password", "$canary", { sensitive = true }) end)
	END
	as $nobody cp set.sloth "$M/stacks/box/runs/"
	[ "$(cat "$M/stacks/box/runs/latest/wait")" = success ]
	refused 'Permission denied' as $other cat "$M/stacks/box/outputs.d/password"
	refused 'Permission denied' as $other bash -c "echo x > '$M/stacks/box/outputs.d/password'"
	[ "$(as $other cat "$M/stacks/box/outputs")" = 'password=<sensitive>' ]
	[ "$(as $other stat -c %s "$M/stacks/box/outputs.d/password")" = 0 ]
	cat >"$T/get.sloth" <<-END
		task("work"):command(function() log.info("got " .. assert(stack.get_output("password"))) end)
	END
	as $other cp get.sloth "$M/stacks/box/runs/"
	[ "$(cat "$M/stacks/box/runs/latest/wait")" = failed ]
	file_has "$M/stacks/box/runs/latest/tasks/work/error" 'only its owner'
	[ "$(as $nobody cat "$M/stacks/box/outputs.d/password")" = $canary ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = $canary ]
}

@test "secrets are files that only their owner reads" {
	need_root
	chmod 1777 "$M/secrets" "$M/stacks" "$M/runs"
	as $nobody bash -c "umask 000; printf %s $canary > '$M/secrets/password'"
	[ "$(stat -c '%a %u %s' "$M/secrets/password")" = "600 $nobody ${#canary}" ]
	[ "$(as $nobody cat "$M/secrets/password")" = "$canary" ]
	[ "$(cat "$M/secrets/password")" = "$canary" ]
	[ "$(as $other ls "$M/secrets")" = password ]
	refused 'Permission denied' as $other cat "$M/secrets/password"
	refused 'Permission denied' as $other bash -c "echo x > '$M/secrets/password'"
	refused 'not permitted' as $other rm -f "$M/secrets/password"
	refused 'not permitted' as $other mv "$M/secrets/password" "$M/secrets/mine"
	refused 'not permitted' as $nobody chmod 644 "$M/secrets/password"
	as $nobody chmod 600 "$M/secrets/password"
	as $nobody mv "$M/secrets/password" "$M/secrets/key"
	[ "$(as $nobody cat "$M/secrets/key")" = "$canary" ]
	[ "$(as $nobody grep -c secret.read "$M/events")" = 3 ]
	not as $other grep -q "secret\." "$M/events"
	printf 'task("work"):command(function() log.info("got " .. assert(secret.get("key"))) end)\n' >"$T/get.sloth"
	as $other mkdir "$M/stacks/theirs"
	as $other cp get.sloth "$M/stacks/theirs/runs/"
	[ "$(cat "$M/stacks/theirs/runs/latest/wait")" = failed ]
	file_has "$M/stacks/theirs/runs/latest/tasks/work/error" 'is not yours'
	as $nobody rm "$M/secrets/key"
	[ -z "$(ls "$M/secrets")" ]
}

@test "bytes go in and out as they are, and names and sizes have bounds" {
	head -c 65536 /dev/urandom >large
	cp large "$M/secrets/large"
	cmp large "$M/secrets/large"
	printf x >>large
	refused 'too large' cp large "$M/secrets/larger"
	cmp -n 65536 large "$M/secrets/large"
	not sh -c "echo x 2>/dev/null >'$M/secrets/.hidden'"
	install -m 600 large "$M/secrets/short" || : # too large
	printf x >short
	install -m 600 short "$M/secrets/short"
	[ "$(cat "$M/secrets/short")" = x ]
}

@test "keys are rotated by the daemon's user alone, and old values are read with the new ones" {
	printf %s $canary >"$M/secrets/password"
	mkdir "$M/stacks/box"
	echo - >"$M/stacks/box/outputs.d/password"
	setfattr -n user.sloth.sensitive -v 1 "$M/stacks/box/outputs.d/password"
	echo $canary >"$M/stacks/box/outputs.d/password"
	grep -qx 'state: ready' "$M/keys"
	before=$(ls home/keys)
	echo rotate >"$M/keys"
	[ "$(ls home/keys)" != "$before" ]
	[ "$(cat "$M/secrets/password")" = $canary ]
	[ "$(cat "$M/stacks/box/outputs.d/password")" = $canary ]
	refused 'Invalid argument' bash -c "echo turn > '$M/keys'"
	stop_daemon
	start_daemon
	[ "$(cat "$M/secrets/password")" = $canary ]
	[ "$(id -u)" -ne 0 ] || refused 'Permission denied' as $nobody bash -c "echo rotate > '$M/keys'"
	# Without its key the daemon works; what is sealed can be listed and removed.
	stop_daemon
	mv home/keys home/away
	start_daemon
	refused 'Required key not available' cat "$M/secrets/password"
	says home/keys/
	[ "$(cat "$M/stacks/box/outputs")" = 'password=<sensitive>' ]
	ls -l "$M/secrets" "$M/stacks/box/outputs.d"
	rm "$M/secrets/password"
	mv home/away home/keys
	[ "$(cat "$M/stacks/box/outputs.d/password")" = $canary ]
}

@test "what a run was handed is masked in all that it tells" {
	mkdir "$M/stacks/box"
	printf '%s\nsecond line of it\n' $canary >"$M/secrets/password"
	cat >tell.sloth <<-'END'
		task("work"):command(function()
			local pw = secret.get("password")
			local first = pw:match("[^\n]+")
			log.info("log " .. pw)
			exec.run("cat", { stdin = pw })
			-- in pieces, without a line's end
			exec.run({ "sh", "-c", "read a; printf 'piece %.9s' \"$a\"; sleep 0.2; printf '%s' \"${a#?????????}\"; printf 'other %.9s' \"$a\" >&2" }, { stdin = pw })
			exec.run("base64", { stdin = first })
			stack.set_output("url", "pg://u:" .. first .. "@h")
			stack.set_output("public", "yes")
			return true, "message " .. first, { token = first, [first] = 1, list = { first, 7 } }
		end)
		task("bad"):depends_on("work"):command(function() error("error " .. secret.get("password")) end)
	END
	run_workflow box tell.sloth
	[ "$output" = failed ]
	R=$M/stacks/box/runs/latest
	file_has "$R/log" 'log ***'
	file_has "$R/log" 'piece ***'
	file_has "$R/log" "other ${canary:0:9}"
	file_has "$R/tasks/bad/error" 'error ***'
	file_has "$R/tasks/work/output.json" '***'
	[ "$(cat "$M/stacks/box/outputs")" = $'public=yes\nurl=<sensitive>' ]
	not grep -rqaE "$canary|second line|$(printf %s $canary | base64 | cut -c 1-12)" "$M/runs/latest/" "$M/events" "$M/events.json" "$M/stacks/box/activity"
	[ "$(cat "$M/stacks/box/outputs.d/url")" = "pg://u:$canary@h" ]
}

@test "a daemon that takes up a run goes on masking" {
	mkdir "$M/stacks/box"
	printf %s $canary >"$M/secrets/password"
	cat >later.sloth <<-END
		task("work"):command(function()
			local pw = secret.get("password")
			fs.write("$T/has-it", "")
			while not fs.exists("$T/go") do sleep(0.05) end
			log.info("log " .. pw)
		end)
	END
	cp later.sloth "$M/stacks/box/runs/"
	eventually test -e has-it
	kill_daemon
	start_daemon
	touch go
	[ "$(cat "$M/stacks/box/runs/latest/wait")" = success ]
	file_has "$M/stacks/box/runs/latest/log" 'log ***'
	not grep -qa $canary home/sloth.db home/sloth.db-wal
}

# Where a canary was found: in files of the home, in the tree but where it belongs, in what /proc shows of our processes.
sightings()
{
	grep -rlaF "$1" home slothd.log 2>/dev/null || :
	find "$M" -type f ! -path "$M/secrets/*" ! -path '*/outputs.d/*' ! -name wait -exec grep -laF "$1" {} + 2>/dev/null || :
	local pid
	for pid in $(pgrep -x 'slothd|sloth-runner' || :); do
		if grep -qzF "=$T" "/proc/$pid/environ" 2>/dev/null; then
			grep -laF "$1" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null || :
		fi
	done
}

@test "a canary that goes through every feature is found nowhere" {
	mkdir "$M/stacks/box" "$M/stacks/next"
	# Through the tree, the command and a workflow.
	printf %s $canary-tree >"$M/secrets/tree"
	sloth secrets set command <<<$canary-command
	sloth secrets get command >/dev/null
	echo - >"$M/stacks/box/outputs.d/attribute"
	setfattr -n user.sloth.sensitive -v 1 "$M/stacks/box/outputs.d/attribute"
	echo $canary-attribute >"$M/stacks/box/outputs.d/attribute"
	echo $canary-again >"$M/stacks/box/outputs.d/attribute"
	printf 'region: eu\n' >"$M/stacks/box/values.yaml"
	cat >canary.sloth <<-END
		task("work"):command(function()
			local tree, command = secret.get("tree"), secret.get("command")
			stack.set_output("mine", "$canary-own" and tree .. command, { sensitive = true })
			stack.set_output("tainted", { nested = { command } })
			stack.register_resource({ type = "file", name = "/etc/app.conf", module = "file_ops", properties = { path = "/etc/app.conf", content = "pw=" .. tree } })
			log.info("told " .. tree .. " and " .. stack.get_output("mine") .. stack.get_output("attribute"))
			exec.run("cat; cat >&2", { stdin = tree .. " " .. command })
			return true, "message " .. tree, { out = command, attribute = stack.get_output("attribute") }
		end)
		task("bad"):depends_on("work"):retries(1, "fixed"):command(function()
			fs.write("$T/has-it", "")
			while not fs.exists("$T/go") do sleep(0.05) end
			error({ tree = secret.get("tree") } and "error " .. secret.get("tree"))
		end)
	END
	sed -i "s/\"$canary-own\" and //" canary.sloth
	cp canary.sloth "$M/stacks/box/runs/"
	eventually test -e has-it
	run sightings $canary # while it runs
	[ -z "$output" ] || { echo "$output"; false; }
	touch go
	[ "$(cat "$M/stacks/box/runs/latest/wait")" = failed ]
	[ "$(cat "$M/stacks/box/outputs.d/mine")" = "$canary-tree$canary-command" ]
	[ "$(cat "$M/stacks/box/outputs.d/tainted")" = "{\"nested\":[\"$canary-command\"]}" ]
	sloth stack show box
	sloth stack show box --json
	not sh -c "sloth stack show box --json | grep -F $canary"
	not sh -c "sloth events | grep -F $canary"
	# Renamed, rotated, and in another stack.
	mv "$M/secrets/tree" "$M/secrets/oak"
	echo rotate >"$M/keys"
	printf 'task("work"):command(function() log.info(stack("box"):output("mine"), json.encode(stack("box"):outputs())) end)\n' >reads.sloth
	run_workflow next reads.sloth
	[ "$output" = success ]
	file_has "$M/stacks/next/runs/latest/log" '<sensitive>'
	# As it was, compared, and put back.
	S=$M/stacks/box/snapshots
	echo 'description="with a canary" name=good' >"$S/new"
	echo changed >"$M/stacks/box/outputs.d/mine"
	rm "$M/stacks/box/outputs.d/attribute"
	cat "$S/compare/good..current" >compared
	file_has compared '<sensitive>'
	echo 'good only=outputs' >"$S/restore"
	[ "$(cat "$M/stacks/box/outputs.d/mine")" = "$canary-tree$canary-command" ]
	[ "$(cat "$M/stacks/box/outputs.d/attribute")" = "$canary-again" ]
	cp -rL "$S/good/" snapshot
	file_has snapshot/outputs.d/mine '<sensitive>'
	sloth stack snapshot compare box good current &>compare.log || :
	sloth stack history box &>history.log || :
	sloth stack blame box &>blame.log || :
	sloth backup create &>backup.log || :
	sloth stack export box &>export.log || :
	run sightings $canary
	[ -z "$output" ] || { echo "$output"; false; }
	not grep -rqaF $canary snapshot compared compare.log history.log blame.log backup.log export.log
	rm "$M/secrets/oak" "$M/secrets/command"
	rm "$M"/stacks/box/outputs.d/*
	stop_daemon
	not grep -rqaF $canary home
	start_daemon
}

@test "what a resource has sealed is handed to who asked for it alone" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir -m 755 theirs
	chown $nobody theirs
	as $nobody mkdir -m 755 "$M/stacks/theirs"
	printf 'roots-word' >"$M/secrets/word"
	cat >root.sloth <<-END
		task('a'):command(function() assert(resource.file('$T/theirs/conf', { content = secret.get('word'), mode = '0644', owner = $nobody })) end)
	END
	sloth run root.sloth --stack theirs
	[ "$(cat theirs/conf)" = roots-word ]
	run -1 as $nobody sloth stack drift detect theirs
	[[ $output == *'it has sensitive values of root'*', which are handed to nobody else'* ]] || { echo "$output"; false; }
	rm theirs/conf
	cat >spy.sloth <<-END
		task('fix'):command(function()
			local res, text = resource.fix('file', '$T/theirs/conf')
			assert(not res and text:find('sensitive values of root'), tostring(text))
		end)
		task('same'):depends_on('fix'):command(function()
			local row = stack.get_resource('file', '$T/theirs/conf')
			assert(row.properties.content == '<sensitive>')
			stack.register_resource({ type = 'file', name = row.name, properties = row.properties })
			assert(not resource.fix('file', '$T/theirs/conf'))
		end)
	END
	as $nobody sloth run spy.sloth --stack theirs
	[ ! -e theirs/conf ]
	# It is theirs from here on: what they ask for themselves.
	sed "s/secret.get('word')/'mine'/" root.sloth >mine.sloth
	as $nobody sloth run mine.sloth --stack theirs
	[ "$(cat theirs/conf)" = mine ]
	run -0 as $nobody sloth stack drift detect theirs
	for file in "$M/events" "$M/stacks/theirs/export.json" "$M"/runs/*/log "$M"/stacks/theirs/resources/file/*/*.json; do
		run ! grep -q roots-word "$file"
	done
}

@test "a type of one's own says what is sensitive of it; the process that compares is handed it" {
	mkdir "$M/stacks/prod"
	cat >own.sloth <<-END
		resource.define('account', {
			properties = { name = 'line', password = { kind = 'line', sensitive = true } },
			read = function(desired)
				local text = fs.exists('$T/account') and fs.read('$T/account') or nil
				return text and { password = text } or { ensure = 'absent' }
			end,
			apply = function(desired)
				return fs.write('$T/account', desired.password)
			end,
		})
		task('a'):command(function() print(assert(resource.account('web', { password = 'hunter22' })).message) end)
	END
	sloth run own.sloth --stack prod
	file_has "$M/stacks/prod/resources/account/web/desired.json" '"password": "<sensitive>"'
	run -0 sloth stack drift detect prod
	printf other22 >account
	run -2 sloth stack drift detect prod
	[[ $output == *'password (expected: <sensitive>, actual: <sensitive>)'* && $output != *other22* ]] || { echo "$output"; false; }
	run ! grep -q -e other22 "$M/stacks/prod/drift.json" "$M/events"
}
