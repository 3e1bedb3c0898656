/* SPDX-License-Identifier: MIT */
/* The daemon's care for its database. */
#include "engine/upkeep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/backup.h"
#include "engine/event.h"
#include "engine/examine.h"
#include "engine/job.h"
#include "engine/quota.h"
#include "engine/backup-restore.h"
#include "engine/run.h"

/* Seconds. One that failed is tried again; and the clock may be set, so nobody waits longer than this at
 * once. */
static const double RETRY = 600, LOOK = 60;

enum { FRESH_MAX = 16 };

struct upkeep {
	struct engine *engine;
	struct jobs jobs;
	LIST_HEAD(, errand) errands;
	ev_timer daily;
	bool daily_goes_on;
	int64_t tried_ms; /* when the last daily backup failed, or began; 0: it was made */
	json_t *report;
	int64_t made, verified;
	int64_t fresh[FRESH_MAX]; /* backups whose events are not on disk yet */
	size_t fresh_count;
	ev_prepare settle;
	unsigned failed_turns;
	void (*restored)(void *userdata);
	void *userdata;
};

struct errand {
	LIST_ENTRY(errand) link;
	struct upkeep *upkeep;
	struct job *job;
	uid_t uid;
	enum backup_kind kind;
	int64_t number;
	char *reason; /* of a backup; NULL: it is something else */
	bool deep;
	/* Inside a change: what is remembered of it. May turn the result. */
	int (*finish)(struct errand *errand, int result, struct fault *fault, json_t *answer);
	upkeep_done *done; /* NULL: nobody wants to know */
	void *userdata;
};

static void errand_free(struct errand *errand)
{
	if (!errand)
		return;
	LIST_REMOVE(errand, link);
	free(errand->reason);
	free(errand);
}

/* The change is committed with the turn. */
static int note(struct errand *errand, const char *type, json_t *data)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct caller caller = { .uid = errand->uid, .groups_known = true };
	struct engine *engine = errand->upkeep->engine;
	int r = store_change_begin(engine->store, &change);

	if (r < 0)
		json_decref(data);
	else
		r = event_add(engine, errand->kind == BACKUP_DAILY ? NULL : &caller, type, 0, NULL, 0, data);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		log_error("%s: the event cannot be stored: %s", type, strerror(-r));
	return r;
}

static void errand_over(void *userdata, int result, const struct fault *said, json_t *answer)
{
	struct errand *errand = userdata;
	struct upkeep *upkeep = errand->upkeep;
	struct fault fault = *said;
	upkeep_done *done = errand->done;
	void *whose = errand->userdata;
	bool restoring = upkeep->engine->restoring;

	errand->job = NULL;
	result = errand->finish(errand, result, &fault, answer);
	errand_free(errand);
	if (done)
		done(whose, result, &fault);
	if (!restoring && upkeep->engine->restoring)
		upkeep->restored(upkeep->userdata);
}

static int errand_start(struct upkeep *upkeep, const struct errand *wanted, const char *const *arguments,
	struct fault *fault, struct errand **ret_errand)
{
	struct errand *errand = malloc(sizeof(*errand));
	int r;

	if (!errand)
		return fault_set(fault, ENOMEM, "out of memory");
	*errand = *wanted;
	errand->upkeep = upkeep;
	LIST_INSERT_HEAD(&upkeep->errands, errand, link);
	r = job_start(&upkeep->jobs, arguments, errand_over, errand, fault, &errand->job);
	if (r < 0) {
		errand->reason = NULL; /* the caller's still */
		errand_free(errand);
		return r;
	}
	*ret_errand = errand;
	return 0;
}

void upkeep_forget(struct errand *errand)
{
	errand->done = NULL;
}

/* A child that was killed leaves what it had begun; another one may be at work. */
static void clean_after(struct errand *errand)
{
	struct errand *other;

	LIST_FOREACH (other, &errand->upkeep->errands, link)
		if (other != errand && other->reason)
			return;
	backup_clean(errand->upkeep->engine->home);
}

