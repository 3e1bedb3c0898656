/* SPDX-License-Identifier: MIT */
/* What is looked at before a stack is changed: one row a check. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "engine/content.h"
#include "engine/deps.h"
#include "engine/lock.h"
#include "engine/resource.h"
#include "engine/run.h"
#include "engine/validate-internal.h"
#include "engine/yaml.h"

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void check_config(struct validation *v)
{
	CLEANUP(buffer_done) struct buffer config = { 0 }, values = { 0 };
	struct config next = v->engine->config;
	json_auto_t *parsed = NULL;
	struct fault fault = { 0 };
	int r = stack_text(v->engine, v->stack_id, STACK_CONFIG, &config, NULL);

	if (r == 0)
		r = config_parse_stack(&next, "config.yaml", buffer_text(&config), config.size, &fault);
	if (r < 0)
		validate_say(v, VALIDATE_FAIL,
			"write the stack's config.yaml anew, sloth.yaml(5) has the settings", "%s",
			*fault.text ? fault.text : strerror(-r));
	fault = (struct fault){ 0 };
	r = stack_text(v->engine, v->stack_id, STACK_VALUES, &values, NULL);
	if (r == 0)
		r = yaml_parse("values.yaml", buffer_text(&values), values.size, &fault, &parsed);
	if (r < 0)
		validate_say(v, VALIDATE_FAIL, "write the stack's values.yaml anew", "%s",
			*fault.text ? fault.text : strerror(-r));
}

static int check_dependency(void *userdata, const struct dep *dep)
{
	struct validation *v = userdata;
	struct stack on;
	char text[512];

	deps_problem(dep, text, sizeof(text));
	if (dep->state == DEPS_MISSING)
		validate_say(v, VALIDATE_FAIL, "make that stack, or remove the dependency",
			"Missing dependency: %s", dep->on);
	else if (dep->state == DEPS_UNMET)
		validate_say(v, VALIDATE_FAIL,
			"deploy that stack in a version that will do, or change the constraint",
			"Dependency %s: %s", dep->on, text);
	else if (dep->visible && stack_get(v->engine, dep->on_id, &on) == 0 && on.status == STACK_FAILED)
		validate_say(v, VALIDATE_WARN, "look at its last run", "Dependency %s: its last run failed",
			dep->on);
	return 0;
}

static void check_dependencies(struct validation *v)
{
	int r = deps_each(v->engine, &v->caller, v->stack_id, check_dependency, v);

	if (r < 0)
		validate_say(v, VALIDATE_FAIL, NULL, "The dependencies cannot be read: %s", strerror(-r));
}

/* One resource whose dependencies are looked at. */
struct needing {
	struct validation *validation;
	const struct resource *resource;
};

static int check_need(void *userdata, const struct resource_edge *edge)
{
	struct needing *needing = userdata;

	if (edge->is_explicit && !edge->known)
		validate_say(needing->validation, VALIDATE_FAIL,
			"register that resource, or remove the dependency",
			"%s/%s depends on %s/%s, which is not registered", needing->resource->type,
			needing->resource->name, edge->type, edge->name);
	return 0;
}

static int check_resource(void *userdata, const struct resource *resource)
{
	struct validation *v = userdata;

	/* What failed is what the next run is to put right: it does not stand in its way. */
	if (!strcmp(resource->status, "failed"))
		validate_say(v, VALIDATE_WARN, "the next run tries it again", "%s/%s failed: %s",
			resource->type, resource->name,
			*resource->error ? resource->error : "no reason was kept");
	else if (!strcmp(resource->status, "drifted"))
		validate_say(v, VALIDATE_WARN, "it is not as the stack wants it", "%s/%s has drifted",
			resource->type, resource->name);
	resource_dependency_each(v->engine, resource->id, check_need, &(struct needing){ v, resource });
	return 0;
}

static void check_resources(struct validation *v)
{
	int r = resource_each(v->engine, v->stack_id, NULL, check_resource, v);

	if (r < 0)
		validate_say(v, VALIDATE_FAIL, NULL, "The resources cannot be read: %s", strerror(-r));
}

/* Which properties of resources name files. */
static const struct {
	const char *property;
	bool write;
} path_properties[] = {
	{ "src", false },
	{ "source", false },
	{ "template", false },
	{ "path", true },
	{ "dest", true },
};

enum { PATHS_MAX = 5000 }; /* that are looked at */

static const char *const path_types[] = { "file", "template", "directory", "symlink", "archive", "config" };

static bool names_files(const char *type)
{
	for (size_t i = 0; i < sizeof(path_types) / sizeof(path_types[0]); i++)
		if (!strcmp(path_types[i], type))
			return true;
	return false;
}

