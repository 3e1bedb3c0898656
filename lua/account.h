/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A user whose rights a command shall have. Only root may become somebody else; nothing here gives anybody
 * rights that the run has not.
 */
#include <sys/types.h>

#include "base/fault.h"
#include "lua/spawn.h"

struct account {
	char *name, *home, *shell;
	struct spawn_user rights;
};

/* The account of that name (or number): borrowed, until the next one is asked for. NULL in `ret_account`:
 * that is who we are. 0; -EINVAL: no such user; -EPERM: only root's runs may. */
int account_find(const char *name, const struct account **ret_account, struct fault *fault);
