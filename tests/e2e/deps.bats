#!/usr/bin/env bats
# Stacks and what ties them together, by touch, ln, rm, ls: tags, dependencies.

bats_require_minimum_version 1.5.0
load lib

@test "tags are empty files, and links from the words to the stacks" {
	mkdir "$M/stacks/web" "$M/stacks/db"
	touch "$M/stacks/web/tags/critical" "$M/stacks/web/tags/production" "$M/stacks/db/tags/production"
	touch "$M/stacks/web/tags/critical" # once more
	[ "$(ls "$M/stacks/web/tags")" = $'critical\nproduction' ]
	[ ! -s "$M/stacks/web/tags/critical" ]
	[ "$(ls "$M/tags")" = $'critical\nproduction' ]
	[ "$(ls "$M/tags/production")" = $'db\nweb' ]
	[ "$(readlink "$M/tags/production/web")" = ../../stacks/web ]
	[ "$(cat "$M/tags/critical/web/status")" = created ]
	rm "$M/stacks/web/tags/critical"
	[ "$(ls "$M/stacks/web/tags")" = production ]
	[ "$(ls "$M/tags")" = production ]
	mv "$M/stacks/db" "$M/stacks/database"
	[ "$(ls "$M/tags/production")" = $'database\nweb' ]
	rmdir "$M/stacks/database" "$M/stacks/web"
	[ -z "$(ls "$M/tags")" ]
}

@test "tags: what is refused" {
	need_root
	mkdir -m 755 "$M/stacks/web"
	refused 'Invalid argument' touch "$M/stacks/web/tags/a b"
	refused 'Permission denied' as $nobody touch "$M/stacks/web/tags/x"
	refused 'Operation not permitted' mkdir "$M/tags/x"
	refused 'Operation not permitted' touch "$M/tags/x"
	touch "$M/stacks/web/tags/x"
	mkdir -m 777 "$M/stacks/team"
	as $nobody touch "$M/stacks/team/tags/y"
	refused 'Permission denied' as $nobody bash -c "echo z >'$M/stacks/team/tags/y'"
	rmdir "$M/stacks/team"
	refused 'Permission denied' as $nobody rm -f "$M/stacks/web/tags/x"
	chmod 700 "$M/stacks/web"
	[ -z "$(as $nobody ls "$M/tags")" ]
	refused 'No such file' as $nobody ls "$M/tags/x"
	[ "$(ls "$M/tags/x")" = web ]
}

@test "dependencies are links, in both directions" {
	mkdir "$M/stacks/network" "$M/stacks/db" "$M/stacks/web"
	cd "$M/stacks/web"
	ln -s ../../network deps/
	ln -s "$M/stacks/db" deps/ # any way to it
	[ "$(ls deps)" = $'db\nnetwork' ]
	[ "$(readlink deps/db)" = ../../db ]
	[ "$(cat deps/network/status)" = created ]
	[ "$(ls "$M/stacks/db/dependents")" = web ]
	[ "$(cat "$M/stacks/db/dependents/web/status")" = created ]
	[ "$(cat depends)" = $'db  *  ok\nnetwork  *  ok' ]
	# They follow.
	mv "$M/stacks/db" "$M/stacks/database"
	[ "$(ls deps)" = $'database\nnetwork' ]
	[ ! -L deps/db ]
	[ "$(cat deps/database/status)" = created ]
	rm deps/database
	[ "$(ls deps)" = network ]
	[ -z "$(ls "$M/stacks/database/dependents")" ]
	cd "$T"
}

@test "dependencies in certain versions" {
	mkdir "$M/stacks/network" "$M/stacks/web"
	echo 'network >=2.1 <3' >"$M/stacks/web/depends"
	echo 1.9 >"$M/stacks/network/version"
	[ "$(cat "$M/stacks/web/depends")" = 'network  >=2.1 <3  version 1.9 does not satisfy >=2.1 <3' ]
	echo v2.2.0 >"$M/stacks/network/version"
	[ "$(cat "$M/stacks/web/depends")" = 'network  >=2.1 <3  ok' ]
	grep -q '"state": "ok"' "$M/stacks/web/depends.json"
	refused 'Invalid argument' bash -c "echo 'network =>2' >'$M/stacks/web/depends'"
	says 'no constraint'
	echo 'remove network' >"$M/stacks/web/depends"
	[ -z "$(ls "$M/stacks/web/deps")" ]
}

@test "dependencies: what is refused" {
	mkdir "$M/stacks/a" "$M/stacks/b" "$M/stacks/c"
	ln -s ../../b "$M/stacks/a/deps/"
	ln -s ../../c "$M/stacks/b/deps/"
	refused 'Too many levels' ln -s ../../a "$M/stacks/c/deps/"
	says 'c → a → b → c'
	refused 'Too many levels' ln -s ../../c "$M/stacks/c/deps/"
	refused 'No such file' ln -s ../../nothing "$M/stacks/c/deps/"
	says 'no stack nothing'
	refused 'Invalid argument' ln -s ../../b "$M/stacks/c/deps/other"
	says 'ln -s ../../b deps/'
	refused 'File exists' ln -s ../../b "$M/stacks/a/deps/"
	refused 'not permitted' touch "$M/stacks/a/deps/b2"
	refused 'not permitted' ln -s ../../a "$M/stacks/c/dependents/"
	need_root
	refused 'Permission denied' as $nobody ln -s ../../a "$M/stacks/c/deps/"
	refused 'Permission denied' as $nobody rm -f "$M/stacks/a/deps/b"
	refused 'Permission denied' as $nobody rm -f "$M/stacks/b/dependents/a"
}

@test "a stack on which others stand is not destroyed before they are let go" {
	mkdir "$M/stacks/db" "$M/stacks/web"
	ln -s ../../db "$M/stacks/web/deps/"
	refused 'resource busy' rmdir "$M/stacks/db"
	says 'web depends on it'
	rm "$M/stacks/db/dependents/web"
	rmdir "$M/stacks/db"
	[ -L "$M/stacks/web/deps/db" ] && [ ! -e "$M/stacks/web/deps/db" ]
	[ "$(cat "$M/stacks/web/depends")" = 'db  *  there is no stack db' ]
	mkdir "$M/stacks/db"
	[ "$(cat "$M/stacks/web/depends")" = 'db  *  ok' ]
	refused 'resource busy' rmdir "$M/stacks/db"
	rmdir "$M/stacks/web" "$M/stacks/db"
}
