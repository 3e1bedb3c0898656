/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Commands: one process (and its group), its input, its output, its time limit. It is over when its own
 * process has exited and its output has reached its end, or one second later: what it left in the background
 * may hold the pipes for ever.
 *
 * Owned by the scope; one thread.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "lua/command.h"

struct runner;
struct scope;

enum { EXEC_CAPTURE_MAX = 16 << 20 }; /* bytes kept of each stream; the rest is only in the log */

struct exec_stream {
	ev_io readable;
	int fd;		    /* -1: at its end */
	const char *name;   /* "out", "err" */
	struct buffer line; /* the log's unfinished line */
	struct buffer kept; /* captured; without capture the last few lines of stderr */
	bool truncated;
	bool skips; /* nothing is kept of the line that is under way */
};

struct exec {
	LIST_ENTRY(exec) link; /* of its scope */
	struct runner *runner;
	struct scope *scope; /* while it is not over */
	pid_t pid;	     /* 0: reaped */
	pid_t group;
	int status; /* wait(2) */
	bool timed_out, quiet, capture, over;
	bool talk, hush_out; /* as of its command */
	bool input_ends;     /* after what is on its way */
	size_t hold;	     /* as of its command; 0 when nobody takes it any more */
	int64_t grace_ms;
	ev_tstamp started;
	struct exec_stream out, err;
	int input_fd;
	struct buffer input;
	size_t input_done;
	ev_io writable;
	ev_timer deadline; /* its timeout, then the grace */
	ev_timer linger;
	void (*changed)(struct exec *exec); /* something can be taken or given; NULL: nobody asks */
	void (*lost)(struct exec *exec);    /* it is freed; NULL: nobody asks */
	void (*done)(struct exec *exec);    /* NULL: nobody waits; it frees itself at its end */
	void *userdata;
};

/* Starts it. `done` is called from the loop, never from in here. 0, or -errno with a sentence: -ENOENT and
 * -EACCES also for the program. */
int exec_start(struct scope *scope, const struct command *command, void (*done)(struct exec *exec),
	void *userdata, struct exec **ret_exec, struct fault *fault);
void exec_free(struct exec *exec);

/* Nobody waits any more; the process goes on until its scope ends. */
void exec_forget(void *exec);

/* What was kept of a stream and is taken now. */
void exec_consume(struct exec *exec, struct exec_stream *stream, size_t size);
/* Gives it input. 0, -EAGAIN: too much is on its way, -EPIPE: it is closed. */
int exec_put(struct exec *exec, const char *text, size_t size);
void exec_end_input(struct exec *exec);
/* Its output does not wait for anybody any more: what is too much is dropped, … */
void exec_drain(struct exec *exec);
/* … all of it is, … */
void exec_discard(struct exec *exec);
/* … and it is told so: SIGPIPE. */
void exec_close_output(struct exec *exec);

/* To its process group. A stopped one goes on, to end. */
void exec_signal(struct exec *exec, int signal);

/* How a signal ended it: "SIGSEGV (Segmentation fault, core dumped)". */
const char *exec_end_text(const struct exec *exec, char *ret_text, size_t size);

/* 0 to 255; 128 + n for signal n. */
int exec_exit_code(const struct exec *exec);

/* Child processes have ended. */
void exec_reaped(struct runner *runner, pid_t pid, int status);

/* While the line to the daemon is full, nothing is read from commands. */
void exec_pause_all(struct runner *runner, bool pause);
