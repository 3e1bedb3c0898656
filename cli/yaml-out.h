/* SPDX-License-Identifier: MIT */
#pragma once
/* A JSON value as YAML. */
#include <jansson.h>
#include <stdio.h>

/* 0, -ENOMEM or -EIO. */
int yaml_write(FILE *out, const json_t *value);
