#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The live view of a run, on terminals of several sizes.

live.py SLOTH: the program. Each case runs it in a pseudo-terminal whose screen is emulated here, looks at what is shown
while the run goes on, and at what is left when it is over. Prints TAP.
"""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata

sloth = os.path.abspath(sys.argv[1])
PATIENCE = 60  # seconds after which something that should be seen is missing; what is seen in time is not waited for


def width(character):
    return 2 if unicodedata.east_asian_width(character) in "WF" else 0 if unicodedata.combining(character) else 1


class Screen:
    """What a terminal makes of the bytes that it gets: those sequences that sloth may use, and no other."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines, self.scrolled = [""] * rows, []
        self.x = self.y = 0
        self.wrap = True
        self.rest = ""

    def newline(self):
        if self.y + 1 < self.rows:
            self.y += 1
        else:
            self.scrolled.append(self.lines.pop(0))
            self.lines.append("")

    def put(self, character):
        size = width(character)
        if self.x + size > self.columns:
            if not self.wrap:
                return
            self.x = 0
            self.newline()
        line = self.lines[self.y].ljust(self.x)
        # A wide character is followed by an empty place, so that places are columns.
        self.lines[self.y] = line[: self.x] + character + "\0" * (size - 1) + line[self.x + size :]
        self.x += size

    def sequence(self, text):
        argument, final = text[2:-1], text[-1]
        if final == "A":
            self.y = max(0, self.y - int(argument or 1))
        elif final == "K" and argument in ("", "0"):
            self.lines[self.y] = self.lines[self.y][: self.x]
        elif final == "J" and argument in ("", "0"):
            self.lines[self.y] = self.lines[self.y][: self.x]
            self.lines[self.y + 1 :] = [""] * (self.rows - self.y - 1)
        elif final in "hl" and argument == "?7":
            self.wrap = final == "h"
        elif final != "m":
            raise AssertionError(f"a sequence that terminals need not know: {text!r}")

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        while text:
            match = re.match(r"\033\[[?0-9;]*[A-Za-z]", text)
            if match:
                self.sequence(match.group())
                text = text[match.end() :]
                continue
            if text[0] == "\033":
                assert len(text) < 16, f"no sequence: {text[:16]!r}"
                self.rest = text
                return
            character, text = text[0], text[1:]
            if character == "\n":
                self.newline()
            elif character == "\r":
                self.x = 0
            else:
                assert ord(character) >= 32, f"a control character: {character!r}"
                self.put(character)

    def resize(self, columns, rows):
        """Made smaller, as terminals do that wrap again what has become too wide."""
        wrapped, cursor = [], 0
        for i, line in enumerate(self.lines[: self.y + 1]):
            parts = [line[k : k + columns] for k in range(0, max(len(line), 1), columns)]
            wrapped += parts
            if i == self.y:
                cursor = len(wrapped) - 1
        self.columns, self.rows = columns, rows
        above = max(0, cursor - rows + 1)
        self.scrolled += wrapped[:above]
        self.lines = (wrapped[above:] + [""] * rows)[:rows]
        self.y = cursor - above
        self.x = min(self.x, columns)

    def shown(self):
        return [line.replace("\0", "").rstrip() for line in self.lines]

    def text(self):
        return "\n".join(self.shown())

    def everything(self):
        return [line.replace("\0", "").rstrip() for line in self.scrolled] + self.shown()


