/* SPDX-License-Identifier: MIT */
/* stack lock, and lock for named ones: acquire, status, renew, release, force-release, list. The files
 * /stacks/NAME/lock, /locks/NAME and, for several at once, /locks/ctl do the work. */
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
	{ "pid", 0, "PID", "the lock ends with this process" },
	{ "maintenance", 'm', NULL, "for maintenance: nothing runs by itself, and it has no end" },
	{ "force", 'f', NULL, "take it away from whomever; needs --reason" },
	{ NULL },
};

static const struct option status_options[] = {
	{ "token", 't', "NUMBER", "fail unless it is locked under this token" },
	{ NULL },
};

static const struct option renew_options[] = {
	{ "duration", 0, "TIME", "from now on: 30m, 2h (lock_timeout, 1h)" },
	{ "token", 't', "NUMBER", "only if it is locked under this token" },
	{ NULL },
};

static const struct option release_options[] = {
	{ "unlocked-by", 0, "NAME", "only if this is who holds it" },
	{ "token", 't', "NUMBER", "only if it is locked under this token" },
	{ NULL },
};

static const struct option force_options[] = {
	{ "reason", 'r', "TEXT", "why; others will read it" },
	{ NULL },
};

static const struct option lock_list_options[] = {
	{ "all", 'a', NULL, "what is unlocked, too" },
	{ NULL },
};

/* `sloth lock` is about named locks, `sloth stack lock` about stacks. */
static bool is_named(const struct command *command)
{
	return !strncmp(command->title, "lock", 4);
}

/* "stack 'prod'", "lock 'db'". */
static const char *label(const struct command *command, const char *name, char ret_text[NAME_SIZE + 16])
{
	snprintf(
		ret_text, NAME_SIZE + 16, "%s '%.*s'", is_named(command) ? "lock" : "stack", NAME_SIZE, name);
	return ret_text;
}

