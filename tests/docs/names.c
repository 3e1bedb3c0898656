/* SPDX-License-Identifier: MIT */
/*
 * Prints what the manual must name, a line each: every file of the tree ("node stacks/STACK/lock"), the words
 * of those whose names are the user's ("help a stack"), every error with its exit status ("errno EBUSY 5"),
 * and every setting
 * ("setting lock_timeout").
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "engine/config.h"
#include "fs/node.h"
#include "fs/nodes/nodes.h"

enum { PATH_SIZE = 512, DEPTH_MAX = 8 };

/* STACK for what is in stacks/, and so on: the folder's name without its s, in capitals. */
static const char *placeholder(const char *folder)
{
	static char word[64];
	size_t n = strlen(folder);

	if (n > 2 && !strcmp(folder + n - 2, ".d"))
		n -= 2;

	if (!strcmp(folder, "state"))
		return "NAMESPACE";
	if (!strcmp(folder, "resources"))
		return "TYPE";
	if (!*folder)
		return "NAME"; /* in a folder whose name is the user's already */
	snprintf(word, sizeof(word), "%.*s", (int)(n && folder[n - 1] == 's' ? n - 1 : n), folder);
	for (char *p = word; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return word;
}

/* A table that stands in two places is explained at the first. */
static bool printed(const struct directory *directory)
{
	static const struct directory *seen[TABLE_COUNT];
	size_t i = 0;

	while (i < TABLE_COUNT && seen[i]) {
		if (seen[i++] == directory)
			return true;
	}
	if (i < TABLE_COUNT)
		seen[i] = directory;
	return false;
}

static void print_directory(
	const struct directory *directory, const char *path, const char *folder, int depth)
{
	for (size_t i = 0; i < directory->count; i++) {
		const struct entry *entry = &directory->entries[i];
		char below[PATH_SIZE];

		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "",
			entry->name ? entry->name : placeholder(folder));
		if (!entry->help)
			printf("no-help %s\n", below);
		else if (!entry->name)
			printf("help %s\n", entry->help);
		if (entry->name || entry->directory)
			printf("node %s\n", below);
		if (entry->directory && depth < DEPTH_MAX && !printed(entry->directory))
			print_directory(entry->directory, below, entry->name ? entry->name : "", depth + 1);
	}
}

static void print_errors(void)
{
	for (int code = 1; code < 200; code++) {
		const char *name = fault_errno_name(code);

		if (!isdigit((unsigned char)name[1]))
			printf("errno %s %d\n", name, fault_exit_status(code));
	}
}

static int print_settings(void)
{
	char *text = NULL, *line, *save = NULL;
	size_t size = 0;
	struct config config;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return 1;
	config_init(&config);
	config_show(&config, out);
	if (fclose(out) != 0)
		return 1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " ");
		line[strcspn(line, ":")] = '\0';
		printf("setting %s\n", line);
	}
	free(text);
	return 0;
}

int main(void)
{
	print_directory(&top_directory, "", "", 0);
	print_errors();
	return print_settings();
}
