#!/usr/bin/env bats
# Dependencies by command.

bats_require_minimum_version 1.5.0
load common

# The example of the documents.
setup_stacks()
{
	for name in network storage cache database backend frontend; do
		sloth stack new "$name"
	done
	sloth stack deps add storage network
	sloth stack deps add cache network
	sloth stack deps add database network
	sloth stack deps add database storage
	sloth stack deps add backend database
	sloth stack deps add backend cache
	sloth stack deps add frontend backend
}

@test "show: itself, through others, who depends on it" {
	setup_stacks
	sloth write /stacks/cache/version --text v1.5.0
	sloth stack deps add backend database '>=2'
	run sloth stack deps show backend
	[ "$status" -eq 0 ]
	[[ $output == *'Dependencies for: backend'* ]]
	[[ $output == *$'Direct Dependencies:\n  • cache (v1.5.0)\n  • database (requires >=2): it has no version'* ]]
	[[ $output == *$'Indirect Dependencies:\n  • network (via cache)\n  • storage (via database)\n'* ]]
	[[ $output == *$'Dependents (stacks that depend on this):\n  • frontend\n'* ]]
	[[ $output == *$'Total dependency count: 4\nDependency depth: 3 levels' ]]
	run sloth stack deps show backend --json
	[[ $output == *'"depth": 3'* && $output == *'"total": 4'* ]]
	run sloth stack show backend
	[[ $output == *$'Dependencies (2):\n  • cache\n  • database'* ]]
	run -4 sloth stack deps show nothing
}

@test "add and remove, and what is refused" {
	setup_stacks
	run sloth stack deps add frontend cache '>=1' '<2'
	[ "$output" = "✓ Stack 'frontend' depends on 'cache' >=1 <2" ]
	[ "$(sloth cat /stacks/frontend/depends | head -1)" = 'backend  *  ok' ]
	run sloth stack deps remove frontend cache
	[ "$output" = "✓ Stack 'frontend' no longer depends on 'cache'" ]
	run -4 sloth stack deps remove frontend cache
	run -9 sloth stack deps add network frontend
	[[ $output == *'network → frontend → backend → '*' → network'* ]]
	run -9 sloth stack deps add network network
	run -10 sloth stack deps add frontend cache 'a bit newer'
	run -4 sloth stack deps add network nothing
	run -4 sloth stack deps add nothing network
	run -10 sloth stack deps add network ../cache
	run sloth stack deps add frontend storage --json
	[[ $output == *'"on": "storage"'* ]]
}

@test "order: what is missing is added, groups, times" {
	setup_stacks
	run sloth stack deps order frontend backend
	[ "$status" -eq 0 ]
	[[ $output == *$'  1. network (no dependencies) (added)\n  2. cache (depends on: network) (added)\n'* ]]
	[[ $output == *$'  4. database (depends on: network, storage) (added)\n'* ]]
	[[ $output == *$'  6. frontend (depends on: backend)\n'* ]]
	[[ $output == *$'Group 1: network\n  Group 2: cache, storage\n  Group 3: database\n  Group 4: backend\n'* ]]
	[[ $output == *'not known'* ]]
	workflow step.sloth 'sleep 0.2'
	for name in network cache storage; do
		sloth run step.sloth --stack "$name"
	done
	run sloth stack deps order --all
	[[ $output == *'estimate: ~'*'(without 3 of 6, which'*'With parallelization: ~'* ]]
	run sloth stack deps order --all --json
	[[ $output == *'"added": false'* ]]
	# cache and storage go at the same time.
	total=$(grep -o '"total_ms": [0-9]*' <<<"$output" | cut -d ' ' -f 2)
	parallel=$(grep -o '"parallel_ms": [0-9]*' <<<"$output" | cut -d ' ' -f 2)
	[ "$parallel" -lt "$total" ]
	run -4 sloth stack deps order nothing
	run -10 sloth stack deps order
	run -10 sloth stack deps order --all network
}

@test "check: well, with problems, of one stack" {
	setup_stacks
	run sloth stack deps check
	[ "$status" -eq 0 ]
	[[ $output == *'✓ No circular dependencies detected'*'Dependency tree is valid' ]]
	sloth stack deps add storage network '^3'
	sloth write /stacks/network/version --text 2.9
	sloth stack deps add frontend cache
	run sloth stack delete cache --yes
	[ "$status" -eq 5 ]
	[[ $output == *'backend, frontend depend on it'* ]]
	sloth stack delete cache --force
	run sloth stack deps check
	[ "$status" -eq 0 ]
	[[ $output == *'storage -> network: version 2.9 does not satisfy ^3'* ]]
	[[ $output == *'frontend -> cache: there is no stack cache'*'has 3 problems'* ]]
	run sloth stack deps check network
	[[ $output == *'Checking dependencies for: network'*'Dependency tree is valid' ]]
	run sloth stack deps check --json
	[[ $output == *'"valid": false'* ]]
	run sloth stack deps order frontend
	[[ $output == *'there is no stack cache'* ]]
	run -4 sloth stack deps check nothing
}