static int lock_path(struct command *command, const char *name, bool json, char **ret_path)
{
	if (!is_named(command))
		return stack_path(command, name, json ? "lock.json" : "lock", ret_path);
	if (name_check(name) < 0)
		return fault_set(&command->fault, EINVAL, "\"%s\" is no name of a lock", name);
	if (asprintf(ret_path, "/locks/%s%s", name, json ? ".json" : "") < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	return 0;
}

static int lock_json(struct command *command, const char *name, json_t **ret_value)
{
	CLEANUP(cleanup_free) char *path = NULL;
	int r = lock_path(command, name, true, &path);

	r = r < 0 ? r : tree_json(command, path, ret_value);
	if (r == 0)
		json_object_set_new(*ret_value, is_named(command) ? "lock" : "stack", json_string(name));
	return r;
}

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

static void detail_number(const char *label_text, const char *what, const json_t *number)
{
	char text[64];

	if (!json_is_integer(number))
		return;
	snprintf(text, sizeof(text), "%s%s%lld", what, *what ? " " : "",
		(long long)json_integer_value(number));
	print_detail(label_text, text);
}

/* "2 of 5 (build)" */
static void print_step(const json_t *lock)
{
	json_int_t done = json_integer_value(json_object_get(lock, "tasks_done"));
	json_int_t count = json_integer_value(json_object_get(lock, "tasks"));
	const char *task = print_text(lock, "task");
	char text[NAME_SIZE + 64];

	if (count == 0)
		return;
	snprintf(text, sizeof(text), "%lld of %lld%s%s%s", (long long)(done + (*task ? 1 : 0)),
		(long long)count, *task ? " (" : "", task, *task ? ")" : "");
	print_detail("Step", text);
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
	detail_number("Ends with", "process", json_object_get(lock, "ends_with_pid"));
	detail_number("Token", "", json_object_get(lock, "token"));
	if (!duration)
		return;
	if (strcmp(print_text(lock, "kind"), "durable"))
		detail("Kind", print_text(lock, "kind"));
	detail_number("Run", "", json_object_get(lock, "run"));
	print_step(lock);
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

static int write_line(struct command *command, const char *path, const char *line)
{
	CLEANUP(cleanup_free) char *text = NULL;

	if (asprintf(&text, "%s\n", line) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	if (!command_client(command))
		return -command->fault.code;
	return client_write(&command->client, path, text, strlen(text), &command->fault, NULL);
}

/* To the lock that is named; several at once are all or none. */
static int write_locks(struct command *command, const char *verb, const char *line)
{
	CLEANUP(buffer_done) struct buffer all = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	int r;

	if (command->operand_count == 1) {
		r = lock_path(command, command->operands[0], false, &path);
		return r < 0 ? r : write_line(command, path, line);
	}
	r = buffer_append_text(&all, verb);
	for (int i = 0; i < command->operand_count && r == 0; i++) {
		r = name_check(command->operands[i]) < 0
			    ? fault_set(&command->fault, EINVAL, "\"%s\" is no name", command->operands[i])
			    : buffer_append_text(&all, is_named(command) ? " locks/" : " stacks/");
		r = r < 0 ? r : buffer_append_text(&all, command->operands[i]);
	}
	r = r < 0 ? r : buffer_append_text(&all, " ");
	r = r < 0 ? r : buffer_append_text(&all, line);
	return r < 0 ? r : write_line(command, "/locks/ctl", buffer_text(&all));
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
		{ "pid", "pid" },
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

static int print_acquired(struct command *command)
{
	char text[NAME_SIZE + 16];
	json_t *lock, *list = command->operand_count > 1 ? json_array() : NULL;

	for (int i = 0; i < command->operand_count; i++) {
		int r = lock_json(command, command->operands[i], &lock);

		if (r < 0) {
			json_decref(list);
			return r;
		}
		if (command->format != FORMAT_TEXT && !list)
			return print_value(command, lock);
		if (command->format != FORMAT_TEXT) {
			json_array_append_new(list, lock);
			continue;
		}
		print_done("Lock acquired for %s", label(command, command->operands[i], text));
		print_heading("Lock Details");
		print_holder(lock, false);
		json_decref(lock);
	}
	if (command->format != FORMAT_TEXT)
		return print_value(command, list);
	json_decref(list);
	return 0;
}

static int acquire_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer words = { 0 };
	CLEANUP(cleanup_free) char *line = NULL;
	bool maintenance = command_flag(command, "maintenance"), force = command_flag(command, "force");
	int r = acquire_line(command, &words);

	if (r < 0)
		return r;
	if (force && (maintenance || command->operand_count > 1 || command_option(command, "wait")))
		return fault_set(
			&command->fault, EINVAL, "--force takes one lock, without --maintenance and --wait");
	if (asprintf(&line, "%s%s", force ? "force take " : "", buffer_text(&words)) < 0) {
		line = NULL;
		return -ENOMEM;
	}
	if (maintenance && !command_option(command, "reason"))
		return fault_set(&command->fault, EINVAL,
			"say what is being done: --reason TEXT. Others will read it");
	if (maintenance && command->operand_count == 1) {
		CLEANUP(cleanup_free) char *plain = TAKE(line);

		if (asprintf(&line, "maint %s", plain) < 0) {
			line = NULL;
			return -ENOMEM;
		}
	}
	r = write_locks(command, maintenance ? "maint" : "acquire", line);
	return r < 0 ? r : print_acquired(command);
}

/* "VERB token=N", where a token was given. */
static int token_line(struct command *command, const char *verb, struct buffer *line)
{
	int64_t token;
	int r = command_option(command, "token") ? command_number(command, "token", 1, &token) : 0;

	r = r < 0 ? r : buffer_append_text(line, verb);
	return r < 0 ? r : add_word(command, line, "token", command_option(command, "token"));
}

static int check_token(struct command *command)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	int r = command_option(command, "token") ? token_line(command, "check", &line) : 0;

	return r < 0 || !line.size ? r : write_locks(command, "", buffer_text(&line));
}

static int renew_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	char text[NAME_SIZE + 16], time[32];
	json_t *lock;
	int64_t ms;
	int r = command_duration(command, "duration", &ms);

	r = r < 0 ? r : token_line(command, "renew", &line);
	r = r < 0 ? r : add_word(command, &line, "ttl", command_option(command, "duration"));
	r = r < 0 ? r : write_locks(command, "", buffer_text(&line));
	r = r < 0 ? r : lock_json(command, command->operands[0], &lock);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, lock);
	ms = print_ms(json_object_get(lock, "expires"));
	print_done("Lock renewed for %s%s%s", label(command, command->operands[0], text), ms ? " until " : "",
		ms ? print_local_time(ms, time) : "");
	json_decref(lock);
	return 0;
}

