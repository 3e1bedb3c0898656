/* SPDX-License-Identifier: MIT */
/* ls, cat, write: the tree as it is, for where there is no mount. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/input.h"
#include "cli/print.h"
#include "cli/table.h"

const struct option ls_options[] = {
	{ "long", 'l', NULL, "with mode, owner, size and time" },
	{ NULL },
};

const struct option write_options[] = {
	{ "text", 't', "TEXT", "write this and a newline instead of standard input" },
	{ NULL },
};

/* The path as the daemon takes it: links followed. It comes before all else here, and opens the connection.
 */
static int resolve(struct command *command, const char *path, bool follow, char **ret_path)
{
	struct client *client = command_client(command);

	return client ? client_resolve(client, path, follow, &command->fault, ret_path)
		      : -command->fault.code;
}

static void mode_text(const char *type, unsigned mode, char ret_text[11])
{
	static const char bits[] = "rwxrwxrwx";

	ret_text[0] = !strcmp(type, "dir") ? 'd' : !strcmp(type, "link") ? 'l' : '-';
	for (int i = 0; i < 9; i++)
		ret_text[1 + i] = (char)(mode & (0400u >> i) ? bits[i] : '-');
	if (mode & S_ISGID)
		ret_text[6] = mode & 010 ? 's' : 'S';
	if (mode & S_ISVTX)
		ret_text[9] = mode & 01 ? 't' : 'T';
	ret_text[10] = '\0';
}

static const char *user_text(json_t *uid, char *text, size_t size)
{
	struct passwd *user = getpwuid((uid_t)json_integer_value(uid));

	snprintf(text, size, "%s", user ? user->pw_name : "");
	if (!user)
		snprintf(text, size, "%lld", (long long)json_integer_value(uid));
	return text;
}

static const char *group_text(json_t *gid, char *text, size_t size)
{
	struct group *group = getgrgid((gid_t)json_integer_value(gid));

	snprintf(text, size, "%s", group ? group->gr_name : "");
	if (!group)
		snprintf(text, size, "%lld", (long long)json_integer_value(gid));
	return text;
}

static int long_row(struct command *command, struct table *table, const char *folder, json_t *entry)
{
	json_t *attr = json_object_get(entry, "attr");
	const char *name = print_text(entry, "name"), *type = print_text(entry, "type");
	char mode[11], user[64], group[64], size[32], time[32];
	CLEANUP(cleanup_free) char *target = NULL;
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *shown = NULL;
	int64_t mtime = json_integer_value(json_object_get(attr, "mtime"));

	/* A folder that one may read and not pass. */
	if (!attr)
		return table_row(table, (const char *[]){ "?", "?", "?", "?", "?", name });
	if (!strcmp(type, "link") && asprintf(&path, "%s/%s", strcmp(folder, "/") ? folder : "", name) >= 0)
		(void)client_readlink(&command->client, path, NULL, &target);
	if (asprintf(&shown, "%s%s%s", name, target ? " -> " : "", target ? target : "") < 0)
		return -ENOMEM;
	mode_text(type, (unsigned)json_integer_value(json_object_get(attr, "mode")), mode);
	snprintf(size, sizeof(size), "%lld", (long long)json_integer_value(json_object_get(attr, "size")));
	return table_row(
		table, (const char *[]){ mode, user_text(json_object_get(attr, "uid"), user, sizeof(user)),
			       group_text(json_object_get(attr, "gid"), group, sizeof(group)), size,
			       print_time(mtime, time), shown });
}

static int show_long(struct command *command, const char *folder, json_t *entries)
{
	static const struct column columns[] = {
		{ "MODE" },
		{ "OWNER" },
		{ "GROUP" },
		{ "SIZE", .right = true },
		{ "CHANGED" },
		{ "NAME" },
		{ NULL },
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns);
	json_t *entry;
	size_t i;
	int r = table ? 0 : -ENOMEM;

	json_array_foreach (entries, i, entry)
		r = r < 0 ? r : long_row(command, table, folder, entry);
	return r < 0 ? r : table_print(table);
}

