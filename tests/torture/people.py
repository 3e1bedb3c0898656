"""Users of a daemon, each a process with its rights, and the two doors through which they come.

Person(uid, gid, groups) has door("mount") and door("socket"); ask() has it do an operation of OPERATIONS there. What comes back is an errno
(0: it was done) and what was read. Operations leave nothing behind: what one makes it removes, what it sets is what was so already.
"""

import contextlib
import errno
import fcntl
import json
import multiprocessing
import os
import select
import socket
import stat
import struct
import subprocess

import torture


class Mount:
    """Through the kernel. Links are not followed: what is asked for is the link."""

    def __init__(self, tree, _socket_path):
        self.tree = tree

    def _open(self, path, flags):
        return os.open(self.tree + path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)

    @contextlib.contextmanager
    def _opened(self, path, flags):
        fd = self._open(path, flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def stat(self, path):
        found = os.lstat(self.tree + path)
        return {"mode": found.st_mode, "uid": found.st_uid, "gid": found.st_gid, "ino": found.st_ino, "size": found.st_size}

    def list(self, path):
        return sorted(os.listdir(self.tree + path))

    def readlink(self, path):
        return os.readlink(self.tree + path)

    def open_read(self, path):
        with self._opened(path, os.O_RDONLY):
            pass

    def open_write(self, path):
        with self._opened(path, os.O_WRONLY):
            pass

    def open_both(self, path):
        with self._opened(path, os.O_RDWR):
            pass

    def open_cut(self, path):
        with self._opened(path, os.O_WRONLY | os.O_TRUNC):
            pass

    def open_append(self, path):
        with self._opened(path, os.O_WRONLY | os.O_APPEND):
            pass

    def read(self, path):
        parts = []
        with self._opened(path, os.O_RDONLY) as fd:
            while part := os.read(fd, 1 << 17):
                parts.append(part)
        return b"".join(parts)

    def seek(self, path):
        with self._opened(path, os.O_RDONLY) as fd:
            os.lseek(fd, 1, os.SEEK_SET)
            os.lseek(fd, 0, os.SEEK_END)

    def poll(self, path):
        with self._opened(path, os.O_RDONLY) as fd:
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            poller.poll(0)

    def allocate(self, path):
        with self._opened(path, os.O_WRONLY) as fd:
            os.posix_fallocate(fd, 0, 1)

    def flock(self, path):
        with self._opened(path, os.O_RDONLY) as fd:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def create(self, path):
        with self._opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL):
            pass
        os.unlink(self.tree + path)

    def mkdir(self, path):
        os.mkdir(self.tree + path)
        os.rmdir(self.tree + path)

    def unlink(self, path):
        os.unlink(self.tree + path)

    def rmdir(self, path):
        os.rmdir(self.tree + path)

    def rename(self, path, new):
        os.rename(self.tree + path, self.tree + new)

    def symlink(self, path):
        os.symlink("../nothing", self.tree + path)

    def link(self, path, new):
        os.link(self.tree + path, self.tree + new, follow_symlinks=False)

    def mknod(self, path):
        os.mknod(self.tree + path, stat.S_IFIFO | 0o600)

    def chmod(self, path, mode):
        os.chmod(self.tree + path, mode)

    def chown(self, path, uid, gid):
        os.lchown(self.tree + path, uid, gid)

    def utimens(self, path):
        os.utime(self.tree + path, (1, 1), follow_symlinks=False)

    def touch(self, path):
        os.utime(self.tree + path, None, follow_symlinks=False)

    def truncate(self, path):
        os.truncate(self.tree + path, 0)

    def setxattr(self, path):
        os.setxattr(self.tree + path, "user.sloth.nothing", b"1", follow_symlinks=False)

    def getxattr(self, path):
        os.getxattr(self.tree + path, "user.sloth.ttl", follow_symlinks=False)

    def listxattr(self, path):
        os.listxattr(self.tree + path, follow_symlinks=False)

    def removexattr(self, path):
        os.removexattr(self.tree + path, "user.sloth.nothing", follow_symlinks=False)


TYPES = {"dir": stat.S_IFDIR, "file": stat.S_IFREG, "link": stat.S_IFLNK}


