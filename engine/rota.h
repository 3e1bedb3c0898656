/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whose process is started next, where only few may run at once: of those who have the fewest, the one who
 * was served longest ago. What waits stands in a list; whoever is served goes to its end with all that he has
 * there (the list's owner does that), so that the first who may is the right one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { ROTA_MAX = 8 };

/* The users of what runs, each as often as he has something. */
struct rota {
	uid_t uids[ROTA_MAX];
	size_t count;
};

static inline void rota_add(struct rota *rota, uid_t uid)
{
	if (rota->count < ROTA_MAX)
		rota->uids[rota->count++] = uid;
}

static inline size_t rota_has(const struct rota *rota, uid_t uid)
{
	size_t has = 0;

	for (size_t i = 0; i < rota->count; i++)
		has += rota->uids[i] == uid;
	return has;
}
