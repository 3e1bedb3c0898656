"""A daemon and its home, on which scenes are played (scenes.py) and somebody is killed (torture-kill)."""

import collections
import contextlib
import errno
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import checks
import torture
from outsiders import Outsiders
from scenes import PATIENCE, Finding, Played, Scenes

IN_DOUBT = {errno.ENOTCONN, errno.ECONNABORTED, errno.ECONNRESET, errno.EIO, errno.EINTR, errno.ENODEV, errno.EPIPE}
FINAL = ("success", "failed", "cancelled", "timed_out", "interrupted", "rolled_back", "rollback_failed")


class Stage(Scenes, Outsiders):
    """A daemon, its home, what was promised there, and the scenes."""

    def __init__(self, folder, seed, control):
        self.folder, self.random, self.control = pathlib.Path(folder), random.Random(seed), control
        self.lasts, self.stuck = {}, 0  # lasts: scene → seconds
        self.count, self.recoveries, self.kills, self.daemon = 0, [], collections.Counter(), None
        self.clients_there = []
        self.points = self.folder / "points"
        self.points.mkdir()
        self.points.chmod(0o777)
        self.homes = 0

    # The daemon.

    def begin(self):
        """A new home."""
        self.end()
        self.homes += 1
        folder = self.folder / f"home{self.homes}"
        folder.mkdir()
        (folder / "config" / "sloth").mkdir(parents=True)
        (folder / "config" / "sloth" / "config.yaml").write_text("snapshot_retention: 1s\nlock_timeout: 1h\n")
        (folder / "things").mkdir()
        self.daemon = torture.Daemon(folder, environment={"SLOTH_FAILPOINT": str(self.points), "SLOTH_CHECKPOINT_PAGES": "20",
                                                             **({"SLOTH_FLAW": self.control} if self.control else {})})
        self.tree, self.things, self.ledger = self.daemon.tree, folder / "things", folder / "ledger"
        self.promises, self.tokens, self.expected, self.saved = checks.Promises(), checks.Tokens(), {}, {}
        self.start()

    def end(self):
        """Nothing of it is left."""
        if not self.daemon:
            return
        if self.daemon.process:
            self.daemon.stop()
        self.sweep()
        shutil.rmtree(self.daemon.folder)
        self.daemon = None

    def clear(self):
        """After a failure: no process and no mount is left."""
        self.end_clients()
        if not self.daemon:
            return
        if self.daemon.process:
            with contextlib.suppress(Finding):
                self.crash()
        self.daemon.detach()
        self.sweep()

    def sweep(self):
        for pid in self.ours():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ours(self, comm=None):
        """Processes that stand in this home, or have it in their environment."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                name = (folder / "comm").read_text().strip()
                where = os.readlink(folder / "cwd")
                environ = (folder / "environ").read_bytes()
            except OSError:
                continue
            mine = where.startswith(str(self.daemon.folder)) or str(self.daemon.folder).encode() in environ or str(self.points).encode() in environ
            if mine and int(folder.name) != os.getpid() and (comm is None or name == comm):
                found.append(int(folder.name))
        return found

    def start(self):
        try:
            self.recoveries.append(self.daemon.start())
        except RuntimeError as error:
            if self.daemon.process.returncode != -signal.SIGKILL:
                raise Finding(str(error)) from error
            self.daemon.process = None
            raise Played from error

    def crash(self):
        """Without taking the mount away: that is for the next daemon. A scene may be ending it, too, or have another one."""
        if process := self.daemon.process:
            process.kill()
            self.is_dead(process)
            if self.daemon.process is process:
                self.daemon.process = None

    def is_dead(self, process):
        """Waits for the end of a daemon that was killed."""
        end = time.monotonic() + PATIENCE
        while process.poll() is None:
            if time.monotonic() > end:
                raise Finding("the daemon was killed, and does not end")
            self.unstick(process)
            time.sleep(0.01)

    def unstick(self, process):
        """A daemon may be killed while its notifier waits in the kernel for the lock of a folder in which somebody waits for the daemon: then
        neither ends before the connection is aborted (fs/notifier.h). It is, and counted."""
        if not process or process.poll() is not None or pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
            return
        time.sleep(1)
        if process.poll() is None:
            self.stuck += 1
            subprocess.run(["umount", "-f", str(self.tree)], stderr=subprocess.DEVNULL, check=False)

    def stop(self):
        process = self.daemon.process
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=PATIENCE)
        self.daemon.process = None
        if status not in (0, -signal.SIGKILL):
            raise Finding(f"the daemon ended with {status}")
        if status:
            raise Played

    # Failpoints.

    def arm(self, point, nth, action="kill"):
        self.count += 1
        new = self.points / "new"
        new.write_text(f"{point}:{nth}={action} {self.count}\n")
        new.chmod(0o666)  # whoever passes takes it, also who is not root
        self.nobody_was_hit()
        new.rename(self.points / "armed")

    def nobody_was_hit(self):
        with contextlib.suppress(FileNotFoundError):
            (self.points / "hit").unlink()

    def disarm(self):
        for name in ("armed", "new"):
            with contextlib.suppress(FileNotFoundError):
                (self.points / name).unlink()

    def was_hit(self):
        return (self.points / "hit").exists()

    # What scenes are made of.

    @contextlib.contextmanager
    def perhaps(self):
        """What is broken off by a kill; but not what is refused for another reason."""
        try:
            yield
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            self.trouble.append(error)

    def until(self, test):
        """Until it is so, or somebody was killed."""
        end = time.monotonic() + PATIENCE
        while not self.was_hit() and time.monotonic() < end:
            with contextlib.suppress(OSError):
                if test():
                    return
            time.sleep(0.02)

    def number(self):
        self.count += 1
        return self.count

    def put(self, path, text, key=None, value=None):
        """Writes a file of the tree, and remembers what was promised."""
        key, value = key or path, text.strip() if value is None else value
        if key not in self.promises.keys():  # some files are there from the beginning, and empty
            self.promises.settled[key] = self.look(key)
        self.promises.begin(key, value)
        try:
            with open(self.tree / path, "w", encoding="utf-8") as out:
                out.write(text)
        except OSError as error:
            if error.errno not in IN_DOUBT:
                self.promises.refused(key)
            raise
        self.promises.kept(key)

    def order(self, path, line):
        """A line for a control file, which promises nothing that is looked at here."""
        with open(self.tree / path, "w", encoding="utf-8") as out:
            out.write(line + "\n")

    def make(self, path, act, value=""):
        self.promises.begin(path, value)
        try:
            act(self.tree / path)
        except OSError as error:
            if error.errno not in IN_DOUBT:
                self.promises.refused(path)
            raise
        self.promises.kept(path)

    def show(self, path):
        return (self.tree / path).read_text(encoding="utf-8").strip()

    def look(self, key):
        """What there is of a promise."""
        path = self.tree / key
        if not os.path.lexists(path):
            return None
        return "" if path.is_dir() or path.is_symlink() or "/tags/" in key or "/runs/" in key or key.startswith("workflows/") else self.show(key)

    def stack(self):
        name = f"s{self.number()}"
        self.make(f"stacks/{name}", os.mkdir)
        return name

    def thing(self, text="old\n"):
        path = self.things / f"thing{self.number()}"
        path.write_text(text)
        return path

    def says(self, task):
        return f'echo "$SLOTH_RUN {task}" >>{self.ledger}'

    def submit(self, stack, text, expected="success"):
        """Writes a workflow; the name of its file without the end."""
        name = f"w{self.number()}"
        key = f"runs/{name}.sloth" if stack is None else f"stacks/{stack}/runs/{name}.sloth"
        self.expected[f"{name}.sloth"] = None
        self.put(key, text, value="")
        self.expected[f"{name}.sloth"] = expected
        return key[:-len(".sloth")]

    def ran(self, name, expected="success"):
        status = self.show(f"{name}/wait")
        if status != expected and not self.was_hit():
            raise Finding(f"{name} is {status}: {self.show(f'{name}/error')}")
        return status

    # After a round.

    def eventually(self, test):
        end = time.monotonic() + PATIENCE
        while not test():
            if time.monotonic() > end:
                raise Finding(f"never came true: {test.__code__.co_names}")
            time.sleep(0.02)

    def query(self, statement):
        database = sqlite3.connect(f"file:{self.daemon.home}/sloth.db?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    def unfinished(self):
        return self.query(f"SELECT id, status, file FROM runs WHERE status NOT IN {FINAL}")

    def wait_for_runs(self):
        end = time.monotonic() + PATIENCE
        while left := self.unfinished():
            if self.daemon.process is None or self.daemon.process.poll() is not None:
                raise RuntimeError("the daemon is gone")
            if time.monotonic() > end:
                raise Finding(f"runs that never end: {left}")
            time.sleep(0.02)

    def runs_wrong(self, killed):
        """Tasks that were done twice, or are called done and were not; runs that came to another end than they should."""
        found = []
        lines = collections.Counter(self.ledger.read_text().split("\n") if self.ledger.exists() else ())
        found += [f"done {times} times: run and task {line}" for line, times in lines.items() if line and times > 1]
        for run, task in self.query("SELECT run_id, t.name FROM tasks t JOIN run_texts x USING (run_id) WHERE t.status = 'success' AND"
                                    " which = 'workflow' AND CAST(content AS TEXT) LIKE '%' || char(34) || '$SLOTH_RUN ' || t.name || char(34) || '%'"
                                    " AND run_id NOT IN (SELECT id FROM runs WHERE retry_of > 0)"):
            if f"{run} {task}" not in lines:
                found.append(f"task {task} of run {run} is called done, and was not")
        if killed in ("slothd", "job", "sloth-watcher"):
            for run, status, name, error in self.query("SELECT id, status, file, (SELECT CAST(content AS TEXT) FROM run_texts WHERE run_id = id AND"
                                                       " which = 'error') FROM runs WHERE retry_of = 0"):
                expected = self.expected.get(name)
                if expected and status != expected:
                    found.append(f"run {run} was acknowledged, and its process lived: it is {status} and not {expected}: {error}")
        return found

    def settle(self, scene, killed):
        """The daemon serves; then all must be well."""
        if self.daemon.process and self.daemon.process.poll() is not None:
            status = self.daemon.process.returncode
            self.daemon.process = None
            if status != -signal.SIGKILL:
                raise Finding(f"the daemon ended with {status}")
        if not self.daemon.process:
            self.start()
        self.eventually(self.serves)
        if not self.endless:
            self.wait_for_runs()
        for _ in scene:
            self.eventually(self.serves)
        self.wait_for_runs()
        for error in self.trouble:
            if isinstance(error, (str, Finding)):
                raise Finding(str(error))
        found = [line for key in sorted(self.promises.keys()) for line in self.promises.found(key, self.look_again(key))]
        found += self.runs_wrong(killed)
        found += checks.wrong(self.daemon.home)
        found += checks.complained(self.daemon.log)
        if found:
            raise Finding("\n".join(found))
        self.eventually(lambda: not self.ours("sloth-runner") or not self.query("SELECT 1 FROM runs LIMIT 1"))

    def look_again(self, key):
        value = self.look(key)
        return "locked" if key.startswith("locks/") and value and value.startswith("locked_by") else None if key.startswith("locks/") else value

    def serves(self):
        try:
            return bool(self.show("version"))
        except OSError:
            if self.daemon.process.poll() is not None:
                raise Finding(f"the daemon ended with {self.daemon.process.returncode}") from None
            return False

    def play(self, scene):
        """The armed part, in a thread of its own, which must come to an end."""
        failure = []

        def act():
            try:
                next(scene, None)
            except (Finding, Played) as error:
                self.trouble.append(error)
            except Exception as error:  # a mistake of the scene
                failure.append(error)
        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        return thread, failure

    def finish(self, thread, failure):
        end = time.monotonic() + PATIENCE
        while thread.is_alive():
            if time.monotonic() > end:
                raise Finding("it hangs")
            thread.join(1)
            self.unstick(self.daemon.process)
        if failure:
            raise failure[0]

    def who_died(self):
        """The name of who was killed, when he is dead: slothd, job, sloth-runner, sloth-spawner, sloth-watcher, sloth-supervise."""
        pid, name = (self.points / "hit").read_text().split()
        process = self.daemon.process
        if process and process.pid == int(pid):
            self.is_dead(process)
        else:
            self.eventually(lambda: not self.lives(pid))
            name = "job" if name == "slothd" and process else name
        return name

    def lives(self, pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def comes_late(self):
        """What goes on when the scene has ended; mostly it was."""
        end = time.monotonic() + 1
        while not self.was_hit() and time.monotonic() < end:
            time.sleep(0.02)
        return self.was_hit()

    def prepare(self, name):
        self.trouble, self.expected, self.endless = [], {}, False
        scene = getattr(self, name)()
        next(scene)
        return scene

    def held(self, go_on):
        """The daemon is killed while a runner is held at its failpoint; that goes on with the next one, or is killed, too."""
        pid = int((self.points / "hit").read_text().split()[0])
        if self.daemon.process and self.daemon.process.poll() is None:
            self.crash()
        if not go_on:
            os.kill(pid, signal.SIGKILL)
        return pid

    def round_held(self, name, point, nth, go_on):
        scene = self.prepare(name)
        self.arm(point, nth, "pause")
        act = self.play(scene)
        self.until(lambda: not act[0].is_alive())
        hit = self.comes_late()
        self.disarm()
        pid = self.held(go_on) if hit else None
        self.finish(*act)
        self.kills[point] += hit
        if hit and not self.daemon.process:
            self.start()
        if pid and go_on:
            os.kill(pid, signal.SIGCONT)
        self.settle(scene, ("slothd" if go_on else "sloth-runner") if hit else None)
        return hit

    def victim(self):
        """Pid and name of one who lives; the daemon more often than others."""
        daemon = self.daemon.process
        if daemon and daemon.poll() is None and self.random.random() < 0.5:
            return daemon.pid, "slothd"
        with contextlib.suppress(OSError, IndexError):
            pid = self.random.choice(self.ours())
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            return pid, "job" if name == "slothd" and (not daemon or daemon.pid != pid) else name
        return None, None

    def round_random(self, name, seconds):
        scene = self.prepare(name)
        self.nobody_was_hit()
        act = self.play(scene)
        act[0].join(self.random.uniform(0, seconds))
        pid, who = self.victim()
        if pid:
            (self.points / "hit").write_text(f"{pid} {who.replace(' ', '_')}\n")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.kills["random"] += 1
        self.finish(*act)
        self.settle(scene, self.who_died() if pid else None)
        return who

    def round(self, name, point, nth):
        """True when somebody was killed."""
        scene = self.prepare(name)
        self.arm(point, nth)
        self.finish(*self.play(scene))
        hit = self.comes_late()
        self.disarm()
        died = self.who_died() if hit else None
        if hit:
            self.kills[point] += 1
        elif [error for error in self.trouble if not isinstance(error, Played)]:
            status = self.daemon.process.poll() if self.daemon.process else "not there"
            raise Finding(f"nobody was killed, and it failed: {self.trouble}; the daemon is {status}\n"
                          f"{self.daemon.log.read_text(errors='replace')[-4000:]}")
        self.settle(scene, died)
        return hit

    def learn(self, name):
        """Which failpoints a scene passes, and how often."""
        scene = self.prepare(name)
        self.nobody_was_hit()
        began = time.monotonic()
        passed = self.points / "passed"
        passed.touch()
        passed.chmod(0o666)
        self.finish(*self.play(scene))
        time.sleep(0.05)
        lines = collections.Counter(passed.read_text().split())
        self.lasts[name] = time.monotonic() - began
        passed.unlink()
        if self.trouble:
            raise Finding(f"it failed without a kill: {self.trouble}")
        self.settle(scene, None)
        return lines
