/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Plans: what a workflow will do. A runner makes them when it has loaded one (doc/protocol.md, `loaded`), as
 * JSON; here they are made for workflows that are not run, and shown to people and to Graphviz.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/caller.h"
#include "engine/runner.h"

struct planning;

struct plan_order {
	struct caller *caller; /* with whose rights it is loaded; copied */
	const char *file;      /* "deploy.sloth" */
	const char *text;
	size_t size;
	const char *stack; /* the name of the stack that it would run on; NULL: the workflow says */
	json_t *values;	   /* over that stack's values.yaml; borrowed; NULL: none */
	json_t *options;   /* as of a submission; borrowed; NULL: none */
	/* Called once, from the loop: the plan, borrowed, or NULL with the sentence and its code. */
	void (*done)(void *userdata, const json_t *plan, const struct fault *fault);
	void *userdata;
};

/* Loads it in a process of the caller's, which runs nothing; nothing is stored. 0: done() will be called. */
int plan_start(struct runners *runners, const struct plan_order *order, struct fault *fault,
	struct planning **ret_planning);
/* done() is not called any more. */
void plan_cancel(struct planning *planning);

/* For people: what limits it, its tasks in the order of their starts with what each waits for, its longest
 * way, what is not taken back. */
void plan_show(const json_t *plan, FILE *out);
/* For Graphviz. */
void plan_show_dot(const json_t *plan, FILE *out);
