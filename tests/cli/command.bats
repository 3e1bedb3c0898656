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

@test "completion knows commands, options and formats" {
	source "$SLOTH_SOURCE/data/sloth.bash-completion"
	try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _sloth; echo "${COMPREPLY[*]}"; }
	[ "$(try sloth stac)" = stack ]
	[ "$(try sloth stack lock acq)" = acquire ]
	[ "$(try sloth stack lock acquire x --rea)" = --reason ]
	[ "$(try sloth stack list --format y)" = yaml ]
}
