"""A disk whose power can be cut: an ext4 image in an XFS that shares blocks.

A clone of the image while it is mounted is what a machine finds on its disk after the power was cut at that moment: what the kernel had
not yet written is not there, what was synced is. Mounting it replays the journal, as booting does.
"""

import os
import pathlib
import signal
import subprocess
import time


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr}")


def processes(folder):
    """Those that stand in a folder or below it."""
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(place / "cwd").removesuffix(" (deleted)").startswith(f"{folder}"):
                yield int(place.name)
        except OSError:
            pass


class Disk:
    """Images by name; one at a time is at `place`. `with Disk(folder, place) as disk`."""

    def __init__(self, folder, place, megabytes=96):
        self.below = pathlib.Path(folder) / "images"
        self.place = pathlib.Path(place)
        self.file = pathlib.Path(folder) / "xfs.img"
        self.megabytes = megabytes
        self.there = False

    def __enter__(self):
        self.below.mkdir()
        self.place.mkdir(exist_ok=True)
        with open(self.file, "wb") as file:
            file.truncate(8 << 30)
        run("mkfs.xfs", "-q", "-m", "reflink=1", self.file)
        run("mount", "-o", "loop,discard", self.file, self.below)
        return self

    def __exit__(self, *error):
        self.detach()
        run("umount", "-l", self.below)
        self.file.unlink()

    def image(self, name):
        return self.below / f"{name}.img"

    def make(self, name):
        with open(self.image(name), "wb") as file:
            file.truncate(self.megabytes << 20)
        run("mkfs.ext4", "-q", "-F", "-J", "size=8", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image(name))

    def clone(self, name, new):
        run("cp", "--reflink=always", self.image(name), self.image(new))

    def remove(self, name):
        self.image(name).unlink(missing_ok=True)

    def attach(self, name):
        run("mount", "-o", "loop,discard", self.image(name), self.place)
        self.there = True

    def detach(self):
        """Ends who still stands in it."""
        if not self.there:
            return
        end = time.monotonic() + 30
        while subprocess.run(["umount", self.place], capture_output=True, check=False).returncode:
            for pid in processes(self.place):
                os.kill(pid, signal.SIGKILL)
            if time.monotonic() > end:
                run("umount", "-l", self.place)
                break
            time.sleep(0.02)
        self.there = False
