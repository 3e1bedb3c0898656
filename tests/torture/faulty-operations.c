/* SPDX-License-Identifier: MIT */
/* The table of operations that must be wholly done or wholly absent, and what they find there. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/artifact.h"
#include "engine/backup.h"
#include "engine/backup-restore.h"
#include "engine/collect.h"
#include "engine/drift.h"
#include "engine/event.h"
#include "engine/examine.h"
#include "engine/image.h"
#include "engine/kv.h"
#include "engine/lock.h"
#include "engine/resource.h"
#include "engine/run.h"
#include "engine/stack.h"
#include "engine/output.h"
#include "fs/outcome.h"
#include "tests/torture/faulty.h"

enum { ALICE = 1001, BOB = 1002 };

#define MOTD(mode)                                                                                           \
	"{\"path\": \"/etc/motd\", \"ensure\": \"present\", \"mode\": \"" mode "\", \"owner\": \"root\"}"

static struct caller alice = { .uid = ALICE, .gid = ALICE, .groups_known = true };

static void answered(struct request *request, ssize_t result)
{
	struct play *play = (struct play *)(uintptr_t)request->door;

	play->answered = true;
	play->answer = result;
}

static struct request *as(struct play *play, uid_t uid)
{
	caller_done(&play->request.caller);
	play->request = (struct request){ .tree = play->home.tree,
		.done = answered,
		.door = play,
		.caller = { .uid = uid, .gid = uid, .pid = getppid(), .groups_known = true } };
	play->answered = false;
	request_begin(&play->request);
	return &play->request;
}

/* What comes later comes from the loop. */
static ssize_t wait_for(struct play *play, ssize_t result)
{
	if (result != LATER)
		return result;
	while (!play->answered) {
		int r = engine_turn_end(play->home.engine);

		if (r < 0)
			return r;
		if (!play->answered)
			ev_run(play->home.loop, EVRUN_ONCE);
	}
	return play->answer;
}

static int do_write(struct play *play, const struct operation *o)
{
	struct tree *tree = play->home.tree;
	struct request *request = as(play, o->uid);
	struct handle *handle;
	struct attr attr;
	uint64_t parent;
	const char *name;
	ssize_t n;
	int r = tree_walk(tree, request, o->path, &attr);

	if (r == 0)
		r = tree_open(tree, request, attr.number, O_WRONLY | O_TRUNC, &handle);
	else if (r == -ENOENT && (r = tree_walk_parent(tree, request, o->path, &parent, &name)) == 0)
		r = tree_create(tree, request, parent, name, 0644, O_WRONLY, &handle, &attr);
	if (r < 0)
		return r;
	request->handle = handle;
	n = wait_for(play, tree_write(tree, request, handle, 0, o->text, strlen(o->text)));
	if (n >= 0)
		n = wait_for(play, tree_flush(tree, request, handle));
	tree_release(tree, request, handle);
	return n < 0 ? (int)n : 0;
}

static int do_read(struct play *play, const struct operation *o)
{
	struct tree *tree = play->home.tree;
	struct request *request = as(play, o->uid);
	struct handle *handle;
	struct attr attr;
	char data[4096];
	ssize_t n;
	int r = tree_walk(tree, request, o->path, &attr);

	if (r == 0 && attr.kind == KIND_LINK)
		return tree_readlink(tree, request, attr.number, &play->text);
	if (r == 0)
		r = tree_open(tree, request, attr.number, O_RDONLY, &handle);
	if (r < 0)
		return r;
	do {
		request->data = data;
		request->size = sizeof(data);
		play->answered = false;
		n = wait_for(
			play, tree_read(tree, request, handle, (int64_t)play->text.size, data, sizeof(data)));
		if (n > 0 && buffer_append(&play->text, data, (size_t)n) < 0)
			n = -ENOMEM;
	} while (n > 0);
	tree_release(tree, request, handle);
	return n < 0 ? (int)n : 0;
}

static int list_one(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	struct play *play = userdata;

	return buffer_append_text(&play->text, name) < 0 ? -ENOMEM : buffer_append_text(&play->text, "\n");
}

