/* SPDX-License-Identifier: MIT */
#pragma once
/* A workflow, from `cp` to the end of `cat wait`. */

struct workflow {
	const char *text; /* of the workflow */
	char *file;	  /* runs/NAME.sloth */
	char *wait;	  /* runs/NAME/wait */
};

/* Makes the stack `name`; the workflow is copied into its runs. */
void workflow_init(struct workflow *workflow, const char *mount, const char *name, const char *text);
void workflow_done(struct workflow *workflow);

/* Runs it; dies when it does not succeed. For struct side. */
void workflow_run(void *workflow);