/* A backup of which whoever asked for it is told that there is none. */
static void take_back(struct upkeep *upkeep, int64_t number)
{
	struct fault fault = { 0 };

	if (upkeep->made == number)
		upkeep->made = 0;
	if (backup_remove(upkeep->engine->home, number, &fault) < 0)
		log_error("a backup that was not noted stays: %s", fault.text);
}

/* After the commit, or after it failed. Older ones make room for what is there for good. */
static void settle(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct upkeep *upkeep = prepare->data;
	bool failed = upkeep->failed_turns != upkeep->engine->failed_turns;

	if (store_turn_dirty(upkeep->engine->store))
		return; /* it goes on */
	upkeep->failed_turns = upkeep->engine->failed_turns;
	for (size_t i = 0; failed && i < upkeep->fresh_count; i++)
		take_back(upkeep, upkeep->fresh[i]);
	if (!failed && upkeep->fresh_count)
		backup_prune(upkeep->engine->home, upkeep->engine->config.backup_keep);
	upkeep->fresh_count = 0;
}

static int backup_over(struct errand *errand, int result, struct fault *fault, json_t *answer)
{
	struct upkeep *upkeep = errand->upkeep;
	json_auto_t *value = NULL;
	char name[BACKUP_NAME_SIZE];
	int r;

	if (result < 0) {
		log_error("no backup: %s", fault->text);
		clean_after(errand);
		note(errand, "backup.failed",
			json_pack(
				"{s:s, s:s}", "kind", backup_kind_name(errand->kind), "error", fault->text));
		return result;
	}
	errand->number = json_integer_value(json_object_get(answer, "number"));
	upkeep->made = errand->number;
	value = backup_describe(upkeep->engine->home, errand->number);
	r = note(errand, "backup.created",
		json_pack("{s:s, s:s, s:s, s:O*}", "name", backup_name(errand->number, name), "kind",
			backup_kind_name(errand->kind), "reason", errand->reason, "sha256",
			json_object_get(value, "sha256")));
	if (r < 0) {
		take_back(upkeep, errand->number);
		return fault_set(fault, -r, "there is no backup: that it was made could not be stored: %s",
			strerror(-r));
	}
	if (upkeep->fresh_count < FRESH_MAX)
		upkeep->fresh[upkeep->fresh_count++] = errand->number;
	return 0;
}

static int backup_start(struct upkeep *upkeep, enum backup_kind kind, uid_t uid, const char *reason,
	upkeep_done *done, void *userdata, struct fault *fault, struct errand **ret_errand)
{
	CLEANUP(cleanup_free) char *copy = strdup(reason);
	struct errand wanted = { .uid = uid,
		.kind = kind,
		.reason = copy,
		.finish = backup_over,
		.done = done,
		.userdata = userdata };
	char user[24];
	int r;

	if (!copy)
		return fault_set(fault, ENOMEM, "out of memory");
	snprintf(user, sizeof(user), "%u", uid);
	r = errand_start(upkeep, &wanted,
		(const char *[]){ "backup", upkeep->engine->home, backup_kind_name(kind), user, copy, NULL },
		fault, ret_errand);
	if (r == 0)
		copy = NULL;
	return r;
}

int upkeep_backup(struct upkeep *upkeep, struct caller *caller, const char *reason, upkeep_done *done,
	void *userdata, struct fault *fault, struct errand **ret_errand)
{
	size_t size = strlen(reason);

	if (size > BACKUP_REASON_MAX || !text_is_utf8(reason, size))
		return fault_set(fault, EINVAL, "a reason is text of at most %d bytes", BACKUP_REASON_MAX);
	return backup_start(upkeep, BACKUP_MANUAL, caller->uid, reason, done, userdata, fault, ret_errand);
}

static int verify_over(struct errand *errand, int result, struct fault *fault, json_t *answer)
{
	char name[BACKUP_NAME_SIZE];

	if (result == 0)
		errand->upkeep->verified = errand->number;
	else
		log_error("%s: %s", backup_name(errand->number, name), fault->text);
	return result;
}

