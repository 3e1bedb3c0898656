"""A stack that has one of everything, so that whatever the tree can show of a stack is there to be looked at.

furnish() makes it as a user who runs a shell in the tree. `word` stands in all that is written into it: names, texts, values, what is
printed, what is found to have drifted. Whoever may not read the stack may not find the word anywhere.
"""

import os
import subprocess

WORKFLOW = """
workflow.define("%(word)sflow"):description("%(word)s"):version("1.0"):tasks({
    task("%(word)sbuild"):description("%(word)s"):command("mkdir -p out/%(word)s; echo %(word)s | tee out/%(word)s/a.txt top-%(word)s"):artifacts("out", "top-*")
        :retries(1, { base = 0.01 }):build(),
    task("%(word)sfiles"):depends_on("%(word)sbuild"):command(function()
        metrics.gauge("%(word)s", 1, { label = "%(word)s" })
        stack.set_output("%(word)s", "%(word)s")
        stack.set_output("hidden", "sealed-%(word)s", { sensitive = true })
        state.set("%(word)s", "%(word)s")
        print("%(word)s")
        assert(resource.file{ path = "%(files)s/%(word)s", content = "%(word)s\\n" })
        assert(resource.file{ path = "%(files)s/%(word)s.2", content = "two %(word)s\\n" })
        return { %(word)s = "%(word)s" }
    end):build(),
})
"""

FAILING = """
workflow.define("%(word)sbad"):tasks({ task("%(word)sfail"):command(function()
    resource.file{ path = "%(files)s/nowhere/%(word)s", content = "x" }
    error("%(word)s")
end):build() })
"""

SCRIPT = """
set -e
ended() { [ "$(cat runs/latest/wait)" = "$1" ] || { cat runs/latest/log runs/latest/error; return 1; }; }
mkdir -m 755 "$M/stacks/$NAME"
mkdir -m 700 "$M/stacks/$NAME-old"
echo "$WORD" >"$M/stacks/$NAME-old/description"
rmdir "$M/stacks/$NAME-old"
cd "$M/stacks/$NAME"
echo "$WORD" >description
echo "$WORD" >version
printf 'roots: ["%s"]\\n' "$FILES" >config.yaml
printf '%s: %s\\n' "$WORD" "$WORD" >values.yaml
echo "$WORD" >outputs.d/written
touch "tags/$WORD"
ln -s ../../base deps/base
printf %s "$FLOW" >"runs/$WORD.sloth"
ended success
printf %s "$BAD" >"runs/$WORD-bad.sloth"
ended failed
printf 'workflow.define("w"):stack("%s"):tasks({ task("t"):command("echo %s"):build() })' "$NAME" "$WORD" >"$M/runs/$NAME.sloth"
echo "description=$WORD name=$WORD tags=$WORD" >snapshots/new
echo "changed $WORD" >"$FILES/$WORD"
echo detect >drift
echo "ignore file/$FILES/$WORD.2 reason=$WORD" >drift || :
printf %s "$FLOW" >"$M/workflows/$NAME.sloth"
mkdir -m 755 "$M/state/$NAME"
echo "$WORD" >"$M/state/$NAME/$WORD"
touch "$M/locks/$NAME"
echo "$WORD" >"$M/locks/$NAME"
rm "$M/locks/$NAME"
touch "$M/locks/$NAME"
echo "$WORD" >"$M/secrets/$NAME"
printf 'reason="%s" operation=%s\\n' "$WORD" "$WORD" >lock
"""

CLOSE = """
set -e
rm -f "$M/stacks/$NAME/lock"
for thing in stacks/$NAME state/$NAME locks/$NAME workflows/$NAME.sloth; do
    chgrp "$GROUP" "$M/$thing"
    chmod "$MODE" "$M/$thing"
done
"""


def as_user(daemon, uid, script, groups=(), **words):
    """A shell script in the tree, as a user; M is the mount."""
    done = subprocess.run(
        ["setpriv", "--reuid", str(uid), "--regid", str(uid), *(["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]),
         "bash", "-xc", script],
        env={**daemon.environment, "M": str(daemon.tree), "HOME": "/", **words}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"as user {uid}: {done.stdout}{done.stderr[-2000:]}")
    return done.stdout


def furnish(daemon, name, uid, word):
    """The stack `name` of the user, with the word in all of it, open to all; still locked. The folder of the files that it looks after."""
    files = daemon.folder / f"files-{name}"
    files.mkdir(mode=0o700)
    os.chown(files, uid, uid)
    words = {"word": word, "files": str(files)}
    as_user(daemon, uid, SCRIPT, NAME=name, WORD=word, FILES=str(files), FLOW=WORKFLOW % words, BAD=FAILING % words)
    return files


def close(daemon, name, uid, gid, mode):
    """Gives what furnish() has made this group and mode."""
    as_user(daemon, uid, CLOSE, groups=(gid,), NAME=name, GROUP=str(gid), MODE=f"{mode:o}")
