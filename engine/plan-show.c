/* SPDX-License-Identifier: MIT */
/* Plans for people, and for Graphviz. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/plan.h"

enum { SCRIPT_MAX = 72 }; /* bytes of a command's first line */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void write_list(const json_t *list, const char *before, FILE *out)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		fputs(i ? ", " : before, out);
		/* What is consumed is a task's, or some of it. */
		text_write_safe(out, json_is_string(item) ? json_string_value(item) : text_of(item, "task"));
		if (*text_of(item, "glob")) {
			fputc('/', out);
			text_write_safe(out, text_of(item, "glob"));
		}
	}
}

/* What a line says of a word: a flag has none but that it is there. */
static void write_value(const json_t *value, FILE *out)
{
	CLEANUP(cleanup_free) char *dump = NULL;
	char text[32];

	if (json_is_string(value))
		text_write_safe(out, json_string_value(value));
	else if (json_is_array(value))
		write_list(value, "", out);
	else if (json_is_integer(value))
		fputs(duration_format(json_integer_value(value), text), out);
	else if ((dump = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS)))
		text_write_safe(out, dump);
}

static void write_retries(const json_t *retries, FILE *out)
{
	int64_t count = number_of(retries, "count");
	char base[32], cap[32];

	if (!count)
		return;
	fprintf(out, "      tries again: %lld time%s, %s, after %s to %s\n", (long long)count,
		count == 1 ? "" : "s", text_of(retries, "strategy"),
		duration_format(number_of(retries, "base"), base),
		duration_format(number_of(retries, "cap"), cap));
}

static const struct {
	const char *key, *words;
} rows[] = {
	{ "run_if", "only if" },
	{ "abort_if", "ends the run if" },
	{ "next_if_fail", "only after a failure of" },
	{ "consumes", "needs the artifacts of" },
	{ "artifacts", "keeps" },
	{ "timeout_ms", "ends after" },
	{ "total_timeout_ms", "ends, with all tries, after" },
	{ "user", "as user" },
	{ "delegate_to", "on" },
	{ "workdir", "in" },
	{ "env", "environment" },
	{ "hooks", "hooks" },
	{ "undo", "undo" },
	{ "tags", "tags" },
};

static const struct {
	const char *key, *words;
} flags[] = {
	{ "allow_failure", "its failure is not the run's" },
	{ "idempotent", "may be run again" },
	{ "sensitive", "its log is not kept" },
};

static void write_command(const json_t *task, FILE *out)
{
	const char *command = text_of(task, "command");
	size_t line = strcspn(command, "\n"), n = line < SCRIPT_MAX ? line : SCRIPT_MAX;

	if (!json_is_string(json_object_get(task, "command"))) {
		fprintf(out, "      function, line %lld\n", (long long)number_of(task, "line"));
		return;
	}
	while (n < line && n && ((unsigned char)command[n] & 0xc0) == 0x80)
		n--; /* whole characters */
	fputs("      $ ", out);
	text_write_safe_n(out, command, n);
	fputs(command[n] && strcmp(command + n, "\n") ? " …\n" : "\n", out);
}

static const struct {
	const char *how, *words;
} rollbacks[] = {
	{ "undo", "its undo" },
	{ "images", "what it changes by resources is put back" },
	{ "nothing", "no undo: what its command does stays" },
};

static void write_rollback(const json_t *task, FILE *out)
{
	for (size_t i = 0; i < sizeof(rollbacks) / sizeof(rollbacks[0]); i++)
		if (!strcmp(text_of(task, "rollback"), rollbacks[i].how))
			fprintf(out, "      in a rollback: %s\n", rollbacks[i].words);
}

