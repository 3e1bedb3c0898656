/* SPDX-License-Identifier: MIT */
/* stack lock: acquire, status, release, force-release, list. The file /stacks/NAME/lock does the work. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/table.h"

static const struct option acquire_options[] = {
	{ "reason", 'r', "TEXT", "why" },
	{ "locked-by", 0, "NAME", "who locks, as others will read it (your user name)" },
	{ "operation", 0, "NAME", "what is being done" },
	{ "duration", 0, "TIME", "the lock ends after this time: 30m, 2h (lock_timeout, 1h)" },
	{ "wait", 'w', "TIME", "wait up to this time for another holder" },
	{ NULL },
};

static const struct option release_options[] = {
	{ "unlocked-by", 0, "NAME", "only if this is who holds it" },
	{ NULL },
};

static const struct option force_options[] = {
	{ "reason", 'r', "TEXT", "why; others will read it" },
	{ NULL },
};

static const struct option lock_list_options[] = {
	{ "all", 'a', NULL, "unlocked stacks too" },
	{ NULL },
};

static bool is_locked(const json_t *lock)
{
	return json_is_true(json_object_get(lock, "locked")) || *print_text(lock, "locked_by");
}

/* "  Reason:       …", where there is one. */
static void detail(const char *label, const char *text)
{
	if (*text)
		print_detail(label, text);
}

static void detail_time(const char *label, int64_t ms)
{
	char text[32];

	if (ms > 0)
		print_detail(label, print_local_time(ms, text));
}

static void print_holder(const json_t *lock, bool duration)
{
	int64_t since = print_ms(json_object_get(lock, "since"));
	char text[32];

	detail("Locked by", print_text(lock, "locked_by"));
	detail_time("Locked at", since);
	detail("Operation", print_text(lock, "operation"));
	detail("Reason", print_text(lock, "reason"));
	if (duration && since > 0)
		print_detail("Duration", print_duration(time_now_ms() - since, text));
	detail_time("Expires", print_ms(json_object_get(lock, "expires")));
	if (!duration)
		return;
	detail("Command", print_text(lock, "command"));
	if (json_array_size(json_object_get(lock, "waiting"))) {
		snprintf(text, sizeof(text), "%zu", json_array_size(json_object_get(lock, "waiting")));
		print_detail("Waiting", text);
	}
}

void lock_print(const json_t *lock)
{
	print_detail("Status", is_locked(lock) ? "LOCKED" : "unlocked");
	if (is_locked(lock))
		print_holder(lock, true);
}

/* A word of the control file, quoted as in a shell. A line break would be a second command. */
static int add_word(struct command *command, struct buffer *line, const char *key, const char *value)
{
	CLEANUP(cleanup_free) char *start = NULL;
	int r;

	if (!value)
		return 0;
	if (strpbrk(value, "\n\r"))
		return fault_set(&command->fault, EINVAL, "%s: it must be one line", key);
	if (asprintf(&start, "%s%s=\"", line->size ? " " : "", key) < 0)
		return -ENOMEM;
	r = buffer_append_text(line, start);
	for (; r == 0 && *value; value++) {
		if (strchr("\"\\$`", *value))
			r = buffer_append(line, "\\", 1);
		r = r < 0 ? r : buffer_append(line, value, 1);
	}
	return r < 0 ? r : buffer_append(line, "\"", 1);
}

static int write_lock(struct command *command, const char *stack, const char *line)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *text = NULL;
	int r = stack_path(command, stack, "lock", &path);

	if (r < 0)
		return r;
	if (asprintf(&text, "%s\n", line) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	if (!command_client(command))
		return -command->fault.code;
	return client_write(&command->client, path, text, strlen(text), &command->fault, NULL);
}

static int acquire_line(struct command *command, struct buffer *line)
{
	static const struct {
		const char *option, *key;
		bool duration;
	} words[] = {
		{ "reason", "reason" },
		{ "locked-by", "by" },
		{ "operation", "operation" },
		{ "duration", "ttl", true },
		{ "wait", "wait", true },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
		int64_t ms;

		r = words[i].duration ? command_duration(command, words[i].option, &ms) : 0;
		r = r < 0 ? r
			  : add_word(command, line, words[i].key, command_option(command, words[i].option));
	}
	/* An empty line is no command: without words, an empty reason. */
	if (r == 0 && !line->size)
		r = add_word(command, line, "reason", "");
	return r;
}

static int acquire_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	const char *stack = command->operands[0];
	json_t *lock;
	int r = acquire_line(command, &line);

	r = r < 0 ? r : write_lock(command, stack, buffer_text(&line));
	r = r < 0 ? r : stack_json(command, stack, "lock.json", &lock);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, lock);
	print_done("Lock acquired for stack '%s'", stack);
	print_heading("Lock Details");
	print_holder(lock, false);
	json_decref(lock);
	return 0;
}

