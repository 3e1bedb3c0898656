/* SPDX-License-Identifier: MIT */
/* The driver: which cases there are, on how many CPUs they run, and in which folder. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/server.h"

struct row {
	const char *name;
	void (*run)(const struct bench *bench);
	bool free; /* on all CPUs; else on one, with everything that it starts */
	const char *suffix;
	unsigned rounds;
};

static const struct row rows[] = {
	{ .name = "floors", .run = case_floors, .rounds = 5 },
	{ .name = "read", .run = case_read, .rounds = 15 },
	{ .name = "versions", .run = case_versions, .rounds = 5 },
	{ .name = "lock", .run = case_lock, .rounds = 15 },
	{ .name = "clients", .run = case_clients, .rounds = 7 },
	{ .name = "clients-free", .run = case_clients, .free = true, .suffix = "-free", .rounds = 5 },
	{ .name = "kv", .run = case_kv, .rounds = 7 },
	{ .name = "kv-free", .run = case_kv, .free = true, .suffix = "-free", .rounds = 5 },
	{ .name = "workflow", .run = case_workflow, .rounds = 9 },
	{ .name = "workflow-free", .run = case_workflow, .free = true, .suffix = "-free", .rounds = 9 },
	{ .name = "tasks", .run = case_tasks, .free = true, .suffix = "", .rounds = 5 },
	{ .name = "resources", .run = case_resources, .rounds = 5 },
	{ .name = "load", .run = case_load, .rounds = 9 },
	{ .name = "start", .run = case_start, .rounds = 5 },
	{ .name = "deps", .run = case_deps, .rounds = 5 },
	{ .name = "list", .run = case_list, .rounds = 5 },
	{ .name = "scale", .run = case_scale, .rounds = 5 },
	{ .name = "drift", .run = case_drift, .rounds = 3 },
	{ .name = "watch", .run = case_watch, .rounds = 1 },
};

static char *directory;
static pid_t owner;

static void say(const char *format, va_list ap)
{
	fputs("sloth-bench: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	exit(1);
}

void skip(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	exit(77);
}

void *need(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

char *text_of(const char *format, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		die("out of memory");
	return text;
}

void file_write(const char *path, const char *text)
{
	size_t size = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	if (write(fd, text, size) != (ssize_t)size || close(fd) < 0)
		die("%s: %s", path, strerror(errno));
}

size_t file_read(const char *path, char *ret_text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, size - 1);

	if (n < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
	ret_text[n] = '\0';
	return (size_t)n;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	remove(path);
	return 0;
}

/* Only by the process that made it: cases fork. */
static void clean_up(void)
{
	if (getpid() != owner)
		return;
	server_stop_all();
	if (directory && !getenv("SLOTH_BENCH_KEEP"))
		nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void stop_signal(int signal)
{
	exit(1);
}

/* fdatasync(2) costs nothing in memory: the figures would mean nothing. */
static void make_directory(void)
{
	const char *base = getenv("SLOTH_BENCH_DIR") ? getenv("SLOTH_BENCH_DIR") : "/var/tmp";
	struct statfs fs;

	if (statfs(base, &fs) < 0)
		die("%s: %s", base, strerror(errno));
	if (fs.f_type == TMPFS_MAGIC)
		die("%s is in memory: name a folder on a disk in SLOTH_BENCH_DIR", base);
	directory = text_of("%s/sloth-bench.XXXXXX", base);
	if (!mkdtemp(directory))
		die("%s: %s", directory, strerror(errno));
}

/* All that is started from here on inherits it: both sides stand on the same CPU. */
static void pin(void)
{
	const char *wanted = getenv("SLOTH_BENCH_CPU");
	cpu_set_t set, one;
	int cpu = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		die("sched_getaffinity: %s", strerror(errno));
	while (cpu > 0 && !CPU_ISSET(cpu, &set))
		cpu--;
	if (wanted)
		cpu = (int)strtol(wanted, NULL, 10);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		die("CPU %d: %s", cpu, strerror(errno));
}

static const struct row *find_row(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const char *rounds = getenv("SLOTH_BENCH_ROUNDS");
	const struct row *row = argc == 6 ? find_row(argv[1]) : NULL;
	struct bench bench;

	if (!row) {
		fputs("Usage: sloth-bench CASE SLOTHD SLOTH HELLO-FS HELLO\n", stderr);
		return 2;
	}
	owner = getpid();
	if (atexit(clean_up))
		die("out of memory");
	signal(SIGINT, stop_signal);
	signal(SIGTERM, stop_signal);
	make_directory();
	if (!row->free)
		pin();
	bench = (struct bench){
		.slothd = argv[2],
		.sloth = argv[3],
		.hello_fs = argv[4],
		.hello = argv[5],
		.directory = directory,
		.suffix = row->suffix ? row->suffix : "",
		.rounds = rounds ? (unsigned)strtoul(rounds, NULL, 10) : row->rounds,
	};
	if (!bench.rounds)
		die("SLOTH_BENCH_ROUNDS is no number above 0");
	row->run(&bench);
	return 0;
}
