"""What must be true of a home whatever was done to its daemon, and of what the daemon has promised.

wrong() looks at a home: what `check` finds (pages, references, events, contents), and rules of which each is a statement whose rows are
complaints. Promises remembers what writers have begun and what was acknowledged to them, and compares that with what is there afterwards.

Run as a program it shows that each rule can fail: it breaks each in a copy of a home, and says which were not seen.
"""

import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import torture

FINAL = "('success', 'failed', 'cancelled', 'timed_out', 'interrupted', 'rolled_back', 'rollback_failed')"
TASK_OVER = "('success', 'unchanged', 'skipped', 'failed', 'timed_out', 'cancelled', 'upstream_failed', 'lost')"

# What a stack has: the items of its newest version say the same.
LIVING = {
    "output": "SELECT stack_id AS stack, name FROM outputs",
    "tag": "SELECT stack_id AS stack, tags.name FROM stack_tags JOIN tags ON tags.id = tag_id",
    "dep": "SELECT stack_id AS stack, on_name AS name FROM deps",
    "state": "SELECT stack_id AS stack, name FROM kv WHERE stack_id > 0 AND expires_ms = 0",
    "text": "SELECT stack_id AS stack, which AS name FROM stack_texts",
}

# Name: rows are complaints, and what breaks it in the home that sample() makes.
RULES = {
    "two holders": (
        "SELECT 'two hold stack ' || stack_id || ' or named lock ' || name_id FROM locks GROUP BY stack_id, name_id"
        " HAVING COUNT(*) > 1 AND SUM(kind <> 'shared') > 0",
        "INSERT INTO locks SELECT stack_id, name_id, token - 1, kind, owner, part, uid, pid, opener, known_at, since_ms, expires_ms,"
        " bound_pid, bound_start, boot_id, holder, command, operation, reason FROM locks LIMIT 1"),
    "token of a lock": (
        "SELECT 'a lock of stack ' || name || ' has token ' || locks.token || ', above ' || stacks.token FROM locks"
        " JOIN stacks ON stacks.id = stack_id WHERE locks.token > stacks.token",
        "UPDATE locks SET token = token + 1"),
    "token of a named lock": (
        "SELECT 'named lock ' || name || ' has token ' || n.token FROM named_locks n, named_lock_tokens t WHERE n.token > t.token",
        "UPDATE named_lock_tokens SET token = 0"),
    "lock of nothing": (
        "SELECT 'a lock of stack ' || stack_id || ' and name ' || name_id || ', which are gone' FROM locks WHERE"
        " stack_id NOT IN (SELECT id FROM stacks UNION SELECT 0) OR name_id NOT IN (SELECT id FROM named_locks UNION SELECT 0)",
        "UPDATE locks SET stack_id = 77"),
    "lock of a run that is over": (
        f"SELECT 'run ' || owner || ' is over and holds a lock' FROM locks WHERE kind = 'run' AND owner NOT IN"
        f" (SELECT id FROM runs WHERE status NOT IN {FINAL})",
        "UPDATE locks SET kind = 'run', owner = 1"),
    "run that says it holds": (
        "SELECT 'run ' || id || ' says that it holds a lock' FROM runs WHERE holds_lock = 1 AND"
        " id NOT IN (SELECT owner FROM locks WHERE kind = 'run')",
        "UPDATE runs SET holds_lock = 1"),
    "end of a run": (
        f"SELECT 'run ' || id || ' is ' || status || ' and ended at ' || finished_ms FROM runs WHERE"
        f" (status IN {FINAL}) <> (finished_ms > 0)",
        "UPDATE runs SET finished_ms = 0"),
    "task of a run that is over": (
        f"SELECT 'run ' || run_id || ' is over, its task ' || name || ' is ' || tasks.status FROM tasks JOIN runs ON runs.id = run_id"
        f" WHERE runs.status IN {FINAL} AND tasks.status NOT IN {TASK_OVER}",
        "UPDATE tasks SET status = 'ready'"),
    "try of a task that is over": (
        f"SELECT 'task ' || name || ' of run ' || run_id || ' is ' || tasks.status || ', its try ' || number || ' runs' FROM tasks"
        f" JOIN task_tries t ON task_id = tasks.id WHERE tasks.status IN {TASK_OVER} AND t.status = 'running' AND t.kind = 'run'",
        "UPDATE task_tries SET status = 'running'"),
    "tries of a task": (
        "SELECT 'task ' || name || ' of run ' || run_id || ' says ' || tries || ' tries' FROM tasks WHERE"
        " tries < (SELECT COALESCE(MAX(number), 0) FROM task_tries WHERE task_id = tasks.id AND kind = 'run')",
        "UPDATE tasks SET tries = 0"),
    "transitions": (
        "SELECT 'run ' || run_id || ', task ' || task_id || ': ' || before || ' became ' || to_status || ' from ' || from_status FROM"
        " (SELECT *, LAG(to_status) OVER (PARTITION BY run_id, task_id ORDER BY start) AS before FROM transitions)"
        " WHERE before IS NOT NULL AND before <> from_status",
        "DELETE FROM transitions WHERE to_status = 'running'"),
    "status of a run": (
        "SELECT 'run ' || id || ' is ' || status || ', and became ' || last FROM (SELECT *, (SELECT to_status FROM transitions"
        " WHERE run_id = runs.id AND task_id = 0 ORDER BY start DESC LIMIT 1) AS last FROM runs) WHERE last <> status",
        "UPDATE runs SET status = 'failed'"),
    "log of a task": (
        "SELECT 'the log of task ' || name || ' of run ' || run_id || ' has ' || found || ' bytes, and should have ' || log_size FROM"
        " (SELECT *, (SELECT COALESCE(SUM(LENGTH(content)), 0) FROM log_pieces WHERE task_id = tasks.id) AS found FROM tasks)"
        " WHERE found <> log_size",
        "DELETE FROM log_pieces WHERE task_id <> 0"),
    "pieces of a log": (
        "SELECT 'the log of task ' || task_id || ' has a gap at ' || task_start FROM (SELECT *, LAG(task_start + LENGTH(content))"
        " OVER (PARTITION BY task_id ORDER BY task_start) AS place FROM log_pieces WHERE task_id <> 0) WHERE place <> task_start",
        "UPDATE log_pieces SET task_start = task_start + 1 WHERE run_start = (SELECT MAX(run_start) FROM log_pieces WHERE task_id <> 0)"),
    "secrets of a run that is over": (
        f"SELECT 'run ' || run_id || ' is over and keeps secrets' FROM run_secrets WHERE run_id IN"
        f" (SELECT id FROM runs WHERE status IN {FINAL})",
        "INSERT INTO run_secrets (run_id, value) VALUES (1, '')"),
    "workflow without a run": (
        "SELECT 'the workflow ' || name || ' is of run ' || run_id || ', which is gone' FROM workflow_files"
        " WHERE run_id NOT IN (SELECT id FROM runs)",
        "UPDATE workflow_files SET run_id = 77"),
    "newest version": (
        "SELECT 'stack ' || name || ' says ' || last_version || ', its newest version is ' || newest FROM (SELECT *,"
        " (SELECT COALESCE(MAX(number), 0) FROM versions WHERE stack_id = stacks.id) AS newest FROM stacks) WHERE newest > last_version",
        "UPDATE stacks SET last_version = 0"),
    "items at once": (
        "SELECT kind || ' ' || name || ' of stack ' || stack_id || ' is two things from ' || from_version FROM (SELECT *, LAG(to_version)"
        " OVER (PARTITION BY stack_id, kind, name ORDER BY from_version) AS ended FROM items) WHERE ended = 0 OR ended > from_version",
        "INSERT INTO items (stack_id, kind, name, from_version, to_version, content_id)"
        " SELECT stack_id, kind, name, from_version + 1, 0, content_id FROM items WHERE to_version = 0"),
    "items of no version": (
        "SELECT kind || ' ' || items.name || ' of stack ' || items.stack_id || ' is of version ' || from_version || ', which never was'"
        " FROM items JOIN stacks ON stacks.id = items.stack_id WHERE from_version > last_version OR to_version > last_version",
        "UPDATE items SET to_version = 1000 WHERE to_version = 0"),
    "references of contents": (
        "SELECT 'content ' || id || ' says ' || refs || ' references, and has ' || found FROM (SELECT *,"
        " (SELECT COUNT(*) FROM items WHERE content_id = c.id) + (SELECT COUNT(*) FROM contents WHERE base_id = c.id)"
        " + (SELECT COUNT(*) FROM image_parts WHERE content_id = c.id) AS found FROM contents c) WHERE found <> refs OR refs = 0",
        "UPDATE contents SET refs = refs + 1"),
    "resources of a stack": (
        "SELECT 'stack ' || name || ' says ' || resource_count || ' resources' FROM stacks WHERE"
        " resource_count <> (SELECT COUNT(*) FROM resources WHERE stack_id = stacks.id)",
        "UPDATE stacks SET resource_count = 7"),
    "finding of nothing": (
        "SELECT 'a finding of ' || f.type || '/' || f.name || ', which is gone' FROM findings f WHERE status <> 'resolved' AND NOT EXISTS"
        " (SELECT 1 FROM resources r JOIN resource_types t ON t.id = type_id WHERE r.stack_id = f.stack_id AND t.name = f.type"
        " AND r.name = f.name)",
        "INSERT INTO findings SELECT 77, id, 'file', '/gone', '', 'resource', 'low', '1', '2', 'changed', '', '', 'pending', '', 0, 1, 1, 0,"
        " '', 1, 0, -1, '', 0, 0 FROM stacks LIMIT 1"),
    "changes of a run that went well": (
        "SELECT 'run ' || run_id || ' went well, and nobody knows whether it changed ' || type || '/' || i.name FROM images i"
        " JOIN runs ON runs.id = run_id WHERE i.state = 'taken' AND runs.status = 'success'",
        "INSERT INTO images SELECT 77, id, '', 'file', '/x', 'taken', '', '', 0, 0, '{}', 1 FROM runs WHERE status = 'success' LIMIT 1"),
    "tag of nobody": (
        "SELECT 'nobody bears the tag ' || name FROM tags WHERE id NOT IN (SELECT tag_id FROM stack_tags)",
        "INSERT INTO tags VALUES (77, 'nobody')"),
    "dependency on what is gone": (
        "SELECT 'a dependency on stack ' || on_id || ', which is gone' FROM deps WHERE on_id NOT IN (SELECT id FROM stacks UNION SELECT 0)",
        "INSERT INTO deps SELECT 77, id, 77, 'gone', '', 1 FROM stacks LIMIT 1"),
    "dependency that is missing": (
        "SELECT 'stack ' || on_name || ' is called missing, and is there' FROM deps WHERE on_id = 0 AND on_name IN (SELECT name FROM stacks)",
        "INSERT INTO deps SELECT 77, id, 0, name, '', 1 FROM stacks LIMIT 1"),
    "master key": (
        "SELECT COUNT(*) || ' master keys are in use' FROM master_keys WHERE retired_ms = 0 HAVING COUNT(*) > 1"
        " OR COUNT(*) = 0 AND (SELECT COUNT(*) FROM data_keys) > 0",
        "UPDATE master_keys SET retired_ms = 1"),
    "data key": (
        "SELECT COUNT(*) || ' data keys are in use' FROM data_keys WHERE retired_ms = 0 HAVING COUNT(*) > 1",
        "UPDATE data_keys SET retired_ms = 0; INSERT INTO data_keys VALUES (77, '', 1, 0)"),
    "saved workflow": (
        "SELECT 'the saved workflow ' || name || ' is at ' || number FROM saved_workflows w WHERE"
        " number <> (SELECT COALESCE(MAX(number), 0) FROM saved_versions WHERE workflow_id = w.id)",
        "UPDATE saved_workflows SET number = number + 1"),
}
for kind, living in LIVING.items():
    RULES[f"{kind} of no version"] = (
        f"SELECT 'the newest version of stack ' || stack || ' has no {kind} ' || name FROM ({living}) AS living WHERE NOT EXISTS (SELECT 1"
        f" FROM items i WHERE i.stack_id = stack AND i.kind = '{kind}' AND i.name = living.name AND i.to_version = 0)",
        f"DELETE FROM items WHERE kind = '{kind}'")
    RULES[f"{kind} of the newest version"] = (
        f"SELECT 'stack ' || stack_id || ' has no {kind} ' || name || ', which its newest version has' FROM items WHERE kind = '{kind}'"
        f" AND to_version = 0 AND stack_id IN (SELECT id FROM stacks) AND (stack_id, name) NOT IN ({living})",
        f"INSERT INTO items (stack_id, kind, name, from_version, to_version, content_id)"
        f" SELECT stack_id, '{kind}', 'made-up', from_version, 0, content_id FROM items LIMIT 1")


