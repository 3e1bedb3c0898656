/* SPDX-License-Identifier: MIT */
#pragma once
#include <stdio.h>

#include "fs/node.h"

/* What a run has changed. */
int changes_show(struct view *view, FILE *out);
int changes_json_show(struct view *view, FILE *out);
