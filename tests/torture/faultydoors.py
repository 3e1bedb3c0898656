"""Operations through the doors, while one call of the daemon's fails: slothd-faulty is slothd with faults.c in it.

Each operation can say whether it is done. What was answered with success is done; what failed is not, and the caller was told why; the
same again succeeds when the fault is gone.
"""

import contextlib
import errno
import mmap
import random
import select
import shutil
import signal
import struct
import threading
import time

import doors
import torture

KINDS = ["alloc", "read", "write", "sync", "truncate", "open", "name", "map", "lock", "answer"]
SHORT = -1
# Name: what fails, how, and whether it stays so until the operation is over.
TROUBLES = {
    "alloc": ("alloc", errno.ENOMEM, False),
    "no-memory": ("alloc", errno.ENOMEM, True),
    "read-eio": ("read", errno.EIO, False),
    "read-short": ("read", SHORT, False),
    "write-eio": ("write", errno.EIO, False),
    "write-enospc": ("write", errno.ENOSPC, False),
    "disk-full": ("write", errno.ENOSPC, True),
    "write-short": ("write", SHORT, False),
    "sync-eio": ("sync", errno.EIO, False),
    "disk-dead": ("sync", errno.EIO, True),
    "truncate-enospc": ("truncate", errno.ENOSPC, False),
    "open-emfile": ("open", errno.EMFILE, False),
    "name-eio": ("name", errno.EIO, False),
    "name-enospc": ("name", errno.ENOSPC, False),
    "answer-enomem": ("answer", errno.ENOMEM, False),
    "answer-lost": ("answer", errno.ENOMEM, True),
}
PATIENCE = 30  # seconds: a hang


class Plan:
    """struct fault_plan of faults.h, in a file that the daemon maps."""

    FORM = "=6iq10q"

    def __init__(self, path):
        with open(path, "w+b") as file:
            file.truncate(4096)
            self.memory = mmap.mmap(file.fileno(), 4096)

    def arm(self, kind, error, nth, sticky):
        self.memory[0:4] = struct.pack("=i", 0)
        self.memory[: struct.calcsize(self.FORM)] = struct.pack(self.FORM, 0, KINDS.index(kind), error, sticky, 0, 0, nth, *[0] * len(KINDS))
        self.memory[0:4] = struct.pack("=i", 1)

    def disarm(self):
        """How often it failed, and how often each kind was called."""
        self.memory[0:4] = struct.pack("=i", 0)
        values = struct.unpack(self.FORM, self.memory[: struct.calcsize(self.FORM)])
        return values[5], dict(zip(KINDS, values[7:]))


class Mount(doors.Mount):
    """Here an errno is what was injected: it does not say that the daemon is gone."""

    def do(self, function, path, *arguments, **named):
        return function(f"{self.root}/{path}", *arguments, **named)


class Operation:
    """`do` and `undo` take a door; `done` says whether it is."""

    def __init__(self, do, done, undo=None):
        self.do, self.done, self.undo = do, done, undo


def contains(path, text):
    return lambda door: text in door.read(path)


def there(folder, name):
    return lambda door: name in door.list(folder)


def saved(folder, name, text):
    """A file whose making failed may be there, empty, as everywhere."""
    return lambda door: name in door.list(folder) and text in door.read(f"{folder}/{name}")


def gone(path):
    return lambda door: door.unlink(path)


def written(path, text):
    return lambda door: door.write(path, text)


def workflow(text):
    return f'task("a"):command("{text}"):build()\n'


class Run:
    """A run that was refused is there, too, and says why. One that was taken has come to its end, or says that the fault ended it."""

    def __init__(self):
        self.before = 0

    def newest(self, door):
        return max((int(name) for name in door.list("runs") if name.isdigit()), default=0)

    def do(self, door):
        door.write("stacks/prod/runs/c.sloth", workflow("true"))

    def wait(self, door):
        """How the newest ended; None: there is none."""
        run = self.newest(door)
        return door.read(f"runs/{run}/wait").strip() if run else None

    def done(self, door):
        run = self.newest(door)
        if run == self.before or "c.sloth" not in door.list("stacks/prod/runs"):
            return False
        status = self.wait(door)
        return status == "success" or (status == "interrupted" and "memory" in door.read(f"runs/{run}/error"))

    def undo(self, door):
        door.unlink("stacks/prod/runs/c.sloth")
        self.before = self.newest(door)

    def begin(self):
        """In a new home."""
        self.before = 0


RUN = Run()


