/* SPDX-License-Identifier: MIT */
/* Configuration: one row a key. */
#include "engine/config.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "engine/hours.h"
#include "engine/snapshot.h"
#include "engine/yaml.h"

enum type {
	TYPE_LIST,
	TYPE_BOOL,
	TYPE_NUMBER,
	TYPE_DURATION,
	TYPE_SIZE,
	TYPE_SEVERITY,
	/* Texts, or one alone: see texts_of() */
	TYPE_NAMES,
	TYPE_PATTERNS,
	TYPE_PATHS,
	TYPE_GLOBS,
	TYPE_HOURS,
};

/* The words that a list can have: its value is the bits of those that it has. */
static const char *const list_words[] = {
	[SNAPSHOT_BEFORE_DEPLOYMENT] = "before_deployment",
	[SNAPSHOT_BEFORE_DESTROY] = "before_destroy",
	[SNAPSHOT_ON_DRIFT_FIX] = "on_drift_fix",
	[SNAPSHOT_MANUAL] = "manual",
};
enum { LIST_WORDS = sizeof(list_words) / sizeof(list_words[0]), LIST_ALL = (1 << LIST_WORDS) - 1 };

/* Up to which one something is done. */
static const char *const severity_words[] = { "off", "low", "medium", "high", "critical" };
enum { SEVERITY_WORDS = sizeof(severity_words) / sizeof(severity_words[0]) };

const char *config_severity(int64_t severity)
{
	return severity_words[severity];
}

static int pattern_check(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			return -EINVAL;
	return *text ? 0 : -EINVAL;
}

static int path_check(const char *text)
{
	return *text == '/' ? pattern_check(text) : -EINVAL;
}

/* How texts of a list are checked, and what stands between them in struct config. */
static const struct texts {
	int (*check)(const char *text);
	char between;
	bool quoted;
} texts[] = {
	[TYPE_NAMES] = { name_check, ' ', false },
	[TYPE_PATTERNS] = { pattern_check, '\n', true },
	[TYPE_PATHS] = { path_check, '\n', true },
	[TYPE_GLOBS] = { pattern_check, '\n', true },
	[TYPE_HOURS] = { hours_check, '\n', true },
};

/* NULL: it is none of those. */
static const struct texts *texts_of(enum type type)
{
	return type < TYPE_NAMES ? NULL : &texts[type];
}

static const int64_t second = 1000; /* a bare number is seconds */

