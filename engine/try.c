/* SPDX-License-Identifier: MIT */
/* Tries of tasks. */
#include "engine/try.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

int try_set(struct engine *engine, const struct task *task, int number, bool undo, enum task_status status,
	int64_t time_ms, const char *error)
{
	return store_run(engine->store, SQL_TRY_SET, "iisiisis", task->id, (int64_t)number,
		task_status_name(status), time_ms, status == TASK_RUNNING ? INT64_C(0) : time_ms, error,
		task->log_size, undo ? "undo" : "run");
}

static int try_load(struct engine *engine, struct query *query, int64_t task_id, struct try *ret_try)
{
	int status = task_status_parse(query_text(query, 1));
	struct task task;
	int r = 0;

	*ret_try = (struct try){
		.task_id = task_id,
		.number = (int)query_int(query, 0),
		.status = status < 0 ? TASK_LOST : (enum task_status)status,
		.started_ms = query_int(query, 2),
		.finished_ms = query_int(query, 3),
		.log_start = query_int(query, 5),
		.undo = !strcmp(query_text(query, 6), "undo"),
		.log_end = query_int(query, 7),
	};
	if (ret_try->log_end < 0) {
		r = task_get(engine, task_id, &task);
		ret_try->log_end = task.log_size;
	}
	return r;
}

/* Those of a task, or one of them (number 0: all), until `each` returns non-zero. */
static int walk(struct engine *engine, int64_t task_id, int number,
	int (*each)(void *userdata, const struct try *try, const char *error), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_TRY_EACH, "ii", task_id, (int64_t)number);
	struct try try;
	int r;

	while ((r = query_step(query)) > 0) {
		r = try_load(engine, query, task_id, &try);
		if (r == 0)
			r = each(userdata, &try, query_text(query, 4));
		if (r != 0)
			break;
	}
	return r;
}

int try_each(struct engine *engine, int64_t task_id,
	int (*each)(void *userdata, const struct try *try, const char *error), void *userdata)
{
	return walk(engine, task_id, 0, each, userdata);
}

static int copy_try(void *userdata, const struct try *try, const char *error)
{
	*(struct try *)userdata = *try;
	return 1;
}

int try_get(struct engine *engine, int64_t task_id, int number, struct try *ret_try)
{
	int r = number > 0 ? walk(engine, task_id, number, copy_try, ret_try) : 0;

	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

static int copy_error(void *userdata, const struct try *try, const char *error)
{
	int r = buffer_append_text(userdata, error);

	return r < 0 ? r : 1;
}

int try_error(struct engine *engine, int64_t task_id, int number, struct buffer *ret_text)
{
	int r = walk(engine, task_id, number, copy_error, ret_text);

	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

static int show_line(void *userdata, const struct try *try, const char *error)
{
	FILE *out = userdata;
	char started[32], finished[32];

	fprintf(out, "%d %s%s %s %s", try->number, try->undo ? "undo " : "", task_status_name(try->status),
		time_format(try->started_ms, started),
		try->finished_ms ? time_format(try->finished_ms, finished) : "-");
	if (*error) {
		fputc(' ', out);
		text_write_safe(out, error);
	}
	fputc('\n', out);
	return 0;
}

void task_show_attempts(struct engine *engine, int64_t id, FILE *out)
{
	try_each(engine, id, show_line, out);
}
