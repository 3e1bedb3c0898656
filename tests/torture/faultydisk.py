"""A disk that is full: the daemon's home, and what runs write, are on a small file system in which a ballast leaves little or nothing."""

import contextlib
import errno
import os
import random
import subprocess

import doors
import faultydoors
import torture

MEGABYTES = 48
LEFT = [0, 8, 40, 200, 1000, 4000]  # kilobytes
KEYS_MAX = 400  # of 50 KB each
ROOM = {errno.ENOSPC, errno.EDQUOT}

RUN = """
task("noisy"):command('i=0; while [ $i -lt 3000 ]; do echo "line $i of many, which take room in the log"; i=$((i+1)); done')
task("kept"):command('head -c 600000 /dev/urandom >big'):artifacts("big")
task("file", { command = function() return resource.file({ path = "%s", content = string.rep("new\\n", 100000) }) end })
"""


class Disk:
    """A small file system at `place`."""

    def __init__(self, folder, place):
        self.image, self.place = folder / "disk.img", place
        self.ballast = place / "ballast"

    def __enter__(self):
        with open(self.image, "wb") as file:
            file.truncate(MEGABYTES << 20)
        self.place.mkdir(exist_ok=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=4", self.image], check=True)
        subprocess.run(["mount", "-o", "loop", self.image, self.place], check=True)
        return self

    def __exit__(self, *error):
        subprocess.run(["umount", "-l", self.place], check=False)
        self.image.unlink()

    def fill(self, kilobytes):
        """So much is left, or nothing."""
        with open(self.ballast, "ab") as file:
            while (room := self.room() - (kilobytes << 10)) > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), min(room, 1 << 20) if room > 4096 else room)
                except OSError as full:
                    if full.errno != errno.ENOSPC or room <= 4096:
                        break
                    with contextlib.suppress(OSError):
                        os.posix_fallocate(file.fileno(), file.tell(), 4096)
                file.seek(0, os.SEEK_END)

    def room(self):
        there = os.statvfs(self.place)
        return there.f_bavail * there.f_frsize

    def empty(self):
        self.ballast.unlink(missing_ok=True)


class Play:
    def __init__(self, folder, disk, seed):
        self.disk = disk
        self.daemon = torture.Daemon(folder)
        self.random = random.Random(seed)
        self.found, self.done, self.refused = [], 0, 0
        self.target = disk.place / "managed" / "file"

    def wrong(self, text):
        self.found.append(f"{text} ({self.disk.room() >> 10} KB left)")

    def attempt(self, name, door_name):
        """Whether it was done; says what is wrong."""
        operation, door = faultydoors.OPERATIONS[name], self.doors[door_name]
        self.done += 1
        try:
            operation.do(door)
        except OSError as refusal:
            self.refused += 1
            if refusal.errno not in ROOM:
                self.wrong(f"{name} through the {door_name}: {refusal}")
            sentence = self.doors["mount"].read("error") if door_name == "mount" else refusal.strerror
            if "room" not in sentence and "space" not in sentence:
                self.wrong(f"{name} through the {door_name}: {refusal}, and nobody says why: {sentence}")
            if operation.undo and operation.done(door):
                self.wrong(f"{name} through the {door_name}: {refusal}, and it is done")
            return False
        if not operation.done(door):
            self.wrong(f"{name} through the {door_name}: it was said to be done, and is not")
        return True

    def run(self):
        """A run that writes: it ends, and what it replaces is there wholly, as it was or as it shall be."""
        done = subprocess.run([torture.program("cli", "sloth"), "run", "-", "--stack", "prod"], input=RUN % self.target, text=True,
                              env=self.daemon.environment, capture_output=True, timeout=120, check=False)
        content = self.target.read_text()
        if content not in ("old\n", "new\n" * 100000):
            self.wrong(f"the managed file has {len(content)} bytes of something else")
        beside = [path.name for path in self.target.parent.iterdir() if path != self.target]
        if beside:
            self.wrong(f"beside the managed file there is {beside}")
        return done

    def exhaust(self):
        """Keys are written until there is no room: how many were acknowledged."""
        door = self.doors[self.random.choice(list(self.doors))]
        for number in range(KEYS_MAX):
            try:
                door.write(f"stacks/prod/state/fill-{number}", self.content(number))
            except OSError as refusal:
                self.refused += 1
                if refusal.errno not in ROOM:
                    self.wrong(f"key {number}: {refusal}")
                return number
        return KEYS_MAX

    def content(self, number):
        return random.Random(number).randbytes(25000).hex()

    def acknowledged(self, count):
        """They are there, and no other."""
        door = self.doors["socket"]
        names = [name for name in door.list("stacks/prod/state") if name.startswith("fill-")]
        if len(names) != count:
            self.wrong(f"{count} keys were acknowledged, {len(names)} are there")
        for name in names:
            if door.read(f"stacks/prod/state/{name}").strip() != self.content(int(name[5:])):
                self.wrong(f"{name} is another")
            door.unlink(f"stacks/prod/state/{name}")

    def round(self):
        # Two that have to do with the same stack stand in each other's way.
        names = self.random.sample([name for name in faultydoors.OPERATIONS if name not in ("run", "rename-stack")], 6)
        left = self.random.choice(LEFT)
        self.target.write_text("old\n")
        torture.say(f"{left} KB left")
        self.disk.fill(left)
        keys = self.exhaust()
        done = []
        for name in names:
            door_name = self.random.choice(list(self.doors))
            if self.attempt(name, door_name):
                done.append((name, door_name))
        said = self.run()
        if self.random.random() < 0.5:
            # As a new daemon finds it.
            self.daemon.kill()
            self.disk.empty() if not self.starts() else None
        self.disk.empty()
        if not self.daemon.process:
            self.begin()
        if self.daemon.process.poll() is not None:
            raise RuntimeError(f"the daemon ended: {self.daemon.log.read_text(errors='replace')[-6000:]}")
        self.acknowledged(keys)
        for name, door_name in done:
            operation, door = faultydoors.OPERATIONS[name], self.doors[door_name]
            if operation.undo and operation.done(door):
                operation.undo(door)
        again = self.run()
        if again.returncode:
            self.wrong(f"a run fails although there is room: {again.stderr[-1500:]}\nbefore: {said.stderr[-1500:]}")

    def starts(self):
        """With a full disk a daemon may refuse to start, and says why."""
        try:
            self.begin()
            return True
        except RuntimeError as refusal:
            if "room" not in str(refusal) and "space" not in str(refusal) and "full" not in str(refusal):
                self.wrong(f"a daemon does not start, and does not say why: {refusal}")
            self.daemon.process = None
            return False

    def begin(self):
        self.daemon.start()
        self.doors = {"mount": faultydoors.Mount(self.daemon), "socket": doors.Socket(self.daemon)}


def rounds(chosen, folder, count, seconds):
    home = folder / "home"
    with Disk(folder, home) as disk:
        play = Play(folder, disk, chosen.seed)
        (disk.place / "managed").mkdir()
        play.begin()
        try:
            faultydoors.furnish(play.doors["mount"])
            number = 0
            for number, _ in enumerate(faultydoors.until(count, seconds), 1):
                play.round()
                if len(play.found) > 12:
                    break
            play.daemon.sloth("check", "--deep")
            play.daemon.stop()
        finally:
            disk.empty()
            play.daemon.kill()
    return play.found, f"{number} full disks, {play.refused} of {play.done} operations refused"