static void write_task(const json_t *task, FILE *out)
{
	const json_t *value;

	fprintf(out, "%3lld. ", (long long)number_of(task, "order"));
	text_write_safe(out, text_of(task, "name"));
	if (*text_of(task, "description")) {
		fputs(": ", out);
		text_write_safe(out, text_of(task, "description"));
	}
	write_list(json_object_get(task, "depends"), " (after ", out);
	fputs(json_array_size(json_object_get(task, "depends")) ? ")\n" : "\n", out);
	write_command(task, out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		value = json_object_get(task, rows[i].key);
		if (!value)
			continue;
		fprintf(out, "      %s: ", rows[i].words);
		write_value(value, out);
		fputc('\n', out);
	}
	write_rollback(task, out);
	write_retries(json_object_get(task, "retries"), out);
	if (json_is_integer(json_object_get(task, "priority")))
		fprintf(out, "      priority: %lld\n", (long long)number_of(task, "priority"));
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (json_is_true(json_object_get(task, flags[i].key)))
			fprintf(out, "      %s\n", flags[i].words);
}

/* Of tasks; those that are not run have no place. */
static json_t **in_order(const json_t *plan, size_t *ret_count)
{
	const json_t *tasks = json_object_get(plan, "tasks");
	json_t **order = calloc(json_array_size(tasks) + 1, sizeof(json_t *)), *task;
	size_t i, count = 0;

	json_array_foreach (tasks, i, task) {
		/* Plans of older runs have no order: it is the definition's then. */
		int64_t place = json_object_get(task, "order") ? number_of(task, "order") : (int64_t)i + 1;

		if (!order || json_is_false(json_object_get(task, "selected")) || place < 1 ||
			place > (int64_t)json_array_size(tasks))
			continue;
		order[place - 1] = task;
		count++;
	}
	*ret_count = order ? count : 0;
	return order;
}

static void write_where(const json_t *plan, FILE *out)
{
	const json_t *on = json_object_get(plan, "on");

	if (!on)
		return;
	fprintf(out, "On stack %s%s.\n", text_of(on, "name"),
		json_is_true(json_object_get(on, "exists")) ? "" : ", which is made");
	if (*text_of(on, "error")) {
		fputs("It would be refused now: ", out);
		text_write_safe(out, text_of(on, "error"));
		fputc('\n', out);
	}
}

static const struct {
	const char *key, *words;
} steps[] = {
	{ "validate_before", "The stack is validated first." },
	{ "create_snapshot", "A snapshot is taken first." },
	{ "detect_drift", "Drift is looked for after the tasks." },
};

static const struct {
	const char *policy, *words;
} policies[] = {
	{ "stop", "nothing new is started" },
	{ "continue", "tasks that do not depend on it go on" },
	{ "cancel", "all that runs is ended" },
	{ "rollback", "what was done is undone, and the stack goes back to its snapshot" },
};

static void write_limits(const json_t *plan, FILE *out)
{
	const json_t *limits = json_object_get(plan, "limits"), *config = json_object_get(plan, "config");
	int64_t timeout = number_of(limits, "timeout_ms"), wait = number_of(plan, "lock_wait_ms");
	char text[32];

	if (!limits)
		return;
	fprintf(out, "At most %lld task%s at once", (long long)number_of(limits, "max_parallel_tasks"),
		number_of(limits, "max_parallel_tasks") == 1 ? "" : "s");
	if (timeout)
		fprintf(out, "; it ends after %s at the latest", duration_format(timeout, text));
	if (wait)
		fprintf(out, "; it waits for the lock for %s", duration_format(wait, text));
	fputs(".\n", out);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (json_is_true(json_object_get(config, steps[i].key)))
			fprintf(out, "%s\n", steps[i].words);
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (!strcmp(text_of(limits, "on_failure"), policies[i].policy))
			fprintf(out, "After a failure: %s.\n", policies[i].words);
}

static void write_head(const json_t *plan, FILE *out)
{
	fputs("Workflow ", out);
	text_write_safe(out, text_of(plan, "workflow"));
	if (*text_of(plan, "version")) {
		fputc(' ', out);
		text_write_safe(out, text_of(plan, "version"));
	}
	if (*text_of(plan, "description")) {
		fputs(": ", out);
		text_write_safe(out, text_of(plan, "description"));
	}
	fputc('\n', out);
	write_where(plan, out);
	write_limits(plan, out);
}

