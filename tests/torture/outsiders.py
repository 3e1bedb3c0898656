"""Scenes of torture-kill with others than root and the daemon's own: an ordinary user, and clients that are killed."""

import contextlib
import os
import shutil
import signal
import subprocess
import time

import torture
from scenes import PATIENCE, Finding

SOMEBODY = 1000  # who is not root


class Outsiders:
    """For Stage. What it needs: self.clients_there = []."""

    def submit_as(self, uid, stack, text, once=True):
        """Another user does; why it was refused is not known then. Unless once, he tries again: an automatic fix may have the stack."""
        name = f"w{self.number()}"
        key = f"stacks/{stack}/runs/{name}.sloth"
        self.expected[f"{name}.sloth"] = None
        self.promises.begin(key, "")

        def done():
            return subprocess.run(["tee", str(self.tree / key)], input=text, text=True, user=uid, group=uid, extra_groups=[], check=False, cwd="/",
                                  timeout=PATIENCE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        if not once:
            self.eventually(done)
        elif not done():
            raise RuntimeError(f"user {uid} can't submit {key}")
        self.promises.kept(key)
        self.expected[f"{name}.sloth"] = "success"
        return key[:-len(".sloth")]

    def spoil(self, thing):
        """What is there: a run of another user's shall not find a file of root's."""
        with open(thing, "r+", encoding="utf-8") as out:
            out.truncate()
            out.write("spoiled\n")

    def others(self):
        """A run of somebody who is not root, and his drift, which is fixed by itself."""
        one, folder = self.stack(), self.things / f"others{self.number()}"
        folder.mkdir()
        os.chown(folder, SOMEBODY, SOMEBODY)
        self.ledger.touch()
        self.ledger.chmod(0o666)
        self.put(f"stacks/{one}/config.yaml", "auto_fix: high\nauto_fix_delay: 0\n")
        os.chown(self.tree / "stacks" / one, SOMEBODY, SOMEBODY)

        def text(*names):
            things = "\n".join(f'assert(resource.file{{ path = "{folder / name}", content = "new\\n" }})' for name in names)
            return f"""
                task("a"):command([[{self.says("a")}]])
                task("b"):command(function()
                    {things}
                    return true
                end)
                """
        yield
        with self.perhaps():
            self.ran(self.submit_as(SOMEBODY, one, text("first")))
            self.spoil(folder / "first")
            self.order(f"stacks/{one}/drift", "detect")
            self.until(lambda: (folder / "first").read_text() == "new\n")
            self.wait_for_runs()
        yield
        # Whatever a kill has left, it goes on; a resource that was fixed a moment ago waits for a minute, another one does not.
        self.ran_well(self.submit_as(SOMEBODY, one, text("first", "second"), once=False))
        self.is_somebodys(folder / "first")
        self.spoil(folder / "second")
        self.order(f"stacks/{one}/drift", "detect")
        self.eventually(lambda: (folder / "second").read_text() == "new\n")
        self.is_somebodys(folder / "second")

    def ran_well(self, name):
        """Also after a kill."""
        status = self.show(f"{name}/wait")
        if status != "success":
            raise Finding(f"{name} is {status}: {self.show(f'{name}/error')}")

    def is_somebodys(self, thing):
        if thing.read_text() != "new\n" or thing.stat().st_uid != SOMEBODY:
            raise Finding(f"{thing} has {thing.read_text()!r}, and is user {thing.stat().st_uid}'s")

    # Clients.

    def command(self):
        """A copy of the command, which finds no daemon to start beside it."""
        place = self.folder / "bin"
        if not place.exists():
            place.mkdir()
            shutil.copy(torture.program("cli", "sloth"), place / "sloth")
        return place / "sloth"

    def client(self, key, *words):
        """A process that is killed in the midst of what it does, which it began with `key`."""
        process = subprocess.Popen([str(word) for word in words], env=self.daemon.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.clients_there.append((key, process))

    def end_client(self, number):
        """Who said that it was done has done it."""
        key, process = self.clients_there.pop(number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.wait(PATIENCE) == 0 and key:
            self.promises.kept(key)

    def end_clients(self):
        while self.clients_there:
            self.end_client(-1)

    def number_of(self, name):
        return os.path.basename(os.path.realpath(self.tree / name))

    def clients(self):
        """Clients are killed: what they held goes, and what they asked for is wholly there or not at all."""
        locked, copied, run, asked, other = (self.stack() for _ in range(5))
        workflow, source, sloth = self.things / f"w{self.number()}.sloth", self.things / f"source{self.number()}", self.command()
        workflow.write_text(f'task("a"):command([[{self.says("a")}]])\n')
        source.write_text("a: new\nb: |\n" + "  x\n" * 50000)
        values, submitted, key, lock = f"stacks/{copied}/values.yaml", f"stacks/{run}/runs/{workflow.name}", f"stacks/{asked}/state/key", f"stacks/{locked}/lock"
        self.put(values, "a: old\n")
        goes_on = self.submit(other, f'task("a"):command([[{self.says("a")}; echo said]])')
        yield
        with self.perhaps():
            for begun, value in ((values, source.read_text().strip()), (submitted, ""), (key, "1")):
                self.promises.begin(begun, value)
            words = [(None, "flock", self.tree / lock, "sleep", "600"), (None, sloth, "with-lock", locked, "--", "sleep", "600"),
                     (values, "cp", source, self.tree / values), (key, sloth, "write", "--text", "1", "/" + key),
                     (submitted, sloth, "run", workflow, "--stack", run), (None, sloth, "follow", self.number_of(goes_on)),
                     (None, "tail", "-f", self.tree / "events")]
            self.random.shuffle(words)
            for one in words:
                self.client(*one)
                if self.random.random() < 0.5:
                    time.sleep(self.random.uniform(0, 0.1))
                    self.end_client(self.random.randrange(len(self.clients_there)))
            time.sleep(self.random.uniform(0, 0.1))
            self.end_clients()
        yield
        self.end_clients()
        if subprocess.run(["flock", "-w", str(PATIENCE), str(self.tree / lock), "true"], check=False).returncode:
            raise Finding(f"the lock of {locked} is held by who is dead: {self.show(lock)}")
