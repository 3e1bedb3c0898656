/* SPDX-License-Identifier: MIT */
/*
 * Operations of the tree and of the engine in which one allocation, read, write, sync … fails: each in turn,
 * or as many as are asked for, chosen at random. A case is a process of its own with a home of its own, and
 * looks for this:
 *
 * - an operation that failed has left nothing: no row, no file, nothing that the tree shows; one that
 * succeeded has done all; one that has to be refused is;
 * - the errno says what went wrong;
 * - the same operation succeeds when the fault is gone, in the same daemon and in one that starts anew;
 * - the database is whole, and the audit trail;
 * - nothing crashes, hangs or leaks (with a sanitizer).
 */
#include <errno.h>
#include <execinfo.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/event.h"
#include "tests/torture/faults.h"
#include "tests/torture/faulty-look.h"

enum {
	FINDING_MAX = 16 << 10,
	REFERENCE_MAX = 4 << 20,
	CASE_SECONDS = 30,
	FOUND_MAX = 12,
	SITES_MAX = 1 << 16,
	OPERATIONS_MAX = 200
};

/* What can go wrong with which call. */
static const struct trouble {
	const char *name;
	enum fault_kind kind;
	int error;
	bool sticky; /* and stays so until the operation is over */
} troubles[] = {
	{ "alloc", FAULTS_ALLOC, ENOMEM },
	{ "no-memory", FAULTS_ALLOC, ENOMEM, true },
	{ "read-eio", FAULTS_READ, EIO },
	{ "read-short", FAULTS_READ, FAULTS_SHORT },
	{ "write-eio", FAULTS_WRITE, EIO },
	{ "write-enospc", FAULTS_WRITE, ENOSPC },
	{ "disk-full", FAULTS_WRITE, ENOSPC, true },
	{ "write-short", FAULTS_WRITE, FAULTS_SHORT },
	{ "sync-eio", FAULTS_SYNC, EIO },
	{ "disk-dead", FAULTS_SYNC, EIO, true },
	{ "truncate-eio", FAULTS_TRUNCATE, EIO },
	{ "truncate-enospc", FAULTS_TRUNCATE, ENOSPC },
	{ "open-eio", FAULTS_OPEN, EIO },
	{ "open-emfile", FAULTS_OPEN, EMFILE },
	{ "name-eio", FAULTS_NAME, EIO },
	{ "name-enospc", FAULTS_NAME, ENOSPC },
	{ "map-enomem", FAULTS_MAP, ENOMEM },
	{ "lock-eio", FAULTS_LOCK, EIO },
};
enum { TROUBLES = sizeof(troubles) / sizeof(troubles[0]) };

struct site {
	enum fault_kind kind;
	int64_t nth;
};

struct one_case {
	const struct operation *operation;
	const struct trouble *trouble;
	int64_t nth;
};

/* What the processes share. */
static struct shared {
	char finding[FINDING_MAX];
	char reference[REFERENCE_MAX];
	char home[64]; /* of the case that goes on */
	uint64_t ways[FAULTS_WAYS];
	size_t site_count;
	struct site sites[SITES_MAX];
} * shared;

/* Of each operation: how it ends when nothing fails. */
struct reference {
	char *home, *text;
	struct one_case *cases; /* in a random order */
	size_t case_count, next;
	bool made;
};
static struct reference *references;

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}

