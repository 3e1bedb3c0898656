/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Verifying the audit trail: walks the chain of events, with `deep` from its beginning through the archives.
 * In slices over the loop, because there may be millions. Those who ask while it goes on wait for the same
 * walk.
 */
#include <stdbool.h>

#include "base/fault.h"
#include "engine/event-chain.h"

struct audit_report {
	enum event_misfit misfit; /* EVENT_FITS: the chain is intact */
	int64_t events, archives; /* that fit */
	struct event_place head;  /* the last that fits */
	int64_t event, time_ms;	  /* the first that does not; time 0: unknown */
	struct fault fault;	  /* about it */
};

struct audit;

/* For engine_new() and engine_free(). */
int audit_new(struct engine *engine);
void audit_free(struct audit *audit);

/* Calls done() from the loop. */
int audit_wait(struct engine *engine, bool deep,
	void (*done)(void *userdata, const struct audit_report *report), void *userdata);
void audit_forget(struct engine *engine, const void *userdata);

/* All at once: for programs that have nothing else to do. 0, or -EBADMSG with the first event that does not
 * fit. */
int audit_now(struct engine *engine, bool deep, struct audit_report *ret_report);
