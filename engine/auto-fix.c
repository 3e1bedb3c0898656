/* SPDX-License-Identifier: MIT */
/* What may be fixed without anybody asking, and when. */
#include "engine/auto-fix.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/drift-report.h"
#include "engine/finding.h"
#include "engine/hours.h"
#include "engine/lock.h"
#include "engine/resource.h"
#include "engine/run.h"

static const int64_t day_ms = 86400000, first_wait_ms = 60000, longest_wait_ms = 3600000;

/* One looking. */
struct look {
	struct engine *engine;
	const struct stack *stack;
	int64_t now_ms;
	struct config config;
	json_t *found;	   /* "TYPE/NAME" → { since, properties: a set } */
	int64_t budget_ms; /* when there may be one more */
};

static void look_done(struct look *look)
{
	json_decref(look->found);
}

void auto_fix_done(struct auto_fix *fix)
{
	json_decref(fix->due);
}

/* Whether one of the patterns, a line each, means the resource: by its name, or by TYPE/NAME. */
static bool is_meant(const char *patterns, const char *label, const char *name)
{
	for (size_t n; *patterns; patterns += n + (patterns[n] == '\n')) {
		char pattern[CONFIG_NAMES_MAX];

		n = strcspn(patterns, "\n");
		snprintf(pattern, sizeof(pattern), "%.*s", (int)n, patterns);
		if (!fnmatch(pattern, label, 0) || !fnmatch(pattern, name, 0))
			return true;
	}
	return false;
}

static bool is_fixable(const struct look *look, const struct finding *finding, const char *label)
{
	const struct config *config = &look->config;

	return finding_counts(finding) && !strcmp(finding->cause, "changed") &&
	       strcmp(finding->kind, "dependency") != 0 && !finding->flapping_ms &&
	       (int64_t)drift_severity(finding->severity) < config->auto_fix &&
	       (!*config->auto_fix_only || is_meant(config->auto_fix_only, label, finding->name)) &&
	       !is_meant(config->auto_fix_except, label, finding->name);
}

static int add_finding(void *userdata, const struct finding *finding)
{
	struct look *look = userdata;
	CLEANUP(cleanup_free) char *label = NULL;
	json_t *one;

	if (asprintf(&label, "%s/%s", finding->type, finding->name) < 0) {
		label = NULL;
		return -ENOMEM;
	}
	if (!is_fixable(look, finding, label))
		return 0;
	one = json_object_get(look->found, label);
	if (!one) {
		one = json_pack("{s:I, s:{}}", "since", (json_int_t)finding->first_seen_ms, "properties");
		if (json_object_set_new(look->found, label, one) < 0)
			return -ENOMEM;
	}
	if (finding->first_seen_ms < json_integer_value(json_object_get(one, "since")))
		json_object_set_new(one, "since", json_integer((json_int_t)finding->first_seen_ms));
	return json_object_set_new(json_object_get(one, "properties"), finding->property, json_true()) < 0
		       ? -ENOMEM
		       : 0;
}

/* "TYPE/NAME": a type has no slash. */
static int split(const char *label, char ret_type[NAME_SIZE], const char **ret_name)
{
	size_t size = strcspn(label, "/");

	if (!label[size] || size >= NAME_SIZE)
		return -ENOENT;
	memcpy(ret_type, label, size);
	ret_type[size] = '\0';
	*ret_name = label + size + 1;
	return 0;
}

/* 1: it may be fixed with the owner's rights; 0: it may not, or can't be read. */
static int may_fix(const struct look *look, const char *type, const char *name)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int64_t id;
	int r = resource_find(look->engine, look->stack->id, type, name, &id);

	if (r == 0)
		r = resource_get(look->engine, id, &resource);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return resource_is_trusted(&resource, look->stack) && strcmp(resource.status, "unknown") != 0;
}

/* A minute after the first fix of a resource, then two, four …; a day without one, and it is the first again.
 * *ret_tries: so many were made in a row. */
static int wait_of(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	int64_t now_ms, int64_t *ret_tries, int64_t *ret_until_ms)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_AUTO_FIX_TRIES, "iss", stack_id, type, name);
	int64_t tries, last_ms, wait_ms = first_wait_ms;
	int r = query_step(query);

	*ret_tries = *ret_until_ms = 0;
	if (r <= 0)
		return r;
	tries = query_int(query, 0);
	last_ms = query_int(query, 1);
	/* Neither is a clock that was put back a reason to wait for ever. */
	if (now_ms - last_ms >= day_ms || last_ms - now_ms > longest_wait_ms)
		return 0;
	for (int64_t i = 1; i < tries && wait_ms < longest_wait_ms; i++)
		wait_ms *= 2;
	*ret_tries = tries;
	*ret_until_ms = last_ms + (wait_ms < longest_wait_ms ? wait_ms : longest_wait_ms);
	return 0;
}

/* The later of two moments, and what is waited for until then. */
static void delay(int64_t *ms, const char **waits, int64_t until_ms, const char *what)
{
	if (until_ms > *ms) {
		*ms = until_ms;
		*waits = what;
	}
}

