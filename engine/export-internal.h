/* SPDX-License-Identifier: MIT */
#pragma once
/* What export.c and import.c must agree on. */
#include "engine/stack.h"

#define EXPORT_FORMAT "sloth-stack"
#define EXPORT_BASE64 "_base64" /* after the name of a text that is no UTF-8 */

/* The texts of a stack in the document; a name of NULL ends it. */
struct export_text {
	const char *name;
	enum stack_text which;
};
extern const struct export_text export_texts[];