class Session:
    def __init__(self, arguments, columns, rows, **environment):
        self.screen = Screen(columns, rows)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.pop("NO_COLOR", None)
            os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8", **environment})
            # The size is there before the program looks.
            while os.read(0, 1) != b"\n":
                pass
            os.execv(sloth, ["sloth", *arguments])
        self.size(columns, rows)
        attributes = termios.tcgetattr(self.terminal)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(self.terminal, termios.TCSANOW, attributes)
        os.write(self.terminal, b"\n")
        self.bytes = b""

    def size(self, columns, rows):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.screen.resize(columns, rows)
        self.size(columns, rows)

    def step(self, seconds):
        """Whether there was something."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.bytes += data
        # Characters that are not whole wait for their rest.
        text = self.bytes.decode(errors="ignore") if self.is_whole() else None
        if text is not None:
            self.bytes = b""
            self.screen.feed(text)
        return bool(data)

    def is_whole(self):
        try:
            self.bytes.decode()
            return True
        except UnicodeDecodeError as error:
            return error.end < len(self.bytes)

    def until(self, seen):
        deadline = time.monotonic() + PATIENCE
        while not seen(self.screen):
            assert time.monotonic() < deadline, f"never seen; the screen is:\n{self.screen.text()}"
            assert self.step(0.2), f"it has ended; the screen is:\n{self.screen.text()}"

    def end(self):
        deadline = time.monotonic() + PATIENCE
        while self.step(0.2):
            assert time.monotonic() < deadline, "it does not end"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def workflow(name, tasks, config=""):
    with open(f"{name}.sloth", "w") as file:
        file.write("local t = {}\n")
        for task, words in tasks:
            file.write(f't[#t + 1] = task("{task}"){words}:build()\n')
        file.write(f'workflow.define("{name}"):config({{ {config} }}):tasks(t)\n')


def wait_for(file):
    return f":command([[until [ -e {os.getcwd()}/{file} ]; do sleep 0.02; done]])"


def touch(file):
    open(file, "w").close()


def clean(screen):
    """What stays is whole lines of what happened; nothing that was drawn."""
    left = "\n".join(screen.everything())
    for sign in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏·":
        assert sign not in left, f"left behind: {sign}\n{left}"
    return left


def is_live(columns, rows, count):
    def case():
        many = [(f"t{i}", wait_for("go")) for i in range(count)]
        workflow("many", [("first", """:command("echo hello")"""), *many, ("last", ':depends_on("t0"):command("true")')],
                 "max_parallel_tasks = 20")
        session = Session(["run", "many.sloth"], columns, rows)
        session.until(lambda screen: "t0 " in screen.text() and f"1/{count + 2} tasks" in screen.text())
        shown = [line for line in session.screen.shown() if line]
        assert len(shown) <= rows - 1, shown
        assert any("✓ first  success in" in line for line in session.screen.everything()), shown
        assert all(len(line) < columns for line in shown if not line.startswith(("✓", "Run"))), shown
        assert "hello" not in session.screen.text()
        touch("go")
        assert session.end() == 0
        left = clean(session.screen)
        flat = left.replace("\n", "")
        for name in ["first", "last"] + [f"t{i}" for i in range(count)]:
            assert flat.count(f"✓ {name}  success in") == 1, (name, left)
        assert f"({count + 2} success)" in flat, left
    return case


def names_why():
    workflow("why", [("build", wait_for("go")),
                     ("test", ':depends_on("build"):command("true")'),
                     ("deploy", ':depends_on("build", "test"):command("true")'),
                     ("flaky", ':command("echo out of it; exit 3"):retries(1, { strategy = "fixed", base = "1h" })')])
    session = Session(["run", "why.sloth"], 100, 24)
    session.until(lambda screen: re.search(r"↻ flaky +retry in \d+ s: exit status 3", screen.text()))
    text = session.screen.text()
    assert re.search(r"· test +after build$", text, re.M), text
    assert re.search(r"· deploy +after build, test$", text, re.M), text
    assert re.search(r"^↻ flaky  try 1 failed in .*: exit status 3; next try in ", text, re.M), text
    os.kill(session.pid, signal.SIGINT)
    os.kill(session.pid, signal.SIGINT)
    assert session.end() == 15
    left = clean(session.screen)
    assert "Cancelling" in left and ": cancelled in" in left, left


def shows_failures():
    workflow("bad", [("good", ':command("echo unseen")'),
                     ("broken", """:command("for i in $(seq 30); do echo line-$i; done; printf 'a\\\\033[2Jb\\\\n'; exit 4")""")],
             "on_failure = 'continue'")
    session = Session(["run", "bad.sloth"], 80, 24)
    assert session.end() == 1
    left = clean(session.screen)
    assert re.search(r"^✗ broken  failed in \S+: exit status 4", left, re.M), left
    assert "line-30" in left and "line-20" not in left and "unseen" not in left, left
    assert r"a\x1b[2Jb" in left, left
    assert left.count("exit status 4") == 1, left
    assert left.rstrip().split("\n")[-1].startswith("✗ Run "), left
    session = Session(["run", "bad.sloth", "--verbose"], 80, 24)
    assert session.end() == 1
    left = clean(session.screen)
    assert "good | unseen" in left and "broken | line-1\n" in left and left.count("line-30") == 1, left


def follows_its_size():
    workflow("resized", [(f"task-with-a-rather-long-name-{i}", wait_for("go")) for i in range(12)], "max_parallel_tasks = 20")
    session = Session(["run", "resized.sloth"], 100, 30)
    session.until(lambda screen: "long-name-0 " in screen.text())
    for columns, rows in ((30, 30), (24, 30), (90, 20), (200, 50)):
        session.resize(columns, rows)
        # Two drawings: the first one takes away what the former size has left.
        for _ in range(2):
            before = session.screen.text()
            session.until(lambda screen: screen.text() != before and "/12 tasks" in screen.text())
        # What was read may end in the middle of a drawing.
        session.until(lambda screen: screen.text().count("/12 tasks") == 1)
    touch("go")
    assert session.end() == 0
    assert "".join(clean(session.screen).split("\n")).count("✓ task-with-a-rather-long-name-3 ") == 1


def is_plain_on_a_dumb_terminal():
    workflow("plain", [("say", """:command("printf 'one\\\\033[1Atwo\\\\n'")""")])
    session = Session(["run", "plain.sloth"], 80, 24, TERM="dumb")
    assert session.end() == 0
    text = session.screen.text()
    assert "say: running" in text and r"say | one\x1b[1Atwo" in text, text


def has_no_colours_where_none_are_wanted():
    workflow("grey", [("say", ':command("true")')])
    session = Session(["run", "grey.sloth"], 80, 24, NO_COLOR="1")
    raw = []
    feed = session.screen.feed
    session.screen.feed = lambda text: (raw.append(text), feed(text))
    assert session.end() == 0
    assert not re.search(r"\033\[[0-9;]*m", "".join(raw)), raw
    assert "✓ say  success" in clean(session.screen)


cases = [
    ("3 tasks on 80x24", is_live(80, 24, 3)),
    ("30 tasks on 40x10", is_live(40, 10, 30)),
    ("200 tasks on 200x50", is_live(200, 50, 200)),
    ("it says what waits, and why", names_why),
    ("what fails is shown with its last lines, once", shows_failures),
    ("it follows the size of the terminal", follows_its_size),
    ("a dumb terminal gets plain lines", is_plain_on_a_dumb_terminal),
    ("NO_COLOR", has_no_colours_where_none_are_wanted),
]
print(f"1..{len(cases)}", flush=True)
failures = 0
for number, (name, run) in enumerate(cases, 1):
    folder = tempfile.mkdtemp(prefix="sloth-live-")
    os.chdir(folder)
    os.environ["SLOTH_HOME"] = folder + "/home"
    try:
        run()
        print(f"ok {number} - {name}", flush=True)
    except Exception as error:
        failures += 1
        print(f"not ok {number} - {name}", flush=True)
        for line in str(error).split("\n"):
            print(f"# {line}")
    doctor = subprocess.run([sloth, "doctor", "--json"], capture_output=True, text=True).stdout
    match = re.search(r"process (\d+)", doctor)
    if match:
        os.kill(int(match.group(1)), signal.SIGTERM)
    os.chdir("/")
    shutil.rmtree(folder, ignore_errors=True)
sys.exit(failures > 0)
