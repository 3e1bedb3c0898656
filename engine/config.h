/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Configuration: rows of one table (name, type, default, range). Read from /etc/sloth/config.yaml, then the
 * user's $XDG_CONFIG_HOME/sloth/config.yaml (default ~/.config); a stack's config.yaml overrides for that
 * stack. Unknown keys are refused with the nearest known one and the line.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"

enum { CONFIG_NAMES_MAX = 1024 };

/* What one user may have so much of: see quota.h. */
enum quota {
	QUOTA_STACKS,
	QUOTA_NAMESPACES,
	QUOTA_KEYS,
	QUOTA_LOCKS,
	QUOTA_WORKFLOWS,
	QUOTA_SECRETS,
	QUOTA_RUNS,
	QUOTA_WAITS,
	QUOTA_OPEN_FILES,
	QUOTA_OPEN_SIZE,
	QUOTA_CONNECTIONS,
	QUOTA_STORAGE,
	QUOTA_COUNT
};

struct config {
	bool auto_lock;		 /* runs take the stack's lock */
	int64_t lock_timeout_ms; /* ttl of a durable lock without ttl= */
	bool auto_snapshot;	 /* versions are kept on purpose before what is below */
	bool auto_drift_detect;	 /* drift is looked for after each run */
	bool watch;		 /* what stacks look after is watched live */
	bool watch_exact;	 /* root's: who opens what is watched is held until he is known */
	int64_t auto_fix;	 /* up to which severity drift is fixed by itself: 0: off, 1: low … */
	char auto_fix_only[CONFIG_NAMES_MAX], auto_fix_except[CONFIG_NAMES_MAX]; /* patterns, a line each */
	int64_t auto_fix_delay_ms;	       /* how long it must have lasted */
	int64_t auto_fix_budget;	       /* … so many times in a day */
	char auto_fix_quiet[CONFIG_NAMES_MAX]; /* … not then: see hours.h, a line each */
	int64_t flapping_count;		       /* a drift that was found so often */
	int64_t flapping_window_ms;	       /* … in so long is flapping */
	int64_t snapshot_triggers;	       /* 1 << enum snapshot_trigger */
	int64_t snapshot_retention_ms;	       /* how long versions stay that nobody has named */
	int64_t max_concurrent_executions;     /* runs that are running at once */
	int64_t max_document_size;	       /* bytes; larger writes are EFBIG */
	int64_t max_keys;		       /* of a stack, of a namespace */
	int64_t max_scratch_files;	       /* per user */
	int64_t max_log_size;		       /* bytes of log a run may store */
	int64_t max_run_memory;		       /* bytes that the Lua of a run may have */
	bool cgroups;			       /* a cgroup for each run, where that can be */
	char roots[CONFIG_NAMES_MAX];	       /* folders of the stack, a line each */
	char roots_ignore[CONFIG_NAMES_MAX];   /* patterns of what is nobody's business there, a line each */
	char local_agents[CONFIG_NAMES_MAX];   /* names that mean this host, with blanks between them */
	int64_t max_artifact_size;	       /* bytes of one file that a task keeps */
	int64_t max_run_artifacts;	       /* bytes of all that a run keeps */
	int64_t max_before_image;	       /* bytes of a file that is kept before it is changed */
	int64_t max_unpacked_size;	       /* bytes that an archive may become */
	int64_t max_unpacked_files;	       /* entries that it may have */
	int64_t max_run_images;		       /* bytes of all that are kept so for a run */
	int64_t backup_interval_ms;	       /* between backups that nobody asks for; 0: none */
	int64_t backup_keep;		       /* of those */
	bool strict_mode;		       /* validation: warnings fail, too */
	bool check_disk_space, check_permissions;
	int64_t min_disk_space;	     /* bytes */
	int64_t event_batch_size;    /* events that are verified or archived in one slice of the loop */
	int64_t event_buffer_size;   /* archived events that are removed in one transaction */
	int64_t event_workers;	     /* nothing: older files have it */
	int64_t quotas[QUOTA_COUNT]; /* of each user but root and the daemon's own */
	int64_t idle_timeout_ms;     /* a daemon started by the command line exits after this */
};

/* "off", "low" … */
const char *config_severity(int64_t severity);

/* The defaults. */
void config_init(struct config *config);

/* Parses `text` over `config`, all or nothing. `file` is for messages. -EINVAL with file:line and the
 * sentence. */
int config_parse(struct config *config, const char *file, const char *text, size_t size, struct fault *fault);

/* The same for a stack's config.yaml: settings that are the daemon's alone are refused. */
int config_parse_stack(
	struct config *config, const char *file, const char *text, size_t size, struct fault *fault);

/* Reads the files named above over `config`; missing ones are fine. */
int config_load(struct config *config, struct fault *fault);

/* The effective configuration as YAML that config_parse() takes. */
void config_show(const struct config *config, FILE *out);
