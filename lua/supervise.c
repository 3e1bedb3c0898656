/* SPDX-License-Identifier: MIT */
/* One command that is kept running. */
#include "lua/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/process.h"
#include "lua/supervise-command.h"

enum {
	DELAY_MAX_MS = 60000, /* before a command starts again */
	STEADY_MS = 10000,    /* who ran so long begins with the first delay again */
	LOG_MAX = 8 << 20,    /* bytes of the log, before it becomes log.1 */
	LOG_LOOK_MS = 60000,
	SWEEP_MS = 20, /* between looks at what has to go */
};

enum restart { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

struct supervisor {
	int folder, log, signals;
	json_t *spec;
	enum restart restart;
	bool leaves; /* what the command leaves in the background is none of ours */
	int64_t delay_ms, grace_ms;
	int stop_signal;
	char boot[37];
	/* What runs. */
	pid_t pid; /* 0: nothing */
	uint64_t start;
	int64_t started_ms;
	int64_t next_delay_ms, restart_at, kill_at; /* 0: not */
	int64_t restarts;
	bool stopping, over;
};

static int64_t now_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(struct supervisor *s, const char *text)
{
	char line[512], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	n = snprintf(line, sizeof(line), "[sloth %s] %s\n", when, text);
	if (write(s->log, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
		return; /* a disk that is full is no reason to end */
}

/* Who reads it sees the old one or the new one. */
static void write_status(struct supervisor *s, const char *state, const char *text)
{
	uint64_t own = 0;
	json_t *status;
	int fd;

	process_start_time(getpid(), &own);
	status = json_pack("{ss ss si sI sI sI sI sI so}", "state", state, "boot", s->boot, "supervisor",
		(int)getpid(), "supervisor_start", (json_int_t)own, "pid", (json_int_t)s->pid, "start",
		(json_int_t)s->start, "since", (json_int_t)s->started_ms, "restarts", (json_int_t)s->restarts,
		"spec", json_incref(s->spec));
	if (status && text)
		json_object_set_new(status, "text", json_string(text));
	fd = openat(s->folder, "status.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && json_dumpfd(status, fd, JSON_COMPACT) == 0)
		renameat(s->folder, "status.new", s->folder, "status.json");
	if (fd >= 0)
		close(fd);
	json_decref(status);
}

/* The log stays the same file, as others write to it: what is in it moves. */
static void bound_log(struct supervisor *s)
{
	CLEANUP(cleanup_fd) int from = -1, to = -1;
	struct stat st;
	char part[65536];
	ssize_t n;

	if (fstat(s->log, &st) < 0 || st.st_size <= LOG_MAX)
		return;
	from = openat(s->folder, "log", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	to = openat(s->folder, "log.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (from < 0 || to < 0)
		return;
	/* Of one that grew faster than we look, the end. */
	lseek(from, st.st_size - LOG_MAX, SEEK_SET);
	while ((n = read(from, part, sizeof(part))) > 0)
		if (write(to, part, (size_t)n) != n)
			break;
	renameat(s->folder, "log.new", s->folder, "log.1");
	if (ftruncate(s->log, 0) < 0)
		return;
}

/* Starting and ending. */

/* How long until the next start; -1: there is none. */
static int64_t next_start(struct supervisor *s, bool failed)
{
	int64_t delay;

	if (s->restart == RESTART_NEVER || (s->restart == RESTART_ON_FAILURE && !failed))
		return -1;
	if (now_ms(CLOCK_REALTIME) - s->started_ms >= STEADY_MS || s->next_delay_ms == 0)
		s->next_delay_ms = s->delay_ms;
	delay = s->next_delay_ms;
	s->next_delay_ms = delay * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : delay * 2;
	return delay;
}

/* After an end, or a start that failed: the next start, or the end of it all. */
static void go_on(struct supervisor *s, bool failed, const char *why)
{
	int64_t delay = next_start(s, failed);
	char text[320];

	if (delay < 0) {
		s->over = true;
		write_status(s, failed ? "failed" : "ended", why);
		return;
	}
	s->restarts++;
	s->restart_at = now_ms(CLOCK_MONOTONIC) + delay;
	snprintf(text, sizeof(text), "%s, and starts again in %" PRId64 " ms", why, delay);
	write_status(s, "waiting", text);
}

static void start(struct supervisor *s)
{
	char text[256];
	int r;

	say(s, "it starts");
	s->started_ms = now_ms(CLOCK_REALTIME);
	FAILPOINT("supervise.start");
	r = supervise_spawn(s->spec, s->log, &s->pid, text, sizeof(text));
	s->restart_at = 0;
	if (r < 0) {
		s->pid = 0;
		say(s, text);
		/* What ran before is being replaced, mostly. */
		s->over = s->restarts == 0;
		if (s->over)
			write_status(s, "failed", text);
		else
			go_on(s, true, text);
		return;
	}
	if (process_start_time(s->pid, &s->start) < 0)
		s->start = 0;
	FAILPOINT("supervise.started");
	write_status(s, "running", NULL);
}

static void stop(struct supervisor *s)
{
	s->stopping = true;
	s->restart_at = 0;
	if (!s->pid) {
		s->over = true;
		write_status(s, "stopped", NULL);
		return;
	}
	s->kill_at = now_ms(CLOCK_MONOTONIC) + s->grace_ms;
	if (kill(-s->pid, s->stop_signal) < 0)
		kill(s->pid, s->stop_signal);
	kill(-s->pid, SIGCONT);
}

static void describe_end(int status, char *ret_text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(ret_text, size, "it was ended by SIG%s",
			sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else
		snprintf(ret_text, size, "it ended with status %d", WEXITSTATUS(status));
}

static void ended(struct supervisor *s, int status)
{
	char end[64];

	describe_end(status, end, sizeof(end));
	say(s, end);
	s->pid = 0;
	s->kill_at = 0;
	if (!s->leaves)
		supervise_sweep();
	if (s->stopping) {
		s->over = true;
		write_status(s, "stopped", NULL);
		return;
	}
	go_on(s, status != 0, end);
}

/* The loop. */

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->pid)
			ended(s, status);
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else if (info.ssi_signo == SIGHUP && s->pid)
			kill(s->pid, SIGHUP);
		else if ((info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) && !s->stopping)
			stop(s);
		if (s->over)
			return;
	}
}

static int timeout(const struct supervisor *s, int64_t now)
{
	int64_t ms = s->pid ? LOG_LOOK_MS : DELAY_MAX_MS;

	if (s->restart_at && s->restart_at - now < ms)
		ms = s->restart_at - now;
	if (s->kill_at && s->kill_at - now < ms)
		ms = s->kill_at - now;
	return ms > 0 ? (int)ms : 0;
}

static void loop(struct supervisor *s)
{
	while (!s->over) {
		struct pollfd polled = { .fd = s->signals, .events = POLLIN };
		int64_t now = now_ms(CLOCK_MONOTONIC);

		poll(&polled, 1, timeout(s, now));
		if (polled.revents)
			on_signals(s);
		now = now_ms(CLOCK_MONOTONIC);
		if (s->restart_at && s->restart_at <= now)
			start(s);
		if (s->kill_at && s->kill_at <= now && s->pid) {
			kill(-s->pid, SIGKILL);
			kill(s->pid, SIGKILL);
			s->kill_at = now + SWEEP_MS;
		}
		bound_log(s);
	}
}

/* The beginning. */

static int64_t number_of(const json_t *spec, const char *name, int64_t otherwise)
{
	json_t *value = json_object_get(spec, name);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
									: otherwise;
}

static int open_spec(struct supervisor *s)
{
	static const char *const names[] = { "always", "on-failure", "never" };
	CLEANUP(cleanup_fd) int fd = openat(s->folder, "spec.json", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const char *restart;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	s->spec = json_loadfd(fd, 0, NULL);
	restart = json_string_value(json_object_get(s->spec, "restart"));
	for (size_t i = 0; restart && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], restart))
			s->restart = (enum restart)i;
	s->delay_ms = number_of(s->spec, "delay_ms", 1000);
	s->grace_ms = number_of(s->spec, "grace_ms", 10000);
	s->stop_signal = (int)number_of(s->spec, "stop_signal", SIGTERM);
	s->leaves = json_is_true(json_object_get(s->spec, "leaves"));
	return s->spec ? 0 : -EINVAL;
}

/* Its folder must be ours alone: what stands in it is done with our rights. */
static int open_folder(struct supervisor *s, const char *path)
{
	struct stat st;
	int lock;

	s->folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->folder < 0 || fstat(s->folder, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return -EPERM;
	lock = openat(s->folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return -errno; /* held until the end of this process */
	s->log = openat(s->folder, "log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	return s->log < 0 ? -errno : 0;
}

static int take_signals(struct supervisor *s)
{
	static const int taken[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

int supervise(const char *folder)
{
	struct supervisor s = { .folder = -1, .log = -1, .signals = -1, .stop_signal = SIGTERM };

	prctl(PR_SET_NAME, "sloth-supervise");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	umask(022);
	if (open_folder(&s, folder) < 0 || process_boot_id(s.boot) < 0 || take_signals(&s) < 0 ||
		open_spec(&s) < 0)
		return 1;
	start(&s);
	loop(&s);
	if (!s.leaves)
		supervise_sweep();
	json_decref(s.spec);
	return 0;
}