def rules(path):
    """Complaints of the rules about the database `path`; a daemon may have it open."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return [f"{name}: {row[0]}" for name, (statement, _) in RULES.items() for row in database.execute(statement)]
    finally:
        database.close()


def examined(home):
    """Complaints of `check`: pages, references, the chain of events, contents and their hashes."""
    done = subprocess.run([torture.program("fs", "slothd"), "--job", "check", str(home), "deep"], capture_output=True, text=True,
                          timeout=300, check=False)
    answer = json.loads(done.stdout or '{"code": 1, "text": "no answer"}')
    if answer["code"]:
        return [f"check: {answer.get('text')} {done.stderr}"]
    return [f"{row['check']}: {text}" for row in answer["report"]["checks"] for text in row["found"]]


def files(home):
    """What stands beside the database and should not, or should and does not. Of a daemon that has just started."""
    home = pathlib.Path(home)
    database = sqlite3.connect(f"file:{home}/sloth.db?mode=ro", uri=True, timeout=30)
    try:
        kept = {f"{run}/{row}": size for run, row, size in
                database.execute("SELECT run_id, id, size FROM artifacts WHERE kept_ms > 0")}
        known = {f"{run}/{row}" for run, row in database.execute("SELECT run_id, id FROM artifacts")}
        masters = {bytes(salt).hex() for salt, in
                   database.execute("SELECT salt FROM master_keys WHERE source = 'file' AND retired_ms = 0")}
        archives = dict(database.execute("SELECT file, size FROM event_archives"))
    finally:
        database.close()
    found = []
    for name, size in kept.items():
        path = home / "artifacts" / name
        if not path.exists() or path.stat().st_size != size:
            found.append(f"artifacts/{name} should have {size} bytes")
    found += [f"artifacts/{path.parent.name}/{path.name} is of no run" for path in home.glob("artifacts/*/*")
              if f"{path.parent.name}/{path.name}" not in known]
    found += [f"keys/{name} is gone" for name in masters if not (home / "keys" / name).exists()]
    for name, size in archives.items():
        path = home / "archive" / name
        if not path.exists() or path.stat().st_size != size:
            found.append(f"archive/{name} should have {size} bytes")
    for path in home.glob("backups/*"):
        if path.suffix not in (".db", ".json") or path.name.startswith(".") or not path.with_suffix(".db").exists():
            found.append(f"backups/{path.name} is half a backup")
    return found


def complained(log):
    """What a sanitizer or an assertion said in a daemon's log, from there to its end; [] when nothing did."""
    text = pathlib.Path(log).read_text(errors="replace")
    places = [text.find(word) for word in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "Assertion `") if word in text]
    return [text[max(0, min(places) - 200):][:6000]] if places else []


