/* SPDX-License-Identifier: MIT */
#pragma once
/* A command as it is asked for, and its start as a process. One without a shell metacharacter needs no shell.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"

struct scope;

struct command {
	const char *text;	/* for the shell, or simple */
	char *const *arguments; /* instead of text */
	const char *workdir;	/* absolute */
	const char *const *env; /* "NAME=value", over the scope's; NULL: none */
	const char *user;	/* whose rights it has; NULL: the scope's */
	const char *input;	/* NULL: /dev/null */
	size_t input_size;
	int64_t timeout_ms; /* 0: none but the scope's */
	int64_t grace_ms;   /* between SIGTERM and SIGKILL at the timeout */
	size_t hold;	    /* of standard output: it waits when so much was not taken; 0: never */
	bool talk;	    /* its input stays open */
	bool hush_out;	    /* its standard output is for the caller alone */
	bool quiet;	    /* its output is not for the log */
	bool capture;	    /* keep the output */
};

/* Of standard input, output and error; -1: none. */
struct pipes {
	int in[2], out[2], err[2];
};

void cleanup_pipes(struct pipes *pipes);

/* 0 or -errno; `input` false: no pipe for it. */
int pipes_open(struct pipes *pipes, bool input);

/* Whether /bin/sh would do nothing but start this program with these words. */
bool command_is_simple(const char *text);

/* Starts it in a process group of its own. 0, or -errno with a sentence. */
int command_spawn(struct scope *scope, const struct command *command, const struct pipes *pipes,
	struct fault *fault, pid_t *ret_pid);
