#!/bin/bash
# The build that users install: optimised, no warning, nothing of the test build in it, and it starts.
# build.sh SOURCE
set -euo pipefail
source=$1
folder=$(mktemp -d "${TMPDIR:-/tmp}/sloth-release.XXXXXX")
trap 'rm -rf "$folder"' EXIT
meson setup "$folder" "$source" --buildtype release -Dwerror=true >"$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
rm -f "$folder.log"
ninja -C "$folder" cli/sloth fs/slothd lua/sloth-runner | tail -n 30
"$folder/cli/sloth" version
for program in cli/sloth fs/slothd lua/sloth-runner; do
	if grep -qE 'SLOTH_(FAILPOINT|FLAW)' "$folder/$program"; then
		echo "$program can be told to fail: that is for test builds"
		exit 1
	fi
done
mkfifo "$folder/ready"
export SLOTH_HOME=$folder/home
mkdir "$SLOTH_HOME"
"$folder/fs/slothd" --ready-fd 8 8>"$folder/ready" &
read -r answer <"$folder/ready"
[ "$answer" = 1 ]
"$folder/cli/sloth" stack create a
"$folder/cli/sloth" stack list | grep -qw a
kill $!
wait $!
