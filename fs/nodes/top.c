/* SPDX-License-Identifier: MIT */
/* The root of the tree, and what stands in it beside the folders of their own files. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/process.h"
#include "build.h"
#include "engine/event.h"
#include "engine/folder.h"
#include "fs/errors.h"
#include "fs/nodes/events.h"
#include "fs/nodes/state.h"

static const char readme[] =
	"This is Sloth: the state of your deployments as a directory tree.\n"
	"\n"
	"stacks/          every deployment is a folder. mkdir makes one, rmdir destroys it, mv renames it\n"
	"  prod/status        created, running, completed or failed\n"
	"  prod/outputs       key=value lines; outputs.json; one raw value a file in outputs.d/\n"
	"  prod/lock          who holds the stack, and who waits\n"
	"  prod/config.yaml   settings of this stack\n"
	"  prod/values.yaml   the values that its workflows see\n"
	"  prod/state/        keys and values that its workflows keep\n"
	"  prod/state.ctl     commands for them: incr, cas, list; cat it for all\n"
	"  prod/deps/         ln -s ../../network deps/ adds a dependency; depends has them in words\n"
	"  prod/resources/    what its workflows look after: TYPE/NAME/status, desired.json, depends …\n"
	"  prod/tags/         touch adds a tag, rm removes it\n"
	"  prod/snapshots/    every change is a version: diff -r v37 v38, echo v37 > restore, echo TEXT > "
	"new\n"
	"  prod/history       its versions; blame; at/-2h/ is what it was two hours ago\n"
	"  prod/activity      what happened to it\n"
	"  prod/validate      reading it checks what must be in order before a run\n"
	"  prod/runs/         its runs; writing NAME.sloth here runs it on this stack\n"
	"stacks.json      what there is to say of each stack, a JSON object a line\n"
	"destroyed/       stacks that were destroyed, to be brought back\n"
	"runs/            all runs: runs/42/status, log, wait, ctl, tasks/NAME/log; latest -> 42\n"
	"workflows/       saved workflows: checked when they are written, not run; NAME.sloth.d/plan\n"
	"state/           keys and values that all stacks share: state/NAMESPACE/KEY\n"
	"secrets/         values that only their owners read, kept encrypted\n"
	"graph/           the dependencies of all stacks: in which order to go, where they go round\n"
	"tags/            tags/TAG/ has links to the stacks that bear it\n"
	"locks/           locks with a name of their own; ctl takes several at once\n"
	"events           the audit trail; events.json has a JSON object a line\n"
	"audit            reading verifies it; archives: what was taken out of it\n"
	"error            the sentence behind your last failure\n"
	"config.yaml      the settings in force\n"
	"backups/         copies of the database: echo reason > backups/new makes one\n"
	"check            whether the database is in order: echo deep > check\n"
	"metrics          numbers for Prometheus\n"
	"health, version\n"
	"\n"
	"Make a stack and run a workflow on it:\n"
	"\n"
	"    mkdir stacks/prod\n"
	"    cp deploy.sloth stacks/prod/runs/\n"
	"    tail -f runs/latest/log\n"
	"    cat runs/latest/wait             success, failed, cancelled …, when it is over\n"
	"    cat stacks/prod/outputs\n"
	"    echo cancel > runs/latest/ctl\n"
	"\n"
	"Lock it while you work on it:\n"
	"\n"
	"    flock stacks/prod/lock ./deploy.sh                    for as long as deploy.sh runs\n"
	"    echo 'reason=\"upgrade\" ttl=30m' > stacks/prod/lock     until you release it\n"
	"    rm stacks/prod/lock                                   releases it\n"
	"\n"
	"When something fails, `cat error` here says why. X is for people, X.json for programs, X.d/ for\n"
	"shells. Access is by the owner, group and mode of each stack: chmod, chown, chgrp.\n"
	"\n"
	"The same from the command line: sloth --help. The manual: slothfs(5), sloth(1).\n";

static int readme_show(struct view *view, FILE *out)
{
	fputs(readme, out);
	return 0;
}

static int version_show(struct view *view, FILE *out)
{
	fprintf(out, "%s\n", SLOTH_VERSION);
	return 0;
}

static int health_show(struct view *view, FILE *out)
{
	if (view->engine->turn_error)
		fprintf(out, "the last change could not be stored: %s\n",
			strerror(-view->engine->turn_error));
	else
		fputs("ok\n", out);
	return 0;
}

static int error_show(struct view *view, FILE *out)
{
	const char *text =
		errors_get(view->tree->errors, view->caller->uid, process_session(view->caller->pid));

	if (*text)
		fprintf(out, "%s\n", text);
	return 0;
}

static int config_show_node(struct view *view, FILE *out)
{
	config_show(&view->engine->config, out);
	return 0;
}

/* stacks/, runs/, state/: the daemon's, and the group's where there is one; chmod and chgrp on them are kept.
 */
