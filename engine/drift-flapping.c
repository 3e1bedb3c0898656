/* SPDX-License-Identifier: MIT */
/* Drift that comes and goes: somebody else changes back what runs bring about, or the thing can't decide.
 * It stays so until a person deals with it, whatever restarts meanwhile. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/drift-internal.h"

int drift_past(struct engine *engine, const struct resource *resource, const char *property,
	struct drift_past *ret_past)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_FINDING_PAST, "isss", resource->stack_id,
		resource->type, resource->name, property);
	int r = query_step(query);

	if (r < 0)
		return r;
	*ret_past = r == 0 ? (struct drift_past){ 0 }
			   : (struct drift_past){ .times = query_int(query, 0),
				     .flapping_ms = query_int(query, 1),
				     .calm_ms = query_int(query, 2) };
	return 0;
}

int drift_begins_to_flap(struct engine *engine, const struct resource *resource, const char *property,
	const struct drift_past *past, int64_t now_ms, bool *ret_flaps)
{
	struct config config;
	int64_t after, count;
	int r;

	*ret_flaps = false;
	if (past->flapping_ms || !past->times)
		return 0;
	r = stack_config(engine, resource->stack_id, &config);
	if (r < 0 || past->times + 1 < config.flapping_count)
		return r;
	after = now_ms - config.flapping_window_ms;
	if (after < past->calm_ms)
		after = past->calm_ms;
	r = store_get_int(engine->store, &count, SQL_FINDING_OPENED, "isssi", resource->stack_id,
		resource->type, resource->name, property, after);
	if (r == 0)
		*ret_flaps = count + 1 >= config.flapping_count;
	return r;
}

int drift_calm(struct engine *engine, const struct finding *finding)
{
	return store_run(engine->store, SQL_FINDING_CALM, "ii", finding->id, time_now_ms());
}
