/* SPDX-License-Identifier: MIT */
#pragma once
/* Operations that no door has (ACT_CALL), and what is there before the operations. 0 or -errno. */
#include "tests/torture/faulty.h"

enum { ALICE = 1001, BOB = 1002 };

#define MOTD(mode)                                                                                           \
	"{\"path\": \"/etc/motd\", \"ensure\": \"present\", \"mode\": \"" mode "\", \"owner\": \"root\"}"

/* What they find. */
int put_motd(struct play *play, const char *properties, const char *status);
int put_hosts(struct play *play);
void begin_run(struct play *play);

int set_output(struct play *play);
int register_motd(struct play *play);
int see_drift(struct play *play);
int drift_ends(struct play *play);
int submit_run(struct play *play);
int write_log(struct play *play);
int finish_task(struct play *play);
int finish_run(struct play *play);
int keep_image(struct play *play);
int keep_artifact(struct play *play);
int expire_versions(struct play *play);
int start_engine(struct play *play);
int make_backup(struct play *play);
int verify_backup(struct play *play);
int restore_backup(struct play *play);
int examine_database(struct play *play);

/* Broken on purpose: two turns where one belongs, a failure that nobody is told of, … */
int control_half(struct play *play);
int control_silent(struct play *play);
int control_crash(struct play *play);
int control_leak(struct play *play);
