#!/usr/bin/env bats
# Words, help and exit status: nothing here needs a daemon, and none is started.

bats_require_minimum_version 1.5.0
load common

@test "version" {
	run sloth version
	[ "$status" -eq 0 ]
	[[ $output =~ ^sloth\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	run sloth --version
	[ "$status" -eq 0 ]
	run sloth version --json
	[[ $output == *'"version": "'* ]]
	[ ! -e "$SLOTH_HOME" ]
}

@test "no command: help on standard error, exit 10" {
	run -10 sloth
	[[ $output == "Usage: sloth COMMAND"* ]]
	[ "$(sloth 2>/dev/null || :)" = "" ]
}

@test "unknown words name the nearest known ones" {
	run -10 sloth stak
	[[ $output == 'sloth: there is no command "stak"; did you mean "stack"?' ]]
	run -10 sloth stack lock aquire x
	[[ $output == *'did you mean "stack lock acquire"?' ]]
	run -10 sloth stack list --statsu failed
	[[ $output == *'did you mean --status?' ]]
	[ ! -e "$SLOTH_HOME" ]
}

@test "missing and surplus operands show the usage" {
	run -10 sloth stack show
	[[ $output == *'usage: sloth stack show NAME' ]]
	run -10 sloth stack show a b
	[[ $output == *'usage: sloth stack show NAME' ]]
}

@test "every command has help, by both ways, with its options" {
	sloth help --commands | while IFS=$'\t' read -r title rest; do
		sloth help $title >a
		sloth $title --help >b
		cmp a b
		for option in $rest; do
			grep -q -- "${option%=}" a
		done
	done
}

@test "a name of a stack can't lead elsewhere" {
	run -10 sloth stack show ../runs
	[[ $output == *'is no name of a stack'* ]]
	run -10 sloth stack delete --force .
	[ ! -e "$SLOTH_HOME" ]
}

@test "a relative SLOTH_HOME is refused" {
	SLOTH_HOME=here run -10 sloth ls
	[[ $output == *'absolute path'* ]]
}

@test "a SLOTH_HOME that is too long for a socket is refused in words" {
	SLOTH_HOME=/tmp/$(printf '%0110d' 0) run -4 sloth ls
	[[ $output == *'107'*'SLOTH_HOME'* ]]
}

@test "output that can't be written is a failure" {
	run -14 bash -c 'sloth version >/dev/full'
}

@test "sloth-runner is the same program under another name" {
	ln -s "$SLOTH_BUILD/cli/sloth" sloth-runner
	run ./sloth-runner version
	[ "$status" -eq 0 ]
}

# What bash would offer for these words.
try()
{
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_sloth
	echo "${COMPREPLY[*]}"
}

@test "completion knows commands, options and formats, and starts no daemon" {
	source "$SLOTH_SOURCE/data/sloth.bash-completion"
	[ "$(try sloth stac)" = stack ]
	[ "$(try sloth stack lock acq)" = acquire ]
	[ "$(try sloth stack lock acquire x --rea)" = --reason ]
	[ "$(try sloth stack list --format y)" = yaml ]
	[ "$(try sloth stack list --format = y)" = yaml ]
	[ "$(try sloth stack list --status = '=')" = 'created running completed failed' ]
	[ "$(try sloth stack list -o js)" = json ]
	[ "$(try sloth stack state tags '')" = 'add list remove' ]
	[ "$(try sloth no such verb '')" = '' ]
	[ "$(try sloth stack show '')" = '' ]
	[ ! -e "$SLOTH_HOME" ]
	touch one.sloth two.txt
	[ "$(try sloth run o)" = one.sloth ]
	mkdir folder
	[ "$(try sloth mount f)" = folder ]
}

@test "completion knows what there is: stacks, tags, outputs, runs, paths" {
	source "$SLOTH_SOURCE/data/sloth.bash-completion"
	sloth stack new prod
	sloth stack new probe
	sloth stack tags add prod web
	sloth write /stacks/prod/outputs.d/url --text x
	[ "$(try sloth stack show p)" = 'probe prod' ]
	[ "$(try sloth stack lock acquire pro)" = 'probe prod' ]
	[ "$(try sloth stack output prod '')" = url ]
	sloth stack snapshot pin prod v1 first
	[ "$(try sloth stack snapshot restore prod '')" = 'latest v3 v2 v1 first' ]
	[ "$(try sloth stack state tags list pro)" = 'probe prod' ]
	[ "$(try sloth stack tags remove prod w)" = web ]
	[ "$(try sloth run --stack prod)" = prod ]
	[ "$(try sloth run --stack = pro)" = 'probe prod' ]
	[ "$(try sloth cat /stacks/prod/descr)" = /stacks/prod/description ]
	[ "$(try sloth cat /stacks/prod/outp)" = '/stacks/prod/outputs /stacks/prod/outputs.json /stacks/prod/outputs.d/' ]
	[ "$(sloth complete -- run --stack=probe)" = --stack=probe ]
	sloth backup create
	[[ $(try sloth backup verify sloth) == sloth-*Z ]]
	# nobody's prompt waits for a daemon that hangs
	kill -STOP "$(daemon_pid)"
	pid=$(cat "$SLOTH_HOME/sloth.db-lock")
	run try sloth stack show p
	kill -CONT "$pid"
	[ "$output" = '' ]
}

@test "completion in zsh and fish: the files are what these shells take" {
	if command -v zsh >/dev/null; then
		zsh -n "$SLOTH_SOURCE/data/sloth.zsh-completion"
	fi
	if command -v fish >/dev/null; then
		fish -n "$SLOTH_SOURCE/data/sloth.fish-completion"
	fi
	grep -q 'sloth complete --' "$SLOTH_SOURCE/data/sloth.zsh-completion"
	grep -q 'sloth complete --' "$SLOTH_SOURCE/data/sloth.fish-completion"
	[ "$(sloth complete -- stac)" = $'stack\tStacks: list, show, new, delete, outputs, locks' ] ||
		[[ $(sloth complete -- stac) == stack$'\t'* ]]
}

# On a terminal: rules and colours. In a pipe, and with NO_COLOR: none.
terminal()
{
	python3 -c '
import os, pty, sys
def read(fd):
    return os.read(fd, 65536)
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))' "$@" </dev/null
}

