/* SPDX-License-Identifier: MIT */
#pragma once
/* Versions as text: the content of an item, what a stack's values are and where they come from. Times and
 * orders are fixed, so that the same version gives the same bytes every time. */
#include <jansson.h>
#include <stdio.h>

#include "engine/version.h"

/* An item as the file that it is in a version's folder. -EBADMSG. */
int version_item_show(struct engine *engine, const struct version_item *item, struct fault *fault, FILE *out);

/* An item as JSON: objects for what is JSON or YAML inside, texts for the rest, "<sensitive>" for what is
 * sealed. New reference. -EBADMSG. */
int version_item_value(
	struct engine *engine, const struct version_item *item, struct fault *fault, json_t **ret_value);

/* Writes the name of an item for people: that of a resource decoded, control characters escaped. */
void version_write_name(const char *kind, const char *name, FILE *out);

/* Number, time, who, run and what of a version as JSON: new reference. */
json_t *version_json(const struct version *version);
/* The beginning of a line of blame: number, time and who of such an object. */
void version_write_origin(const json_t *object, FILE *out);
/* "  run 7" where one made it. */
void version_write_run(const json_t *object, FILE *out);

/* Outputs of a version, as outputs and outputs.json of a stack. */
int version_show_outputs(
	struct engine *engine, int64_t stack_id, int64_t number, struct fault *fault, FILE *out);
int version_outputs_json(
	struct engine *engine, int64_t stack_id, int64_t number, struct fault *fault, json_t **ret_value);

/* The newest HISTORY_MAX versions, the newest first. */
enum { HISTORY_MAX = 1000 };
int version_show_history(struct engine *engine, int64_t stack_id, FILE *out);
int version_history_json(struct engine *engine, int64_t stack_id, json_t **ret_list);

/* For each thing that the stack has now: since which version, by whom, when, in which run. */
int version_show_blame(struct engine *engine, int64_t stack_id, FILE *out);
int version_blame_json(struct engine *engine, int64_t stack_id, json_t **ret_list);

/* Snapshots: what is kept on purpose or has a name. */
int snapshot_show_list(struct engine *engine, int64_t stack_id, FILE *out);
int snapshot_list_json(struct engine *engine, int64_t stack_id, json_t **ret_list);
