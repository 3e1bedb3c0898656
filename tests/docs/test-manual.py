#!/usr/bin/env python3
"""The manual names everything that there is, and nothing else is called a file, command or setting there.

test-manual.py SOURCE NAMES SLOTH SLOTHD: the source folder, and the programs names.c, sloth and slothd. Prints TAP.
"""
import pathlib
import re
import subprocess
import sys

source = pathlib.Path(sys.argv[1])
names_program, sloth, slothd = sys.argv[2:5]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def page(name):
    return (source / "man" / (name + ".scd")).read_text()


def plain(text):
    """Without scdoc's own signs, blanks made single."""
    return re.sub(r"\s+", " ", re.sub(r"\\(.)", r"\1", re.sub(r"[*]", "", text)))


def headings(text):
    """The words in bold that begin an entry: lines that start with *word*."""
    found = set()
    for line in text.splitlines():
        if line.lstrip("\t").startswith("*"):
            found.update(re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"\*((?:[^*\\]|\\.)+)\*", line))
    return found


def missing_nodes(lines):
    text = page("slothfs.5")
    known, words = headings(text), plain(text)
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "no-help":
            yield f"{rest} has no help in its table"
        elif kind == "node" and rest not in known:
            yield f"no entry *{rest}* in slothfs(5)"
        elif kind == "help" and plain(rest) not in words:
            yield f"slothfs(5) does not say: {rest}"


def surplus_nodes(lines):
    known = {line.partition(" ")[2] for line in lines if line.startswith("node ")}
    for word in headings(page("slothfs.5")):
        if re.match(r"(stacks|runs|state)/[A-Za-z./_-]+$", word) and word not in known:
            last = word.rsplit("/", 1)[1]
            if not re.match(r"(NAME|RUN|KEY|OUTPUT|latest)", last):
                yield f"slothfs(5) has *{word}*, which is in no table"


def missing_errors(lines):
    rows = re.findall(r"^\|\s+(E\w+)\n:\s.*\n:\s+(\d+)$", page("sloth.1"), re.M)
    for line in lines:
        if line.startswith("errno "):
            _, name, status = line.split()
            if (name, status) not in rows:
                yield f"no row {name} with exit status {status} in sloth(1)"


# What looks like one: files, calls of runners.
NO_EVENT = re.compile(r".*\.(json|yaml|ctl|tmp|deep|d|db|sloth|lock|history|set_output)$")


def events_of_the_daemon():
    """Words in quotes that begin with one of the daemon's nouns."""
    nouns = "stack|config|values|tag|run|workflow|lock|state|namespace|folder|output|secret|keys|resource|drift|dep|snapshot|backup|check|events|metric"
    for room in ("engine", "fs/nodes"):
        for path in (source / room).glob("*.c"):
            if path.name.startswith(("calls-", "runner-calls", "config.")):  # names of calls, settings
                continue
            for line in path.read_text().splitlines():
                if "FAILPOINT" not in line:
                    yield from (word for word in re.findall(rf'"((?:{nouns})\.[a-z_]+(?:\.[a-z_]+)?)"', line) if not NO_EVENT.match(word))


def missing_events():
    known = set(re.findall(r"[a-z]+\.[a-z_.]*[a-z]", re.sub(r"\\\\(.)", r"\1", page("slothfs.5"))))
    found = set(events_of_the_daemon())
    if len(found) < 50:
        yield f"only {len(found)} types of events were found"
    for event in sorted(found - known):
        yield f"slothfs(5) does not name the event {event}"


def missing_settings(lines):
    known = headings(page("sloth.yaml.5"))
    default = (source / "data/config.yaml").read_text()
    for line in lines:
        kind, _, name = line.partition(" ")
        if kind == "setting" and name != "stacks":
            if name not in known:
                yield f"no entry *{name}* in sloth.yaml(5)"
            if f"# {name}:" not in default:
                yield f"data/config.yaml does not show {name}"


def missing_commands():
    text = page("sloth.1")
    entries = re.split(r"^(?=\*sloth )", text, flags=re.M)[1:]
    # Two commands may share an entry: the first one's line ends with a break.
    for i in range(len(entries) - 2, -1, -1):
        if entries[i].endswith(" ++\n"):
            entries[i] += entries[i + 1]
    common = text[: text.index("# RUNNING")]
    for line in output(sloth, "help", "--commands").splitlines():
        title, *options = line.split("\t")
        mine = [entry for entry in entries if entry.startswith(f"*sloth {title}*")]
        if not mine:
            yield f"no entry *sloth {title}* in sloth(1)"
            continue
        for option in options:
            option = option.rstrip("=")
            if f"*{option}*" not in mine[0] and f"*{option}*" not in common:
                yield f"the entry of sloth {title} in sloth(1) does not have *{option}*"