/* Names of those that are to be run, and of which the test holds. */
static json_t *names_where(const json_t *plan, bool (*holds)(const json_t *task))
{
	json_t *list = json_array(), *task;
	size_t i;

	json_array_foreach (json_object_get(plan, "tasks"), i, task)
		if (holds(task))
			json_array_append(list, json_object_get(task, "name"));
	return list;
}

static bool is_left_out(const json_t *task)
{
	return json_is_false(json_object_get(task, "selected"));
}

static bool is_final(const json_t *task)
{
	const char *rollback = text_of(task, "rollback");

	if (is_left_out(task))
		return false;
	return *rollback ? !strcmp(rollback, "nothing") : !json_object_get(task, "undo");
}

static void write_tail(const json_t *plan, size_t count, FILE *out)
{
	const json_t *path = json_object_get(plan, "critical_path");
	json_auto_t *final = names_where(plan, is_final), *left_out = names_where(plan, is_left_out);
	json_t *name;
	size_t i;

	if (json_array_size(path) > 1) {
		fprintf(out, "Longest way, %zu of %zu tasks: ", json_array_size(path), count);
		json_array_foreach (path, i, name) {
			fputs(i ? " → " : "", out);
			text_write_safe(out, json_string_value(name) ? json_string_value(name) : "?");
		}
		fputc('\n', out);
	}
	if (json_array_size(final) == count)
		fputs("No task says how it is undone: what they do is not taken back.\n", out);
	else if (json_array_size(final)) {
		write_list(final, "Not taken back, because they say no undo: ", out);
		fputc('\n', out);
	}
	if (json_array_size(left_out)) {
		write_list(left_out, "Left out: ", out);
		fputc('\n', out);
	}
}

void plan_show(const json_t *plan, FILE *out)
{
	CLEANUP(cleanup_free) json_t **order = NULL;
	size_t count, total = json_array_size(json_object_get(plan, "tasks"));
	bool always = false;

	if (!total)
		return;
	order = in_order(plan, &count);
	write_head(plan, out);
	fputc('\n', out);
	for (size_t i = 0; order && i < total; i++) {
		if (!order[i])
			continue;
		if (!always && json_is_true(json_object_get(order[i], "always"))) {
			always = true;
			fputs("In any case, after all others:\n", out);
		}
		write_task(order[i], out);
	}
	fputc('\n', out);
	write_tail(plan, count, out);
}

/* Graphviz' quoted strings: only the quote and the backslash are special. */
static void write_dot(FILE *out, const char *text)
{
	size_t size = strlen(text), n;

	fputc('"', out);
	for (size_t i = 0; i < size; i += n) {
		bool harmless;

		n = text_character(text + i, size - i, &harmless);
		if (text[i] == '"' || text[i] == '\\')
			fputc('\\', out);
		fwrite(harmless ? text + i : "?", 1, harmless ? n : 1, out);
	}
	fputc('"', out);
}

static void write_edges(const json_t *task, const char *key, const char *style, FILE *out)
{
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(task, key), i, name) {
		fputc('\t', out);
		write_dot(out, json_string_value(name) ? json_string_value(name) : "");
		fputs(" -> ", out);
		write_dot(out, text_of(task, "name"));
		fprintf(out, "%s;\n", style);
	}
}

void plan_show_dot(const json_t *plan, FILE *out)
{
	json_t *task;
	size_t i;

	fputs("digraph plan {\n\trankdir=LR;\n\tnode [shape=box];\n", out);
	json_array_foreach (json_object_get(plan, "tasks"), i, task) {
		fputc('\t', out);
		write_dot(out, text_of(task, "name"));
		fputs(is_left_out(task)					? " [style=dotted];\n"
			: json_is_true(json_object_get(task, "always")) ? " [style=rounded];\n"
			: json_object_get(task, "run_if")		? " [style=dashed];\n"
									: ";\n",
			out);
		write_edges(task, "depends", "", out);
		write_edges(task, "next_if_fail", " [style=dashed, label=\"if it fails\"]", out);
	}
	fputs("}\n", out);
}
