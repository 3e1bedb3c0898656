#!/bin/sh
# The manual pages are good pages, to mandoc and to groff: lint-pages.sh PAGE…. Prints TAP. scdoc leaves an empty paragraph before each heading and each
# indentation, of which mandoc complains and which nobody sees; all else counts.
set -eu

echo "1..$(($# * 4))"
n=0
result=0
report()
{
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
		return
	fi
	echo "not ok $n - $1"
	echo "$2" | sed 's/^/# /'
	result=1
}

for page in "$@"; do
	name=$(basename "$page")
	report "mandoc reads $name" "$(mandoc -Tlint -W warning "$page" | grep -v 'skipping paragraph macro: PP' || :)"
	report "groff reads $name" "$(groff -man -Kutf8 -Tutf8 -ww "$page" 2>&1 >/dev/null || :)"
	text=$(mandoc -Tascii "$page" | col -b)
	# What a reader sees: no sign of scdoc or roff.
	report "$name shows no markup" "$(echo "$text" | grep -nE '^ +\.[A-Z]{2} |\\f[BIR]|\*\*[a-z]|```|\+\+$' || :)"
	missing=''
	for section in NAME SYNOPSIS DESCRIPTION EXAMPLES 'SEE ALSO'; do
		case $section:$name in
		SYNOPSIS:*.7 | EXAMPLES:*.8) continue ;;
		esac
		echo "$text" | grep -qx "$section" || missing="$missing $section"
	done
	report "$name has its sections" "$missing"
done
exit "$result"
