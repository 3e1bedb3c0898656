/* SPDX-License-Identifier: MIT */
/* Libraries that are loaded when they are first used. */
#include "lua/dynamic.h"

#include <dlfcn.h>

bool dynamic_load(const char *file, const struct symbol *symbols, size_t count)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; handle && i < count; i++)
		if (!dlsym(handle, symbols[i].name))
			handle = NULL;
	for (size_t i = 0; handle && i < count; i++)
		*(void **)symbols[i].place = dlsym(handle, symbols[i].name);
	return handle;
}
