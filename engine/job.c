/* SPDX-License-Identifier: MIT */
/* Children that do what takes long. */
#include "engine/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/child.h"

enum { ARGUMENTS_MAX = 12, ANSWER_MAX = 1 << 20 };

struct job {
	LIST_ENTRY(job) link;
	struct jobs *jobs;
	pid_t pid;
	int fd; /* what it prints; its end is the job's end */
	ev_io io;
	struct buffer answer;
	job_done *done; /* NULL: nobody wants to know */
	void *userdata;
};

void jobs_init(struct jobs *jobs, struct ev_loop *loop, const char *program)
{
	*jobs = (struct jobs){ .loop = loop, .program = program };
	LIST_INIT(&jobs->list);
}

/* The loop may have reaped the child already (libev does so in the default loop). */
static void job_free(struct job *job)
{
	ev_io_stop(job->jobs->loop, &job->io);
	close(job->fd);
	waitpid(job->pid, NULL, 0);
	LIST_REMOVE(job, link);
	job->jobs->count--;
	buffer_done(&job->answer);
	free(job);
}

void jobs_done(struct jobs *jobs)
{
	struct job *job;

	while ((job = LIST_FIRST(&jobs->list))) {
		kill(job->pid, SIGKILL);
		job_free(job);
	}
}

static void job_finish(struct job *job)
{
	json_auto_t *answer = json_loadb(buffer_text(&job->answer), job->answer.size, 0, NULL);
	const char *text = json_string_value(json_object_get(answer, "text"));
	struct fault fault = { 0 };
	job_done *done = job->done;
	void *userdata = job->userdata;
	int r = -(int)json_integer_value(json_object_get(answer, "code"));

	job_free(job);
	if (!json_is_object(answer))
		r = fault_set(&fault, EIO,
			"the process that did it ended before it was done; the daemon's log says more");
	else if (r < 0)
		fault_set(&fault, -r, "%s", text && *text ? text : strerror(-r));
	if (done)
		done(userdata, r, &fault, answer);
}

static void job_said(struct ev_loop *loop, ev_io *io, int revents)
{
	struct job *job = io->data;
	char block[4096];
	ssize_t n = read(job->fd, block, sizeof(block));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && job->answer.size < ANSWER_MAX && buffer_append(&job->answer, block, (size_t)n) == 0)
		return;
	if (n > 0)
		kill(job->pid, SIGKILL);
	job_finish(job);
}

/* Standard output is the pipe; nothing else of ours but the log goes along. */
static int spawn(const struct jobs *jobs, const char *const *arguments, int out, pid_t *ret_pid)
{
	const char *argv[ARGUMENTS_MAX + 3] = { "slothd", "--job" };
	posix_spawn_file_actions_t actions;
	int r, n = 2;

	while (*arguments && n < ARGUMENTS_MAX + 2)
		argv[n++] = *arguments++;
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	r = r ? r : posix_spawn_file_actions_adddup2(&actions, out, 1);
	r = r ? r : posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	r = r ? -r : child_spawn(jobs->program, argv, &actions, 0, ret_pid);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

int job_start(struct jobs *jobs, const char *const *arguments, job_done *done, void *userdata,
	struct fault *fault, struct job **ret_job)
{
	CLEANUP(cleanup_fd) int out = -1;
	CLEANUP(cleanup_fd) int in = -1;
	CLEANUP(cleanup_free) struct job *job = NULL;
	int ends[2], r;

	if (jobs->count >= JOBS_MAX)
		return fault_set(fault, EBUSY,
			"%d backups or checks are under way already: wait for one of them", jobs->count);
	job = calloc(1, sizeof(*job));
	if (!job || pipe2(ends, O_CLOEXEC) < 0)
		return fault_set(fault, job ? errno : ENOMEM, "no process can be started for it: %s",
			strerror(job ? errno : ENOMEM));
	in = ends[0];
	out = ends[1];
	r = spawn(jobs, arguments, out, &job->pid);
	if (r < 0)
		return fault_set(fault, -r, "no process can be started for it: %s", strerror(-r));
	fcntl(in, F_SETFL, O_NONBLOCK);
	job->jobs = jobs;
	job->done = done;
	job->userdata = userdata;
	job->fd = take_fd(&in);
	ev_io_init(&job->io, job_said, job->fd, EV_READ);
	job->io.data = job;
	ev_io_start(jobs->loop, &job->io);
	LIST_INSERT_HEAD(&jobs->list, job, link);
	jobs->count++;
	*ret_job = TAKE(job);
	return 0;
}
