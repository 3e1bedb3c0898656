/* SPDX-License-Identifier: MIT */
#pragma once
/* Calls of a runner, answered from memory. */
#include <jansson.h>

void fake_calls_init(void);
void fake_calls_done(void);

/* A new reference; NULL: that is not known. */
json_t *fake_call(const char *fn, json_t *call);

/* "TYPE/NAME": what is registered. Borrowed. */
json_t *fake_resources(void);
