#!/usr/bin/env bats
# stack adopt and stack coverage: hosts that were there before Sloth came.

bats_require_minimum_version 1.5.0
load common

# A small tree that somebody made by hand.
host()
{
	mkdir -p etc/conf.d
	printf 'user www;\nworkers 2;\n' >etc/app.conf
	echo 'a = 1' >etc/conf.d/a.conf
	echo 'old' >etc/conf.d/b.conf.bak
	ln -s app.conf etc/current
	sloth stack new host >/dev/null
	# What not everybody may read is not kept.
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
}

listing()
{
	find "$1" -printf '%p %y %#m %U %G %T@ %l\n' | sort
	find "$1" -type f -exec sha256sum {} + | sort
}

@test "a session: coverage, a dry run, adopt, what was written plans as no change, drift" {
	host
	before=$(listing etc)
	run -0 sloth stack coverage host
	[[ $output == "No folders are declared as those of host: name them as 'roots' in its config.yaml"* ]]
	echo "{ roots: [$PWD/etc], roots_ignore: ['*.bak'] }" | sloth write /stacks/host/config.yaml
	run -0 sloth stack coverage host
	[[ $output == "0 of 3 files managed (0 %), 1 ignored, in"*"  $PWD/etc"*'Nobody looks after:'*"  $PWD/etc/"*'    app.conf'*"  $PWD/etc/conf.d/"*'    a.conf'*"  $PWD/etc/"*'    current' ]] ||
		{ echo "$output"; false; }
	run -2 sloth stack coverage host --require 50
	run -2 sloth stack adopt host directory,file,symlink 'etc/{app.conf,conf.d,conf.d/a.conf,current}' --dry-run
	[[ $output == *'to adopt'*'Would adopt 4 resources' && $output != *adopted* ]] || { echo "$output"; false; }
	[ "$(sloth stack resources host)" = '' ]
	run -0 sloth stack adopt host directory,file,symlink 'etc/{app.conf,conf.d,conf.d/a.conf,current}' --write host.sloth
	[[ $output == *file*"$PWD/etc/app.conf"*adopted*'Adopted 4 resources'*'Written: host.sloth' ]] || { echo "$output"; false; }
	[ "$(listing etc)" = "$before" ]
	[ "$(sloth cat /stacks/host/workflow)" = '' ] # what was made for this is nobody's workflow
	run -0 sloth stack coverage host --require 100
	[[ $output == '3 of 3 files managed (100 %), 1 ignored'* && $output != *Nobody* ]]
	[[ $(sloth stack coverage host --json) == *'"percent": 100'*'"unmanaged": []'* ]]
	run -0 sloth stack drift detect host
	[[ $output == *'In Sync Resources:    4'* ]]
	version=$(sloth cat /stacks/host/resources.json)
	run -0 sloth run host.sloth --stack host --json
	for task in directory file symlink; do
		[ "$(sloth cat "/runs/latest/tasks/$task/status")" = unchanged ]
	done
	[ "$(listing etc)" = "$before" ]
	diff <(grep -o '"properties": {[^}]*}' <<<"$version") <(sloth cat /stacks/host/resources.json | grep -o '"properties": {[^}]*}')
	echo hacked >etc/app.conf
	run -2 sloth stack drift detect host
	run -0 sloth stack drift fix host --yes
	[ "$(cat etc/app.conf)" = $'user www;\nworkers 2;' ]
}

@test "twice changes nothing; what was written is not written over" {
	host
	chmod 600 etc/app.conf
	run -0 sloth stack adopt host file etc/app.conf --json
	[[ $output == *'only size and SHA-256 of its content are kept'* ]] || { echo "$output"; false; }
	[[ $output == *'"dry_run": false'*'"result": "adopted"'* ]]
	version=$(sloth stack history host | head -1)
	run -0 sloth stack adopt host file etc/app.conf
	[[ $output == *managed*'Adopted 0 resources, 1 looked after already' ]]
	run -0 sloth stack adopt host file etc/app.conf --dry-run
	touch there.sloth
	run -4 sloth stack adopt host file etc/app.conf --write there.sloth
	[[ $output == *'there.sloth is there already, and is not written over'* ]]
	[ ! -s there.sloth ]
}

@test "what another stack looks after is left to it, and named" {
	host
	sloth stack adopt host file etc/app.conf
	sloth stack new other
	run -1 sloth stack adopt other file 'etc/{app.conf,conf.d/a.conf}' --write other.sloth
	[[ $output == *elsewhere*'the stack host manages it'*'Adopted 1 resource, 1 of other stacks'* ]] || { echo "$output"; false; }
	[[ $(cat other.sloth) == *a.conf* && $(cat other.sloth) != *app.conf* ]]
	[ "$(sloth cat /runs/latest/status)" = failed ]
	[[ $(sloth cat /runs/latest/error) == *"the stack host manages it"* ]]
	run -0 sloth stack adopt other file etc/app.conf --force
	[[ $(sloth stack resources other) == *app.conf* ]]
}

