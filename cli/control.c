/* SPDX-License-Identifier: MIT */
/* Lines for control files. */
#include "cli/control.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/stack.h"

int control_word(struct command *command, struct buffer *line, const char *key, const char *value)
{
	int r = 0;

	if (!value)
		return 0;
	if (strpbrk(value, "\n\r"))
		return fault_set(&command->fault, EINVAL, "%s: it must be one line", key);
	if (line->size)
		r = buffer_append(line, " ", 1);
	r = r < 0 ? r : buffer_append_text(line, key);
	r = r < 0 ? r : buffer_append(line, "=\"", 2);
	for (; r == 0 && *value; value++) {
		if (strchr("\"\\$`", *value))
			r = buffer_append(line, "\\", 1);
		r = r < 0 ? r : buffer_append(line, value, 1);
	}
	return r < 0 ? r : buffer_append(line, "\"", 1);
}

int control_write(struct command *command, const char *stack, const char *file, const char *line)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *text = NULL;
	int r = stack_path(command, stack, file, &path);

	if (r < 0)
		return r;
	if (asprintf(&text, "%s\n", line) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	if (!command_client(command))
		return -command->fault.code;
	return client_write(&command->client, path, text, strlen(text), &command->fault, NULL);
}
