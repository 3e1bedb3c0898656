/* SPDX-License-Identifier: MIT */
/* audit verify, events clear: the trail of events as a whole. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/confirm.h"
#include "cli/groups.h"
#include "cli/print.h"

static const struct option verify_options[] = {
	{ "deep", 'd', NULL, "from the very beginning: the archives, too" },
	{ NULL },
};

static void report_print(const json_t *report)
{
	json_t *misfit = json_object_get(report, "misfit");
	long long events = json_integer_value(json_object_get(report, "events"));
	long long archives = json_integer_value(json_object_get(report, "archives"));

	if (json_is_object(misfit)) {
		printf("%s✗%s %s\n", print_style(stdout, STYLE_RED), print_style(stdout, STYLE_END),
			print_text(misfit, "message"));
		return;
	}
	print_done("%lld event%s, chain intact", events, events == 1 ? "" : "s");
	if (archives)
		printf("  Archives:     %lld\n", archives);
	printf("  Head:         %s (event %lld)\n", print_text(report, "head"),
		(long long)json_integer_value(json_object_get(report, "head_event")));
}

static int verify_run(struct command *command)
{
	json_t *report;
	bool intact;
	int r = tree_json(
		command, command_flag(command, "deep") ? "/audit.deep.json" : "/audit.json", &report);

	if (r < 0)
		return r;
	intact = json_is_true(json_object_get(report, "intact"));
	if (command->format == FORMAT_TEXT) {
		report_print(report);
		json_decref(report);
		r = 0;
	} else {
		r = print_value(command, report);
	}
	return r < 0 ? r : intact ? 0 : fault_exit_status(EBADMSG);
}

const struct verb audit_verbs[] = {
	{ "verify", .help = "Verify that no event was changed, added or removed", .options = verify_options,
		.run = verify_run },
	{ NULL },
};

const struct option clear_options[] = {
	{ "before", 'b', "TIME", "only what is older: 30d, or 2026-11-21T14:00:00Z (all)" },
	{ "force", 'f', NULL, "do not ask" },
	{ "yes", 'y', NULL, "do not ask" },
	{ NULL },
};

static int confirm_clear(struct command *command, const char *before)
{
	char question[128];

	snprintf(question, sizeof(question), "This moves %s%s out of the trail, into an archive",
		before ? "the events before " : "all events", before ? before : "");
	return confirm(command, question);
}

/* The newest archive, borrowed from the list; NULL: there is none. */
static json_t *newest(json_t *archives)
{
	size_t count = json_array_size(archives);

	return count ? json_array_get(archives, count - 1) : NULL;
}

static int report_clear(struct command *command, json_t *archive)
{
	long long first = json_integer_value(json_object_get(archive, "first"));
	long long last = json_integer_value(json_object_get(archive, "last"));

	if (command->format != FORMAT_TEXT)
		return print_value(
			command, json_pack("{s:I, s:O?}", "archived",
					 (json_int_t)(archive ? last - first + 1 : 0), "archive", archive));
	if (archive)
		print_done(
			"%lld events archived in archive/%s", last - first + 1, print_text(archive, "file"));
	else
		puts("There is nothing to archive");
	return 0;
}

int clear_run(struct command *command)
{
	json_auto_t *before = NULL, *after = NULL;
	const char *time = command_option(command, "before");
	CLEANUP(cleanup_free) char *line = NULL;
	int64_t ms = 0;
	char text[32];
	int r;

	if (time && past_parse(time, &ms) < 0)
		return fault_set(&command->fault, EINVAL,
			"--before %s: it must be a time like 2026-11-21T14:00:00Z, or 30d (that long ago)",
			time);
	r = confirm_clear(command, time ? time_format(ms, text) : NULL);
	r = r < 0 ? r : tree_json(command, "/archives.json", &before);
	if (r < 0)
		return r;
	if (asprintf(&line, "archive%s%s\n", time ? " before=" : "", time ? time_format(ms, text) : "") < 0) {
		line = NULL;
		return fault_set(&command->fault, ENOMEM, "no memory");
	}
	r = client_write(&command->client, "/archives", line, strlen(line), &command->fault, NULL);
	r = r < 0 ? r : tree_json(command, "/archives.json", &after);
	if (r < 0)
		return r;
	return report_clear(command, json_array_size(after) > json_array_size(before) ? newest(after) : NULL);
}