class Socket:
    """Through the socket, by the operations of doc/protocol.md."""

    def __init__(self, _tree, socket_path):
        self.path = socket_path
        self.stream = None

    def call(self, op, body=b"", **words):
        if self.stream is None:
            self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.stream.connect(self.path)
        head = json.dumps({"op": op, "id": 1, **words}).encode()
        self.stream.sendall(struct.pack("=II", len(head), len(body)) + head + body)
        sizes = struct.unpack("=II", self._take(8))
        answer = json.loads(self._take(sizes[0]))
        body = self._take(sizes[1])
        if not answer.get("ok"):
            raise OSError(getattr(errno, answer["errno"], errno.EPROTO), answer.get("text", ""))
        return answer, body

    def _take(self, size):
        data = b""
        while len(data) < size:
            part = self.stream.recv(size - len(data))
            if not part:
                raise ConnectionError("the daemon hung up")
            data += part
        return data

    def stat(self, path):
        attr = self.call("stat", path=path)[0]["attr"]
        return {**attr, "mode": attr["mode"] & 0o7777 | TYPES[attr["type"]]}

    def list(self, path):
        return sorted(entry["name"] for entry in self.call("list", path=path)[0]["entries"])

    def list_attributes(self, path):
        return [entry.get("attr") for entry in self.call("list", path=path, attr=True)[0]["entries"]]

    def readlink(self, path):
        return self.call("readlink", path=path)[1].decode()

    @contextlib.contextmanager
    def _opened(self, path, *flags):
        handle = self.call("open", path=path, flags=flags)[0]["handle"]
        try:
            yield handle
        finally:
            self.call("close", handle=handle)

    def open_read(self, path):
        with self._opened(path, "read"):
            pass

    def open_write(self, path):
        with self._opened(path, "write"):
            pass

    def open_both(self, path):
        with self._opened(path, "read", "write"):
            pass

    def open_cut(self, path):
        with self._opened(path, "write", "truncate"):
            pass

    def open_append(self, path):
        with self._opened(path, "write", "append"):
            pass

    def read(self, path):
        return self.call("read", path=path)[1]

    def flock(self, path):
        with self._opened(path, "read") as handle:
            self.call("flock", handle=handle, lock="shared", nonblock=True)

    def create(self, path):
        with self._opened(path, "write", "create", "exclusive"):
            pass
        self.call("unlink", path=path)

    def mkdir(self, path):
        self.call("mkdir", path=path)
        self.call("rmdir", path=path)

    def unlink(self, path):
        self.call("unlink", path=path)

    def rmdir(self, path):
        self.call("rmdir", path=path)

    def rename(self, path, new):
        self.call("rename", **{"from": path, "to": new})

    def symlink(self, path):
        self.call("symlink", path=path, target="../nothing")

    def chmod(self, path, mode):
        self.call("setattr", path=path, mode=mode)

    def chown(self, path, uid, gid):
        self.call("setattr", path=path, uid=uid, gid=gid)

    def truncate(self, path):
        self.call("setattr", path=path, size=0)

    def setxattr(self, path):
        self.call("setxattr", b"1", path=path, name="user.sloth.nothing")

    def getxattr(self, path):
        self.call("getxattr", path=path, name="user.sloth.ttl")

    def listxattr(self, path):
        self.call("listxattr", path=path)

    def removexattr(self, path):
        self.call("removexattr", path=path, name="user.sloth.nothing")


class Command:
    """What the shell does: the status of the command, and what it said."""

    def __init__(self, command, environment):
        self.command, self.environment = command, environment

    def sloth(self, *words):
        done = subprocess.run([self.command, *words], env=self.environment, input="", text=True, capture_output=True, timeout=120, check=False, cwd="/")
        return done.returncode, done.stdout, done.stderr


DOORS = {"mount": Mount, "socket": Socket}


def has(door, operation):
    return hasattr(DOORS[door], operation)


class Person:
    """A process with the rights of a user."""

    def __init__(self, name, uid, gid, groups, daemon):
        self.name, self.uid, self.gid, self.groups = name, uid, gid, {gid, *groups}
        self.pipe, end = multiprocessing.Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.pipe.close()
            os.setgroups(list(groups))
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            os.umask(0o022)
            doors = {name: door(str(daemon.tree), str(daemon.home / "socket")) for name, door in DOORS.items()}
            self._serve(end, {**doors, "command": Command(torture.program("cli", "sloth"), {**daemon.environment, "HOME": "/"})})
        end.close()

    @staticmethod
    def _serve(pipe, doors):
        code = 1
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            while True:
                door, operation, arguments = pipe.recv()
                try:
                    pipe.send((0, getattr(doors[door], operation)(*arguments)))
                except OSError as error:
                    pipe.send((error.errno or errno.EPROTO, error.strerror))
            code = 0
        os._exit(code)

    def ask(self, door, operation, *arguments):
        """(errno, what came of it)"""
        self.pipe.send((door, operation, arguments))
        return self.pipe.recv()

    def leave(self):
        self.pipe.close()
        os.waitpid(self.pid, 0)
