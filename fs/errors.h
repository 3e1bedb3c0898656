/* SPDX-License-Identifier: MIT */
#pragma once
/* The last failure of each user and session, for the file `error`. The newest 256 are kept. */
#include <sys/types.h>

struct errors;

struct errors *errors_new(void);
void errors_free(struct errors *errors);

/* `session` as of getsid(2); 0: unknown, then the user's own. */
void errors_set(struct errors *errors, uid_t uid, pid_t session, const char *text);
/* "" when there is none. Borrowed until the next errors_set(). */
const char *errors_get(struct errors *errors, uid_t uid, pid_t session);