static int status_run(struct command *command)
{
	const char *name = command->operands[0];
	bool locked;
	json_t *lock;
	int r = check_token(command);

	r = r < 0 ? r : lock_json(command, name, &lock);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, lock);
	locked = is_locked(lock);
	printf("%s: %s\nStatus: %s%s%s\n", is_named(command) ? "Lock" : "Stack", name,
		print_style(stdout, locked ? STYLE_YELLOW : STYLE_GREEN), locked ? "LOCKED" : "unlocked",
		print_style(stdout, STYLE_END));
	if (locked) {
		print_heading("Lock Details");
		print_holder(lock, true);
	}
	json_decref(lock);
	return 0;
}

/* --unlocked-by keeps a script from releasing what a colleague of the same account has locked meanwhile. */
static int check_holder(struct command *command, const char *lock_name, const char *name)
{
	CLEANUP(cleanup_free) char *holder = NULL;
	json_t *lock;
	char text[NAME_SIZE + 16];
	int r = lock_json(command, lock_name, &lock);

	if (r < 0)
		return r;
	holder = strdup(print_text(lock, "locked_by"));
	json_decref(lock);
	if (holder && *holder && strcmp(holder, name))
		return fault_set(&command->fault, EPERM, "%s is locked by %s, not by %s",
			label(command, lock_name, text), holder, name);
	return 0;
}

static json_t *unlocked_json(const struct command *command, const char *name)
{
	return json_pack("{sssb}", is_named(command) ? "lock" : "stack", name, "locked", 0);
}

static int print_released(struct command *command)
{
	char text[NAME_SIZE + 16];
	json_t *list;

	if (command->format != FORMAT_TEXT && command->operand_count == 1)
		return print_value(command, unlocked_json(command, command->operands[0]));
	list = json_array();
	for (int i = 0; i < command->operand_count; i++) {
		if (command->format == FORMAT_TEXT)
			print_done("Lock released for %s", label(command, command->operands[i], text));
		json_array_append_new(list, unlocked_json(command, command->operands[i]));
	}
	if (command->format != FORMAT_TEXT)
		return print_value(command, list);
	json_decref(list);
	return 0;
}

static int release_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	const char *name = command_option(command, "unlocked-by");
	int r = 0;

	if (command->operand_count > 1 && command_option(command, "token"))
		return fault_set(&command->fault, EINVAL, "--token is for one lock");
	for (int i = 0; i < command->operand_count && r == 0 && name; i++)
		r = check_holder(command, command->operands[i], name);
	if (r == 0 && command->operand_count == 1)
		r = token_line(command, "unlock", &line);
	r = r < 0 ? r : write_locks(command, "release", buffer_text(&line));
	return r < 0 ? r : print_released(command);
}

static int force_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	const char *name = command->operands[0], *reason = command_option(command, "reason");
	char text[NAME_SIZE + 16];
	int r;

	if (!reason || !*reason)
		return fault_set(&command->fault, EINVAL, "say why: --reason TEXT. Others will read it");
	r = buffer_append_text(&line, "force");
	r = r < 0 ? r : add_word(command, &line, "reason", reason);
	if (r == 0 && command->format == FORMAT_TEXT)
		print_warning("WARNING: Force releasing lock for %s", label(command, name, text));
	r = r < 0 ? r : write_locks(command, "", buffer_text(&line));
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, unlocked_json(command, name));
	print_done("Lock force-released");
	return 0;
}

