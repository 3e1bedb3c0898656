"""What the processes of torture-soak do, one thing after the other, until they are ended."""

import errno
import fcntl
import json
import os
import pathlib
import random
import signal
import subprocess
import time
import traceback

import doors
import torture

PATIENCE = 120.0  # until what must come is there, on a machine that is busy with other things
OTHERS = 60000  # uids of users who meet their quota: one a worker
STACKS_MAX = 5  # a user's, in the configuration
WORKFLOW = 'task("one"):command("true")\ntask("two"):depends_on("one"):command(function() return true, "done", { answer = 42 } end)\n'
BEHIND = 'task("behind"):command("sleep 0.5")\n'
MANAGED = 'task("t"):command(function() return resource.file{{ path = "{path}", content = "right\\n" }} end)\n'


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "wb", buffering=0) as file:
        file.write(text.encode())


class Gate:
    """While it is closed nobody works: who closes it waits for what is under way, and nobody begins meanwhile."""

    def __init__(self, folder):
        self.paths = [folder / "gate.before", folder / "gate.behind"]
        for path in self.paths:
            path.touch()

    def enter(self, how):
        before = os.open(self.paths[0], os.O_RDWR)
        behind = os.open(self.paths[1], os.O_RDWR)
        fcntl.flock(before, how)
        fcntl.flock(behind, how)
        return before, behind

    def work(self):
        """As one of many: the gate to give to leave()."""
        before, behind = self.enter(fcntl.LOCK_SH)
        os.close(before)
        return (behind,)

    def close(self):
        return self.enter(fcntl.LOCK_EX)

    @staticmethod
    def leave(held):
        for file in held:
            os.close(file)


