/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files of commands give to the table of verbs in main.c. */
#include "cli/command.h"

extern const char run_more[]; /* run.c */
extern const struct option run_options[];
int run_run(struct command *command);
extern const struct verb run_verbs[]; /* run-verbs.c */
extern const char attach_more[];
extern const struct option attach_options[];
int attach_run(struct command *command);

extern const char retry_more[]; /* retry.c */
extern const struct option retry_options[];
int retry_run(struct command *command);

extern const char logs_more[]; /* logs.c */
extern const struct option logs_options[];
int logs_run(struct command *command);

extern const struct verb workflow_verbs[]; /* workflow.c */

extern const struct verb stack_verbs[];	     /* stack.c */
int stack_show_run(struct command *command); /* stack-show.c */

extern const struct option resources_options[]; /* resources.c */
int resources_run(struct command *command);

extern const char stack_adopt_more[]; /* adopt.c */
extern const struct option stack_adopt_options[];
int stack_adopt_run(struct command *command);

extern const char coverage_more[]; /* coverage.c */
extern const struct option coverage_options[];
int coverage_run(struct command *command);

extern const struct option import_options[]; /* export.c */
int export_run(struct command *command);
int import_run(struct command *command);

extern const struct verb lock_verbs[]; /* lock.c */
extern const struct verb named_lock_verbs[];
extern const struct verb snapshot_verbs[];  /* snapshot.c */
extern const struct verb destroyed_verbs[]; /* destroyed.c */
extern const struct verb tags_verbs[];	    /* tags.c */
extern const struct verb deps_verbs[];	    /* deps.c */
extern const struct verb secrets_verbs[];   /* secrets.c */

extern const struct verb state_verbs[];		 /* state.c */
extern const struct verb state_workflow_verbs[]; /* state-workflow.c */
extern const struct verb backup_verbs[];	 /* backup.c */
extern const struct option check_options[];
int check_run(struct command *command);

int complete_run(struct command *command); /* complete.c */

extern const char with_lock_more[]; /* with-lock.c */
extern const struct option with_lock_options[];
int with_lock_run(struct command *command);

extern const struct option ls_options[], write_options[]; /* files.c */
int ls_run(struct command *command);
int cat_run(struct command *command);
int write_run(struct command *command);

extern const struct option events_options[]; /* events.c */
extern const struct verb events_verbs[];
int events_run(struct command *command);
int activity_run(struct command *command);
extern const struct option activity_options[];

extern const struct option validate_options[]; /* validate.c */
int validate_run(struct command *command);

extern const struct option clear_options[]; /* audit.c */
int clear_run(struct command *command);
extern const struct verb audit_verbs[];

extern const struct option metrics_options[]; /* metrics.c */
extern const struct verb metrics_verbs[];
int metrics_run(struct command *command);

extern const struct option quota_options[]; /* quota.c */
int quota_run(struct command *command);

extern const struct option mount_options[]; /* mount.c */
int mount_run(struct command *command);
int umount_run(struct command *command);

int doctor_run(struct command *command); /* doctor.c */
