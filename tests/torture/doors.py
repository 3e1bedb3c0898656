"""The three ways to the tree, each with the same words: the mount, the socket, the command.

A refusal is an OSError with its errno. Gone says that no answer came: the daemon died, and what was asked may have been done or not.
"""

import errno
import json
import os
import re
import socket
import struct
import subprocess

import torture

GONE = {errno.EIO, errno.ENOTCONN, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE}


class Gone(Exception):
    """The daemon is not there (any more)."""


class Mount:
    def __init__(self, daemon):
        self.root = str(daemon.tree)

    def do(self, function, path, *arguments, **named):
        try:
            return function(f"{self.root}/{path}", *arguments, **named)
        except OSError as error:
            # Without a mount its folder is empty.
            if error.errno in GONE or not os.path.exists(f"{self.root}/version"):
                raise Gone(str(error)) from error
            raise

    def read(self, path):
        def all_of(name):
            with open(name, "rb") as file:
                return file.read().decode()
        return self.do(all_of, path)

    def write(self, path, text):
        def whole(name):
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                os.write(fd, text.encode())
            except OSError:
                os.close(fd)
                raise
            os.close(fd)
        self.do(whole, path)

    def ask(self, path, line):
        """A command, and what came of it: read from the same open file."""
        def asked(name):
            fd = os.open(name, os.O_RDWR)
            try:
                os.write(fd, line.encode())
                try:
                    return os.read(fd, 1 << 20).decode()
                except OSError as error:  # it was done; only what came of it is not known
                    raise Gone(str(error)) from error
            finally:
                os.close(fd)
        return self.do(asked, path)

    def list(self, path):
        return self.do(os.listdir, path)

    def mkdir(self, path):
        self.do(os.mkdir, path)

    def rmdir(self, path):
        self.do(os.rmdir, path)

    def unlink(self, path):
        self.do(os.unlink, path)

    def readlink(self, path):
        return self.do(os.readlink, path)

    def rename(self, path, to):
        self.do(os.rename, path, f"{self.root}/{to}")


class Socket:
    def __init__(self, daemon):
        self.place = str(daemon.home / "socket")
        self.stream = None
        self.number = 0

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.stream.recv(size - len(data))
            if not more:
                raise Gone("end of the connection")
            data += more
        return data

    def call(self, op, data=b"", **fields):
        self.number += 1
        try:
            if not self.stream:
                self.stream = socket.socket(socket.AF_UNIX)
                self.stream.connect(self.place)
            head = json.dumps({"op": op, "id": self.number, **fields}).encode()
            self.stream.sendall(struct.pack("=II", len(head), len(data)) + head + data)
            while True:
                sizes = struct.unpack("=II", self.exactly(8))
                answer, body = json.loads(self.exactly(sizes[0])), self.exactly(sizes[1])
                if answer.get("id") == self.number:
                    break
        except (OSError, Gone) as error:
            self.close()
            raise Gone(str(error)) from error
        if not answer.get("ok"):
            code = getattr(errno, str(answer.get("errno")), errno.EIO)
            raise OSError(code, answer.get("text"))
        return answer, body

    def close(self):
        if self.stream:
            self.stream.close()
        self.stream = None

    def read(self, path):
        return self.call("read", path=f"/{path}")[1].decode()

    def write(self, path, text):
        self.call("write", text.encode(), path=f"/{path}", mode=0o644)

    def ask(self, path, line):
        return self.call("write", line.encode(), path=f"/{path}")[1].decode()

    def list(self, path):
        return [row["name"] for row in self.call("list", path=f"/{path}")[0]["entries"]]

    def mkdir(self, path):
        self.call("mkdir", path=f"/{path}", mode=0o755)

    def rmdir(self, path):
        self.call("rmdir", path=f"/{path}")

    def unlink(self, path):
        self.call("unlink", path=f"/{path}")

    def readlink(self, path):
        return self.call("readlink", path=f"/{path}")[1].decode()

    def rename(self, path, to):
        self.call("rename", **{"from": f"/{path}", "to": f"/{to}"})


class Command(Socket):
    """What the command does in one word is done by it, the rest through the socket."""

    # The exit status says which kind of failure it was; of those that several share, the first.
    STATUS = {4: errno.ENOENT, 5: errno.EBUSY, 6: errno.ETIMEDOUT, 7: errno.ESTALE, 10: errno.EINVAL, 11: errno.EPERM,
              12: errno.EACCES, 13: errno.EBADMSG, 14: errno.ENOSPC, 15: errno.ECANCELED}

    program = None  # another one than the build's

    def __init__(self, daemon):
        super().__init__(daemon)
        self.environment = daemon.environment

    def sloth(self, *words, text=""):
        done = subprocess.run([self.program or torture.program("cli", "sloth"), *words], env=self.environment, input=text.encode(), capture_output=True,
                              timeout=120, check=False)
        said = done.stderr.decode(errors="replace")
        if done.returncode == 0:
            return done.stdout.decode()
        if done.returncode < 0 or "Sanitizer" in said or "runtime error" in said:
            raise RuntimeError(f"sloth {' '.join(words)} ended with {done.returncode}: {said}")
        if done.returncode not in self.STATUS or re.search("(no daemon|the daemon (is|has) |connection)", said):
            raise Gone(said)
        raise OSError(self.STATUS[done.returncode], said)

    def read(self, path):
        return self.sloth("cat", path)

    def write(self, path, text):
        self.sloth("write", path, text=text)


ALL = {"mount": Mount, "socket": Socket, "command": Command}