static int do_list(struct play *play, const struct operation *o)
{
	struct request *request = as(play, o->uid);
	struct attr attr;
	int r = tree_walk(play->home.tree, request, o->path, &attr);

	return r < 0 ? r : tree_list(play->home.tree, request, attr.number, list_one, play);
}

static int do_in_parent(struct play *play, const struct operation *o)
{
	struct tree *tree = play->home.tree;
	struct request *request = as(play, o->uid);
	uint64_t parent, other;
	const char *name, *new_name;
	struct attr attr;
	int r = tree_walk_parent(tree, request, o->path, &parent, &name);

	if (r < 0)
		return r;
	switch (o->act) {
	case ACT_MKDIR:
		return tree_mkdir(tree, request, parent, name, o->number, &attr);
	case ACT_RMDIR:
		return tree_rmdir(tree, request, parent, name);
	case ACT_UNLINK:
		return tree_unlink(tree, request, parent, name);
	case ACT_SYMLINK:
		return tree_symlink(tree, request, parent, name, o->text, &attr);
	default:
		r = tree_walk_parent(tree, request, o->text, &other, &new_name);
		return r < 0 ? r : tree_rename(tree, request, parent, name, other, new_name, false);
	}
}

static int do_attribute(struct play *play, const struct operation *o)
{
	struct tree *tree = play->home.tree;
	struct request *request = as(play, o->uid);
	struct attr attr;
	int r = tree_walk(tree, request, o->path, &attr);

	if (r < 0)
		return r;
	switch (o->act) {
	case ACT_CHMOD:
		return tree_chmod(tree, request, attr.number, o->number);
	case ACT_CHOWN:
		return tree_chown(tree, request, attr.number, o->number, (gid_t)-1);
	default:
		return tree_set_option(tree, request, attr.number, o->option, o->text, strlen(o->text));
	}
}

static int do_call(struct play *play, const struct operation *o)
{
	as(play, o->uid);
	return o->call(play);
}

static int (*const acts[])(struct play *play, const struct operation *o) = {
	[ACT_WRITE] = do_write,
	[ACT_READ] = do_read,
	[ACT_LIST] = do_list,
	[ACT_MKDIR] = do_in_parent,
	[ACT_RMDIR] = do_in_parent,
	[ACT_UNLINK] = do_in_parent,
	[ACT_RENAME] = do_in_parent,
	[ACT_SYMLINK] = do_in_parent,
	[ACT_CHMOD] = do_attribute,
	[ACT_CHOWN] = do_attribute,
	[ACT_SETXATTR] = do_attribute,
	[ACT_CALL] = do_call,
};

/* As a door does it: the turn decides, and the sentence is kept. */
int play_do(struct play *play, const struct operation *o)
{
	int r, turn = 0;

	buffer_truncate(&play->text, 0);
	r = acts[o->act](play, o);
	play->request.tree = play->home.tree;
	if (play->home.tree)
		r = (int)request_outcome(&play->request, r);
	if (play->home.engine)
		turn = engine_turn_end(play->home.engine);
	return r < 0 ? r : turn;
}

static int64_t stack_id(struct play *play, const char *name)
{
	struct stack stack;
	int r = stack_find(play->home.engine, name, &stack);

	return r < 0 ? r : stack.id;
}

static int put_motd(struct play *play, const char *mode, const char *status)
{
	json_auto_t *value = json_loads(mode, 0, NULL);
	struct resource_draft draft = { .type = "file",
		.name = "/etc/motd",
		.properties = value,
		.applied = status ? value : NULL,
		.actual = status ? value : NULL,
		.status = status,
		.protect = -1 };
	enum resource_result result;
	int64_t id, stack = stack_id(play, "prod");

	if (!value || stack < 0)
		return value ? (int)stack : -ENOMEM;
	return resource_put(play->home.engine, &alice, stack, &draft, &play->request.fault, &result, &id);
}

static int register_motd(struct play *play)
{
	return put_motd(play, MOTD("0640"), "applied");
}

