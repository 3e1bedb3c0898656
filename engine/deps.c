/* SPDX-License-Identifier: MIT */
/* Dependencies of stacks: rows, changes, the check for cycles. What becomes of them with their stacks is
 * deps-stack.c's, how they look deps-show.c's. */
#include "engine/deps.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/deps-internal.h"
#include "engine/deps-rank.h"
#include "engine/event.h"
#include "engine/graph.h"
#include "engine/stack.h"
#include "engine/version.h"

/* The first line of the other's version. */
static void version_load(struct query *query, struct dep *ret_dep)
{
	size_t size = 0;
	const char *text = query_null(query, 10) ? "" : query_blob(query, 10, &size);
	const char *end = size ? memchr(text, '\n', size) : NULL;

	if (end)
		size = (size_t)(end - text);
	if (size >= sizeof(ret_dep->version))
		for (size = sizeof(ret_dep->version) - 1; size && (text[size] & 0xc0) == 0x80;)
			size--; /* no half of a character */
	snprintf(ret_dep->version, sizeof(ret_dep->version), "%.*s", (int)size, text);
}

static void dep_load(struct query *query, struct caller *caller, struct dep *ret_dep)
{
	*ret_dep = (struct dep){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.on_id = query_int(query, 2),
		.created_ms = query_int(query, 6),
	};
	snprintf(ret_dep->stack, sizeof(ret_dep->stack), "%s", query_text(query, 3));
	snprintf(ret_dep->on, sizeof(ret_dep->on), "%s", query_text(query, 4));
	snprintf(ret_dep->requires, sizeof(ret_dep->requires), "%s", query_text(query, 5));
	version_load(query, ret_dep);
	ret_dep->visible =
		ret_dep->on_id &&
		(!caller || caller_access(caller, (uid_t)query_int(query, 7), (gid_t)query_int(query, 8),
				    (mode_t)query_int(query, 9), MAY_READ | MAY_EXECUTE) == 0);
	if (!ret_dep->on_id)
		ret_dep->state = DEPS_MISSING;
	else if (*ret_dep->requires && constraint_holds(ret_dep->requires, ret_dep->version) != 1)
		ret_dep->state = DEPS_UNMET;
	if (!ret_dep->visible)
		ret_dep->version[0] = '\0';
}

static int dep_one(struct query *query, struct caller *caller, struct dep *ret_dep)
{
	int r = query_step(query);

	if (r > 0)
		dep_load(query, caller, ret_dep);
	query_end(query);
	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

int deps_get(struct engine *engine, struct caller *caller, int64_t id, struct dep *ret_dep)
{
	return dep_one(query_begin(engine->store, SQL_DEPS_GET, "i", id), caller, ret_dep);
}

int deps_find(
	struct engine *engine, struct caller *caller, int64_t stack_id, const char *on, struct dep *ret_dep)
{
	return dep_one(query_begin(engine->store, SQL_DEPS_FIND, "is", stack_id, on), caller, ret_dep);
}

int deps_each(struct engine *engine, struct caller *caller, int64_t stack_id,
	int (*each)(void *userdata, const struct dep *dep), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_DEPS_OF_STACK, "i", stack_id);
	struct dep dep;
	int r;

	while ((r = query_step(query)) > 0) {
		dep_load(query, caller, &dep);
		r = each(userdata, &dep);
		if (r != 0)
			break;
	}
	return r;
}

/* Who stands on it is seen by those who may look into that stack, and by those who may change this one: they
 * have to know whom they would harm. */
static bool dependent_visible(struct engine *engine, struct caller *caller, const struct dep *dep)
{
	struct stack on;

	return stack_visible(engine, caller, dep->stack_id) ||
	       (stack_get(engine, dep->on_id, &on) == 0 &&
		       stack_access(caller, &on, MAY_WRITE | MAY_EXECUTE) == 0);
}

int deps_dependent_find(
	struct engine *engine, struct caller *caller, int64_t on_id, const char *stack, struct dep *ret_dep)
{
	struct dep dep;
	int r = dep_one(
		query_begin(engine->store, SQL_DEPS_FIND_DEPENDENT, "is", on_id, stack), caller, &dep);

	if (r == 0 && !dependent_visible(engine, caller, &dep))
		r = -ENOENT;
	if (r == 0)
		*ret_dep = dep;
	return r;
}

int deps_dependents_each(struct engine *engine, struct caller *caller, int64_t on_id,
	int (*each)(void *userdata, const struct dep *dep), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_DEPS_DEPENDENTS, "i", on_id);
	struct dep dep;
	int r;

	while ((r = query_step(query)) > 0) {
		dep_load(query, caller, &dep);
		if (!dependent_visible(engine, caller, &dep))
			continue;
		r = each(userdata, &dep);
		if (r != 0)
			break;
	}
	return r;
}

void deps_note(struct engine *engine, const struct dep *dep)
{
	engine_note(engine, SUBJECT_DEP, dep->id, ASPECT_DEPS);
	engine_note(engine, SUBJECT_STACK, dep->stack_id, ASPECT_DEPS | ASPECT_NAMES);
	if (dep->on_id)
		engine_note(engine, SUBJECT_STACK, dep->on_id, ASPECT_DEPS | ASPECT_NAMES);
}

