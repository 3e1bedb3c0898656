/* SPDX-License-Identifier: MIT */
/* Configuration: one row a key. */
#include "engine/config.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "engine/setting.h"
#include "engine/yaml.h"

const char *config_severity(int64_t severity)
{
	return setting_severities[severity];
}

static const struct row {
	const char *name;
	enum setting_type type;
	size_t offset;
	int64_t initial, min, max;
	bool of_stack; /* a stack's config.yaml may set it for that stack */
} rows[] = {
	{ "auto_lock", SETTING_BOOL, offsetof(struct config, auto_lock), 1, 0, 1, true },
	{ "lock_timeout", SETTING_DURATION, offsetof(struct config, lock_timeout_ms), 3600000, 1000,
		INT64_C(3155760000000), true },
	{ "auto_snapshot", SETTING_BOOL, offsetof(struct config, auto_snapshot), 1, 0, 1, true },
	{ "auto_drift_detect", SETTING_BOOL, offsetof(struct config, auto_drift_detect), 0, 0, 1, true },
	{ "auto_fix", SETTING_SEVERITY, offsetof(struct config, auto_fix), 0, 0, SETTING_SEVERITIES - 1,
		true },
	{ "auto_fix_only", SETTING_PATTERNS, offsetof(struct config, auto_fix_only), .of_stack = true },
	{ "auto_fix_except", SETTING_PATTERNS, offsetof(struct config, auto_fix_except), .of_stack = true },
	{ "auto_fix_delay", SETTING_DURATION, offsetof(struct config, auto_fix_delay_ms), 30000, 0,
		INT64_C(3155760000000), true },
	{ "auto_fix_budget", SETTING_NUMBER, offsetof(struct config, auto_fix_budget), 24, 1, 10000, true },
	{ "auto_fix_quiet", SETTING_HOURS, offsetof(struct config, auto_fix_quiet), .of_stack = true },
	{ "flapping_count", SETTING_NUMBER, offsetof(struct config, flapping_count), 5, 2, 1000, true },
	{ "flapping_window", SETTING_DURATION, offsetof(struct config, flapping_window_ms), 3600000, 1000,
		INT64_C(3155760000000), true },
	{ "watch", SETTING_BOOL, offsetof(struct config, watch), 1, 0, 1, true },
	{ "watch_exact", SETTING_BOOL, offsetof(struct config, watch_exact), 0, 0, 1 },
	{ "roots", SETTING_PATHS, offsetof(struct config, roots), .of_stack = true },
	{ "roots_ignore", SETTING_GLOBS, offsetof(struct config, roots_ignore), .of_stack = true },
	{ "snapshot_triggers", SETTING_LIST, offsetof(struct config, snapshot_triggers), SETTING_LIST_ALL, 0,
		SETTING_LIST_ALL, true },
	{ "snapshot_retention", SETTING_DURATION, offsetof(struct config, snapshot_retention_ms),
		INT64_C(30) * 86400000, 1000, INT64_C(3155760000000), true },
	{ "max_concurrent_executions", SETTING_NUMBER, offsetof(struct config, max_concurrent_executions), 10,
		1, 10000, true },
	{ "max_document_size", SETTING_SIZE, offsetof(struct config, max_document_size), 8 << 20, 1024,
		16 << 20 },
	{ "max_keys", SETTING_NUMBER, offsetof(struct config, max_keys), 100000, 1, 100000000 },
	{ "max_scratch_files", SETTING_NUMBER, offsetof(struct config, max_scratch_files), 256, 1, 100000 },
	{ "max_log_size", SETTING_SIZE, offsetof(struct config, max_log_size), 64 << 20, 4096,
		INT64_C(1) << 40 },
	{ "max_run_memory", SETTING_SIZE, offsetof(struct config, max_run_memory), 512 << 20, 16 << 20,
		INT64_C(1) << 40 },
	{ "cgroups", SETTING_BOOL, offsetof(struct config, cgroups), 1, 0, 1 },
	{ "local_agents", SETTING_NAMES, offsetof(struct config, local_agents) },
	{ "max_artifact_size", SETTING_SIZE, offsetof(struct config, max_artifact_size), 256 << 20, 1,
		INT64_C(1) << 40 },
	{ "max_run_artifacts", SETTING_SIZE, offsetof(struct config, max_run_artifacts), INT64_C(1) << 30, 1,
		INT64_C(1) << 44 },
	{ "max_before_image", SETTING_SIZE, offsetof(struct config, max_before_image), 64 << 20, 0,
		INT64_C(1) << 40 },
	{ "max_unpacked_size", SETTING_SIZE, offsetof(struct config, max_unpacked_size), INT64_C(4) << 30,
		4096, INT64_C(1) << 50 },
	{ "max_unpacked_files", SETTING_NUMBER, offsetof(struct config, max_unpacked_files), 100000, 1,
		100000000 },
	{ "max_run_images", SETTING_SIZE, offsetof(struct config, max_run_images), INT64_C(1) << 30, 0,
		INT64_C(1) << 44 },
	{ "backup_interval", SETTING_DURATION, offsetof(struct config, backup_interval_ms), 86400000, 0,
		INT64_C(3155760000000) },
	{ "backup_keep", SETTING_NUMBER, offsetof(struct config, backup_keep), 7, 1, 100000 },
	{ "idle_timeout", SETTING_DURATION, offsetof(struct config, idle_timeout_ms), 300000, 100,
		INT64_C(3155760000000) },
	/* Those of a section stand together. */
	{ "events.workers", SETTING_NUMBER, offsetof(struct config, event_workers), 100, 1, 100000 },
	{ "events.buffer_size", SETTING_NUMBER, offsetof(struct config, event_buffer_size), 1000, 1, 100000 },
	{ "events.batch_size", SETTING_NUMBER, offsetof(struct config, event_batch_size), 50, 1, 10000 },
	{ "quotas.stacks", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_STACKS]), 1000, 0, 10000000 },
	{ "quotas.namespaces", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_NAMESPACES]), 1000, 0,
		10000000 },
	{ "quotas.keys", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_KEYS]), 200000, 0,
		INT64_C(1000000000) },
	{ "quotas.locks", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_LOCKS]), 10000, 0, 10000000 },
	{ "quotas.workflows", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_WORKFLOWS]), 1000, 0,
		10000000 },
	{ "quotas.secrets", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_SECRETS]), 1000, 0,
		10000000 },
	{ "quotas.runs", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_RUNS]), 100, 0, 1000000 },
	{ "quotas.waits", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_WAITS]), 500, 1, 1000000 },
	{ "quotas.open_files", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_OPEN_FILES]), 4096, 16,
		10000000 },
	{ "quotas.open_size", SETTING_SIZE, offsetof(struct config, quotas[QUOTA_OPEN_SIZE]), 256 << 20,
		1 << 20, INT64_C(1) << 40 },
	{ "quotas.connections", SETTING_NUMBER, offsetof(struct config, quotas[QUOTA_CONNECTIONS]), 512, 8,
		1000000 },
	{ "quotas.storage", SETTING_SIZE, offsetof(struct config, quotas[QUOTA_STORAGE]), INT64_C(10) << 30,
		1 << 20, INT64_C(1) << 50 },
	{ "validation.strict_mode", SETTING_BOOL, offsetof(struct config, strict_mode), 0, 0, 1, true },
	{ "validation.check_disk_space", SETTING_BOOL, offsetof(struct config, check_disk_space), 1, 0, 1,
		true },
	{ "validation.min_disk_space", SETTING_SIZE, offsetof(struct config, min_disk_space), 100 << 20, 0,
		INT64_C(1) << 60, true },
	{ "validation.check_permissions", SETTING_BOOL, offsetof(struct config, check_permissions), 1, 0, 1,
		true },
};