static int see_drift(struct play *play)
{
	json_auto_t *rows = json_loads(
		"[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"drifted\", \"actual\": "
		"{\"ensure\": "
		"\"present\", \"mode\": \"0600\", \"owner\": \"root\"}, \"findings\": [{\"property\": "
		"\"mode\", "
		"\"kind\": \"configuration\", \"severity\": \"medium\", \"expected\": \"0644\", \"actual\": "
		"\"0600\", \"cause\": \"changed\", \"impact\": \"other rights\", \"fix\": \"chmod\"}]}]",
		0, NULL);
	int64_t stack = stack_id(play, "prod");

	if (!rows || stack < 0)
		return rows ? (int)stack : -ENOMEM;
	return drift_take(play->home.engine, &alice, stack, rows);
}

static int drift_ends(struct play *play)
{
	json_auto_t *rows = json_loads("[{\"type\": \"file\", \"name\": \"/etc/hosts\", \"state\": "
				       "\"in_sync\", \"actual\": {\"ensure\": "
				       "\"present\", \"mode\": \"0644\"}, \"findings\": []}]",
		0, NULL);
	int64_t stack = stack_id(play, "prod");

	if (!rows || stack < 0)
		return rows ? (int)stack : -ENOMEM;
	return drift_take(play->home.engine, &alice, stack, rows);
}

static int submit_run(struct play *play)
{
	static const char text[] = "task(\"a\"):command(\"true\"):build()\n";
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t stack = stack_id(play, "prod"), task;
	struct run run;
	int r = stack < 0 ? (int)stack : store_change_begin(play->home.engine->store, &change);

	if (r == 0)
		r = run_create(play->home.engine, &alice, "deploy.sloth", stack, text, strlen(text), &run);
	if (r == 0)
		r = workflow_file_set(play->home.engine, stack, "deploy.sloth", run.id);
	if (r == 0)
		r = task_add(play->home.engine, run.id, 0, "a", &task);
	if (r == 0)
		r = run_set_status(play->home.engine, run.id, RUN_RUNNING, NULL);
	return r < 0 ? r : store_change_end(&change);
}

static int latest(struct play *play, int64_t *ret_task)
{
	struct run run;
	struct task task;
	int r = run_latest(play->home.engine, 0, NULL, &run);

	if (r == 0)
		r = task_find(play->home.engine, run.id, "first", &task);
	if (r < 0)
		return r;
	*ret_task = task.id;
	return (int)run.id;
}

static int write_log(struct play *play)
{
	static const char text[] = "one\ntwo\nthree";
	int64_t task;
	int run = latest(play, &task);

	return run < 0 ? run
		       : log_append(play->home.engine, run,
				 &(struct log_origin){
					 .task_id = task, .try = 1, .stream = "out", .time_ms = 1500 },
				 text, strlen(text));
}

static int finish_task(struct play *play)
{
	int64_t task;
	int run = latest(play, &task);

	return run < 0 ? run
		       : task_set_status(play->home.engine, task, TASK_SUCCESS, 1, NULL, "{\"port\": 80}");
}

static int finish_run(struct play *play)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t task;
	int run = latest(play, &task), r;

	r = run < 0 ? run : store_change_begin(play->home.engine->store, &change);
	if (r == 0)
		r = task_finish_all(play->home.engine, run, TASK_CANCELLED);
	if (r == 0)
		r = run_set_status(play->home.engine, run, RUN_FAILED, "it was enough");
	return r < 0 ? r : store_change_end(&change);
}

static int keep_image(struct play *play)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	json_auto_t *was = json_pack("{s:s}", "mode", "0644");
	struct image_draft draft = {
		.task = "first", .type = "file", .name = "/etc/motd", .was = was, .is_private = true
	};
	int64_t task, part, id;
	int run = latest(play, &task), r;

	if (!was)
		return -ENOMEM;
	r = run < 0 ? run : store_change_begin(play->home.engine->store, &change);
	if (r == 0)
		r = image_part_add(play->home.engine, run, "welcome\n", 8, true, &play->request.fault, &part);
	if (r == 0 && !(draft.image = json_pack("{s:I}", "part", part)))
		r = -ENOMEM;
	if (r == 0)
		r = image_add(play->home.engine, run, &draft, &play->request.fault, &id);
	json_decref(draft.image);
	return r < 0 ? r : store_change_end(&change);
}