def wrong(home):
    """All complaints about a home whose daemon has started: a list of sentences."""
    return examined(home) + rules(f"{home}/sloth.db") + files(home)


class Promises:
    """What writers began and what was acknowledged to them: a key has one writer at a time, its values are its own.

    begin() before the operation; kept() when it was acknowledged, refused() when it was answered that nothing was done. What has neither may
    have been done or not. found() is told what is there: it complains when that is neither what was acknowledged last nor what was
    begun after it, and holds for what is so from then on. None stands for: there is none.
    """

    def __init__(self):
        self.settled, self.begun = {}, {}

    def begin(self, key, value):
        self.begun.setdefault(key, []).append(value)

    def kept(self, key):
        self.settled[key] = self.begun.pop(key)[-1]

    def refused(self, key):
        self.begun[key].pop()

    def keys(self):
        return self.settled.keys() | self.begun.keys()

    def found(self, key, value):
        allowed = [self.settled.get(key), *self.begun.get(key, ())]
        self.settled[key] = value
        self.begun.pop(key, None)
        if value in allowed:
            return []
        return [f"{key}: {value!r} is there; acknowledged was {allowed[0]!r}, begun and not answered {allowed[1:]!r}"]


class Tokens:
    """Fencing tokens: what was acknowledged once is never given again, and none falls."""

    def __init__(self):
        self.greatest = {}

    def given(self, lock, token):
        before = self.greatest.get(lock, 0)
        self.greatest[lock] = max(before, token)
        return [] if token > before else [f"{lock}: token {token} was given after {before}"]

    def shown(self, lock, token):
        before = self.greatest.get(lock, 0)
        return [] if token >= before else [f"{lock}: its token is {token}, and {before} was given"]