class Worker:
    """A process with stacks of its own: one that it makes and destroys, one with runs that nobody waits for, one that looks after a file."""

    def __init__(self, daemon, gate, number, seed):
        self.daemon, self.tree, self.gate = daemon, daemon.tree, gate
        self.chance = random.Random(seed + number)
        self.number, self.made = number, 0
        self.stack = self.kept = None
        self.place = daemon.folder / f"place-{number}"
        self.thing = daemon.folder / f"thing-{number}"
        self.backup_after = 0.0

    def begin(self):
        self.made += 1
        self.stack = self.tree / "stacks" / f"soak-{self.number}-{self.made}"
        os.mkdir(self.stack)

    def furnish(self):
        self.place.mkdir()
        for name in ("behind", "managed"):
            os.mkdir(self.tree / "stacks" / f"{name}-{self.number}")
        self.begin()

    @staticmethod
    def until(what, come):
        end = time.monotonic() + PATIENCE
        while not come():
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {PATIENCE:.0f} s")
            time.sleep(0.02)

    def key(self):
        write(self.tree / "state" / "soak" / f"k{self.number}", str(self.chance.random()))

    def output(self):
        write(self.stack / "outputs.d" / f"o{self.chance.randrange(5)}", "x" * self.chance.randrange(1, 2000))

    def values(self):
        write(self.stack / "values.yaml", f"number: {self.chance.random()}\n")

    def config(self):
        write(self.stack / "config.yaml", f"lock_timeout: {self.chance.randrange(1, 9)}h\nmax_concurrent_executions: {self.chance.randrange(1, 4)}\n")

    def tag(self):
        tag = self.stack / "tags" / f"t{self.chance.randrange(4)}"
        if tag.exists():
            tag.unlink()
        else:
            tag.touch()

    def lock(self):
        write(self.stack / "lock", "soaking\n")
        write(self.stack / "lock", "unlock\n")

    def snapshot(self):
        write(self.stack / "snapshots" / "new", "of a soak\n")

    def look(self):
        for name in os.listdir(self.stack):
            path = self.stack / name
            if path.is_file() and not name.startswith(("validate", "coverage")):
                read(path)
        read(self.tree / "metrics")

    def listing(self):
        for entry in os.scandir(self.tree / "runs"):
            entry.is_dir()
            if self.chance.random() < 0.1:
                break

    def commands(self):
        """A handful at once."""
        crowd = [subprocess.Popen([torture.program("cli", "sloth"), "stack", "list"], env=self.daemon.environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL) for _ in range(4)]
        if any([child.wait() for child in crowd]):
            raise RuntimeError("sloth stack list failed")

    def connections(self):
        """A hundred clients that come, ask and go."""
        for _ in range(100):
            door = doors.Socket(self.daemon)
            door.read(f"stacks/{self.stack.name}/status")
            door.close()

    def run(self):
        write(self.stack / "runs" / "soak.sloth", WORKFLOW)
        read(self.stack / "runs" / "latest" / "wait")

    def behind(self):
        """A run that goes on while this one does other things, and while the daemon starts anew."""
        runs = self.tree / "stacks" / f"behind-{self.number}" / "runs"
        if os.path.lexists(runs / "latest"):
            read(runs / "latest" / "wait")
        write(runs / "behind.sloth", BEHIND)

    def drift(self, key):
        return json.loads(read(self.tree / "stacks" / f"managed-{self.number}" / "drift.json"))[key]

    def watched(self):
        """What is looked after is changed, which is seen, and put right, which is seen, too; every now and then another file is looked after."""
        runs = self.tree / "stacks" / f"managed-{self.number}" / "runs"
        if not self.kept or self.chance.random() < 0.2:
            self.kept = self.thing / f"file-{self.chance.randrange(3)}"
            write(runs / "managed.sloth", MANAGED.format(path=self.kept))
            read(runs / "latest" / "wait")
            if read(runs / "latest" / "status") != b"success\n":
                raise RuntimeError(f"the run that makes {self.kept} failed")
        self.until("watched", lambda: (self.drift("watching") or {}).get("unwatched") == 0)
        for text, drifted in ("wrong\n", 1), ("right\n", 0):
            write(self.kept, text)
            self.until(f"{self.kept} is {text.strip()}", lambda count=drifted: self.drift("summary")["drifted"] == count)

    def mounts(self):
        """A second place: it is there until the next time."""
        if not os.path.ismount(self.place):
            self.daemon.sloth("mount", str(self.place))
        elif not read(self.place / "stacks" / self.stack.name / "status"):
            raise RuntimeError(f"{self.place} has nothing")
        else:
            self.daemon.sloth("umount", str(self.place))

    def backup(self):
        """What takes long: a twentieth of the time of one worker."""
        if self.number or time.monotonic() < self.backup_after:
            return
        began = time.monotonic()
        write(self.tree / "backups" / "new", "of a soak\n")
        write(self.tree / "backups" / "verify", "latest\n")
        os.unlink(self.tree / "backups" / os.readlink(self.tree / "backups" / "latest"))
        self.backup_after = time.monotonic() + 20 * (time.monotonic() - began)

    def refused(self):
        """Another user has as many stacks as he may; each further one is refused."""
        if os.geteuid() != 0:
            return
        child = os.fork()
        if child == 0:
            os._exit(self.exceed())
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("the quota was not what it should be")

    def exceed(self):
        os.setgroups([])
        os.setgid(OTHERS + self.number)
        os.setuid(OTHERS + self.number)
        names = [self.tree / "stacks" / f"his-{self.number}-{count}" for count in range(STACKS_MAX + 3)]
        made = []
        for name in names:
            try:
                os.mkdir(name)
                made.append(name)
            except OSError as error:
                if error.errno != errno.EDQUOT:
                    torture.say(f"{name}: {error}")
                    return 1
        for name in made:
            os.rmdir(name)
        return 0 if made == names[:STACKS_MAX] else 1

    def end(self):
        os.rmdir(self.stack)
        self.begin()

    WORK = (key, key, output, output, values, config, tag, lock, lock, snapshot, look, listing, commands, connections, run, behind, watched,
            mounts, backup, refused, end)

    def work(self):
        try:
            held = self.gate.work()
            self.furnish()
            while True:
                self.gate.leave(held)
                held = self.gate.work()
                doing = self.chance.choice(self.WORK)
                doing(self)
        except Exception:  # pylint: disable=broad-except # a copy of the parent must not go on as that
            torture.say(f"worker {self.number}:\n{traceback.format_exc()}")
            os._exit(1)


def start(daemon, gate, number, seed):
    """A worker; its pid."""
    thing = pathlib.Path(daemon.folder / f"thing-{number}")
    thing.mkdir()
    child = os.fork()
    if child == 0:
        # What it starts ends with it.
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        Worker(daemon, gate, number, seed).work()
    return child
