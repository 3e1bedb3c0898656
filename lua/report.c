/* SPDX-License-Identifier: MIT */
/* Calls whose answers come later. */
#include "lua/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/link.h"
#include "lua/runner.h"
#include "lua/scheduler.h"
#include "lua/scope.h"

enum { OPEN_MAX = 128 };

static const char ROOM[] = "answers of the daemon about what was reported",
		  END[] = "the daemon's last answers";

struct report {
	LIST_ENTRY(report) open;
	struct scope *scope;
	struct call *call;
	char *about;
};

static void report_free(struct report *report)
{
	LIST_REMOVE(report, open);
	free(report->about);
	free(report);
}

static void wake(struct scope *scope, const char *waits_for)
{
	struct fiber *fiber;

	TAILQ_FOREACH (fiber, &scope->fibers, link)
		if (fiber->waits_for == waits_for)
			fiber_wake(fiber);
}

static void answered(void *userdata, const struct answer *answer)
{
	struct report *report = userdata;
	struct scope *scope = report->scope;
	struct reports *reports = &scope->reports;

	if (answer->error && !reports->error &&
		asprintf(&reports->error, "%s%s", report->about,
			answer->text ? answer->text : answer->error) < 0)
		reports->error = NULL;
	report_free(report);
	reports->count--;
	if (reports->count <= OPEN_MAX / 2)
		wake(scope, ROOM);
	if (!reports->count)
		wake(scope, END);
}

int report_send(struct scope *scope, const char *fn, json_t *args, const char *about)
{
	struct report *report = calloc(1, sizeof(*report));

	if (report)
		report->about = strdup(about);
	if (!report || !report->about) {
		free(report);
		json_decref(args);
		return -ENOMEM;
	}
	report->scope = scope;
	report->call = link_call_late(&scope->runner->link, fn, args, scope->task, answered, report);
	LIST_INSERT_HEAD(&scope->reports.open, report, open);
	if (!report->call) {
		report_free(report);
		return -EMSGSIZE;
	}
	scope->reports.count++;
	return 0;
}

static int collect_room(lua_State *L, void *work)
{
	lua_pushboolean(L, true);
	return 1;
}

int report_wait_room(lua_State *L, struct scope *scope)
{
	if (scope->reports.count < OPEN_MAX)
		return collect_room(L, scope);
	link_settle(&scope->runner->link);
	return fiber_park(L, ROOM, collect_room, NULL, scope);
}

static int collect_error(lua_State *L, void *work)
{
	struct reports *reports = &((struct scope *)work)->reports;

	lua_pushstring(L, reports->error);
	free(reports->error);
	reports->error = NULL;
	return 1;
}

int report_wait_end(lua_State *L, struct scope *scope)
{
	if (!scope->reports.count)
		return collect_error(L, scope);
	link_settle(&scope->runner->link);
	return fiber_park(L, END, collect_error, NULL, scope);
}

void reports_done(struct reports *reports)
{
	struct report *report;

	while ((report = LIST_FIRST(&reports->open))) {
		link_forget(report->call);
		report_free(report);
	}
	free(reports->error);
	*reports = (struct reports){ 0 };
}