/* What backtrace() has loaded stays. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:_dl_map_object_deps\n";
}

static bool tracing;

_Noreturn static void found(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn static void found(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(shared->finding, sizeof(shared->finding), format, ap);
	va_end(ap);
	_exit(2);
}

static void play_begin(struct play *play, const struct operation *operation)
{
	*play = (struct play){ 0 };
	ev_loop_fork(ev_default_loop(EVFLAG_NOENV));
	home_copy(&play->home);
	snprintf(shared->home, sizeof(shared->home), "%s", play->home.path);
	home_begin(&play->home);
	if (operation->refused == EDQUOT)
		play->home.engine->config.quotas[operation->quota] = 1;
}

static void play_end(struct play *play)
{
	caller_done(&play->request.caller);
	buffer_done(&play->text);
	home_free(&play->home);
	shared->home[0] = '\0';
}

/* As a new daemon would find it. */
static void play_again(struct play *play)
{
	struct fault fault = { 0 };

	if (play->home.tree)
		tree_free(play->home.tree);
	if (play->home.engine)
		engine_free(play->home.engine);
	play->home.tree = NULL;
	play->home.engine = NULL;
	if (engine_new(play->home.path, play->home.loop, &fault, &play->home.engine) < 0)
		found("a new daemon does not start: %s", fault.text);
	if (event_verify(play->home.engine, &fault) < 0)
		found("the audit trail is broken: %s", fault.text);
	must(tree_new(play->home.engine, &play->home.tree) == 0);
}

static void look_for_leaks(void)
{
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
		found("it leaks");
}

static void note_site(enum fault_kind kind, int64_t nth)
{
	if (shared->site_count < SITES_MAX)
		shared->sites[shared->site_count++] = (struct site){ kind, nth };
}

/* In a process of its own: what the operation gives when nothing fails. */
static void refer(const struct operation *operation)
{
	struct play play;
	char *home;
	int r;

	play_begin(&play, operation);
	faults_ways = shared->ways;
	faults_new_way = note_site;
	faults_arm(FAULTS_ALLOC, ENOMEM, INT64_MAX, false);
	r = play_do(&play, operation);
	faults_disarm();
	if (operation->refused ? r != -operation->refused : r < 0)
		found("without a fault it ends with %s: %s", strerror(-r), play.request.fault.text);
	home = look_at_home(&play, true);
	must(strlen(home) + play.text.size + 2 < REFERENCE_MAX);
	strcpy(shared->reference, home);
	memcpy(shared->reference + strlen(home) + 1, buffer_text(&play.text), play.text.size + 1);
	free(home);
	play_end(&play);
	look_for_leaks();
}

static void expect_same(const char *what, char *before, char *after)
{
	const char *difference = look_differs(before, after);

	if (difference)
		found("%s:%s", what, difference);
	free(before);
	free(after);
}

static void expect_done(struct play *play, const struct reference *reference, const char *what)
{
	char *now = look_at_home(play, true);
	const char *difference = look_differs(reference->home, now);

	if (difference)
		found("%s, but not all of it is there:%s", what, difference);
	difference = look_differs(reference->text, buffer_text(&play->text));
	if (difference)
		found("%s, but what was read is another:%s", what, difference);
	free(now);
}

/* A failure has the name of its cause. */
static bool names_its_cause(const struct trouble *trouble, int r)
{
	switch (trouble->kind) {
	case FAULTS_ALLOC:
	case FAULTS_MAP:
		return r == -ENOMEM;
	case FAULTS_READ: /* SQLite calls a page that can't be read damaged */
		return r == -EIO || r == -ENOMEM || r == -EBADMSG;
	case FAULTS_LOCK: /* SQLite takes it for somebody else's lock */
		return r == -EIO || r == -EAGAIN;
	default:
		return trouble->error == FAULTS_SHORT ? false
		       : trouble->error == ENOSPC     ? r == -ENOSPC
						      : r == -EIO || r == -trouble->error || r == -ENOMEM;
	}
}