static const struct row {
	const char *name;
	enum type type;
	size_t offset;
	int64_t initial, min, max;
	bool of_stack; /* a stack's config.yaml may set it for that stack */
} rows[] = {
	{ "auto_lock", TYPE_BOOL, offsetof(struct config, auto_lock), 1, 0, 1, true },
	{ "lock_timeout", TYPE_DURATION, offsetof(struct config, lock_timeout_ms), 3600000, 1000,
		INT64_C(3155760000000), true },
	{ "auto_snapshot", TYPE_BOOL, offsetof(struct config, auto_snapshot), 1, 0, 1, true },
	{ "auto_drift_detect", TYPE_BOOL, offsetof(struct config, auto_drift_detect), 0, 0, 1, true },
	{ "auto_fix", TYPE_SEVERITY, offsetof(struct config, auto_fix), 0, 0, SEVERITY_WORDS - 1, true },
	{ "auto_fix_only", TYPE_PATTERNS, offsetof(struct config, auto_fix_only), .of_stack = true },
	{ "auto_fix_except", TYPE_PATTERNS, offsetof(struct config, auto_fix_except), .of_stack = true },
	{ "auto_fix_delay", TYPE_DURATION, offsetof(struct config, auto_fix_delay_ms), 30000, 0,
		INT64_C(3155760000000), true },
	{ "auto_fix_budget", TYPE_NUMBER, offsetof(struct config, auto_fix_budget), 24, 1, 10000, true },
	{ "auto_fix_quiet", TYPE_HOURS, offsetof(struct config, auto_fix_quiet), .of_stack = true },
	{ "flapping_count", TYPE_NUMBER, offsetof(struct config, flapping_count), 5, 2, 1000, true },
	{ "flapping_window", TYPE_DURATION, offsetof(struct config, flapping_window_ms), 3600000, 1000,
		INT64_C(3155760000000), true },
	{ "watch", TYPE_BOOL, offsetof(struct config, watch), 1, 0, 1, true },
	{ "watch_exact", TYPE_BOOL, offsetof(struct config, watch_exact), 0, 0, 1 },
	{ "roots", TYPE_PATHS, offsetof(struct config, roots), .of_stack = true },
	{ "roots_ignore", TYPE_GLOBS, offsetof(struct config, roots_ignore), .of_stack = true },
	{ "snapshot_triggers", TYPE_LIST, offsetof(struct config, snapshot_triggers), LIST_ALL, 0, LIST_ALL,
		true },
	{ "snapshot_retention", TYPE_DURATION, offsetof(struct config, snapshot_retention_ms),
		INT64_C(30) * 86400000, 1000, INT64_C(3155760000000), true },
	{ "max_concurrent_executions", TYPE_NUMBER, offsetof(struct config, max_concurrent_executions), 10, 1,
		10000, true },
	{ "max_document_size", TYPE_SIZE, offsetof(struct config, max_document_size), 8 << 20, 1024,
		16 << 20 },
	{ "max_keys", TYPE_NUMBER, offsetof(struct config, max_keys), 100000, 1, 100000000 },
	{ "max_scratch_files", TYPE_NUMBER, offsetof(struct config, max_scratch_files), 256, 1, 100000 },
	{ "max_log_size", TYPE_SIZE, offsetof(struct config, max_log_size), 64 << 20, 4096,
		INT64_C(1) << 40 },
	{ "max_run_memory", TYPE_SIZE, offsetof(struct config, max_run_memory), 512 << 20, 16 << 20,
		INT64_C(1) << 40 },
	{ "cgroups", TYPE_BOOL, offsetof(struct config, cgroups), 1, 0, 1 },
	{ "local_agents", TYPE_NAMES, offsetof(struct config, local_agents) },
	{ "max_artifact_size", TYPE_SIZE, offsetof(struct config, max_artifact_size), 256 << 20, 1,
		INT64_C(1) << 40 },
	{ "max_run_artifacts", TYPE_SIZE, offsetof(struct config, max_run_artifacts), INT64_C(1) << 30, 1,
		INT64_C(1) << 44 },
	{ "max_before_image", TYPE_SIZE, offsetof(struct config, max_before_image), 64 << 20, 0,
		INT64_C(1) << 40 },
	{ "max_unpacked_size", TYPE_SIZE, offsetof(struct config, max_unpacked_size), INT64_C(4) << 30, 4096,
		INT64_C(1) << 50 },
	{ "max_unpacked_files", TYPE_NUMBER, offsetof(struct config, max_unpacked_files), 100000, 1,
		100000000 },
	{ "max_run_images", TYPE_SIZE, offsetof(struct config, max_run_images), INT64_C(1) << 30, 0,
		INT64_C(1) << 44 },
	{ "backup_interval", TYPE_DURATION, offsetof(struct config, backup_interval_ms), 86400000, 0,
		INT64_C(3155760000000) },
	{ "backup_keep", TYPE_NUMBER, offsetof(struct config, backup_keep), 7, 1, 100000 },
	{ "idle_timeout", TYPE_DURATION, offsetof(struct config, idle_timeout_ms), 300000, 100,
		INT64_C(3155760000000) },
	/* Those of a section stand together. */
	{ "events.workers", TYPE_NUMBER, offsetof(struct config, event_workers), 100, 1, 100000 },
	{ "events.buffer_size", TYPE_NUMBER, offsetof(struct config, event_buffer_size), 1000, 1, 100000 },
	{ "events.batch_size", TYPE_NUMBER, offsetof(struct config, event_batch_size), 50, 1, 10000 },
	{ "quotas.stacks", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_STACKS]), 1000, 0, 10000000 },
	{ "quotas.namespaces", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_NAMESPACES]), 1000, 0,
		10000000 },
	{ "quotas.keys", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_KEYS]), 200000, 0,
		INT64_C(1000000000) },
	{ "quotas.locks", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_LOCKS]), 10000, 0, 10000000 },
	{ "quotas.workflows", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_WORKFLOWS]), 1000, 0,
		10000000 },
	{ "quotas.secrets", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_SECRETS]), 1000, 0, 10000000 },
	{ "quotas.runs", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_RUNS]), 100, 0, 1000000 },
	{ "quotas.waits", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_WAITS]), 500, 1, 1000000 },
	{ "quotas.open_files", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_OPEN_FILES]), 4096, 16,
		10000000 },
	{ "quotas.open_size", TYPE_SIZE, offsetof(struct config, quotas[QUOTA_OPEN_SIZE]), 256 << 20, 1 << 20,
		INT64_C(1) << 40 },
	{ "quotas.connections", TYPE_NUMBER, offsetof(struct config, quotas[QUOTA_CONNECTIONS]), 512, 8,
		1000000 },
	{ "quotas.storage", TYPE_SIZE, offsetof(struct config, quotas[QUOTA_STORAGE]), INT64_C(10) << 30,
		1 << 20, INT64_C(1) << 50 },
	{ "validation.strict_mode", TYPE_BOOL, offsetof(struct config, strict_mode), 0, 0, 1, true },
	{ "validation.check_disk_space", TYPE_BOOL, offsetof(struct config, check_disk_space), 1, 0, 1,
		true },
	{ "validation.min_disk_space", TYPE_SIZE, offsetof(struct config, min_disk_space), 100 << 20, 0,
		INT64_C(1) << 60, true },
	{ "validation.check_permissions", TYPE_BOOL, offsetof(struct config, check_permissions), 1, 0, 1,
		true },
};

