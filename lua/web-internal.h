/* SPDX-License-Identifier: MIT */
#pragma once
/* What web.c and transfer.c know of each other. */
#include "lua/web.h"

struct web {
	struct ev_loop *loop;
	const struct curl *curl;
	CURLM *multi;
	ev_timer timer;
	TAILQ_HEAD(, transfer) waiting;
	int active;
};

/* Lets those that wait begin, as far as there is room. */
void web_start_waiting(struct web *web);
/* It waits no more and is active no more. */
void web_remove(struct web *web, struct transfer *transfer);
