/* SPDX-License-Identifier: MIT */
/* Executions of workflows: runs by other names. */
#include "cli/executions.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/print.h"
#include "cli/stack.h"

/* Questions under way at a time. */
enum { WINDOW = 64, LIMIT_FEW = 1000, RESOURCE_NAME_SIZE = 1025 };

static const struct {
	const char *run, *status;
} statuses[] = {
	{ "queued", "pending" },
	{ "waiting", "pending" },
	{ "running", "running" },
	{ "rolling_back", "running" },
	{ "success", "success" },
	{ "rolled_back", "rolled_back" },
};

/* All other ends are failures. */
static const char *status_of(const char *run_status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (!strcmp(statuses[i].run, run_status))
			return statuses[i].status;
	return "failed";
}

int execution_status_check(struct command *command, const char *status)
{
	bool known = !status || !strcmp(status, "failed");

	for (size_t i = 0; !known && i < sizeof(statuses) / sizeof(statuses[0]); i++)
		known = !strcmp(statuses[i].status, status);
	return known ? 0
		     : fault_set(&command->fault, EINVAL,
			       "--status %s: it must be pending, running, success, failed or rolled_back",
			       status);
}

static json_t *execution_of(const json_t *run)
{
	const char *file = print_text(run, "file"), *dot = strrchr(file, '.');
	const char *status = print_text(run, "status");
	json_t *execution = json_pack("{s:O, s:s%, s:s, s:n, s:s, s:s, s:s}", "id",
		json_object_get(run, "id"), "name", file, dot ? (size_t)(dot - file) : strlen(file), "stack",
		print_text(run, "stack"), "version", "status", status_of(status), "run_status", status,
		"user", print_text(run, "user"));
	static const char *const same[] = { "started", "finished", "duration_ms", "error" };

	for (size_t i = 0; execution && i < sizeof(same) / sizeof(same[0]); i++)
		json_object_set(execution, same[i], json_object_get(run, same[i]));
	return execution;
}

/* A stack's versions; none of a stack that is gone, or that we may not see. */
static json_t *history_of(struct command *command, const char *stack)
{
	struct fault kept = command->fault;
	json_t *history;

	if (*stack && stack_json(command, stack, "history.json", &history) == 0)
		return history;
	command->fault = kept;
	return json_array();
}

static json_t *versions_of(const json_t *history, json_int_t run)
{
	json_t *list = json_array(), *version;
	size_t i;

	json_array_foreach (history, i, version)
		if (json_integer_value(json_object_get(version, "run")) == run)
			json_array_append(list, version);
	return list;
}

/* `histories`: those that were asked for already, by the stack's name. */
static void add_version(struct command *command, json_t *histories, json_t *execution)
{
	const char *stack = print_text(execution, "stack");
	json_t *history = json_object_get(histories, stack), *versions;

	if (!history) {
		history = history_of(command, stack);
		json_object_set_new(histories, stack, history);
	}
	versions = versions_of(history, json_integer_value(json_object_get(execution, "id")));
	if (json_array_size(versions))
		json_object_set(
			execution, "version", json_object_get(json_array_get(versions, 0), "version"));
	json_decref(versions);
}

static bool fits(const struct execution_filter *filter, const json_t *execution)
{
	return (!filter->name || !strcmp(filter->name, print_text(execution, "name"))) &&
	       (!filter->status || !strcmp(filter->status, print_text(execution, "status"))) &&
	       (!filter->stack || !strcmp(filter->stack, print_text(execution, "stack")));
}

static int compare_numbers(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x < y) - (x > y);
}

