/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Versions of a stack: every change of what a stack is makes one, numbered from 1.
 *
 * A stack is a set of items, each of a kind with a name and a content. The owners of the live tables
 * (outputs, keys, texts, resources …) say here what an item is from now on, inside the change (struct
 * store_change) that alters their own rows. All that one outermost change says is one version; a content that
 * is the same as before says nothing.
 *
 * What is not part of a version: locks, events, runs, drift, keys with a ttl.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"

struct stack;

enum version_kind {
	VERSION_META,	  /* "meta": name, owner, group, mode as canonical JSON */
	VERSION_TEXT,	  /* its column's name: description, version, config, values, workflow */
	VERSION_OUTPUT,	  /* the output's name: the row's value, sealed if it is sensitive */
	VERSION_TAG,	  /* the tag: empty */
	VERSION_DEP,	  /* the other stack's name: the constraint on its version, "" for any */
	VERSION_STATE,	  /* the key: its value as JSON */
	VERSION_RESOURCE, /* TYPE/NAME, each percent-encoded where needed: canonical JSON of all that is kept
			   */
	VERSION_KIND_COUNT
};

/* The item is this from now on. In a change. caller NULL: the daemon. 0 or -errno (see store.h). */
int version_put(struct engine *engine, struct caller *caller, int64_t stack_id, enum version_kind kind,
	const char *name, const void *content, size_t size);

/* The item is no more; nothing happens when there was none. In a change. */
int version_drop(struct engine *engine, struct caller *caller, int64_t stack_id, enum version_kind kind,
	const char *name);
