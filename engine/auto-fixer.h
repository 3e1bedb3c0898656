/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who fixes drift without being asked: looks at stacks whose drift, settings, lock or runs have changed,
 * however that came about, and submits runs for what engine/auto-fix.h says is due. One a daemon; on the
 * loop. What it knows is in the database: after a restart it goes on.
 */
#include "engine/engine.h"
#include "engine/runner.h"

struct auto_fixer;

int auto_fixer_new(struct runners *runners, struct auto_fixer **ret_fixer);
void auto_fixer_free(struct auto_fixer *fixer);

/* For engine.c: something is another. Nothing happens in here. */
void auto_fixer_note(struct auto_fixer *fixer, const struct change *change);
