/* SPDX-License-Identifier: MIT */
/* Fixing drift: a workflow is made, with a task for each resource that differs, and submitted like any other.
 */
#include <errno.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/adopt.h"
#include "engine/detect.h"
#include "engine/drift-internal.h"
#include "engine/earlier.h"
#include "engine/finding.h"
#include "engine/lock.h"
#include "engine/run-undo.h"

enum { TASK_NAME_MAX = 100 /* without the number that makes it another one */ };

/* A resource of the stack. */
struct node {
	int64_t id, uid;
	char *label; /* TYPE/NAME */
	size_t type; /* bytes of it that are the type */
	char *task;  /* NULL: it needs no fix */
	size_t *needs, need_count;
	size_t seen;  /* the search that came by last */
	size_t place; /* in the order in which all can be done, from 1; 0: not known yet */
};

struct fix {
	struct engine *engine;
	struct node *nodes;
	size_t count, tasks;
	json_t *by_label; /* label → number of the node */
	json_t *drifted;  /* label → properties; "" among them: the whole */
	json_t *names;	  /* of tasks: a set */
	size_t *open;	  /* room for a search */
	int64_t earlier;  /* a run whose workflow defines types of them; 0: none is needed */
	char *path;
	json_t *imports, *values; /* with it: engine/earlier.h */
};

static void fix_done(struct fix *fix)
{
	for (size_t i = 0; i < fix->count; i++) {
		free(fix->nodes[i].label);
		free(fix->nodes[i].task);
		free(fix->nodes[i].needs);
	}
	free(fix->nodes);
	free(fix->open);
	json_decref(fix->by_label);
	json_decref(fix->drifted);
	json_decref(fix->names);
	json_decref(fix->imports);
	json_decref(fix->values);
	free(fix->path);
}

/* What there is. */

static int add_node(void *userdata, const struct resource *resource)
{
	struct fix *fix = userdata;
	struct node *node = &fix->nodes[fix->count];

	node->id = resource->id;
	node->uid = resource->uid;
	node->type = strlen(resource->type);
	if (asprintf(&node->label, "%s/%s", resource->type, resource->name) < 0)
		return -ENOMEM;
	return json_object_set_new(fix->by_label, node->label, json_integer((json_int_t)fix->count++)) < 0
		       ? -ENOMEM
		       : 0;
}

static int load_nodes(struct fix *fix, int64_t stack_id)
{
	int64_t count = 0;
	int r = resource_count(fix->engine, stack_id, &count);

	if (r < 0)
		return r;
	fix->nodes = calloc((size_t)count + 1, sizeof(*fix->nodes));
	fix->open = calloc((size_t)count + 1, sizeof(*fix->open));
	fix->by_label = json_object();
	fix->drifted = json_object();
	fix->names = json_object();
	if (!fix->nodes || !fix->open || !fix->by_label || !fix->drifted || !fix->names)
		return -ENOMEM;
	return resource_each(fix->engine, stack_id, NULL, add_node, fix);
}

/* What a resource lacks elsewhere is no fault of its own, and nothing that its provider can mend. */
static int add_finding(void *userdata, const struct finding *finding)
{
	struct fix *fix = userdata;
	CLEANUP(cleanup_free) char *label = NULL;
	json_t *properties;

	if (!finding_counts(finding) || !strcmp(finding->kind, "dependency"))
		return 0;
	if (asprintf(&label, "%s/%s", finding->type, finding->name) < 0)
		return -ENOMEM;
	properties = json_object_get(fix->drifted, label);
	if (!properties) {
		properties = json_object();
		if (json_object_set_new(fix->drifted, label, properties) < 0)
			return -ENOMEM;
	}
	return json_object_set_new(properties, finding->property, json_true()) < 0 ? -ENOMEM : 0;
}

