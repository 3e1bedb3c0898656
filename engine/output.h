/* SPDX-License-Identifier: MIT */
#pragma once
/* Outputs of a stack: named values, JSON inside, text outside (a string is shown bare, everything else as
 * JSON).
 *
 * A sensitive one is stored sealed (seal.h, as "output:STACK-ID:NAME"), stays sensitive when it is set anew,
 * and is
 * "<sensitive>" wherever outputs are shown: its value is given by output_value() alone, to the stack's owner
 * and root. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"

struct output {
	int64_t id, stack_id;
	char name[NAME_SIZE];
	const char *value; /* JSON, "<sensitive>" for a sensitive one; borrowed while `each` runs */
	int64_t updated_ms;
};

int output_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct output *output), void *userdata);
int output_find(struct engine *engine, int64_t stack_id, const char *name, int64_t *ret_id);
/* -ENOENT; *ret_value is a new reference (NULL: not wanted), *ret_stack and *ret_time_ms may be NULL. */
int output_get(struct engine *engine, int64_t id, char ret_name[NAME_SIZE], int64_t *ret_stack,
	json_t **ret_value, int64_t *ret_time_ms);

bool output_sensitive(struct engine *engine, int64_t id);
/* The value, of sensitive ones too: -EACCES for those who don't own the stack, -ENOKEY and -EBADMSG as of
 * seal_open(). Who hands it out says so by output_note_read(), in a change; for others that does nothing. */
int output_value(
	struct engine *engine, struct caller *caller, int64_t id, struct fault *fault, json_t **ret_value);
int output_note_read(struct engine *engine, struct caller *caller, int64_t id);

/* Checks permission and lock like every change of the stack; the name rule is name_check(). */
int output_set(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	json_t *value, struct fault *fault);
/* `sensitive` false: as it was. */
int output_set_as(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	json_t *value, bool sensitive, struct fault *fault);
/* Seals what it is now. What was stored of it before, in versions and backups, stays as it is. */
int output_make_sensitive(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault);
int output_delete(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	struct fault *fault);

/* key=value lines; a value with a line break is shown escaped so that it stays one line; .json: one object,
 * sorted, with a newline at the end. */
void output_show(struct engine *engine, int64_t stack_id, FILE *out);
void output_show_json(struct engine *engine, int64_t stack_id, FILE *out);

/* For versions, which hold what is stored: makes it the output's value again, sealed as it is (`version_put`
 * included). */
int output_restore(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	const char *stored, size_t size, struct fault *fault);

/* The raw form of outputs.d/KEY: a string's bytes and a newline, or JSON and a newline. */
void output_write_raw(const json_t *value, FILE *out);
/* The same of an output that is there; as output_value(). */
int output_show_raw(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault, FILE *out);
/* The time of the stack's last output change, 0: none. */
int64_t output_time(struct engine *engine, int64_t stack_id);
