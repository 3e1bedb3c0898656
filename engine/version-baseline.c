/* SPDX-License-Identifier: MIT */
/* The first version of stacks that are older than versions: what they are when the daemon starts. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/kv.h"
#include "engine/output.h"
#include "engine/stack.h"
#include "engine/version.h"

struct baseline {
	struct engine *engine;
	int64_t stack_id;
};

static int put_output(void *userdata, const struct output *output)
{
	struct baseline *baseline = userdata;

	return version_put(baseline->engine, NULL, baseline->stack_id, VERSION_OUTPUT, output->name,
		output->value, strlen(output->value));
}

static int put_key(void *userdata, const struct kv *kv, const char *value)
{
	struct baseline *baseline = userdata;

	if (kv->expires_ms)
		return 0;
	return version_put(
		baseline->engine, NULL, baseline->stack_id, VERSION_STATE, kv->name, value, strlen(value));
}

static int stack_baseline(struct engine *engine, int64_t id)
{
	struct baseline baseline = { engine, id };
	int r = version_begin(engine, NULL, id, "as it was before versions", NULL);

	if (r == 0)
		r = stack_put_version(engine, NULL, id);
	if (r == 0)
		r = stack_put_texts(engine, NULL, id);
	if (r == 0)
		r = output_each(engine, id, put_output, &baseline);
	if (r == 0)
		r = kv_each(engine, (struct kv_scope){ .stack_id = id }, put_key, &baseline);
	return r;
}

int version_baseline(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t id = 0;
	int r = store_change_begin(engine->store, &change);

	while (r == 0) {
		r = store_get_int(engine->store, &id, SQL_STACK_UNVERSIONED, "i", id);
		if (r == 0)
			r = stack_baseline(engine, id);
	}
	return r == -ENOENT ? store_change_end(&change) : r;
}