OPERATIONS = {
    "make-stack": Operation(lambda door: door.mkdir("stacks/new"), there("stacks", "new"), lambda door: door.rmdir("stacks/new")),
    "destroy-stack": Operation(lambda door: door.rmdir("stacks/old"), lambda door: "old" not in door.list("stacks"),
                               lambda door: door.mkdir("stacks/old")),
    "rename-stack": Operation(lambda door: door.rename("stacks/old", "stacks/other"), there("stacks", "other"),
                              lambda door: door.rename("stacks/other", "stacks/old")),
    "lock": Operation(written("stacks/prod/lock", "reason=x ttl=1h\n"), contains("stacks/prod/lock", "locked_by"),
                      written("stacks/prod/lock", "unlock\n")),
    "unlock": Operation(written("stacks/held/lock", "unlock\n"), contains("stacks/held/lock", "unlocked"),
                        written("stacks/held/lock", "reason=x ttl=1h\n")),
    "set-key": Operation(written("stacks/prod/state/key", "value\n"), there("stacks/prod/state", "key"), gone("stacks/prod/state/key")),
    "set-large-key": Operation(written("stacks/prod/state/key", "x" * 60000), there("stacks/prod/state", "key"), gone("stacks/prod/state/key")),
    "increment": Operation(written("stacks/prod/state.ctl", "incr count 1\n"), contains("stacks/prod/state/count", "2"),
                           written("stacks/prod/state/count", "1\n")),
    "set-values": Operation(written("stacks/prod/values.yaml", "replicas: 7\n"), contains("stacks/prod/values.yaml", "7"),
                            written("stacks/prod/values.yaml", "replicas: 3\n")),
    "tag": Operation(written("stacks/prod/tags/eu", ""), there("stacks/prod/tags", "eu"), gone("stacks/prod/tags/eu")),
    "describe": Operation(written("stacks/prod/description", "the real thing\n"), contains("stacks/prod/description", "real"),
                          written("stacks/prod/description", "none\n")),
    "secret": Operation(written("secrets/token", "hunter2"), there("secrets", "token"), gone("secrets/token")),
    "save-workflow": Operation(written("workflows/b.sloth", workflow("true")), saved("workflows", "b.sloth", "task"), gone("workflows/b.sloth")),
    "run": Operation(RUN.do, RUN.done, RUN.undo),
    "read": Operation(lambda door: door.read("stacks/prod/export.json"), lambda door: True),
    "list": Operation(lambda door: door.list("stacks"), lambda door: True),
    "backup": Operation(written("backups/new", "a test\n"), contains("backups/list", "a test"),
                        lambda door: [door.unlink(f"backups/{name}") for name in door.list("backups") if name.endswith(".db")]),
    "audit": Operation(lambda door: door.read("audit"), lambda door: True),
    "check": Operation(written("check", "quick\n"), lambda door: True),
}


def furnish(door):
    for name in ("prod", "old", "held"):
        door.mkdir(f"stacks/{name}")
    door.write("stacks/prod/values.yaml", "replicas: 3\n")
    door.write("stacks/prod/state/count", "1\n")
    door.write("stacks/prod/description", "none\n")
    door.write("stacks/held/lock", "reason=x ttl=1h\n")


@contextlib.contextmanager
def patience():
    def over(*_):
        raise TimeoutError("it hangs")
    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def beside_runner(folder):
    """slothd-faulty where it finds sloth-runner: as in the build, or installed."""
    for room, name, source in (("fs", "slothd-faulty", "tests/torture"), ("lua", "sloth-runner", "lua")):
        (folder / "bin" / room).mkdir(parents=True)
        shutil.copy(torture.program(source, name), folder / "bin" / room)
    return str(folder / "bin" / "fs" / "slothd-faulty")