/* Settings that stand together, in a table of their own: "events:" and below it "workers:". */
static const char *const sections[] = { "events", "quotas", "validation" };

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void row_store(const struct row *row, struct config *config, int64_t value)
{
	char *place = (char *)config + row->offset;

	if (row->type == TYPE_BOOL)
		*(bool *)place = value != 0;
	else if (!texts_of(row->type))
		*(int64_t *)place = value;
}

static int64_t row_load(const struct row *row, const struct config *config)
{
	const char *place = (const char *)config + row->offset;

	return row->type == TYPE_BOOL ? *(const bool *)place : *(const int64_t *)place;
}

void config_init(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < ROW_COUNT; i++)
		row_store(&rows[i], config, rows[i].initial);
}

static const struct {
	const char *name;
	int64_t bytes;
} sizes[] = {
	{ "TB", INT64_C(1) << 40 },
	{ "T", INT64_C(1) << 40 },
	{ "GB", INT64_C(1) << 30 },
	{ "G", INT64_C(1) << 30 },
	{ "MB", 1 << 20 },
	{ "M", 1 << 20 },
	{ "KB", 1 << 10 },
	{ "K", 1 << 10 },
	{ "B", 1 },
	{ "", 1 },
};

static int size_parse(const char *text, int64_t *ret_bytes)
{
	size_t digits = strspn(text, "0123456789");
	char number[20];
	int64_t value;

	if (digits == 0 || digits >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (parse_int64(number, &value) < 0)
		return -EINVAL;
	text += digits;
	text += strspn(text, " ");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (!strcasecmp(text, sizes[i].name))
			return __builtin_mul_overflow(value, sizes[i].bytes, ret_bytes) ? -EINVAL : 0;
	return -EINVAL;
}

static int text_parse(const char *text, enum type type, int64_t *ret_value)
{
	if (type == TYPE_DURATION)
		return duration_parse(text, ret_value);
	return type == TYPE_SIZE ? size_parse(text, ret_value) : -EINVAL;
}

static int list_parse(const json_t *list, int64_t *ret_value)
{
	const json_t *word;
	int64_t value = 0;
	size_t i;

	json_array_foreach (list, i, word) {
		int bit = 0;

		while (bit < LIST_WORDS &&
			(!json_is_string(word) || strcmp(list_words[bit], json_string_value(word)) != 0))
			bit++;
		if (bit == LIST_WORDS)
			return -EINVAL;
		value |= 1 << bit;
	}
	*ret_value = value;
	return json_is_array(list) ? 0 : -EINVAL;
}

static void list_show(int64_t value, FILE *out)
{
	const char *before = "[";

	for (int i = 0; i < LIST_WORDS; i++)
		if (value & 1 << i) {
			fprintf(out, "%s%s", before, list_words[i]);
			before = ", ";
		}
	fputs(value ? "]" : "[]", out);
}

/* YAML of before 1.2 has it that "off" is false. */
static int severity_parse(const json_t *value, int64_t *ret_value)
{
	const char *word = json_is_false(value) ? "off" : json_string_value(value);

	for (int i = 0; word && i < SEVERITY_WORDS; i++)
		if (!strcmp(severity_words[i], word)) {
			*ret_value = i;
			return 0;
		}
	return -EINVAL;
}

static int value_parse(const struct row *row, const json_t *value, int64_t *ret_value)
{
	int64_t scale = row->type == TYPE_DURATION ? second : 1;

	if (row->type == TYPE_LIST)
		return list_parse(value, ret_value);
	if (row->type == TYPE_BOOL) {
		*ret_value = json_is_true(value);
		return json_is_boolean(value) ? 0 : -EINVAL;
	}
	if (row->type == TYPE_SEVERITY)
		return severity_parse(value, ret_value);
	if (json_is_integer(value))
		return __builtin_mul_overflow((int64_t)json_integer_value(value), scale, ret_value) ? -EINVAL
												    : 0;
	return json_is_string(value) ? text_parse(json_string_value(value), row->type, ret_value) : -EINVAL;
}

/* A list of texts, or one alone. */
static int texts_parse(const struct texts *kind, const json_t *value, char ret_texts[CONFIG_NAMES_MAX])
{
	char all[CONFIG_NAMES_MAX] = "";
	size_t i, n = 0, count = json_is_array(value) ? json_array_size(value) : 1;

	for (i = 0; i < count; i++) {
		const char *text = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);

		if (!text || kind->check(text) < 0 || n + strlen(text) + 2 > sizeof(all))
			return -EINVAL;
		if (n)
			all[n++] = kind->between;
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s", text);
	}
	memcpy(ret_texts, all, sizeof(all));
	return 0;
}

