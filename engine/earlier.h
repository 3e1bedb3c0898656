/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The workflow of an earlier run, for a run that is made to take it back, or to mend what it has brought
 * about: its tasks' undo, and the types of resources that it defines (workflow.earlier in sloth-lua(7)). It
 * goes with the new run as an import, with all that it had imported, and with its values.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "engine/engine.h"

/* New references; the path is malloc'ed. NULL: it is too long to go along. */
int earlier_read(
	struct engine *engine, int64_t run_id, json_t **ret_values, json_t **ret_imports, char **ret_path);

/* Whether a type of resource is one that no runner knows of itself. */
bool earlier_defines(const char *type);

/* The line of the workflow. */
void earlier_write(int64_t run_id, const char *path, FILE *out);