/* A stack by its name, a named lock as locks/NAME. */
static const char *list_name(const json_t *lock, char ret_text[NAME_SIZE + 8])
{
	snprintf(ret_text, NAME_SIZE + 8, "%s%.*s", json_object_get(lock, "lock") ? "locks/" : "", NAME_SIZE,
		print_text(lock, json_object_get(lock, "lock") ? "lock" : "stack"));
	return ret_text;
}

static int list_row(struct table *table, const json_t *lock)
{
	char time[32], name[NAME_SIZE + 8];

	return table_row(
		table, (const char *[]){ list_name(lock, name), is_locked(lock) ? "LOCKED" : "unlocked",
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
	if (json_array_size(locks))
		return table_list(columns, locks, list_row);
	if (print_is_terminal(stdout))
		puts("Nothing is locked");
	return 0;
}

static bool is_json(const char *name)
{
	size_t n = strlen(name);

	return n >= 5 && !strcmp(name + n - 5, ".json");
}

/* Those that are free, too. */
static int add_unlocked(struct command *command, json_t *locks)
{
	json_t *entries = NULL, *entry, *stacks = NULL, *lock;
	size_t i;
	int r = stack_each_json(command, "lock.json", &stacks);

	json_array_foreach (stacks, i, lock)
		if (!is_locked(lock))
			json_array_append(locks, lock);
	json_decref(stacks);
	r = r < 0 ? r : client_list(&command->client, "/locks", false, &command->fault, &entries);
	json_array_foreach (entries, i, entry) {
		CLEANUP(cleanup_free) char *path = NULL;
		const char *name = print_text(entry, "name");

		if (r < 0 || !strcmp(name, "ctl") || is_json(name))
			continue;
		if (asprintf(&path, "/locks/%s.json", name) < 0)
			path = NULL;
		if (!path || tree_json(command, path, &lock) < 0)
			continue;
		json_object_set_new(lock, "lock", json_string(name));
		if (is_locked(lock))
			json_decref(lock);
		else
			json_array_append_new(locks, lock);
	}
	json_decref(entries);
	return r;
}

static int lock_list_run(struct command *command)
{
	json_t *locks;
	int r = tree_json(command, "/locks/ctl.json", &locks);

	if (r == 0 && command_flag(command, "all")) {
		r = add_unlocked(command, locks);
		if (r < 0)
			json_decref(locks);
	}
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, locks);
	r = list_table(locks);
	json_decref(locks);
	return r;
}

/* Of the name itself: for stacks, release is all. */
static int remove_run(struct command *command)
{
	CLEANUP(cleanup_free) char *path = NULL;
	const char *name = command->operands[0];
	int r = lock_path(command, name, false, &path);

	if (r < 0)
		return r;
	if (!command_client(command))
		return -command->fault.code;
	r = client_call(
		&command->client, "unlink", json_pack("{ss}", "path", path), NULL, 0, &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "lock", name, "removed", 1));
	print_done("Lock '%s' removed", name);
	return 0;
}

/* clang-format off */
#define LOCK_VERBS                                                                                           \
	{ "acquire", .operands = "NAME...", .options = acquire_options, .run = acquire_run,                  \
	  .help = "Lock until it is released or its time is over; several: all or none" },                   \
	{ "status", .operands = "NAME", .options = status_options, .run = status_run,                        \
	  .help = "Show who holds the lock, and who waits" },                                                \
	{ "renew", .operands = "NAME", .options = renew_options, .run = renew_run,                           \
	  .help = "Begin the time of a lock of your own anew" },                                             \
	{ "release", .operands = "NAME...", .options = release_options, .run = release_run,                  \
	  .help = "Release locks of your own" },                                                             \
	{ "force-release", .operands = "NAME", .options = force_options, .run = force_run,                   \
	  .help = "Release somebody else's lock" },                                                          \
	{ "list", .options = lock_list_options, .run = lock_list_run, .help = "List what is locked" }

const struct verb lock_verbs[] = { LOCK_VERBS, { NULL } };

const struct verb named_lock_verbs[] = {
	LOCK_VERBS,
	{ "remove", .operands = "NAME", .run = remove_run, .help = "Release a lock of your own, and remove its name" },
	{ NULL },
};
/* clang-format on */
