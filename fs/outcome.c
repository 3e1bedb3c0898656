/* SPDX-License-Identifier: MIT */
#include "fs/outcome.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"

static const uint64_t NOT_COUNTED = UINT64_MAX;

/* Of the machine, not of the request. */
static const struct {
	int code;
	const char *sentence;
} troubles[] = {
	{ ENOMEM, "nothing was done: the daemon can't get the memory for it" },
	{ EIO, "the disk can't be read or written where the daemon keeps its things: its log says what "
	       "failed" },
	{ ENOSPC, "nothing was changed: there is no room on the disk where the daemon keeps its things" },
	{ EDQUOT, "nothing was changed: the daemon's user has no more room on its disk" },
	{ EROFS, "nothing was changed: the disk where the daemon keeps its things can't be written" },
	{ EMFILE, "the daemon has too many files open" },
	{ ENFILE, "the machine has too many files open" },
	{ EBADMSG, "what is stored of it is damaged: sloth check says more" },
};

void request_begin(struct request *request)
{
	request->memory_failures = memory_failures();
}

void request_waited(struct request *request)
{
	request->memory_failures = NOT_COUNTED;
}

static void explain(struct request *request, int code)
{
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		if (troubles[i].code == code)
			fault_default(&request->fault, code, "%s", troubles[i].sentence);
}

ssize_t request_outcome(struct request *request, ssize_t result)
{
	struct store *store = request->tree->engine->store;

	if (request->memory_failures != NOT_COUNTED && request->memory_failures != memory_failures()) {
		/* It may have been decided without a part of what there is: a refusal, too ("this is no
		 * JSON"). */
		if (result >= 0)
			store_fail(store, ENOMEM);
		request->fault = (struct fault){ 0 };
		result = -ENOMEM;
	}
	if (result < 0)
		explain(request, (int)-result);
	return result;
}

void request_undone(struct request *request, int error)
{
	fault_set(&request->fault, -error, "nothing was changed: it could not be stored (%s)",
		strerror(-error));
}