/* "file-etc-motd", for "file//etc/motd"; with a number where another one is called so. */
static char *task_name(struct fix *fix, const char *label)
{
	char name[TASK_NAME_MAX + 1], *unique = NULL;
	size_t n = 0;

	for (const char *p = label; *p && n < TASK_NAME_MAX; p++)
		if (isalnum((unsigned char)*p) || *p == '.' || *p == '_')
			name[n++] = *p;
		else if (n && name[n - 1] != '-')
			name[n++] = '-';
	name[n] = '\0';
	if (!json_object_get(fix->names, name))
		unique = strdup(name);
	else if (asprintf(&unique, "%s-%zu", name, fix->tasks + 1) < 0)
		unique = NULL;
	if (unique)
		json_object_set_new(fix->names, unique, json_true());
	return unique;
}

/* What a resource asks for may be anything that the caller may do. */
static int check_uid(const struct node *node, const struct caller *caller, struct fault *fault)
{
	char who[64] = "somebody";

	if (node->uid == 0 || node->uid == (int64_t)caller->uid)
		return 0;
	if (node->uid >= 0)
		caller_user_name((uid_t)node->uid, who, sizeof(who));
	return fault_set(fault, EPERM,
		"it was %s who asked for %.300s: a fix of yours would do it with your rights. Let %s fix it, "
		"or "
		"run a workflow that asks for it yourself",
		who, node->label, who);
}

static int choose_tasks(struct fix *fix, struct caller *caller, int64_t only, struct fault *fault)
{
	for (size_t i = 0; i < fix->count; i++) {
		struct node *node = &fix->nodes[i];
		int r;

		if (!json_object_get(fix->drifted, node->label) || (only && node->id != only))
			continue;
		r = check_uid(node, caller, fault);
		if (r < 0)
			return r;
		node->task = task_name(fix, node->label);
		if (!node->task)
			return -ENOMEM;
		fix->tasks++;
	}
	return 0;
}

/* The order. */

struct needs {
	struct fix *fix;
	struct node *node;
};

static int add_need(void *userdata, const struct resource_edge *edge)
{
	struct needs *needs = userdata;
	struct node *node = needs->node;
	CLEANUP(cleanup_free) char *label = NULL;
	json_t *other;
	size_t *list;

	if (asprintf(&label, "%s/%s", edge->type, edge->name) < 0)
		return -ENOMEM;
	other = json_object_get(needs->fix->by_label, label);
	if (!other)
		return 0;
	list = realloc(node->needs, (node->need_count + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	node->needs = list;
	list[node->need_count++] = (size_t)json_integer_value(other);
	return 0;
}

static int load_needs(struct fix *fix)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < fix->count; i++)
		r = resource_dependency_each(
			fix->engine, fix->nodes[i].id, add_need, &(struct needs){ fix, &fix->nodes[i] });
	return r;
}

/* A resource comes after what it needs. Where they need each other in a circle (which was seen in their
 * properties: nobody says such a thing) one of them is the first all the same. The stack is ours: chains are
 * as long as there are resources. */
static int find_order(struct fix *fix)
{
	CLEANUP(cleanup_free) size_t *path = calloc(fix->count + 1, sizeof(*path));
	CLEANUP(cleanup_free) size_t *next = calloc(fix->count + 1, sizeof(*next));
	size_t place = 0;

	if (!path || !next)
		return -ENOMEM;
	for (size_t i = 0; i < fix->count; i++) {
		size_t depth = 0;

		if (fix->nodes[i].seen)
			continue;
		fix->nodes[i].seen = 1;
		path[depth++] = i;
		while (depth) {
			struct node *node = &fix->nodes[path[depth - 1]];
			size_t *at = &next[path[depth - 1]];

			if (*at == node->need_count) {
				node->place = ++place;
				depth--;
			} else if (!fix->nodes[node->needs[*at]].seen) {
				path[depth] = node->needs[(*at)++];
				fix->nodes[path[depth++]].seen = 1;
			} else {
				(*at)++;
			}
		}
	}
	return 0;
}

/* The workflow. */

void drift_write_string(const char *text, FILE *out)
{
	fputc('"', out);
	for (const char *p = text; *p; p++)
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if ((unsigned char)*p < ' ' || *p == 0x7f)
			fprintf(out, "\\%03d", *p);
		else
			fputc(*p, out);
	fputc('"', out);
}

