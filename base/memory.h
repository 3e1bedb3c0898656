/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Memory that runs out in the middle of something. A JSON value is put together of many parts, and one that
 * can't be allocated is just not there: to ask after each would be half of the code. So failures are counted
 * instead, and whoever stores or shows what was put together compares the count with the one before:
 * store_change_end(), entry_render(), the answers of the socket. One thread.
 */
#include <stddef.h>
#include <stdint.h>

/* malloc(3), counted; for json_set_alloc_funcs(). */
void *memory_get(size_t size);

/* For functions without a result that could say so. */
void memory_failed(void);

/* How often it failed so far. */
uint64_t memory_failures(void);
