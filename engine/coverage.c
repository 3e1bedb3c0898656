/* SPDX-License-Identifier: MIT */
/* How much of a stack's folders its resources look after. */
#include "engine/coverage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "engine/adopt.h"
#include "engine/check.h"
#include "engine/config.h"
#include "engine/detect.h"
#include "engine/resource.h"
#include "engine/run-undo.h"
#include "engine/run.h"

enum {
	ROOTS_MAX = 64,
	RUNS_MAX = 20,	       /* whose workflows are asked for roots */
	ORDER_BYTES = 3 << 20, /* of paths: they go in the head of a frame */
};

struct coverage {
	struct caller caller;
	void (*done)(void *userdata, const json_t *report, const struct fault *fault);
	void *userdata;
	char stack[NAME_SIZE];
	struct check *check;
	json_t *roots, *ignore, *managed;
	size_t bytes;
};

static void coverage_free(struct coverage *coverage)
{
	if (!coverage)
		return;
	if (coverage->check)
		check_cancel(coverage->check);
	caller_done(&coverage->caller);
	json_decref(coverage->roots);
	json_decref(coverage->ignore);
	json_decref(coverage->managed);
	free(coverage);
}

static void coverage_freep(struct coverage **coverage)
{
	coverage_free(*coverage);
}

void coverage_cancel(struct coverage *coverage)
{
	coverage_free(coverage);
}

/* What is asked. */

static void add_text(json_t *list, const char *text)
{
	json_t *other;
	size_t i;

	json_array_foreach (list, i, other)
		if (!strcmp(json_string_value(other), text))
			return;
	if (json_array_size(list) < ROOTS_MAX)
		json_array_append_new(list, json_string(text));
}

/* Without slashes at its end, and those that say nothing. */
static void add_root(json_t *list, const char *root)
{
	char path[4096];
	size_t n = 0;

	for (const char *p = root; *p && n + 1 < sizeof(path); p++)
		if (*p != '/' || p[1] != '/')
			path[n++] = *p;
	if (n > 1 && path[n - 1] == '/')
		n--;
	path[n] = '\0';
	if (*path == '/')
		add_text(list, path);
}

static void add_lines(json_t *list, const char *lines, void (*add)(json_t *list, const char *text))
{
	CLEANUP(cleanup_free) char *copy = strdup(lines);

	for (char *rest = copy, *line; copy && (line = strsep(&rest, "\n"));)
		if (*line)
			add(list, line);
}

static void add_list(json_t *list, const json_t *texts, void (*add)(json_t *list, const char *text))
{
	const json_t *text;
	size_t i;

	if (json_is_string(texts))
		add(list, json_string_value(texts));
	json_array_foreach (texts, i, text)
		if (json_is_string(text))
			add(list, json_string_value(text));
}

/* Whether it names some. */
static bool add_of_run(struct coverage *coverage, struct engine *engine, int64_t run_id)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *plan = NULL;
	const json_t *config;

	if (run_text(engine, run_id, RUN_PLAN, &text) < 0)
		return false;
	plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	config = json_object_get(plan, "config");
	add_list(coverage->roots, json_object_get(config, "roots"), add_root);
	add_list(coverage->ignore, json_object_get(config, "roots_ignore"), add_text);
	return json_object_get(config, "roots") != NULL;
}

/* What the newest workflow says that says something about it. */
static void add_of_workflow(struct coverage *coverage, struct engine *engine, int64_t stack_id)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RUNS_OF_WORKFLOWS, "issis", stack_id,
		DRIFT_FIX_FILE, ADOPT_FILE, (int64_t)RUNS_MAX, RUN_UNDO_FILE);

	while (query_step(query) > 0)
		if (add_of_run(coverage, engine, query_int(query, 0)))
			break;
}

static void add_of_config(struct coverage *coverage, struct engine *engine, int64_t stack_id)
{
	struct config config;

	if (stack_config(engine, stack_id, &config) < 0)
		return; /* validate says what is wrong with it */
	add_lines(coverage->roots, config.roots, add_root);
	add_lines(coverage->ignore, config.roots_ignore, add_text);
}

