/* SPDX-License-Identifier: MIT */
#pragma once
/* The two doors of the tree, as the test of both uses them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>

#include "fs/client.h"

enum verb {
	MKDIR,
	RMDIR,
	UNLINK,
	WRITE,
	READ,
	RENAME,
	CHMOD,
	STAT,
	LIST,
	LINK,
	READLINK,
	SETXATTR,
	GETXATTR,
	LISTXATTR
};

struct row {
	enum verb verb;
	const char *path; /* %s is the stack of this round */
	const char *arg;  /* content, new name, mode (octal), target */
	int error;	  /* expected errno */
	const char *text; /* expected content; NULL: only compared between the doors */
};

struct result {
	int error;
	char text[8192];
};

struct doors {
	char home[64], mount[80];
	pid_t daemon;
	struct place place;
	struct client client;
	const char *slothd;
};

extern struct doors doors;

void mount_write(const char *path, const char *content, struct result *result);
void mount_read(const char *path, struct result *result);
void mount_stat(const char *path, struct result *result);
void through_mount(const struct row *row, const char *path, const char *arg, struct result *result);
void through_socket(const struct row *row, const char *path, const char *arg, struct result *result);
