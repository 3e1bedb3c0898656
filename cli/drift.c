/* SPDX-License-Identifier: MIT */
/* stack drift: detect, show, ignore, unignore, acknowledge, adopt, history. /stacks/NAME/drift does the work.
 */
#include "cli/drift.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/control.h"
#include "cli/executions.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/state.h"
#include "cli/table.h"

const struct option drift_look_options[] = {
	DRIFT_RESOURCE_OPTION,
	{ NULL },
};

static const struct option ignore_options[] = {
	DRIFT_RESOURCE_OPTION,
	{ "property", 'p', "PROPERTY", "only this property of it" },
	{ "until", 'u', "TIME", "so long (2w), or until then (2030-01-31); without it, for good" },
	{ "reason", 'm', "TEXT", "why; others will read it" },
	{ NULL },
};

static const struct option acknowledge_options[] = {
	DRIFT_RESOURCE_OPTION,
	{ "property", 'p', "PROPERTY", "only this property of it" },
	{ "reason", 'm', "TEXT", "what is known; others will read it" },
	{ NULL },
};

static const struct option property_options[] = {
	DRIFT_RESOURCE_OPTION,
	{ "property", 'p', "PROPERTY", "only this property of it" },
	{ NULL },
};

static const struct option history_options[] = {
	DRIFT_RESOURCE_OPTION,
	{ "limit", 'n', "NUMBER", "at most so many, the newest" },
	{ NULL },
};

int drift_resource(struct command *command, const char **ret_resource)
{
	const char *option = command_option(command, "resource");
	const char *operand = command->operand_count > 1 ? command->operands[1] : NULL;

	if (option && operand)
		return fault_set(&command->fault, EINVAL,
			"--resource %.140s and %.140s: which of them? One at a time", option, operand);
	*ret_resource = option ? option : operand;
	return 0;
}

/* The commands that are about one resource. */
static int needed_resource(struct command *command, const char **ret_resource)
{
	int r = drift_resource(command, ret_resource);

	if (r == 0 && !*ret_resource)
		return fault_set(&command->fault, EINVAL,
			"which resource? %s NAME RESOURCE; sloth stack drift show %s tells what there is",
			command->title, command->operands[0]);
	return r;
}

/* "verb "RESOURCE"", into the control file. */
static int write_line(struct command *command, const char *stack, const struct buffer *line)
{
	return control_write(command, stack, "drift", buffer_text(line));
}

int drift_look(struct command *command, const char *stack, const char *resource)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	int r = buffer_append_text(&line, "detect");

	if (r == 0 && resource)
		r = line_add_word(command, &line, resource);
	return r < 0 ? r : write_line(command, stack, &line);
}

bool drift_is_of(const json_t *finding, const char *resource)
{
	const char *type = print_text(finding, "type"), *name = print_text(finding, "name");
	size_t n = strlen(type);

	return !resource || !strcmp(name, resource) ||
	       (!strncmp(resource, type, n) && resource[n] == '/' && !strcmp(resource + n + 1, name));
}

bool drift_counts(const json_t *finding)
{
	return strcmp(print_text(finding, "status"), "ignored") != 0;
}

size_t drift_count(const json_t *report)
{
	const json_t *finding;
	size_t i, count = 0;

	json_array_foreach (json_object_get(report, "findings"), i, finding)
		count += drift_counts(finding);
	return count;
}

size_t drift_unknown_count(const json_t *report)
{
	return json_array_size(json_object_get(report, "unknown"));
}

/* Keeps what is of the resource. True: something was there. */
static bool keep(json_t *list, const char *resource)
{
	for (size_t i = json_array_size(list); i > 0; i--)
		if (!drift_is_of(json_array_get(list, i - 1), resource))
			json_array_remove(list, i - 1);
	return json_array_size(list) > 0;
}

/* Of one that has no findings, the stack's resources tell whether it is there. */
static int check_resource(struct command *command, const char *stack, const char *resource)
{
	json_auto_t *resources = NULL;
	int r = stack_json(command, stack, "resources.json", &resources);

	return r < 0 || keep(resources, resource)
		       ? r
		       : fault_set(&command->fault, ENOENT, "stack \"%s\" has no resource \"%.200s\"", stack,
				 resource);
}