/* The numbers of all runs, the newest first; malloc'ed. */
static int run_numbers(struct command *command, int64_t **ret_numbers, size_t *ret_count)
{
	json_t *entries, *entry;
	int64_t *numbers;
	size_t i, count = 0;
	int r;

	if (!command_client(command))
		return -command->fault.code;
	r = client_list(&command->client, "/runs", false, &command->fault, &entries);
	if (r < 0)
		return r;
	numbers = calloc(json_array_size(entries) + 1, sizeof(*numbers));
	json_array_foreach (entries, i, entry)
		if (numbers && parse_int64(print_text(entry, "name"), &numbers[count]) == 0)
			count++;
	json_decref(entries);
	if (!numbers)
		return fault_set(&command->fault, ENOMEM, "no memory");
	qsort(numbers, count, sizeof(*numbers), compare_numbers);
	*ret_numbers = numbers;
	*ret_count = count;
	return 0;
}

static int64_t ask(struct command *command, int64_t number)
{
	char path[64];

	snprintf(path, sizeof(path), "/runs/%lld/status.json", (long long)number);
	return client_send(
		&command->client, "read", json_pack("{ss}", "path", path), NULL, 0, &command->fault);
}

/* NULL: it went away meanwhile, or there is an error. */
static json_t *take(struct command *command, int64_t id, int *ret_error)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	json_auto_t *run = NULL;
	struct fault fault = { 0 };
	int r = client_receive(&command->client, id, &fault, &answer);

	if (r == -ENOENT || r == -EACCES || r == -ESTALE)
		return NULL;
	if (r < 0) {
		command->fault = fault;
		*ret_error = r;
		return NULL;
	}
	run = json_loadb(buffer_text(&answer.body), answer.body.size, 0, NULL);
	return json_is_object(run) ? execution_of(run) : NULL;
}

/* All that were asked for are taken, also when the list is full: their answers are on the way. */
static int list_window(struct command *command, const struct execution_filter *filter, const int64_t *numbers,
	size_t count, json_t *list)
{
	int64_t ids[WINDOW];
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		ids[i] = ask(command, numbers[i]);
		if (ids[i] < 0)
			return (int)ids[i];
	}
	for (size_t i = 0; i < count && r == 0; i++) {
		json_t *execution = take(command, ids[i], &r);

		if (execution && fits(filter, execution) &&
			(!filter->limit || (int64_t)json_array_size(list) < filter->limit))
			json_array_append(list, execution);
		json_decref(execution);
	}
	return r;
}

static bool is_full(const struct execution_filter *filter, const json_t *list)
{
	return filter->limit && (int64_t)json_array_size(list) >= filter->limit;
}

/* Who wants the newest few need not know how many there are: runs are numbered one after the other. When most
 * of those numbers are gone, or are not what is asked for, all that there are do better. */
static int list_newest(struct command *command, const struct execution_filter *filter, json_t *list)
{
	CLEANUP(cleanup_free) char *latest = NULL;
	struct fault fault = { 0 };
	int64_t numbers[WINDOW], number, last;
	int r = 0;

	if (!filter->limit || filter->limit > LIMIT_FEW || !command_client(command))
		return 0;
	if (client_readlink(&command->client, "/runs/latest", &fault, &latest) < 0 ||
		parse_int64(latest, &number) < 0)
		return 0;
	last = number - WINDOW - 2 * filter->limit;
	while (r == 0 && number > 0 && number > last && !is_full(filter, list)) {
		size_t count = 0;

		for (; count < WINDOW && number > 0; count++)
			numbers[count] = number--;
		r = list_window(command, filter, numbers, count, list);
	}
	return r;
}

static int list_all(struct command *command, const struct execution_filter *filter, json_t *list)
{
	CLEANUP(cleanup_free) int64_t *numbers = NULL;
	size_t count = 0;
	int r = run_numbers(command, &numbers, &count);

	json_array_clear(list);
	for (size_t i = 0; r == 0 && i < count && !is_full(filter, list); i += WINDOW)
		r = list_window(command, filter, numbers + i, count - i < WINDOW ? count - i : WINDOW, list);
	return r;
}

int executions_list(struct command *command, const struct execution_filter *filter, json_t **ret_list)
{
	json_auto_t *list = json_array(), *histories = json_object();
	json_t *execution;
	size_t i;
	int r = list_newest(command, filter, list);

	if (r == 0 && !is_full(filter, list))
		r = list_all(command, filter, list);
	if (r < 0)
		return r;
	json_array_foreach (list, i, execution)
		add_version(command, histories, execution);
	*ret_list = json_incref(list);
	return 0;
}

