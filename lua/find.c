/* SPDX-License-Identifier: MIT */
/* Paths by a pattern. */
#include "lua/find.h"

#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum { DESCRIPTORS = 16 }; /* that a walk may have open */

void paths_done(struct paths *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		free(paths->list[i]);
	free(paths->list);
	*paths = (struct paths){ 0 };
}

static int add(struct paths *paths, const char *path)
{
	char **list = realloc(paths->list, (paths->count + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	paths->list = list;
	list[paths->count] = strdup(path);
	return list[paths->count] ? (int)(paths->count++, 0) : -ENOMEM;
}

static void cleanup_glob(glob_t *found)
{
	globfree(found);
}

static int find_plain(const char *pattern, int flags, struct paths *paths)
{
	CLEANUP(cleanup_glob) glob_t found = { 0 };
	int r = glob(pattern, GLOB_BRACE | flags, NULL, &found);

	if (r != 0 && r != GLOB_NOMATCH)
		return r == GLOB_NOSPACE ? -ENOMEM : -EIO;
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
		r = add(paths, found.gl_pathv[i]);
	return r == GLOB_NOMATCH ? 0 : r;
}

/* nftw() has no argument for its callback. */
static struct paths *folders;

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type != FTW_D)
		return FTW_CONTINUE;
	if (at->level > 0 && path[at->base] == '.')
		return FTW_SKIP_SUBTREE;
	if (folders->count >= FIND_FOLDERS_MAX) {
		errno = E2BIG;
		return FTW_STOP;
	}
	errno = ENOMEM;
	return add(folders, path) < 0 ? FTW_STOP : FTW_CONTINUE;
}

/* The folder and all those in it. One that can't be read has none. */
static int walk(const char *folder, struct paths *ret_folders)
{
	folders = ret_folders;
	return nftw(folder, visit, DESCRIPTORS, FTW_PHYS | FTW_ACTIONRETVAL) == FTW_STOP ? -errno : 0;
}

/* The "**" of a pattern that is a whole name, or NULL. */
static const char *deep_part(const char *pattern)
{
	const char *p = pattern;

	while ((p = strstr(p, "**"))) {
		if ((p == pattern || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return p;
		p += 2;
	}
	return NULL;
}

static char *below(const char *folder, const char *rest)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out = buffer_stream_open(&text);

	if (!out)
		return NULL;
	for (const char *p = folder; *p; p++) {
		if (strchr("*?[]{},\\", *p))
			fputc('\\', out);
		fputc(*p, out);
	}
	fprintf(out, "%s%s", *folder && folder[strlen(folder) - 1] == '/' ? "" : "/", rest);
	return buffer_stream_close(out, &text) < 0 ? NULL : strdup(buffer_text(&text));
}

static int find(const char *pattern, struct paths *paths);

/* `rest` in each folder below those that `base` means. */
static int find_deep(const char *base, const char *rest, struct paths *paths)
{
	CLEANUP(paths_done) struct paths bases = { 0 };
	CLEANUP(paths_done) struct paths all = { 0 };
	int r = find_plain(base, GLOB_ONLYDIR, &bases);

	for (size_t i = 0; r == 0 && i < bases.count; i++)
		r = walk(bases.list[i], &all);
	for (size_t i = 0; r == 0 && i < all.count; i++) {
		CLEANUP(cleanup_free) char *pattern = below(all.list[i], rest);

		r = pattern ? find(pattern, paths) : -ENOMEM;
	}
	return r;
}

static int find(const char *pattern, struct paths *paths)
{
	const char *deep = deep_part(pattern);
	CLEANUP(cleanup_free) char *base = NULL;

	if (!deep)
		return find_plain(pattern, 0, paths);
	base = strndup(pattern, (size_t)(deep - pattern));
	if (!base)
		return -ENOMEM;
	return find_deep(*base ? base : ".", deep[2] && deep[3] ? deep + 3 : "*", paths);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int find_paths(const char *pattern, struct paths *ret_paths)
{
	int r = find(pattern, ret_paths);
	size_t kept = 0;

	if (ret_paths->count)
		qsort(ret_paths->list, ret_paths->count, sizeof(*ret_paths->list), by_name);
	for (size_t i = 0; i < ret_paths->count; i++) {
		if (kept && !strcmp(ret_paths->list[kept - 1], ret_paths->list[i]))
			free(ret_paths->list[i]);
		else
			ret_paths->list[kept++] = ret_paths->list[i];
	}
	ret_paths->count = kept;
	return r;
}