static void show_names(json_t *entries)
{
	json_t *entry;
	size_t i;

	json_array_foreach (entries, i, entry) {
		bool folder = !strcmp(print_text(entry, "type"), "dir");

		printf("%s%s%s%s\n", folder ? print_style(stdout, STYLE_BOLD) : "", print_text(entry, "name"),
			folder ? print_style(stdout, STYLE_END) : "",
			folder && print_is_terminal(stdout) ? "/" : "");
	}
}

/* A file is listed as itself. */
static int list_entries(struct command *command, const char *path, json_t **ret_entries)
{
	bool attributes = command_flag(command, "long") || command->format != FORMAT_TEXT;
	struct client *client = &command->client;
	json_t *attr;
	int r = client_list(client, path, attributes, &command->fault, ret_entries);

	if (r != -ENOTDIR)
		return r;
	r = client_stat(client, path, &command->fault, &attr);
	if (r < 0)
		return r;
	*ret_entries =
		json_pack("[{sssOso}]", "name", path, "type", json_object_get(attr, "type"), "attr", attr);
	return *ret_entries ? 0 : fault_set(&command->fault, ENOMEM, "no memory");
}

static int list_path(struct command *command, const char *given)
{
	CLEANUP(cleanup_free) char *path = NULL;
	json_t *entries = NULL;
	int r = resolve(command, given, true, &path);

	r = r < 0 ? r : list_entries(command, path, &entries);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, entries);
	if (command_flag(command, "long"))
		r = show_long(command, path, entries);
	else
		show_names(entries);
	json_decref(entries);
	return r;
}

int ls_run(struct command *command)
{
	int r = 0;

	if (!command->operand_count)
		return list_path(command, "/");
	for (int i = 0; r == 0 && i < command->operand_count; i++) {
		if (command->operand_count > 1 && command->format == FORMAT_TEXT)
			printf("%s%s:\n", i ? "\n" : "", command->operands[i]);
		r = list_path(command, command->operands[i]);
	}
	return r;
}

/* In pieces: a log may be large, and a file that waits shows what is there meanwhile. */
static int copy_out(struct command *command, const char *path)
{
	struct client *client = &command->client;
	int64_t handle, offset = 0;
	ssize_t n;
	int r = client_file_open(client, path, json_pack("[s]", "read"), &command->fault, &handle);

	if (r < 0)
		return r;
	do {
		CLEANUP(buffer_done) struct buffer piece = { 0 };

		n = client_file_read(client, handle, offset, &command->fault, &piece);
		if (n > 0 && fwrite(piece.data, 1, piece.size, stdout) < piece.size)
			break;
		offset += n > 0 ? n : 0;
	} while (n > 0);
	(void)client_file_close(client, handle, NULL, NULL);
	return n < 0 ? (int)n : 0;
}

static int cat_value(struct command *command, const char *given, const char *path)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	int r = client_read(&command->client, path, &command->fault, &content);
	json_t *text;

	if (r < 0)
		return r;
	text = json_stringn(buffer_text(&content), content.size);
	if (!text)
		return fault_set(&command->fault, EINVAL, "%s is not text: it can't be shown as JSON", given);
	return print_value(command, json_pack("{ssso}", "path", path, "content", text));
}

int cat_run(struct command *command)
{
	for (int i = 0; i < command->operand_count; i++) {
		CLEANUP(cleanup_free) char *path = NULL;
		int r = resolve(command, command->operands[i], true, &path);

		if (r == 0)
			r = command->format == FORMAT_TEXT ? copy_out(command, path)
							   : cat_value(command, command->operands[i], path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_input(struct command *command, struct buffer *content)
{
	const char *text = command_option(command, "text");
	int r;

	if (!text)
		return input_read(command, "-", content);
	r = buffer_append_text(content, text);
	return r < 0 ? r : buffer_append_text(content, "\n");
}

int write_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	int64_t run = 0;
	int r = read_input(command, &content);

	r = r < 0 ? r : resolve(command, command->operands[0], true, &path);
	r = r < 0 ? r
		  : client_write(&command->client, path, content.data, content.size, &command->fault, &run);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssIsI}", "path", path, "size",
						    (json_int_t)content.size, "run", (json_int_t)run));
	if (run)
		print_done("Run %lld started", (long long)run);
	return 0;
}
