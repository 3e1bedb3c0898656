/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the commands about drift share. A report is what /stacks/NAME/drift.json has: how many resources are
 * as they should be, and `findings`, one for each property that is not.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/command.h"

/* The resource that was asked for, by --resource or as the second operand; NULL: all. -EINVAL: both. */
int drift_resource(struct command *command, const char **ret_resource);

/* Has the daemon look at the stack, or at one resource of it. */
int drift_look(struct command *command, const char *stack, const char *resource);

/* The report; with `resource` only its findings. A new reference. -ENOENT: there is no such resource. */
int drift_report(struct command *command, const char *stack, const char *resource, json_t **ret_report);

/* Whether a finding, a resource or so is that of the resource that is called so: NAME or TYPE/NAME. */
bool drift_is_of(const json_t *finding, const char *resource);
/* It is drift: nobody has said that it is to be ignored. */
bool drift_counts(const json_t *finding);
/* How many count. */
size_t drift_count(const json_t *report);
/* What could not be read may have drifted: as long as there is some, it is no success. */
size_t drift_unknown_count(const json_t *report);

/* The exit status when there is drift. */
enum { DRIFT_EXIT = 2 };

#define DRIFT_RESOURCE_OPTION                                                                                \
	{                                                                                                    \
		"resource", 'r', "RESOURCE", "only this resource: its name, or TYPE/NAME"                    \
	}

/* Below, for people. Gives each finding (and resource that is unknown) the member `label`: its resource's
 * name, or TYPE/NAME where another type has the name, too. */
void drift_label(json_t *report);
void drift_print_label(const json_t *finding);
/* Resources by their state, and lines of what is not as it should be. */
void drift_print_summary(const json_t *report);
/* What could not be read, and why. */
void drift_print_unknown(const json_t *report);
/* The text of the tree's file, as it suits the output. */
void drift_print_text(const char *text, size_t size);
/* What a fix would do about the finding ("Change mode from 0600 to 0644"), or has done. */
void drift_print_act(const json_t *finding, bool done);

extern const struct verb drift_verbs[];
extern const struct option drift_look_options[];
/* That of an execution's stack: state workflow drift. */
int drift_of_execution_run(struct command *command);

extern const char drift_fix_more[]; /* drift-fix.c */
extern const struct option drift_fix_options[];
int drift_fix_run(struct command *command);