def sample(daemon):
    """A home with something in it for each rule."""
    workflow = pathlib.Path(daemon.folder) / "first.sloth"
    workflow.write_text('task("work"):command("echo one; sleep 0.3; echo two")\n')
    daemon.sloth("stack", "new", "one")
    daemon.sloth("stack", "new", "two")
    for name, text in {"stacks/one/tags/red": "", "stacks/one/outputs.d/url": "x", "stacks/one/state/key": "1",
                       "secrets/word": "secret", "locks/named": "because"}.items():
        daemon.sloth("write", name, text=text)
    daemon.sloth("stack", "deps", "add", "one", "two")
    daemon.sloth("write", "stacks/one/description", text="what it is")
    daemon.sloth("run", str(workflow), "--stack", "one")
    daemon.sloth("write", "workflows/first.sloth", text=workflow.read_text())
    daemon.sloth("stack", "lock", "acquire", "one")
    daemon.sloth("stack", "lock", "acquire", "two")


def unseen(path):
    """Rules that are broken in a copy of the database, and say nothing."""
    for name, (statement, breaker) in RULES.items():
        with tempfile.NamedTemporaryFile(suffix=".db") as copy:
            shutil.copy(path, copy.name)
            database = sqlite3.connect(copy.name)
            if database.execute(statement).fetchall():
                yield f"{name}: complains of what is in order"
            database.execute("PRAGMA ignore_check_constraints = ON")
            database.executescript(breaker)
            if not database.execute(statement).fetchall():
                yield f"{name}: is broken, and is not seen"
            database.close()


def main():
    with torture.Folder("checks") as folder:
        daemon = torture.Daemon(folder, mount=False)
        daemon.start()
        try:
            sample(daemon)
            found = wrong(daemon.home)
        finally:
            daemon.stop()
        found += unseen(daemon.home / "sloth.db")
        promises = Promises()
        promises.begin("key", "1")
        promises.kept("key")
        promises.begin("key", "2")
        if promises.found("key", "2") or not promises.found("key", "1"):
            found.append("promises: what was found after a promise is not held against it")
    print(*found, f"rules={len(RULES)}", sep="\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
