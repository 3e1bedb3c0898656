/* SPDX-License-Identifier: MIT */
/* Memory that runs out in the middle of something. */
#include "base/memory.h"

#include <stdlib.h>

static uint64_t failures;

void *memory_get(size_t size)
{
	void *p = malloc(size);

	if (!p)
		failures++;
	return p;
}

void memory_failed(void)
{
	failures++;
}

uint64_t memory_failures(void)
{
	return failures;
}
