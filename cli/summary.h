/* SPDX-License-Identifier: MIT */
#pragma once
/* What is printed of a run that is over. */
#include <jansson.h>

/* After following it: what took long, and in the last line how it ended. Errors of tasks were told already.
 */
void summary_print(const json_t *summary);