/* The nearest tasks on all ways from the resource: what is as it should be on the way is passed by. */
static void write_needs(struct fix *fix, size_t number, size_t search, FILE *out)
{
	const char *between = "";
	size_t *open = fix->open;
	size_t count = 0;

	open[count++] = number;
	while (count) {
		const struct node *node = &fix->nodes[open[--count]];

		for (size_t i = 0; i < node->need_count; i++) {
			struct node *other = &fix->nodes[node->needs[i]];

			if (other->seen == search || other->place >= node->place)
				continue;
			other->seen = search;
			if (!other->task) {
				open[count++] = node->needs[i];
				continue;
			}
			fprintf(out, "%s", *between ? between : "\n\tdepends_on = { ");
			drift_write_string(other->task, out);
			between = ", ";
		}
	}
	if (*between)
		fputs(" },", out);
}

/* What else differs of it is ignored, or was not told yet: it stays. */
static void write_properties(json_t *properties, FILE *out)
{
	const char *between = ", { ", *name;
	json_t *value;

	if (json_object_get(properties, ""))
		return;
	json_object_foreach (properties, name, value) {
		fputs(between, out);
		drift_write_string(name, out);
		between = ", ";
	}
	fputs(" }", out);
}

static int write_task(struct fix *fix, size_t number, size_t search, FILE *out)
{
	const struct node *node = &fix->nodes[number];
	CLEANUP(cleanup_free) char *type = strndup(node->label, node->type);

	if (!type)
		return -ENOMEM;
	fputs("\ntask(", out);
	drift_write_string(node->task, out);
	fputs(", {\n\tdescription = ", out);
	drift_write_string(node->label, out);
	fputc(',', out);
	write_needs(fix, number, search, out);
	fputs("\n\tcommand = fix(", out);
	drift_write_string(type, out);
	fputs(", ", out);
	drift_write_string(node->label + node->type + 1, out);
	write_properties(json_object_get(fix->drifted, node->label), out);
	fputs("),\n})\n", out);
	return 0;
}

static const char head[] = ":config({ on_failure = \"continue\" })\n"
			   "\n"
			   "local function fix(type, name, properties)\n"
			   "\treturn function()\n"
			   "\t\tlocal res, message = resource.fix(type, name, properties)\n"
			   "\t\tif not res then\n"
			   "\t\t\treturn false, message\n"
			   "\t\tend\n"
			   "\t\tprint(res.message)\n"
			   "\t\treturn true, res.message, { changed = res.changed }\n"
			   "\tend\n"
			   "end\n";

/* By hand it could be written just so. */
static int write_workflow(struct fix *fix, const char *stack, const char *reason, struct buffer *ret_text)
{
	FILE *out = buffer_stream_open(ret_text);
	int r = 0;

	if (!out)
		return -ENOMEM;
	fprintf(out, "-- What had drifted in the stack %s.\nworkflow.define(\"drift-fix\")", stack);
	if (reason) {
		fputs(":description(", out);
		drift_write_string(reason, out);
		fputc(')', out);
	}
	fputs(head, out);
	if (fix->earlier) {
		fputs("\n-- It defines types of these.\n", out);
		earlier_write(fix->earlier, fix->path, out);
	}
	for (size_t i = 0; r == 0 && i < fix->count; i++)
		if (fix->nodes[i].task)
			r = write_task(fix, i, i + 2, out);
	return buffer_stream_close(out, ret_text) < 0 ? -ENOMEM : r;
}

/* The workflow that the caller or root ran last; it is loaded with the caller's rights. */
static int find_earlier(struct fix *fix, const struct caller *caller, int64_t stack_id)
{
	int r = 0;

	for (size_t i = 0; i < fix->count; i++) {
		const struct node *node = &fix->nodes[i];
		CLEANUP(cleanup_free) char *type = strndup(node->label, node->type);

		if (!type)
			return -ENOMEM;
		if (!node->task || !earlier_defines(type))
			continue;
		r = store_get_int(fix->engine->store, &fix->earlier, SQL_RUN_TRUSTED, "iisss", stack_id,
			(int64_t)caller->uid, DRIFT_FIX_FILE, ADOPT_FILE, RUN_UNDO_FILE);
		if (r == 0)
			r = earlier_read(fix->engine, fix->earlier, &fix->values, &fix->imports, &fix->path);
		break;
	}
	return r == -ENOENT ? 0 : r;
}

