/* SPDX-License-Identifier: MIT */
/* Rows of reports. The process that made them is the stack owner's: what it says is checked like everything
 * that a user writes. */
#include "engine/drift-report.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/finding.h"
#include "engine/resource-internal.h"

/* Whose words the columns take. */
static const char *const states[] = { "in_sync", "drifted", "unapplied", "unknown", NULL };
static const char *const kinds[] = { "configuration", "resource", "state", "dependency", NULL };
static const char *const severities[] = { "low", "medium", "high", "critical", NULL };
static const char *const causes[] = { "changed", "unapplied", NULL };

/* The word as it stands in the list; NULL: it is not in it. */
static const char *one_of(const char *const *words, const json_t *value)
{
	const char *text = json_string_value(value);

	for (; text && *words; words++)
		if (!strcmp(*words, text))
			return *words;
	return NULL;
}

size_t drift_severity(const char *severity)
{
	size_t i = 0;

	while (strcmp(severities[i], severity))
		i++;
	return i;
}

void drift_detail_done(struct drift_detail *detail)
{
	free(detail->expected);
	free(detail->actual);
	free(detail->impact);
	free(detail->fix);
}

void drift_report_done(struct drift_report *report)
{
	free(report->seen);
}

static bool is_finding(const json_t *row)
{
	const char *property = json_string_value(json_object_get(row, "property"));

	return property && strlen(property) <= FINDING_PROPERTY_MAX &&
	       one_of(kinds, json_object_get(row, "kind")) &&
	       one_of(severities, json_object_get(row, "severity")) &&
	       one_of(causes, json_object_get(row, "cause"));
}

/* What a provider of the user's own may have said: NULL where nothing is wrong. */
static const char *wrong_with(const struct drift_report *report)
{
	json_auto_t *properties = json_object();
	json_t *row;
	size_t i;

	if (!report->state)
		return "it says no known state";
	if (report->actual && !json_is_object(report->actual) && !json_is_null(report->actual))
		return "what there is has no names with values";
	if (report->seen && strlen(report->seen) > RESOURCE_STATE_MAX)
		return "what there is is too much";
	if (strcmp(report->state, "unknown") &&
		!strcmp(report->state, "in_sync") != (json_array_size(report->findings) == 0))
		return "its state and its findings contradict each other";
	json_array_foreach ((json_t *)report->findings, i, row) {
		if (!is_finding(row))
			return "a finding has no property, or no known kind, severity or cause";
		json_object_set_new(
			properties, json_string_value(json_object_get(row, "property")), json_true());
	}
	return json_object_size(properties) == i ? NULL : "it says a property twice";
}

int drift_report_parse(const json_t *row, struct drift_report *report)
{
	const json_t *actual = json_object_get(row, "actual");
	const char *wrong;

	*report = (struct drift_report){
		.id = json_integer_value(json_object_get(row, "id")),
		.read_ms = json_integer_value(json_object_get(row, "read_ms")),
		.type = json_string_value(json_object_get(row, "type")),
		.name = json_string_value(json_object_get(row, "name")),
		.state = one_of(states, json_object_get(row, "state")),
		.error = json_string_value(json_object_get(row, "error")),
		/* A language whose empty table may be either sends an empty list. */
		.actual = json_is_array(actual) && !json_array_size(actual) ? NULL : actual,
		.findings = json_object_get(row, "findings"),
		.by = json_object_get(row, "changed_by"),
		.settled = json_is_true(json_object_get(row, "settled")),
	};
	if (!report->type || !report->name)
		return -EINVAL;
	report->seen =
		json_is_object(report->actual) ? json_dumps(report->actual, RESOURCE_JSON_FLAGS) : strdup("");
	if (!report->seen)
		return -ENOMEM;
	wrong = wrong_with(report);
	if (wrong) {
		report->state = "unknown";
		report->error = wrong;
	}
	report->wrong = wrong != NULL;
	return 0;
}

char *drift_report_text(const json_t *value)
{
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	size_t size = strlen(text);

	if (size > FINDING_TEXT_MAX)
		for (size = FINDING_TEXT_MAX; size > 0 && (text[size] & 0xc0) == 0x80; size--)
			;
	return strndup(text, size);
}

/* As JSON; what is too long, by its size and hash. malloc'ed. */
static char *value_text(json_t *value)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash) + 1], *text, *brief;

	text = value ? json_dumps(value, RESOURCE_JSON_FLAGS) : strdup("null");
	if (!text || strlen(text) <= FINDING_VALUE_MAX)
		return text;
	crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	if (asprintf(&brief, "{\"sha256\":\"%s\",\"size\":%zu}", hex, strlen(text)) < 0)
		brief = NULL;
	free(text);
	return brief;
}

int drift_detail_parse(const json_t *row, struct drift_detail *detail)
{
	detail->property = json_string_value(json_object_get(row, "property"));
	detail->kind = one_of(kinds, json_object_get(row, "kind"));
	detail->severity = one_of(severities, json_object_get(row, "severity"));
	detail->cause = one_of(causes, json_object_get(row, "cause"));
	detail->expected = value_text(json_object_get(row, "expected"));
	detail->actual = value_text(json_object_get(row, "actual"));
	detail->impact = drift_report_text(json_object_get(row, "impact"));
	detail->fix = drift_report_text(json_object_get(row, "fix"));
	return detail->expected && detail->actual && detail->impact && detail->fix ? 0 : -ENOMEM;
}

static void keep_text(json_t *kept, const json_t *by, const char *key)
{
	CLEANUP(cleanup_free) char *text = drift_report_text(json_object_get(by, key));

	if (text && *text)
		json_object_set_new(kept, key, json_string(text));
}

char *drift_report_changer(const json_t *by)
{
	json_auto_t *kept = NULL;
	const json_t *uid = json_object_get(by, "uid");

	if (!json_is_integer(json_object_get(by, "pid")))
		return strdup("");
	kept = json_pack("{s:O}", "pid", json_object_get(by, "pid"));
	if (json_is_integer(uid))
		json_object_set_new(kept, "uid", json_integer(json_integer_value(uid)));
	keep_text(kept, by, "command");
	keep_text(kept, by, "exe");
	return kept ? json_dumps(kept, RESOURCE_JSON_FLAGS) : NULL;
}
