/* SPDX-License-Identifier: MIT */
/* The last failure of each user and session. */
#include "fs/errors.h"

#include <stdlib.h>
#include <string.h>

enum { ERRORS_MAX = 256 };

struct last_error {
	uid_t uid;
	pid_t session;
	unsigned long used;
	char *text; /* NULL: free */
};

struct errors {
	struct last_error rows[ERRORS_MAX];
	unsigned long clock;
};

struct errors *errors_new(void)
{
	return calloc(1, sizeof(struct errors));
}

void errors_free(struct errors *errors)
{
	if (!errors)
		return;
	for (size_t i = 0; i < ERRORS_MAX; i++)
		free(errors->rows[i].text);
	free(errors);
}

void errors_set(struct errors *errors, uid_t uid, pid_t session, const char *text)
{
	struct last_error *row = &errors->rows[0];
	char *copy = strdup(text);

	if (!copy)
		return;
	for (size_t i = 0; i < ERRORS_MAX; i++) {
		struct last_error *candidate = &errors->rows[i];

		if (candidate->text && candidate->uid == uid && candidate->session == session) {
			row = candidate;
			break;
		}
		if (row->text && (!candidate->text || candidate->used < row->used))
			row = candidate;
	}
	free(row->text);
	*row = (struct last_error){ uid, session, ++errors->clock, copy };
}

const char *errors_get(struct errors *errors, uid_t uid, pid_t session)
{
	for (size_t i = 0; i < ERRORS_MAX; i++)
		if (errors->rows[i].text && errors->rows[i].uid == uid && errors->rows[i].session == session)
			return errors->rows[i].text;
	return "";
}
