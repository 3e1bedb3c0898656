/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Keys and values: of a stack (stacks/S/state/KEY, scope = the stack's id) and shared ones
 * (state/NAMESPACE/KEY, scope = the namespace's id). Values are JSON and keep their type. Expired keys are
 * not there for anybody; they are removed by and by. The functions check no permission and no lock: the tree
 * and the runner's door do.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"

enum { KV_PATTERN_MAX = 1024 }; /* bytes of a pattern (glob(7)) that keys are compared with */

struct kv_scope {
	int64_t stack_id;      /* or */
	int64_t namespace_id;  /* the other is 0 */
	struct caller *caller; /* who changes it, for the stack's versions; NULL: the daemon */
};

struct kv {
	int64_t id;
	char name[NAME_SIZE];
	int64_t updated_ms;
	int64_t expires_ms; /* by clock.h; 0: never */
};

struct kv_namespace {
	int64_t id;
	char name[NAME_SIZE];
	uid_t uid;
	gid_t gid;
	mode_t mode;
	int64_t updated_ms;
};

/* Whether a key can have this name: UTF-8 of 1 to 128 bytes, and at most 255 as the tree shows it, where
 * every byte that no name has stands as %XX. 0 or -EINVAL with the sentence. */
int kv_name_check(const char *name, struct fault *fault);

int kv_namespace_create(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	struct fault *fault, int64_t *ret_id);
int kv_namespace_find(struct engine *engine, const char *name, struct kv_namespace *ret);
int kv_namespace_get(struct engine *engine, int64_t id, struct kv_namespace *ret);
/* The namespace, for a caller who wants to use its keys: MAY_READ, MAY_WRITE, and KV_REMOVES for what removes
 * some (where the sticky bit is set, that is its owner's). One that is missing is made for MAY_WRITE, by who
 * may make it; for MAY_READ its id is 0, and it has no keys. The fault has the sentence. */
enum { KV_REMOVES = 8 };
int kv_namespace_open(struct engine *engine, struct caller *caller, const char *name, int want,
	struct fault *fault, int64_t *ret_id);
int kv_namespace_set(
	struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid, mode_t mode);
int kv_namespace_delete(struct engine *engine, struct caller *caller, int64_t id); /* -ENOTEMPTY */
int kv_namespace_each(
	struct engine *engine, int (*each)(void *userdata, const struct kv_namespace *ns), void *userdata);

int kv_find(struct engine *engine, struct kv_scope scope, const char *name, struct kv *ret_kv,
	json_t **ret_value);
int kv_get_id(
	struct engine *engine, int64_t id, struct kv_scope *ret_scope, struct kv *ret_kv, json_t **ret_value);
/* Writes a value that is a text. False: it is none, or one that a parser has to read (kv_get_id()). */
bool kv_write_text(struct engine *engine, int64_t id, FILE *out);
int kv_each(struct engine *engine, struct kv_scope scope,
	int (*each)(void *userdata, const struct kv *kv, const char *value), void *userdata);
/* ttl_ms 0: for ever; -1: keeps what it had. -EDQUOT: the scope has max_keys. */
int kv_set(struct engine *engine, struct kv_scope scope, const char *name, json_t *value, int64_t ttl_ms);
int kv_delete(struct engine *engine, struct kv_scope scope, const char *name); /* -ENOENT */
int kv_set_ttl(struct engine *engine, struct kv_scope scope, const char *name, int64_t ttl_ms);

/* Values as people write them. `type`: string (also NULL), number, boolean, array, object, or json for
 * whatever the text looks like; -EINVAL with the sentence. New references. */
int kv_value_parse(const char *text, size_t size, const char *type, struct fault *fault, json_t **ret_value);
/* What the text of a value is as another type. */
int kv_value_retype(const json_t *old, const char *type, struct fault *fault, json_t **ret_value);
/* A string's bytes, or JSON: malloc'ed, NULL without memory. */
char *kv_value_text(const json_t *value);
/* "string", "number" … */
const char *kv_type_name(const json_t *value);
/* The number that a value is, or that its text is (what echo wrote); NULL: none. */
json_t *kv_value_number(json_t *value);
/* Puts its opposite in a number's place. */
int kv_number_negate(json_t **number, struct fault *fault);

/* Numbers: a missing key counts as 0, a text that is a number as that; -EINVAL when the value is none. The
 * new value is returned (new reference). */
int kv_increment(struct engine *engine, struct kv_scope scope, const char *name, json_t *delta,
	struct fault *fault, json_t **ret_value);
/* Texts: a missing key counts as "". */
int kv_append(struct engine *engine, struct kv_scope scope, const char *name, const char *text,
	struct fault *fault, json_t **ret_value);
/* 1: swapped; 0: the value was another. `expected` NULL or JSON null: the key must be missing. */
int kv_compare_swap(
	struct engine *engine, struct kv_scope scope, const char *name, json_t *expected, json_t *value);
/* Lists: push gives the new length; pop takes the last item (*ret_value NULL when empty). -EINVAL when it is
 * no list. */
int kv_list_push(struct engine *engine, struct kv_scope scope, const char *name, json_t *item,
	struct fault *fault, int64_t *ret_length);
int kv_list_pop(struct engine *engine, struct kv_scope scope, const char *name, struct fault *fault,
	json_t **ret_value);

/* The sentence for what kv_set() and those that use it refuse: too large, too many. Returns r. */
int kv_explain(struct engine *engine, int r, struct fault *fault);

/* The timer that removes what has ended; the engine's. */
struct kv_expiry;
int kv_expiry_new(struct engine *engine, struct kv_expiry **ret_expiry);
void kv_expiry_free(struct kv_expiry *expiry);