/* What every change of a stack's dependencies has in common. */
static int dep_changed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct dep *dep, const char *type)
{
	int r = store_run(engine->store, SQL_STACK_TOUCH, "ii", stack->id, time_now_ms());

	if (r == 0)
		r = event_add(engine, caller, type, stack->id, stack->name, 0,
			*dep->requires ? json_pack("{ssss}", "on", dep->on, "requires", dep->requires)
				       : json_pack("{ss}", "on", dep->on));
	if (r == 0)
		deps_note(engine, dep);
	return r;
}

/* Cycles. */

/* A search for a way from one stack to another. */
struct hunt {
	struct engine *engine;
	int64_t from, to;
	bool ranked;	 /* whoever cannot be on such a way by his rank is left out */
	unsigned budget; /* else: so many stacks may be asked for their neighbours */
};

enum { ASKED_WITHOUT_RANKS = 256 };

static bool on_a_way(const struct hunt *hunt, int64_t node, bool backward)
{
	if (!hunt->ranked || node == hunt->from || node == hunt->to)
		return true;
	return backward ? deps_rank(hunt->engine, node) < deps_rank(hunt->engine, hunt->from)
			: deps_rank(hunt->engine, node) > deps_rank(hunt->engine, hunt->to);
}

static int neighbours(void *userdata, int64_t node, bool backward, struct graph_search *search)
{
	struct hunt *hunt = userdata;
	CLEANUP(query_endp)
	struct query *query =
		query_begin(hunt->engine->store, backward ? SQL_DEPS_SOURCES : SQL_DEPS_TARGETS, "i", node);
	int r;

	if (!hunt->ranked && hunt->budget-- == 0)
		return -EAGAIN;
	while ((r = query_step(query)) > 0)
		if (on_a_way(hunt, query_int(query, 0), backward))
			graph_search_add(search, query_int(query, 0));
	return r;
}

/* A small graph is searched as it is; in a large one, ranks keep the search small. */
static int find_way(struct engine *engine, int64_t from, int64_t to, int64_t **ret_path, size_t *ret_count)
{
	struct hunt hunt = {
		.engine = engine,
		.from = from,
		.to = to,
		.ranked = deps_ranks_known(engine),
		.budget = ASKED_WITHOUT_RANKS,
	};
	const struct graph_source source = { neighbours, &hunt };
	int r = graph_path(&source, from, to, ret_path, ret_count);

	if (r == -EAGAIN) {
		r = deps_ranks_make(engine);
		hunt.ranked = deps_ranks_known(engine);
		hunt.budget = UINT_MAX;
		if (r == 0)
			r = graph_path(&source, from, to, ret_path, ret_count);
	}
	if (r == 0 && *ret_count == 0 && hunt.ranked)
		r = deps_ranks_add(engine, to, from);
	return r;
}

/* "a → b → c → a"; of a long way the beginning and the end. */
static void way_write(struct engine *engine, const int64_t *path, size_t count, FILE *out)
{
	enum { HEAD = 8, TAIL = 4 };
	struct stack stack;

	for (size_t i = 0; i < count; i++) {
		if (count > HEAD + TAIL + 1 && i == HEAD) {
			fprintf(out, " → … %zu more …", count - HEAD - TAIL);
			i = count - TAIL;
		}
		fprintf(out, "%s%s", i ? " → " : "",
			stack_get(engine, path[i], &stack) == 0 ? stack.name : "?");
	}
}

int deps_check_cycle(
	struct engine *engine, const struct stack *stack, const struct stack *on, struct fault *fault)
{
	CLEANUP(cleanup_free) int64_t *path = NULL;
	CLEANUP(cleanup_free) char *way = NULL;
	size_t count, size;
	FILE *out;
	int r;

	if (stack->id == on->id)
		return fault_set(fault, ELOOP, "stack %s cannot depend on itself", stack->name);
	r = find_way(engine, on->id, stack->id, &path, &count);
	if (r < 0 || count == 0)
		return r;
	out = open_memstream(&way, &size);
	if (!out)
		return -ENOMEM;
	way_write(engine, path, count, out);
	fclose(out);
	return fault_set(fault, ELOOP,
		"stack %s cannot depend on %s: the dependencies would be a cycle, %s → %s; remove one of "
		"them first (sloth stack deps remove)",
		stack->name, on->name, stack->name, way);
}

static int check_new(struct engine *engine, const struct stack *stack, const char *on, struct fault *fault,
	struct stack *ret_on)
{
	int64_t count;
	int r = name_check(on);