int drift_report(struct command *command, const char *stack, const char *resource, json_t **ret_report)
{
	static const char *const lists[] = { "findings", "unknown", "failed", "ignored" };
	json_auto_t *report = NULL;
	bool found = false;
	int r = stack_json(command, stack, "drift.json", &report);

	if (r < 0)
		return r;
	for (size_t i = 0; resource && i < sizeof(lists) / sizeof(lists[0]); i++)
		found |= keep(json_object_get(report, lists[i]), resource);
	if (resource && !found)
		r = check_resource(command, stack, resource);
	if (r < 0)
		return r;
	*ret_report = json_incref(report);
	return 0;
}

static int exit_status(const json_t *report)
{
	return drift_count(report) ? DRIFT_EXIT : drift_unknown_count(report) ? 1 : 0;
}

static int detect_run(struct command *command)
{
	const char *stack = command->operands[0], *resource;
	json_auto_t *report = NULL;
	int r = drift_resource(command, &resource);

	if (r == 0 && command->format == FORMAT_TEXT && print_is_terminal(stdout)) {
		printf("Detecting drift for stack: %s\n\n", stack);
		fflush(stdout);
	}
	r = r < 0 ? r : drift_look(command, stack, resource);
	r = r < 0 ? r : drift_report(command, stack, resource, &report);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT) {
		r = print_value(command, json_incref(report));
		return r < 0 ? r : exit_status(report);
	}
	drift_label(report);
	print_done("Drift detection completed\n");
	drift_print_summary(report);
	if (drift_count(report))
		printf("\nRun 'sloth stack drift show %s' for detailed report\n"
		       "Run 'sloth stack drift fix %s' to auto-correct drift\n",
			stack, stack);
	return exit_status(report);
}

/* The tree's own text: of the stack, or of one resource. */
static int print_file(struct command *command, const char *stack, const char *file)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	int r = stack_path(command, stack, file, &path);

	r = r < 0 ? r : client_read(&command->client, path, &command->fault, &text);
	if (r == 0 && text.size)
		drift_print_text(buffer_text(&text), text.size);
	return r;
}

/* Each of those that the name may mean. */
static int print_resources(struct command *command, const char *stack, const json_t *report)
{
	const json_t *finding;
	const char *before = "";
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(report, "findings"), i, finding) {
		CLEANUP(cleanup_free) char *file = NULL;
		const char *path = print_text(finding, "path");
		size_t n = strcspn(path, "/");

		if (r < 0 || !path[n] || !strcmp(path, before))
			continue;
		if (asprintf(&file, "drift.d/%.*s:%s", (int)n, path, path + n + 1) < 0)
			return fault_set(&command->fault, ENOMEM, "no memory");
		if (*before)
			putchar('\n');
		r = print_file(command, stack, file);
		before = path;
	}
	return r;
}

static int show_run(struct command *command)
{
	const char *stack = command->operands[0], *resource;
	json_auto_t *report = NULL;
	int r = drift_resource(command, &resource);

	r = r < 0 ? r : drift_report(command, stack, resource, &report);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		r = print_value(command, json_incref(report));
	else
		r = resource ? print_resources(command, stack, report) : print_file(command, stack, "drift");
	return r < 0 ? r : exit_status(report);
}

/* "verb "RESOURCE[/PROPERTY]" KEY=VALUE…" from the options of that name. */
static int decide(struct command *command, const char *verb, const char *done, const char *const *keys)
{
	const char *stack = command->operands[0], *property = command_option(command, "property"), *resource;
	CLEANUP(buffer_done) struct buffer line = { 0 };
	CLEANUP(cleanup_free) char *target = NULL;
	int r = needed_resource(command, &resource);

	if (r == 0 &&
		asprintf(&target, "%s%s%s", resource, property ? "/" : "", property ? property : "") < 0)
		r = fault_set(&command->fault, ENOMEM, "no memory");
	r = r < 0 ? r : buffer_append_text(&line, verb);
	r = r < 0 ? r : line_add_word(command, &line, target);
	for (; r == 0 && *keys; keys++)
		r = line_add_option(command, &line, *keys, command_option(command, *keys));
	r = r < 0 ? r : write_line(command, stack, &line);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssss?ssss}", "stack", stack, "property", property,
						    "resource", resource, "action", verb));
	printf("%s✓%s ", print_style(stdout, STYLE_GREEN), print_style(stdout, STYLE_END));
	text_write_safe(stdout, target);
	printf(" %s\n", done);
	return 0;
}

static int ignore_run(struct command *command)
{
	static const char *const keys[] = { "until", "reason", NULL };

	return decide(command, "ignore", "is ignored", keys);
}

static int unignore_run(struct command *command)
{
	return decide(command, "unignore", "is not ignored any more", (const char *const[]){ NULL });
}

