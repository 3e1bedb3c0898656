/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A program that has faults.c linked in can be told that the nth allocation, read, write … from now on fails:
 * faults.c has functions of the C library's names, which stand before the library's own, also for SQLite,
 * jansson and the library itself. It works beside AddressSanitizer and without.
 *
 * The plan is in memory that processes share: a file that SLOTH_FAULTS names, or the program's own.
 */
#include <stdatomic.h>
#include <stdint.h>

/* What can fail. All are counted while a plan is armed. */
enum fault_kind {
	FAULTS_ALLOC,
	FAULTS_READ,
	FAULTS_WRITE,
	FAULTS_SYNC,
	FAULTS_TRUNCATE,
	FAULTS_OPEN,
	FAULTS_NAME,   /* unlink, rename, mkdir … */
	FAULTS_MAP,    /* mmap of a file */
	FAULTS_LOCK,   /* fcntl's locks */
	FAULTS_ANSWER, /* what is written to /dev/fuse */
	FAULTS_KINDS,
};

enum { FAULTS_SHORT = -1 }; /* instead of an errno: only half of it is read or written, which is no error */

struct fault_plan {
	_Atomic int32_t armed;
	_Atomic int32_t kind;	/* which of them fails */
	_Atomic int32_t error;	/* with this errno, or FAULTS_SHORT */
	_Atomic int32_t sticky; /* and all after it do, too */
	_Atomic int32_t trace;	/* where it was is printed on stderr */
	_Atomic int32_t hits;	/* how often something failed */
	_Atomic int64_t nth;	/* from 1 */
	_Atomic int64_t counts[FAULTS_KINDS];
};

struct fault_plan *faults_plan(void);

/* Called for the first of all calls that come the same way (the same functions call each other), in this
 * process: where it stands among the calls of its kind. NULL: nobody wants to know. */
extern void (*faults_new_way)(enum fault_kind kind, int64_t nth);
/* The ways that were seen, as hashes, which whoever makes several processes may put into memory that they
 * share. */
enum { FAULTS_WAYS = 1 << 18 };
extern uint64_t *faults_ways;

/* From now on; the counts begin anew. */
void faults_arm(enum fault_kind kind, int error, int64_t nth, int sticky);
void faults_disarm(void);
