/* SPDX-License-Identifier: MIT */
#pragma once
/* What is said of a run as a whole: rows of runs/ID/. */
#include <stdio.h>

#include "fs/node.h"

int summary_show(struct view *view, FILE *out);
int summary_json_show(struct view *view, FILE *out);
int result_json_show(struct view *view, FILE *out);
int junit_show(struct view *view, FILE *out);
