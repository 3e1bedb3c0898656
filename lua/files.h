/* SPDX-License-Identifier: MIT */
#pragma once
/* What the modules fs and file_ops share about files: reading, writing and copying whole ones. */
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/fault.h"

/* More than that is not read into a workflow's memory at once. */
enum { FILES_READ_MAX = 256 << 20 };

/* The path at `index`; a relative one starts in the task's directory. Raises when it is empty or has a NUL.
 * Kept by the stack. */
const char *files_path(lua_State *L, int index);

/* The task's directory, or ".". */
const char *files_default(lua_State *L);

/* Pushes the content from `offset` on, `length` bytes of it or (-1) all. 0, or -errno with the sentence and
 * nothing pushed. Raises when memory runs out. */
int files_push_content(lua_State *L, const char *path, int64_t offset, int64_t length, struct fault *fault);

/* Writes all of it. 0 or -errno. */
int files_write_all(int fd, const char *content, size_t size);

/* Opens with O_CREAT and `flags`, writes all. 0, or -errno with the sentence. */
int files_write(
	const char *path, const char *content, size_t size, int flags, mode_t mode, struct fault *fault);

/* What is left in `in`, to `out`; shares the blocks where the file system can. 0 or -errno. */
int files_pump(int in, int out);

/* Content and permissions of a regular file. 0, or -errno with the sentence. */
int files_copy(const char *from, const char *to, struct fault *fault);

/* Whether both have the same bytes; false also when one can't be read. */
bool files_equal(const char *a, const char *b);

/* Pushes a table: see fs.stat in sloth-lua(7). Without `names` it lacks owner and group, which have to be
 * looked for. */
void files_push_stat(lua_State *L, const struct stat *st, bool names);

/* "file", "directory", "link" … */
const char *files_type(mode_t mode);
