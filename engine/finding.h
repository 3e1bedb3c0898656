/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A finding: a property of a resource in which the world differs from what is asked for. There is one open
 * finding for each such property; it is touched while it lasts, and becomes history when it is over. Changed
 * by engine/drift.h alone.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "engine/engine.h"

enum {
	FINDING_HISTORY_MAX = 1000,  /* resolved ones of a stack */
	FINDING_RESOURCE_MAX = 200,  /* open ones of a resource */
	FINDING_OPEN_MAX = 20000,    /* … of a stack */
	FINDING_VALUE_MAX = 4 << 10, /* bytes of expected and of actual, as JSON */
	FINDING_TEXT_MAX = 2000,     /* bytes of impact, fix, reason and an error */
	FINDING_PROPERTY_MAX = 1024, /* bytes of the name of a property */
};

struct finding {
	int64_t id, stack_id;
	const char *type, *name;       /* of the resource */
	const char *property;	       /* "": the thing as a whole: missing, extra, replaced */
	const char *kind;	       /* configuration, resource, state, dependency */
	const char *severity;	       /* low, medium, high, critical */
	const char *expected, *actual; /* JSON */
	const char *cause;	       /* changed: the world did; unapplied: the wish did */
	const char *impact, *fix;      /* "": not known */
	const char *status;	/* pending, acknowledged, ignored, resolved. An ignored one whose time is
				 * over is pending, also where the row does not say so yet */
	const char *reason;	/* of acknowledged and ignored; "": nobody said */
	const char *resolution; /* "", fixed, adopted, by_itself, removed */
	const char *changed_by; /* JSON: pid, uid, command, exe of who changed it, as far as known; "": not */
	int64_t until_ms;	/* ignored: until then; 0: for good */
	int64_t first_seen_ms, last_seen_ms, resolved_ms;
	bool lapsed;	      /* it was ignored until a time that is over */
	int64_t times;	      /* how often it was found, with this time */
	int64_t run_id;	      /* the run that fixed it, 0: none */
	int64_t uid;	      /* who acknowledged, ignored, adopted or fixed it, -1: nobody */
	int64_t flapping_ms;  /* since when it comes and goes too often, 0: it does not */
	struct buffer memory; /* the texts; empty where they are borrowed */
};

void finding_done(struct finding *finding);

/* Open and not ignored: it is drift. */
bool finding_counts(const struct finding *finding);

/* -ENOENT. The texts are owned: finding_done(). */
int finding_find(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	const char *property, struct finding *ret_finding);
/* Open ones by type, name and property; type and name NULL: of all resources. The texts are borrowed. Until
 * `each` returns non-zero, which is returned. Changes nothing of them meanwhile. */
int finding_each(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	int (*each)(void *userdata, const struct finding *finding), void *userdata);
/* The same as a list of its own, for who changes them: finding_list_free(). */
int finding_list(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	struct finding **ret_list, size_t *ret_count);
void finding_list_free(struct finding *list, size_t count);
/* Resolved ones, the last first. */
int finding_history_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct finding *finding), void *userdata);

/* With all fields. New reference; NULL without memory. */
json_t *finding_json(const struct finding *finding);