def missing_daemon_options():
    entries = "\n".join(line for line in page("slothd.8").splitlines() if line.startswith("*-"))
    known = headings(entries)
    for option in re.findall(r"--[a-z-]+", output(slothd, "--help")):
        if option not in known:
            yield f"no entry *{option}* in slothd(8)"


def missing_words_of_the_language():
    text = "".join((source / "lua/lib" / name).read_text() for name in ("dsl.lua", "flow.lua"))
    known = headings(page("sloth-workflow.5"))
    for table in ("words", "config_words", "flow_words"):
        body = re.search(rf"^(?:local )?{table} = {{\n(.*?)^}}", text, re.M | re.S).group(1)
        for name, rest in re.findall(r"^\t(\w+) = {(.*)},$", body, re.M):
            # A row without a kind is refused as not supported yet: then it must not look like a promise.
            if not rest.strip():
                if name in known:
                    yield f"sloth-workflow(5) promises '{name}', which is not supported"
            elif name not in known:
                yield f"no entry *{name}* in sloth-workflow(5) ({table})"


def module_functions():
    rows = re.findall(r'^\t{ "(\w+)", (\w+)(, true)? },$', (source / "lua/module.c").read_text(), re.M)
    for module, table, library in rows:
        functions = set()
        if table != "NULL":
            for path in sorted((source / "lua/modules").glob("*.c")):
                body = re.search(rf"struct function {table}\[\] = {{\n(.*?)^}};", path.read_text(), re.M | re.S)
                if body:
                    functions.update(re.findall(r'^\t{ "(\w+)"', body.group(1), re.M))
        if library:
            text = (source / "lua/lib" / (module + ".lua")).read_text()
            functions.update(re.findall(rf"^\t?function {module}[.:](\w+)", text, re.M))
            for names in re.findall(rf"^\t?({module}\.\w+(?:, {module}\.\w+)*) = ", text, re.M):
                functions.update(re.findall(rf"{module}\.(\w+)", names))
            functions.update(re.findall(r'^(?:actor|command|define|setter|switch)\("(\w+)"', text, re.M))
            levels = re.search(r"^local levels = {\n(.*?)^}", text, re.M | re.S)
            if module == "log" and levels:
                functions.update(re.findall(r"(\w+) = ", levels.group(1)))
        yield module, functions


def missing_functions():
    known = headings(page("sloth-lua.7"))
    count = 0
    for module, functions in module_functions():
        if not functions:
            yield f"no functions of the module {module} were found: has its file another shape now?"
        for name in sorted(functions):
            count += 1
            if f"{module}.{name}" not in known:
                yield f"no entry *{module}.{name}* in sloth-lua(7)"
    if count < 50:
        yield f"only {count} functions were found"


def missing_globals():
    text = (source / "lua/vm.c").read_text()
    words = set(re.findall(r"[\w.]+", plain(page("sloth-lua.7"))))
    for table, body in re.findall(r'{ "(\w+)", luaopen_\w+,\s*{ ([^}]*) } }', text):
        for name in re.findall(r'"(\w+)"', body):
            if name not in words and f"{table}.{name}" not in words:
                yield f"sloth-lua(7) does not name {table}.{name}"


def main():
    lines = output(names_program).splitlines()
    tests = [
        ("every file of the tree", lambda: missing_nodes(lines)),
        ("no file that is not there", lambda: surplus_nodes(lines)),
        ("every error and its exit status", lambda: missing_errors(lines)),
        ("every type of event", missing_events),
        ("every setting", lambda: missing_settings(lines)),
        ("every command and option", missing_commands),
        ("every option of the daemon", missing_daemon_options),
        ("every word of the language", missing_words_of_the_language),
        ("every function of the modules", missing_functions),
        ("every function of Lua that is there", missing_globals),
    ]
    print(f"1..{len(tests)}")
    failed = 0
    for i, (title, test) in enumerate(tests, 1):
        problems = list(test())
        failed += bool(problems)
        print(f"{'not ' if problems else ''}ok {i} - {title}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