static void text_show(const struct texts *kind, const char *text, size_t size, FILE *out)
{
	if (kind->quoted)
		fputc('"', out);
	for (size_t i = 0; i < size; i++)
		fprintf(out, kind->quoted && strchr("\"\\", text[i]) ? "\\%c" : "%c", text[i]);
	if (kind->quoted)
		fputc('"', out);
}

static void texts_show(const struct texts *kind, const char *all, FILE *out)
{
	const char *before = "[";

	for (size_t n; *all; all += n + (all[n] == kind->between)) {
		n = (size_t)(strchrnul(all, kind->between) - all);
		fputs(before, out);
		text_show(kind, all, n, out);
		before = ", ";
	}
	fputs(*before == '[' ? "[]" : "]", out);
}

static void value_show(const struct row *row, int64_t value, FILE *out)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "d", 24 * 3600 * 1000 }, { "h", 3600 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 },
		{ "ms", 1 } };
	size_t i = 0;

	switch (row->type) {
	case TYPE_NAMES: /* texts_show() */
	case TYPE_PATTERNS:
	case TYPE_PATHS:
	case TYPE_GLOBS:
	case TYPE_HOURS:
		break;
	case TYPE_SEVERITY:
		fputs(severity_words[value], out);
		break;
	case TYPE_LIST:
		list_show(value, out);
		break;
	case TYPE_BOOL:
		fputs(value ? "true" : "false", out);
		break;
	case TYPE_NUMBER:
		fprintf(out, "%" PRId64, value);
		break;
	case TYPE_DURATION:
		while (value % units[i].ms || (!value && i < 3))
			i++;
		fprintf(out, "%" PRId64 "%s", value / units[i].ms, units[i].name);
		break;
	case TYPE_SIZE:
		while (value % sizes[i].bytes || (!value && i < 8)) /* 0B */
			i += 2;
		fprintf(out, "%" PRId64 "%s", value / sizes[i].bytes, sizes[i].name);
		break;
	}
}

static const char *const type_words[] = {
	[TYPE_LIST] = "a list of before_deployment, before_destroy, on_drift_fix, manual",
	[TYPE_BOOL] = "true or false",
	[TYPE_NUMBER] = "a whole number",
	[TYPE_DURATION] = "a duration like 30s, 5m, 1h30m",
	[TYPE_SIZE] = "a size like 500KB, 100MB, 1GB",
	[TYPE_NAMES] = "a list of names (letters, digits, '.', '_', '-'), of at most 1000 bytes",
	[TYPE_SEVERITY] = "off, low, medium, high or critical",
	[TYPE_PATTERNS] = "a list of names like \"file//etc/motd\" or \"package/*\", of at most 1000 bytes",
	[TYPE_PATHS] = "a list of paths like \"/etc/nginx\", of at most 1000 bytes",
	[TYPE_GLOBS] = "a list of patterns like \"*.bak\" or \"/srv/cache/*\", of at most 1000 bytes",
	[TYPE_HOURS] = "a list of hours like \"22:00-06:00\", \"Mon-Fri 08:00-18:00\" or \"Sat,Sun\"",
};

static void range_show(const struct row *row, char *ret_text, size_t size)
{
	FILE *out = fmemopen(ret_text, size, "w");

	ret_text[0] = '\0';
	if (!out)
		return;
	value_show(row, row->min, out);
	fputs(" to ", out);
	value_show(row, row->max, out);
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
		if ((texts_of(rows[i].type) ? texts_parse(texts_of(rows[i].type), value,
						      (char *)config + rows[i].offset)
					    : value_parse(&rows[i], value, &number)) < 0)
			return fault_set(source->fault, EINVAL, "%s:%lld: %s must be %s", source->file, line,
				key, type_words[rows[i].type]);
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
		if (texts_of(rows[i].type))
			texts_show(texts_of(rows[i].type), (const char *)config + rows[i].offset, out);
		else
			value_show(&rows[i], row_load(&rows[i], config), out);
		fputc('\n', out);
	}
}
