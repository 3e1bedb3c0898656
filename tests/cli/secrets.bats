#!/usr/bin/env bats
# sloth secrets: set, get, list, delete, rotate.

bats_require_minimum_version 1.5.0
load common

@test "a secret is set from standard input and from a file, and printed" {
	run sloth secrets set password <<<hunter22
	[ "$output" = "✓ Secret 'password' set" ]
	[ "$(sloth secrets get password)" = hunter22 ]
	printf 'one\ntwo\n' | sloth secrets set lines
	[ "$(sloth secrets get lines | wc -c)" -eq 8 ]
	printf 'a\0b\n' >bytes
	sloth secrets set bytes --file bytes
	sloth secrets get bytes | cmp - bytes
	run sloth secrets get password --json
	[[ $output == *'"value": "hunter22"'* ]]
	run -10 sloth secrets get bytes --json
	[[ $output == *'is no text'* ]]
	run sloth secrets set password --json <<<hunter33
	[[ $output == *'"set": true'* ]]
}

@test "the list has names and no values" {
	[ -z "$(sloth secrets list)" ]
	sloth secrets set password <<<hunter22
	run sloth secrets ls
	[[ $output == *NAME*OWNER*SET*password* ]]
	[[ $output != *hunter22* ]]
	run sloth secrets list --json
	[[ $output == *'"name": "password"'* && $output != *hunter22* ]]
}

@test "what is refused" {
	run -4 sloth secrets get nothing
	[[ $output == *'there is no secret "nothing"'* ]]
	run -10 sloth secrets get a/b
	run -10 sloth secrets set password hunter22
	run -10 sloth secrets set password </dev/null
	run ! sloth secrets set password --file nothing
	head -c 70000 /dev/zero >large
	run -14 sloth secrets set large --file large
	[[ $output == *'at most 65536 bytes'* ]]
	run -4 sloth secrets delete nothing --force
	sloth secrets set password <<<hunter22
	run -11 sloth secrets delete password </dev/null
	[ "$(sloth secrets get password)" = hunter22 ]
	sloth secrets rm password --yes
	run -4 sloth secrets get password
}

@test "a terminal is asked, and does not show the value" {
	command -v script >/dev/null || skip 'script(1) is not there'
	mkfifo keyboard
	script -qec 'sloth secrets set password' /dev/null <keyboard >screen &
	exec 9>keyboard
	eventually grep -q 'Value of password: ' screen
	echo hunter22 >&9
	wait
	exec 9>&-
	run cat screen
	[[ $output != *hunter22* ]]
	[ "$(sloth secrets get password)" = hunter22 ]
}

@test "keys are rotated, and the values stay" {
	sloth secrets set password <<<hunter22
	before=$(ls "$SLOTH_HOME/keys")
	run sloth secrets rotate
	[ "$output" = '✓ All sealed values have new keys' ]
	[ "$(ls "$SLOTH_HOME/keys")" != "$before" ]
	[ "$(sloth secrets get password)" = hunter22 ]
	run sloth secrets rotate --json
	[[ $output == *'"rotated": true'* ]]
	run sloth cat /keys
	[[ $output == *'key 3: '*', in use' ]]
	run -10 sloth write /keys --text rotten
}

@test "a daemon without its passphrase works, and says what is missing" {
	echo 'correct horse' >passphrase
	SLOTH_PASSPHRASE_FILE=$PWD/passphrase sloth secrets set password <<<hunter22
	[ ! -e "$SLOTH_HOME/keys" ]
	kill "$(daemon_pid)"
	eventually sh -c '! [ -S "$SLOTH_HOME/socket" ]'
	run -12 sloth secrets get password
	[[ $output == *SLOTH_PASSPHRASE_FILE* ]]
	run sloth doctor
	[[ $output == *'fail'*'Keys'*SLOTH_PASSPHRASE_FILE* ]]
	run sloth secrets list
	[[ $output == *password* ]]
	sloth stack new box
	kill "$(daemon_pid)"
	eventually sh -c '! [ -S "$SLOTH_HOME/socket" ]'
	echo 'wrong horse' >passphrase
	export SLOTH_PASSPHRASE_FILE=$PWD/passphrase
	run -12 sloth secrets get password
	[[ $output == *'is not the one'* ]]
	echo 'correct horse' >passphrase
	[ "$(sloth secrets get password)" = hunter22 ]
	sloth secrets rotate --to-file
	[ -d "$SLOTH_HOME/keys" ]
	[ "$(sloth secrets get password)" = hunter22 ]
}
