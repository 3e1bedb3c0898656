/* SPDX-License-Identifier: MIT */
/* Tasks to be run, picked from a list: numbers, ranges, names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/plan.h"
#include "cli/print.h"

enum { LINE_MAX_BYTES = 65536 };

static const json_t *task_at(const json_t *tasks, const char *word)
{
	const json_t *task;
	size_t i;

	json_array_foreach (tasks, i, task)
		if (!strcmp(print_text(task, "name"), word))
			return task;
	return NULL;
}

static void show_tasks(const json_t *tasks)
{
	const json_t *task;
	size_t i;

	json_array_foreach (tasks, i, task) {
		fprintf(stderr, "%s%3zu%s  %s", print_style(stderr, STYLE_DIM), i + 1,
			print_style(stderr, STYLE_END), print_text(task, "name"));
		if (*print_text(task, "description")) {
			fputs("  ", stderr);
			text_write_safe(stderr, print_text(task, "description"));
		}
		fputc('\n', stderr);
	}
}

/* "3", "2-4": -EINVAL when it is no number. */
static int take_numbers(const json_t *tasks, char *word, json_t *names)
{
	int64_t first, last, count = (int64_t)json_array_size(tasks);
	char *dash = strchr(word, '-');
	int r;

	if (dash)
		*dash = '\0';
	r = parse_int64(word, &first);
	if (r == 0)
		r = dash ? parse_int64(dash + 1, &last) : 0;
	if (dash)
		*dash = '-';
	if (r < 0)
		return -EINVAL;
	if (!dash)
		last = first;
	if (first < 1 || last > count || first > last)
		return -ERANGE;
	for (int64_t i = first; i <= last; i++)
		json_array_append(names, json_object_get(json_array_get(tasks, (size_t)i - 1), "name"));
	return 0;
}

static int take_word(struct command *command, const json_t *tasks, char *word, json_t *names)
{
	const json_t *task = task_at(tasks, word);
	int r = 0;

	if (task)
		json_array_append(names, json_object_get(task, "name"));
	else
		r = take_numbers(tasks, word, names);
	return r < 0 ? fault_set(&command->fault, EINVAL,
			       "\"%.140s\" is none of the tasks: numbers from 1 to %zu, ranges (2-4), or "
			       "names",
			       word, json_array_size(tasks))
		     : 0;
}

static int read_choice(struct command *command, const json_t *tasks, json_t *names)
{
	CLEANUP(cleanup_free) char *line = NULL;
	char *word, *rest = NULL;
	size_t size = 0;
	int r = 0;

	fputs("Run which of them? (numbers, ranges, names; nothing: none) ", stderr);
	if (getline(&line, &size, stdin) < 0 || strlen(line) > LINE_MAX_BYTES)
		return fault_set(&command->fault, ECANCELED, "nothing was picked, and nothing is run");
	for (word = strtok_r(line, " ,\t\n", &rest); word && r == 0; word = strtok_r(NULL, " ,\t\n", &rest))
		r = take_word(command, tasks, word, names);
	if (r == 0 && !json_array_size(names))
		return fault_set(&command->fault, ECANCELED, "nothing was picked, and nothing is run");
	return r;
}

int plan_pick(struct command *command, const char *name, const struct buffer *workflow, json_t *options)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *plan = NULL, *names = json_array();
	int r;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return fault_set(&command->fault, EPERM,
			"--pick asks on a terminal, and there is none here: name tasks with --task NAME");
	r = plan_ask(command, name, workflow, NULL, "json", &text);
	if (r < 0)
		return r;
	plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	show_tasks(json_object_get(plan, "tasks"));
	r = read_choice(command, json_object_get(plan, "tasks"), names);
	return r < 0 ? r : json_object_set(options, "tasks", names);
}