class Play:
    """A daemon, and what was found with it."""

    def __init__(self, folder, seed):
        self.plan = Plan(folder / "plan")
        self.daemon = torture.Daemon(folder, environment={"SLOTH_FAULTS": str(folder / "plan")},
                                     binary=beside_runner(folder))
        self.random = random.Random(seed)
        self.counts = {}
        self.found = []
        self.done = 0

    def begin(self):
        self.daemon.start()
        RUN.begin()
        self.doors = {"mount": Mount(self.daemon), "socket": doors.Socket(self.daemon)}

    def wait_until(self, operation, door, wanted):
        """Some things are done a moment after their answer; nothing that failed is done later."""
        end = time.monotonic() + (5 if wanted else 0)
        while True:
            done = operation.done(door)
            if done == wanted or time.monotonic() > end:
                return done
            select.select([], [], [], 0.05)

    def learn(self, name, door_name):
        """How often each kind is called when nothing fails."""
        operation, door = OPERATIONS[name], self.doors[door_name]
        self.plan.arm("alloc", errno.ENOMEM, 1 << 60, 0)
        operation.do(door)
        _, counts = self.plan.disarm()
        if not self.wait_until(operation, door, True):
            raise RuntimeError(f"{name} does nothing")
        if operation.undo:
            operation.undo(door)
        self.counts[name, door_name] = counts

    def attempt(self, name, door_name, trouble, nth):
        """None, or what is wrong."""
        operation, door = OPERATIONS[name], self.doors[door_name]
        kind, error, sticky = TROUBLES[trouble]
        marker = f"no name: {self.random.randrange(1 << 30)}"
        with contextlib.suppress(OSError):
            self.doors["mount"].mkdir(f"stacks/{marker}")
        refusal = lost = None
        self.plan.arm(kind, error, nth, int(sticky))
        # Who waits for what can't be done waits until it can.
        mended = threading.Timer(3, self.plan.disarm)
        mended.start()
        try:
            operation.do(door)
        except OSError as refused:
            refusal = refused
        except doors.Gone as connection:
            lost = connection
        mended.cancel()
        hits, _ = self.plan.disarm()
        if self.daemon.process.poll() is not None:
            return f"the daemon ended with {self.daemon.process.returncode}\n{self.daemon.log.read_text(errors='replace')[-3000:]}"
        if lost and not hits:
            return f"no answer: {lost}"
        done = self.wait_until(operation, door, refusal is None and lost is None)
        if refusal is None and lost is None and not done:
            return "it was said to be done, and is not"
        # An answer that can't be written is an error to whoever waits for it, whatever it was.
        if refusal and done and operation.undo and kind != "answer":
            return f"it failed ({refusal}), and is done"
        if refusal and door_name == "socket" and not refusal.strerror:
            return "nobody said why"
        # libfuse has no memory for words.
        if refusal and door_name == "mount" and kind not in ("alloc", "answer") and marker in door.read("error"):
            return f"{refusal}: the file error says nothing of it"
        if not done or not operation.undo:
            try:
                operation.do(door)
            except doors.Gone:  # it was cut off by the answer before
                operation.do(door)
            if not self.wait_until(operation, door, True):
                return "it is not done although the fault is gone"
        if operation.undo:
            operation.undo(door)
        return None

    def one(self, name=None, door_name=None, trouble=None):
        """Of this, or at random."""
        name = name or self.random.choice(list(OPERATIONS))
        door_name = door_name or self.random.choice(list(self.doors))
        if (name, door_name) not in self.counts:
            with patience():
                self.learn(name, door_name)
        counts = self.counts[name, door_name]
        trouble = trouble or self.random.choice([row for row, (kind, _, _) in TROUBLES.items() if counts[kind]])
        nth = self.random.randint(1, counts[TROUBLES[trouble][0]])
        self.done += 1
        try:
            with patience():
                wrong = self.attempt(name, door_name, trouble, nth)
        except (OSError, doors.Gone, TimeoutError) as error:
            wrong = f"afterwards: {error!r}"
        finally:
            self.plan.disarm()
        if wrong:
            self.found.append(f"{name} through the {door_name}, {trouble} {nth}: {wrong}")
            self.again()

    def again(self):
        """What is not as it should be does not spoil what comes."""
        try:
            self.daemon.kill()
        finally:
            for path in self.daemon.home.glob("*"):
                if path.is_file():
                    path.unlink()
        self.begin()
        furnish(self.doors["mount"])

    def end(self):
        for door in self.doors.values():
            if isinstance(door, doors.Socket):
                door.close()
        try:
            self.daemon.sloth("check", "--deep")
            self.daemon.stop()
        except RuntimeError as error:
            self.found.append(str(error))


def until(count, seconds):
    """So often, or so long."""
    end = time.monotonic() + (seconds or 0)
    number = 0
    while number < count if count else time.monotonic() < end:
        yield number
        number += 1


def rounds(chosen, folder, count, seconds):
    """What was found, and figures."""
    play = Play(folder, chosen.seed)
    play.begin()
    try:
        furnish(play.doors["mount"])
        for name, trouble in (("make-stack", "answer-enomem"), ("set-values", "answer-lost")):
            play.one(name, "mount", trouble)
        for _ in until(count, seconds):
            play.one()
            if len(play.found) > 12:
                break
        play.end()
    finally:
        play.daemon.kill()
    return play.found, f"{play.done} faults through two doors"


def finds(folder):
    """Whether a failure that the caller is not told of is seen."""
    def swallowed(door):
        with contextlib.suppress(OSError):
            door.write("stacks/prod/state/key", "value\n")

    play = Play(folder, 1)
    OPERATIONS["silent"] = Operation(swallowed, there("stacks/prod/state", "key"))
    play.begin()
    try:
        furnish(play.doors["mount"])
        return play.attempt("silent", "mount", "disk-full", 1) is not None
    finally:
        del OPERATIONS["silent"]
        play.daemon.kill()
