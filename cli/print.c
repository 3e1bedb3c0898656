/* SPDX-License-Identifier: MIT */
/* How results look. */
#include "cli/print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/yaml-out.h"

bool print_is_terminal(FILE *out)
{
	return isatty(fileno(out)) == 1;
}

static bool has_colours(FILE *out)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && !(term && !strcmp(term, "dumb")) && print_is_terminal(out);
}

const char *print_style(FILE *out, enum style style)
{
	static const char *const codes[] = {
		[STYLE_END] = "\033[0m",
		[STYLE_BOLD] = "\033[1m",
		[STYLE_DIM] = "\033[2m",
		[STYLE_RED] = "\033[31m",
		[STYLE_GREEN] = "\033[32m",
		[STYLE_YELLOW] = "\033[33m",
		[STYLE_CYAN] = "\033[36m",
		[STYLE_MAGENTA] = "\033[35m",
	};
	/* Asked for once per stream: a log has many lines. */
	static int known[2] = { -1, -1 };
	int *colours = &known[out == stderr];

	if (*colours < 0)
		*colours = has_colours(out);
	return *colours ? codes[style] : "";
}

void print_done(const char *format, ...)
{
	va_list ap;

	printf("%s✓%s ", print_style(stdout, STYLE_GREEN), print_style(stdout, STYLE_END));
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

void print_warning(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s⚠%s ", print_style(stderr, STYLE_YELLOW), print_style(stderr, STYLE_END));
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void print_fault(const struct fault *fault, int code)
{
	fflush(stdout);
	fprintf(stderr, "%ssloth:%s %s\n", print_style(stderr, STYLE_RED), print_style(stderr, STYLE_END),
		fault->code && *fault->text ? fault->text : strerror(code));
}

int print_value(struct command *command, json_t *value)
{
	int r = 0;

	if (!value)
		return fault_set(&command->fault, ENOMEM, "no memory");
	if (command->format == FORMAT_YAML)
		r = yaml_write(stdout, value);
	else if (json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(16)) == 0)
		putchar('\n');
	else
		r = -EIO;
	json_decref(value);
	return r < 0 ? fault_set(&command->fault, -r, "can't write the output: %s", strerror(-r)) : 0;
}

void print_json_line(json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(16));
	putchar('\n');
	fflush(stdout);
}

static const struct {
	enum style style;
	const char *words[16];
} word_styles[] = {
	{ STYLE_GREEN, { "success", "completed", "ok", "create", "created", "applied", "in_sync", "pass",
			       "unlocked" } },
	{ STYLE_RED, { "failed", "delete", "deleted", "damaged", "timed_out", "rollback_failed",
			     "interrupted", "error", "fail", "upstream_failed", "lost" } },
	{ STYLE_YELLOW, { "running", "update", "updated", "waiting", "queued", "pending", "rolling_back",
				"warn", "cancelled", "locked", "drifted", "retry_wait" } },
	{ STYLE_MAGENTA, { "rolled_back" } },
	{ STYLE_DIM, { "noop", "unchanged", "skipped", "read", "skip" } },
};

enum style print_word_style(const char *word)
{
	for (size_t i = 0; i < sizeof(word_styles) / sizeof(word_styles[0]); i++)
		for (const char *const *w = word_styles[i].words; *w; w++)
			if (!strcasecmp(*w, word))
				return word_styles[i].style;
	return STYLE_END;
}

enum { PAGE_WIDTH = 48 };

/* A sign of the box drawings, so many times. */
static void rule(const char *sign, int count)
{
	while (count-- > 0)
		fputs(sign, stdout);
}

void print_title(const char *what, const char *name)
{
	const char *bold = print_style(stdout, STYLE_BOLD), *end = print_style(stdout, STYLE_END);

	if (!print_is_terminal(stdout)) {
		printf("%s: %s\n", what, name);
		return;
	}
	rule("═", PAGE_WIDTH);
	printf("\n%s: %s", what, bold);
	text_write_safe(stdout, name);
	printf("%s\n", end);
	rule("═", PAGE_WIDTH);
	putchar('\n');
}

void print_heading(const char *text)
{
	const char *bold = print_style(stdout, STYLE_BOLD), *end = print_style(stdout, STYLE_END);

	if (!print_is_terminal(stdout)) {
		printf("\n%s:\n", text);
		return;
	}
	printf("\n─── %s%s%s ", bold, text, end);
	rule("─", PAGE_WIDTH - 5 - (int)strlen(text));
	fputs("\n\n", stdout);
}

void print_detail(const char *label, const char *text)
{
	enum style style =
		strstr(label, "Status") || strstr(label, "Action") ? print_word_style(text) : STYLE_END;

	printf("  %s:%*s", label, strlen(label) < 17 ? (int)(17 - strlen(label)) : 1, "");
	fputs(style == STYLE_END ? "" : print_style(stdout, style), stdout);
	text_write_safe(stdout, text);
	puts(style == STYLE_END ? "" : print_style(stdout, STYLE_END));
}

int64_t print_ms(const json_t *time)
{
	int64_t ms = 0;

	if (json_is_integer(time))
		return json_integer_value(time);
	return json_is_string(time) && time_parse(json_string_value(time), &ms) == 0 ? ms : 0;
}

const char *print_local_time(int64_t ms, char ret_text[32])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return ret_text;
}

const char *print_time(int64_t ms, char ret_text[32])
{
	if (ms <= 0)
		return "-";
	return print_is_terminal(stdout) ? print_local_time(ms, ret_text) : time_format(ms, ret_text);
}

const char *print_duration(int64_t ms, char ret_text[32])
{
	return ms < 0 ? "-" : duration_format(ms, ret_text);
}

const char *print_size(int64_t size, char ret_text[32])
{
	if (size < 1 << 10)
		snprintf(ret_text, 32, "%lld bytes", (long long)size);
	else if (size < 10 << 20)
		snprintf(ret_text, 32, "%lld KB", (long long)(size + 1023) >> 10);
	else
		snprintf(ret_text, 32, "%lld MB", (long long)size >> 20);
	return ret_text;
}

const char *print_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int tree_json(struct command *command, const char *path, json_t **ret_value)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	struct client *client = command_client(command);
	json_error_t error;
	json_t *value;
	int r;

	if (!client)
		return -command->fault.code;
	r = client_read(client, path, &command->fault, &content);
	if (r < 0)
		return r;
	value = json_loadb(buffer_text(&content), content.size, JSON_DECODE_ANY, &error);
	if (!value)
		return fault_set(&command->fault, EPROTO, "%s is not JSON: %s", path, error.text);
	*ret_value = value;
	return 0;
}
