"""What somebody gets to see who may not see a stack: wherever there is something to look at, he looks, and nowhere may the stack's word be.

Looker(...).look() gives a list of (where, what). It reads all of the tree that lets itself be read, at both doors; the sentences behind what
is refused; what the commands say; what a run of his own is told; what the kernel shows of the daemon's processes; and all files that the
daemon has anywhere.
"""

import subprocess

import people
import torture

# What a run of the looker's asks about another's stack.
QUESTIONS = """
local function try(name, fn, ...)
    print(name, pcall(fn, ...))
end
task("ask"):command(function()
    for _, what in ipairs({ "info", "outputs", "resources" }) do
        local ok, value = pcall(function() return stack("%(name)s")[what](stack("%(name)s")) end)
        print(what, ok, value)
        if type(value) == "table" then for k, v in pairs(value) do print(k, v, type(v) == "table" and next(v)) end end
    end
    try("output", function() return stack("%(name)s"):output("%(word)s") end)
    try("hidden", function() return stack("%(name)s"):output("hidden") end)
    try("resource", function() return stack("%(name)s"):resource("file", "%(files)s/%(guess)s") end)
    try("state", function() return state.namespace("%(name)s").get("%(guess)s") end)
    try("keys", function() return #state.namespace("%(name)s").keys() end)
    try("secret", function() return secret.get("%(name)s") end)
    try("file", function() return resource.file{ path = "%(files)s/%(guess)s", content = "x" } end)
end)
"""

# Commands of the shell, NAME is the stack. What they do does not matter: they are refused, or show what they may.
COMMANDS = """
stack list|stack show NAME|stack resources NAME|stack output NAME|stack output NAME hidden|stack export NAME|stack deps show NAME|stack deps graph
stack deps graph NAME|stack deps check|stack deps check NAME|stack deps order|stack deps order NAME mine|stack tags list|stack tags list NAME
stack validate NAME|stack activity NAME|stack drift show NAME|stack drift detect NAME|stack drift history NAME|stack coverage NAME
stack snapshot list NAME|stack snapshot show NAME v1|stack snapshot compare NAME v1 v2|stack destroyed list|stack history NAME|stack blame NAME
stack lock status NAME|stack lock list|stack lock acquire NAME|stack lock acquire NAME mine|stack lock force-release NAME --reason x
lock list|lock status NAME|lock acquire NAME|state list NAME/|state get NAME/x|state list|secrets list|secrets get NAME|stack state list
stack state show NAME|state workflow list|state workflow show NAME|workflow list|workflow show NAME|workflow plan NAME|workflow plan NAME.sloth
ls /|ls -l /runs|ls -l /stacks|ls -l /stacks/NAME|ls -l /destroyed|ls -l /locks|ls -l /secrets|ls -l /state|ls -l /tags|ls -l /workflows
events list|events list --stack NAME|audit verify|metrics|run list|run list -s NAME|run show RUN|logs RUN|retry RUN|backup list|check|doctor
with-lock stacks/NAME true|complete stack show ""|complete run show ""|complete stack output NAME ""|complete stack tags remove NAME ""
complete stack drift fix NAME ""|complete stack snapshot show NAME ""|complete state get ""|complete logs ""|complete workflow show ""
complete secrets get ""|complete lock release ""|complete stack deps remove NAME ""|complete stack blame NAME ""|stack undo NAME|version
"""


