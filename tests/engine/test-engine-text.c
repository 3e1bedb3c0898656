/* SPDX-License-Identifier: MIT */
/* Text that users give and others read: nothing in it that a terminal obeys, and no line of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/json-text.h"
#include "base/log.h"
#include "base/text.h"

static void expect(void (*write_text)(FILE *out, const char *text), const char *text, const char *wanted)
{
	CLEANUP(cleanup_free) char *written = NULL;
	size_t size;
	FILE *out = open_memstream(&written, &size);

	assert_non_null(out);
	write_text(out, text);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(written, wanted);
}

/* What a JSON string stands for; NULL: it is left to a parser, and nothing was written. */
static void expect_read(const char *json, const char *wanted)
{
	CLEANUP(cleanup_free) char *written = NULL;
	size_t size;
	FILE *out = open_memstream(&written, &size);
	bool done;

	assert_non_null(out);
	done = json_text_read(json, strlen(json), out);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(done, wanted != NULL);
	assert_string_equal(written, wanted ? wanted : "");
}

static void test_read(void **state)
{
	expect_read("\"\"", "");
	expect_read("\"plain, ä € 😀\"", "plain, ä € 😀");
	expect_read("\"a\\nb\\\\c\\td\\\"e\\/\\b\\f\\r\"", "a\nb\\c\td\"e/\b\f\r");
	expect_read("\"\\\\n\"", "\\n");
	expect_read("\"a\\u001b\"", NULL);
	expect_read("\"a\\\"", NULL);
	expect_read("\"a\"b\"", NULL);
	expect_read("\"a\nb\"", NULL);
	expect_read("\"\xff\"", NULL);
	expect_read("\"", NULL);
	expect_read("", NULL);
	expect_read("12", NULL);
	expect_read("{\"a\":\"b\"}", NULL);
}

static void test_safe(void **state)
{
	expect(text_write_safe, "plain, ä € 😀 שלום\xe2\x80\x8f", "plain, ä € 😀 שלום\xe2\x80\x8f");
	expect(text_write_safe, "a\nb\\c\td", "a\\nb\\\\c\\x09d");
	expect(text_write_safe, "\x1b[2J\x7f", "\\x1b[2J\\x7f");
	/* C1: U+009B is what ESC [ is. */
	expect(text_write_safe,
		"\xc2\x9b"
		"2J\xc2\xa0",
		"\\xc2\\x9b2J\xc2\xa0");
	/* Text that is read from the right, and lines that are not the terminal's. */
	expect(text_write_safe,
		"\xe2\x80\xae"
		"x\xe2\x81\xa6\xe2\x80\xa8",
		"\\xe2\\x80\\xaex\\xe2\\x81\\xa6\\xe2\\x80\\xa8");
	/* No UTF-8: cut off, too long a form, a lone byte that terminals take for C1. */
	expect(text_write_safe, "\xe2\x82", "\\xe2\\x82");
	expect(text_write_safe, "\xc0\x9b\x9bz", "\\xc0\\x9b\\x9bz");
}

static void test_json(void **state)
{
	expect(text_write_json, "{\"a\":\"\\n\xc3\xa4\x7f\xc2\x9b\xe2\x80\xae\"}",
		"{\"a\":\"\\n\xc3\xa4\\u007f\\u009b\\u202e\"}");
}

static void test_line(void **state)
{
	assert_true(text_is_line("ä b", strlen("ä b")));
	assert_false(text_is_line("a\nb", 3));
	assert_false(text_is_line("a\xc2\x85"
				  "b",
		4));
	assert_false(text_is_line("\xff", 1));
	assert_true(text_is_line("", 0));
}

/* A sentence may have several lines; its words are not obeyed. */
static void test_fault(void **state)
{
	struct fault fault;

	fault_set(&fault, 1, "one\ntwo %s", "\x1b]0;x\x07\xc2\x9b\xe2\x80\xaeé");
	assert_string_equal(fault.text, "one\ntwo ?]0;x?\?\?\?\?\?é");
}

static void test_log(void **state)
{
	int pipes[2], before = dup(STDERR_FILENO);
	char line[256] = "";
	ssize_t n;

	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	log_message(LOG_LEVEL_ERROR, "of %s", "me\n2026-01-01T00:00:00Z of you\x1b[1m");
	dup2(before, STDERR_FILENO);
	n = read(pipes[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	assert_non_null(strstr(line, "of me 2026-01-01T00:00:00Z of you?[1m\n"));
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	close(pipes[0]);
	close(pipes[1]);
	close(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
