/* SPDX-License-Identifier: MIT */
/*
 * Versions: a snapshot and a change of a stack of 20 KB beside a bare commit; 10,000 versions of a stack of
 * 1,000 resources, each with one changed property: how much the database grows, and what it takes to open any
 * of them.
 */
#include <ev.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "bench/measure.h"
#include "bench/pair.h"
#include "engine/resource.h"
#include "engine/snapshot.h"
#include "engine/stack.h"

enum { RESOURCES = 1000, VERSIONS = 10000, DOCUMENT_SIZE = 20000, SAMPLES = 100, GROUP = 100 };

struct versions {
	struct engine *engine;
	struct ev_loop *loop;
	char *home;
	int64_t stack_id;
	unsigned turn;
};

static void must(int r, const struct fault *fault)
{
	if (r < 0)
		die("%s: %s", strerror(-r), fault ? fault->text : "");
}

static void versions_open(struct versions *versions)
{
	struct fault fault = { 0 };

	versions->loop = ev_loop_new(EVFLAG_AUTO);
	must(engine_new(versions->home, versions->loop, &fault, &versions->engine), &fault);
}

static void versions_close(struct versions *versions)
{
	must(engine_turn_end(versions->engine), NULL);
	engine_free(versions->engine);
	ev_loop_destroy(versions->loop);
}

static void versions_new(const struct bench *bench, const char *name, struct versions *ret_versions)
{
	struct fault fault = { 0 };
	struct stack stack;

	*ret_versions = (struct versions){ .home = text_of("%s/%s", bench->directory, name) };
	versions_open(ret_versions);
	must(stack_create(ret_versions->engine, NULL, "bench", 0755, &fault, &stack), &fault);
	ret_versions->stack_id = stack.id;
	must(engine_turn_end(ret_versions->engine), NULL);
}

/* Lines of a stack's values; one of them is another at each turn. */
static void document_set(struct versions *versions)
{
	char text[DOCUMENT_SIZE + 64];
	struct fault fault = { 0 };
	unsigned turn = versions->turn++;
	size_t n = 0;

	for (unsigned i = 0; n < DOCUMENT_SIZE; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "setting_%u: \"%x-%u\"\n", i,
			i * 2654435761U, i == turn % 500 ? turn : i);
	must(stack_set_text(versions->engine, NULL, versions->stack_id, STACK_VALUES, text, n, &fault),
		&fault);
}

static void change_once(void *data)
{
	document_set(data);
	must(engine_turn_end(((struct versions *)data)->engine), NULL);
}

static void snapshot_once(void *data)
{
	struct snapshot_request request = { .description = "before the upgrade" };
	struct versions *versions = data;
	struct fault fault = { 0 };
	int64_t number;

	must(snapshot_create(versions->engine, NULL, versions->stack_id, &request, &fault, &number), &fault);
	must(engine_turn_end(versions->engine), NULL);
}

static void resource_set(struct versions *versions, unsigned resource, unsigned value)
{
	json_auto_t *properties = json_pack("{s:s, s:s, s:s, s:i, s:[s, s], s:{s:s, s:i}}", "path",
		"/etc/app.conf", "owner", "root", "mode", "0644", "replicas", (int)value, "listen",
		"0.0.0.0:80", "[::]:80", "limits", "memory", "512M", "cpu", 2);
	char name[32];
	struct resource_draft draft = {
		.type = "service", .name = name, .module = "service", .properties = properties
	};
	enum resource_result result;
	struct fault fault = { 0 };
	int64_t id;

	snprintf(name, sizeof(name), "server-%u", resource);
	must(resource_put(versions->engine, NULL, versions->stack_id, &draft, &fault, &result, &id), &fault);
}

static double database_size(const struct versions *versions)
{
	char *path = text_of("%s/sloth.db", versions->home);
	struct stat st;

	if (stat(path, &st) < 0)
		die("%s is not there", path);
	free(path);
	return (double)st.st_size / (1 << 20);
}

/* In megabytes, the events that tell of the changes among them. */
static void measure_growth(const struct bench *bench, struct versions *versions)
{
	struct store_change change = { 0 };
	double before, grown;

	versions_new(bench, "growth", versions);
	must(store_change_begin(versions->engine->store, &change), NULL);
	for (unsigned i = 0; i < RESOURCES; i++)
		resource_set(versions, i, 1);
	must(store_change_end(&change), NULL);
	versions_close(versions);
	before = database_size(versions);
	versions_open(versions);
	for (unsigned i = 0; i < VERSIONS; i++) {
		resource_set(versions, i * 7 % RESOURCES, i + 2);
		if (i % GROUP == GROUP - 1)
			must(engine_turn_end(versions->engine), NULL);
	}
	versions_close(versions);
	grown = database_size(versions) - before;
	figures_print(&(struct figures){ .name = "versions-10000",
		.against = "1,000 resources, one property a version",
		.unit = "MB",
		.more = "",
		.ours = grown,
		.floor = -1,
		.ratio = -1,
		.aim = 10,
		.p50 = -1,
		.p99 = -1,
		.samples = 1 });
	versions_open(versions);
}

static int count_item(void *userdata, const struct version_item *item)
{
	struct version_item *first = userdata;

	if (!first->id)
		*first = *item;
	return 0;
}

/* The version by its number, the list of its resources, and the content of one. */
static void open_version(struct versions *versions, int64_t number)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	struct version_item item = { 0 };
	struct fault fault = { 0 };
	struct version version;

	must(version_find(versions->engine, versions->stack_id, number, &version), NULL);
	must(version_item_each(
		     versions->engine, versions->stack_id, number, VERSION_RESOURCE, NULL, count_item, &item),
		NULL);
	must(version_item_read(versions->engine, &item, &fault, &content), &fault);
}

static void open_old(void *data)
{
	struct versions *versions = data;

	open_version(versions, 2 + versions->turn++ * 37 % VERSIONS);
}

static void open_newest(void *data)
{
	open_version(data, VERSIONS + 2);
}

static void commit_once(void *data)
{
	pair_commit(data);
}

void case_versions(const struct bench *bench)
{
	struct pair *pair = pair_open(bench, "floor.db");
	struct versions small, large;

	versions_new(bench, "small", &small);
	document_set(&small);
	must(engine_turn_end(small.engine), NULL);
	compare(&(struct comparison){ .name = "version-snapshot",
		.against = "a commit in SQLite",
		.unit = "us",
		.aim = 2.3,
		.rounds = bench->rounds,
		.samples = SAMPLES,
		.ours = { snapshot_once, &small },
		.floor = { commit_once, pair } });
	compare(&(struct comparison){ .name = "version-change",
		.against = "a commit in SQLite",
		.unit = "us",
		.rounds = bench->rounds,
		.samples = SAMPLES,
		.ours = { change_once, &small },
		.floor = { commit_once, pair } });
	measure_growth(bench, &large);
	compare(&(struct comparison){ .name = "version-open",
		.against = "the newest version",
		.unit = "ms",
		.rounds = bench->rounds,
		.samples = SAMPLES,
		.ours = { open_old, &large },
		.floor = { open_newest, &large } });
	versions_close(&large);
	versions_close(&small);
	free(large.home);
	free(small.home);
}
