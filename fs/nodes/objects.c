/* SPDX-License-Identifier: MIT */
/* Who owns the things behind the rows, and what the tables share. */
#include <errno.h>
#include <string.h>

#include "engine/kv.h"
#include "engine/output.h"
#include "engine/tag.h"
#include "fs/nodes/nodes.h"
#include "fs/nodes/versions.h"
#include "fs/scratch.h"

const struct directory *const directories[TABLE_COUNT] = {
	[TABLE_ROOT] = &root_directory,
	[TABLE_TOP] = &top_directory,
	[TABLE_STACKS] = &stacks_directory,
	[TABLE_STACK] = &stack_directory,
	[TABLE_OUTPUTS] = &outputs_directory,
	[TABLE_STACK_STATE] = &stack_state_directory,
	[TABLE_STACK_RUNS] = &stack_runs_directory,
	[TABLE_RUNS] = &runs_directory,
	[TABLE_RUN] = &run_directory,
	[TABLE_TASKS] = &tasks_directory,
	[TABLE_TASK] = &task_directory,
	[TABLE_STATE] = &state_directory,
	[TABLE_NAMESPACE] = &namespace_directory,
	[TABLE_SCRATCH] = &scratch_directory,
	[TABLE_RESOURCES] = &resources_directory,
	[TABLE_RESOURCE_TYPE] = &resource_type_directory,
	[TABLE_RESOURCE] = &resource_directory,
	[TABLE_STACK_TAGS] = &stack_tags_directory,
	[TABLE_TAGS] = &tags_directory,
	[TABLE_TAG] = &tag_directory,
	[TABLE_DEPS] = &deps_directory,
	[TABLE_DEPENDENTS] = &dependents_directory,
	[TABLE_SNAPSHOTS] = &snapshots_directory,
	[TABLE_AT] = &at_directory,
	[TABLE_VERSION] = &version_directory,
	[TABLE_VERSION_OUTPUTS] = &version_outputs_directory,
	[TABLE_VERSION_STATE] = &version_state_directory,
	[TABLE_VERSION_TAGS] = &version_tags_directory,
	[TABLE_VERSION_DEPS] = &version_deps_directory,
	[TABLE_VERSION_RESOURCES] = &version_resources_directory,
	[TABLE_VERSION_TYPE] = &version_type_directory,
	[TABLE_COMPARE] = &compare_directory,
	[TABLE_LOCKS] = &locks_directory,
	[TABLE_SECRETS] = &secrets_directory,
	[TABLE_GRAPH] = &graph_directory,
	[TABLE_DESTROYED] = &destroyed_directory,
	[TABLE_DESTROYED_STACK] = &destroyed_stack_directory,
	[TABLE_BACKUPS] = &backups_directory,
	[TABLE_RUN_ARTIFACTS] = &run_artifacts_directory,
	[TABLE_RUN_ARTIFACT_FOLDER] = &run_artifact_folder,
	[TABLE_TASK_ARTIFACTS] = &task_artifacts_directory,
	[TABLE_TASK_ARTIFACT_FOLDER] = &task_artifact_folder,
	[TABLE_ATTEMPTS] = &attempts_directory,
	[TABLE_ATTEMPT] = &attempt_directory,
	[TABLE_SAVED] = &saved_directory,
	[TABLE_SAVED_ONE] = &saved_one_directory,
	[TABLE_DRIFT] = &drift_directory,
};

int object_system(struct view *view, struct object *ret_object)
{
	*ret_object = (struct object){ view->tree->uid, view->tree->gid, 0755, view->tree->started_ms };
	return 0;
}

int object_stack(struct view *view, struct object *ret_object)
{
	struct stack stack;
	int r = stack_get(view->engine, view->id, &stack);

	if (r < 0)
		return r;
	*ret_object = (struct object){ stack.uid, stack.gid, stack.mode, stack.updated_ms };
	return 0;
}

