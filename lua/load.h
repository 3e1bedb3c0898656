/* SPDX-License-Identifier: MIT */
#pragma once
/* From the text of a workflow to its tasks: runs it, reads what lib/flow.lua made of it, checks the graph. */
#include <stddef.h>

#include "base/fault.h"

struct workflow;

/* Fills a new workflow. 0 or -errno with the sentence. */
int workflow_load(struct workflow *workflow, const char *text, size_t size, struct fault *fault);

/* selection.c: marks the tasks that the options ask for. 0 or -ENOMEM. */
int workflow_select(struct workflow *workflow);
