/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Reports: calls whose answers are not waited for one by one. They leave in their order, before whatever is
 * told next, and the daemon may take its time, so that it makes them durable with what comes then. A try has
 * reports (scope.reports); at its end their answers are waited for, and the first failure is the try's.
 */
#include <jansson.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct fiber;
struct report;
struct scope;

struct reports {
	bool taken; /* somebody will wait for them */
	LIST_HEAD(, report) open;
	size_t count;
	char *error; /* of the first that failed */
};

/* Sends one; `about` stands before the sentence of a failure. Takes the reference to `args`. 0 or -errno. */
int report_send(struct scope *scope, const char *fn, json_t *args, const char *about);

/* Waits as fiber_park() does until there is room for one more, and gives true; or until all are answered, and
 * gives the sentence of the first that failed, or nil, and forgets it. */
int report_wait_room(lua_State *L, struct scope *scope);
int report_wait_end(lua_State *L, struct scope *scope);

/* Nobody waits for them any more. */
void reports_done(struct reports *reports);