@test "pages: boxes and colours on a terminal, plain lines in a pipe" {
	sloth stack new prod -d 'one page'
	run terminal env TERM=xterm sloth stack show prod
	[[ $output == *════*'─── '*'General Information'*' ────'* ]]
	[[ $output == *$'\033[32mcreated'* || $output == *$'\033[32munlocked'* ]]
	run terminal env TERM=xterm sloth stack list
	[[ $output == *$'\033[32mcreated'* ]]
	run terminal env TERM=xterm NO_COLOR=1 sloth stack show prod
	[[ $output == *════* && $output != *$'\033'* ]]
	run sloth stack show prod
	[[ $output == 'Stack: prod'*'General Information:'* && $output != *═* && $output != *$'\033'* ]]
}

@test "older names do the same as the new ones" {
	sloth stack state list
	sloth stack new prod
	[ "$(sloth stack state list)" = "$(sloth stack list)" ]
	[ "$(sloth stack state list --status failed)" = "$(sloth stack list --status failed)" ]
	[ "$(sloth stack state show prod --output json)" = "$(sloth stack show prod --json)" ]
	[ "$(sloth stack state show prod -o yaml)" = "$(sloth stack show prod --format yaml)" ]
	run -4 sloth stack state show nothing
	run -10 sloth stack state show
	[[ $output == *'stack state show NAME'* ]]
	run -10 sloth stack list --output xml
	[[ $output == *'--output xml'* ]]
	sloth stack state tags add prod web shop
	[ "$(sloth stack state tags list prod)" = "$(sloth stack tags list prod)" ]
	[ "$(sloth stack tags list prod | wc -l)" -eq 2 ]
	sloth stack state lock prod --operation deployment --who admin --duration 30m
	run sloth stack lock status prod
	[[ $output == *admin* && $output == *deployment* ]]
}

@test "older names for versions, locks and events" {
	sloth stack new prod
	sloth write /stacks/prod/version --text one
	sloth stack state snapshot prod --description 'as it was'
	kept=$(sloth stack history prod --limit 1 --json | sed -n 's/.*"version": \([0-9]*\).*/\1/p' | head -n 1)
	sloth write /stacks/prod/version --text two
	[ "$(sloth stack state versions prod)" = "$(sloth stack history prod)" ]
	[ "$(sloth stack state versions prod --limit 1 -o json)" = "$(sloth stack history prod --limit 1 --json)" ]
	run -2 sloth stack state diff prod --from "$kept" --to current
	[[ $output == *version*one*two* ]]
	run -10 sloth stack state diff prod --from "$kept"
	[ "$output" = 'sloth: stack state diff: --to is missing' ]
	run -11 sloth stack state rollback prod --version "$kept"
	sloth stack state rollback prod --version "$kept" --force
	[ "$(sloth cat /stacks/prod/version)" = one ]
	run -10 sloth stack state rollback prod
	sloth stack state lock prod --operation deploy --who admin --duration 30m
	token=$(sloth cat /stacks/prod/lock.json | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
	run sloth stack state unlock prod --lock-id 999999
	[ "$status" -ne 0 ]
	sloth stack state unlock prod --lock-id "$token"
	[ "$(sloth cat /stacks/prod/lock | head -n 1)" = unlocked ]
	run sloth stack state activity prod --limit 2
	[ "$status" -eq 0 ]
	[[ $output == *lock.released* ]]
	sloth stack state activity prod -o json
}