/* Announced, received, kept: each a change, as the frames of a runner are. */
static int keep_artifact(struct play *play)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct artifact wanted = { .mode = 0644, .size = 6, .path = "build/out.txt" };
	struct artifact_sum sum;
	int64_t id;
	int r = latest(play, &wanted.task_id);

	if (r > 0) {
		wanted.run_id = r;
		r = artifact_sum(play->home.engine, wanted.run_id, &sum);
	}
	if (r == 0)
		r = store_change_begin(play->home.engine->store, &change);
	if (r == 0)
		r = artifact_add(play->home.engine, &wanted, &sum, &play->request.fault, &id);
	if (r == 0)
		r = artifact_receive(play->home.engine, wanted.run_id, id, 0, "hello\n", 6);
	if (r == 0)
		r = artifact_keep(play->home.engine, wanted.run_id, wanted.task_id);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		store_change_cancel(&change);
	artifact_collect(play->home.engine, wanted.run_id);
	return r;
}

static int set_output(struct play *play)
{
	json_auto_t *value = json_pack("{s:i}", "port", 8080);
	int64_t stack = stack_id(play, "prod");

	if (!value || stack < 0)
		return value ? (int)stack : -ENOMEM;
	return output_set_as(play->home.engine, &alice, stack, "password", value, true, &play->request.fault);
}

static int expire_versions(struct play *play)
{
	int r = collect_retention(play->home.engine);

	while (r == 0 && (r = collect_rest(play->home.engine)) > 0)
		r = engine_turn_end(play->home.engine);
	return r;
}

static int start_engine(struct play *play)
{
	int r;

	tree_free(play->home.tree);
	play->home.tree = NULL;
	engine_free(play->home.engine);
	play->home.engine = NULL;
	r = engine_new(play->home.path, play->home.loop, &play->request.fault, &play->home.engine);
	return r < 0 ? r : tree_new(play->home.engine, &play->home.tree);
}

static int make_backup(struct play *play)
{
	struct backup_order order = { .kind = BACKUP_MANUAL, .reason = "a test", .uid = ALICE };
	int64_t number;

	return backup_make(play->home.path, &order, &play->request.fault, &number);
}

static int verify_backup(struct play *play)
{
	int64_t number = backup_newest(play->home.path);

	return number ? backup_verify(play->home.path, number, &play->request.fault) : -ENOENT;
}

static int restore_backup(struct play *play)
{
	int64_t number = backup_newest(play->home.path);
	int r;

	tree_free(play->home.tree);
	play->home.tree = NULL;
	engine_free(play->home.engine);
	play->home.engine = NULL;
	r = number ? backup_restore_alone(play->home.path, number, 0, &play->request.fault) : -ENOENT;
	return r;
}

static int examine_database(struct play *play)
{
	json_t *report = NULL;
	int r = examine(play->home.database, true, &play->request.fault, &report);

	if (r == 0)
		r = examine_verdict(report, &play->request.fault);
	json_decref(report);
	return r;
}

/* Two turns where one belongs. */
static int control_half(struct play *play)
{
	json_auto_t *value = json_integer(1);
	struct kv_scope scope = { stack_id(play, "prod"), 0 };
	int r = !value ? -ENOMEM : kv_set(play->home.engine, scope, "first-half", value, 0);

	if (r == 0)
		r = engine_turn_end(play->home.engine);
	return r < 0 ? r : kv_set(play->home.engine, scope, "second-half", value, 0);
}

/* A failure that nobody is told of. */
static int control_silent(struct play *play)
{
	json_auto_t *value = json_integer(1);

	if (value)
		kv_set(play->home.engine, (struct kv_scope){ stack_id(play, "prod"), 0 }, "silent", value, 0);
	return 0;
}

