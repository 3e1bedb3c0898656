/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Values of a resource's properties that nobody is told. In the resource's states SEAL_SHOWN stands in their
 * place, so that whatever shows, compares, keeps or exports these has nothing to tell; the values themselves
 * are sealed (seal.h, as "resource:ID:PROPERTY") in a table of their own, and go with the resource.
 *
 * They are handed to processes of the user who asked for them and for the resource, and to nobody else: not
 * to an owner for whom root has asked, and not to who asks for the rest of the resource later.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"
#include "engine/engine.h"
#include "engine/resource.h"

enum { SECRET_PROPERTY_MAX = 200 /* bytes of the name of such a property */ };

/* Whether one of the values may be such a place. */
bool resource_is_secret(const struct resource *resource);

/* Which properties: a set, a new reference. */
int resource_secret_names(struct engine *engine, int64_t resource_id, json_t **ret_names);

/* Puts SEAL_SHOWN into the place of these properties' values, where they have one. */
void resource_secret_hide(const json_t *names, json_t *state);

/* Whether other values are asked for than before. */
int resource_secret_differs(
	struct engine *engine, int64_t resource_id, uid_t uid, const json_t *values, bool *ret_differs);
/* Seals what `uid` asks for, `values` (property → value), and what was brought about (`applied`; what is not
 * in there is as it was). Of `properties` those that are not in `values` are no secrets any more, but for
 * those of his that say SEAL_SHOWN themselves: they were read so, and are as they were; properties NULL:
 * nobody says anything of them. In a change. -ENOKEY. */
int resource_secret_put(struct engine *engine, int64_t resource_id, uid_t uid, const json_t *properties,
	const json_t *values, const json_t *applied, struct fault *fault);

/* The states with the values in their places: new references, `applied` null where there is none; and the
 * names. -EPERM: it was somebody else who asked for it; -ENOKEY, and -ENODATA where a value is not kept here
 * (a version or an import has brought the resource back). */
int resource_secret_open(struct engine *engine, const struct resource *resource, uid_t uid,
	struct fault *fault, json_t **ret_desired, json_t **ret_applied, json_t **ret_names);
/* The same for `desired` and `applied` of a row that a process gets. */
int resource_secret_fill(
	struct engine *engine, const struct resource *resource, uid_t uid, json_t *row, struct fault *fault);

/* Takes them out of what a process has told of the resource (`detected` in doc/protocol.md); *ret_seen: what
 * there is in their places, a new reference. */
int resource_secret_guard(
	struct engine *engine, const struct resource *resource, json_t *row, json_t **ret_seen);
