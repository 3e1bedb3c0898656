/* SPDX-License-Identifier: MIT */
#pragma once
/* What the tables of the tree share: who owns the things behind the rows, and a few ways to print. */
#include <jansson.h>

#include "engine/run.h"
#include "engine/stack.h"
#include "fs/tree.h"

/* For callbacks of the engine that go on with a name in a listing. */
struct emitter {
	node_emit *emit;
	void *userdata;
};

int object_system(struct view *view, struct object *ret_object);
int object_stack(struct view *view, struct object *ret_object);
/* The same, open for writing to whoever may read: for what asks again what each command needs. */
int object_stack_ctl(struct view *view, struct object *ret_object);
int object_output(struct view *view, struct object *ret_object);
int object_run(struct view *view, struct object *ret_object);
int object_task(struct view *view, struct object *ret_object);
int object_workflow_file(struct view *view, struct object *ret_object);
int object_namespace(struct view *view, struct object *ret_object);
int object_tag(struct view *view, struct object *ret_object);
int object_key(struct view *view, struct object *ret_object);
int object_resource(struct view *view, struct object *ret_object);

/* Whether the caller may see a run at all (its folder's x). */
bool run_visible(struct view *view, const struct run *run);

/* A time as a JSON string, null for 0. New reference. */
json_t *time_json(int64_t ms);

/* One JSON value, sorted keys, and a newline. */
int show_json(FILE *out, const json_t *value);

/* The runs of a folder: of all stacks (stack 0) or of one. */
int runs_find(struct view *folder, int64_t stack_id, const char *name, int64_t *ret_id);
int runs_each(struct view *folder, int64_t stack_id, node_emit *emit, void *userdata);

/* Shared by runs/ and stacks/S/runs/: the rows for NAME.sloth and for the links NAME. */
int workflow_find(struct view *folder, const char *name, int64_t *ret_id);
int workflow_each(struct view *folder, node_emit *emit, void *userdata);
int workflow_put(struct view *folder, const char *name, const char *content, size_t size, int64_t *ret_id);
bool workflow_takes(const char *name);
int workflow_show(struct view *view, FILE *out);
int workflow_commit(struct view *view, const char *content, size_t size);
int workflow_remove(struct view *view);
int workflow_set_option(
	struct view *view, const char *file, const char *option, const char *value, size_t size);
void workflow_forget_options(struct view *view, const char *file);
int64_t workflow_stamp(struct view *view);
int workflow_link_find(struct view *folder, const char *name, int64_t *ret_id);
int workflow_link_each(struct view *folder, node_emit *emit, void *userdata);
int workflow_link_show(struct view *view, FILE *out);

/* stacks/S/depends and depends.json: deps.c */
int depends_show(struct view *view, FILE *out);
int depends_json_show(struct view *view, FILE *out);
int depends_write(struct view *view, const char *line, size_t size);

extern const struct directory graph_directory;
extern const struct directory snapshots_directory, at_directory, compare_directory, destroyed_directory,
	destroyed_stack_directory;
/* The files check and check.json. */
int check_write(struct view *view, const char *line, size_t size);
int check_show(struct view *view, FILE *out);
int check_json_show(struct view *view, FILE *out);

extern const struct directory backups_directory, saved_directory, saved_one_directory;
extern const struct directory run_artifacts_directory, run_artifact_folder, task_artifacts_directory,
	task_artifact_folder;
extern const struct directory attempts_directory, attempt_directory;

/* attempts.json of a task: attempts.c */
int attempts_json_show(struct view *view, FILE *out);
extern const struct directory root_directory, top_directory, stacks_directory, stack_directory,
	outputs_directory, stack_state_directory, stack_runs_directory, runs_directory, run_directory,
	tasks_directory, task_directory, state_directory, namespace_directory, stack_tags_directory,
	tags_directory, tag_directory, deps_directory, dependents_directory, locks_directory;
extern const struct directory resources_directory, resource_type_directory, resource_directory;

/* nodes/drift.c */
int drift_node_show(struct view *view, FILE *out);
int drift_node_write(struct view *view, const char *line, size_t size);
int drift_json_node_show(struct view *view, FILE *out);
int drift_history_node_show(struct view *view, FILE *out);
int drift_history_json_node_show(struct view *view, FILE *out);
extern const struct directory drift_directory;

/* Forgets which versions were compared. */
void comparisons_free(struct tree *tree);
/* nodes/metrics.c: metrics and metrics.json, of all and of a stack */
int metrics_show(struct view *view, FILE *out);
int quota_show(struct view *view, FILE *out);
int quota_json_show(struct view *view, FILE *out);
int metrics_write(struct view *view, const char *line, size_t size);
/* nodes/stack-list.c */
int stacks_json_show(struct view *view, FILE *out);
int stack_status_json_show(struct view *view, FILE *out);
int64_t stacks_json_size(struct view *view);
void stack_list_free(struct stack_list *list);
void stack_list_changed(struct stack_list *list, const struct change *change); /* `list` may be NULL */

/* nodes/looks.c */
int coverage_ask(struct view *view, struct buffer *ret_content);
int validate_ask(struct view *view, struct buffer *ret_content);

extern const struct directory secrets_directory;

/* The file `keys`: secrets.c */
int keys_show(struct view *view, FILE *out);
int keys_write(struct view *view, const char *line, size_t size);

/* Forgets the options of runs that were never submitted. */
void workflow_options_free(struct tree *tree);
