/* SPDX-License-Identifier: MIT */
/* Constraints on versions. */
#include "engine/constraint.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PARTS_MAX = 8 };

struct version {
	uint64_t parts[PARTS_MAX];
	int count; /* of parts that were given */
	const char *prerelease;
	size_t prerelease_size; /* 0: a release */
};

/* What stands in a version and in no other term. */
static bool is_version_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr(".-+_", c));
}

static bool parse_number(const char **text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text); (*text)++)
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(**text - '0'), &number))
			return false;
	*ret_number = number;
	return true;
}

static bool version_parse(const char *text, struct version *ret_version)
{
	struct version version = { 0 };

	if (*text == 'v' || *text == 'V')
		text++;
	do {
		if (version.count == PARTS_MAX || !parse_number(&text, &version.parts[version.count]))
			return false;
		version.count++;
	} while (*text == '.' && text++);
	if (*text == '-') {
		version.prerelease = ++text;
		version.prerelease_size =
			strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_");
		text += version.prerelease_size;
		if (!version.prerelease_size)
			return false;
	}
	if (*text == '+')
		for (text++; is_version_char(*text);)
			text++;
	if (*text)
		return false;
	*ret_version = version;
	return true;
}

/* One identifier of a prerelease: numbers below texts, numbers by value, texts by their bytes. */
static int compare_identifiers(const char *a, size_t a_size, const char *b, size_t b_size)
{
	bool a_number = strspn(a, "0123456789") >= a_size, b_number = strspn(b, "0123456789") >= b_size;
	int order;

	if (a_number != b_number)
		return a_number ? -1 : 1;
	if (a_number) {
		for (; a_size > 1 && *a == '0'; a_size--)
			a++;
		for (; b_size > 1 && *b == '0'; b_size--)
			b++;
		if (a_size != b_size)
			return a_size < b_size ? -1 : 1;
	}
	order = memcmp(a, b, a_size < b_size ? a_size : b_size);
	return order ? order : (a_size > b_size) - (a_size < b_size);
}

static size_t identifier_size(const char *text, size_t size)
{
	const char *dot = memchr(text, '.', size);

	return dot ? (size_t)(dot - text) : size;
}

static int compare_prereleases(const struct version *a, const struct version *b)
{
	const char *p = a->prerelease, *q = b->prerelease;
	size_t left = a->prerelease_size, right = b->prerelease_size;

	if (!left || !right)
		return (left == 0) - (right == 0); /* a release is above its prereleases */
	while (left && right) {
		size_t n = identifier_size(p, left), m = identifier_size(q, right);
		int order = compare_identifiers(p, n, q, m);

		if (order)
			return order;
		n += n < left; /* the dot */
		m += m < right;
		p += n;
		q += m;
		left -= n;
		right -= m;
	}
	return (left > 0) - (right > 0);
}

static int compare_numbers(const struct version *a, const struct version *b, int count)
{
	for (int i = 0; i < count; i++)
		if (a->parts[i] != b->parts[i])
			return a->parts[i] < b->parts[i] ? -1 : 1;
	return 0;
}

static int compare(const struct version *a, const struct version *b)
{
	int order = compare_numbers(a, b, PARTS_MAX);

	return order ? order : compare_prereleases(a, b);
}

/* From `low` on, with the first `same` numbers alike: so that prereleases of what comes next are out, too. */
static bool in_range(const struct version *version, const struct version *low, int same)
{
	return compare(version, low) >= 0 && compare_numbers(version, low, same) == 0;
}

static bool equal(const struct version *a, const struct version *b)
{
	return compare(a, b) == 0;
}

static bool unequal(const struct version *a, const struct version *b)
{
	return compare(a, b) != 0;
}

static bool above(const struct version *a, const struct version *b)
{
	return compare(a, b) > 0;
}

static bool at_least(const struct version *a, const struct version *b)
{
	return compare(a, b) >= 0;
}

static bool below(const struct version *a, const struct version *b)
{
	return compare(a, b) < 0;
}

static bool at_most(const struct version *a, const struct version *b)
{
	return compare(a, b) <= 0;
}