@test "refusals" {
	host
	run -4 sloth stack adopt host fil etc/app.conf
	[[ $output == *"there is no provider for resources of the type 'fil': did you mean 'file'?"* ]]
	run -4 sloth stack adopt host file etc/nowhere
	[[ $output == *"there is no $PWD/etc/nowhere"* ]]
	run -4 sloth stack adopt host command x
	[[ $output == *"what can be found is "*file* ]]
	run -4 sloth stack adopt host file etc/app.conf --set rot=x
	[[ $output == *"resource.adopt has no option 'rot'"* ]]
	run -10 sloth stack adopt host file etc/app.conf --set root
	[[ $output == *'a property and its value'* ]]
	run -4 sloth stack adopt nowhere file etc/app.conf
	sloth stack lock acquire host --reason mine
	run -10 sloth stack coverage host --require 101
	run -10 bash -c "echo 'roots: [etc]' | sloth write /stacks/host/config.yaml"
	[[ $output == *'a list of paths like'* ]]
	run -10 bash -c "echo 'workflow.define(\"x\"):config({ roots = \"etc\" })' >x.sloth; sloth run x.sloth"
	[[ $output == *"a path from the root"* ]]
}

@test "coverage: links, other types, what may not be entered, what a workflow declares; nothing is followed" {
	mkdir -p site/deep/er site/private outside
	touch site/a site/deep/er/b outside/secret "site/with
line"
	ln -s "$PWD/outside" site/out
	mkfifo site/pipe
	ln -s site linked
	cat >site.sloth <<END
workflow.define("site"):config({ roots = { "$PWD/site//", "$PWD/linked", "$PWD/gone" }, roots_ignore = "$PWD/site/deep/*" })
task("a", { command = function() return resource.file({ path = "$PWD/site/a" }) end })
END
	sloth run site.sloth --stack site
	printf 'task("b", { command = "true" })\nworkflow.define("b")\n' >b.sloth
	sloth run b.sloth --stack site
	run -0 sloth stack coverage site
	[[ $output == '1 of 4 files managed (25 %), 1 ignored, in'* ]] || { echo "$output"; false; }
	[[ $output == *"linked: no folder, or a link in its place, which is not followed (not looked at)"* ]]
	[[ $output == *"gone: No such file or directory (not looked at)"* && $output != *secret* ]]
	[[ $output == *'    out'*'    pipe'*'    with\nline'* || $output == *'    with?line'* ]] || { echo "$output"; false; }
	[[ $(sloth stack coverage site --json) == *'"type": "symlink"'*'"type": "special"'* ]]
	[ "$(id -u)" = 0 ] || {
		chmod 0 site/private
		[[ $(sloth stack coverage site) == *'private/ (it may not be entered)'* ]]
		chmod 700 site/private
	}
}

@test "coverage: what is too deep is not looked at, and that is said" {
	sloth stack new deep
	mkdir -p "top$(printf '/d%.0s' {1..103})"
	touch "top$(printf '/d%.0s' {1..103})/below" top/above
	echo "roots: $PWD/top" | sloth write /stacks/deep/config.yaml
	run -0 sloth stack coverage deep
	[[ $output == '0 of 1 files managed (0 %)'*'Not all was looked at'*above* && $output != *below* ]] || { echo "$output"; false; }
	[[ $(sloth stack coverage deep --json) == *'"truncated": true'* ]]
}

@test "coverage of another: with the reader's rights" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	mkdir -m 700 mine
	touch mine/secret
	chmod 755 "$BATS_TEST_TMPDIR"
	sloth stack new open
	echo "roots: [$PWD/mine]" | sloth write /stacks/open/config.yaml
	[[ $(sloth stack coverage open) == *secret* ]]
	chmod 711 "$SLOTH_HOME"
	chmod 777 "$SLOTH_HOME/socket"
	run setpriv --reuid 65534 --regid 65534 --clear-groups env SLOTH_HOME="$SLOTH_HOME" sloth stack coverage open
	[[ $output != *secret* ]]
}

@test "two stacks adopt the same things at once: each thing becomes one's" {
	local first second
	mkdir f
	for i in $(seq 40); do echo "$i" >"f/$i"; done
	sloth stack new a
	sloth stack new b
	sloth stack adopt a file 'f/*' >/dev/null 2>&1 3>&- &
	first=$!
	sloth stack adopt b file 'f/*' >/dev/null 2>&1 3>&- &
	second=$!
	wait "$first" || :
	wait "$second" || :
	[ "$(sloth stack resources a --json | grep -c '"type": "file"')" -gt 0 ] || [ "$(sloth stack resources b --json | grep -c '"type": "file"')" -gt 0 ]
	[ "$({ sloth stack resources a --json; sloth stack resources b --json; } | grep -c '"type": "file"')" = 40 ]
}
