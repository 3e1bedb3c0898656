/* SPDX-License-Identifier: MIT */
/* Archives of events, and the chain through them. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/audit.h"
#include "engine/event-archive.h"
#include "engine/event-file.h"
#include "engine/store/private.h"

static struct {
	int count;
	int64_t result;
	struct fault fault;
	struct audit_report report;
} told;

static void archived(void *userdata, int64_t result, const struct fault *fault)
{
	told.count++;
	told.result = result;
	if (fault)
		told.fault = *fault;
}

static void reported(void *userdata, const struct audit_report *report)
{
	told.count++;
	told.report = *report;
}

static void add(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++) {
		struct store_change change = { 0 };

		assert_int_equal(store_change_begin(f->engine->store, &change), 0);
		assert_int_equal(
			event_add(f->engine, &f->bob, "x.one", 7, "prod", 0, json_pack("{si}", "n", i)), 0);
		assert_int_equal(store_change_end(&change), 0);
	}
}

static void wait_for(struct fixture *f, int count)
{
	while (told.count < count)
		ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(engine_turn_end(f->engine), 0);
}

static int64_t archive(struct fixture *f, int64_t before_ms)
{
	memset(&told, 0, sizeof(told));
	assert_int_equal(event_archive(f->engine, &f->root, before_ms, archived, NULL, &f->fault), 0);
	wait_for(f, 1);
	return told.result;
}

static int64_t rows(struct fixture *f)
{
	sqlite3_stmt *stmt;
	int64_t n;

	assert_int_equal(
		sqlite3_prepare_v2(f->engine->store->db, "SELECT count(*) FROM events", -1, &stmt, NULL), 0);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static void tamper(struct fixture *f, const char *sql)
{
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(sqlite3_exec(f->engine->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
	event_forget_places(f->engine);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX];

	assert_int_equal(event_archive_path(f->engine, "", path, sizeof(path)), 0);
	folder_remove(path);
	return fixture_free(state);
}

static void test_archive(void **state)
{
	struct fixture *f = *state;
	struct audit_report report;
	int64_t size, id, start;
	char path[PATH_MAX];
	struct stat st;

	add(f, 700);
	assert_int_equal(archive(f, INT64_MAX), 700);
	assert_int_equal(event_last(f->engine), 701); /* says that they were archived */
	assert_int_equal(event_size(f->engine, true, &size), 0);
	assert_true(size > 0 && size < 300);
	assert_int_equal(event_seek(f->engine, true, 0, &id, &start), 0);
	assert_int_equal(id, 701);
	assert_int_equal(start, 0);
	assert_int_equal(event_archive_path(f->engine, "events-1-700.jsonl.zst", path, sizeof(path)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	while (rows(f) > 1) /* removed by and by */
		ev_run(f->loop, EVRUN_ONCE);
	add(f, 5);
	assert_int_equal(event_verify(f->engine, &f->fault), 0);
	assert_int_equal(audit_now(f->engine, true, &report), 0);
	assert_int_equal(report.events, 706);
	assert_int_equal(report.archives, 1);
	assert_int_equal(archive(f, INT64_MAX), 6);
	assert_int_equal(archive(f, 1), 0); /* nothing is that old: no archive */
	fixture_restart(f);
	assert_int_equal(audit_now(f->engine, true, &report), 0);
	assert_int_equal(report.archives, 2);
	assert_int_equal(report.events, 707);
	add(f, 1);
	assert_int_equal(event_last(f->engine), 708);
}

/* A daemon that ended before the rows were gone: nobody sees them, and the next one removes them. */
static void test_rows_left(void **state)
{
	struct fixture *f = *state;
	int64_t size;

	add(f, 3000);
	assert_int_equal(archive(f, INT64_MAX), 3000);
	assert_true(rows(f) > 1);
	assert_int_equal(event_size(f->engine, false, &size), 0);
	fixture_restart(f);
	while (rows(f) > 1)
		ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(event_verify(f->engine, &f->fault), 0);
}

static void test_archive_before(void **state)
{
	struct fixture *f = *state;
	int64_t middle;

	add(f, 3);
	middle = time_now_ms() + 1;
	while (time_now_ms() <= middle)
		continue;
	add(f, 4);
	assert_int_equal(archive(f, middle), 3);
	assert_int_equal(event_last(f->engine), 8);
	assert_int_equal(event_verify(f->engine, &f->fault), 0);
}

static void test_archive_refused(void **state)
{
	struct fixture *f = *state;

	add(f, 1000);
	memset(&told, 0, sizeof(told));
	assert_int_equal(event_archive(f->engine, &f->root, INT64_MAX, archived, NULL, &f->fault), 0);
	assert_int_equal(event_archive(f->engine, &f->root, INT64_MAX, archived, NULL, &f->fault), -EBUSY);
	wait_for(f, 1);
	add(f, 10);
	tamper(f, "UPDATE events SET json = replace(json, '\"n\":4', '\"n\":5') WHERE id = 1006");
	assert_int_equal(archive(f, INT64_MAX), -EBADMSG);
	assert_contains(told.fault.text, "nothing was archived: event 1006 ");
	assert_int_equal(event_last(f->engine), 1011);
}

static void spoil(struct fixture *f, const char *file, bool cut)
{
	char path[PATH_MAX];
	struct stat st;

	assert_int_equal(event_archive_path(f->engine, file, path, sizeof(path)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(cut ? truncate(path, st.st_size - 5) : unlink(path), 0);
}

static void test_archives_are_verified(void **state)
{
	struct fixture *f = *state;
	struct audit_report report = { 0 };
	struct event_file *file;
	char path[PATH_MAX];

	add(f, 10);
	assert_int_equal(archive(f, INT64_MAX), 10);
	spoil(f, "events-1-10.jsonl.zst", true);
	assert_int_equal(event_verify(f->engine, &f->fault), 0);
	assert_int_equal(audit_now(f->engine, true, &report), -EBADMSG);
	assert_contains(report.fault.text, "events-1-10.jsonl.zst");
	spoil(f, "events-1-10.jsonl.zst", false);
	assert_int_equal(audit_now(f->engine, true, &report), -EBADMSG);
	assert_contains(report.fault.text, "No such file");
	/* Another history in its place. */
	assert_int_equal(event_archive_path(f->engine, "events-1-10.jsonl.zst", path, sizeof(path)), 0);
	assert_int_equal(event_file_create(path, &file), 0);
	for (int i = 1; i <= 10; i++) {
		char line[64];

		snprintf(line, sizeof(line), "{\"id\":%d}\n", i);
		assert_int_equal(event_file_write(file, line, strlen(line)), 0);
	}
	assert_int_equal(event_file_finish(file), 0);
	event_file_close(file);
	assert_int_equal(audit_now(f->engine, true, &report), -EBADMSG);
	assert_contains(report.fault.text, "does not end with the hash");
}

static void test_archives_without_a_row(void **state)
{
	struct fixture *f = *state;
	struct audit_report report = { 0 };

	add(f, 10);
	assert_int_equal(archive(f, INT64_MAX), 10);
	add(f, 10);
	assert_int_equal(archive(f, INT64_MAX), 11);
	tamper(f, "DELETE FROM event_archives WHERE last_id = 10");
	assert_int_equal(event_verify(f->engine, &f->fault), 0);
	assert_int_equal(audit_now(f->engine, true, &report), -EBADMSG);
	assert_int_equal(report.misfit, EVENT_GAP);
	tamper(f, "UPDATE event_archives SET hash = zeroblob(32)");
	assert_int_equal(event_verify(f->engine, &f->fault), -EBADMSG);
}

/* What differs has a name. */
static void test_misfits(void **state)
{
	static const struct {
		const char *sql;
		enum event_misfit misfit;
		int64_t event;
	} cases[] = {
		{ "UPDATE events SET line_end = line_end + 1 WHERE id = 4", EVENT_OFFSET, 4 },
		{ "UPDATE events SET line = replace(line, 'n=3', 'n=9') WHERE id = 4", EVENT_LINE, 4 },
		{ "UPDATE events SET uid = 0 WHERE id = 3", EVENT_COLUMN, 3 },
		{ "UPDATE events SET json = 'x' WHERE id = 3", EVENT_JSON, 3 },
		{ "UPDATE events SET hash = zeroblob(32) WHERE id = 2", EVENT_HASH, 2 },
		{ "DELETE FROM events WHERE id = 1", EVENT_GAP, 2 },
	};
	struct fixture *f = *state;

	add(f, 5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct audit_report report = { 0 };

		tamper(f, cases[i].sql);
		assert_int_equal(audit_now(f->engine, false, &report), -EBADMSG);
		assert_int_equal(report.misfit, cases[i].misfit);
		assert_int_equal(report.event, cases[i].event);
	}
}

/* Over the loop: those who ask meanwhile get the same answer, those who leave get none. */
static void test_waiting(void **state)
{
	struct fixture *f = *state;
	int a, b;

	add(f, 1000);
	memset(&told, 0, sizeof(told));
	assert_int_equal(audit_wait(f->engine, false, reported, &a), 0);
	assert_int_equal(audit_wait(f->engine, false, reported, &b), 0);
	assert_int_equal(audit_wait(f->engine, true, reported, &a), 0);
	assert_int_equal(told.count, 0);
	ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(told.count, 0); /* it took a part only */
	audit_forget(f->engine, &a);
	wait_for(f, 1);
	assert_int_equal(told.report.events, 1000);
	fixture_turn(f);
	assert_int_equal(told.count, 1);
}

#define AUDIT_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_new, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUDIT_TEST(test_archive),
		AUDIT_TEST(test_rows_left),
		AUDIT_TEST(test_archive_before),
		AUDIT_TEST(test_archive_refused),
		AUDIT_TEST(test_archives_are_verified),
		AUDIT_TEST(test_archives_without_a_row),
		AUDIT_TEST(test_misfits),
		AUDIT_TEST(test_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
