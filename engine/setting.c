/* SPDX-License-Identifier: MIT */
/* Values of settings: a row or a function a type. */
#include "engine/setting.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "engine/hours.h"

/* The words that a list can have: its value is the bits of those that it has. */
static const char *const list_words[] = {
	[SNAPSHOT_BEFORE_DEPLOYMENT] = "before_deployment",
	[SNAPSHOT_BEFORE_DESTROY] = "before_destroy",
	[SNAPSHOT_ON_DRIFT_FIX] = "on_drift_fix",
	[SNAPSHOT_MANUAL] = "manual",
};
enum { LIST_WORDS = sizeof(list_words) / sizeof(list_words[0]) };

/* Up to which one something is done. */
const char *const setting_severities[SETTING_SEVERITIES] = { "off", "low", "medium", "high", "critical" };

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
	[SETTING_NAMES] = { name_check, ' ', false },
	[SETTING_PATTERNS] = { pattern_check, '\n', true },
	[SETTING_PATHS] = { path_check, '\n', true },
	[SETTING_GLOBS] = { pattern_check, '\n', true },
	[SETTING_HOURS] = { hours_check, '\n', true },
};

bool setting_is_texts(enum setting_type type)
{
	return type >= SETTING_NAMES;
}

static const int64_t second = 1000; /* a bare number is seconds */

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

static int text_parse(const char *text, enum setting_type type, int64_t *ret_value)
{
	if (type == SETTING_DURATION)
		return duration_parse(text, ret_value);
	return type == SETTING_SIZE ? size_parse(text, ret_value) : -EINVAL;
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

	for (int i = 0; word && i < SETTING_SEVERITIES; i++)
		if (!strcmp(setting_severities[i], word)) {
			*ret_value = i;
			return 0;
		}
	return -EINVAL;
}

int setting_parse(enum setting_type type, const json_t *value, int64_t *ret_value)
{
	int64_t scale = type == SETTING_DURATION ? second : 1;

	if (type == SETTING_LIST)
		return list_parse(value, ret_value);
	if (type == SETTING_BOOL) {
		*ret_value = json_is_true(value);
		return json_is_boolean(value) ? 0 : -EINVAL;
	}
	if (type == SETTING_SEVERITY)
		return severity_parse(value, ret_value);
	if (json_is_integer(value))
		return __builtin_mul_overflow((int64_t)json_integer_value(value), scale, ret_value) ? -EINVAL
												    : 0;
	return json_is_string(value) ? text_parse(json_string_value(value), type, ret_value) : -EINVAL;
}

int setting_parse_texts(enum setting_type type, const json_t *value, char ret_texts[CONFIG_NAMES_MAX])
{
	const struct texts *kind = &texts[type];
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

void setting_show_texts(enum setting_type type, const char *all, FILE *out)
{
	const struct texts *kind = &texts[type];
	const char *before = "[";

	for (size_t n; *all; all += n + (all[n] == kind->between)) {
		n = (size_t)(strchrnul(all, kind->between) - all);
		fputs(before, out);
		text_show(kind, all, n, out);
		before = ", ";
	}
	fputs(*before == '[' ? "[]" : "]", out);
}

void setting_show(enum setting_type type, int64_t value, FILE *out)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "d", 24 * 3600 * 1000 }, { "h", 3600 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 },
		{ "ms", 1 } };
	size_t i = 0;

	switch (type) {
	case SETTING_NAMES: /* setting_show_texts() */
	case SETTING_PATTERNS:
	case SETTING_PATHS:
	case SETTING_GLOBS:
	case SETTING_HOURS:
		break;
	case SETTING_SEVERITY:
		fputs(setting_severities[value], out);
		break;
	case SETTING_LIST:
		list_show(value, out);
		break;
	case SETTING_BOOL:
		fputs(value ? "true" : "false", out);
		break;
	case SETTING_NUMBER:
		fprintf(out, "%" PRId64, value);
		break;
	case SETTING_DURATION:
		while (value % units[i].ms || (!value && i < 3))
			i++;
		fprintf(out, "%" PRId64 "%s", value / units[i].ms, units[i].name);
		break;
	case SETTING_SIZE:
		while (value % sizes[i].bytes || (!value && i < 8)) /* 0B */
			i += 2;
		fprintf(out, "%" PRId64 "%s", value / sizes[i].bytes, sizes[i].name);
		break;
	}
}

static const char *const type_words[] = {
	[SETTING_LIST] = "a list of before_deployment, before_destroy, on_drift_fix, manual",
	[SETTING_BOOL] = "true or false",
	[SETTING_NUMBER] = "a whole number",
	[SETTING_DURATION] = "a duration like 30s, 5m, 1h30m",
	[SETTING_SIZE] = "a size like 500KB, 100MB, 1GB",
	[SETTING_NAMES] = "a list of names (letters, digits, '.', '_', '-'), of at most 1000 bytes",
	[SETTING_SEVERITY] = "off, low, medium, high or critical",
	[SETTING_PATTERNS] =
		"a list of names like \"file//etc/motd\" or \"package/*\", of at most 1000 bytes",
	[SETTING_PATHS] = "a list of paths like \"/etc/nginx\", of at most 1000 bytes",
	[SETTING_GLOBS] = "a list of patterns like \"*.bak\" or \"/srv/cache/*\", of at most 1000 bytes",
	[SETTING_HOURS] = "a list of hours like \"22:00-06:00\", \"Mon-Fri 08:00-18:00\" or \"Sat,Sun\"",
};

const char *setting_describe(enum setting_type type)
{
	return type_words[type];
}
