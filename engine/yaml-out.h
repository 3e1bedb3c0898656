/* SPDX-License-Identifier: MIT */
#pragma once
/* A JSON value as YAML 1.2, for people: block style, texts of several lines as such. */
#include <jansson.h>
#include <stdio.h>

/* Keys in the order of the object. 0, -ENOMEM or -EIO. */
int yaml_write(FILE *out, const json_t *value);

/* Keys by name: the same value gives the same text. */
int yaml_write_sorted(FILE *out, const json_t *value);
