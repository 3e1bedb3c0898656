"""The third door of torture-users: the command. Each verb with what it reads and writes of the tree, in VERBS: a line has

    the words | what it needs [| where]

{s} is the stack (and what furnish() calls after it: a namespace, a named lock, a secret, a workflow), {word} the word in it, {run} its newest
run, {mine} a file of a workflow, {t} a time. What it needs are a letter and a path each: r(ead), w(rite), x (pass), m(ake something in the folder),
d(elete), o(wn) it; none: anybody may. With a '!' before the words, what is allowed is not done: it would alter what others look at.
NOT_TRIED are the others, and why. A verb that stands nowhere is found.
"""

import subprocess

import torture

VERBS = """
run attach {run} | r /runs/{run}/events.json
run list |
run logs {run} | r /runs/{run}/log.json
!run retry {run} | w /runs/{run}/ctl
run show {run} | r /runs/{run}/summary.json
!run {mine} --stack {s} --quiet | m /stacks/{s}/runs
follow {run} | r /runs/{run}/events.json
!retry {run} | w /runs/{run}/ctl
logs {run} | r /runs/{run}/log.json
workflow list |
workflow show {s} | r /workflows/{s}.sloth
!workflow save {mine} --name {s} | w /workflows/{s}.sloth
!workflow delete {s} --force | d /workflows/{s}.sloth
workflow plan {mine} --stack {s} | r /stacks/{s}/values.yaml
workflow plan {s} | r /workflows/{s}.sloth
workflow validate {mine} |
stack list |
stack show {s} | r /stacks/{s}/status.json
stack resources {s} | r /stacks/{s}/resources.json
stack export {s} | r /stacks/{s}/export.json
!stack import {export} --name {s} --force | w /stacks/{s}/export.json
stack new {s}-new |
stack output {s} | r /stacks/{s}/outputs.json
stack output {s} written | r /stacks/{s}/outputs.d/written
!stack delete {s} --force | d /stacks/{s}
stack deps show {s} | r /stacks/{s}/depends.json
!stack deps add {s} {s}-new | m /stacks/{s}/deps
!stack deps remove {s} base | d /stacks/{s}/deps/base
stack deps graph |
stack deps check |
stack deps order |
!stack drift detect {s} | w /stacks/{s}/drift
stack drift show {s} | r /stacks/{s}/drift.json
!stack drift fix {s} --dry-run | w /stacks/{s}/drift
!stack drift ignore {s} {word}.2 --reason x | w /stacks/{s}/drift
!stack drift unignore {s} {word}.2 | w /stacks/{s}/drift
!stack drift acknowledge {s} {word}.2 --reason x | w /stacks/{s}/drift
!stack drift adopt {s} {word}.2 | w /stacks/{s}/drift
stack drift history {s} | r /stacks/{s}/drift.history.json
!stack adopt {s} file /etc/hostname | m /stacks/{s}/runs
stack coverage {s} | r /stacks/{s}/coverage.json
stack snapshot create {s} --description more | w /stacks/{s}/snapshots/new
stack snapshot list {s} | r /stacks/{s}/snapshots/list.json
stack snapshot show {s} v1 | r /stacks/{s}/snapshots/v1/meta.json
!stack snapshot restore {s} v1 --force | w /stacks/{s}/snapshots/restore
!stack snapshot restore {s} v1 --dry-run | w /stacks/{s}/snapshots/restore
stack snapshot compare {s} v1 v2 | r /stacks/{s}/snapshots/v1/meta.json
!stack snapshot delete {s} v1 --force | d /stacks/{s}/snapshots/v1
!stack snapshot pin {s} v1 good | m /stacks/{s}/snapshots
!stack snapshot unpin {s} {word} | d /stacks/{s}/snapshots/{word}
stack destroyed list |
!stack destroyed restore {destroyed} | o /destroyed/{destroyed}
!stack destroyed purge {destroyed} --force | o /destroyed/{destroyed}
stack history {s} | r /stacks/{s}/history.json
stack blame {s} | r /stacks/{s}/blame.json
!stack undo {s} --force | w /stacks/{s}/snapshots/restore
!stack tags add {s} more | m /stacks/{s}/tags
stack tags list {s} | r /stacks/{s}/tags
!stack tags remove {s} {word} | d /stacks/{s}/tags/{word}
stack validate {s} | r /stacks/{s}/validate.json
stack activity {s} | r /stacks/{s}/activity.json
!stack lock acquire {s} --reason x | w /stacks/{s}/lock
stack lock status {s} | r /stacks/{s}/lock.json
!stack lock renew {s} | w /stacks/{s}/lock
!stack lock release {s} | w /stacks/{s}/lock
!stack lock force-release {s} --reason x | o /stacks/{s}
stack lock list |
stack state list |
stack state show {s} | r /stacks/{s}/status.json
stack state versions {s} | r /stacks/{s}/snapshots/list.json
!stack state snapshot {s} --description x | w /stacks/{s}/snapshots/new
!stack state rollback {s} --version v1 --force | w /stacks/{s}/snapshots/restore
stack state diff {s} --from v1 --to v2 | r /stacks/{s}/snapshots/v1/meta.json
!stack state drift {s} | w /stacks/{s}/drift
!stack state unlock {s} | w /stacks/{s}/lock
stack state activity {s} | r /stacks/{s}/activity.json
!stack state lock {s} | w /stacks/{s}/lock
!stack state tags add {s} more | m /stacks/{s}/tags
stack state tags list {s} | r /stacks/{s}/tags
!stack state tags remove {s} {word} | d /stacks/{s}/tags/{word}
state get {word} --namespace {s} | r /state/{s}/{word}
state get {word} --stack {s} | r /stacks/{s}/state/{word}
state set {word} {word} --namespace {s} | w /state/{s}/{word}
!state set brand-new 1 --stack {s} | m /stacks/{s}/state
!state delete {word} --namespace {s} | d /state/{s}/{word}
state list --namespace {s} | r /state/{s}, x /state/{s}
state list --stack {s} | r /stacks/{s}/state, x /stacks/{s}/state
!state incr number --namespace {s} | r /state/{s}, m /state/{s}
!state decr number --namespace {s} | r /state/{s}, m /state/{s}
state cas {word} {word} {word} --namespace {s} | r /state/{s}/{word}, w /state/{s}/{word}
!state lock {s} | w /locks/{s}
!state unlock {s} | w /locks/{s}
state workflow list |
state workflow show {run} | r /runs/{run}/summary.json
state workflow versions {run} | r /runs/{run}/summary.json, r /stacks/{s}/snapshots/list.json
!state workflow rollback {run} v1 --force | r /runs/{run}/summary.json, w /stacks/{s}/snapshots/restore
!state workflow drift {run} | r /runs/{run}/summary.json, w /stacks/{s}/drift
state workflow resources {run} | r /runs/{run}/summary.json, r /stacks/{s}/resources.json
state workflow outputs {run} | r /runs/{run}/summary.json, r /stacks/{s}/outputs.json
!state workflow delete {run} --force | d /runs/{run}
!secrets set {s} --file {mine} | w /secrets/{s}
secrets get {s} | r /secrets/{s}
secrets list |
!secrets delete {s} | d /secrets/{s}
!secrets rotate | w /keys
!lock acquire {s} --reason x | w /locks/{s}
lock status {s} | r /locks/{s}.json
!lock renew {s} | w /locks/{s}
!lock release {s} | w /locks/{s}
!lock force-release {s} --reason x | o /locks/{s}
lock list |
!lock remove {s} | d /locks/{s}
with-lock {s} true | r /stacks/{s}/lock, w /stacks/{s}/lock
ls /stacks/{s} | r /stacks/{s}
ls /runs/{run}/tasks | r /runs/{run}/tasks
cat /stacks/{s}/description | r /stacks/{s}/description
write /stacks/{s}/version --text {word} | w /stacks/{s}/version
write /state/{s}/{word} --text {word} | w /state/{s}/{word}
events list --stack {s} |
events list |
!events clear --force | w /archives
audit verify |
metrics |
metrics --stack {s} | r /stacks/{s}/metrics
!metrics delete {s} --all | w /stacks/{s}/metrics
quota |
!quota --user 1 | w /keys
!backup create | w /backups/new
backup list |
!backup verify {backup} | w /backups/verify
!backup restore {backup} --force | w /backups/restore
!backup delete {backup} --force | d /backups/{backup}.db
!check | w /check
!mount {folder} | w /keys
doctor |
"""