int upkeep_verify(struct upkeep *upkeep, struct caller *caller, int64_t number, upkeep_done *done,
	void *userdata, struct fault *fault, struct errand **ret_errand)
{
	struct errand wanted = { .uid = caller->uid,
		.number = number,
		.finish = verify_over,
		.done = done,
		.userdata = userdata };
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	return errand_start(upkeep, &wanted, (const char *[]){ "verify", upkeep->engine->home, text, NULL },
		fault, ret_errand);
}

static int no_runs(struct upkeep *upkeep, struct fault *fault)
{
	int64_t count;
	int r = run_count_unfinished(upkeep->engine, 0, &count);

	if (r < 0 || !count)
		return r;
	return fault_set(fault, EBUSY,
		"%lld run%s not finished: nothing is restored under %s. Wait for the end (cat runs/ID/wait), "
		"or cancel "
		"(echo cancel > runs/ID/ctl)",
		(long long)count, count == 1 ? " is" : "s are", count == 1 ? "it" : "them");
}

/* Runs may have begun meanwhile. */
static int restore_over(struct errand *errand, int result, struct fault *fault, json_t *answer)
{
	struct upkeep *upkeep = errand->upkeep;

	if (result == 0)
		result = no_runs(upkeep, fault);
	if (result == 0)
		result = backup_restore_promise(upkeep->engine->home, fault);
	if (result == 0)
		upkeep->engine->restoring = true;
	else
		backup_restore_clean(upkeep->engine->home);
	return result;
}

static int restore_under_way(struct upkeep *upkeep)
{
	struct errand *errand;

	LIST_FOREACH (errand, &upkeep->errands, link)
		if (errand->finish == restore_over)
			return true;
	return upkeep->engine->restoring;
}

int upkeep_restore(struct upkeep *upkeep, struct caller *caller, int64_t number, upkeep_done *done,
	void *userdata, struct fault *fault, struct errand **ret_errand)
{
	struct errand wanted = { .uid = caller->uid,
		.number = number,
		.finish = restore_over,
		.done = done,
		.userdata = userdata };
	char text[24], user[24];
	int r = no_runs(upkeep, fault);

	if (r < 0)
		return r;
	if (restore_under_way(upkeep))
		return fault_set(fault, EBUSY, "a backup is being restored already");
	snprintf(text, sizeof(text), "%lld", (long long)number);
	snprintf(user, sizeof(user), "%u", caller->uid);
	return errand_start(upkeep, &wanted,
		(const char *[]){ "restore", upkeep->engine->home, text, user, NULL }, fault, ret_errand);
}

static int check_over(struct errand *errand, int result, struct fault *fault, json_t *answer)
{
	struct upkeep *upkeep = errand->upkeep;
	json_t *report = json_object_get(answer, "report");

	if (result < 0)
		return result;
	json_decref(upkeep->report);
	upkeep->report = json_incref(report);
	result = examine_verdict(report, fault);
	if (result < 0) {
		log_error("the database is %s", fault->text);
		note(errand, "check.failed", json_pack("{s:s}", "found", fault->text));
	}
	return result;
}

int upkeep_check(struct upkeep *upkeep, struct caller *caller, bool deep, upkeep_done *done, void *userdata,
	struct fault *fault, struct errand **ret_errand)
{
	struct errand wanted = {
		.uid = caller->uid, .deep = deep, .finish = check_over, .done = done, .userdata = userdata
	};

	return errand_start(upkeep, &wanted,
		(const char *[]){ "check", upkeep->engine->home, deep ? "deep" : "quick", NULL }, fault,
		ret_errand);
}

static int storage_over(struct errand *errand, int result, struct fault *fault, json_t *answer)
{
	if (result < 0)
		log_error("what users have stored could not be counted: %s", fault->text);
	quota_counted(errand->upkeep->engine, result < 0 ? NULL : json_object_get(answer, "users"));
	return result;
}

static int storage_start(void *userdata)
{
	struct upkeep *upkeep = userdata;
	struct errand wanted = { .finish = storage_over }, *errand;

	quota_count_begun(upkeep->engine);
	return errand_start(
		upkeep, &wanted, (const char *[]){ "storage", upkeep->engine->home, NULL }, NULL, &errand);
}