static int object_of_folder(struct view *view, const char *name, struct object *ret_object)
{
	struct folder folder;
	int r = folder_get(view->engine, name, &folder);

	if (r < 0)
		return r;
	*ret_object = (struct object){ folder.uid, folder.gid, folder.mode,
		folder.updated_ms ? folder.updated_ms : view->tree->started_ms };
	return 0;
}

static int folder_object(struct view *view, struct object *ret_object)
{
	return object_of_folder(view, node_entry(view->node)->name, ret_object);
}

/* Who may not look into the folder may not read the list of what is in it: nobody without r and x. */
static int stacks_json_object(struct view *view, struct object *ret_object)
{
	int r = object_of_folder(view, "stacks", ret_object);

	ret_object->mode &= ret_object->mode << 2;
	return r;
}

/* It names all stacks. */
static int graph_object(struct view *view, struct object *ret_object)
{
	int r = stacks_json_object(view, ret_object);

	ret_object->mode &= 0444;
	ret_object->mode |= ret_object->mode >> 2;
	return r;
}

static int folder_chmod(struct view *view, mode_t mode)
{
	struct object object;
	int r = folder_object(view, &object);

	if (r == 0 && !caller_owns(view->caller, object.uid))
		r = -EPERM;
	if (r < 0)
		return r;
	return folder_set(view->engine, view->caller, node_entry(view->node)->name,
		&(struct folder){ .uid = object.uid, .gid = object.gid, .mode = mode });
}

static int folder_chown(struct view *view, uid_t uid, gid_t gid)
{
	struct object object;
	int r = folder_object(view, &object);

	if (r < 0)
		return r;
	if (uid == (uid_t)-1)
		uid = object.uid;
	if (gid == (gid_t)-1)
		gid = object.gid;
	if (!caller_may_give(view->caller, object.uid, object.gid, uid, gid))
		return -EPERM;
	return folder_set(view->engine, view->caller, node_entry(view->node)->name,
		&(struct folder){ .uid = uid, .gid = gid, .mode = object.mode });
}

/* Owners remove what is theirs: who may is asked there. */
static int destroyed_object(struct view *view, struct object *ret_object)
{
	int r = object_system(view, ret_object);

	ret_object->mode = 0777;
	return r;
}

