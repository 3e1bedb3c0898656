/* SPDX-License-Identifier: MIT */
#pragma once
/* How an item of a version becomes live again: a function for each kind. */
#include "engine/version.h"

/* Makes the item what `content` says (NULL: it is not there), by the functions that every change of its kind
 * uses, so that permission, locks, rules, events and notices are theirs. In a change. -ELOOP and -ENOENT: it
 * may go when others have had their turn. */
int restore_item(struct engine *engine, struct caller *caller, const struct stack *stack,
	enum version_kind kind, const char *name, const struct buffer *content, struct fault *fault);