static void try_case(const struct one_case *it)
{
	const struct reference *reference = &references[it->operation - operations];
	char *home, *tree;
	struct play play;
	int r;

	play_begin(&play, it->operation);
	home = look_at_home(&play, false);
	tree = look_at_tree(&play);
	faults_plan()->trace = tracing;
	faults_arm(it->trouble->kind, it->trouble->error, it->nth, it->trouble->sticky);
	r = play_do(&play, it->operation);
	faults_disarm();
	if (it->operation->refused && r >= 0)
		found("it is not refused");
	if (r >= 0) {
		expect_done(&play, reference, "it was said to be done");
		free(home);
		free(tree);
	} else {
		expect_same("it failed, and yet this is another now", home, look_at_home(&play, false));
		if (play.home.tree)
			expect_same("it failed, and yet this shows another now", tree, look_at_tree(&play));
		else
			free(tree);
		if (r != -it->operation->refused && !names_its_cause(it->trouble, r))
			found("it failed with %s: %s", strerror(-r), play.request.fault.text);
		r = play_do(&play, it->operation);
		if (r != -it->operation->refused && (r < 0 || it->operation->refused))
			found("although the fault is gone it ends with %s: %s", strerror(-r),
				play.request.fault.text);
		expect_done(&play, reference, "it was done when the fault was gone");
	}
	play_again(&play);
	home_check(&play.home);
	play_end(&play);
	look_for_leaks();
}

/* 0, or 1 with what was found in shared->finding. */
static int in_child(void (*work)(const void *argument), const void *argument)
{
	char name[] = "/tmp/sloth-faulty-XXXXXX", text[8192] = "";
	CLEANUP(cleanup_fd) int err = mkstemp(name);
	int status;
	pid_t pid;

	must(err >= 0);
	unlink(name);
	shared->finding[0] = '\0';
	fflush(NULL);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		dup2(err, STDERR_FILENO);
		alarm(CASE_SECONDS);
		work(argument);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	if (*shared->home) /* it could not do so itself */
		home_remove(shared->home);
	shared->home[0] = '\0';
	if (status == 0)
		return 0;
	if (pread(err, text, sizeof(text) - 1, 0) > 0 || !shared->finding[0])
		snprintf(shared->finding + strlen(shared->finding),
			sizeof(shared->finding) - strlen(shared->finding), "%s(%s %d)\n%s",
			shared->finding[0] ? "\n" : "", WIFSIGNALED(status) ? "signal" : "exit",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), text);
	return 1;
}

static void refer_work(const void *argument)
{
	refer(argument);
}

static void case_work(const void *argument)
{
	try_case(argument);
}

static void furnish(struct home *home)
{
	struct play play = { .home = *home };

	operations_prepare(&play);
	caller_done(&play.request.caller);
	buffer_done(&play.text);
}

struct choice {
	const char *operation, *trouble; /* NULL: all */
	int64_t nth, count;
	double seconds;
	unsigned seed;
};

/* Each way to a call that can fail, with each trouble that it can have. */
static void cases_make(const struct operation *operation, const struct choice *choice, struct reference *ret)
{
	ret->cases = calloc(shared->site_count * TROUBLES + 1, sizeof(*ret->cases));
	must(ret->cases);
	for (size_t i = 0; i < shared->site_count; i++)
		for (size_t j = 0; j < TROUBLES; j++) {
			const struct site *site = &shared->sites[i];

			if (troubles[j].kind != site->kind || (choice->nth && choice->nth != site->nth) ||
				(choice->trouble && strcmp(choice->trouble, troubles[j].name) != 0))
				continue;
			ret->cases[ret->case_count++] =
				(struct one_case){ operation, &troubles[j], site->nth };
		}
	for (size_t i = ret->case_count; i > 1; i--) {
		size_t j = (size_t)random() % i;
		struct one_case other = ret->cases[j];

		ret->cases[j] = ret->cases[i - 1];
		ret->cases[i - 1] = other;
	}
}

