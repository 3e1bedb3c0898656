/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a stack says after things were put back from before-images (engine/image.h): its own items go back to
 * what they were before the run, and its resources to what was known of them.
 */
#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"

/* Status and applied properties of the resources that the run had changed, where their wish is what it was
 * before. In a change. */
int undo_resource_rows(struct engine *engine, struct caller *caller, int64_t stack_id, int64_t run_id);
