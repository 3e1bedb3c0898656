#!/usr/bin/env bats
# Drift that is fixed without anybody asking: with whose rights, when, and when not.

bats_require_minimum_version 1.5.0
load lib

before_start()
{
	unwatched
}

# files STACK SETTINGS [COMMAND…]: two files of a folder called like the stack, as somebody, and the stack's settings.
files()
{
	local stack=$1 settings=$2
	shift 2
	cat >"$stack.sloth" <<-END
		workflow.define('files')
		task('files'):command(function()
			assert(resource.file('$T/$stack/one', { content = 'one\n', mode = '0644' }))
			assert(resource.file('$T/$stack/two', { content = 'two\n', mode = '0644', depends_on = { 'file/$T/$stack/one' } }))
		end)
	END
	"$@" sloth run "$stack.sloth" --stack "$stack"
	printf '%b' "$settings" >"$M/stacks/$stack/config.yaml"
}

has()
{
	[ "$(cat "$1")" = "$2" ]
}

# told STACK TYPE: how many such events the stack has.
told()
{
	grep -c " drift.$2 " "$M/stacks/$1/activity"
}

is_told()
{
	[ "$(told "$1" "$2")" -ge "${3-1}" ]
}

# number STACK EXPRESSION: of its drift.json.
value()
{
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$M/stacks/$1/drift.json" "$2"
}

@test "what somebody has changed is brought about again, in its order, where the stack wants that" {
	mkdir on off
	files off ''
	files on 'auto_fix: high\nauto_fix_delay: 0\n'
	for stack in off on; do
		echo other >$stack/one
		chmod 600 $stack/two
		echo detect >"$M/stacks/$stack/drift"
	done
	eventually is_told on auto_fix_ended
	has on/one one
	[ "$(stat -c %a on/two)" = 644 ]
	has off/one other
	[ "$(value off 'd["auto_fix"]')" = None ]
	[ "$(value on 'd["auto_fix"]["severity"]')" = high ]
	[ "$(value on 'd["auto_fix"]["used"]')" = 1 ]
	file_has "$M/stacks/on/drift" 'Automatic Fixes:      up to high, 1 of 24 today'
	# The run says why it is there, and is one like others.
	file_has "$M/stacks/on/runs/latest/log" "automatic fix of 2 resources (auto_fix: high): file/$T/on/one, file/$T/on/two"
	file_has "$M/stacks/on/runs/latest/workflow" 'depends_on = { "file-'
	[ "$(cat "$M/stacks/on/runs/latest/status")" = success ]
	[ "$(told on auto_fix)" = 1 ]
	grep -q 'drift.auto_fix_ended .*fixed=.*two.* left="\[\]"' "$M/stacks/on/activity"
	[ "$(told on fixed)" = 2 ]
	[ "$(told off auto_fix || :)" = 0 ]
}

@test "it waits for whoever holds the lock, and for no daemon that dies meanwhile" {
	mkdir s
	files s 'auto_fix: high\nauto_fix_delay: 0\n'
	echo 'reason="by hand" operation=work' >"$M/stacks/s/lock"
	echo other >s/one
	echo detect >"$M/stacks/s/drift"
	[ "$(value s 'd["auto_fix"]["waits_for"]')" = lock ]
	kill_daemon
	start_daemon
	[ "$(value s 'd["summary"]["drifted"]')" = 1 ]
	# Time enough for one that would not wait: another stack is fixed.
	mkdir other
	files other 'auto_fix: high\nauto_fix_delay: 0\n'
	echo other >other/one
	echo detect >"$M/stacks/other/drift"
	eventually is_told other auto_fix_ended
	has s/one other
	rm "$M/stacks/s/lock"
	eventually is_told s auto_fix_ended
	has s/one one
}

@test "what can't be brought about is told, and tried again later" {
	mkdir s
	files s 'auto_fix: high\nauto_fix_delay: 0\n'
	mkdir -p s/gone
	cat >>s.sloth <<-END
		task('deep'):command(function() assert(resource.file('$T/s/gone/three', { content = 'three\n' })) end)
	END
	sloth run s.sloth --stack s
	rm -r s/gone
	echo in the way >s/gone
	echo other >s/one
	echo detect >"$M/stacks/s/drift"
	eventually is_told s auto_fix_ended
	has s/one one
	grep -q "drift.auto_fix_ended .*fixed=.*$T/s/one.* left=.*gone/three.* status=failed" "$M/stacks/s/activity"
	[ "$(value s 'd["auto_fix"]["waits_for"]')" = back-off ]
	grep -q 'the next one at .* (back-off)' "$M/stacks/s/drift"
}

@test "what comes and goes is left to people" {
	mkdir s
	files s 'auto_fix: high\nauto_fix_delay: 0\nflapping_count: 2\n'
	chmod 600 s/two
	echo detect >"$M/stacks/s/drift"
	eventually is_told s auto_fix_ended
	chmod 600 s/two
	echo detect >"$M/stacks/s/drift"
	is_told s flapping
	[ "$(value s 'd["auto_fix"]["waits_for"]')" = '' ]
	[ "$(value s 'd["auto_fix"]["next"]')" = None ]
	file_has "$M/stacks/s/drift" '  Flapping:  since '
	run -2 sloth stack drift detect s
	[[ $output == *', flapping)'* ]]
	echo "acknowledge $T/s/two" >"$M/stacks/s/drift"
	[ "$(value s 'd["findings"][0]["flapping"]')" = None ]
	[ "$(value s 'd["auto_fix"]["waits_for"]')" = back-off ]
}

@test "nothing is fixed with other rights than the owner's" {
	need_root
	chmod 1777 "$M/stacks" "$M/runs"
	mkdir -m 755 theirs
	chown $nobody theirs
	files theirs 'auto_fix: high\nauto_fix_delay: 0\n' as $nobody
	chmod 777 "$M/stacks/theirs"
	# Somebody else, who may change the stack, wants something of its owner.
	cat >hers.sloth <<-END
		task('a'):command(function() assert(resource.file('/tmp/hers.$$', { content = 'hers\n' })) end)
	END
	as $other sloth run hers.sloth --stack theirs
	echo changed >"/tmp/hers.$$"
	rm theirs/one
	echo detect >"$M/stacks/theirs/drift"
	eventually is_told theirs auto_fix_ended
	has theirs/one one
	[ "$(stat -c %u theirs/one)" = $nobody ]
	has "/tmp/hers.$$" changed
	rm "/tmp/hers.$$"
	[ "$(stat -c %u "$M/stacks/theirs/runs/latest/log")" = $nobody ]
}

@test "what is watched is fixed when it happens" {
	mkdir s
	files s 'watch: true\nauto_fix: high\nauto_fix_delay: 0\n'
	echo other >s/one
	eventually is_told s auto_fix_ended
	has s/one one
	[ "$(value s 'd["summary"]["drifted"]')" = 0 ]
}