/* The newest one of a name. Not by the links of runs/, which know only those that were submitted there. */
static int newest_of(struct command *command, const char *name, json_t **ret_execution)
{
	struct execution_filter filter = { .name = name, .limit = 1 };
	json_auto_t *list = NULL;
	int r = name_check(name) < 0 ? fault_set(&command->fault, EINVAL,
					       "\"%.140s\" is no workflow's name, and no number", name)
				     : executions_list(command, &filter, &list);

	if (r < 0)
		return r;
	if (!json_array_size(list))
		return fault_set(&command->fault, ENOENT,
			"no execution is called \"%s\"; sloth state workflow list shows what there is", name);
	*ret_execution = json_incref(json_array_get(list, 0));
	return 0;
}

int execution_find(struct command *command, const char *word, json_t **ret_execution)
{
	json_auto_t *run = NULL, *histories = json_object();
	char path[64];
	int64_t number;
	int r;

	if (parse_int64(word, &number) < 0)
		return newest_of(command, word, ret_execution);
	snprintf(path, sizeof(path), "/runs/%lld/status.json", (long long)number);
	r = tree_json(command, path, &run);
	if (r == -ENOENT)
		return fault_set(&command->fault, ENOENT, "there is no execution %s", word);
	if (r < 0)
		return r;
	*ret_execution = execution_of(run);
	if (!*ret_execution)
		return fault_set(&command->fault, ENOMEM, "no memory");
	add_version(command, histories, *ret_execution);
	return 0;
}

int execution_versions(struct command *command, const json_t *execution, bool all, json_t **ret_versions)
{
	const char *stack = print_text(execution, "stack");
	struct execution_filter filter = { .name = print_text(execution, "name"), .stack = stack };
	json_auto_t *history = NULL, *list = NULL, *runs = json_object();
	json_t *other, *version;
	size_t i;
	int r = 0;

	history = history_of(command, stack);
	if (!all) {
		*ret_versions = versions_of(history, json_integer_value(json_object_get(execution, "id")));
		return 0;
	}
	r = executions_list(command, &filter, &list);
	if (r < 0)
		return r;
	json_array_foreach (list, i, other) {
		char key[32];

		snprintf(key, sizeof(key), "%lld",
			(long long)json_integer_value(json_object_get(other, "id")));
		json_object_set_new(runs, key, json_true());
	}
	*ret_versions = json_array();
	json_array_foreach (history, i, version) {
		char key[32];

		snprintf(key, sizeof(key), "%lld",
			(long long)json_integer_value(json_object_get(version, "run")));
		if (json_object_get(runs, key))
			json_array_append(*ret_versions, version);
	}
	return 0;
}

/* What it did. */

static const struct {
	const char *op, *action;
} actions[] = {
	{ "+", "create" },
	{ "-", "delete" },
	{ "~", "update" },
};

/* "TYPE/NAME" → action. An attribute that came or went is an update of the resource. */
static void add_actions(const json_t *differences, json_t *found)
{
	json_t *difference;
	size_t i;

	json_array_foreach (differences, i, difference) {
		const char *op = print_text(difference, "op");
		const char *name = print_text(difference, "name");

		if (strcmp(print_text(difference, "kind"), "resource"))
			continue;
		if (json_object_get(difference, "attribute"))
			op = "~";
		for (size_t k = 0; k < sizeof(actions) / sizeof(actions[0]); k++)
			if (!strcmp(actions[k].op, op))
				json_object_set_new(found, name, json_string(actions[k].action));
	}
}