static int control_crash(struct play *play)
{
	char *copy = strdup("not looked at");

	copy[0] = 'N';
	free(copy);
	return 0;
}

static int control_leak(struct play *play)
{
	char *first = malloc(100), *second = malloc(100);

	if (!first || !second)
		return -ENOMEM;
	free(first);
	free(second);
	return 0;
}

const struct operation operations[] = {
	{ "make-stack", ACT_MKDIR, 0, "/stacks/new", .number = 0750 },
	{ "destroy-stack", ACT_RMDIR, BOB, "/stacks/open" },
	{ "rename-stack", ACT_RENAME, ALICE, "/stacks/prod", "/stacks/live" },
	{ "chmod-stack", ACT_CHMOD, ALICE, "/stacks/prod", .number = 0700 },
	{ "chown-stack", ACT_CHOWN, 0, "/stacks/prod", .number = BOB },
	{ "describe", ACT_WRITE, ALICE, "/stacks/prod/description", "the real thing\n" },
	{ "set-version", ACT_WRITE, ALICE, "/stacks/prod/version", "1.2.3\n" },
	{ "set-config", ACT_WRITE, ALICE, "/stacks/prod/config.yaml", "stacks:\n  lock_timeout: 5m\n" },
	{ "set-values", ACT_WRITE, ALICE, "/stacks/prod/values.yaml", "replicas: 5\nlist: [1, 2, {a: b}]\n" },
	{ "remove-values", ACT_UNLINK, ALICE, "/stacks/prod/values.yaml" },
	{ "export", ACT_READ, ALICE, "/stacks/prod/export.json", .reads = true },
	{ "lock", ACT_WRITE, ALICE, "/stacks/prod/lock", "reason=\"deploying\" ttl=30m operation=deploy\n" },
	{ "unlock", ACT_WRITE, ALICE, "/stacks/held/lock", "unlock\n" },
	{ "renew", ACT_WRITE, ALICE, "/stacks/held/lock", "renew\n" },
	{ "force-lock", ACT_WRITE, 0, "/stacks/held/lock", "force reason=\"must be\"\n" },
	{ "lock-several", ACT_WRITE, ALICE, "/locks/ctl", "acquire stacks/prod locks/other reason=both\n" },
	{ "remove-named-lock", ACT_UNLINK, ALICE, "/locks/named" },
	{ "add-tag", ACT_WRITE, ALICE, "/stacks/prod/tags/eu", "" },
	{ "remove-tag", ACT_UNLINK, ALICE, "/stacks/prod/tags/web" },
	{ "add-dependency", ACT_SYMLINK, ALICE, "/stacks/prod/deps/open", "../../open" },
	{ "remove-dependency", ACT_UNLINK, ALICE, "/stacks/held/deps/prod" },
	{ "constrain", ACT_WRITE, ALICE, "/stacks/held/depends", "prod >=1\n" },
	{ "set-key", ACT_WRITE, ALICE, "/stacks/prod/state/fresh", "7\n" },
	{ "change-key", ACT_WRITE, ALICE, "/stacks/prod/state/count", "8\n" },
	{ "remove-key", ACT_UNLINK, ALICE, "/stacks/prod/state/count" },
	{ "increment", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "incr count 5\n" },
	{ "swap", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "cas count 1 9\n" },
	{ "append", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "append word tail\n" },
	{ "push", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "push list item\n" },
	{ "clear-keys", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "clear\n" },
	{ "key-ttl", ACT_SETXATTR, ALICE, "/stacks/prod/state/count", "10m", .option = "user.sloth.ttl" },
	{ "make-namespace", ACT_MKDIR, ALICE, "/state/fresh", .number = 0755 },
	{ "remove-namespace", ACT_RMDIR, ALICE, "/state/empty" },
	{ "set-shared-key", ACT_WRITE, ALICE, "/state/shared/key", "value\n" },
	{ "snapshot", ACT_WRITE, ALICE, "/stacks/prod/snapshots/new", "before the change\n" },
	{ "pin", ACT_SYMLINK, ALICE, "/stacks/prod/snapshots/good", "v2" },
	{ "unpin", ACT_UNLINK, ALICE, "/stacks/prod/snapshots/kept" },
	{ "restore", ACT_WRITE, ALICE, "/stacks/prod/snapshots/restore", "v3\n" },
	{ "forget-version", ACT_RMDIR, ALICE, "/stacks/prod/snapshots/v2" },
	{ "raise-the-dead", ACT_WRITE, ALICE, "/destroyed/gone.5/restore", "again\n" },
	{ "set-secret", ACT_WRITE, ALICE, "/secrets/token", "hunter2" },
	{ "change-secret", ACT_WRITE, ALICE, "/secrets/old", "hunter3" },
	{ "remove-secret", ACT_UNLINK, ALICE, "/secrets/old" },
	{ "read-secret", ACT_READ, ALICE, "/secrets/old" },
	{ "rotate-keys", ACT_WRITE, 0, "/keys", "rotate\n" },
	{ "set-sealed-output", ACT_CALL, ALICE, .call = set_output },
	{ "desire", ACT_WRITE, ALICE, "/stacks/prod/resources/file/%2Fetc%2Fmotd/desired.json",
		MOTD("0755") },
	{ "protect", ACT_WRITE, ALICE, "/stacks/prod/resources/file/%2Fetc%2Fmotd/protect", "1\n" },
	{ "remove-resource", ACT_RMDIR, ALICE, "/stacks/prod/resources/file/%2Fetc%2Fmotd" },
	{ "register-resource", ACT_CALL, ALICE, .call = register_motd },
	{ "see-drift", ACT_CALL, ALICE, .call = see_drift },
	{ "drift-ends", ACT_CALL, ALICE, .call = drift_ends },
	{ "ignore-drift", ACT_WRITE, ALICE, "/stacks/prod/drift",
		"ignore /etc/hosts reason=known until=1h\n" },
	{ "adopt-drift", ACT_WRITE, ALICE, "/stacks/prod/drift", "adopt /etc/hosts\n" },
	{ "submit-run", ACT_CALL, ALICE, .call = submit_run },
	{ "write-log", ACT_CALL, ALICE, .call = write_log },
	{ "finish-task", ACT_CALL, ALICE, .call = finish_task },
	{ "finish-run", ACT_CALL, ALICE, .call = finish_run },
	{ "keep-image", ACT_CALL, ALICE, .call = keep_image },
	{ "keep-artifact", ACT_CALL, ALICE, .call = keep_artifact },
	{ "expire-versions", ACT_CALL, 0, .call = expire_versions },
	{ "audit", ACT_READ, 0, "/audit", .reads = true },
	{ "archive-events", ACT_WRITE, 0, "/archives", "archive before=2099-01-01T00:00:00Z\n" },
	{ "chmod-stacks", ACT_CHMOD, 0, "/stacks", .number = 0755 },
	{ "list-stacks", ACT_LIST, ALICE, "/stacks", .reads = true },
	{ "start", ACT_CALL, 0, .call = start_engine },
	{ "make-backup", ACT_CALL, 0, .call = make_backup },
	{ "verify-backup", ACT_CALL, 0, .call = verify_backup },
	{ "restore-backup", ACT_CALL, 0, .call = restore_backup },
	{ "examine", ACT_CALL, 0, .call = examine_database, .reads = true },
	{ "control-half", ACT_CALL, ALICE, .call = control_half, .control = "half" },
	{ "control-silent", ACT_CALL, ALICE, .call = control_silent, .control = "silent" },
	{ "control-crash", ACT_CALL, ALICE, .call = control_crash, .control = "crash" },
	{ "control-leak", ACT_CALL, ALICE, .call = control_leak, .control = "leak" },
};
const size_t operation_count = sizeof(operations) / sizeof(operations[0]);

