/* SPDX-License-Identifier: MIT */
#pragma once
/* What comes of a request, said by both doors in the same words. */
#include "fs/tree.h"

/* When a request begins. */
void request_begin(struct request *request);
/* It is answered later: what others lacked meanwhile is not its lack. */
void request_waited(struct request *request);

/* What its result is, before it waits for the turn's end: without the memory that it would have taken,
 * nothing is done, and the turn is given up. Whatever went wrong with the machine has a sentence, although
 * nobody wrote one. */
ssize_t request_outcome(struct request *request, ssize_t result);

/* The turn was not stored: -errno. */
void request_undone(struct request *request, int error);