/* What was there at the end and did not change. */
static void add_unchanged(struct command *command, const char *stack, json_int_t version, json_t *found)
{
	CLEANUP(cleanup_free) char *path = NULL;
	json_auto_t *types = NULL;
	struct fault fault = { 0 };
	json_t *type, *name;
	size_t i, j;

	if (asprintf(&path, "/stacks/%s/snapshots/v%lld/resources", stack, (long long)version) < 0) {
		path = NULL;
		return;
	}
	if (client_list(&command->client, path, false, &fault, &types) < 0)
		return;
	json_array_foreach (types, i, type) {
		CLEANUP(cleanup_free) char *below = NULL;
		json_auto_t *names = NULL;

		if (asprintf(&below, "%s/%s", path, print_text(type, "name")) < 0) {
			below = NULL;
			return;
		}
		if (client_list(&command->client, below, false, &fault, &names) < 0)
			continue;
		json_array_foreach (names, j, name) {
			CLEANUP(cleanup_free) char *key = NULL;

			/* A file is called NAME.json. */
			if (asprintf(&key, "%s/%.*s", print_text(type, "name"),
				    (int)(strlen(print_text(name, "name")) - strlen(".json")),
				    print_text(name, "name")) < 0) {
				key = NULL;
				return;
			}
			if (!json_object_get(found, key))
				json_object_set_new(found, key, json_string("noop"));
		}
	}
}

/* The version before the first one of a run; 0: it was the stack's first. */
static json_int_t version_before(const json_t *history, json_int_t first)
{
	json_t *version;
	size_t i;

	json_array_foreach (history, i, version) {
		json_int_t number = json_integer_value(json_object_get(version, "version"));

		if (number < first)
			return number;
	}
	return 0;
}

static json_t *resource_row(const char *key, const char *action, const json_t *now)
{
	const char *slash = strchr(key, '/');
	size_t type_size = slash ? (size_t)(slash - key) : strlen(key);
	const char *status = strcmp(action, "delete") ? "" : "deleted";
	char name[RESOURCE_NAME_SIZE];
	json_t *resource;
	size_t i;

	if (name_unescape(slash ? slash + 1 : "", name, sizeof(name)) < 0)
		*name = '\0';
	json_array_foreach (now, i, resource)
		if (!strncmp(print_text(resource, "type"), key, type_size) &&
			print_text(resource, "type")[type_size] == '\0' &&
			!strcmp(print_text(resource, "name"), name))
			status = print_text(resource, "status");
	return json_pack("{s:s%, s:s, s:s, s:s}", "type", key, type_size, "name", name, "action", action,
		"status", status);
}

static int find_actions(struct command *command, const char *stack, const json_t *history,
	const json_t *versions, json_t *found)
{
	size_t count = json_array_size(versions);
	json_int_t last = json_integer_value(json_object_get(json_array_get(versions, 0), "version"));
	json_int_t first =
		json_integer_value(json_object_get(json_array_get(versions, count - 1), "version"));
	json_int_t before = version_before(history, first);
	json_auto_t *differences = NULL;
	char file[96];
	int r = 0;

	/* A stack's first version has nothing to be compared with: all in it is new. */
	if (before) {
		snprintf(file, sizeof(file), "snapshots/compare/v%lld..v%lld.json", (long long)before,
			(long long)last);
		r = stack_json(command, stack, file, &differences);
		if (r == 0)
			add_actions(differences, found);
	}
	if (r == 0)
		add_unchanged(command, stack, last, found);
	return r;
}

int execution_resources(struct command *command, const json_t *execution, json_t **ret_resources)
{
	const char *stack = print_text(execution, "stack"), *key;
	json_auto_t *history = history_of(command, stack), *found = json_object(), *now = NULL,
		    *list = json_array();
	json_auto_t *versions = versions_of(history, json_integer_value(json_object_get(execution, "id")));
	struct fault kept = command->fault;
	json_t *action;
	int r;

	if (json_array_size(versions)) {
		r = find_actions(command, stack, history, versions, found);
		if (r < 0)
			return r;
	}
	if (json_object_size(found) && stack_json(command, stack, "resources.json", &now) < 0)
		command->fault = kept;
	json_object_foreach (found, key, action)
		json_array_append_new(list, resource_row(key, json_string_value(action), now));
	*ret_resources = json_incref(list);
	return 0;
}