# For a control: of these the stack's own mode decides.
SHOWS = """
stack show {s} | r /stacks/{s}/status.json
stack resources {s} | r /stacks/{s}/resources.json
stack output {s} | r /stacks/{s}/outputs.json
"""

NOT_TRIED = {
    "events show": "what an event is of decides: torture-leaks",
    "events follow": "it goes on: events list",
    "events": "events list",
    "state watch": "it goes on: state list",
    "umount": "the mount is for all",
    "run": "a run's is `run FILE`",
    "complete": "it reads what ls does: torture-leaks",
    "version": "it asks nobody",
    "help": "it asks nobody",
}

REFUSED = (11, 12)  # EPERM, EACCES: sloth(1)
MISSING = 4


def of_table(line):
    words, needs = line.split("|")
    words = words.strip()
    return words.lstrip("!"), [need.strip().split(" ", 1) for need in needs.split(",") if need.strip()], words.startswith("!")


def title(commands, words):
    """The verb that these words call: the longest that they begin with."""
    return max((command for command in commands if f"{words} ".startswith(f"{command} ")), key=len, default=None)


def unknown(environment):
    """Verbs that stand nowhere."""
    lines = subprocess.run([torture.program("cli", "sloth"), "help", "--commands"], env=environment, capture_output=True, text=True, check=True).stdout
    commands = {line.split("\t")[0] for line in lines.splitlines()}
    known = {title(commands, of_table(line)[0]) for line in VERBS.strip().splitlines()} | set(NOT_TRIED)
    return [f"the command {command} stands nowhere" for command in sorted(commands - known)] + \
        [f"{command} is no command" for command in sorted(set(NOT_TRIED) - commands)]


def judge(status, text, allowed, hidden):
    """What is wrong with the answer; None: nothing."""
    if allowed and status in REFUSED:
        return "expected no refusal"
    if not allowed and status not in REFUSED and not (status == MISSING and hidden):
        return "expected a refusal"
    if not allowed and "sloth: " not in text:
        return "a refusal without a sentence"
    return None
