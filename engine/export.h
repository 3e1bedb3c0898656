/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A stack as one document of JSON, and back: everything that a version of it has, and what was applied.
 * Times, owners, locks, runs and events stay behind.
 *
 * {"format": "sloth-stack", "format_version": 1, "name": …, "mode": "0775", "description": …, "version": …,
 *  "config": …, "values": …, "workflow": …, "outputs": {…}, "sensitive": [NAME], "tags": […], "depends":
 * [{"name", "requires"}], "state": {KEY: {"value", "expires_ms"}}, "resources": […]}
 *
 * slothfs(5) has it in words. What is exported, imported under another name and exported again is the same
 * but for the name.
 */
#include <stddef.h>
#include <stdio.h>

#include "engine/caller.h"
#include "engine/engine.h"

enum { EXPORT_VERSION = 1 };

/* Writes the document: a member a line, a resource a line, keys sorted. */
int stack_export(struct engine *engine, struct caller *caller, int64_t stack_id, FILE *out);

/* The stack becomes what the document says, in one change and one version. It must be empty, unless the
 * document says "replace": true: then what it does not have goes. -EINVAL with the place, -ENOTEMPTY, -EPERM
 * (a protected resource would go), and what the setters of its parts refuse. */
int stack_import(struct engine *engine, struct caller *caller, int64_t stack_id, const char *text,
	size_t size, struct fault *fault);
