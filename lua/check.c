/* SPDX-License-Identifier: MIT */
/* A process that runs nothing: does the workflow load, are files there, may this user write, is there room.
 */
#include "lua/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/fault.h"
#include "lua/coverage.h"
#include "lua/json-write.h"
#include "lua/plan.h"
#include "lua/runner.h"
#include "lua/value.h"
#include "lua/workflow.h"

enum { LIFE_SECONDS = 20 }; /* the daemon has given up before */

static json_t *verdict(int error, const char *text)
{
	return json_pack("{sb ss* so}", "ok", !error, "errno", error ? fault_errno_name(error) : NULL, "text",
		value_text(text, strlen(text)));
}

static json_t *plan_tree(struct workflow *workflow)
{
	struct json_write out = { 0 };
	json_t *plan = NULL;

	json_write_open(&out, '{');
	if (plan_write(workflow, &out) == 0) {
		json_write_close(&out, '}');
		plan = json_loadb(buffer_text(&out.text), out.text.size, 0, NULL);
	}
	buffer_done(&out.text);
	return plan;
}

static json_t *check_workflow(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct fault fault = { 0 };
	json_t *plan = NULL;

	if (frame->body_size == 0)
		return json_null();
	if (runner_load(runner, head, frame, &fault) < 0)
		return verdict(fault.code, fault.text);
	if (json_is_true(json_object_get(head, "plan")))
		plan = plan_tree(runner->workflow);
	return json_pack("{sb sI so*}", "ok", 1, "tasks", (json_int_t)runner->workflow->count, "plan", plan);
}

static int missing_modules(lua_State *L)
{
	const struct frame *frame = lua_touserdata(L, 1);

	vm_push_library(L, "preflight");
	lua_getfield(L, -1, "missing");
	lua_pushlstring(L, frame->body, frame->body_size);
	lua_call(L, 1, 1);
	return 1;
}

static json_t *check_modules(struct runner *runner, const struct frame *frame)
{
	lua_State *L = runner->vm.L;
	const char *error;
	json_t *list;

	if (!L)
		return json_null();
	lua_pushcfunction(L, missing_modules);
	lua_pushlightuserdata(L, (void *)(uintptr_t)frame);
	if (vm_call(&runner->vm, 1, 1) != LUA_OK)
		return json_null();
	list = value_get(L, -1, &error);
	return list ? list : json_null();
}

/* Whether the path can be written; one that is not there yet can be when its folder can. */
static int may_write(const char *path)
{
	CLEANUP(cleanup_free) char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
		return 0;
	if (errno != ENOENT || !slash)
		return -errno;
	slash[slash == folder] = '\0';
	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

static json_t *check_path(const json_t *wanted)
{
	const char *path = json_string_value(json_object_get(wanted, "path"));
	bool write = json_is_true(json_object_get(wanted, "write"));
	int r = 0;

	if (!path)
		return json_null();
	if (write)
		r = may_write(path);
	else if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
		r = -errno;
	return json_pack("{sO sO sb so}", "path", json_object_get(wanted, "path"), "of",
		json_object_get(wanted, "of"), "write", write, "error",
		r < 0 ? json_string(strerror(-r)) : json_null());
}

static json_t *check_paths(json_t *head)
{
	json_t *list = json_array(), *wanted;
	size_t i;

	json_array_foreach (json_object_get(head, "paths"), i, wanted)
		json_array_append_new(list, check_path(wanted));
	return list;
}

/* The folders in which the tasks will run, where they name one that is there. */
static void add_workdirs(struct runner *runner, json_t *list)
{
	lua_State *L = runner->vm.L;

	for (size_t i = 0; runner->workflow && i < runner->workflow->count; i++) {
		const struct task *task = &runner->workflow->tasks[i];
		const char *path;

		lua_rawgeti(L, LUA_REGISTRYINDEX, task->spec);
		lua_getfield(L, -1, "workdir");
		path = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
		if (path && access(path, F_OK) == 0 && faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0)
			json_array_append_new(
				list, json_pack("{so ss sb ss}", "path", value_text(path, strlen(path)), "of",
					      task->name, "write", 1, "error", strerror(errno)));
		lua_pop(L, 2);
	}
}

/* The folder that the daemon has made for us, as it does for each run. */
static json_t *check_work(json_t *head)
{
	const char *work = json_string_value(json_object_get(head, "workdir"));
	char path[4200];
	struct statvfs room;
	int fd;

	if (!work)
		return json_null();
	snprintf(path, sizeof(path), "%s/XXXXXX", work);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return verdict(errno, strerror(errno));
	close(fd);
	unlink(path);
	if (statvfs(work, &room) < 0)
		return verdict(errno, strerror(errno));
	return json_pack("{sb sI}", "ok", 1, "free", (json_int_t)(room.f_bavail * room.f_frsize));
}

void check_frame(struct runner *runner, json_t *head, const struct frame *frame)
{
	json_t *answer = json_pack("{ss}", "op", "checked"), *paths;

	if (runner->begun || runner->last_seq)
		return;
	FAILPOINT("runner.check");
	alarm(LIFE_SECONDS); /* a workflow may go round in circles when it is loaded */
	json_object_set_new(answer, "workflow", check_workflow(runner, head, frame));
	json_object_set_new(answer, "modules", check_modules(runner, frame));
	paths = check_paths(head);
	add_workdirs(runner, paths);
	json_object_set_new(answer, "paths", paths);
	json_object_set_new(answer, "work", check_work(head));
	if (json_is_object(json_object_get(head, "coverage")))
		json_object_set_new(answer, "coverage", coverage_look(json_object_get(head, "coverage")));
	link_send(&runner->link, answer);
	runner_leave(runner, 0);
}
