/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files of keys and values share: state/, stacks/S/state/, and their control files. */
#include "engine/kv.h"
#include "fs/nodes/nodes.h"

/* The key behind a file's name. -ENOENT: no key is shown under such a name. */
int key_of_file(const char *file, char ret_key[NAME_SIZE]);

/* Keys of a stack change as the stack does: write permission, and nobody else's lock. Those of a namespace go
 * by its mode, which is checked before. */
int key_may_change(struct view *view, struct kv_scope scope);

/* The event of a change of a stack. Keys of namespaces leave none: they are for what changes often, and an
 * event costs as much as all the rest. */
int key_note_event(struct view *view, const char *type, struct kv_scope scope, const char *key);

/* The control files state.ctl, of a stack and of all namespaces. */
int state_ctl_show(struct view *view, FILE *out);
int state_ctl_write(struct view *view, const char *line, size_t size);
int state_ctl_object(struct view *view, struct object *ret_object);
