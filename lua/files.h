/* SPDX-License-Identifier: MIT */
#pragma once
/* What the modules fs and file_ops share about files. */
#include <lua.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The path at `index`; a relative one starts in the task's directory. Raises when it is empty. Kept by the
 * stack. */
const char *files_path(lua_State *L, int index);

/* The task's directory, or ".". */
const char *files_default(lua_State *L);

/* Pushes the whole content. 0 or -errno. Raises when memory runs out. */
int files_push_content(lua_State *L, const char *path);

/* Opens with O_CREAT and `flags`, writes all. 0 or -errno. */
int files_write(const char *path, const char *content, size_t size, int flags, mode_t mode);

/* 0 or -errno. */
int files_write_all(int fd, const char *data, size_t size);

/* Content and permissions. 0 or -errno. */
int files_copy(const char *from, const char *to);

/* Whether both have the same bytes; 0 also when one can't be read. */
int files_equal(const char *a, const char *b);

/* Pushes { type, size, mode = "0644", uid, gid, mtime }. */
void files_push_stat(lua_State *L, const struct stat *st);
