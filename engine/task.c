/* SPDX-License-Identifier: MIT */
/* Tasks of runs and their tries, as rows. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/run.h"
#include "engine/try.h"
#include "engine/transition.h"

static void task_load(struct query *query, void *ret)
{
	struct task *ret_task = ret;
	int status = task_status_parse(query_text(query, 4));

	*ret_task = (struct task){
		.id = query_int(query, 0),
		.run_id = query_int(query, 1),
		.position = (int)query_int(query, 2),
		.status = status < 0 ? TASK_LOST : (enum task_status)status,
		.tries = (int)query_int(query, 5),
		.started_ms = query_int(query, 6),
		.finished_ms = query_int(query, 7),
		.updated_ms = query_int(query, 8),
		.log_size = query_int(query, 9),
		.log_json_size = query_int(query, 10),
	};
	snprintf(ret_task->name, sizeof(ret_task->name), "%s", query_text(query, 3));
}

int task_add(struct engine *engine, int64_t run_id, int position, const char *name, int64_t *ret_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t id;
	int r;

	if (!*name)
		return -EINVAL;
	if (strlen(name) >= NAME_SIZE)
		return -ENAMETOOLONG;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_insert(engine->store, &id, SQL_TASK_ADD, "iisi", run_id, (int64_t)position, name,
			time_now_ms());
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_RUN, run_id, ASPECT_TASKS | ASPECT_NAMES);
	*ret_id = id;
	return 0;
}

int task_get(struct engine *engine, int64_t id, struct task *ret_task)
{
	return query_one(query_begin(engine->store, SQL_TASK_GET, "i", id), task_load, ret_task);
}

int task_find(struct engine *engine, int64_t run_id, const char *name, struct task *ret_task)
{
	return query_one(query_begin(engine->store, SQL_TASK_FIND, "is", run_id, name), task_load, ret_task);
}

int task_each(struct engine *engine, int64_t run_id, int (*each)(void *userdata, const struct task *task),
	void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_TASK_EACH, "i", run_id);
	struct task task;
	int r;

	while ((r = query_step(query)) > 0) {
		task_load(query, &task);
		r = each(userdata, &task);
		if (r != 0)
			break;
	}
	return r;
}

/* The try's own row. A task that waits for its next try has one that failed. */
static int set_own_try(struct engine *engine, const struct task *task, enum task_status status, int tries,
	int64_t time, const char *error)
{
	if (tries == 0 || (status != TASK_RUNNING && task->status != TASK_RUNNING))
		return 0;
	return try_set(
		engine, task, tries, false, status == TASK_RETRY_WAIT ? TASK_FAILED : status, time, error);
}

/* Since when the task's last try runs. */
static int64_t try_started(struct engine *engine, const struct task *task)
{
	struct try try;

	if (task->tries <= 1 || try_get(engine, task->id, task->tries, &try) < 0)
		return task->started_ms;
	return try.started_ms;
}

static int tell_transition(struct engine *engine, const struct task *task, enum task_status status, int tries,
	const char *error, int64_t until_ms, int64_t now)
{
	bool ran = task->status == TASK_RUNNING && task->started_ms;
	const struct transition transition = {
		.run_id = task->run_id,
		.task_id = task->id,
		.task = task->name,
		.try = tries,
		.time_ms = now,
		.from = task_status_name(task->status),
		.to = task_status_name(status),
		.duration_ms = ran ? now - try_started(engine, task) : -1,
		.until_ms = until_ms,
		.error = error,
	};

	return transition_add(engine, &transition);
}

int task_set_status(struct engine *engine, int64_t id, enum task_status status, int tries, const char *error,
	const char *output)
{
	return task_set_status_at(engine, id, status, tries, error, output, &(struct task_moment){ 0 });
}

/* Not in the future, and not before what was known of the task already. */
static int64_t moment_time(const struct task_moment *moment, const struct task *task, int64_t now)
{
	int64_t time = moment->time_ms ? moment->time_ms : now;

	if (time > now)
		time = now;
	return time < task->started_ms ? task->started_ms : time;
}

int task_set_status_at(struct engine *engine, int64_t id, enum task_status status, int tries,
	const char *error, const char *output, const struct task_moment *moment)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t now = time_now_ms(), time;
	struct task task;
	int r = task_get(engine, id, &task);

	if (r < 0)
		return r;
	if (!task_status_follows(task.status, status))
		return -EINVAL;
	time = moment_time(moment, &task, now);
	tries = tries ? tries : task.tries;
	if (tries == 0 && status == TASK_RUNNING)
		tries = 1;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_TASK_SET_STATUS, "isiiiiss", id, task_status_name(status),
			(int64_t)tries, task.started_ms || status != TASK_RUNNING ? task.started_ms : time,
			task_status_final(status) ? time : INT64_C(0), now, error, output);
	if (r == 0)
		r = set_own_try(engine, &task, status, tries, time, error);
	if (r == 0 && status != task.status)
		r = tell_transition(engine, &task, status, tries, error, moment->until_ms, time);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_TASK, id, ASPECT_STATUS | ASPECT_TASKS);
	engine_note(engine, SUBJECT_RUN, task.run_id, ASPECT_TASKS);
	return 0;
}

/* Ends the query. */
static int text_copy(struct query *query, struct buffer *ret_text)
{
	CLEANUP(query_endp) struct query *owned = query;
	int r = query_step(owned);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = buffer_truncate(ret_text, 0);
	return r < 0 ? r : buffer_append_text(ret_text, query_text(owned, 0));
}

int task_error(struct engine *engine, int64_t id, struct buffer *ret_text)
{
	return text_copy(query_begin(engine->store, SQL_TASK_ERROR, "i", id), ret_text);
}

int task_output(struct engine *engine, int64_t id, struct buffer *ret_text)
{
	return text_copy(query_begin(engine->store, SQL_TASK_OUTPUT, "i", id), ret_text);
}

/* Their ids, as int64_t. */
static int unfinished_tasks(struct engine *engine, int64_t run_id, struct buffer *ret_ids)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_TASK_UNFINISHED, "i", run_id);
	int r;

	while ((r = query_step(query)) > 0) {
		int64_t id = query_int(query, 0);

		r = buffer_append(ret_ids, (const char *)&id, sizeof(id));
		if (r < 0)
			return r;
	}
	return r;
}

int task_finish_all(struct engine *engine, int64_t run_id, enum task_status status)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(buffer_done) struct buffer ids = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = unfinished_tasks(engine, run_id, &ids);
	/* One by one, because each leaves its try in order. */
	for (size_t at = 0; r == 0 && at < ids.size; at += sizeof(int64_t)) {
		int64_t id;

		memcpy(&id, ids.data + at, sizeof(id));
		r = task_set_status(engine, id, status, 0, NULL, NULL);
	}
	return r < 0 ? r : store_change_end(&change);
}