static int add_paths(void *userdata, const struct resource *resource)
{
	json_auto_t *desired = NULL;

	if (!names_files(resource->type))
		return 0;
	if (json_array_size(userdata) >= PATHS_MAX)
		return 1;
	desired = json_loads(resource->desired, 0, NULL);
	for (size_t i = 0; i < sizeof(path_properties) / sizeof(path_properties[0]); i++) {
		const char *path = member(desired, path_properties[i].property);
		CLEANUP(cleanup_free) char *of = NULL;

		/* What is relative is relative to a run's folder. */
		if (*path != '/')
			continue;
		if (asprintf(&of, "%s/%s", resource->type, resource->name) < 0)
			of = NULL;
		json_array_append_new(userdata, json_pack("{s:s, s:s?, s:b}", "path", path, "of", of, "write",
							path_properties[i].write));
	}
	return 0;
}

json_t *validate_paths(struct engine *engine, int64_t stack_id)
{
	json_t *paths = json_array();

	resource_each(engine, stack_id, NULL, add_paths, paths);
	return paths;
}

/* Whether a process of the caller's has looked; else says why not, once. */
static bool was_seen(struct validation *v)
{
	if (!v->answer)
		validate_say(v, v->runners ? VALIDATE_FAIL : VALIDATE_SKIP, NULL, "Nobody could look: %s",
			v->unseen);
	return v->answer != NULL;
}

static void check_files(struct validation *v)
{
	json_t *path;
	size_t i;

	if (!was_seen(v))
		return;
	json_array_foreach (json_object_get(v->answer, "paths"), i, path)
		if (*member(path, "error") && !json_is_true(json_object_get(path, "write")))
			validate_say(v, VALIDATE_FAIL, "put it there, or change the resource that names it",
				"%s: %s (%s, for %s)",
				strcmp(member(path, "error"), strerror(ENOENT)) ? "Cannot read"
										: "Missing file",
				member(path, "path"), member(path, "error"), member(path, "of"));
	if (json_array_size(json_object_get(v->answer, "paths")) >= PATHS_MAX)
		validate_say(v, VALIDATE_WARN, NULL, "Only %d files of resources were looked at", PATHS_MAX);
}

static void check_permissions(struct validation *v)
{
	const json_t *work = json_object_get(v->answer, "work");
	json_t *path;
	size_t i;

	if (!v->config.check_permissions) {
		validate_say(
			v, VALIDATE_SKIP, NULL, "Permissions are not checked: check_permissions is false");
		return;
	}
	if (stack_access(&v->caller, &v->stack, MAY_WRITE | MAY_EXECUTE) < 0)
		validate_say(v, VALIDATE_FAIL, "ask its owner for w and x on it",
			"You may not change the stack %s", v->stack.name);
	if (!was_seen(v))
		return;
	if (json_is_false(json_object_get(work, "ok")))
		validate_say(v, VALIDATE_FAIL, "the folder of the daemon's home must let you through",
			"Cannot write in the work folder of runs: %s", member(work, "text"));
	json_array_foreach (json_object_get(v->answer, "paths"), i, path)
		if (*member(path, "error") && json_is_true(json_object_get(path, "write")))
			validate_say(v, VALIDATE_FAIL,
				"get the right to write there, or run it as a user who has it",
				"Cannot write to: %s (%s, for %s)", member(path, "path"),
				member(path, "error"), member(path, "of"));
}

static void check_lock(struct validation *v)
{
	struct fault fault = { 0 };
	struct lock lock;

	if (v->run_id && lock_get(v->engine, lock_of_stack(v->stack_id), &lock) == 1 &&
		lock.kind == LOCK_RUN && lock.owner == (uint64_t)v->run_id)
		return;
	if (lock_check_automation(v->engine, v->stack_id, &fault) < 0 ||
		lock_check(v->engine, &v->caller, v->stack_id, &fault) < 0)
		validate_say(v, VALIDATE_FAIL, NULL, "%s", fault.text);
}

/* "100MB": whole, rounded down. */
static const char *bytes_format(int64_t bytes, char ret_text[32])
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB", "PB" };
	size_t unit = 0;

	while (bytes >= 10240 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes >>= 10;
		unit++;
	}
	snprintf(ret_text, 32, "%" PRId64 "%s", bytes, units[unit]);
	return ret_text;
}

static void compare_room(struct validation *v, const char *where, int64_t available)
{
	char required[32], free_text[32];

	if (available < v->config.min_disk_space)
		validate_say(v, VALIDATE_FAIL, "make room, or lower min_disk_space",
			"Disk space insufficient %s: %s required, %s available", where,
			bytes_format(v->config.min_disk_space, required), bytes_format(available, free_text));
}

