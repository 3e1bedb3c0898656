/* SPDX-License-Identifier: MIT */
#pragma once
/* What slothd does without being a daemon: when the database is so damaged that none starts. Each gives the
 * exit status, and says on standard error what is wrong. */

/* `name`: of a backup, with or without ".db", or "latest". */
int offline_restore(const char *name);
int offline_check(void);