/* clang-format off */
static const struct entry top_entries[] = {
	{ .name = "README", .help = "what is here", .kind = KIND_TEXT, .mode = 0444, .object = object_system,
	  .show = readme_show },
	{ .name = "version", .help = "the daemon's version", .kind = KIND_TEXT, .mode = 0444,
	  .object = object_system, .show = version_show },
	{ .name = "health", .help = "ok, or why nothing can be stored", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .object = object_system,
	  .show = health_show },
	{ .name = "error", .help = "the sentence behind the caller's last failure", .kind = KIND_TEXT, .mode = 0444,
	  .always = true, .fleeting = true, .object = object_system, .show = error_show },
	{ .name = "config.yaml", .help = "the settings in force", .kind = KIND_TEXT, .mode = 0444,
	  .object = object_system, .show = config_show_node },
	{ .name = "events", .help = "the audit trail, a line an event", .kind = KIND_STREAM, .mode = 0444,
	  .aspects = ASPECT_EVENTS, .object = object_system, .stamp = events_stamp, .stream = &events_stream },
	{ .name = "events.json", .help = "the audit trail, a JSON object a line", .kind = KIND_STREAM, .mode = 0444,
	  .aspects = ASPECT_EVENTS, .object = object_system, .stamp = events_stamp, .stream = &events_json_stream },
	{ .name = "audit", .help = "reading verifies the audit trail", .kind = KIND_WAIT, .mode = 0444,
	  .object = object_system, .show = audit_show, .ask = audit_ask },
	{ .name = "audit.json", .help = "the same as JSON", .kind = KIND_WAIT, .mode = 0444,
	  .object = object_system, .show = audit_show, .ask = audit_ask },
	{ .name = "audit.deep", .help = "verifies the archives, too", .kind = KIND_WAIT, .mode = 0444,
	  .object = object_system, .show = audit_show, .ask = audit_ask },
	{ .name = "audit.deep.json", .help = "the same as JSON", .kind = KIND_WAIT, .mode = 0444,
	  .object = object_system, .show = audit_show, .ask = audit_ask },
	{ .name = "archives", .help = "what was taken out of the audit trail; commands", .kind = KIND_CONTROL,
	  .mode = 0644, .aspects = ASPECT_EVENTS, .object = object_system, .show = archives_show,
	  .write = archives_write },
	{ .name = "archives.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .aspects = ASPECT_EVENTS, .object = object_system, .show = archives_json_show },
	{ .name = "stacks", .help = "the stacks", .kind = KIND_DIRECTORY, .mode = 07777,
	  .aspects = ASPECT_META, .directory = &stacks_directory, .object = folder_object, .chmod = folder_chmod,
	  .chown = folder_chown },
	{ .name = "stacks.json", .help = "what there is to say of each of them, a JSON object a line", .kind = KIND_TEXT,
	  .mode = 0444, .fleeting = true, .object = stacks_json_object, .size = stacks_json_size,
	  .show = stacks_json_show },
	{ .name = "destroyed", .help = "stacks that were destroyed, until their time is over", .kind = KIND_DIRECTORY,
	  .mode = 0777, .aspects = ASPECT_NAMES | ASPECT_VERSIONS, .directory = &destroyed_directory,
	  .object = destroyed_object },
	{ .name = "runs", .help = "the runs", .kind = KIND_DIRECTORY, .mode = 07777, .aspects = ASPECT_META,
	  .directory = &runs_directory, .object = folder_object, .chmod = folder_chmod, .chown = folder_chown },
	{ .name = "workflows", .help = "saved workflows", .kind = KIND_DIRECTORY, .mode = 07777,
	  .aspects = ASPECT_META, .directory = &saved_directory, .object = folder_object, .chmod = folder_chmod,
	  .chown = folder_chown },
	{ .name = "graph", .help = "the dependencies of all stacks together", .kind = KIND_DIRECTORY, .mode = 0555,
	  .aspects = ASPECT_META, .directory = &graph_directory, .object = graph_object },
	{ .name = "tags", .help = "the tags of stacks, a folder a word", .kind = KIND_DIRECTORY, .mode = 0555,
	  .aspects = ASPECT_TAGS, .directory = &tags_directory, .object = object_system },
	{ .name = "state", .help = "keys and values of all stacks", .kind = KIND_DIRECTORY, .mode = 07777,
	  .aspects = ASPECT_META, .directory = &state_directory, .object = folder_object, .chmod = folder_chmod,
	  .chown = folder_chown },
	{ .name = "state.ctl", .help = "commands for the keys of all namespaces", .kind = KIND_CONTROL, .mode = 0666,
	  .aspects = ASPECT_META, .object = state_ctl_object, .show = state_ctl_show, .write = state_ctl_write },
	{ .name = "locks", .help = "locks with a name of their own", .kind = KIND_DIRECTORY, .mode = 07777,
	  .aspects = ASPECT_META, .directory = &locks_directory, .object = folder_object, .chmod = folder_chmod,
	  .chown = folder_chown },
	{ .name = "secrets", .help = "secrets of users", .kind = KIND_DIRECTORY, .mode = 07777,
	  .aspects = ASPECT_META, .directory = &secrets_directory, .object = folder_object, .chmod = folder_chmod,
	  .chown = folder_chown },
	{ .name = "keys", .help = "what sealed values are sealed with; commands", .kind = KIND_CONTROL, .mode = 0644,
	  .fleeting = true, .object = object_system, .show = keys_show, .write = keys_write },
	{ .name = "backups", .help = "copies of the database", .kind = KIND_DIRECTORY, .mode = 0755,
	  .fleeting = true, .object = object_system, .directory = &backups_directory },
	{ .name = "check", .help = "whether the database is in order; commands: quick, deep", .kind = KIND_CONTROL,
	  .mode = 0644, .fleeting = true, .object = object_system, .show = check_show, .write = check_write },
	{ .name = "check.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .object = object_system, .show = check_json_show },
	{ .name = "metrics", .help = "numbers for Prometheus: the daemon's own, and those of workflows", .kind = KIND_TEXT,
	  .mode = 0444, .fleeting = true, .object = object_system, .show = metrics_show },
	{ .name = "metrics.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .object = object_system, .show = metrics_show },
	{ .name = "quota", .help = "what the caller has, and may have; to root: what all have", .kind = KIND_TEXT,
	  .mode = 0444, .always = true, .fleeting = true, .object = object_system, .show = quota_show },
	{ .name = "quota.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .always = true, .fleeting = true,
	  .object = object_system, .show = quota_json_show },
};
/* clang-format on */

const struct directory top_directory = DIRECTORY(top_entries);

/* Row 1, because FUSE's root is inode 1. */
/* clang-format off */
static const struct entry root_entries[] = {
	{ .name = "", .help = "unused", .kind = KIND_TEXT, .object = object_system },
	{ .name = "/", .help = "the root", .kind = KIND_DIRECTORY, .mode = 0755, .object = object_system,
	  .directory = &top_directory },
};
/* clang-format on */

const struct directory root_directory = DIRECTORY(root_entries);
