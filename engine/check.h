/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A process that looks at things with the rights of a user before anything is run (doc/protocol.md, `check`):
 * the daemon itself neither loads workflows nor opens files of users. It is started like a runner, answers
 * once, and ends. A few at a time; others wait in the order in which they came.
 */
#include <jansson.h>

#include "engine/runner.h"

struct check;

struct check_order {
	struct caller *caller;
	const char *file; /* what the text is called in messages */
	const char *text; /* a workflow; size 0: none */
	size_t size;
	json_t *values;	  /* that it sees; borrowed */
	json_t *paths;	  /* list of {path, of, write}; borrowed */
	json_t *options;  /* as of a submission; borrowed */
	json_t *coverage; /* of coverage.h: what is to be walked; borrowed */
	json_t *imports;  /* of the run whose workflow it is, which gets them as they were; borrowed */
	bool plan;	  /* the answer's `workflow` has the plan */
	/* Called once, from the loop: the frame `checked`, borrowed, or NULL with the sentence. */
	void (*done)(void *userdata, const json_t *answer, const struct fault *fault);
	void *userdata;
};

int check_start(struct runners *runners, const struct check_order *order, struct check **ret_check);
/* done() is not called any more. */
void check_cancel(struct check *check);

/* For runner*.c. Ids of checks are below 0. */
void checks_started(struct runners *runners, int64_t id, pid_t pid);
void checks_free(struct runners *runners);
