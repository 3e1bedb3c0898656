/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Tags: words that people put on stacks, to find them again. A word is there as long as a stack bears it.
 */
#include <stdint.h>

#include "base/fault.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"

enum { TAGS_MAX = 256 }; /* on one stack */

/* One stack's bearing one word. */
struct tag {
	int64_t id;
	int64_t stack_id, word_id;
	char name[NAME_SIZE];
	char stack[NAME_SIZE];
	int64_t created_ms; /* when it was added */
};

/* Permission and lock are checked as for every change of the stack. What it bears already is no change.
 * -EINVAL and -ENAMETOOLONG by name_check(), -EDQUOT above TAGS_MAX. */
int tag_add(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	struct fault *fault, int64_t *ret_id);
/* -ENOENT when it does not bear it. */
int tag_remove(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	struct fault *fault);
/* Before the stack's row is deleted: words that no other stack bears go with it. */
int tag_forget_stack(struct engine *engine, int64_t stack_id);

/* -ENOENT. */
int tag_get(struct engine *engine, int64_t id, struct tag *ret_tag);
int tag_find(struct engine *engine, int64_t stack_id, const char *name, struct tag *ret_tag);
/* The tags of a stack in the order of their names, until `each` returns non-zero, which is then returned. */
int tag_each(struct engine *engine, int64_t stack_id, int (*each)(void *userdata, const struct tag *tag),
	void *userdata);

/* Words, in their order; the stacks that bear one, in the order of theirs. Only stacks count into which the
 * caller (NULL: the daemon) may look. */
int tag_word_find(struct engine *engine, struct caller *caller, const char *name, int64_t *ret_word_id);
int tag_word_each(struct engine *engine, struct caller *caller,
	int (*each)(void *userdata, const char *name, int64_t word_id), void *userdata);
int tag_bearer_find(struct engine *engine, struct caller *caller, int64_t word_id, const char *stack,
	struct tag *ret_tag);
int tag_bearer_each(struct engine *engine, struct caller *caller, int64_t word_id,
	int (*each)(void *userdata, const struct tag *tag), void *userdata);
/* When a stack got the word last; -ENOENT when none bears it. */
int tag_word_time(struct engine *engine, int64_t word_id, int64_t *ret_time_ms);
