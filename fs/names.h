/* SPDX-License-Identifier: MIT */
#pragma once
/* What making, removing and renaming names have in common. Shared by names.c and rename.c. */
#include "fs/scratch.h"
#include "fs/tree.h"

/* The row whose documents have names like this one, or NULL. */
const struct entry *names_putting_row(const struct directory *directory, const char *name, uint8_t *ret_row);

/* Whether a new thing may be called so, with the sentence if not. */
int names_check(struct request *request, const char *name);

/* A scratch file; of a name that a document of this folder may have, one that becomes that document. */
int names_create_scratch(struct tree *tree, struct request *request, struct view *folder,
	const struct directory *directory, const char *name, mode_t mode, struct attr *ret_attr);

/* Whether a file of this name can be made in the folder at all, with the sentence if not. */
int names_may_create(struct request *request, const struct directory *directory, const char *name);

/* A static document that was unlinked or renamed away by an editor, and is now made anew. */
bool names_find_hidden(struct tree *tree, struct view *folder, const struct entry *entry, const char *name,
	struct node *ret_node);

/* What unlink, rmdir and rename begin with. */
int names_find_removable(struct tree *tree, struct request *request, uint64_t parent, const char *name,
	struct view *ret_folder, const struct entry **ret_folder_entry, struct view *ret_view);

/* What a rename asks about what has the new name: the folder's sticky bit protects that, too. */
int names_may_replace(struct tree *tree, struct request *request, struct view *folder, struct node target);

/* The kernel need not keep the name. */
void names_tell_gone(struct tree *tree, uint64_t parent, const char *name);