/* The last number that is given may rise: ~>2.1 is 2.1 … below 3, ~>2.1.4 is 2.1.4 … below 2.2. */
static bool pessimistic(const struct version *a, const struct version *b)
{
	return in_range(a, b, b->count > 1 ? b->count - 1 : 1);
}

/* Nothing to the left of the first number that is not 0 may change: ^1.4 is below 2, ^0.4 below 0.5. */
static bool compatible(const struct version *a, const struct version *b)
{
	int same = 1;

	while (same < b->count && b->parts[same - 1] == 0)
		same++;
	return in_range(a, b, same);
}

/* Longer words first: the first that fits is taken. */
static const struct relation {
	const char *word;
	bool (*holds)(const struct version *version, const struct version *bound);
	bool texts; /* compares what is no version by its bytes */
	bool same;  /* … and wants them equal */
} relations[] = {
	{ "~>", pessimistic }, { ">=", at_least }, { "<=", at_most }, { "!=", unequal, .texts = true },
	{ "==", equal, .texts = true, .same = true }, { "=", equal, .texts = true, .same = true },
	{ ">", above }, { "<", below }, { "^", compatible }, { "~", pessimistic },
	{ "", equal }, /* no text: a word that somebody means otherwise, "latest", is not taken for one */
};

static const struct relation *relation_find(const char *text)
{
	for (size_t i = 0;; i++)
		if (!strncmp(relations[i].word, text, strlen(relations[i].word)))
			return &relations[i];
}

static const char *skip(const char *text)
{
	return text + strspn(text, " \t,");
}

/* The next term: its operator and its bound. 1; 0: there is none; -EINVAL. */
static int next_term(const char **text, const struct relation **ret_relation, char ret_bound[CONSTRAINT_SIZE])
{
	const struct relation *found;
	size_t size = 0;

	*text = skip(*text);
	if (!**text)
		return 0;
	found = relation_find(*text);
	*text += strlen(found->word);
	*text += strspn(*text, " \t");
	while (is_version_char((*text)[size]))
		size++;
	if (!size || size > CONSTRAINT_MAX)
		return -EINVAL;
	memcpy(ret_bound, *text, size);
	ret_bound[size] = '\0';
	*text += size;
	*ret_relation = found;
	return 1;
}

int constraint_parse(const char *text, struct fault *fault, char ret_text[CONSTRAINT_SIZE])
{
	char result[CONSTRAINT_SIZE] = "", bound[CONSTRAINT_SIZE];
	const struct relation *found;
	const char *rest = text;
	struct version version;
	size_t size = 0;
	int r;

	if (strlen(text) > CONSTRAINT_MAX)
		return fault_set(
			fault, EFBIG, "a constraint on a version has at most %d bytes", CONSTRAINT_MAX);
	rest = skip(rest);
	if (*rest == '*' && !*skip(rest + 1))
		rest = "";
	while ((r = next_term(&rest, &found, bound)) > 0) {
		if (!found->texts && !version_parse(bound, &version))
			return fault_set(fault, EINVAL,
				"%s%s: \"%s\" is no version: it has numbers with dots, like 2.1 or "
				"v2.1.0-rc1",
				found->word, bound, bound);
		size += (size_t)snprintf(
			result + size, sizeof(result) - size, "%s%s%s", size ? " " : "", found->word, bound);
	}
	if (r < 0)
		return fault_set(fault, EINVAL,
			"\"%s\" is no constraint on a version: one is =, !=, >, >=, <, <=, ~> or ^ and a "
			"version; "
			"several have blanks or commas between them, like >=2.1 <3",
			text);
	memcpy(ret_text, result, size + 1);
	return 0;
}

int constraint_holds(const char *constraint, const char *version_text)
{
	char bound_text[CONSTRAINT_SIZE];
	const struct relation *found;
	struct version version, bound;
	bool known = version_parse(version_text, &version);
	int r;

	while ((r = next_term(&constraint, &found, bound_text)) > 0) {
		bool numbers = known && version_parse(bound_text, &bound);

		if (numbers ? !found->holds(&version, &bound)
			    : !found->texts || !strcmp(version_text, bound_text) != found->same)
			return 0;
	}
	return r < 0 ? r : 1;
}
