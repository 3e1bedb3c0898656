/* SPDX-License-Identifier: MIT */
#pragma once
/* libcurl, loaded when a workflow first needs it: runs start without it, and work where it is missing. */
#include <curl/curl.h>

#include "base/fault.h"

/* Its functions, as its headers declare them. */
struct curl {
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_setopt) *setopt;
	__typeof__(curl_easy_getinfo) *getinfo;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_strerror) *strerror;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_setopt) *multi_setopt;
	__typeof__(curl_multi_add_handle) *multi_add;
	__typeof__(curl_multi_remove_handle) *multi_remove;
	__typeof__(curl_multi_socket_action) *socket_action;
	__typeof__(curl_multi_assign) *multi_assign;
	__typeof__(curl_multi_info_read) *info_read;
	__typeof__(curl_multi_cleanup) *multi_cleanup;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free;
};

/* 0, or -ENOSYS with the sentence about how to install it. What it gives lives as long as the process. */
int curl_load(const struct curl **ret_curl, struct fault *fault);
