/* SPDX-License-Identifier: MIT */
/* A clock that nobody sets. */
#include "engine/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"

enum { READING_MS = 1000 };

static int64_t boot_time_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1: *ret_base_ms is of this boot; 0: of another one, or of none. */
static int base_read(struct engine *engine, const char *boot, int64_t *ret_base_ms)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_CLOCK_GET, "");
	int r = query_step(query);

	if (r <= 0 || strcmp(query_text(query, 0), boot) != 0)
		return r < 0 ? r : 0;
	*ret_base_ms = query_int(query, 1);
	return 1;
}

int clock_init(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	char boot[37] = "";
	int r = process_boot_id(boot);

	engine->clock_base_ms = time_now_ms() - boot_time_ms();
	if (r < 0)
		return 0; /* no /proc: then it is as good as the wall clock was when this daemon started */
	r = base_read(engine, boot, &engine->clock_base_ms);
	if (r != 0)
		return r < 0 ? r : 0;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_CLOCK_SET, "si", boot, engine->clock_base_ms);
	return r < 0 ? r : store_change_end(&change);
}

int64_t clock_now_ms(const struct engine *engine)
{
	return engine->clock_base_ms + boot_time_ms();
}

int64_t clock_to_wall(const struct engine *engine, int64_t ms)
{
	int64_t set = time_now_ms() - clock_now_ms(engine);

	/* Two clocks are never read at the same moment; whoever sets one means more than that. */
	return set > -READING_MS && set < READING_MS ? ms : ms + set;
}
