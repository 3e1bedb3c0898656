/* SPDX-License-Identifier: MIT */
/* A workflow and the words that go with it. */
#include "cli/submission.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/input.h"

static const char *const endings[] = { ".sloth", ".lua", ".yaml", ".yml" };

enum { ENDING_COUNT = sizeof(endings) / sizeof(endings[0]) };

static bool has_ending(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < ENDING_COUNT; i++) {
		size_t m = strlen(endings[i]);

		if (n > m && !strcmp(name + n - m, endings[i]))
			return true;
	}
	return false;
}

int submission_name(struct command *command, const char *word, char *ret_name, size_t size)
{
	const char *slash = strrchr(word, '/'), *base = slash ? slash + 1 : word;

	if (!strcmp(base, "-"))
		base = "stdin";
	if (name_check(base) < 0)
		return fault_set(&command->fault, EINVAL,
			"\"%s\" can't be a run's name: letters, digits, '.', '_' and '-'; "
			"give one: sloth run NAME --file %s",
			base, word);
	snprintf(ret_name, size, "%s%s", base, has_ending(base) ? "" : ".sloth");
	return 0;
}

/* "deploy" is deploy.sloth, or the first that there is of the other endings. */
static int read_saved(struct command *command, const char *word, char *ret_name, struct buffer *ret_text)
{
	char path[NAME_SIZE + 48];
	int r = -ENOENT;

	if (name_check(word) < 0)
		return fault_set(&command->fault, ENOENT, "no workflow is saved as \"%.140s\"", word);
	if (!command_client(command))
		return -command->fault.code;
	for (size_t i = 0; i < ENDING_COUNT && r == -ENOENT; i++) {
		command->fault = (struct fault){ 0 };
		snprintf(ret_name, NAME_SIZE + 16, "%s%s", word, has_ending(word) ? "" : endings[i]);
		snprintf(path, sizeof(path), "/workflows/%s", ret_name);
		r = client_read(&command->client, path, &command->fault, ret_text);
		if (has_ending(word))
			break;
	}
	return r == -ENOENT
		       ? fault_set(&command->fault, ENOENT,
				 "no workflow is saved as \"%s\"; sloth workflow list shows those that are",
				 word)
		       : r;
}

int submission_read(
	struct command *command, const char *word, bool saved, char *ret_name, struct buffer *ret_text)
{
	bool is_file = !strcmp(word, "-") || access(word, F_OK) == 0;
	int r;

	if (saved || (!is_file && !strchr(word, '/'))) {
		r = read_saved(command, word, ret_name, ret_text);
		if (r == -ENOENT && !saved)
			return fault_set(&command->fault, ENOENT,
				"there is no file %s, and no saved workflow of that name", word);
		return r;
	}
	r = submission_name(command, word, ret_name, NAME_SIZE + 16);
	r = r < 0 ? r : input_read(command, word, ret_text);
	if (r == 0 && !ret_text->size)
		return fault_set(&command->fault, EINVAL, "%s is empty", word);
	return r;
}

static void add_names(struct command *command, json_t *options, const char *option, const char *key)
{
	json_t *names = json_array();
	const char *name;
	int position = 0;

	while ((name = command_next(command, option, &position)))
		json_array_append_new(names, json_string(name));
	if (json_array_size(names))
		json_object_set(options, key, names);
	json_decref(names);
}

json_t *submission_options(struct command *command)
{
	json_t *options = json_object();

	add_names(command, options, "task", "tasks");
	add_names(command, options, "skip", "skip");
	return options;
}