static bool is_below(const char *path, const char *root)
{
	size_t n = strcmp(root, "/") ? strlen(root) : 0;

	return !strncmp(path, root, n) && (path[n] == '/' || !path[n]);
}

/* Those above a root matter when all below them is looked after. */
static bool matters(const struct coverage *coverage, const char *path, bool whole)
{
	const json_t *root;
	size_t i;

	json_array_foreach (coverage->roots, i, root)
		if (is_below(path, json_string_value(root)) ||
			(whole && is_below(json_string_value(root), path)))
			return true;
	return false;
}

/* What a resource looks after; `whole`: with all that is below it. */
static const struct {
	const char *type, *property;
	bool whole;
} looked_after[] = {
	{ "file", "path", false },
	{ "symlink", "path", false },
	{ "ini", "path", false },
	{ "line", "path", false },
	{ "block", "path", false },
	{ "sysctl", "file", false },
	{ "git", "path", true },
};

static int add_path(struct coverage *coverage, const char *path, bool whole)
{
	if (!matters(coverage, path, whole))
		return 0;
	coverage->bytes += strlen(path) + 16;
	if (coverage->bytes > ORDER_BYTES)
		return -EFBIG;
	json_object_set_new(coverage->managed, path, json_boolean(whole));
	return 0;
}

/* What was unpacked. */
static int add_archive(struct coverage *coverage, const struct resource *resource)
{
	json_auto_t *desired = json_loads(resource->desired, 0, NULL);
	const char *folder = json_string_value(json_object_get(desired, "path")), *name;
	json_t *digest;
	int r = 0;

	json_object_foreach (json_object_get(desired, "entries"), name, digest) {
		CLEANUP(cleanup_free) char *path = NULL;

		if (r < 0 || !folder)
			break;
		r = asprintf(&path, "%s/%s", folder, name) < 0 ? -ENOMEM : add_path(coverage, path, false);
	}
	return r;
}

/* Absent things are none that is there. */
static int add_resource(void *userdata, const struct resource *resource)
{
	struct coverage *coverage = userdata;
	json_auto_t *desired = NULL;
	int r = 0;

	if (!strcmp(resource->type, "archive"))
		return add_archive(coverage, resource);

	for (size_t i = 0; i < sizeof(looked_after) / sizeof(looked_after[0]); i++) {
		const char *path;

		if (strcmp(looked_after[i].type, resource->type) != 0)
			continue;
		if (!desired)
			desired = json_loads(resource->desired, 0, NULL);
		path = json_string_value(json_object_get(desired, looked_after[i].property));
		if (r == 0 && path)
			r = add_path(coverage, path, looked_after[i].whole);
	}
	return r;
}

static int collect(struct coverage *coverage, struct engine *engine, const struct stack *stack)
{
	coverage->roots = json_array();
	coverage->ignore = json_array();
	coverage->managed = json_object();
	if (!coverage->roots || !coverage->ignore || !coverage->managed)
		return -ENOMEM;
	add_of_config(coverage, engine, stack->id);
	add_of_workflow(coverage, engine, stack->id);
	return resource_each(engine, stack->id, NULL, add_resource, coverage);
}

/* What came of it. */

static json_t *report_of(const struct coverage *coverage, const json_t *seen)
{
	json_t *report = json_pack("{s:s, s:O}", "stack", coverage->stack, "ignore", coverage->ignore);
	json_int_t files = json_integer_value(json_object_get(seen, "files"));
	json_int_t managed = json_integer_value(json_object_get(seen, "managed"));

	if (report && json_object_update_missing(report, (json_t *)seen) < 0)
		return NULL;
	json_object_set_new(report, "percent", files ? json_integer(100 * managed / files) : json_null());
	return report;
}

static void checked(void *userdata, const json_t *answer, const struct fault *fault)
{
	struct coverage *coverage = userdata;
	const json_t *seen = json_object_get(answer, "coverage");
	uint64_t failures = memory_failures();
	json_auto_t *report = json_is_object(seen) ? report_of(coverage, seen) : NULL;
	struct fault nothing = { 0 };

	coverage->check = NULL;
	if (failures != memory_failures()) {
		json_decref(TAKE(report));
		fault_set(&nothing, ENOMEM, "out of memory");
	} else if (!report && answer)
		fault_set(&nothing, EIO, "the process that was to look told nothing");
	coverage->done(coverage->userdata, report, answer || nothing.code ? &nothing : fault);
	coverage_free(coverage);
}

