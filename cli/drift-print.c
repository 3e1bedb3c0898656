/* SPDX-License-Identifier: MIT */
/* How drift looks for people. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/drift.h"
#include "cli/print.h"

enum { LABEL_WIDTH = 21 };

static void print_json_text(const json_t *value)
{
	CLEANUP(cleanup_free) char *text = NULL;

	if (json_is_string(value)) {
		text_write_safe(stdout, json_string_value(value));
	} else if (!value || json_is_null(value)) {
		fputs("(none)", stdout);
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(16));
		text_write_safe(stdout, text ? text : "");
	}
}

/* The thing as a whole has no property of its own. */
static bool is_whole(const json_t *finding)
{
	return !*print_text(finding, "property");
}

static void print_property(const json_t *finding)
{
	text_write_safe(stdout, print_text(finding, "property"));
}

/* Names that two types have: name → true; false for the others. */
static void collect_names(const json_t *list, json_t *types, json_t *ret_names)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		const char *name = print_text(one, "name"), *type = print_text(one, "type");
		const char *known = json_string_value(json_object_get(types, name));

		if (!known)
			json_object_set_new(types, name, json_string(type));
		else if (strcmp(known, type) != 0)
			json_object_set_new(ret_names, name, json_true());
	}
}

static void label(json_t *list, const json_t *names)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		const char *name = print_text(one, "name");

		json_object_set_new(one, "label",
			json_object_get(names, name) ? json_sprintf("%s/%s", print_text(one, "type"), name)
						     : json_string(name));
	}
}

void drift_label(json_t *report)
{
	static const char *const lists[] = { "findings", "unknown", "failed" };
	json_auto_t *types = json_object(), *names = json_object();

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		collect_names(json_object_get(report, lists[i]), types, names);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		label(json_object_get(report, lists[i]), names);
}

void drift_print_label(const json_t *finding)
{
	text_write_safe(stdout, print_text(finding, "label"));
}

static void print_count(const char *label, const json_t *report, const char *key, enum style style)
{
	long long count = (long long)json_integer_value(json_object_get(report, key));
	const char *begin = count ? print_style(stdout, style) : "";

	printf("  %s:%*s%s%lld%s\n", label, LABEL_WIDTH - (int)strlen(label), "", begin, count,
		*begin ? print_style(stdout, STYLE_END) : "");
}

static void print_line(const json_t *finding)
{
	fputs("  • ", stdout);
	drift_print_label(finding);
	fputs(is_whole(finding) ? "" : ": ", stdout);
	print_property(finding);
	fputs(" (expected: ", stdout);
	print_json_text(json_object_get(finding, "expected"));
	fputs(", actual: ", stdout);
	print_json_text(json_object_get(finding, "actual"));
	puts(*print_text(finding, "flapping") ? ", flapping)" : ")");
}

/* Those that count and have the cause. */
static void print_lines(const json_t *report, const char *heading, const char *cause)
{
	bool any = false;
	const json_t *finding;
	size_t i;

	json_array_foreach (json_object_get(report, "findings"), i, finding) {
		if (!drift_counts(finding) || strcmp(print_text(finding, "cause"), cause) != 0)
			continue;
		if (!any)
			printf("\n%s:\n", heading);
		any = true;
		print_line(finding);
	}
}

/* Resources with what is wrong with them. */
static void print_troubles(const json_t *report, const char *heading, const char *key)
{
	const json_t *resource;
	size_t i;

	json_array_foreach (json_object_get(report, key), i, resource) {
		if (i == 0)
			printf("\n%s:\n", heading);
		fputs("  • ", stdout);
		drift_print_label(resource);
		fputs(": ", stdout);
		text_write_safe(stdout, print_text(resource, "error"));
		putchar('\n');
	}
}

void drift_print_unknown(const json_t *report)
{
	print_troubles(report, "Unknown Resources", "unknown");
}

