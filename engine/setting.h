/* SPDX-License-Identifier: MIT */
#pragma once
/* Values of settings: how each type is read, is shown, and is called where a value is none. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/config.h"
#include "engine/snapshot.h"

enum setting_type {
	SETTING_LIST,
	SETTING_BOOL,
	SETTING_NUMBER,
	SETTING_DURATION,
	SETTING_SIZE,
	SETTING_SEVERITY,
	/* Texts, or one alone: setting_parse_texts() */
	SETTING_NAMES,
	SETTING_PATTERNS,
	SETTING_PATHS,
	SETTING_GLOBS,
	SETTING_HOURS,
};

/* Of a list: all of its words. */
enum {
	SETTING_LIST_ALL = 1 << SNAPSHOT_MANUAL | 1 << SNAPSHOT_BEFORE_DEPLOYMENT |
			   1 << SNAPSHOT_BEFORE_DESTROY | 1 << SNAPSHOT_ON_DRIFT_FIX
};

/* "off", "low" … */
extern const char *const setting_severities[];
enum { SETTING_SEVERITIES = 5 };

bool setting_is_texts(enum setting_type type);

/* -EINVAL: it is no value of that type. A bare number is seconds. */
int setting_parse(enum setting_type type, const json_t *value, int64_t *ret_value);
/* … a list of texts, or one alone; a line each, or with blanks between them. */
int setting_parse_texts(enum setting_type type, const json_t *value, char ret_texts[CONFIG_NAMES_MAX]);

/* As YAML. */
void setting_show(enum setting_type type, int64_t value, FILE *out);
void setting_show_texts(enum setting_type type, const char *texts, FILE *out);

/* "a whole number" */
const char *setting_describe(enum setting_type type);