@test "check: a cycle, which only a database from elsewhere has" {
	setup_stacks
	pid=$(daemon_pid)
	kill "$pid"
	eventually test ! -d "/proc/$pid"
	sqlite3 "$SLOTH_HOME/sloth.db" "INSERT INTO deps (stack_id, on_id, on_name, requires, created_ms)
		SELECT a.id, b.id, b.name, '', 1 FROM stacks a, stacks b WHERE a.name = 'storage' AND b.name = 'database'"
	run -9 sloth stack deps check database
	[[ $output == *'✗ Circular dependency detected!'*'database -> storage -> database'* ]]
	[[ $output == *'1. Remove dependency: storage -> database'* ]]
	run -9 sloth stack deps check --json
	run sloth stack deps check network
	[ "$status" -eq 0 ]
	run -9 sloth stack deps order frontend
	[[ $output == *'database → storage → database'* ]]
	run sloth stack deps show backend
	[[ $output == *'they go round'* ]]
	run sloth stack deps graph --all
	[ "$status" -eq 0 ]
	[ "$(sloth cat /graph/cycles)" = 'database → storage → database  cut storage → database' ]
	sloth stack deps remove storage database
	sloth stack deps check
}

@test "graph: every form, by name of the file and by option" {
	setup_stacks
	sloth write /stacks/cache/version --text 'v1 "beta"'
	run sloth stack deps graph backend
	[ "$output" = $'backend\n├── cache\n└── database' ]
	run sloth stack deps graph backend --full-tree --show-versions
	[[ $output == *$'├── cache (v1 "beta")\n│   └── network\n'* ]]
	run sloth stack deps graph backend --format dot --show-versions
	[[ $output == digraph* ]]
	[[ $output == *'"cache" [label="cache\nv1 \"beta\""];'*'"backend" -> "cache";'* ]]
	run sloth stack deps graph --all --format mermaid --show-versions
	[[ $output == *'["cache<br/>v1 #34;beta#34;"]'* ]]
	run sloth stack deps graph backend --full-tree --json
	[[ $output == *'"statistics": {'*'"nodes": 5'* ]]
	run sloth stack deps graph backend --full-tree --output deps.dot
	[[ $output == *$'✓ Dependency graph generated: deps.dot\n\nGraph Statistics:\n  Total nodes:      5\n  Total edges:      6\n  Max depth:        3\n  Circular deps:    0' ]]
	[[ $(cat deps.dot) == digraph* ]]
	sloth stack deps graph backend --output deps.mmd
	[[ $(head -1 deps.mmd) == 'graph TB' ]]
	run -10 sloth stack deps graph backend --output deps.pdf
	run -10 sloth stack deps graph backend --format pdf
	run -10 sloth stack deps graph
	run -10 sloth stack deps graph backend --all
	run -4 sloth stack deps graph nothing
	run -4 sloth stack deps graph backend --output nowhere/deps.dot
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	run -12 setpriv --reuid 65534 --regid 65534 --clear-groups sloth stack deps graph backend --output "$PWD/deps.dot"
}

@test "graph: without Graphviz's library, the package that has it" {
	setup_stacks
	mkdir none
	: >none/libgvc.so.6
	run -1 env LD_LIBRARY_PATH="$PWD/none" sloth stack deps graph backend --output deps.png
	[[ $output == *'install the package libgvc6'* ]]
	[ ! -e deps.png ]
}

@test "graph: pictures by Graphviz's library" {
	ldconfig -p | grep -q libgvc.so.6 || skip 'libgvc6 is not installed'
	setup_stacks
	# What that library and fontconfig keep until the end is not ours.
	export ASAN_OPTIONS=detect_leaks=0
	sloth stack deps graph backend --full-tree --output deps.svg
	grep -q '<svg' deps.svg
	grep -q '>database<' deps.svg
	sloth stack deps graph backend --full-tree --output deps.png
	[ "$(head -c 8 deps.png | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]
	sloth stack deps graph backend --format SVG | grep -q '</svg>'
}