int object_stack_ctl(struct view *view, struct object *ret_object)
{
	int r = object_stack(view, ret_object);

	if (r == 0)
		ret_object->mode |= (ret_object->mode & 0444) >> 1;
	return r;
}

int object_output(struct view *view, struct object *ret_object)
{
	struct view stack_view = *view;
	int64_t time_ms;
	int r = output_get(view->engine, view->id, NULL, &stack_view.id, NULL, &time_ms);

	if (r == 0)
		r = object_stack(&stack_view, ret_object);
	if (r == 0)
		ret_object->mtime_ms = time_ms;
	if (r == 0 && output_sensitive(view->engine, view->id))
		ret_object->mode &= 0700;
	return r;
}

int object_tag(struct view *view, struct object *ret_object)
{
	struct view stack_view = *view;
	struct tag tag;
	int r = tag_get(view->engine, view->id, &tag);

	if (r < 0)
		return r;
	stack_view.id = tag.stack_id;
	r = object_stack(&stack_view, ret_object);
	ret_object->mtime_ms = tag.created_ms;
	return r;
}

int object_run(struct view *view, struct object *ret_object)
{
	struct run run;
	int r = run_get(view->engine, view->id, &run);

	if (r < 0)
		return r;
	*ret_object = (struct object){ run.owner_uid, run.owner_gid, run.mode, run.updated_ms };
	return 0;
}

int object_task(struct view *view, struct object *ret_object)
{
	struct view run_view = *view;
	struct task task;
	int r = task_get(view->engine, view->id, &task);

	if (r < 0)
		return r;
	run_view.id = task.run_id;
	r = object_run(&run_view, ret_object);
	if (r == 0 && task.updated_ms)
		ret_object->mtime_ms = task.updated_ms;
	return r;
}

int object_workflow_file(struct view *view, struct object *ret_object)
{
	struct view of = *view;
	struct workflow_file file;
	int r = workflow_file_get(view->engine, view->id, &file);

	if (r < 0)
		return r;
	if (file.stack_id) {
		of.id = file.stack_id;
		r = object_stack(&of, ret_object);
	} else if (file.run_id) {
		of.id = file.run_id;
		r = object_run(&of, ret_object);
	}
	if (r < 0 || (!file.stack_id && !file.run_id))
		*ret_object = (struct object){ file.uid, view->caller->gid, 0700, 0 };
	if (!file.stack_id)
		ret_object->uid = file.uid; /* in the folder of all stacks it is the submitter's */
	ret_object->mtime_ms = file.updated_ms;
	return 0;
}

int object_namespace(struct view *view, struct object *ret_object)
{
	struct kv_namespace ns;
	int r = kv_namespace_get(view->engine, view->id, &ns);

	if (r < 0)
		return r;
	*ret_object = (struct object){ ns.uid, ns.gid, ns.mode, ns.updated_ms };
	return 0;
}

int object_key(struct view *view, struct object *ret_object)
{
	struct view of = *view;
	struct kv_scope scope;
	struct kv kv;
	int r = kv_get_id(view->engine, view->id, &scope, &kv, NULL);

	if (r < 0)
		return r;
	of.id = scope.stack_id ? scope.stack_id : scope.namespace_id;
	r = scope.stack_id ? object_stack(&of, ret_object) : object_namespace(&of, ret_object);
	if (r == 0)
		ret_object->mtime_ms = kv.updated_ms;
	return r;
}

bool run_visible(struct view *view, const struct run *run)
{
	return caller_access(view->caller, run->owner_uid, run->owner_gid, run->mode, MAY_EXECUTE) == 0 ||
	       caller_owns(view->caller, run->uid);
}

int show_json(FILE *out, const json_t *value)
{
	if (json_dumpf(value, out, JSON_SORT_KEYS | JSON_INDENT(2) | JSON_ENCODE_ANY) < 0)
		return -EIO;
	fputc('\n', out);
	return 0;
}

json_t *time_json(int64_t ms)
{
	char text[32];

	return ms ? json_string(time_format(ms, text)) : json_null();
}