static int reference_make(
	const struct operation *operation, const struct choice *choice, struct reference *ret)
{
	ret->made = true;
	shared->site_count = 0;
	/* One that is looked for has perhaps been seen on another operation's way. */
	if (choice->nth)
		memset(shared->ways, 0, sizeof(shared->ways));
	if (in_child(refer_work, operation)) {
		printf("%s: %s\n", operation->name, shared->finding);
		return 1;
	}
	ret->home = strdup(shared->reference);
	ret->text = strdup(shared->reference + strlen(shared->reference) + 1);
	must(ret->home && ret->text);
	cases_make(operation, choice, ret);
	return 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct score {
	size_t operations, cases;
	int findings;
};

/* Whether there is more. */
static bool next_case(const struct operation *operation, const struct choice *choice, struct score *score)
{
	struct reference *reference = &references[operation - operations];
	const struct one_case *it;

	if (!reference->made) {
		score->operations++;
		if (reference_make(operation, choice, reference))
			score->findings++;
	}
	if (reference->next == reference->case_count)
		return false;
	it = &reference->cases[reference->next++];
	score->cases++;
	if (in_child(case_work, it)) {
		score->findings++;
		printf("%s, %s, %lld: %s\n", operation->name, it->trouble->name, (long long)it->nth,
			shared->finding);
	}
	return true;
}

/* The operations that are asked for, in a random order. */
static size_t operations_choose(const struct choice *choice, const struct operation *ret_rows[])
{
	size_t count = 0;

	for (size_t i = 0; i < operation_count; i++)
		if (choice->operation ? !strcmp(choice->operation, operations[i].name)
				      : !operations[i].control)
			ret_rows[count++] = &operations[i];
	for (size_t i = count; i > 1; i--) {
		size_t j = (size_t)random() % i;
		const struct operation *other = ret_rows[j];

		ret_rows[j] = ret_rows[i - 1];
		ret_rows[i - 1] = other;
	}
	return count;
}

/* One of each in its turn, until there are no more. */
static void run_all(const struct choice *choice, struct score *score)
{
	const struct operation *rows[OPERATIONS_MAX];
	size_t count = operations_choose(choice, rows), left = count;
	double end = now() + choice->seconds;

	while (left)
		for (size_t i = 0; i < count; i++) {
			if (score->findings >= FOUND_MAX ||
				(choice->count && score->cases >= (size_t)choice->count) ||
				(choice->seconds > 0 && now() > end))
				return;
			if (rows[i] && !next_case(rows[i], choice, score)) {
				rows[i] = NULL;
				left--;
			}
		}
}

static int run(const struct choice *choice)
{
	struct score score = { 0 };
	size_t known = 0;

	must(operation_count <= OPERATIONS_MAX);
	references = calloc(operation_count, sizeof(*references));
	must(references);
	srandom(choice->seed);
	run_all(choice, &score);
	for (size_t i = 0; i < operation_count; i++) {
		known += references[i].case_count;
		free(references[i].home);
		free(references[i].text);
		free(references[i].cases);
	}
	free(references);
	printf("%zu operations, %zu of %zu faults, %d findings\n", score.operations, score.cases, known,
		score.findings);
	return score.findings > 0;
}

static const struct option options[] = {
	{ "operation", required_argument, NULL, 'o' },
	{ "trouble", required_argument, NULL, 't' },
	{ "nth", required_argument, NULL, 'n' },
	{ "count", required_argument, NULL, 'c' },
	{ "seconds", required_argument, NULL, 's' },
	{ "seed", required_argument, NULL, 'r' },
	{ "trace", no_argument, NULL, 'T' },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct choice choice = { .seed = 1 };
	void *frame;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'o':
			choice.operation = optarg;
			break;
		case 't':
			choice.trouble = optarg;
			break;
		case 'n':
			choice.nth = strtoll(optarg, NULL, 10);
			break;
		case 'c':
			choice.count = strtoll(optarg, NULL, 10);
			break;
		case 's':
			choice.seconds = strtod(optarg, NULL);
			break;
		case 'r':
			choice.seed = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'T':
			tracing = true;
			break;
		default:
			return 2;
		}
	}
	backtrace(&frame, 1); /* the first time it loads a library */
	setvbuf(stdout, NULL, _IOLBF, 0);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	log_set_level(LOG_LEVEL_ERROR);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared != MAP_FAILED);
	home_furnish = furnish;
	home_prepare();
	r = run(&choice);
	munmap(shared, sizeof(*shared));
	return r;
}
