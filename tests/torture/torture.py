"""What the methods of ./dev torture share: their options, a daemon of their own, and the line of figures at the end.

A method is a program tests/torture/torture-NAME. It is called with

    --count N       so many images, kills, histories … (what CI asks for), or
    --seconds S     as many as fit into that time
    --seed X        the same random numbers again

and finds the programs in the folder that SLOTH_BUILD names. What it does meanwhile it tells on stderr; the last line of its
stdout has the figures. It ends with 0 when nothing was found, and with 1 when something was: then the last lines before say
what, and how to have it again (seed, folder). What it found it leaves; a folder of nothing found is cleared away.
"""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time


def options(description, **defaults):
    """The options of every method. `defaults` are further ones with a value each: pause=0.1 makes --pause."""
    parser = argparse.ArgumentParser(description=description)
    much = parser.add_mutually_exclusive_group(required=True)
    much.add_argument("--count", type=int)
    much.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    for name, value in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    chosen = parser.parse_args()
    # Who is asked to end cleans up first.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    say(f"seed {chosen.seed}")
    return chosen


def rounds(chosen):
    """Counts from 0: as often as --count says, or until --seconds are over."""
    end = time.monotonic() + (chosen.seconds or 0)
    number = 0
    while number < chosen.count if chosen.count else time.monotonic() < end:
        yield number
        number += 1


def needs_root():
    """What can't be done without ends here: meson calls it skipped."""
    if os.geteuid() != 0:
        say("this needs root")
        sys.exit(77)


def say(text):
    print(text, file=sys.stderr, flush=True)


def program(room, name):
    """A program of the build: program("fs", "slothd")."""
    return str(pathlib.Path(os.environ["SLOTH_BUILD"]) / room / name)


class Daemon:
    """A slothd with its home in `folder`/home and, with `mount`, its tree at `folder`/sloth; its log is `folder`/slothd.log."""

    def __init__(self, folder, mount=True, arguments=(), environment=None, binary=None):
        self.binary = binary or program("fs", "slothd")
        self.folder = pathlib.Path(folder)
        self.home = self.folder / "home"
        self.tree = self.folder / "sloth"
        self.log = self.folder / "slothd.log"
        self.mounts = mount
        self.arguments = list(arguments)
        self.environment = {**os.environ, "SLOTH_HOME": str(self.home), "LC_ALL": "C.UTF-8", "TZ": "UTC",
                            "XDG_CONFIG_HOME": str(self.folder / "config"), **(environment or {})}
        for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
            self.environment.pop(name, None)
        self.home.mkdir(exist_ok=True)
        self.tree.mkdir(exist_ok=True)
        self.process = None

    def start(self):
        """Returns when it serves; the time that this took, in seconds. Raises when it does not."""
        read, write = os.pipe()
        command = [self.binary, "--ready-fd", str(write), *self.arguments]
        if self.mounts:
            command += ["--mount", str(self.tree)]
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, pass_fds=[write], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        os.close(write)
        with os.fdopen(read, "rb") as ready:
            answer = ready.readline().strip()
        if answer != b"1":
            self.process.wait()
            raise RuntimeError(f"slothd did not start: {answer.decode(errors='replace')}\n{self.log.read_text(errors='replace')[-4000:]}")
        return time.monotonic() - began

    def kill(self):
        """As a crash ends it: nothing is written, and the mount is dead, which is taken away."""
        if self.process:
            self.process.kill()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                # One that was just telling the kernel of a name (fs/notifier.c) ends when its mount is broken off.
                subprocess.run(["umount", "-f", str(self.tree)], stderr=subprocess.DEVNULL, check=False)
                self.process.wait()
            self.process = None
        self.detach()

    def stop(self):
        """As an administrator ends it. Raises when it ends badly, a sanitizer's complaint included."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=120)
        self.process = None
        if status != 0:
            raise RuntimeError(f"slothd ended with {status}\n{self.log.read_text(errors='replace')[-4000:]}")

    def detach(self):
        if self.mounts:
            subprocess.run(["umount", "-l", str(self.tree)], stderr=subprocess.DEVNULL, check=False)

    def sloth(self, *words, text=None, check=True):
        """The command, against this daemon: what it printed."""
        done = subprocess.run([program("cli", "sloth"), *words], env=self.environment, input=text, text=True,
                              capture_output=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"sloth {' '.join(words)}: {done.stderr}")
        return done.stdout


class Folder:
    """A temporary folder that stays when the work in it fails: with Folder("kill") as folder."""

    def __init__(self, name, below=None):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"sloth-{name}.", dir=below or os.environ.get("SLOTH_TORTURE_DIR", "/var/tmp")))
        self.path.chmod(0o755)

    def __enter__(self):
        return self.path

    def __exit__(self, kind, error, trace):
        if error is None or getattr(error, "code", None) == 143:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            say(f"what there was is in {self.path}")