static int status_run(struct command *command)
{
	const char *stack = command->operands[0];
	bool locked;
	json_t *lock;
	int r = stack_json(command, stack, "lock.json", &lock);

	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, lock);
	locked = is_locked(lock);
	printf("Stack: %s\nStatus: %s%s%s\n", stack, print_style(stdout, locked ? STYLE_YELLOW : STYLE_GREEN),
		locked ? "LOCKED" : "unlocked", print_style(stdout, STYLE_END));
	if (locked) {
		print_heading("Lock Details");
		print_holder(lock, true);
	}
	json_decref(lock);
	return 0;
}

/* --unlocked-by keeps a script from releasing what a colleague of the same account has locked meanwhile. */
static int check_holder(struct command *command, const char *stack, const char *name)
{
	CLEANUP(cleanup_free) char *holder = NULL;
	json_t *lock;
	int r = stack_json(command, stack, "lock.json", &lock);

	if (r < 0)
		return r;
	holder = strdup(print_text(lock, "locked_by"));
	json_decref(lock);
	if (holder && *holder && strcmp(holder, name))
		return fault_set(&command->fault, EPERM, "stack \"%s\" is locked by %s, not by %s", stack,
			holder, name);
	return 0;
}

static int released(struct command *command, const char *stack, const char *words)
{
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "stack", stack, "locked", 0));
	print_done("%s", words);
	return 0;
}

static int release_run(struct command *command)
{
	const char *stack = command->operands[0], *name = command_option(command, "unlocked-by");
	char words[NAME_SIZE + 64];
	int r = name ? check_holder(command, stack, name) : 0;

	r = r < 0 ? r : write_lock(command, stack, "unlock");
	snprintf(words, sizeof(words), "Lock released for stack '%s'", stack);
	return r < 0 ? r : released(command, stack, words);
}

static int force_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	const char *stack = command->operands[0], *reason = command_option(command, "reason");
	int r;

	if (!reason || !*reason)
		return fault_set(&command->fault, EINVAL, "say why: --reason TEXT. Others will read it");
	r = buffer_append_text(&line, "force");
	r = r < 0 ? r : add_word(command, &line, "reason", reason);
	if (r == 0 && command->format == FORMAT_TEXT)
		print_warning("WARNING: Force releasing lock for stack '%s'", stack);
	r = r < 0 ? r : write_lock(command, stack, buffer_text(&line));
	return r < 0 ? r : released(command, stack, "Lock force-released");
}

static int list_row(struct table *table, const json_t *lock)
{
	char time[32];

	return table_row(
		table, (const char *[]){ print_text(lock, "stack"), is_locked(lock) ? "LOCKED" : "unlocked",
			       print_text(lock, "locked_by"),
			       print_time(print_ms(json_object_get(lock, "since")), time),
			       print_text(lock, "operation"), print_text(lock, "reason") });
}

static int list_table(json_t *locks)
{
	static const struct column columns[] = {
		{ "STACK" },
		{ "STATUS" },
		{ "LOCKED BY" },
		{ "LOCKED AT" },
		{ "OPERATION" },
		{ "REASON", .shrinks = true },
		{ NULL },
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns);
	size_t i;
	json_t *lock;
	int r = table ? 0 : -ENOMEM;

	json_array_foreach (locks, i, lock)
		r = r < 0 ? r : list_row(table, lock);
	if (r < 0 || json_array_size(locks))
		return r < 0 ? r : table_print(table);
	if (print_is_terminal(stdout))
		puts("Nothing is locked");
	return 0;
}

static int lock_list_run(struct command *command)
{
	bool all = command_flag(command, "all");
	json_t *locks;
	int r = stack_each_json(command, "lock.json", &locks);

	if (r < 0)
		return r;
	for (size_t i = json_array_size(locks); !all && i > 0; i--)
		if (!is_locked(json_array_get(locks, i - 1)))
			json_array_remove(locks, i - 1);
	if (command->format != FORMAT_TEXT)
		return print_value(command, locks);
	r = list_table(locks);
	json_decref(locks);
	return r;
}

const struct verb lock_verbs[] = {
	{ "acquire", .operands = "NAME", .help = "Lock a stack until it is released or its time is over",
		.options = acquire_options, .run = acquire_run },
	{ "status", .operands = "NAME", .help = "Show who holds the lock of a stack", .run = status_run },
	{ "release", .operands = "NAME", .help = "Release a lock of your own", .options = release_options,
		.run = release_run },
	{ "force-release", .operands = "NAME", .help = "Release somebody else's lock",
		.options = force_options, .run = force_run },
	{ "list", .help = "List what is locked", .options = lock_list_options, .run = lock_list_run },
	{ NULL },
};
