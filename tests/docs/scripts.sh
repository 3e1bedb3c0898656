#!/bin/sh
# Every script of the tree goes through shellcheck: scripts.sh SOURCE. Prints TAP.
set -eu
cd "$1"
result=0
n=0
# By first line or by ending; mount.sloth is made from a template.
list()
{
	find . -name .git -prune -o -path './build*' -prune -o -type f -size -200k -print | sort | while read -r file; do
		case $file in
		*.sh | *.bash | *.bats | *.bash-completion | *.sh.in) echo "$file" ;;
		*) ! head -n 1 "$file" | grep -qE '^#! ?/(usr/)?bin/(env )?(sh|bash|dash)( |$)' || echo "$file" ;;
		esac
	done 2>/dev/null
}
list | {
	while read -r file; do
		n=$((n + 1))
		case $file in
		# Completions and bats' tests split words on purpose, and bats runs each test in a shell of its own. Names come from a
		# lib.bash or are only counted with, what ls says is what is tested, /dev/stdin is copied, files are called "done".
		*.bash-completion) set -- --shell=bash --exclude=SC2207,SC2034 ;;
		*.bats) set -- --shell=bats --severity=warning --exclude=SC2034,SC2154,SC2010,SC2216,SC1010,SC2089,SC2090,SC2207 ;;
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
