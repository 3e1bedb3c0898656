#!/usr/bin/env bats
# Stacks and what ties them together, by touch, ln, rm, ls: tags.

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
	refused 'Permission denied' as $nobody rm -f "$M/stacks/web/tags/x"
	chmod 700 "$M/stacks/web"
	[ -z "$(as $nobody ls "$M/tags")" ]
	refused 'No such file' as $nobody ls "$M/tags/x"
	[ "$(ls "$M/tags/x")" = web ]
}
