#!/usr/bin/env python3
"""Who may include whom: greps the #include lines against the table of rooms in HACKING.md. test-rooms.py SOURCE."""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])

# room: the places whose headers it may include. A place is a folder, or a header.
ROOMS = {
    "base": ["base"],
    "engine/store": ["engine/store", "base"],
    "engine": ["engine", "engine/store", "base"],
    "fs": ["fs", "engine", "base"],
    # Pure algorithms of the engine, one header each.
    "lua": ["lua", "base", "engine/yaml.h", "engine/yaml-out.h", "engine/spawner-serve.h"],
    # The client's side of the socket, and pure algorithms of the engine, one header each.
    "cli": ["cli", "base", "fs/client.h", "fs/place.h", "fs/start.h", "engine/graph.h", "engine/yaml-out.h"],
}
# Which part of a room is reached from elsewhere by its public headers only.
PRIVATE = {
    "engine/lock-table.h", "engine/event-text.h", "engine/runner-internal.h", "engine/store/private.h",
    "fs/fuse-internal.h", "fs/socket-internal.h",
}
LIBRARIES = {
    "sqlite3.h": ["engine/store"],
    "fuse_lowlevel.h": ["fs"],
    "fuse.h": ["fs"],
    "lua.h": ["lua"], "lauxlib.h": ["lua"], "lualib.h": ["lua"],
    "libsmartcols/libsmartcols.h": ["cli"],
    "sodium.h": ["engine", "engine/store", "lua"],
    "yaml.h": ["engine", "cli", "lua"],
}
# sqlite3_open(), SQLITE_OK, lua_State, luaL_error … in code and comments alike, but not in a longer word.
PREFIXES = {
    r"\bsqlite3_|\bSQLITE_": ["engine/store"],
    r"\bfuse_|\bFUSE_": ["fs"],
    r"\blua_\w|\bluaL_|\bLUA_": ["lua"],
}


def room_of(path):
    parts = path.relative_to(source).parts
    return "engine/store" if parts[:2] == ("engine", "store") else parts[0]


def allowed(header, room):
    folder = header.rsplit("/", 1)[0]
    folder = "engine/store" if folder.startswith("engine/store") else folder.split("/")[0]
    if header in PRIVATE and folder != room and not (folder == "engine/store" and room == "engine"):
        return False
    return folder in ROOMS[room] or header in ROOMS[room]


def includes(files):
    for path in files:
        room = room_of(path)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', line)
            if match:
                yield path.relative_to(source), number, room, match.group(1), match.group(2)


def wrong_includes(files):
    for path, number, room, own, _ in includes(files):
        if own and "/" in own and not own.endswith(".inc") and not allowed(own, room):
            yield f"{path}:{number}: {room} may not include {own}"
        elif own and "/" not in own and own not in ("build.h",) and not own.endswith(".inc"):
            yield f"{path}:{number}: includes are rooted at the repository: {own}"


def wrong_libraries(files):
    for path, number, room, _, library in includes(files):
        if library in LIBRARIES and room not in LIBRARIES[library]:
            yield f"{path}:{number}: {library} belongs to {', '.join(LIBRARIES[library])}"


def code(text):
    """Without comments and strings: there is no harm in naming things."""
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)


def wrong_words(files):
    for path in files:
        for number, line in enumerate(code(path.read_text()).splitlines(), 1):
            for prefix, rooms in PREFIXES.items():
                if re.search(prefix, line) and room_of(path) not in rooms:
                    yield f"{path.relative_to(source)}:{number}: only {', '.join(rooms)} says {line.strip()}"


def unexplained(files):
    """Every file begins with its licence, and says what it is about."""
    for path in files:
        text = path.read_text()
        if not text.startswith("/* SPDX-License-Identifier: MIT */\n"):
            yield f"{path.relative_to(source)}: begins without its licence"
        elif len(re.findall(r"/\*", text[:1500])) < 2:
            yield f"{path.relative_to(source)}: does not say what it is about"


def main():
    files = [path for room in ("base", "engine", "fs", "lua", "cli") for path in sorted((source / room).rglob("*.[ch]"))]
    tests = [
        ("includes follow the table of rooms", wrong_includes),
        ("libraries stay in their rooms", wrong_libraries),
        ("their words stay there, too", wrong_words),
        ("every file says what it is about", unexplained),
    ]
    print(f"1..{len(tests) + 1}")
    print(f"{'ok' if len(files) > 50 else 'not ok'} 1 - the sources were found")
    failed = len(files) <= 50
    for i, (title, test) in enumerate(tests, 2):
        problems = list(test(files))
        failed = failed or bool(problems)
        print(f"{'not ok' if problems else 'ok'} {i} - {title}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
