"""The scenes of torture-kill: what people do, as small stories.

A scene is a generator. Up to its first yield it is prepared; what comes then is what somebody is killed in, wherever that may be; what comes after the
second yield sees to it that all is as it should, when the daemon serves again. A scene says what was promised (put(), make()), and takes
being broken off (perhaps()).
"""

import contextlib
import errno
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import checks
import torture

PATIENCE = 60  # seconds for what takes a tenth of one


class Finding(Exception):
    pass


class Played(Exception):
    """The daemon is gone, or somebody else; the scene can't go on."""


class Scenes:
    def write(self):
        one, two = self.stack(), self.stack()
        yield
        with self.perhaps():
            self.put(f"stacks/{one}/state/key", "1")
            self.put(f"stacks/{one}/state/key", "2")
            self.put(f"stacks/{one}/description", "what it is\n")
            self.put(f"stacks/{one}/outputs.d/url", "http://x\n")
            self.put(f"stacks/{one}/values.yaml", "a: 1\n")
            self.make(f"stacks/{one}/tags/red", lambda path: path.touch())
            self.make(f"stacks/{one}/deps/{two}", lambda path: path.symlink_to(f"../../{two}"))
            self.make(f"stacks/{one}/tags/red", os.unlink, None)
            self.put(f"workflows/v{self.number()}.sloth", 'task("x"):command("true")\n', value="")
            self.stack()

    def lock(self):
        one = self.stack()
        lock = f"stacks/{one}/lock"
        yield
        with self.perhaps():
            for _ in range(2):
                self.order(lock, "reason=x ttl=1h")
                self.trouble += self.tokens.given(lock, self.token(one))
                self.order(lock, "unlock")
            self.order(lock, "reason=short ttl=50ms")
            subprocess.run(["flock", str(self.tree / lock), "true"], check=True, timeout=PATIENCE, stderr=subprocess.DEVNULL)
            with open(self.tree / lock, "rb") as held:
                subprocess.run(["flock", "-x", str(held.fileno())], pass_fds=[held.fileno()], check=True, timeout=PATIENCE)
                self.trouble += self.tokens.given(lock, self.token(one))
            self.put("locks/named" + one, "reason=mine\n", value="locked")
        yield
        with self.perhaps():
            self.order("locks/named" + one, "unlock")
        self.promises.settled.pop("locks/named" + one, None)
        self.trouble += self.tokens.shown(lock, self.token(one))

    def token(self, stack):
        return json.loads(self.show(f"stacks/{stack}/status.json"))["token"]

    def run(self):
        one, thing = self.stack(), self.thing()
        yield
        with self.perhaps():
            name = self.submit(one, f"""
                task("a"):artifacts("out"):command([[{self.says("a")}; echo said; head -c 300000 /dev/zero >out]])
                task("b"):depends_on("a"):command(function()
                    resource.file{{ path = "{thing}", content = "new\\n" }}
                    file_ops.copy{{ src = "{thing}", dest = "{thing}.d/copy" }}
                    state.set("k", "new")
                    stack.set_output("o", "new")
                    return true
                end)
                task("c"):depends_on("b"):command([[{self.says("c")}]])
                workflow.define("w"):tasks({{ "a", "b", "c" }})
                """)
            self.ran(name)
        yield
        for line in self.spoiled(thing, ("old\n", "new\n")):
            raise Finding(line)

    def spoiled(self, thing, allowed):
        if not thing.exists() or thing.read_text() not in allowed:
            yield f"{thing} has {thing.read_text() if thing.exists() else None!r}"

    def failing(self, thing, policy):
        return f"""
            task("a"):command([[{self.says("a")}]]):undo([[{self.says("undo-a")}]])
            task("b"):depends_on("a"):command(function()
                resource.file{{ path = "{thing}", content = "new\\n" }}
                state.set("k", "new")
                return true
            end)
            task("c"):depends_on("b"):command("exit 3")
            workflow.define("w"):tasks({{ "a", "b", "c" }}):config({{ on_failure = "{policy}" }})
            """

    def rollback(self):
        one, thing = self.stack(), self.thing()
        self.put(f"stacks/{one}/state/k", "old")
        yield
        name = None
        with self.perhaps():
            name = self.submit(one, self.failing(thing, "rollback"), "rolled_back")
            self.ran(name, "rolled_back")
        yield
        # What a kill has left of it is taken back by hand.
        if name and self.show(f"{name}/status") in ("rollback_failed", "interrupted"):
            with self.perhaps():
                self.order(f"stacks/{one}/lock", "force reason=x")
            self.take_back(one, name)
        self.all_as_before(one, thing, name)

    def take_back(self, stack, name):
        """Undoes the run, unless there is nothing to undo."""
        try:
            self.order(f"{name}/ctl", "undo")
        except OSError as error:
            if error.errno != errno.ENOENT or "already" not in self.show("error"):
                raise Finding(f"{name} can't be undone after a kill: {self.show('error')}") from error
            return
        self.wait_for_runs()
        status = self.show(f"stacks/{stack}/runs/latest/status")
        if status != "success":
            raise Finding(f"{name} can't be undone after a kill: {status}: {self.show(f'stacks/{stack}/runs/latest/log')}")

    def all_as_before(self, stack, thing, name):
        if thing.read_text() != "old\n":
            raise Finding(f"{name}: {thing} has {thing.read_text()!r} after it was taken back")
        if self.show(f"stacks/{stack}/state/k") != "old":
            raise Finding(f"{name}: the state of {stack} is {self.show(f'stacks/{stack}/state/k')} after it was taken back")

    def changed(self):
        """A stack whose run has changed a thing."""
        one, thing = self.stack(), self.thing()
        self.put(f"stacks/{one}/state/k", "old")
        name = self.submit(one, f"""
            task("b"):command(function()
                resource.file{{ path = "{thing}", content = "new\\n" }}
                state.set("k", "new")
                return true
            end)
            """)
        self.ran(name)
        self.promises.settled[f"stacks/{one}/state/k"] = "new"
        return one, thing, name

    def undo(self):
        one, thing, name = self.changed()
        self.promises.begin(f"stacks/{one}/state/k", "old")
        yield
        with self.perhaps():
            self.order(f"{name}/ctl", "undo")
            self.show(f"stacks/{one}/runs/latest/wait")
        yield
        self.take_back(one, name)
        self.all_as_before(one, thing, name)

    def fix(self):
        one, thing, name = self.changed()
        thing.write_text("spoiled\n")
        self.order(f"stacks/{one}/drift", "detect")
        yield
        with self.perhaps():
            self.order(f"stacks/{one}/drift", "fix")
            self.show(f"stacks/{one}/runs/latest/wait")
        yield
        for line in self.spoiled(thing, ("spoiled\n", "new\n")):
            raise Finding(line)
        self.order(f"stacks/{one}/drift", "detect")
        with contextlib.suppress(FileNotFoundError):
            self.order(f"stacks/{one}/drift", "fix")
        self.wait_for_runs()
        if thing.read_text() != "new\n":
            raise Finding(f"{one}: {thing} has {thing.read_text()!r} after its drift was fixed")

    def detect(self):
        one, thing, _ = self.changed()
        thing.write_text("spoiled\n")
        yield
        with self.perhaps():
            self.order(f"stacks/{one}/drift", "detect")
        yield
        self.order(f"stacks/{one}/drift", "detect")
        if "file" not in self.show(f"stacks/{one}/drift"):
            raise Finding(f"the drift of {one} is not seen")

    def retry(self):
        one, flag = self.stack(), self.things / f"flag{self.number()}"
        name = self.submit(one, f"""
            task("a"):artifacts("out"):command([[{self.says("a")}; echo kept >out]])
            task("b"):depends_on("a"):command([[{self.says("b")}; test -e {flag}]])
            """, "failed")
        self.ran(name, "failed")
        flag.touch()
        yield
        with self.perhaps():
            self.order(f"{name}/ctl", "retry failed")
            self.show(f"stacks/{one}/runs/latest/wait")
            number = os.readlink(self.tree / f"stacks/{one}/runs/latest").rsplit("/", 1)[-1]
            (self.tree / "runs" / number / "artifacts/out").read_text()
            # And the first is deleted, with what it kept.
            self.promises.begin(f"{name}.sloth", None)
            os.rmdir(os.path.realpath(self.tree / name))
            self.promises.kept(f"{name}.sloth")
            time.sleep(0.1)

    def snapshot(self):
        one = self.stack()
        for text in ("1", "2", "3"):
            self.put(f"stacks/{one}/state/k", text)
            self.order(f"stacks/{one}/snapshots/new", f"with {text}")
        yield
        with self.perhaps():
            self.order(f"stacks/{one}/snapshots/new", "description=more name=good")
            self.promises.begin(f"stacks/{one}/state/k", "2")
            self.order(f"stacks/{one}/snapshots/restore", "undo")
            self.promises.kept(f"stacks/{one}/state/k")
            versions = sorted((int(path.name[1:]) for path in (self.tree / f"stacks/{one}/snapshots").glob("v[0-9]*")))
            os.rmdir(self.tree / f"stacks/{one}/snapshots/v{versions[1]}")
            os.rmdir(self.tree / f"stacks/{one}/snapshots/v{versions[2]}")
            time.sleep(0.1)  # for the collector, which wakes by itself

    def collect(self):
        one, two = self.stack(), self.stack()
        for number in range(30):
            self.put(f"stacks/{one}/state/k", str(number))
        self.make(f"stacks/{two}", os.rmdir, None)
        yield
        with self.perhaps():
            self.crash()
            self.start()
            time.sleep(3.5)  # its first round is two seconds after the start

    def secret(self):
        self.put(f"secrets/x{self.number()}", "word")
        yield
        with self.perhaps():
            self.put(f"secrets/x{self.number()}", "word")
            self.order("keys", "rotate")

    def first_key(self):
        self.begin()
        yield
        with self.perhaps():
            self.put(f"secrets/x{self.number()}", "word")

    def archive(self):
        self.stack()
        yield
        with self.perhaps():
            self.order("archives", "archive")
            self.stack()
            time.sleep(0.1)

    def backup(self):
        yield
        with self.perhaps():
            self.order("backups/new", "because")
            name = self.show("backups/new")
            self.order("backups/verify", name)
            os.unlink(self.tree / "backups" / name)

    def restore_backup(self):
        """All is as it was, or all as it is."""
        marker = f"state/all/marker{self.number()}"
        (self.tree / "state/all").mkdir(exist_ok=True)
        self.put(marker, "old")
        self.order("backups/new", "to go back to")
        self.wait_for_runs()
        before = {key: self.look(key) for key in self.promises.keys()}
        for key in before:
            self.promises.begin(key, before[key])
        self.promises.begin(marker, "new")
        with open(self.tree / marker, "w", encoding="utf-8") as out:
            out.write("new")
        self.promises.settled[marker] = "new"
        yield
        with self.perhaps():
            self.order("backups/restore", "latest")
            self.promises.settled[marker] = "old"
            self.promises.begun.pop(marker, None)
            self.until(lambda: self.look(marker) == "old")

    def validate(self):
        one = self.stack()
        yield
        with self.perhaps():
            self.show(f"stacks/{one}/validate")
            self.order("check", "deep")

    def queue(self):
        """One run waits for the lock of another."""
        one, flag = self.stack(), self.things / f"flag{self.number()}"
        first = self.submit(one, f'task("a"):command([[{self.says("a")}; until [ -e {flag} ]; do sleep 0.02; done]])')
        yield
        second = None
        with self.perhaps():
            path = f"stacks/{one}/runs/w{self.number()}.sloth"
            self.promises.begin(path, "")
            with open(self.tree / path, "w", encoding="utf-8") as out:
                os.setxattr(self.tree / path, "user.sloth.options", b'{"wait": "10m"}')
                out.write(f'task("b"):command([[{self.says("b")}]])')
            self.promises.kept(path)
            second = path[:-len(".sloth")]
            self.expected[os.path.basename(path)] = "success"
        flag.touch()
        with self.perhaps():
            self.ran(first)
            if second:
                self.ran(second)
        yield

    def cancel(self):
        one = self.stack()
        name = self.submit(one, f"""
            task("a"):command([[{self.says("a")}; exec sleep 600]]):grace(0)
            task("z"):always():command([[{self.says("z")}]])
            workflow.define("w"):tasks({{ "a", "z" }})
            """, "cancelled")
        self.eventually(lambda: self.ours("sleep"))
        yield
        self.endless = True
        with self.perhaps():
            self.order(f"{name}/ctl", "cancel")
            self.endless = False
            self.ran(name, "cancelled")
        yield
        with contextlib.suppress(OSError):
            self.order(f"{name}/ctl", "cancel")
        self.wait_for_runs()
        self.eventually(lambda: not self.ours("sleep"))

    def again(self):
        """A task that is tried again."""
        one, flag = self.stack(), self.things / f"flag{self.number()}"
        yield
        with self.perhaps():
            self.ran(self.submit(one, f"""
                task("a"):retries(3, {{ base = 0.05 }}):command([[{self.says("a.$SLOTH_TRY")}; test -e {flag} || {{ touch {flag}; exit 1; }}]])
                """))

    def rename(self):
        one, two = self.stack(), f"s{self.number()}"
        self.put(f"stacks/{one}/state/k", "1")
        yield
        with self.perhaps():
            for path, value in ((f"stacks/{one}", None), (f"stacks/{one}/state/k", None), (f"stacks/{two}", ""), (f"stacks/{two}/state/k", "1")):
                self.promises.begin(path, value)
            os.rename(self.tree / "stacks" / one, self.tree / "stacks" / two)
            for path in (f"stacks/{one}", f"stacks/{one}/state/k", f"stacks/{two}", f"stacks/{two}/state/k"):
                self.promises.kept(path)
            self.make(f"stacks/{two}", os.rmdir, None)
            self.promises.settled[f"stacks/{two}/state/k"] = None
            gone = [path for path in (self.tree / "destroyed").iterdir() if path.name.startswith(f"{two}.")]
            self.promises.begin(f"stacks/{two}", "")
            self.promises.begin(f"stacks/{two}/state/k", "1")
            self.order(f"destroyed/{gone[0].name}/restore", "")
            self.promises.kept(f"stacks/{two}")
            self.promises.kept(f"stacks/{two}/state/k")
        yield
        # A folder that goes takes its keys along.
        for path in (f"stacks/{one}", f"stacks/{two}"):
            if (self.tree / path).exists() and not (self.tree / path / "state/k").exists():
                raise Finding(f"{path} has lost its key")
            if not (self.tree / path).exists():
                self.promises.settled[f"{path}/state/k"] = None
                self.promises.begun.pop(f"{path}/state/k", None)

    def restore_alone(self):
        """slothd --restore, where a daemon was killed: all is as it was, or as it is."""
        (self.tree / "state/all").mkdir(exist_ok=True)
        marker = f"state/all/marker{self.number()}"
        self.put(marker, "old")
        self.order("backups/new", "to go back to")
        self.wait_for_runs()
        before = {key: self.look(key) for key in self.promises.keys()}
        for key in before:
            self.promises.begin(key, before[key])
        with open(self.tree / marker, "w", encoding="utf-8") as out:
            out.write("new")
        self.promises.settled[marker] = "new"
        self.promises.begin(marker, "old")
        self.crash()
        yield
        with self.perhaps():
            done = subprocess.run([torture.program("fs", "slothd"), "--restore", "latest"], env=self.daemon.environment, check=False,
                                  timeout=PATIENCE, capture_output=True)
            if done.returncode == 0:
                self.promises.kept(marker)
            elif done.returncode != -signal.SIGKILL:
                raise RuntimeError(done.stderr)

    def destroy(self):
        one = self.stack()
        self.put(f"stacks/{one}/state/k", "1")
        yield
        with self.perhaps():
            self.promises.begin(f"stacks/{one}/state/k", None)
            self.make(f"stacks/{one}", os.rmdir, None)
            self.promises.kept(f"stacks/{one}/state/k")

    def anew(self):
        """A newer program takes its place."""
        one = self.stack()
        self.submit(one, f'task("a"):command([[{self.says("a")}; sleep 0.3]])')
        yield
        with self.perhaps():
            times = self.daemon.log.read_text(errors="replace").count(" slothd ")
            self.daemon.process.send_signal(signal.SIGHUP)
            self.until(lambda: self.daemon.log.read_text(errors="replace").count(" slothd ") > times)
            self.wait_for_runs()

    def leave(self):
        yield
        with self.perhaps():
            self.stop()
            self.start()

    def come_back(self):
        """A daemon is killed and another one takes up its run."""
        one = self.stack()
        self.submit(one, f'task("a"):command([[{self.says("a")}; sleep 0.5; echo end]])')
        self.eventually(lambda: self.ledger.exists())
        with open(self.tree / f"stacks/{one}/lock", "rb") as held:
            self.crash()
            del held
        yield
        with self.perhaps():
            self.start()
            self.wait_for_runs()

    def come_back_alone(self):
        """The daemon and the run's process are killed."""
        one = self.stack()
        name = self.submit(one, f'task("a"):command([[{self.says("a")}; sleep 600]])', "interrupted")
        self.eventually(lambda: self.ours("sleep"))
        runners = self.ours("sloth-runner")
        self.crash()
        for pid in runners:
            os.kill(pid, signal.SIGKILL)
        yield
        with self.perhaps():
            self.start()
            self.wait_for_runs()
        del name

    def fresh(self):
        """The first start of all."""
        self.begin()
        self.stop()
        for path in self.daemon.home.glob("sloth.db*"):
            path.unlink()
        self.promises = checks.Promises()
        yield
        with self.perhaps():
            self.start()

    def migrate(self):
        self.begin()
        self.stop()
        for path in self.daemon.home.glob("sloth.db*"):
            path.unlink()
        source = pathlib.Path(os.environ["SLOTH_SOURCE"]) / "tests/engine/schema-4.sql"
        database = sqlite3.connect(self.daemon.home / "sloth.db")
        database.executescript(source.read_text() + "; PRAGMA application_id = 1399608424; INSERT INTO schema_versions VALUES (4, 1);"
                               "INSERT INTO stacks (name, uid, gid, mode, status, created_ms, updated_ms, outputs_ms, token, run_count, last_run)"
                               " VALUES ('older', 0, 0, 493, 'created', 1, 1, 1, 7, 0, 0);")
        database.close()
        self.promises = checks.Promises()
        self.promises.settled["stacks/older"] = ""
        yield
        with self.perhaps():
            self.start()
            self.show("backups/list")

    def service(self):
        one, root = self.stack(), self.things / f"root{self.number()}"
        root.mkdir()
        text = f"""
            task("up"):command(function()
                assert(resource.service{{ name = "sleeper", root = "{root}", command = "sleep 4242" }})
                return true
            end)
            """
        yield
        with self.perhaps():
            self.ran(self.submit(one, text))
        yield
        # Whatever a kill has left, the next run has it so.
        self.ran(self.submit(one, text))
        self.ran(self.submit(one, text.replace('command = "sleep 4242"', 'ensure = "absent"')))
        self.eventually(lambda: not self.ours("sloth-supervise"))


SCENES = ("write", "lock", "run", "rollback", "undo", "fix", "detect", "retry", "snapshot", "collect", "secret", "first_key", "archive", "backup",
          "restore_backup", "validate", "destroy", "queue", "cancel", "again", "rename", "restore_alone", "anew", "leave", "come_back", "come_back_alone", "fresh", "migrate", "service",
          "others", "clients")  # outsiders.py
