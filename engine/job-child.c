/* SPDX-License-Identifier: MIT */
/* What a child of the daemon does: one row a job. */
#include "engine/job-child.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/backup.h"
#include "engine/examine.h"
#include "engine/quota.h"
#include "engine/backup-restore.h"

static int number_of(const char *text, int64_t *ret_number, struct fault *fault)
{
	return parse_int64(text, ret_number) < 0 ? fault_set(fault, EINVAL, "%s is no number", text) : 0;
}

/* HOME KIND UID REASON */
static int backup_job(const char *home, char **arguments, struct fault *fault, json_t **ret_answer)
{
	int kind = backup_kind_parse(arguments[0]);
	struct backup_order order = { .reason = arguments[2] };
	int64_t uid, number;
	int r = kind < 0 ? kind : number_of(arguments[1], &uid, fault);

	if (r < 0)
		return r;
	order.kind = (enum backup_kind)kind;
	order.uid = (uid_t)uid;
	r = backup_make(home, &order, fault, &number);
	if (r == 0)
		*ret_answer = json_pack("{s:i, s:I}", "code", 0, "number", (json_int_t)number);
	return r;
}

/* HOME NUMBER */
static int verify_job(const char *home, char **arguments, struct fault *fault, json_t **ret_answer)
{
	int64_t number;
	int r = number_of(arguments[0], &number, fault);

	return r < 0 ? r : backup_verify(home, number, fault);
}

/* HOME NUMBER UID */
static int restore_job(const char *home, char **arguments, struct fault *fault, json_t **ret_answer)
{
	int64_t number, uid;
	int r = number_of(arguments[0], &number, fault);

	r = r < 0 ? r : number_of(arguments[1], &uid, fault);
	return r < 0 ? r : backup_restore_prepare(home, number, (uid_t)uid, fault);
}

/* HOME quick|deep */
static int check_job(const char *home, char **arguments, struct fault *fault, json_t **ret_answer)
{
	CLEANUP(cleanup_free) char *path = NULL;
	json_t *report;
	int r;

	if (asprintf(&path, "%s/sloth.db", home) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = examine(path, !strcmp(arguments[0], "deep"), fault, &report);
	if (r == 0)
		*ret_answer = json_pack("{s:i, s:o}", "code", 0, "report", report);
	return r;
}

/* HOME */
static int storage_job(const char *home, char **arguments, struct fault *fault, json_t **ret_answer)
{
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(cleanup_free) char *path = NULL;
	json_t *counts;
	int r;

	if (asprintf(&path, "%s/sloth.db", home) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = store_open_read(path, fault, &store);
	if (r == 0)
		r = quota_count(store, &counts);
	if (r == 0)
		*ret_answer = json_pack("{s:i, s:o}", "code", 0, "users", counts);
	return r;
}

static const struct {
	const char *name;
	int arguments; /* behind the home */
	int (*run)(const char *home, char **arguments, struct fault *fault, json_t **ret_answer);
} jobs[] = {
	{ "backup", 3, backup_job },
	{ "verify", 1, verify_job },
	{ "restore", 2, restore_job },
	{ "check", 1, check_job },
	{ "storage", 0, storage_job },
};

int job_child(int count, char **arguments)
{
	json_auto_t *answer = NULL;
	struct fault fault = { 0 };
	struct pollfd answers = { .fd = STDOUT_FILENO };
	int r = -EINVAL;

	/* When who asked is gone, nobody wants it: from now on, or before. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&answers, 1, 0) > 0 && (answers.revents & POLLERR))
		return 1;
	FAILPOINT("job.begin");
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (count == jobs[i].arguments + 2 && !strcmp(jobs[i].name, arguments[0]))
			r = jobs[i].run(arguments[1], arguments + 2, &fault, &answer);
	FAILPOINT("job.answer");
	if (r < 0)
		answer = json_pack("{s:i, s:s}", "code", -r, "text", fault.code ? fault.text : strerror(-r));
	else if (!answer)
		answer = json_pack("{s:i}", "code", 0);
	return json_dumpf(answer, stdout, JSON_COMPACT) < 0 || fflush(stdout) < 0;
}
