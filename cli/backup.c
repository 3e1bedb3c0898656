/* SPDX-License-Identifier: MIT */
/* backup: create, list, verify, restore, delete. check: whether the database is in order. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/confirm.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/table.h"
#include "fs/start.h"

extern char **environ;

static const struct option create_options[] = {
	{ "reason", 'r', "TEXT", "why it is made" },
	{ NULL },
};

static const struct option force_options[] = {
	CONFIRM_OPTIONS,
	{ NULL },
};

const struct option check_options[] = {
	{ "deep", 'd', NULL, "every page, the chain of events, the hashes of stored contents" },
	{ NULL },
};

/* A line into a control file. */
static int tell(struct command *command, const char *path, const char *line)
{
	struct client *client = command_client(command);
	CLEANUP(cleanup_free) char *text = NULL;

	if (!client)
		return -command->fault.code;
	if (asprintf(&text, "%s\n", line) < 0) {
		text = NULL;
		return fault_set(&command->fault, ENOMEM, "no memory");
	}
	return client_write(client, path, text, strlen(text), &command->fault, NULL);
}

/* What a control file says, without its newline. */
static int asked(struct command *command, const char *path, struct buffer *answer)
{
	int r = client_read(&command->client, path, &command->fault, answer);

	if (r == 0 && answer->size && answer->data[answer->size - 1] == '\n')
		r = buffer_truncate(answer, answer->size - 1);
	return r;
}

/* The entry of a backup in the list; a new reference. */
static int find_entry(struct command *command, const char *name, json_t **ret_entry)
{
	json_t *list, *entry, *found = NULL;
	size_t i;
	int r = tree_json(command, "/backups/list.json", &list);

	if (r < 0)
		return r;
	json_array_foreach (list, i, entry)
		if (!strcmp(print_text(entry, "name"), name))
			found = json_incref(entry);
	json_decref(list);
	if (!found)
		return fault_set(&command->fault, ENOENT, "there is no backup \"%s\"", name);
	*ret_entry = found;
	return 0;
}

static int create_run(struct command *command)
{
	const char *reason = command_option(command, "reason");
	CLEANUP(buffer_done) struct buffer name = { 0 };
	json_t *entry;
	char size[32];
	int r;

	if (reason && strchr(reason, '\n'))
		return fault_set(&command->fault, EINVAL, "--reason: it must be one line");
	r = tell(command, "/backups/new", reason ? reason : "");
	if (r == 0)
		r = asked(command, "/backups/new", &name);
	if (r == 0)
		r = find_entry(command, buffer_text(&name), &entry);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, entry);
	print_done("Backup '%s' created and verified (%s)", buffer_text(&name),
		print_size(json_integer_value(json_object_get(entry, "size")), size));
	puts("  It has no keys: keep the folder keys/ of Sloth's home safe separately");
	json_decref(entry);
	return 0;
}

static int list_row(struct table *table, const json_t *entry)
{
	char time[32], size[32];

	return table_row(table,
		(const char *[]){ print_text(entry, "name"),
			print_time(print_ms(json_object_get(entry, "created")), time),
			print_size(json_integer_value(json_object_get(entry, "size")), size),
			print_text(entry, "kind"), print_text(entry, "user"), print_text(entry, "reason") });
}

static int list_run(struct command *command)
{
	static const struct column columns[] = {
		{ "NAME" },
		{ "CREATED" },
		{ "SIZE", .right = true },
		{ "KIND" },
		{ "USER" },
		{ "REASON", .shrinks = true },
		{ NULL },
	};
	json_t *list;
	int r = tree_json(command, "/backups/list.json", &list);

	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, list);
	r = table_list_counted(columns, list, list_row, "Backups", "", "backup");
	json_decref(list);
	return r;
}

static int verify_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer name = { 0 };
	int r = tell(command, "/backups/verify", command->operands[0]);

	if (r == 0)
		r = asked(command, "/backups/verify", &name);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "name", buffer_text(&name), "ok", 1));
	print_done("Backup '%s' is in order", buffer_text(&name));
	return 0;
}