static const struct operation furniture[] = {
	{ "", ACT_CHMOD, 0, "/state", .number = 01777 },
	{ "", ACT_CHMOD, 0, "/locks", .number = 01777 },
	{ "", ACT_CHMOD, 0, "/secrets", .number = 01777 },
	{ "", ACT_MKDIR, ALICE, "/stacks/held", .number = 0755 },
	{ "", ACT_MKDIR, ALICE, "/stacks/busy", .number = 0755 },
	{ "", ACT_MKDIR, ALICE, "/stacks/gone", .number = 0755 },
	{ "", ACT_WRITE, ALICE, "/stacks/gone/values.yaml", "a: 1\n" },
	{ "", ACT_RMDIR, ALICE, "/stacks/gone" },
	{ "", ACT_SYMLINK, ALICE, "/stacks/held/deps/prod", "../../prod" },
	{ "", ACT_WRITE, ALICE, "/stacks/held/lock", "reason=\"long\" ttl=1h\n" },
	{ "", ACT_WRITE, ALICE, "/locks/named", "mine\n" },
	{ "", ACT_WRITE, ALICE, "/stacks/prod/tags/web", "" },
	{ "", ACT_WRITE, ALICE, "/stacks/prod/state/word", "head\n" },
	{ "", ACT_WRITE, ALICE, "/stacks/prod/snapshots/new", "second\n" },
	{ "", ACT_SYMLINK, ALICE, "/stacks/prod/snapshots/kept", "v3" },
	{ "", ACT_MKDIR, ALICE, "/state/shared", .number = 0755 },
	{ "", ACT_MKDIR, ALICE, "/state/empty", .number = 0755 },
	{ "", ACT_WRITE, ALICE, "/secrets/old", "hunter1" },
};

