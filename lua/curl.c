/* SPDX-License-Identifier: MIT */
/* Loading libcurl. */
#include "lua/curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* Debian builds it for two TLS libraries; either will do. */
static const char *const libraries[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };

static struct curl loaded;

static const struct {
	const char *name;
	void *place;
} functions[] = {
	{ "curl_easy_init", &loaded.easy_init },
	{ "curl_easy_setopt", &loaded.setopt },
	{ "curl_easy_getinfo", &loaded.getinfo },
	{ "curl_easy_cleanup", &loaded.easy_cleanup },
	{ "curl_easy_strerror", &loaded.strerror },
	{ "curl_multi_init", &loaded.multi_init },
	{ "curl_multi_setopt", &loaded.multi_setopt },
	{ "curl_multi_add_handle", &loaded.multi_add },
	{ "curl_multi_remove_handle", &loaded.multi_remove },
	{ "curl_multi_socket_action", &loaded.socket_action },
	{ "curl_multi_assign", &loaded.multi_assign },
	{ "curl_multi_info_read", &loaded.info_read },
	{ "curl_multi_cleanup", &loaded.multi_cleanup },
	{ "curl_slist_append", &loaded.slist_append },
	{ "curl_slist_free_all", &loaded.slist_free },
};

static void *open_library(void)
{
	void *handle = NULL;

	/* Never closed: its own threads may be at work until the end. */
	for (size_t i = 0; !handle && i < sizeof(libraries) / sizeof(libraries[0]); i++)
		handle = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
	return handle;
}

int curl_load(const struct curl **ret_curl, struct fault *fault)
{
	static bool done;
	__typeof__(curl_global_init) *init;
	void *handle = done ? NULL : open_library();

	for (size_t i = 0; handle && i < sizeof(functions) / sizeof(functions[0]); i++) {
		*(void **)functions[i].place = dlsym(handle, functions[i].name);
		if (!*(void **)functions[i].place)
			handle = NULL;
	}
	if (handle) {
		*(void **)&init = dlsym(handle, "curl_global_init");
		done = init && init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	}
	if (!done)
		return fault_set(fault, ENOSYS,
			"%s, by which workflows speak HTTP and SMTP, is not here: install the package "
			"libcurl4 "
			"(apt-get install libcurl4)",
			libraries[0]);
	*ret_curl = &loaded;
	return 0;
}