static void check_disk(struct validation *v)
{
	const json_t *work = json_object_get(v->answer, "work");
	struct statvfs room;

	if (!v->config.check_disk_space) {
		validate_say(v, VALIDATE_SKIP, NULL, "Disk space is not checked: check_disk_space is false");
		return;
	}
	if (statvfs(v->engine->home, &room) == 0)
		compare_room(v, "where the database is", (int64_t)(room.f_bavail * room.f_frsize));
	else
		validate_say(v, VALIDATE_FAIL, NULL, "%s: %s", v->engine->home, strerror(errno));
	if (json_object_get(work, "free"))
		compare_room(v, "where runs work", json_integer_value(json_object_get(work, "free")));
}

static void check_workflow(struct validation *v)
{
	const json_t *workflow = json_object_get(v->answer, "workflow");

	if (v->runners && !v->has_workflow) {
		validate_say(v, VALIDATE_SKIP, NULL, "No workflow has run here yet");
		return;
	}
	if (was_seen(v) && !json_is_true(json_object_get(workflow, "ok")))
		validate_say(v, VALIDATE_FAIL, "correct it there, and run it again", "%s",
			member(workflow, "text"));
}

static void check_modules(struct validation *v)
{
	json_t *module;
	size_t i;

	if (v->runners && !v->has_workflow) {
		validate_say(v, VALIDATE_SKIP, NULL, "No workflow, so no modules");
		return;
	}
	if (!was_seen(v))
		return;
	json_array_foreach (json_object_get(v->answer, "modules"), i, module) {
		int line = (int)json_integer_value(json_object_get(module, "line"));

		if (json_is_true(json_object_get(module, "required")))
			validate_say(v, VALIDATE_FAIL, "sloth-lua(7) has the modules",
				"There is no module '%s' (line %d)", member(module, "name"), line);
		else
			validate_say(v, VALIDATE_WARN, "sloth-lua(7) has the modules",
				"'%s' is used (line %d), and neither defined nor a module",
				member(module, "name"), line);
	}
}

static int check_run(void *userdata, const struct run *run)
{
	struct validation *v = userdata;

	if (run->stack_id == v->stack_id && run->id != v->run_id)
		validate_say(v, VALIDATE_WARN, "wait for it, or cancel it", "Run %lld (%s) is %s",
			(long long)run->id, run->file, run_status_name(run->status));
	return 0;
}

static void check_runs(struct validation *v)
{
	run_each_unfinished(v->engine, check_run, v);
}

/* So that it can be gone back to: what the stack is now is read as it is kept, which verifies it. */
static void check_snapshot(struct validation *v)
{
	enum { CONTENTS_MAX = 1000 }; /* a few milliseconds */
	CLEANUP(query_endp)
	struct query *query = query_begin(v->engine->store, SQL_VALIDATE_CONTENTS, "i", v->stack_id);
	int n = 0, r;

	while ((r = query_step(query)) > 0 && n++ < CONTENTS_MAX) {
		CLEANUP(buffer_done) struct buffer content = { 0 };
		int r2 = content_read(v->engine, query_int(query, 0), &content);

		if (r2 < 0)
			validate_say(v, VALIDATE_FAIL, "restore a backup",
				"The newest version of %s is damaged: %s %s: %s", v->stack.name,
				query_text(query, 1), query_text(query, 2), strerror(-r2));
	}
	if (r < 0)
		validate_say(v, VALIDATE_FAIL, NULL, "The newest version cannot be read: %s", strerror(-r));
}

static void check_database(struct validation *v)
{
	struct fault fault = { 0 };
	int r = store_check_quickly(v->engine->store, &fault);

	if (r == -ETIMEDOUT)
		validate_say(v, VALIDATE_SKIP, NULL, "%s", fault.text);
	else if (r < 0)
		validate_say(v, VALIDATE_FAIL, "restore a backup", "%s", fault.text);
}

const struct validate_check validate_checks[] = {
	{ "config", "Configuration syntax valid", "Configuration check failed", check_config },
	{ "dependencies", "All dependencies available", "Dependency check failed", check_dependencies },
	{ "resources", "Required resources exist", "Resource check failed", check_resources },
	{ "files", "Files that resources name exist", "File check failed", check_files },
	{ "permissions", "Permissions sufficient", "Permission check failed", check_permissions },
	{ "lock", "No lock conflicts", "Lock conflict", check_lock },
	{ "disk", "Disk space sufficient", "Disk space check failed", check_disk },
	{ "workflow", "Workflow definition valid", "Workflow check failed", check_workflow },
	{ "modules", "All modules available", "Module check failed", check_modules },
	{ "runs", "No unfinished runs", "Run check failed", check_runs },
	{ "snapshot", "Newest version intact", "Version check failed", check_snapshot },
	{ "database", "Database intact", "Database check failed", check_database },
};
const size_t validate_check_count = sizeof(validate_checks) / sizeof(validate_checks[0]);