int upkeep_remove(struct upkeep *upkeep, struct caller *caller, int64_t number, struct fault *fault)
{
	char name[BACKUP_NAME_SIZE];
	int r = event_add(upkeep->engine, caller, "backup.deleted", 0, NULL, 0,
		json_pack("{s:s}", "name", backup_name(number, name)));

	return r < 0 ? r : backup_remove(upkeep->engine->home, number, fault);
}

json_t *upkeep_report(const struct upkeep *upkeep)
{
	return upkeep->report;
}

int64_t upkeep_made(const struct upkeep *upkeep)
{
	return upkeep->made;
}

int64_t upkeep_verified(const struct upkeep *upkeep)
{
	return upkeep->verified;
}

bool upkeep_busy(const struct upkeep *upkeep)
{
	return upkeep->jobs.count > 0;
}

static void daily_over(void *userdata, int result, const struct fault *fault)
{
	struct upkeep *upkeep = userdata;

	upkeep->daily_goes_on = false;
	if (result == 0)
		upkeep->tried_ms = 0;
}

/* A database that has no backup yet gets its first one an interval after it was made. */
static int64_t daily_due_ms(struct upkeep *upkeep)
{
	int64_t newest = backup_newest(upkeep->engine->home), born = 0, retry;
	int64_t due;

	if (!newest && store_get_int(upkeep->engine->store, &born, SQL_SCHEMA_BORN, "") < 0)
		born = time_now_ms();
	due = (newest ? backup_time_ms(newest) : born) + upkeep->engine->config.backup_interval_ms;
	retry = upkeep->tried_ms ? upkeep->tried_ms + (int64_t)(RETRY * 1000) : 0;
	return due > retry ? due : retry;
}

static void daily_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct upkeep *upkeep = timer->data;
	struct fault fault = { 0 };
	struct errand *errand;

	if (!upkeep->engine->config.backup_interval_ms || upkeep->daily_goes_on ||
		upkeep->engine->restoring || time_now_ms() < daily_due_ms(upkeep))
		return;
	upkeep->tried_ms = time_now_ms();
	if (backup_start(upkeep, BACKUP_DAILY, geteuid(), "", daily_over, upkeep, &fault, &errand) < 0)
		log_error("no backup: %s", fault.text);
	else
		upkeep->daily_goes_on = true;
}

int upkeep_new(struct engine *engine, const char *program, void (*restored)(void *userdata), void *userdata,
	struct upkeep **ret_upkeep)
{
	struct upkeep *upkeep = calloc(1, sizeof(*upkeep));
	double interval = (double)engine->config.backup_interval_ms / 1000;
	double every = interval > 0 && interval < LOOK ? interval : LOOK;

	if (!upkeep)
		return -ENOMEM;
	upkeep->engine = engine;
	upkeep->restored = restored;
	upkeep->userdata = userdata;
	LIST_INIT(&upkeep->errands);
	jobs_init(&upkeep->jobs, engine->loop, program);
	quota_on_count(engine, storage_start, upkeep);
	backup_clean(engine->home);
	backup_restore_clean(engine->home);
	ev_timer_init(&upkeep->daily, daily_look, every / 10, every);
	upkeep->daily.data = upkeep;
	upkeep->failed_turns = engine->failed_turns;
	ev_prepare_init(&upkeep->settle, settle);
	upkeep->settle.data = upkeep;
	ev_set_priority(&upkeep->settle, -1);
	ev_prepare_start(engine->loop, &upkeep->settle);
	ev_unref(engine->loop);
	ev_timer_start(engine->loop, &upkeep->daily);
	*ret_upkeep = upkeep;
	return 0;
}

void upkeep_free(struct upkeep *upkeep)
{
	struct errand *errand;

	if (!upkeep)
		return;
	ev_timer_stop(upkeep->engine->loop, &upkeep->daily);
	ev_ref(upkeep->engine->loop);
	ev_prepare_stop(upkeep->engine->loop, &upkeep->settle);
	quota_on_count(upkeep->engine, NULL, NULL);
	jobs_done(&upkeep->jobs);
	while ((errand = LIST_FIRST(&upkeep->errands)))
		errand_free(errand);
	json_decref(upkeep->report);
	free(upkeep);
}
