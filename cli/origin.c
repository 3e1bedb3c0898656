/* SPDX-License-Identifier: MIT */
/* Where a workflow comes from and where its tasks run. */
#include "cli/origin.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* In doubt it does. */
static bool imports_files(const struct buffer *workflow)
{
	static const char *const words[] = { "import", "require" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (memmem(workflow->data, workflow->size, words[i], strlen(words[i])))
			return true;
	return false;
}

/* The folder that the file is in, with an absolute path; NULL: nobody knows. */
static char *folder_of(const char *file)
{
	char *path = realpath(file, NULL), *slash = path ? strrchr(path, '/') : NULL;

	if (slash)
		slash[slash == path] = '\0';
	return path;
}

void origin_add_host(struct command *command, json_t *options)
{
	const char *host = command_option(command, "delegate-to");

	if (host)
		json_object_set_new(options, "delegate_to", json_string(host));
	if (command_flag(command, "local"))
		json_object_set_new(options, "local", json_true());
}

void origin_add_folder(const char *file, const struct buffer *workflow, json_t *options)
{
	CLEANUP(cleanup_free)
	char *folder = file && strcmp(file, "-") != 0 && imports_files(workflow) ? folder_of(file) : NULL;

	if (folder)
		json_object_set_new(options, "directory", json_string(folder));
}
