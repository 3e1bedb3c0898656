#!/bin/sh
# Every script of the tree goes through shellcheck: scripts.sh SOURCE. Prints TAP.
set -eu
cd "$1"
result=0
n=0
list() {
	# Scripts by their first line or ending; bats' own language by its ending.
	find . -name '.git' -prune -o -name 'build*' -type d -prune -o -type f \( -name '*.sh' -o -name '*.bash' -o -path ./dev -o \
		-path ./.ci/run -o -name 'mount.sloth.in' -o -name '*.bash-completion' -o -name '*.bats' \) -print | sort
}
list | {
	while read -r file; do
		n=$((n + 1))
		case $file in
		# Completions and bats' tests split words on purpose, and bats runs each test in a shell of its own.
		*.bash-completion) set -- --shell=bash --exclude=SC2207,SC2034 ;;
		*.bats) set -- --shell=bats --severity=error ;;
		*) set -- --severity=style ;;
		esac
		if complaints=$(shellcheck -x "$@" "$file"); then
			echo "ok $n - $file"
		else
			echo "not ok $n - $file"
			echo "$complaints" | sed 's/^/# /'
			result=1
		fi
	done
	echo "1..$n"
	exit "$result"
}
