# What the sessions share: a home of their own, and the end of its daemon.
# SLOTH_BUILD is the build's folder.

setup()
{
	: "${SLOTH_BUILD:?the folder of the build}"
	export SLOTH_HOME=$BATS_TEST_TMPDIR/home LC_ALL=C.UTF-8 TZ=UTC
	export PATH=$SLOTH_BUILD/cli:$PATH
	unset NO_COLOR XDG_RUNTIME_DIR
	cd "$BATS_TEST_TMPDIR" || return
	! type before_start &>/dev/null || before_start
}

# For before_start(): what stacks look after is looked at when somebody asks, and not whenever it changes.
unwatched()
{
	mkdir -p config/sloth
	export XDG_CONFIG_HOME=$PWD/config
	echo 'watch: false' >config/sloth/config.yaml
}

daemon_pid()
{
	sloth doctor --json | grep -o 'process [0-9]*' | cut -d ' ' -f 2
}

teardown()
{
	local pid
	[ -S "$SLOTH_HOME/socket" ] || return 0
	pid=$(daemon_pid)
	[ -z "$pid" ] || kill "$pid"
	[[ $SLOTH_HOME != /tmp/sloth-session-* ]] || rm -r "$SLOTH_HOME"
}

# workflow FILE SHELL-COMMAND: one task that runs the command.
workflow()
{
	local name=${1%.*}
	cat >"$1" <<END
local t = task("work"):command(function()
	local result = exec.run([[$2]])
	return result.success, result.stdout
end):build()
workflow.define("$name"):tasks({ t })
END
}

# Waits until a command succeeds; for what happens a moment later.
eventually()
{
	local end=$((SECONDS + 120))
	while ((SECONDS < end)); do
		"$@" >/dev/null 2>&1 && return 0
		read -rt 0.05 <> <(:) || :
	done
	echo "never came true: $*"
	return 1
}