	if (r < 0)
		return fault_set(fault, -r, "\"%.200s\" is no name of a stack", on);
	r = stack_find(engine, on, ret_on);
	if (r < 0)
		return fault_set(fault, -r, "there is no stack %s that %s could depend on: make it first", on,
			stack->name);
	r = store_get_int(engine->store, &count, SQL_DEPS_COUNT, "i", stack->id);
	if (r == 0 && count >= DEPS_MAX)
		return fault_set(fault, EDQUOT, "stack %s has %d dependencies, and that is the limit",
			stack->name, DEPS_MAX);
	return r < 0 ? r : deps_check_cycle(engine, stack, ret_on, fault);
}

static int dep_put(struct engine *engine, struct caller *caller, const struct stack *stack, const char *on,
	int64_t on_id, const char *requires, const char *event, int64_t *ret_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct dep dep;
	int64_t id;
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_get_int(engine->store, &id, SQL_DEPS_SET, "iissi", stack->id, on_id, on, requires,
			time_now_ms());
	if (r == 0)
		r = deps_get(engine, NULL, id, &dep);
	if (r == 0)
		r = version_put(engine, caller, stack->id, VERSION_DEP, on, requires, strlen(requires));
	if (r == 0)
		r = dep_changed(engine, caller, stack, &dep, event);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0 && ret_id)
		*ret_id = id;
	return r;
}

int deps_set(struct engine *engine, struct caller *caller, int64_t stack_id, const char *on,
	const char *requires, struct fault *fault, int64_t *ret_id)
{
	char constraint[CONSTRAINT_SIZE] = "";
	struct stack stack, other = { 0 };
	struct dep dep;
	bool known;
	int r = stack_get_for_change(engine, caller, stack_id, fault, &stack);

	if (r == 0 && requires)
		r = constraint_parse(requires, fault, constraint);
	if (r < 0)
		return r;
	known = deps_find(engine, NULL, stack_id, on, &dep) == 0;
	if (known && !requires)
		memcpy(constraint, dep.requires, sizeof(constraint));
	if (known && dep.on_id && !strcmp(constraint, dep.requires)) {
		if (ret_id)
			*ret_id = dep.id;
		return 0;
	}
	other.id = known ? dep.on_id : 0;
	/* One that is missing is looked for again. */
	r = other.id ? 0 : check_new(engine, &stack, on, fault, &other);
	return r < 0 ? r
		     : dep_put(engine, caller, &stack, on, other.id, constraint,
			       known ? "dep.changed" : "dep.added", ret_id);
}

int deps_restore(struct engine *engine, struct caller *caller, int64_t stack_id, const char *on,
	const char *requires, struct fault *fault)
{
	char constraint[CONSTRAINT_SIZE];
	struct stack stack, other;
	int r = stack_find(engine, on, &other);

	if (r != -ENOENT)
		return r < 0 ? r : deps_set(engine, caller, stack_id, on, requires, fault, NULL);
	r = stack_get_for_change(engine, caller, stack_id, fault, &stack);
	if (r == 0)
		r = constraint_parse(requires, fault, constraint);
	if (r == 0 && name_check(on) < 0)
		return fault_set(fault, EINVAL, "\"%.200s\" is no name of a stack", on);
	return r < 0 ? r : dep_put(engine, caller, &stack, on, 0, constraint, "dep.added", NULL);
}

int deps_remove(
	struct engine *engine, struct caller *caller, int64_t stack_id, const char *on, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	struct dep dep;
	int r = stack_get_for_change(engine, caller, stack_id, fault, &stack);

	if (r < 0)
		return r;
	r = deps_find(engine, NULL, stack_id, on, &dep);
	if (r < 0)
		return fault_set(fault, -r, "stack %s does not depend on %.128s", stack.name, on);
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_DEPS_DELETE, "i", dep.id);
	if (r == 0)
		r = version_drop(engine, caller, stack_id, VERSION_DEP, on);
	if (r == 0)
		r = dep_changed(engine, caller, &stack, &dep, "dep.removed");
	return r < 0 ? r : store_change_end(&change);
}

int deps_release(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack on;
	struct dep dep;
	int r = deps_get(engine, NULL, id, &dep);

	if (r == 0)
		r = stack_get_for_change(engine, caller, dep.on_id, fault, &on);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_DEPS_UNBIND, "i", id);
	if (r == 0)
		r = event_add(engine, caller, "dep.released", on.id, on.name, 0,
			json_pack("{ss}", "dependent", dep.stack));
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		deps_note(engine, &dep);
	return r;
}

int deps_command(struct engine *engine, struct caller *caller, int64_t stack_id, const char *line,
	size_t size, struct fault *fault)
{
	CLEANUP(cleanup_free) char *text = strndup(line, size);
	char *name, *rest;

	if (!text)
		return -ENOMEM;
	name = text + strspn(text, " \t");
	rest = name + strcspn(name, " \t");
	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " \t");
	if (!*name)
		return fault_set(fault, EINVAL,
			"a line here is \"NAME\", \"NAME CONSTRAINT\" (network >=2.1 <3) or \"remove NAME\"");
	if (!strcmp(name, "remove")) {
		rest[strcspn(rest, " \t")] = '\0';
		return deps_remove(engine, caller, stack_id, rest, fault);
	}
	return deps_set(engine, caller, stack_id, name, rest, fault, NULL);
}
