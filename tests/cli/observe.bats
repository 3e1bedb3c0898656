#!/usr/bin/env bats
# What workflows tell of themselves: events and metrics.

bats_require_minimum_version 1.5.0
load common

# lua NAME TEXT: runs a task with this text on the stack prod.
lua()
{
	printf 'task("t"):command(function()\n%s\nend)\n' "$2" >"$1.sloth"
	sloth run "$1.sloth" --stack prod
}

@test "events of a workflow stand in the trail and in the stack's activity" {
	lua tell 'assert(event.dispatch("deploy.completed", { version = "v2", note = "two\nlines" }))
		assert(event.dispatch_custom("user_login", "somebody came"))
		assert(event.dispatch_file("created", "/etc/motd"))'
	run sloth cat /stacks/prod/activity
	[[ $output == *' deploy.completed stack=prod run='*'note="two\nlines" version=v2'* ]]
	[[ $output == *' custom stack=prod run='*'message="somebody came" name=user_login'* ]]
	[[ $output == *' file.created stack=prod run='*'path=/etc/motd'* ]]
	[[ $(sloth cat /events.json) == *'"type":"deploy.completed"'* ]]
	sloth cat /audit
}

@test "what no event may be" {
	run ! lua own 'assert(event.dispatch("stack.destroyed", {}))'
	[[ $output == *"events of the type stack.… are the daemon's own"* ]]
	run ! lua word 'assert(event.dispatch("word", {}))'
	[[ $output == *'"word" is no type of event: it has to be words with dots'* ]]
	run ! lua odd 'assert(event.dispatch("two words.x", {}))'
	[[ $output == *'is no type of event'* ]]
	run ! lua large 'assert(event.dispatch("a.b", { text = ("x"):rep(20000) }))'
	[[ $output == *'the data of the event a.b has 20011 bytes, and the limit is 16384'* ]]
	run ! lua flood 'for i = 1, 10001 do assert(event.dispatch("a.b")) end'
	[[ $output == *'has left 10000 events, which is the limit'* ]]
	run ! grep -Eq '^[^ ]+ (stack.destroyed|word|"two words.x") ' <<<"$(sloth cat /events)"
}