class Looker:
    def __init__(self, person, daemon, name, word, files):
        self.person, self.daemon, self.name, self.word, self.files = person, daemon, name, word, files
        self.found, self.looks = [], 0

    def see(self, where, what):
        self.looks += 1
        if not isinstance(what, bytes):
            what = str(what).encode(errors="surrogateescape")
        if self.word.encode() in what:
            start = max(0, what.index(self.word.encode()) - 200)
            self.found.append((where, what[start:start + 400].decode(errors="replace")))

    def ask(self, door, operation, path, *arguments):
        error, value = self.person.ask(door, operation, path, *arguments)
        self.see(f"{self.person.name} by {door}: {operation} {path}", value)
        return error, value

    def tree(self, door, path=""):
        error, found = self.ask(door, "stat", path or "/")
        if error:
            return
        kind = found["mode"] & 0o170000
        if kind == 0o040000:
            if door == "socket":
                self.ask(door, "list_attributes", path or "/")
            error, names = self.ask(door, "list", path or "/")
            for name in [] if error else names:
                self.tree(door, f"{path}/{name}")
        elif kind == 0o120000:
            self.ask(door, "readlink", path)
        else:
            if not path.endswith("/wait"):  # it would be waited for
                self.ask(door, "read", path)
            self.ask(door, "listxattr", path)

    def refusals(self):
        """Each is told why; the words are in `error`, or come with the answer."""
        guesses = ["status", "lock", "outputs", "nothing", "outputs.d/hidden", "outputs.d/nothing", "deps/base", "tags/x", "runs/latest", "drift.d",
                   "snapshots/v1", "state/x", "resources/file"]
        paths = [f"/stacks/{self.name}/{guess}" for guess in guesses]
        paths += [f"/{folder}/{self.name}" for folder in ("locks", "secrets", "workflows", "runs")] + [f"/state/{self.name}/x"]
        paths += [f"/runs/{run}{file}" for run in range(1, 12) for file in ("", "/log", "/status", "/tasks")]
        for path in paths:
            for operation in ("stat", "read", "open_write", "list", "unlink", "mkdir"):
                for door in people.DOORS:
                    error, text = self.ask(door, operation, path)
                    if door == "mount" and error:
                        self.ask(door, "read", "/error")

    def commands(self, runs):
        for line in COMMANDS.strip().replace("\n", "|").split("|"):
            words = ["" if word == '""' else word.replace("NAME", self.name).replace("RUN", str(runs[0])) for word in line.split()]
            done = subprocess.run([torture.program("cli", "sloth"), *words], env=self.environment(), input=b"", capture_output=True, timeout=60, check=False,
                                  user=self.person.uid, group=self.person.gid, extra_groups=[])
            self.see(f"{self.person.name}: sloth {' '.join(words)}", done.stdout + done.stderr)

    def environment(self):
        return {**self.daemon.environment, "HOME": "/nowhere"}

    def own_run(self, as_user):
        text = QUESTIONS % {"name": self.name, "word": "guessed", "guess": "guessed", "files": self.files}
        script = """
            mkdir -p "$M/stacks/mine"
            ln -s "../../$NAME" "$M/stacks/mine/deps/$NAME" || :
            cat "$M/stacks/mine/depends" "$M/stacks/mine/depends.json" "$M/stacks/mine/validate" || :
            printf %s "$TEXT" >"$M/stacks/mine/runs/ask.sloth" || cat "$M/error"
            cat "$M/stacks/mine/runs/latest/wait" "$M/stacks/mine/runs/latest/log"
            rm -f "$M/stacks/mine/deps/$NAME"
        """
        self.see(f"{self.person.name}: a run of his own", as_user(self.daemon, self.person.uid, script, NAME=self.name, TEXT=text))

    def processes(self):
        """Of the daemon and its own processes: a task's are its user's, who may say in them what he likes."""
        script = r"""
            for folder in /proc/[0-9]*; do
                case $(cat "$folder/comm" 2>/dev/null) in
                slothd | sloth-runner | sloth-spawner | sloth)
                    for file in cmdline environ status stat wchan comm cgroup maps mountinfo io limits stack attr/current; do cat "$folder/$file"; done
                    for link in cwd exe root fd/*; do readlink "$folder/$link"; done
                    ls "$folder/fd" "$folder/task" "$folder/map_files" ;;
                esac
            done
            cat /proc/net/unix /proc/mounts /proc/locks
            find /sys/fs/cgroup /dev/shm /dev/mqueue
        """
        self.shell("processes", script)

    def files_of_daemon(self):
        script = """
            find "$SLOTH_HOME" "$FOLDER" /tmp /run /var/tmp -xdev -newer "$SINCE" ! -path "$M/*" -name '*loth*' -o -path "$FOLDER/*" ! -path "$M/*" | sort
            grep -rls -- "$WORD" "$SLOTH_HOME" /run/sloth* /tmp/sloth* 2>/dev/null | sed 's/^/readable: /' | sed "s/$/ $WORD/"
        """
        self.shell("files", script)

    def shell(self, where, script):
        done = subprocess.run(["bash", "-c", script], env={**self.environment(), "M": str(self.daemon.tree), "FOLDER": str(self.daemon.folder),
                                                           "WORD": self.word, "SINCE": str(self.daemon.log)},
                              capture_output=True, timeout=120, check=False, user=self.person.uid, group=self.person.gid, extra_groups=[])
        self.see(f"{self.person.name}: {where}", done.stdout + done.stderr)

    def look(self, as_user, runs):
        for door in people.DOORS:
            self.tree(door)
        self.refusals()
        self.own_run(as_user)
        self.commands(runs)
        self.processes()
        self.files_of_daemon()
        return self.found