/* `chosen`: NULL: all that was found. */
static int make_workflow(struct fix *fix, struct caller *caller, const struct stack *stack, int64_t only,
	json_t *chosen, const char *reason, struct fault *fault, struct buffer *ret_text)
{
	int r = load_nodes(fix, stack->id);

	if (r == 0 && chosen) {
		json_decref(fix->drifted);
		fix->drifted = json_incref(chosen);
	} else if (r == 0) {
		r = finding_each(fix->engine, stack->id, NULL, NULL, add_finding, fix);
	}
	if (r == 0)
		r = choose_tasks(fix, caller, only, fault);
	if (r < 0 || !fix->tasks)
		return r;
	r = load_needs(fix);
	if (r == 0)
		r = find_order(fix);
	if (r == 0)
		r = find_earlier(fix, caller, stack->id);
	return r < 0 ? r : write_workflow(fix, stack->name, reason, ret_text);
}

static int make_fix(struct fix *fix, struct caller *caller, int64_t stack_id, const char *resource,
	struct fault *fault, struct buffer *ret_text)
{
	struct engine *engine = fix->engine;
	struct stack stack;
	int64_t only = 0;
	int r = stack_get(engine, stack_id, &stack);

	if (r == 0)
		r = stack_may_write(caller, &stack, fault);
	if (r == 0)
		r = lock_check(engine, caller, stack.id, fault);
	if (r == 0 && resource)
		r = drift_find_resource(engine, stack.id, resource, fault, &only);
	if (r == 0)
		r = make_workflow(fix, caller, &stack, only, NULL, NULL, fault, ret_text);
	if (r == 0 && !fix->tasks)
		return fault_set(fault, ENOENT,
			"stack %s: nothing %s%s%sthat can be fixed: \"echo detect > drift\" looks",
			stack.name, resource ? "of " : "", resource ? resource : "",
			resource ? " has drifted " : "has drifted ");
	return r;
}

int drift_fix_workflow(struct engine *engine, struct caller *caller, int64_t stack_id, const char *resource,
	struct fault *fault, struct buffer *ret_text)
{
	CLEANUP(fix_done) struct fix fix = { .engine = engine };

	return make_fix(&fix, caller, stack_id, resource, fault, ret_text);
}

static int submit(struct runners *runners, struct caller *caller, int64_t stack_id, const struct fix *fix,
	const struct buffer *text, json_t *options, struct fault *fault, int64_t *ret_run)
{
	return runner_submit(runners, caller,
		&(struct submission){ .file = DRIFT_FIX_FILE,
			.stack_id = stack_id,
			.text = text->data,
			.size = text->size,
			.values = fix->values,
			.imports = fix->imports,
			.options = options },
		fault, ret_run);
}

int drift_fix(struct runners *runners, struct caller *caller, int64_t stack_id, const char *resource,
	bool dry, struct fault *fault, int64_t *ret_run)
{
	CLEANUP(fix_done) struct fix fix = { .engine = runners_engine(runners) };
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = make_fix(&fix, caller, stack_id, resource, fault, &text);

	return r < 0 || dry ? r : submit(runners, caller, stack_id, &fix, &text, NULL, fault, ret_run);
}

int drift_fix_chosen(struct runners *runners, struct caller *caller, int64_t stack_id, json_t *chosen,
	const char *reason, struct fault *fault, int64_t *ret_run)
{
	CLEANUP(fix_done) struct fix fix = { .engine = runners_engine(runners) };
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *options = json_pack("{s:s}", "wait", "10m");
	struct stack stack;
	int r = stack_get(fix.engine, stack_id, &stack);

	if (r == 0)
		r = make_workflow(&fix, caller, &stack, 0, chosen, reason, fault, &text);
	if (r == 0 && !fix.tasks)
		r = -ENOENT;
	return r < 0 ? r : submit(runners, caller, stack_id, &fix, &text, options, fault, ret_run);
}