/* Settings that stand together, in a table of their own: "events:" and below it "workers:". */
static const char *const sections[] = { "events", "quotas", "validation" };

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void row_store(const struct row *row, struct config *config, int64_t value)
{
	char *place = (char *)config + row->offset;

	if (row->type == SETTING_BOOL)
		*(bool *)place = value != 0;
	else if (!setting_is_texts(row->type))
		*(int64_t *)place = value;
}

static int64_t row_load(const struct row *row, const struct config *config)
{
	const char *place = (const char *)config + row->offset;

	return row->type == SETTING_BOOL ? *(const bool *)place : *(const int64_t *)place;
}

/* Texts stand in `config` at once. */
static int row_parse(const struct row *row, const json_t *value, struct config *config, int64_t *ret_number)
{
	return setting_is_texts(row->type)
		       ? setting_parse_texts(row->type, value, (char *)config + row->offset)
		       : setting_parse(row->type, value, ret_number);
}

void config_init(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < ROW_COUNT; i++)
		row_store(&rows[i], config, rows[i].initial);
}

static void range_show(const struct row *row, char *ret_text, size_t size)
{
	FILE *out = fmemopen(ret_text, size, "w");

	ret_text[0] = '\0';
	if (!out)
		return;
	setting_show(row->type, row->min, out);
	fputs(" to ", out);
	setting_show(row->type, row->max, out);
	fclose(out);
}

struct source {
	const char *file;
	const json_t *lines;
	struct fault *fault;
	bool of_stack;
};

