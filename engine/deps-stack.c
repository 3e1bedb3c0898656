/* SPDX-License-Identifier: MIT */
/* What becomes of dependencies when stacks come, go, and get other names. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/deps-internal.h"
#include "engine/stack.h"
#include "engine/version.h"

enum { NAMED_MAX = 8 }; /* so many are named in a sentence */

/* Rows one after the other, so that others may be read and changed meanwhile. */
static int next_row(
	struct engine *engine, enum statement statement, const char *name, int64_t after, struct dep *ret_dep)
{
	int64_t id;
	int r = store_get_int(engine->store, &id, statement, "si", name, after);

	return r < 0 ? r : deps_get(engine, NULL, id, ret_dep);
}

/* Dependencies that have missed a stack of this name get it. */
static int bind_missing(struct engine *engine, const struct stack *stack, struct fault *fault)
{
	struct dep dep = { 0 };
	struct stack from;
	int r;

	while ((r = next_row(engine, SQL_DEPS_NEXT_MISSING, stack->name, dep.id, &dep)) == 0) {
		r = stack_get(engine, dep.stack_id, &from);
		if (r == 0)
			r = deps_check_cycle(engine, &from, stack, fault);
		if (r == 0)
			r = store_run(engine->store, SQL_DEPS_BIND, "ii", dep.id, stack->id);
		if (r < 0)
			return r;
		dep.on_id = stack->id;
		deps_note(engine, &dep);
	}
	return r == -ENOENT ? 0 : r;
}

int deps_stack_created(struct engine *engine, const struct stack *stack)
{
	return bind_missing(engine, stack, NULL);
}

/* The dependency bears the other's new name, which is a change of the stack that has it. */
static int follow(struct engine *engine, struct caller *caller, const struct dep *dep, const char *name)
{
	int r = version_drop(engine, caller, dep->stack_id, VERSION_DEP, dep->on);

	if (r == 0)
		r = version_put(engine, caller, dep->stack_id, VERSION_DEP, name, dep->requires,
			strlen(dep->requires));
	/* One that has missed a stack of this name would be there twice. */
	if (r == 0)
		r = store_run(engine->store, SQL_DEPS_DROP_MISSING, "is", dep->stack_id, name);
	if (r == 0)
		r = store_run(engine->store, SQL_DEPS_RENAME, "is", dep->id, name);
	if (r == 0)
		deps_note(engine, dep);
	return r;
}

int deps_stack_renamed(
	struct engine *engine, struct caller *caller, const struct stack *stack, struct fault *fault)
{
	int64_t after = 0, id;
	struct dep dep;
	int r;

	while ((r = store_get_int(engine->store, &id, SQL_DEPS_NEXT_ON, "ii", stack->id, after)) == 0) {
		r = deps_get(engine, NULL, id, &dep);
		if (r == 0)
			r = follow(engine, caller, &dep, stack->name);
		if (r < 0)
			return r;
		after = dep.stack_id;
	}
	return r == -ENOENT ? bind_missing(engine, stack, fault) : r;
}

struct dependents {
	FILE *out;
	int64_t count;
};

static int name_dependent(void *userdata, const struct dep *dep)
{
	struct dependents *dependents = userdata;

	if (dependents->count < NAMED_MAX)
		fprintf(dependents->out, "%s%s", dependents->count ? ", " : "", dep->stack);
	dependents->count++;
	return 0;
}

static int note_dep(void *userdata, const struct dep *dep)
{
	deps_note(userdata, dep);
	return 0;
}

int deps_stack_destroyed(struct engine *engine, const struct stack *stack, struct fault *fault)
{
	CLEANUP(cleanup_free) char *names = NULL;
	struct dependents dependents = { 0 };
	size_t size;
	int r;

	dependents.out = open_memstream(&names, &size);
	if (!dependents.out)
		return -ENOMEM;
	r = deps_dependents_each(engine, NULL, stack->id, name_dependent, &dependents);
	if (dependents.count > NAMED_MAX)
		fprintf(dependents.out, " and %" PRId64 " more", dependents.count - NAMED_MAX);
	fclose(dependents.out);
	if (r < 0)
		return r;
	if (dependents.count)
		return fault_set(fault, EBUSY,
			"stack %s cannot be destroyed: %s depend%s on it; remove that first, or let them go "
			"with rm stacks/%s/dependents/* (sloth stack delete --force)",
			stack->name, names, dependents.count == 1 ? "s" : "", stack->name);
	return deps_each(engine, NULL, stack->id, note_dep, engine);
}
