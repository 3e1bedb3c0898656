/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The benchmarks: `meson test --benchmark`, or `sloth-bench CASE …` (doc/benchmarks.md).
 *
 * A case is a row of the table in main.c and one function, which measures Sloth and its floor by turns and
 * prints a JSON object a line. Nothing passes or fails by time. What can't be measured at all ends the
 * program: there is nothing to save, and the servers and the folder are cleared away at exit.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a case works with. */
struct bench {
	const char *slothd, *sloth, *hello_fs, *hello; /* programs */
	const char *directory;			       /* its own, on a real disk, removed at exit */
	const char *suffix; /* of the cases' names: where it matters how many CPUs there are */
	unsigned rounds;    /* ours, floor, ours, floor … */
};

void case_floors(const struct bench *bench);
void case_read(const struct bench *bench);
void case_resources(const struct bench *bench);
void case_lock(const struct bench *bench);
void case_clients(const struct bench *bench);
void case_kv(const struct bench *bench);
void case_workflow(const struct bench *bench);
void case_load(const struct bench *bench);
void case_tasks(const struct bench *bench);
void case_start(const struct bench *bench);
void case_deps(const struct bench *bench);
void case_scale(const struct bench *bench);
void case_list(const struct bench *bench);
void case_drift(const struct bench *bench);
void case_watch(const struct bench *bench);
void case_versions(const struct bench *bench);

/* Says why on standard error and ends the program; with 77, which meson calls "skipped". */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* die() where malloc(3), asprintf(3) … fail. */
void *need(void *memory);
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Small files; die() on failure. */
void file_write(const char *path, const char *text);
size_t file_read(const char *path, char *ret_text, size_t size);