static int unknown_key(const struct source *source, const char *key, long long line)
{
	const char *names[ROW_COUNT + sizeof(sections) / sizeof(sections[0])], *near;
	size_t count = 0;

	for (; count < ROW_COUNT; count++)
		names[count] = rows[count].name;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		names[count++] = sections[i];
	near = text_nearest(key, names, count);
	return fault_set(source->fault, EINVAL, "%s:%lld: there is no setting %s%s%s%s", source->file, line,
		key, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* `path`: where it stands in the file. */
static int key_apply(
	const struct source *source, const char *path, const json_t *value, struct config *config)
{
	const char *key = path + (strncmp(path, "stacks.", strlen("stacks.")) ? 0 : strlen("stacks."));
	char range[128];
	long long line;
	int64_t number = 0;

	line = json_integer_value(json_object_get(source->lines, path));
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (strcmp(rows[i].name, key) != 0)
			continue;
		if (source->of_stack && !rows[i].of_stack)
			return fault_set(source->fault, EINVAL,
				"%s:%lld: %s is a setting of the daemon (/etc/sloth/config.yaml), not of one "
				"stack",
				source->file, line, key);
		if (row_parse(&rows[i], value, config, &number) < 0)
			return fault_set(source->fault, EINVAL, "%s:%lld: %s must be %s", source->file, line,
				key, setting_describe(rows[i].type));
		range_show(&rows[i], range, sizeof(range));
		if (number < rows[i].min || number > rows[i].max)
			return fault_set(source->fault, EINVAL, "%s:%lld: %s must be within %s", source->file,
				line, key, range);
		row_store(&rows[i], config, number);
		return 0;
	}
	return unknown_key(source, key, line);
}

/* Settings stand under `stacks:`, or bare, as in a stack's own file. */
static bool is_section(const char *path)
{
	if (!strcmp(path, "stacks"))
		return true;
	if (!strncmp(path, "stacks.", strlen("stacks.")))
		path += strlen("stacks.");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (!strcmp(path, sections[i]))
			return true;
	return false;
}

static int section_apply(
	const struct source *source, const char *section, json_t *object, struct config *config)
{
	const char *key;
	json_t *value;
	int r;

	json_object_foreach (object, key, value) {
		char path[512];

		snprintf(path, sizeof(path), "%s%s%s", section, *section ? "." : "", key);
		if (is_section(path) && (json_is_object(value) || json_is_null(value)))
			r = section_apply(source, path, value, config);
		else
			r = key_apply(source, path, value, config);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse(struct config *config, bool of_stack, const char *file, const char *text, size_t size,
	struct fault *fault)
{
	json_auto_t *value = NULL, *lines = NULL;
	struct config next = *config;
	struct source source = { .file = file, .fault = fault, .of_stack = of_stack };
	int r;

	r = yaml_parse_lines(file, text, size, fault, &value, &lines);
	if (r < 0)
		return r;
	if (!json_is_object(value) && !json_is_null(value))
		return fault_set(fault, EINVAL, "%s:1: settings are lines of \"name: value\"", file);
	source.lines = lines;
	r = section_apply(&source, "", value, &next);
	if (r < 0)
		return r;
	*config = next;
	return 0;
}

int config_parse(struct config *config, const char *file, const char *text, size_t size, struct fault *fault)
{
	return parse(config, false, file, text, size, fault);
}

int config_parse_stack(
	struct config *config, const char *file, const char *text, size_t size, struct fault *fault)
{
	return parse(config, true, file, text, size, fault);
}

static int file_read(const char *path, struct buffer *ret_text, struct fault *fault)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char part[4096];
	size_t n;

	if (!file && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!file)
		return fault_set(fault, errno, "%s: %s", path, strerror(errno));
	while ((n = fread(part, 1, sizeof(part), file)) > 0)
		if (buffer_append(ret_text, part, n) < 0)
			return fault_set(fault, ENOMEM, "%s: out of memory", path);
	return ferror(file) ? fault_set(fault, EIO, "%s: cannot be read", path) : 0;
}

static int file_apply(struct config *config, const char *path, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = file_read(path, &text, fault);

	return r < 0 ? r : config_parse(config, path, buffer_text(&text), text.size, fault);
}

int config_load(struct config *config, struct fault *fault)
{
	const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	struct config next = *config;
	char path[PATH_MAX] = "";
	int r;

	if (folder && *folder)
		snprintf(path, sizeof(path), "%s/sloth/config.yaml", folder);
	else if (home && *home)
		snprintf(path, sizeof(path), "%s/.config/sloth/config.yaml", home);
	r = file_apply(&next, "/etc/sloth/config.yaml", fault);
	if (r == 0 && path[0])
		r = file_apply(&next, path, fault);
	if (r < 0)
		return r;
	*config = next;
	return 0;
}

void config_show(const struct config *config, FILE *out)
{
	const char *section = "";
	size_t size = 0;

	fputs("stacks:\n", out);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const char *dot = strchr(rows[i].name, '.');

		if (dot && (strncmp(section, rows[i].name, size) != 0 || !size)) {
			section = rows[i].name;
			size = (size_t)(dot + 1 - section);
			fprintf(out, "  %.*s:\n", (int)size - 1, section);
		}
		fprintf(out, "%s%s: ", dot ? "    " : "  ", dot ? dot + 1 : rows[i].name);
		if (setting_is_texts(rows[i].type))
			setting_show_texts(rows[i].type, (const char *)config + rows[i].offset, out);
		else
			setting_show(rows[i].type, row_load(&rows[i], config), out);
		fputc('\n', out);
	}
}
