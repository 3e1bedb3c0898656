/* SPDX-License-Identifier: MIT */
/* Artifacts: rows, and what may become one. The files are artifact-file.c's. */
#include "engine/artifact.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/artifact-file.h"
#include "engine/run.h"

enum { PREFIX_SIZE = ARTIFACT_PATH_MAX + 1 }; /* a path and a slash */

static void artifact_load(struct query *query, void *ret)
{
	struct artifact *ret_artifact = ret;

	*ret_artifact = (struct artifact){
		.id = query_int(query, 0),
		.run_id = query_int(query, 1),
		.task_id = query_int(query, 2),
		.mode = (mode_t)query_int(query, 4),
		.size = query_int(query, 5),
		.received = query_int(query, 6),
		.kept_ms = query_int(query, 7),
	};
	snprintf(ret_artifact->path, sizeof(ret_artifact->path), "%s", query_text(query, 3));
}

int artifact_get(struct engine *engine, int64_t id, struct artifact *ret_artifact)
{
	struct artifact artifact;
	int r = query_one(query_begin(engine->store, SQL_ARTIFACT_GET, "i", id), artifact_load, &artifact);

	if (r == 0 && !artifact.kept_ms)
		return -ENOENT;
	if (r == 0)
		*ret_artifact = artifact;
	return r;
}

int artifact_find(struct engine *engine, int64_t run_id, int64_t task_id, const char *path,
	struct artifact *ret_artifact)
{
	struct artifact artifact;
	int r = query_one(
		query_begin(engine->store, SQL_ARTIFACT_FIND, "is", run_id, path), artifact_load, &artifact);

	if (r == 0 && (!artifact.kept_ms || (task_id && artifact.task_id != task_id)))
		return -ENOENT;
	if (r == 0)
		*ret_artifact = artifact;
	return r;
}

/* The first path that is behind all that begin with `prefix`, which ends with a slash or is empty. */
static void prefix_end(const char *prefix, char ret_end[PREFIX_SIZE])
{
	size_t size = strlen(prefix);

	snprintf(ret_end, PREFIX_SIZE, "%s", *prefix ? prefix : "\xff");
	if (size)
		ret_end[size - 1] = '/' + 1;
}

int artifact_each(struct engine *engine, int64_t run_id, int64_t task_id, const char *prefix,
	int (*each)(void *userdata, const struct artifact *artifact), void *userdata)
{
	char end[PREFIX_SIZE];
	CLEANUP(query_endp) struct query *query = NULL;
	struct artifact artifact;
	int r;

	prefix_end(prefix, end);
	query = query_begin(engine->store, SQL_ARTIFACT_EACH, "iiss", run_id, task_id, prefix, end);
	while ((r = query_step(query)) > 0) {
		artifact_load(query, &artifact);
		r = each(userdata, &artifact);
		if (r != 0)
			break;
	}
	return r;
}

int artifact_sum(struct engine *engine, int64_t run_id, struct artifact_sum *ret_sum)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_ARTIFACT_SUM, "i", run_id);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_sum = (struct artifact_sum){ query_int(query, 0), query_int(query, 1) };
	return 0;
}

/* What a path may be: it becomes names in the tree and in other tasks' directories. */
static const char *path_complaint(const char *path)
{
	int depth = 0;

	if (strlen(path) >= ARTIFACT_PATH_MAX)
		return "is too long";
	for (const char *p = path;; depth++) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && *p == '.') || (n == 2 && !strncmp(p, "..", 2)))
			return "must be relative, without empty parts, \".\" and \"..\"";
		if (n > 255)
			return "has a name of more than 255 bytes";
		if (!text_is_line(p, n))
			return "has control characters in it";
		if (!p[n])
			return depth > ARTIFACT_DEPTH_MAX ? "is too deep" : NULL;
		p += n + 1;
	}
}

static int limits_check(struct engine *engine, const struct artifact *wanted, const struct artifact_sum *sum,
	struct fault *fault)
{
	const struct config *config = &engine->config;

	if (wanted->size > config->max_artifact_size)
		return fault_set(fault, EFBIG,
			"the artifact %s has %" PRId64 " bytes, and the limit is %" PRId64
			" (max_artifact_size)",
			wanted->path, wanted->size, config->max_artifact_size);
	if (sum->size + wanted->size > config->max_run_artifacts)
		return fault_set(fault, EDQUOT,
			"with the artifact %s the run would keep %" PRId64 " bytes, and the limit is %" PRId64
			" (max_run_artifacts)",
			wanted->path, sum->size + wanted->size, config->max_run_artifacts);
	if (sum->count >= ARTIFACT_COUNT_MAX)
		return fault_set(fault, EDQUOT,
			"the artifact %s is one more than the %d that a run may keep: put them into an "
			"archive",
			wanted->path, ARTIFACT_COUNT_MAX);
	return 0;
}

static int refuse_taken(
	struct engine *engine, const struct artifact *by, const char *path, bool whole, struct fault *fault)
{
	struct task task = { 0 };

	task_get(engine, by->task_id, &task);
	return fault_set(fault, EEXIST, "the artifact %s can't be kept: task %s keeps %s%s already", path,
		task.name, whole ? "that path" : by->path, whole ? "" : ", which is in its way,");
}

