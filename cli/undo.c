/* SPDX-License-Identifier: MIT */
/* stack undo --run: all that a run has changed is put back, by a run that is followed like any other. */
#include "cli/undo.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/confirm.h"
#include "cli/follow.h"
#include "cli/print.h"
#include "cli/stack.h"

struct undo {
	struct command *command;
	const char *stack;
	int64_t run;
	json_t *changes; /* of the run, the first one first; owned */
};

static int read_json(struct undo *undo, const char *file, json_t **ret_value)
{
	char path[64];

	snprintf(path, sizeof(path), "/runs/%lld/%s", (long long)undo->run, file);
	return tree_json(undo->command, path, ret_value);
}

static int check_stack(struct undo *undo)
{
	json_auto_t *status = NULL;
	int r = read_json(undo, "status.json", &status);
	const char *stack = r == 0 ? print_text(status, "stack") : undo->stack;

	if (r < 0 || !strcmp(stack, undo->stack))
		return r;
	return fault_set(&undo->command->fault, ENOENT,
		*stack ? "stack %s has no run %lld: that one was on %s"
		       : "stack %s has no run %lld: that one was refused before it had a stack",
		undo->stack, (long long)undo->run, stack);
}

static int write_verb(struct undo *undo, bool plan, int64_t *ret_run)
{
	char path[64], line[64];

	snprintf(path, sizeof(path), "/runs/%lld/ctl", (long long)undo->run);
	snprintf(line, sizeof(line), "undo%s%s\n", plan ? " plan" : "",
		command_flag(undo->command, "force") ? " force" : "");
	return client_write(&undo->command->client, path, line, strlen(line), &undo->command->fault, ret_run);
}

/* A task that says itself how it is undone. */
static bool is_task(const json_t *change)
{
	return !strcmp(print_text(change, "type"), "task");
}

/* The last one first; a task ends after its last change. */
static int by_time(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int r = strcmp(print_text(y, "time"), print_text(x, "time"));
	json_int_t first = json_integer_value(json_object_get(x, "id")),
		   second = json_integer_value(json_object_get(y, "id"));

	if (r || is_task(x) || is_task(y))
		return r ? r : is_task(y) - is_task(x);
	return first > second ? -1 : first < second;
}

/* What is put back, in that order: of tasks that say themselves how they are undone, this. */
static json_t *standing(const struct undo *undo)
{
	size_t count = 0, i;
	json_t **found = calloc(json_array_size(undo->changes) + 1, sizeof(*found));
	json_auto_t *own = json_object();
	json_t *list = json_array(), *change;

	json_array_foreach (undo->changes, i, change)
		if (is_task(change))
			json_object_set_new(own, print_text(change, "task"), json_true());
	json_array_foreach (undo->changes, i, change)
		if (found && strcmp(print_text(change, "state"), "undone") != 0 &&
			(is_task(change) || !json_object_get(own, print_text(change, "task"))))
			found[count++] = change;
	if (count)
		qsort(found, count, sizeof(*found), by_time);
	for (i = 0; i < count; i++)
		json_array_append(list, found[i]);
	free(found);
	return list;
}

static void print_changes(const struct undo *undo)
{
	json_auto_t *list = standing(undo);
	json_t *change;
	size_t i;

	print_heading("Puts back");
	json_array_foreach (list, i, change) {
		printf("  %s/", print_text(change, "type"));
		text_write_safe(stdout, print_text(change, "name"));
		if (is_task(change))
			fputs(" (by its own undo)", stdout);
		else if (*print_text(change, "task"))
			printf(" (task %s)", print_text(change, "task"));
		if (*print_text(change, "reason")) {
			fputs(": can't be undone: ", stdout);
			text_write_safe(stdout, print_text(change, "reason"));
		}
		putchar('\n');
	}
	if (!json_array_size(list))
		puts("  nothing in the world");
	printf("and then what run %lld changed of stack %s itself.\n", (long long)undo->run, undo->stack);
}

static int dry_run(struct undo *undo)
{
	if (undo->command->format != FORMAT_TEXT)
		return print_value(undo->command,
			json_pack("{sssIsbso}", "stack", undo->stack, "run", (json_int_t)undo->run, "dry_run",
				1, "changes", standing(undo)));
	print_changes(undo);
	print_done("It can be undone; nothing was changed");
	return 0;
}

static int ask(struct undo *undo)
{
	char question[NAME_SIZE + 64];

	snprintf(question, sizeof(question), "This will undo run %lld of stack %s", (long long)undo->run,
		undo->stack);
	if (!command_flag(undo->command, "force") && !command_flag(undo->command, "yes") &&
		undo->command->format == FORMAT_TEXT)
		print_changes(undo);
	fflush(stdout);
	return confirm(undo->command, question);
}

static int act(struct undo *undo)
{
	int64_t run = 0;
	int r = ask(undo);

	if (r < 0)
		return r;
	/* From here on an interrupt is meant for the run. */
	follow_catch_signals();
	r = write_verb(undo, false, &run);
	if (r == 0 && !run)
		r = fault_set(&undo->command->fault, EPROTO, "the daemon started no run");
	return r < 0 ? r : follow_or_detach(undo->command, run);
}

int undo_run_of_stack(struct command *command)
{
	struct undo undo = { .command = command, .stack = command->operands[0] };
	const char *text = command_option(command, "run");
	int r = detach_check(command);

	if (r == 0 && (command->operand_count > 1 || command_option(command, "only")))
		r = fault_set(
			&command->fault, EINVAL, "--run undoes a run as a whole: without COUNT and --only");
	if (r == 0 && (parse_int64(text, &undo.run) < 0 || undo.run < 1))
		r = fault_set(&command->fault, EINVAL, "--run %.40s: which run? Its number", text);
	r = r < 0 ? r : check_stack(&undo);
	r = r < 0 ? r : read_json(&undo, "changes.json", &undo.changes);
	r = r < 0 ? r : write_verb(&undo, true, NULL);
	if (r == 0)
		r = command_flag(command, "dry-run") ? dry_run(&undo) : act(&undo);
	json_decref(undo.changes);
	return r;
}
