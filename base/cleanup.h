/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The one idiom of ownership in this program: a variable that owns something says so where it is
 * declared, and TAKE() gives the thing away. Every destructor takes NULL (or -1) in its stride.
 *
 * Not for C functions that Lua calls: lua_error() jumps over these.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(f) __attribute__((cleanup(f)))

/* The value of `var`, which forgets it: ownership moves to whoever takes the value. */
#define TAKE(var)                                                                                            \
	__extension__({                                                                                      \
		__typeof__(var) *take_ptr_ = &(var);                                                         \
		__typeof__(var) take_val_ = *take_ptr_;                                                      \
		*take_ptr_ = NULL;                                                                           \
		take_val_;                                                                                   \
	})

static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}