static int put_hosts(struct play *play)
{
	json_auto_t *value = json_loads(
		"{\"path\": \"/etc/hosts\", \"ensure\": \"present\", \"mode\": \"0644\"}", 0, NULL);
	json_auto_t *rows = json_loads(
		"[{\"type\": \"file\", \"name\": \"/etc/hosts\", \"state\": \"drifted\", \"actual\": "
		"{\"ensure\": "
		"\"present\", \"mode\": \"0600\"}, \"findings\": [{\"property\": \"mode\", \"kind\": "
		"\"configuration\", \"severity\": \"medium\", \"expected\": \"0644\", \"actual\": \"0600\", "
		"\"cause\": \"changed\"}]}]",
		0, NULL);
	struct resource_draft draft = { .type = "file",
		.name = "/etc/hosts",
		.properties = value,
		.applied = value,
		.actual = value,
		.status = "applied",
		.protect = -1 };
	enum resource_result result;
	int64_t id, stack = stack_id(play, "prod");

	must(resource_put(play->home.engine, &alice, stack, &draft, &play->request.fault, &result, &id) == 0);
	return drift_take(play->home.engine, &alice, stack, rows);
}

static void begin_run(struct play *play)
{
	static const char text[] = "task(\"first\"):command(\"true\"):build()\n";
	int64_t task;
	struct run run;

	must(run_create(play->home.engine, &alice, "first.sloth", stack_id(play, "busy"), text, strlen(text),
		     &run) == 0);
	must(task_add(play->home.engine, run.id, 0, "first", &task) == 0);
	must(run_set_status(play->home.engine, run.id, RUN_RUNNING, NULL) == 0);
	must(task_set_status(play->home.engine, task, TASK_READY, 0, NULL, NULL) == 0);
	must(task_set_status(play->home.engine, task, TASK_RUNNING, 1, NULL, NULL) == 0);
}

void operations_prepare(struct play *play)
{
	for (size_t i = 0; i < sizeof(furniture) / sizeof(furniture[0]); i++) {
		int r = play_do(play, &furniture[i]);

		if (r < 0) {
			fprintf(stderr, "%s: %s: %s\n", furniture[i].path, strerror(-r),
				play->request.fault.text);
			abort();
		}
	}
	must(put_motd(play, MOTD("0644"), "applied") == 0);
	must(put_hosts(play) == 0);
	begin_run(play);
	must(engine_turn_end(play->home.engine) == 0);
	must(make_backup(play) == 0);
}
