/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Resources of a stack: things in the world that its workflows look after, as data. Each has a type and a
 * name, and three states as JSON: desired (what workflows ask for), applied (what was brought about last) and
 * actual (what was seen last).
 *
 * A version of the stack has what is desired: type, name, module, properties, explicit dependencies, protect.
 * Status, applied, actual and error tell of the world, and are no part of it.
 *
 * Dependencies are explicit (said by the workflow; a cycle is refused) or implicit (engine/resource-hints.c
 * finds them in the properties). Both may name what is not registered; an implicit one counts once it is.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"
#include "engine/stack.h"

enum {
	RESOURCE_NAME_MAX = 1024,	/* bytes of a name, which is any text */
	RESOURCE_ENTRY_SIZE = 256,	/* bytes of its name in the tree, with the NUL */
	RESOURCE_DEPENDENCY_MAX = 1000, /* explicit ones of one resource */
	RESOURCE_MAX = 10000,		/* of one stack */
	RESOURCE_STATE_MAX = 512 << 10, /* bytes of each of the three states: a frame holds them all */
	RESOURCE_TYPE_MAX = 4095,	/* kinds of things, see node_pack() in fs/node.h */
};

struct resource {
	int64_t id, stack_id;
	unsigned type_id;
	bool protect;	   /* neither it nor its stack can be destroyed */
	const char *type;  /* name_check()'s rule */
	const char *name;  /* any text */
	const char *entry; /* the name in the tree: percent-encoded; a long one ends in a hash */
	const char *module;
	const char *desired, *applied, *actual; /* canonical JSON; applied, actual: "" where there is none */
	const char *checksum;			/* SHA-256 of desired, hex */
	const char *status, *action, *error;
	int64_t created_ms, updated_ms, applied_ms;
	int64_t run_id; /* that changed it last, 0: none */
	int64_t uid;	/* who asked for what is desired: see resource_is_trusted(); -1: not known */
	bool settled;	/* `actual` is as it is asked for, and lua/glance.h can say whether it stays so */
	struct buffer memory; /* the texts; empty where they are borrowed */
};

/* Who answers for the properties: the caller who asks for all of them; whoever did before, too, when the
 * caller only adds to them; nobody who is known, when they come from a version that others may have written.
 */
enum resource_whose { RESOURCE_ASKED, RESOURCE_ADDED, RESOURCE_FOUND };

/* What is asked for. NULL (protect: -1) leaves a thing as it was. */
struct resource_draft {
	const char *type, *name;
	const char *module;
	json_t *properties;   /* an object */
	json_t *dependencies; /* a list of "TYPE/NAME" or { "type", "name" } */
	int protect;
	const char *status; /* NULL: pending when something else is desired than before */
	const char *error;
	json_t *actual, *applied; /* JSON null: not known any more */
	int64_t applied_ms;	  /* when that was; 0: now */
	bool renewed;		  /* another sealed value is asked for: see resource-secret.h */
	bool update;		  /* -ENOENT when it is not registered */
	bool settled;		  /* applied, and `actual` was seen so: it is believed of whom is trusted */
	enum resource_whose whose;
};

enum resource_result { RESOURCE_UNCHANGED, RESOURCE_CREATED, RESOURCE_CHANGED };

/* "created", "changed", "unchanged" */
const char *resource_result_name(enum resource_result result);
/* NULL for what is no status. */
const char *resource_status_known(const char *status);
/* "pending, applied, …" for messages. */
#define RESOURCE_STATUSES "pending, applied, failed, drifted, unknown"

void resource_done(struct resource *resource);

/* Registers or updates. The caller must be allowed to change the stack. Nothing at all is written when
 * nothing is new; *ret_result says whether something else is desired than before. -EINVAL, -EFBIG, -ELOOP
 * with the path, -EDQUOT (too many types). */
int resource_put(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct resource_draft *draft, struct fault *fault, enum resource_result *ret_result,
	int64_t *ret_id);
/* -ENOENT; -EPERM when it is protected. */
int resource_delete(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault);

/* -ENOENT. The texts are owned: resource_done(). */
int resource_get(struct engine *engine, int64_t id, struct resource *ret_resource);
int resource_find(
	struct engine *engine, int64_t stack_id, const char *type, const char *name, int64_t *ret_id);
int resource_find_entry(
	struct engine *engine, int64_t stack_id, unsigned type_id, const char *entry, int64_t *ret_id);

/* Whether the stack's owner or root asked for what is desired of it, or for the same: then it may be read
 * with the owner's rights. Everybody who may change the stack may put resources into it. */
bool resource_is_trusted(const struct resource *resource, const struct stack *stack);

/* All stacks that have one of this type and name. */
int resource_manager_each(struct engine *engine, const char *type, const char *name,
	int (*each)(void *userdata, int64_t stack_id), void *userdata);

/* By type and name; the texts are borrowed. Until `each` returns non-zero, which is returned. type NULL: all.
 */
int resource_each(struct engine *engine, int64_t stack_id, const char *type,
	int (*each)(void *userdata, const struct resource *resource), void *userdata);
int resource_count(struct engine *engine, int64_t stack_id, int64_t *ret_count);

/* Types that have resources in this stack. */
int resource_type_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, unsigned type_id, const char *name), void *userdata);
int resource_type_find(struct engine *engine, const char *name, unsigned *ret_id);
int resource_type_name(struct engine *engine, unsigned id, char ret_name[NAME_SIZE]);
/* The tree's names of those of a type. */
int resource_entry_each(struct engine *engine, int64_t stack_id, unsigned type_id,
	int (*each)(void *userdata, const char *entry, int64_t id), void *userdata);

struct resource_edge {
	const char *type, *name; /* of the other end */
	bool is_explicit;
	bool known; /* it is registered */
};

/* What it depends on: explicit ones, and implicit ones that are registered. */
int resource_dependency_each(struct engine *engine, int64_t id,
	int (*each)(void *userdata, const struct resource_edge *edge), void *userdata);
/* What depends on it. */
int resource_dependent_each(struct engine *engine, const struct resource *resource,
	int (*each)(void *userdata, const struct resource_edge *edge), void *userdata);

/* -EPERM with the names when the stack has protected resources: they stand in the way of `what`
 * ("destroyed"). */
int resource_check_protected(
	struct engine *engine, int64_t stack_id, const char *stack, const char *what, struct fault *fault);

/* One JSON object, sorted keys, on one line without its end: all fields (`states`: also applied and actual).
 */
void resource_write_json(struct engine *engine, const struct resource *resource, bool states, FILE *out);
/* All of a stack as a list. */
int resource_write_list(struct engine *engine, int64_t stack_id, FILE *out);

/* The name in the tree. */
void resource_entry_name(const char *name, char ret_entry[RESOURCE_ENTRY_SIZE]);