void drift_print_summary(const json_t *report)
{
	static const struct {
		const char *label, *key;
		enum style style;
		bool always;
	} rows[] = {
		{ "Drifted Resources", "drifted", STYLE_YELLOW, true },
		{ "Unapplied Resources", "unapplied", STYLE_YELLOW, false },
		{ "Failed Resources", "failed", STYLE_RED, false },
		{ "Unknown Resources", "unknown", STYLE_RED, false },
		{ "In Sync Resources", "in_sync", STYLE_GREEN, true },
		{ "Total Resources", "total", STYLE_END, true },
		{ "Ignored Findings", "ignored", STYLE_DIM, false },
	};
	const json_t *summary = json_object_get(report, "summary");

	puts("Summary:");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].always || json_integer_value(json_object_get(summary, rows[i].key)))
			print_count(rows[i].label, summary, rows[i].key, rows[i].style);
	print_lines(report, "Drifted Resources", "changed");
	print_lines(report, "Unapplied Resources", "unapplied");
	print_troubles(report, "Failed Resources", "failed");
	drift_print_unknown(report);
}

static enum style severity_style(const char *word, size_t size)
{
	static const struct {
		const char *word;
		enum style style;
	} rows[] = {
		{ "LOW", STYLE_DIM },
		{ "MEDIUM", STYLE_YELLOW },
		{ "HIGH", STYLE_RED },
		{ "CRITICAL", STYLE_RED },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].word) == size && !strncmp(rows[i].word, word, size))
			return rows[i].style;
	return STYLE_END;
}

/* "Severity: HIGH\n", with the colour that the word has. */
static void print_text_line(const char *line)
{
	static const struct {
		const char *label;
		size_t size;
	} labels[] = { { "Resource: ", 10 }, { "Severity: ", 10 } };
	enum style style = STYLE_END;
	size_t n = 0, size = strcspn(line, "\n");

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (!strncmp(line, labels[i].label, labels[i].size)) {
			n = labels[i].size;
			style = i == 0 ? STYLE_BOLD : severity_style(line + n, size - n);
		}
	printf("%.*s%s%.*s%s\n", (int)n, line, style == STYLE_END ? "" : print_style(stdout, style),
		(int)(size - n), line + n, style == STYLE_END ? "" : print_style(stdout, STYLE_END));
}

/* A rule across a terminal divides the text; in a pipe it is left out, with the empty line below it. */
void drift_print_text(const char *text, size_t size)
{
	static const char rule[] = "━";
	bool terminal = print_is_terminal(stdout);
	FILE *lines = fmemopen((void *)(uintptr_t)text, size, "r");
	CLEANUP(cleanup_free) char *line = NULL;
	bool skip = false;
	size_t room = 0;

	while (lines && getline(&line, &room, lines) >= 0) {
		bool is_rule = !strncmp(line, rule, sizeof(rule) - 1);

		if (terminal ? true : !is_rule && !(skip && *line == '\n'))
			print_text_line(line);
		skip = is_rule;
	}
	if (lines)
		fclose(lines);
}

void drift_print_act(const json_t *finding, bool done)
{
	const json_t *expected = json_object_get(finding, "expected");
	bool gone = is_whole(finding) && !strcmp(print_text(finding, "expected"), "absent");
	bool missing = is_whole(finding) && !strcmp(print_text(finding, "actual"), "absent");

	if (!strcmp(print_text(finding, "kind"), "dependency")) {
		print_property(finding);
		fputs(", which has to come from elsewhere", stdout);
	} else if (gone) {
		fputs(done ? "Removed" : "Remove it", stdout);
	} else if (missing) {
		fputs(done ? "Made again" : "Make it (it is missing)", stdout);
	} else if (is_whole(finding)) {
		fputs(done ? "Replaced " : "Replace ", stdout);
		print_json_text(json_object_get(finding, "actual"));
	} else {
		fputs(done ? "Changed " : "Change ", stdout);
		print_property(finding);
		if (!done) {
			fputs(" from ", stdout);
			print_json_text(json_object_get(finding, "actual"));
		}
		fputs(" to ", stdout);
		print_json_text(expected);
	}
}