static int when(const struct look *look, const char *label, const json_t *one, int64_t *ret_ms,
	const char **ret_waits)
{
	const int64_t since_ms = json_integer_value(json_object_get(one, "since"));
	int64_t ms = look->now_ms, tries, until_ms;
	const char *waits = "", *name;
	char type[NAME_SIZE];
	int r = split(label, type, &name);

	if (r == 0)
		r = wait_of(look->engine, look->stack->id, type, name, look->now_ms, &tries, &until_ms);
	if (r < 0)
		return r;
	if (since_ms <= look->now_ms)
		delay(&ms, &waits, since_ms + look->config.auto_fix_delay_ms, "delay");
	delay(&ms, &waits, until_ms, "back-off");
	delay(&ms, &waits, look->budget_ms, "budget");
	delay(&ms, &waits, hours_until(look->config.auto_fix_quiet, ms), "quiet hours");
	if (geteuid() != 0 && geteuid() != look->stack->uid)
		delay(&ms, &waits, INT64_MAX, "a daemon of the owner's or root's");
	*ret_ms = ms;
	*ret_waits = waits;
	return 0;
}

static int add_due(const struct look *look, const char *label, json_t *one, struct auto_fix *fix)
{
	const char *waits, *name;
	char type[NAME_SIZE];
	int64_t ms;
	int r = split(label, type, &name);

	if (r == 0)
		r = may_fix(look, type, name);
	if (r <= 0)
		return r;
	r = when(look, label, one, &ms, &waits);
	if (r < 0)
		return r;
	if (ms <= look->now_ms)
		return json_object_set(fix->due, label, json_object_get(one, "properties")) < 0 ? -ENOMEM : 0;
	if (!fix->next_ms || ms < fix->next_ms) {
		fix->next_ms = ms;
		fix->waits = waits;
	}
	return 0;
}

/* When a fix may be made, by those of the last day. */
static int look_at_budget(struct look *look, struct auto_fix *fix)
{
	const int64_t begin_ms = look->now_ms - day_ms;
	int64_t oldest_ms;
	int r = store_get_int(
		look->engine->store, &fix->used, SQL_AUTO_FIX_COUNT, "ii", look->stack->id, begin_ms);

	fix->budget = look->config.auto_fix_budget;
	if (r < 0 || fix->used < fix->budget)
		return r;
	r = store_get_int(
		look->engine->store, &oldest_ms, SQL_AUTO_FIX_NTH, "ii", look->stack->id, fix->budget - 1);
	if (r == 0)
		look->budget_ms = oldest_ms + day_ms;
	return r == -ENOENT ? 0 : r;
}

int auto_fix_look(struct engine *engine, const struct stack *stack, int64_t now_ms, struct auto_fix *ret_fix)
{
	CLEANUP(look_done) struct look look = { .engine = engine, .stack = stack, .now_ms = now_ms };
	const char *label;
	json_t *one;
	int r = stack_config(engine, stack->id, &look.config);

	*ret_fix = (struct auto_fix){ .waits = "" };
	if (r < 0 || !look.config.auto_fix)
		return r;
	ret_fix->on = true;
	ret_fix->severity = config_severity(look.config.auto_fix);
	ret_fix->due = json_object();
	look.found = json_object();
	if (!ret_fix->due || !look.found)
		return -ENOMEM;
	r = look_at_budget(&look, ret_fix);
	if (r == 0)
		r = finding_each(engine, stack->id, NULL, NULL, add_finding, &look);
	json_object_foreach (look.found, label, one)
		if (r == 0)
			r = add_due(&look, label, one, ret_fix);
	return r;
}

int auto_fix_is_blocked(struct engine *engine, int64_t stack_id, bool *ret_blocked)
{
	struct lock lock;
	int64_t count = 0;
	int r = lock_get(engine, lock_of_stack(stack_id), &lock);

	if (r == 0)
		r = run_count_unfinished(engine, stack_id, &count);
	*ret_blocked = r > 0 || count > 0;
	return r < 0 ? r : 0;
}

/* For people */

int auto_fix_json(struct engine *engine, const struct stack *stack, json_t **ret_value)
{
	CLEANUP(auto_fix_done) struct auto_fix fix = { 0 };
	bool due, blocked = false;
	char text[32];
	int r = auto_fix_look(engine, stack, time_now_ms(), &fix);

	due = json_object_size(fix.due) > 0;
	if (r == 0 && due)
		r = auto_fix_is_blocked(engine, stack->id, &blocked);
	if (r < 0)
		return r;
	*ret_value = !fix.on ? json_null()
			     : json_pack("{s:s, s:I, s:I, s:o, s:s}", "severity", fix.severity, "used",
				       (json_int_t)fix.used, "budget", (json_int_t)fix.budget, "next",
				       due || !fix.next_ms || fix.next_ms == INT64_MAX
					       ? json_null()
					       : json_string(time_format(fix.next_ms, text)),
				       "waits_for",
				       blocked ? "lock"
				       : due   ? ""
					       : fix.waits);
	return *ret_value ? 0 : -ENOMEM;
}

int auto_fix_show(struct engine *engine, const struct stack *stack, FILE *out)
{
	json_auto_t *value = NULL;
	const char *next, *waits;
	int r = auto_fix_json(engine, stack, &value);

	if (r < 0 || json_is_null(value))
		return r;
	next = json_string_value(json_object_get(value, "next"));
	waits = json_string_value(json_object_get(value, "waits_for"));
	fprintf(out, "  %-21s up to %s, %lld of %lld today",
		"Automatic Fixes:", json_string_value(json_object_get(value, "severity")),
		(long long)json_integer_value(json_object_get(value, "used")),
		(long long)json_integer_value(json_object_get(value, "budget")));
	if (*waits)
		fprintf(out, "; %s%s (%s)", next ? "the next one at " : "waiting", next ? next : "", waits);
	fputc('\n', out);
	return 0;
}
