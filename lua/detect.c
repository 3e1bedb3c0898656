/* SPDX-License-Identifier: MIT */
/* What the resources of a stack are in the world. */
#include "lua/detect.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/fault.h"
#include "lua/detect-glance.h"
#include "lua/runner.h"
#include "lua/scope.h"
#include "lua/value.h"
#include "lua/watch.h"

enum {
	LIFE_SECONDS = 700, /* the daemon has given up before */
	AT_ONCE = 8,	    /* resources that are read */
	READ_MS = 60000,    /* that one may take */
	END_MS = 1000,	    /* that commands have to end */
	REPORT_ROWS = 100,  /* of a frame */
	REPORT_BYTES = 256 << 10,
	ROW_BYTES = 3 << 20, /* one that is larger than a frame's share goes alone, up to this */
};

/* Why a fiber is ended. */
static const char too_slow[] = "it could not be read within a minute", given_up[] = "it took too long";

struct detect {
	struct runner *runner;
	struct scope scope;
	struct glances glances;
	struct buffer text; /* of the workflow, until it is loaded */
	char *not_loaded;   /* why it could not be; NULL: it was not tried, or is */
	json_t *rows;	    /* to be looked at, from `at` on */
	size_t at, running;
	json_t *report;
	size_t report_size;
	bool last, over;
};

/* A resource whose fiber runs. */
struct look {
	struct detect *detect;
	json_t *row;
};

/* Reports. */

static void flush(struct detect *detect, bool done)
{
	if (!done && json_array_size(detect->report) == 0)
		return;
	link_send(&detect->runner->link,
		json_pack("{ss so sb}", "op", "detected", "resources", detect->report, "done", done));
	detect->report = json_array();
	detect->report_size = 0;
}

static json_t *unknown(const json_t *row, const char *text)
{
	return json_pack("{sO* sO* sO* ss so s[]}", "id", json_object_get(row, "id"), "type",
		json_object_get(row, "type"), "name", json_object_get(row, "name"), "state", "unknown",
		"error", value_text(text, strlen(text)), "findings");
}

static void add(struct detect *detect, const json_t *row, json_t *told)
{
	size_t size = told ? json_dumpb(told, NULL, 0, JSON_COMPACT) : 0;

	if (!size || size > ROW_BYTES) {
		json_decref(told);
		told = unknown(row, size ? "there is too much to tell of it" : "not enough memory");
		size = json_dumpb(told, NULL, 0, JSON_COMPACT);
	}
	if (detect->report_size + size > REPORT_BYTES)
		flush(detect, false);
	json_array_append_new(detect->report, told);
	detect->report_size += size;
	if (json_array_size(detect->report) >= REPORT_ROWS)
		flush(detect, false);
}

/* Reading. */

static void look_done(struct fiber *fiber, lua_State *L, int status, int results, void *userdata)
{
	struct look *look = userdata;
	struct detect *detect = look->detect;
	const char *error = NULL;
	json_t *told = NULL;

	if (status == LUA_OK && results > 0)
		told = value_get(L, -1, &error);
	else if (status != LUA_OK)
		error = lua_tostring(L, -1);
	if (fiber->ends == too_slow) {
		/* Whatever was made of it on the way. */
		json_decref(told);
		told = unknown(look->row, too_slow);
	}
	if (!told)
		told = unknown(look->row, error ? error : "its provider raised an error that is no text");
	add(detect, look->row, told);
	detect->running--;
	json_decref(look->row);
	free(look);
}

/* drift.inspect(row) in a fiber, or watching.inspect(row). */
static int start_look(lua_State *L)
{
	struct look *look = lua_touserdata(L, 1);
	struct detect *detect = look->detect;
	struct fiber *fiber;

	vm_push_library(L, detect->runner->watch ? "watching" : "drift");
	lua_getfield(L, -1, "inspect");
	value_push(L, look->row);
	fiber = fiber_start(&detect->runner->sched, &detect->scope, L, 1, look_done, look);
	if (!fiber)
		return luaL_error(L, "not enough memory");
	fiber_limit(fiber, READ_MS, too_slow);
	return 0;
}

/* Whether there is a provider for the type at 1. */
static int is_known(lua_State *L)
{
	vm_push_library(L, "provider");
	lua_getfield(L, -1, "find");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	lua_pushboolean(L, lua_toboolean(L, -1));
	return 1;
}

static bool type_is_known(struct detect *detect, const json_t *row)
{
	lua_State *L = detect->runner->vm.L;
	const char *type = json_string_value(json_object_get(row, "type"));
	bool known = false;

	lua_pushcfunction(L, is_known);
	lua_pushstring(L, type ? type : "");
	if (vm_call(&detect->runner->vm, 1, 1) == LUA_OK)
		known = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return known;
}