int coverage_start(struct engine *engine, struct runners *runners, const struct coverage_order *order,
	struct coverage **ret_coverage)
{
	CLEANUP(coverage_freep) struct coverage *coverage = calloc(1, sizeof(*coverage));
	json_auto_t *asked = NULL;
	struct stack stack;
	int r = coverage ? stack_get(engine, order->stack_id, &stack) : -ENOMEM;

	if (r == 0 && !runners)
		return -ENOTSUP;
	if (r < 0)
		return r;
	coverage->done = order->done;
	coverage->userdata = order->userdata;
	snprintf(coverage->stack, sizeof(coverage->stack), "%s", stack.name);
	r = caller_copy(order->caller, &coverage->caller);
	if (r == 0)
		r = collect(coverage, engine, &stack);
	if (r < 0)
		return r;
	asked = json_pack("{s:O, s:O, s:O}", "roots", coverage->roots, "ignore", coverage->ignore, "managed",
		coverage->managed);
	if (!asked)
		return -ENOMEM;
	r = check_start(runners,
		&(struct check_order){ .caller = &coverage->caller,
			.file = "coverage",
			.coverage = asked,
			.done = checked,
			.userdata = coverage },
		&coverage->check);
	if (r < 0)
		return r;
	*ret_coverage = TAKE(coverage);
	return 0;
}

/* Reports in words. */

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t number(const json_t *report, const char *key)
{
	return json_integer_value(json_object_get(report, key));
}

static void show_roots(const json_t *report, FILE *out)
{
	const json_t *root;
	size_t i;

	json_array_foreach (json_object_get(report, "roots"), i, root) {
		const char *error = member(root, "error");

		fputs("  ", out);
		text_write_safe(out, *error ? error : member(root, "root"));
		fputs(*error ? " (not looked at)\n" : "\n", out);
	}
}

/* By folder, each said once: they come in the order of a walk. */
static void show_unmanaged(const json_t *report, FILE *out)
{
	const json_t *one;
	const char *before = "";
	size_t i, length = 0;

	if (json_array_size(json_object_get(report, "unmanaged")))
		fputs("\nNobody looks after:\n", out);
	json_array_foreach (json_object_get(report, "unmanaged"), i, one) {
		const char *path = member(one, "path"), *slash = strrchr(path, '/');
		size_t n = slash ? (size_t)(slash - path) + 1 : 0;

		if (n != length || strncmp(path, before, n) != 0) {
			CLEANUP(cleanup_free) char *folder = strndup(path, n);

			fputs("  ", out);
			text_write_safe(out, folder ? folder : "");
			fputc('\n', out);
		}
		before = path;
		length = n;
		fputs("    ", out);
		text_write_safe(out, path + n);
		fprintf(out, "%s\n",
			strcmp(member(one, "type"), "directory") ? "" : "/ (it may not be entered)");
	}
	if (number(report, "more"))
		fprintf(out, "  and %" JSON_INTEGER_FORMAT " more\n", number(report, "more"));
}

void coverage_show(const json_t *report, FILE *out)
{
	if (!json_array_size(json_object_get(report, "roots"))) {
		fprintf(out,
			"No folders are declared as those of %s: name them as 'roots' in its config.yaml, or "
			"in the "
			"config of its workflow\n",
			member(report, "stack"));
		return;
	}
	if (number(report, "files"))
		fprintf(out,
			"%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
			" files managed (%" JSON_INTEGER_FORMAT " %%)",
			number(report, "managed"), number(report, "files"), number(report, "percent"));
	else
		fputs("No files", out);
	if (number(report, "ignored"))
		fprintf(out, ", %" JSON_INTEGER_FORMAT " ignored", number(report, "ignored"));
	fputs(", in\n", out);
	show_roots(report, out);
	if (json_is_true(json_object_get(report, "truncated")))
		fputs("Not all was looked at: there is too much, it is too deep, or took too long. "
		      "Declare smaller folders\n",
			out);
	show_unmanaged(report, out);
}
