"""The daemon's and its runners' other system calls: strace lets one of them fail, or each from then on for a while.

Whatever comes of it: nobody waits for ever, what was acknowledged is there when a daemon starts anew, and all goes on.
"""

import errno
import random
import signal
import subprocess
import time

import doors
import faultydoors
import torture

CALLS = {"sendmsg": ["EAGAIN", "ENOMEM", "EPIPE"], "recvmsg": ["ENOMEM", "EMFILE"], "accept4": ["EMFILE", "ENOMEM", "ECONNABORTED"],
         "epoll_ctl": ["ENOMEM", "ENOSPC"], "openat": ["EMFILE", "EIO", "ENOSPC"], "fsync": ["EIO"], "fdatasync": ["EIO", "ENOSPC"],
         "renameat2": ["EIO", "ENOSPC"], "socketpair": ["EMFILE"], "pipe2": ["EMFILE", "ENFILE"], "clone": ["EAGAIN", "ENOMEM"],
         "vfork": ["EAGAIN"], "clone3": ["EAGAIN"], "pidfd_open": ["EMFILE"], "pwrite64": ["ENOSPC", "EIO"], "mkdir": ["ENOSPC"],
         "timerfd_create": ["EMFILE"], "inotify_init1": ["EMFILE"], "inotify_add_watch": ["ENOSPC"], "write": ["ENOSPC", "EIO"]}
OPERATIONS = ["make-stack", "lock", "set-key", "set-values", "tag", "run", "save-workflow", "secret", "backup", "read"]


class Play:
    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.daemon = torture.Daemon(folder)
        self.tracer = None
        self.found, self.refused, self.done = [], 0, 0

    def open_doors(self):
        self.doors = {"mount": faultydoors.Mount(self.daemon), "socket": doors.Socket(self.daemon)}

    def trace(self):
        """What fails from now on, in words."""
        call = self.random.choice(list(CALLS))
        error = self.random.choice(CALLS[call])
        when = self.random.choice(["{n}", "{n}", "{n}+", "{n}..{m}"]).format(n=(n := self.random.randint(1, 40)), m=n + 5)
        self.tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                                        f"inject={call}:error={error}:when={when}", "-p", str(self.daemon.process.pid)],
                                       stderr=subprocess.DEVNULL)
        end = time.monotonic() + 5
        while "TracerPid:\t0" in open(f"/proc/{self.daemon.process.pid}/status").read() and time.monotonic() < end:
            time.sleep(0.02)
        return f"{call} {error} {when}"

    def untrace(self):
        if self.tracer:
            self.tracer.send_signal(signal.SIGINT)
            self.tracer.wait(10)
        self.tracer = None

    def attempt(self, name, door_name, what):
        """True: done; None: nobody knows."""
        self.done += 1
        operation, door = faultydoors.OPERATIONS[name], self.doors[door_name]
        try:
            with faultydoors.patience():
                operation.do(door)
            return True
        except TimeoutError:
            self.found.append(f"{what}: {name} through the {door_name} hangs")
            return None
        except doors.Gone:
            return None
        except OSError as refusal:
            self.refused += 1
            if refusal.errno in (errno.ENOTCONN, errno.ECONNABORTED) and self.daemon.process.poll() is None:
                self.found.append(f"{what}: {name} through the {door_name}: {refusal}, and the daemon lives")
            return False

    def round(self):
        what = self.trace()
        torture.say(what)
        results = {name: self.attempt(name, self.random.choice(list(self.doors)), what)
                   for name in self.random.sample(OPERATIONS, 4)}
        self.untrace()
        status = self.daemon.process.poll()
        if status is not None:
            self.found.append(f"{what}: the daemon ended with {status}: {self.daemon.log.read_text(errors='replace')[-2000:]}")
        if status is not None or self.random.random() < 0.3:
            self.daemon.kill()
            self.daemon.start()
            self.open_doors()
        door = doors.Socket(self.daemon)
        faultydoors.RUN.wait(door)  # which has the lock as long as it runs
        for name, result in results.items():
            operation = faultydoors.OPERATIONS[name]
            with faultydoors.patience():
                done = operation.done(door)
                if result and not done:
                    self.found.append(f"{what}: {name} was said to be done, and is not")
                if not done:
                    try:
                        operation.do(door)
                    except OSError as error:
                        self.found.append(f"{what}: {name} fails although nothing is wrong any more: {error}")
                        continue
                if operation.undo:
                    operation.undo(door)
        door.close()
        self.open_doors()


def rounds(chosen, folder, count, seconds):
    play = Play(folder, chosen.seed)
    number = 0
    play.daemon.environment["ASAN_OPTIONS"] = "detect_leaks=0"
    play.daemon.start()
    faultydoors.RUN.begin()
    play.open_doors()
    try:
        faultydoors.furnish(play.doors["mount"])
        for number in faultydoors.until(count, seconds):
            play.round()
            if len(play.found) > 12:
                break
        play.daemon.sloth("check", "--deep")
        play.daemon.stop()
    finally:
        play.untrace()
        play.daemon.kill()
    return play.found, f"{number + 1} system calls, {play.refused} of {play.done} operations refused"
