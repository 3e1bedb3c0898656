/* SPDX-License-Identifier: MIT */
/* Looking for drift, and fixing it. */
#include "engine/detect.h"

#include <errno.h>

int drift_detect(struct runners *runners, struct caller *caller, int64_t stack_id, const char *resource,
	void (*done)(void *userdata, const struct drift_summary *summary, const struct fault *fault),
	void *userdata)
{
	return -ENOTSUP;
}

void drift_forget(struct runners *runners, const void *userdata)
{
}

int drift_fix(struct runners *runners, struct caller *caller, int64_t stack_id, const char *resource,
	bool dry, struct fault *fault, int64_t *ret_run)
{
	return fault_set(fault, ENOTSUP, "drift can't be fixed by this version");
}
