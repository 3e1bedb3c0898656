/* SPDX-License-Identifier: MIT */
/* runs/ and stacks/S/runs/. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/runner.h"
#include "fs/nodes/nodes.h"

int runs_find(struct view *folder, int64_t stack_id, const char *name, int64_t *ret_id)
{
	struct run run;
	int64_t id;
	int r;

	/* One spelling only: no sign, no leading zero. */
	if (*name < '1' || *name > '9' || parse_int64(name, &id) < 0)
		return -ENOENT;
	r = run_get(folder->engine, id, &run);
	if (r < 0)
		return r;
	if ((stack_id && run.stack_id != stack_id) || !run_visible(folder, &run))
		return -ENOENT;
	*ret_id = id;
	return 0;
}

struct run_emitter {
	struct view *folder;
	node_emit *emit;
	void *userdata;
};

static int emit_run(void *userdata, const struct run *run)
{
	struct run_emitter *emitter = userdata;
	char name[32];

	if (!run_visible(emitter->folder, run))
		return 0;
	return emitter->emit(emitter->userdata, int64_format(run->id, name), run->id);
}

int runs_each(struct view *folder, int64_t stack_id, node_emit *emit, void *userdata)
{
	struct run_emitter emitter = { folder, emit, userdata };

	return run_each(folder->engine, stack_id, 0, emit_run, &emitter);
}

struct latest {
	struct view *view;
	int64_t id;
};

static int first_visible(void *userdata, const struct run *run)
{
	struct latest *latest = userdata;

	if (!run_visible(latest->view, run))
		return 0;
	latest->id = run->id;
	return 1;
}

static int64_t latest_run(struct view *view, int64_t stack_id)
{
	struct latest latest = { .view = view };

	run_each(view->engine, stack_id, 0, first_visible, &latest);
	return latest.id;
}

static int latest_find(struct view *folder, const char *name, int64_t *ret_id)
{
	if (strcmp(name, "latest") || !latest_run(folder, folder->id))
		return -ENOENT;
	*ret_id = folder->id;
	return 0;
}

static int latest_each(struct view *folder, node_emit *emit, void *userdata)
{
	return latest_run(folder, folder->id) ? emit(userdata, "latest", folder->id) : 0;
}

static int latest_show(struct view *view, FILE *out)
{
	int64_t id = latest_run(view, view->id);

	if (!id)
		return -ENOENT;
	fprintf(out, "%lld", (long long)id);
	return 0;
}

static int all_find(struct view *folder, const char *name, int64_t *ret_id)
{
	return runs_find(folder, 0, name, ret_id);
}

static int all_each(struct view *folder, node_emit *emit, void *userdata)
{
	return runs_each(folder, 0, emit, userdata);
}

static int run_remove(struct view *view)
{
	struct run run;
	int r = run_get(view->engine, view->id, &run);

	if (r == 0)
		r = run_delete(view->engine, view->caller, view->id, view->fault);
	if (r < 0)
		return r;
	view->tree->access_generation++; /* its events are nobody's then */
	if (view->tree->runners)
		runners_remove_work(view->tree->runners, &run);
	return 0;
}

/* clang-format off */
static const struct entry runs_entries[] = {
	{ .help = "a run", .kind = KIND_DIRECTORY, .mode = 0777, .subject = SUBJECT_RUN, .aspects = ASPECT_ALL,
	  .directory = &run_directory, .object = object_run, .find = all_find, .each = all_each,
	  .remove = run_remove },
	{ .help = "latest: the newest run", .kind = KIND_LINK, .mode = 0777, .fleeting = true,
	  .object = object_system, .show = latest_show, .find = latest_find, .each = latest_each },
	{ .help = "NAME.sloth, .lua, .yaml: a workflow; writing it runs it", .kind = KIND_DOCUMENT, .mode = 0666,
	  .fleeting = true, .unlinkable = true, .object = object_workflow_file, .stamp = workflow_stamp,
	  .show = workflow_show, .commit = workflow_commit, .remove = workflow_remove,
	  .set_option = workflow_set_option, .forget_options = workflow_forget_options, .find = workflow_find, .each = workflow_each, .put = workflow_put,
	  .takes = workflow_takes, .slow = true },
	{ .help = "NAME: the newest run of NAME.sloth", .kind = KIND_LINK, .mode = 0777, .fleeting = true,
	  .object = object_system, .show = workflow_link_show, .find = workflow_link_find,
	  .each = workflow_link_each },
};
/* clang-format on */

const struct directory runs_directory = {
	.entries = runs_entries,
	.count = sizeof(runs_entries) / sizeof(runs_entries[0]),
	.scratch = true,
};

/* stacks/S/runs/ */

static int own_find(struct view *folder, const char *name, int64_t *ret_id)
{
	return runs_find(folder, folder->id, name, ret_id);
}

static int own_each(struct view *folder, node_emit *emit, void *userdata)
{
	return runs_each(folder, folder->id, emit, userdata);
}

static int own_show(struct view *view, FILE *out)
{
	fprintf(out, "../../../runs/%lld", (long long)view->id);
	return 0;
}

/* clang-format off */
static const struct entry stack_runs_entries[] = {
	{ .help = "link to a run of this stack", .kind = KIND_LINK, .mode = 0777, .fleeting = true,
	  .object = object_system, .show = own_show, .find = own_find, .each = own_each },
	{ .help = "latest: the stack's newest run", .kind = KIND_LINK, .mode = 0777, .fleeting = true,
	  .object = object_stack, .show = latest_show, .find = latest_find, .each = latest_each },
	{ .help = "NAME.sloth, .lua, .yaml: a workflow; writing it runs it on this stack", .kind = KIND_DOCUMENT,
	  .mode = 0666, .fleeting = true, .unlinkable = true, .object = object_workflow_file,
	  .stamp = workflow_stamp, .show = workflow_show, .commit = workflow_commit, .remove = workflow_remove,
	  .set_option = workflow_set_option, .forget_options = workflow_forget_options, .find = workflow_find, .each = workflow_each, .put = workflow_put,
	  .takes = workflow_takes, .slow = true },
	{ .help = "NAME: the newest run of NAME.sloth", .kind = KIND_LINK, .mode = 0777, .fleeting = true,
	  .object = object_system, .show = workflow_link_show, .find = workflow_link_find,
	  .each = workflow_link_each },
};
/* clang-format on */

const struct directory stack_runs_directory = {
	.entries = stack_runs_entries,
	.count = sizeof(stack_runs_entries) / sizeof(stack_runs_entries[0]),
	.scratch = true,
};
