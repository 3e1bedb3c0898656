/* SPDX-License-Identifier: MIT */
#pragma once
/* Stacks with a file that drifts, for tests of drift. */
#include "tests/engine/fixture.h"

#include "engine/drift.h"

/* A resource that a workflow has brought about: its id. */
int64_t motd_applied(struct fixture *f, struct caller *caller, int64_t stack, const char *type,
	const char *name, const char *properties);
/* A stack of alice's with the file /etc/motd, mode 0644: the file's id. */
int64_t motd_new(struct fixture *f, int64_t *ret_stack);
/* drift_take() of rows as JSON. */
int motd_take(struct fixture *f, struct caller *caller, int64_t stack, const char *rows);
struct drift_summary motd_sum(struct fixture *f, int64_t stack);

/* Of the resource; of the open finding about a property of /etc/motd (NULL: there is none). */
void assert_status(struct fixture *f, int64_t id, const char *status);
void assert_finding(struct fixture *f, int64_t stack, const char *property, const char *status);
/* The newest event of the stack has this in it. */
void assert_event(struct fixture *f, int64_t stack, const char *part);

#define FINDING(property, expected, actual)                                                                  \
	"{\"property\": \"" property "\", \"kind\": \"configuration\", \"severity\": \"medium\", "           \
	"\"expected\": \"" expected "\", \"actual\": \"" actual "\", \"cause\": \"changed\", "               \
	"\"impact\": \"other rights\", \"fix\": \"chmod " expected " /etc/motd\"}"

#define MOTD(state, actual, findings)                                                                        \
	"[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"" state "\", \"actual\": " actual       \
	", \"findings\": [" findings "]}]"

#define MODE_0600                                                                                            \
	MOTD("drifted", "{\"ensure\": \"present\", \"mode\": \"0600\", \"owner\": \"root\"}",                \
		FINDING("mode", "0644", "0600"))
#define MODE_0666                                                                                            \
	MOTD("drifted", "{\"ensure\": \"present\", \"mode\": \"0666\", \"owner\": \"root\"}",                \
		FINDING("mode", "0644", "0666"))
#define IN_SYNC MOTD("in_sync", "{\"ensure\": \"present\", \"mode\": \"0644\", \"owner\": \"root\"}", "")
