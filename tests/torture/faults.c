/* SPDX-License-Identifier: MIT */
/* With it, the functions below would have the names of those for large files, which stand below, too. */
#undef _FILE_OFFSET_BITS
#include "tests/torture/faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The sanitizer's, where there is one; else the library's. */
extern void *__interceptor_malloc(size_t size) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *p, size_t size) __attribute__((weak));
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __sanitizer_print_stack_trace(void) __attribute__((weak));

enum { WAY_DEPTH = 30 };

void (*faults_new_way)(enum fault_kind kind, int64_t nth);
uint64_t *faults_ways;
static struct fault_plan own;
static struct fault_plan *plan = &own;
static _Thread_local bool inside; /* printing the stack allocates */

struct fault_plan *faults_plan(void)
{
	return plan;
}

void faults_disarm(void)
{
	plan->armed = 0;
}

void faults_arm(enum fault_kind kind, int error, int64_t nth, int sticky)
{
	plan->armed = 0;
	for (int i = 0; i < FAULTS_KINDS; i++)
		plan->counts[i] = 0;
	plan->kind = (int32_t)kind;
	plan->error = error;
	plan->nth = nth;
	plan->sticky = sticky;
	plan->hits = 0;
	plan->armed = 1;
}

/* Only the program that was named: not the command, nor a child that has become another one. */
__attribute__((constructor)) static void share(void)
{
	const char *path = getenv("SLOTH_FAULTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		plan = p;
	close(fd);
}

static bool way_is_new(enum fault_kind kind)
{
	uint64_t hash = 14695981039346656037U + (uint64_t)kind;
	void *frames[WAY_DEPTH];
	int count = backtrace(frames, WAY_DEPTH);

	for (int i = 0; i < count; i++)
		hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 1099511628211U;
	for (size_t i = hash % FAULTS_WAYS, tries = 0; tries < FAULTS_WAYS;
		tries++, i = (i + 1) % FAULTS_WAYS) {
		if (faults_ways[i] == hash)
			return false;
		if (!faults_ways[i]) {
			faults_ways[i] = hash;
			return true;
		}
	}
	return false;
}

static void note_way(enum fault_kind kind, int64_t n)
{
	inside = true;
	if (way_is_new(kind))
		faults_new_way(kind, n);
	inside = false;
}

static bool hit(enum fault_kind kind)
{
	int64_t n;

	if (!plan->armed || inside)
		return false;
	n = ++plan->counts[kind];
	if (faults_new_way)
		note_way(kind, n);
	if ((enum fault_kind)plan->kind != kind || (n != plan->nth && !(plan->sticky && n > plan->nth)))
		return false;
	plan->hits++;
	if (plan->trace && __sanitizer_print_stack_trace) {
		inside = true;
		__sanitizer_print_stack_trace();
		inside = false;
	}
	return true;
}

/* Also sets errno. */
static bool fails(enum fault_kind kind)
{
	if (!hit(kind))
		return false;
	errno = plan->error > 0 ? plan->error : EIO;
	return true;
}

/* Files: the kernel's own door, sockets and pipes do not fail like that, and the log stays. */
static bool is_file(int fd)
{
	struct stat st;

	return fd != STDERR_FILENO && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* What can be done by halves: fewer bytes, or false with errno. */
static bool halves(enum fault_kind kind, int fd, size_t *size)
{
	if (!plan->armed || inside || !is_file(fd) || !hit(kind))
		return true;
	if (plan->error == FAULTS_SHORT) {
		*size = *size > 1 ? *size / 2 : *size;
		return true;
	}
	errno = plan->error;
	return false;
}

/* The next function of the same name: the sanitizer's or the library's. */
#define NEXT(name)                                                                                           \
	__extension__({                                                                                      \
		static __typeof__(&name) next_;                                                              \
		if (!next_)                                                                                  \
			next_ = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name);                       \
		next_;                                                                                       \
	})

void *malloc(size_t size)
{
	if (fails(FAULTS_ALLOC))
		return NULL;
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	if (fails(FAULTS_ALLOC))
		return NULL;
	return __interceptor_calloc ? __interceptor_calloc(count, size) : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
	if (fails(FAULTS_ALLOC))
		return NULL;
	return __interceptor_realloc ? __interceptor_realloc(p, size) : __libc_realloc(p, size);
}

/* The sanitizer's own would not ask malloc(). */
char *strdup(const char *text)
{
	return strndup(text, strlen(text));
}

char *strndup(const char *text, size_t size)
{
	size_t n = strnlen(text, size);
	char *copy = malloc(n + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

ssize_t write(int fd, const void *data, size_t size)
{
	return halves(FAULTS_WRITE, fd, &size) ? NEXT(write)(fd, data, size) : -1;
}

/* Only answers to the kernel are written like that. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return fails(FAULTS_ANSWER) ? -1 : NEXT(writev)(fd, parts, count);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return halves(FAULTS_WRITE, fd, &size) ? NEXT(pwrite)(fd, data, size, offset) : -1;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	return halves(FAULTS_WRITE, fd, &size) ? NEXT(pwrite64)(fd, data, size, offset) : -1;
}

ssize_t read(int fd, void *data, size_t size)
{
	return halves(FAULTS_READ, fd, &size) ? NEXT(read)(fd, data, size) : -1;
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
	return halves(FAULTS_READ, fd, &size) ? NEXT(pread)(fd, data, size, offset) : -1;
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
	return halves(FAULTS_READ, fd, &size) ? NEXT(pread64)(fd, data, size, offset) : -1;
}

int fsync(int fd)
{
	return fails(FAULTS_SYNC) ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
	return fails(FAULTS_SYNC) ? -1 : NEXT(fdatasync)(fd);
}

int ftruncate(int fd, off_t size)
{
	return fails(FAULTS_TRUNCATE) ? -1 : NEXT(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
	return fails(FAULTS_TRUNCATE) ? -1 : NEXT(ftruncate64)(fd, size);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name)                                                                                           \
	int name(const char *path, int flags, ...)                                                           \
	{                                                                                                    \
		va_list ap;                                                                                  \
		mode_t mode;                                                                                 \
                                                                                                             \
		va_start(ap, flags);                                                                         \
		mode = mode_of(flags, ap);                                                                   \
		va_end(ap);                                                                                  \
		return fails(FAULTS_OPEN) ? -1 : NEXT(name)(path, flags, mode);                              \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                         \
	int name(int folder, const char *path, int flags, ...)                                               \
	{                                                                                                    \
		va_list ap;                                                                                  \
		mode_t mode;                                                                                 \
                                                                                                             \
		va_start(ap, flags);                                                                         \
		mode = mode_of(flags, ap);                                                                   \
		va_end(ap);                                                                                  \
		return fails(FAULTS_OPEN) ? -1 : NEXT(name)(folder, path, flags, mode);                      \
	}
OPENAT(openat)
OPENAT(openat64)

int unlink(const char *path)
{
	return fails(FAULTS_NAME) ? -1 : NEXT(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags)
{
	return fails(FAULTS_NAME) ? -1 : NEXT(unlinkat)(folder, path, flags);
}

int rename(const char *from, const char *to)
{
	return fails(FAULTS_NAME) ? -1 : NEXT(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	return fails(FAULTS_NAME) ? -1 : NEXT(renameat)(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
	return fails(FAULTS_NAME) ? -1 : NEXT(renameat2)(from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *to)
{
	return fails(FAULTS_NAME) ? -1 : NEXT(link)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
	return fails(FAULTS_NAME) ? -1 : NEXT(mkdir)(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
	return fails(FAULTS_NAME) ? -1 : NEXT(mkdirat)(folder, path, mode);
}

/* Anonymous memory is the sanitizer's business. */
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (fd >= 0 && fails(FAULTS_MAP))
		return MAP_FAILED;
	return NEXT(mmap)(address, size, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
	if (fd >= 0 && fails(FAULTS_MAP))
		return MAP_FAILED;
	return NEXT(mmap64)(address, size, protection, flags, fd, offset);
}

static bool locks(int command)
{
	return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

#define FCNTL(name)                                                                                          \
	int name(int fd, int command, ...)                                                                   \
	{                                                                                                    \
		va_list ap;                                                                                  \
		void *argument;                                                                              \
                                                                                                             \
		va_start(ap, command);                                                                       \
		argument = va_arg(ap, void *);                                                               \
		va_end(ap);                                                                                  \
		return locks(command) && fails(FAULTS_LOCK) ? -1 : NEXT(name)(fd, command, argument);        \
	}
FCNTL(fcntl)
FCNTL(fcntl64)
