/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Adopting what exists: a run with the caller's rights finds things of a type, and registers them with the
 * stack as they are (resource.adopt in sloth-lua(7)). Nothing in the world is changed. The run keeps two
 * artifacts: adopted.json, what came of each thing, and adopted.sloth, a workflow that declares them.
 *
 * Drift of what is registered already is adopted by drift_adopt() (engine/drift.h).
 */
#include <jansson.h>
#include <stdint.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/runner.h"

/* What the workflow of such a run is called. */
#define ADOPT_FILE "drift-adopt.sloth"

struct adopt_order {
	const char *types;    /* "file", or "directory,file" */
	const char *selector; /* which of them */
	json_t *options;      /* texts and true: dry_run, exact, force, and properties; borrowed */
};

/* The run in *ret_run. What is wrong with the types and options is for the run to find. */
int adopt_start(struct runners *runners, struct caller *caller, int64_t stack_id,
	const struct adopt_order *order, struct fault *fault, int64_t *ret_run);