/* The daemon's program, which does without a daemon what one that cannot start can't. The exit status. */
static int without_daemon(struct command *command, const char *option, const char *operand)
{
	char program[PATH_MAX];
	char *argv[] = { (char *)"slothd", (char *)(uintptr_t)option, (char *)(uintptr_t)operand, NULL };
	int r, status;
	pid_t pid;

	print_warning("%s", command->fault.text);
	print_warning("going on without the daemon");
	start_program(program, sizeof(program));
	r = posix_spawn(&pid, program, NULL, NULL, argv, environ);
	if (r)
		return fault_set(&command->fault, r, "%s can't be started: %s", program, strerror(r));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fault_set(&command->fault, errno, "%s: %s", program, strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* The daemon answers, and then begins anew: the next one to answer has what was restored. */
static int wait_for_daemon(struct command *command)
{
	client_close(&command->client);
	return command_client(command) ? 0 : -command->fault.code;
}

static int restore_run(struct command *command)
{
	const char *name = command->operands[0];
	int r = confirm_word(command, "This puts a backup into the place of the present database", name);

	if (r < 0)
		return r;
	if (!command_client(command)) {
		if (command->fault.code != EIO)
			return -command->fault.code;
		r = without_daemon(command, "--restore", name);
		if (r != 0)
			return r;
		command->fault = (struct fault){ 0 };
	} else {
		r = tell(command, "/backups/restore", name);
		if (r == 0)
			r = wait_for_daemon(command);
		if (r < 0)
			return r;
	}
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "name", name, "restored", 1));
	print_done("Backup '%s' restored; what was there is kept as sloth.db-before-restore-*", name);
	return 0;
}

/* The file of a backup: the name may lack ".db", or be "latest". */
static int backup_path(struct command *command, const char *name, char **ret_path)
{
	CLEANUP(cleanup_free) char *target = NULL;
	size_t n = strlen(name);

	if (!strcmp(name, "latest")) {
		int r = client_readlink(&command->client, "/backups/latest", &command->fault, &target);

		if (r < 0)
			return r == -ENOENT ? fault_set(&command->fault, ENOENT, "there is no backup") : r;
		name = target;
		n = strlen(name);
	}
	if (asprintf(ret_path, "/backups/%s%s", name, n > 3 && !strcmp(name + n - 3, ".db") ? "" : ".db") <
		0) {
		*ret_path = NULL;
		return fault_set(&command->fault, ENOMEM, "no memory");
	}
	return 0;
}

static int delete_run(struct command *command)
{
	const char *given = command->operands[0];
	CLEANUP(cleanup_free) char *path = NULL;
	int r;

	if (name_check(given) < 0)
		return fault_set(&command->fault, EINVAL, "\"%s\" is no name of a backup", given);
	r = confirm_word(command, "This removes a backup", given);
	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	r = r < 0 ? r : backup_path(command, given, &path);
	if (r == 0)
		r = client_call(&command->client, "unlink", json_pack("{ss}", "path", path), NULL, 0,
			&command->fault, NULL);
	if (r == -ENOENT)
		return fault_set(&command->fault, ENOENT, "there is no backup \"%s\"", given);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(
			command, json_pack("{sssb}", "name", strrchr(path, '/') + 1, "deleted", 1));
	print_done("Backup '%s' deleted", strrchr(path, '/') + 1);
	return 0;
}

const struct verb backup_verbs[] = {
	{ "create", .alias = "new", .help = "Make a backup of the database, and verify it",
		.options = create_options, .run = create_run },
	{ "list", .alias = "ls", .help = "List the backups", .run = list_run },
	{ "verify", .operands = "NAME", .help = "Verify a backup: its bytes, pages, events and contents",
		.run = verify_run },
	{ "restore", .operands = "NAME", .help = "Put a backup into the database's place",
		.options = force_options, .run = restore_run },
	{ "delete", .alias = "rm", .operands = "NAME", .help = "Remove a backup", .options = force_options,
		.run = delete_run },
	{ NULL },
};

static void show_check(const json_t *check)
{
	bool ok = json_is_true(json_object_get(check, "ok"));
	json_t *found;
	size_t i;

	printf("%s%s%s  %s\n", print_style(stdout, ok ? STYLE_GREEN : STYLE_RED),
		ok ? "✓ ok     " : "✗ damaged", print_style(stdout, STYLE_END), print_text(check, "check"));
	json_array_foreach (json_object_get(check, "found"), i, found) {
		fputs("             ", stdout);
		text_write_safe(stdout, json_string_value(found));
		putchar('\n');
	}
}

/* The report is shown whatever it says; damage is the exit status. */
static int show_report(struct command *command)
{
	json_t *report, *check;
	size_t i;
	int r = tree_json(command, "/check.json", &report);

	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, report);
	json_array_foreach (json_object_get(report, "checks"), i, check)
		show_check(check);
	json_decref(report);
	return 0;
}

int check_run(struct command *command)
{
	const char *depth = command_flag(command, "deep") ? "deep" : "quick";
	struct fault fault;
	int r, shown;

	if (!command_client(command))
		return command->fault.code == EIO ? without_daemon(command, "--check", NULL)
						  : -command->fault.code;
	r = tell(command, "/check", depth);
	if (r < 0 && r != -EBADMSG)
		return r;
	fault = command->fault;
	shown = show_report(command);
	if (shown < 0 || r == 0)
		return shown;
	return fault_set(&command->fault, EBADMSG,
		"the database is %s. `sloth backup list` shows what there is to go back to, `sloth backup "
		"restore NAME` "
		"does it",
		fault.text);
}
