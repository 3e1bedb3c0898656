/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whether a database is in order, as a report of its checks. Blocking, and the deep way reads all of it: for
 * children of the daemon, see upkeep.h.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/fault.h"

/* The database at `path`, which may be in use: {ok, deep, time, schema, events, head, checks: [{check, ok,
 * found: [text]}]}. Deep: every page, rows whose other half is gone, the chain of events, the hashes of
 * stored contents. New reference. -errno with the fault when it cannot be opened as a database of ours
 * (-EBADMSG, -ENOTSUP …). */
int examine(const char *path, bool deep, struct fault *fault, json_t **ret_report);

/* 0, or -EBADMSG with what the report found first and how much more. */
int examine_verdict(const json_t *report, struct fault *fault);