/* The workflow, which may define a provider. */
static void load(struct detect *detect)
{
	struct fault fault = { 0 };

	if (!detect->text.size)
		return;
	if (runner_load_text(detect->runner, detect->text.data, detect->text.size, &fault) < 0 &&
		asprintf(&detect->not_loaded,
			"no provider is known for it; the workflow, which may define one, can't be loaded: "
			"%s",
			fault.text) < 0)
		detect->not_loaded = NULL;
	buffer_done(&detect->text);
	detect->text = (struct buffer){ 0 };
}

static void look_start(struct detect *detect, json_t *row)
{
	lua_State *L = detect->runner->vm.L;
	struct look *look;

	if (detect->text.size || detect->not_loaded) {
		bool known = type_is_known(detect, row);

		if (!known)
			load(detect);
		if (!known && detect->not_loaded) {
			add(detect, row, unknown(row, detect->not_loaded));
			return;
		}
	}
	look = malloc(sizeof(*look));
	if (!look) {
		add(detect, row, unknown(row, "not enough memory"));
		return;
	}
	*look = (struct look){ detect, json_incref(row) };
	lua_pushcfunction(L, start_look);
	lua_pushlightuserdata(L, look);
	if (vm_call(&detect->runner->vm, 1, 0) == LUA_OK) {
		detect->running++;
		return;
	}
	add(detect, row, unknown(row, lua_tostring(L, -1) ? lua_tostring(L, -1) : "it can't be read"));
	lua_pop(L, 1);
	json_decref(look->row);
	free(look);
}

/* The end. */

static void ended(struct scope *scope)
{
	struct detect *detect = scope->userdata;

	scope_done(scope);
	flush(detect, true);
	runner_leave(detect->runner, 0);
}

static void end(struct detect *detect, const char *reason)
{
	detect->over = true;
	scope_end(&detect->scope, reason, true, END_MS, ended);
}

void detect_cancel(struct detect *detect)
{
	if (!detect->over)
		end(detect, given_up);
}

bool detect_turn(struct detect *detect)
{
	bool started = false;

	if (detect->over)
		return false;
	if (glances_turn(&detect->glances))
		return true;
	while (detect->running < AT_ONCE && detect->at < json_array_size(detect->rows)) {
		look_start(detect, json_array_get(detect->rows, detect->at++));
		started = true;
	}
	if (detect->runner->watch)
		watch_turn(detect->runner->watch, detect->running > 0);
	if (detect->running || detect->at < json_array_size(detect->rows))
		return started;
	json_array_clear(detect->rows);
	detect->at = 0;
	flush(detect, false);
	if (detect->last)
		end(detect, "drift has been looked for");
	return false;
}

/* Frames. */

int detect_begin(struct runner *runner)
{
	struct detect *detect = calloc(1, sizeof(*detect));

	if (!detect)
		return -1;
	runner->detect = detect;
	detect->runner = runner;
	detect->rows = json_array();
	detect->report = json_array();
	glances_init(&detect->glances, &runner->link);
	scope_init(&detect->scope, runner, NULL, 0, detect);
	detect->scope.workdir = runner->workdir;
	return detect->rows && detect->report ? 0 : -1;
}

void detect_free(struct detect *detect)
{
	if (!detect)
		return;
	scope_done(&detect->scope);
	glances_done(&detect->glances);
	buffer_done(&detect->text);
	free(detect->not_loaded);
	json_decref(detect->rows);
	json_decref(detect->report);
	free(detect);
}

void detect_frame(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct fault fault = { 0 };

	if (runner->begun)
		return;
	FAILPOINT("runner.detect");
	alarm(LIFE_SECONDS); /* what a provider computes may never come back to the loop */
	if (runner_prepare(runner, head, &fault) == 0 && detect_begin(runner) == 0 &&
		buffer_append(&runner->detect->text, frame->body, frame->body_size) == 0)
		return;
	link_send(&runner->link, json_pack("{ss s[] sb so}", "op", "detected", "resources", "done", 1, "text",
					 value_text(fault.code ? fault.text : "not enough memory",
						 strlen(fault.code ? fault.text : "not enough memory"))));
	runner_leave(runner, 1);
}

void detect_resources_frame(struct runner *runner, json_t *head, const struct frame *frame)
{
	if (!runner->detect || runner->detect->over)
		return;
	json_array_extend(runner->detect->rows, json_object_get(head, "resources"));
	runner->detect->last = json_is_true(json_object_get(head, "last"));
}

void detect_glance_frame(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct detect *detect = runner->detect;

	if (detect && !detect->over && glances_add(&detect->glances, frame) < 0)
		end(detect, "not enough memory");
}
