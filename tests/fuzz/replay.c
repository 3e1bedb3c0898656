/* SPDX-License-Identifier: MIT */
/* Gives a target what stands in folders and files: its corpus as a plain test, where there is no libFuzzer.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "tests/fuzz/input.h"

static int given;

static int replay_file(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "r");
	CLEANUP(cleanup_free) uint8_t *data = NULL;
	struct stat st;

	if (!file || fstat(fileno(file), &st) < 0)
		goto unreadable;
	/* Exactly as large as the input, so that a byte read behind it is found. */
	data = malloc((size_t)st.st_size ? (size_t)st.st_size : 1);
	if (!data || fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		goto unreadable;
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	given++;
	return 0;
unreadable:
	fprintf(stderr, "%s: can't be read\n", path);
	return -1;
}

static int not_hidden(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

static int replay(const char *path)
{
	struct dirent **entries;
	int r = 0, count = scandir(path, &entries, not_hidden, alphasort);

	if (count < 0)
		return replay_file(path);
	for (int i = 0; i < count; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (replay(name) < 0)
			r = -1;
		free(entries[i]);
	}
	free(entries);
	return r;
}

int main(int argc, char **argv)
{
	int r = 0;

	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) < 0)
			r = -1;
	printf("%d inputs\n", given);
	return r < 0 || given == 0;
}