static int acknowledge_run(struct command *command)
{
	return decide(command, "acknowledge", "is acknowledged", (const char *const[]){ "reason", NULL });
}

static int adopt_run(struct command *command)
{
	return decide(command, "adopt", "is adopted: what is there is what the stack asks for now",
		(const char *const[]){ NULL });
}

static int history_row(struct table *table, const json_t *finding)
{
	const json_t *run = json_object_get(finding, "run");
	char seen[32], over[32], number[32] = "";

	if (json_is_integer(run))
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(run));
	return table_row(
		table, (const char *[]){ print_text(finding, "type"), print_text(finding, "name"),
			       print_text(finding, "property"), print_text(finding, "severity"),
			       print_time(print_ms(json_object_get(finding, "first_seen")), seen),
			       print_time(print_ms(json_object_get(finding, "resolved")), over),
			       print_text(finding, "resolution"), print_text(finding, "user"), number });
}

static int history_run(struct command *command)
{
	static const struct column columns[] = { { "TYPE" }, { "NAME" }, { "PROPERTY" }, { "SEVERITY" },
		{ "FIRST SEEN" }, { "RESOLVED" }, { "HOW" }, { "USER" }, { "RUN", .right = true }, { NULL } };
	const char *stack = command->operands[0], *resource;
	json_auto_t *list = NULL;
	int64_t limit = INT64_MAX;
	int r = drift_resource(command, &resource);

	r = r < 0 ? r : command_number(command, "limit", 1, &limit);
	r = r < 0 ? r : stack_json(command, stack, "drift.history.json", &list);
	if (r < 0)
		return r;
	keep(list, resource);
	while (json_array_size(list) && (int64_t)json_array_size(list) > limit)
		json_array_remove(list, json_array_size(list) - 1);
	return command->format != FORMAT_TEXT ? print_value(command, json_incref(list))
					      : table_list_counted(columns, list, history_row,
							"Drift that is over, of stack: ", stack, "finding");
}

int drift_of_execution_run(struct command *command)
{
	json_auto_t *execution = NULL;
	CLEANUP(cleanup_free) char *stack = NULL;
	char **operands = command->operands, *operand;
	int r = execution_find(command, operands[0], &execution);

	if (r < 0)
		return r;
	stack = strdup(print_text(execution, "stack"));
	if (!stack || !*stack)
		return fault_set(&command->fault, ENOENT, "execution %s has no stack", operands[0]);
	operand = operands[0];
	operands[0] = stack;
	r = detect_run(command);
	operands[0] = operand;
	return r;
}

/* clang-format off */
static const char resource_more[] =
	"RESOURCE is a name, or TYPE/NAME where two have the name; with /PROPERTY behind it, it is one\n"
	"property of it.";

const struct verb drift_verbs[] = {
	{ "detect", .operands = "NAME [RESOURCE]", .options = drift_look_options, .run = detect_run,
	  .help = "Look what differs from what is asked for; exit status 2 when something does",
	  .more = "Looks at what is there with the rights of the stack's owner; nothing is changed. The exit\n"
		  "status is 0 without drift, 2 with it, and 1 when there is none but not everything could be\n"
		  "read." },
	{ "show", .operands = "NAME [RESOURCE]", .options = drift_look_options, .run = show_run,
	  .help = "Show in detail what was found; exit status as of detect" },
	{ "fix", .operands = "NAME [RESOURCE]", .options = drift_fix_options, .run = drift_fix_run,
	  .more = drift_fix_more, .help = "Look, and bring about again what has drifted" },
	{ "ignore", .operands = "NAME [RESOURCE]", .options = ignore_options, .run = ignore_run,
	  .more = resource_more, .help = "From now on it is no drift" },
	{ "unignore", .operands = "NAME [RESOURCE]", .options = property_options, .run = unignore_run,
	  .more = resource_more, .help = "Ignore it no longer" },
	{ "acknowledge", .alias = "ack", .operands = "NAME [RESOURCE]", .options = acknowledge_options,
	  .run = acknowledge_run, .more = resource_more, .help = "Say that it is known; it stays drift" },
	{ "adopt", .operands = "NAME [RESOURCE]", .options = property_options, .run = adopt_run,
	  .more = resource_more, .help = "Ask from now on for what is there" },
	{ "history", .operands = "NAME [RESOURCE]", .options = history_options, .run = history_run,
	  .help = "List drift that is over, the newest first" },
	{ NULL },
};
/* clang-format on */
