/* SPDX-License-Identifier: MIT */
/* Operations that no door has: what runners, timers and jobs have the engine do. */
#include "tests/torture/faulty-calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
#include "engine/output.h"
#include "engine/resource.h"
#include "engine/run.h"
#include "engine/stack.h"

static struct caller alice = { .uid = ALICE, .gid = ALICE, .groups_known = true };

static int64_t stack_id(struct play *play, const char *name)
{
	struct stack stack;
	int r = stack_find(play->home.engine, name, &stack);

	return r < 0 ? r : stack.id;
}

int put_motd(struct play *play, const char *properties, const char *status)
{
	json_auto_t *value = json_loads(properties, 0, NULL);
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

int register_motd(struct play *play)
{
	return put_motd(play, MOTD("0640"), "applied");
}

int see_drift(struct play *play)
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

int drift_ends(struct play *play)
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

int submit_run(struct play *play)
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

static int newest(void *userdata, const struct run *run)
{
	*(struct run *)userdata = *run;
	return 1;
}

static int latest(struct play *play, int64_t *ret_task)
{
	struct run run;
	struct task task;
	int r = run_each(play->home.engine, 0, 0, newest, &run);

	if (r >= 0)
		r = r ? task_find(play->home.engine, run.id, "first", &task) : -ENOENT;
	if (r < 0)
		return r;
	*ret_task = task.id;
	return (int)run.id;
}

int write_log(struct play *play)
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

int finish_task(struct play *play)
{
	int64_t task;
	int run = latest(play, &task);

	return run < 0 ? run
		       : task_set_status(play->home.engine, task, TASK_SUCCESS, 1, NULL, "{\"port\": 80}");
}

int finish_run(struct play *play)
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

int keep_image(struct play *play)
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
int keep_artifact(struct play *play)
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

int set_output(struct play *play)
{
	json_auto_t *value = json_pack("{s:i}", "port", 8080);
	int64_t stack = stack_id(play, "prod");

	if (!value || stack < 0)
		return value ? (int)stack : -ENOMEM;
	return output_set_as(play->home.engine, &alice, stack, "password", value, true, &play->request.fault);
}

int expire_versions(struct play *play)
{
	int r = collect_retention(play->home.engine);

	while (r == 0 && (r = collect_rest(play->home.engine)) > 0)
		r = engine_turn_end(play->home.engine);
	return r;
}

int start_engine(struct play *play)
{
	int r;

	tree_free(play->home.tree);
	play->home.tree = NULL;
	engine_free(play->home.engine);
	play->home.engine = NULL;
	r = engine_new(play->home.path, play->home.loop, &play->request.fault, &play->home.engine);
	return r < 0 ? r : tree_new(play->home.engine, &play->home.tree);
}

int make_backup(struct play *play)
{
	struct backup_order order = { .kind = BACKUP_MANUAL, .reason = "a test", .uid = ALICE };
	int64_t number;

	return backup_make(play->home.path, &order, &play->request.fault, &number);
}

int verify_backup(struct play *play)
{
	int64_t number = backup_newest(play->home.path);

	return number ? backup_verify(play->home.path, number, &play->request.fault) : -ENOENT;
}

int restore_backup(struct play *play)
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

int examine_database(struct play *play)
{
	json_t *report = NULL;
	int r = examine(play->home.database, true, &play->request.fault, &report);

	if (r == 0)
		r = examine_verdict(report, &play->request.fault);
	json_decref(report);
	return r;
}

/* Two turns where one belongs. */
int control_half(struct play *play)
{
	json_auto_t *value = json_integer(1);
	struct kv_scope scope = { stack_id(play, "prod"), 0 };
	int r = !value ? -ENOMEM : kv_set(play->home.engine, scope, "first-half", value, 0);

	if (r == 0)
		r = engine_turn_end(play->home.engine);
	return r < 0 ? r : kv_set(play->home.engine, scope, "second-half", value, 0);
}

/* A failure that nobody is told of. */
int control_silent(struct play *play)
{
	json_auto_t *value = json_integer(1);

	if (value)
		kv_set(play->home.engine, (struct kv_scope){ stack_id(play, "prod"), 0 }, "silent", value, 0);
	return 0;
}

int control_crash(struct play *play)
{
	char *copy = strdup("not looked at");

	copy[0] = 'N';
	free(copy);
	return 0;
}

int control_leak(struct play *play)
{
	char *first = malloc(100), *second = malloc(100);

	if (!first || !second)
		return -ENOMEM;
	free(first);
	free(second);
	return 0;
}

int put_hosts(struct play *play)
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

void begin_run(struct play *play)
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