/* Whether a path is another artifact's, or would be a file where another one has a folder. */
static int path_free(struct engine *engine, const struct artifact *wanted, struct fault *fault)
{
	char part[PREFIX_SIZE], end[PREFIX_SIZE];
	struct artifact other;
	int r;

	for (const char *p = wanted->path; p; p = strchr(p, '/')) {
		size_t n =
			*p == '/' && p != wanted->path ? (size_t)(p++ - wanted->path) : strlen(wanted->path);

		snprintf(part, sizeof(part), "%.*s", (int)n, wanted->path);
		r = query_one(query_begin(engine->store, SQL_ARTIFACT_FIND, "is", wanted->run_id, part),
			artifact_load, &other);
		if (r != -ENOENT)
			return r < 0 ? r
				     : refuse_taken(engine, &other, wanted->path, n == strlen(wanted->path),
					       fault);
	}
	snprintf(part, sizeof(part), "%s/", wanted->path);
	prefix_end(part, end);
	r = query_one(query_begin(engine->store, SQL_ARTIFACT_BELOW, "iss", wanted->run_id, part, end),
		artifact_load, &other);
	return r == -ENOENT ? 0 : r < 0 ? r : refuse_taken(engine, &other, wanted->path, false, fault);
}

int artifact_add(struct engine *engine, const struct artifact *wanted, struct artifact_sum *sum,
	struct fault *fault, int64_t *ret_id)
{
	const char *complaint = path_complaint(wanted->path);
	int64_t id;
	int r;

	if (complaint)
		return fault_set(fault, EINVAL, "the artifact's path %s: %s", complaint, wanted->path);
	if (wanted->size < 0)
		return -EINVAL;
	r = limits_check(engine, wanted, sum, fault);
	if (r == 0)
		r = path_free(engine, wanted, fault);
	if (r == 0)
		r = store_insert(engine->store, &id, SQL_ARTIFACT_ADD, "iisii", wanted->run_id,
			wanted->task_id, wanted->path, (int64_t)(wanted->mode & 0777), wanted->size);
	if (r == 0)
		r = artifact_file_make(engine, wanted->run_id, id, fault);
	if (r < 0)
		return r;
	sum->count++;
	sum->size += wanted->size;
	*ret_id = id;
	return 0;
}

int artifact_coming(struct engine *engine, int64_t run_id, int64_t id, struct artifact *ret_artifact)
{
	struct artifact artifact;
	int r = query_one(query_begin(engine->store, SQL_ARTIFACT_GET, "i", id), artifact_load, &artifact);

	if (r < 0)
		return r == -ENOENT ? -EPROTO : r;
	if (artifact.run_id != run_id || artifact.kept_ms)
		return -EPROTO;
	*ret_artifact = artifact;
	return 0;
}

int artifact_narrow(struct engine *engine, const struct artifact *artifact)
{
	return store_run(engine->store, SQL_ARTIFACT_SET_MODE, "ii", artifact->id,
		(int64_t)(artifact->mode & S_IRWXU));
}

int artifact_receive(
	struct engine *engine, int64_t run_id, int64_t id, int64_t offset, const void *data, size_t size)
{
	struct artifact artifact;
	int r = artifact_coming(engine, run_id, id, &artifact);

	if (r < 0)
		return r;
	if (offset != artifact.received || !size || (int64_t)size > artifact.size - artifact.received)
		return -EPROTO;
	r = artifact_file_write(engine, &artifact, data, size);
	return r < 0 ? r : store_run(engine->store, SQL_ARTIFACT_RECEIVED, "ii", id, offset + (int64_t)size);
}

static int notice(struct engine *engine, int64_t run_id, int64_t task_id)
{
	engine_note(engine, SUBJECT_RUN, run_id, ASPECT_NAMES | ASPECT_TASKS);
	engine_note(engine, SUBJECT_TASK, task_id, ASPECT_NAMES);
	return 0;
}

int artifact_keep(struct engine *engine, int64_t run_id, int64_t task_id)
{
	int64_t missing;
	int r = store_get_int(engine->store, &missing, SQL_ARTIFACT_MISSING, "i", task_id);

	if (r == 0 && missing)
		return -EPROTO;
	if (r == 0)
		r = store_run(engine->store, SQL_ARTIFACT_KEEP, "ii", task_id, time_now_ms());
	if (r < 0 || !store_changed_rows(engine->store))
		return r;
	r = artifact_files_sync(engine, run_id);
	return r < 0 ? r : notice(engine, run_id, task_id);
}

int artifact_drop(struct engine *engine, int64_t task_id)
{
	return store_run(engine->store, SQL_ARTIFACT_DROP, "i", task_id);
}

int artifact_drop_all(struct engine *engine, int64_t run_id)
{
	return store_run(engine->store, SQL_ARTIFACT_DROP_RUN, "i", run_id);
}

struct take_over {
	struct engine *engine;
	int64_t run_id, task_id;
};

static int take_one(void *userdata, const struct artifact *artifact)
{
	struct take_over *to = userdata;
	struct engine *engine = to->engine;
	int64_t id;
	int r = store_insert(engine->store, &id, SQL_ARTIFACT_ADD, "iisii", to->run_id, to->task_id,
		artifact->path, (int64_t)artifact->mode, artifact->size);

	if (r == 0)
		r = artifact_file_link(engine, artifact, to->run_id, id);
	return r < 0 ? r : store_run(engine->store, SQL_ARTIFACT_RECEIVED, "ii", id, artifact->size);
}

int artifact_take_over(struct engine *engine, int64_t from_task_id, int64_t run_id, int64_t task_id)
{
	struct take_over to = { engine, run_id, task_id };
	struct task from;
	int r = task_get(engine, from_task_id, &from);

	if (r == 0)
		r = artifact_each(engine, from.run_id, from_task_id, "", take_one, &to);
	return r < 0 ? r : artifact_keep(engine, run_id, task_id);
}
