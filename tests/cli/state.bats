#!/usr/bin/env bats
# Keys and values by command.

bats_require_minimum_version 1.5.0
load common

@test "a key from its birth to its end" {
	sloth state set color blue
	[ "$(sloth state get color)" = blue ]
	[ "$(sloth cat /state/default/color)" = blue ]
	run -4 sloth state get nothing
	[[ $output == *'no key nothing'* ]]
	[ "$(sloth state get nothing --default red)" = red ]
	run sloth state list
	[[ ${lines[0]} =~ ^KEY\ +VALUE\ +TTL\ +UPDATED$ ]]
	[[ ${lines[1]} =~ ^color\ +blue\ +-\ +20 ]]
	run -4 sloth state set color red --new
	sloth state set size 1 --new
	sloth state delete color size
	run -4 sloth state delete color
	sloth state delete --force color
	[ "$(sloth state list)" = "" ]
	[ "$(sloth state list --json)" = "[]" ]
}

@test "values keep their type" {
	sloth state set n 5 --type number
	sloth state set l '[1, "a"]' --type json
	sloth state set b true --type boolean
	run sloth state get n --json
	[[ $output == *'"value": 5'* ]]
	[ "$(sloth state get l)" = '[1,"a"]' ]
	run -10 sloth state set n five --type number
	run -10 sloth state set n 5 --type integer
	[[ $output == *'no type "integer"'* ]]
	run -10 sloth state set n 5 --type boolean
	[[ $output == *'of the type number, not boolean'* ]]
	run -10 sloth state incr l
	[[ $output == *'no number'* ]]
}

@test "any text is a value and a key" {
	printf 'two\nlines "and" \\ more\n' | sloth state set text -
	[ "$(sloth state get text)" = $'two\nlines "and" \\ more' ]
	sloth state set '/etc/motd ü' x
	[ "$(sloth state get '/etc/motd ü')" = x ]
	[ "$(sloth ls /state/default)" = $'%2Fetc%2Fmotd%20%C3%BC\ntext' ]
	[ "$(sloth state list '/etc/*' --json | grep -c '"key"')" -eq 1 ]
	head -c 200000 /dev/zero | tr '\0' x | sloth state set large - --ttl 1h
	[ "$(sloth state get large | wc -c)" -eq 200001 ]
	[[ $(sloth state get large --json) == *ttl_ms* ]]
	run -10 sloth state set "$(printf '%0200d' 1)" x
	run -10 sloth state set '' x
	run -10 sloth state list "$(printf '%02000d' 1)"
}

@test "a key with a ttl goes by itself, and is asked for with what is left" {
	sloth state set session x --ttl 1h
	[[ $(sloth state list) =~ session\ +x\ +(1h|59m) ]]
	sloth state set session y
	[[ $(sloth state list) =~ session\ +y\ +(1h|59m) ]]
	sloth state set session x --ttl 50ms
	eventually bash -c '! sloth state get session'
	run -10 sloth state set session x --ttl soon
}

@test "incr, decr and cas are one step" {
	[ "$(sloth state incr n)" = 1 ]
	[ "$(sloth state incr n 5)" = 6 ]
	[ "$(sloth state decr n 2)" = 4 ]
	for i in 1 2 3 4 5; do sloth state incr n >>sums & done
	wait
	[ "$(sort -n sums | xargs)" = '5 6 7 8 9' ]
	run -10 sloth state incr n five
	sloth state set color blue
	run -7 sloth state cas color red green
	[[ $output == *'color is blue, not red'* ]]
	[ "$(sloth state cas color blue green)" = green ]
	run -7 sloth state cas nothing a b
	run -7 sloth state cas n 9.5 1 --type number
	run sloth state cas n 9 10 --type number --json
	[[ $output == *'"value": 10'* ]]
}

@test "keys of a stack, of a namespace, and of nobody" {
	sloth stack new web
	sloth state set k stack --stack web
	sloth state set k shared --namespace team
	[ "$(sloth state get k --stack web)" = stack ]
	[ "$(sloth cat /stacks/web/state/k)" = stack ]
	[ "$(sloth state get k -N team)" = shared ]
	run -4 sloth state get k --stack nothing
	[[ $output == *'no stack nothing'* ]]
	run -10 sloth state get k --stack web --namespace team
	run -10 sloth state get k --namespace a/b
	[ "$(sloth state list -N nothing)" = "" ]
	run sloth events --stack web --type 'state.*'
	[[ $output == *'state.set'*'"key":"k"'* ]]
}

@test "the lock of a stack holds for its keys" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	SLOTH_HOME=$(mktemp -d /tmp/sloth-session-XXXXXX)
	chmod 711 "$SLOTH_HOME"
	(umask 0 && sloth stack new web)
	sloth stack lock acquire web --reason 'Deploying v2'
	run -5 setpriv --reuid 65534 --regid 65534 --clear-groups sloth state incr n --stack web
	[[ $output == *'Deploying v2'* ]]
	sloth state set secret x --namespace mine
	sloth write /state/mine/other --text y
	run -12 setpriv --reuid 65534 --regid 65534 --clear-groups sloth state set secret y --namespace mine
	[[ $output == *'may not change'* ]]
	run -12 setpriv --reuid 65534 --regid 65534 --clear-groups sloth state set k y --namespace new
	[[ $output == *'may not make'* ]]
	[ "$(setpriv --reuid 65534 --regid 65534 --clear-groups sloth state get secret --namespace mine)" = x ]
}

@test "watch prints what changes, and nothing else" {
	sloth state set other 1
	sloth state set count 0
	sloth state watch 'c*' >log &
	pid=$!
	eventually bash -c 'sloth state incr count && grep -q count= log'
	sloth state set other 2
	sloth state delete count
	eventually grep -q 'count deleted' log
	run ! grep -q other log
	kill "$pid"
	run -4 sloth state watch x --namespace nothing
}

@test "a lock with a name: taken, refused, waited for, released" {
	run -4 sloth state unlock db
	[[ $output == *'nobody holds'* ]]
	[ "$(sloth state lock db --reason 'dump "it"' --ttl 1h)" = "✓ Locked 'db'" ]
	[[ $(sloth cat /locks/db) == *$'\nreason: dump "it"\n'* ]]
	run sloth state lock db --ttl 2d
	[[ $(sloth cat /locks/db.json) == *'"reason":""'* ]]
	[[ $(sloth cat /locks/db.json) == *"\"expires\":\"$(date -ud '2 days' +%Y-%m-%d)"* ]]
	run -10 sloth state lock db --ttl soon
	run -10 sloth state lock 'a b'
	if [ "$(id -u)" -eq 0 ]; then
		sloth state unlock db
		sloth state lock db --ttl 1h --json
	fi
	[ "$(sloth state unlock db)" = "✓ Unlocked 'db'" ]
	run -4 sloth state unlock db
}

@test "a folder with more names than an answer has room for is listed as a whole" {
	seq -f 'k%0120.0f' 1 16000 >names
	sed 's,.*,set default/& x,' names | split -C 64k --filter='sloth write /state.ctl >answers'
	[ "$(sloth ls -l /state/default | wc -l)" -eq 16001 ]
	sloth ls /state/default | cmp - names
}
