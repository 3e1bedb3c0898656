/* SPDX-License-Identifier: MIT */
/* secrets: set, get, list, delete, rotate. A value is never an argument: /proc shows those to everybody. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/confirm.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/table.h"

enum { VALUE_MAX = 1 << 20 }; /* bytes that are read; the daemon says what is too much */

static const struct option set_options[] = {
	{ "file", 'f', "FILE", "take the bytes of this file, all of them" },
	{ NULL },
};

static const struct option delete_options[] = {
	{ "force", 'f', NULL, "do not ask for the name" },
	{ "yes", 'y', NULL, "do not ask for the name" },
	{ NULL },
};

static const struct option rotate_options[] = {
	{ "to-file", 0, NULL, "the new master key is a file, though the daemon has a passphrase" },
	{ NULL },
};

static int secret_path(struct command *command, const char *name, char ret_path[NAME_SIZE + 16])
{
	if (name_check(name) < 0)
		return fault_set(&command->fault, EINVAL,
			"\"%.160s\" is no name of a secret: letters, digits, '.', '_' and '-', at most %d",
			name, NAME_MAX_LENGTH);
	snprintf(ret_path, NAME_SIZE + 16, "/secrets/%s", name);
	return command_client(command) ? 0 : -command->fault.code;
}

static void value_done(struct buffer *value)
{
	if (value->data)
		explicit_bzero(value->data, value->capacity);
	buffer_done(value);
}

static int read_all(struct command *command, int fd, const char *name, struct buffer *ret_value)
{
	int r = buffer_reserve(ret_value, VALUE_MAX);

	while (r == 0) {
		ssize_t n = read(fd, ret_value->data + ret_value->size, VALUE_MAX - ret_value->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_set(&command->fault, errno, "%s: %s", name, strerror(errno));
		if (n == 0)
			return 0;
		ret_value->size += (size_t)n;
		if (ret_value->size == VALUE_MAX)
			return fault_set(&command->fault, EFBIG, "%s: too large for a secret", name);
	}
	return fault_set(&command->fault, ENOMEM, "no memory");
}

/* One line, not shown while it is typed. */
static int ask_value(struct command *command, const char *name, struct buffer *ret_value)
{
	struct termios shown, hidden;
	int r;

	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return fault_set(&command->fault, errno, "the terminal: %s", strerror(errno));
	hidden = shown;
	hidden.c_lflag &= (tcflag_t) ~(ECHO | ECHOE | ECHOK);
	hidden.c_lflag |= ECHONL;
	fprintf(stderr, "Value of %s: ", name);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
		return fault_set(&command->fault, errno, "the terminal: %s", strerror(errno));
	r = buffer_reserve(ret_value, 4096);
	if (r == 0) {
		ssize_t n = read(STDIN_FILENO, ret_value->data, 4096);

		ret_value->size = n > 0 ? (size_t)n : 0;
	}
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	return r;
}

/* The newline that `echo` and a terminal put behind a line is no part of it. */
static void trim_line(struct buffer *value)
{
	if (value->size && memchr(value->data, '\n', value->size) == value->data + value->size - 1)
		buffer_truncate(value, value->size - 1);
}

static int take_value(struct command *command, const char *name, struct buffer *ret_value)
{
	const char *file = command_option(command, "file");
	CLEANUP(cleanup_fd) int fd = -1;
	int r;

	if (file) {
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return fault_set(&command->fault, errno, "%s: %s", file, strerror(errno));
		return read_all(command, fd, file, ret_value);
	}
	r = isatty(STDIN_FILENO) ? ask_value(command, name, ret_value)
				 : read_all(command, STDIN_FILENO, "standard input", ret_value);
	trim_line(ret_value);
	return r;
}

static int set_run(struct command *command)
{
	CLEANUP(value_done) struct buffer value = { 0 };
	const char *name = command->operands[0];
	char path[NAME_SIZE + 16];
	int r = secret_path(command, name, path);

	if (r == 0)
		r = take_value(command, name, &value);
	if (r == 0 && value.size == 0)
		return fault_set(&command->fault, EINVAL, "a secret has at least one byte");
	if (r == 0)
		r = client_write(&command->client, path, value.data, value.size, &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "secret", name, "set", 1));
	print_done("Secret '%s' set", name);
	return 0;
}

static int get_run(struct command *command)
{
	CLEANUP(value_done) struct buffer value = { 0 };
	const char *name = command->operands[0];
	char path[NAME_SIZE + 16];
	int r = secret_path(command, name, path);

	if (r == 0)
		r = client_read(&command->client, path, &command->fault, &value);
	if (r == -ENOENT)
		return fault_set(&command->fault, ENOENT, "there is no secret \"%s\"", name);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT && !text_is_utf8(buffer_text(&value), value.size))
		return fault_set(
			&command->fault, EINVAL, "the secret \"%s\" is no text: get it without --json", name);
	if (command->format != FORMAT_TEXT)
		return print_value(command,
			json_pack("{s:s, s:s%}", "name", name, "value", buffer_text(&value), value.size));
	fwrite(buffer_text(&value), 1, value.size, stdout);
	if (isatty(STDOUT_FILENO) && value.size && value.data[value.size - 1] != '\n')
		putchar('\n');
	return 0;
}

static const char *owner_text(const json_t *attr, char text[64])
{
	const json_t *uid = json_object_get(attr, "uid");
	struct passwd *user = getpwuid((uid_t)json_integer_value(uid));

	if (user)
		snprintf(text, 64, "%s", user->pw_name);
	else
		snprintf(text, 64, "%lld", (long long)json_integer_value(uid));
	return text;
}

static int list_row(struct table *table, const json_t *entry)
{
	const json_t *attr = json_object_get(entry, "attr");
	char owner[64], time[32];

	return table_row(
		table, (const char *[]){ print_text(entry, "name"), owner_text(attr, owner),
			       print_time(json_integer_value(json_object_get(attr, "mtime")), time) });
}

static int list_run(struct command *command)
{
	static const struct column columns[] = { { "NAME" }, { "OWNER" }, { "SET" }, { NULL } };
	json_auto_t *entries = NULL;
	json_t *values, *entry;
	size_t i;
	int r;

	if (!command_client(command))
		return -command->fault.code;
	r = client_list(&command->client, "/secrets", true, &command->fault, &entries);
	if (r < 0)
		return r;
	if (command->format == FORMAT_TEXT)
		return table_list(columns, entries, list_row);
	values = json_array();
	json_array_foreach (entries, i, entry) {
		const json_t *attr = json_object_get(entry, "attr");
		char time[32];

		json_array_append_new(values,
			json_pack("{s:O, s:O, s:s}", "name", json_object_get(entry, "name"), "uid",
				json_object_get(attr, "uid"), "set",
				time_format(json_integer_value(json_object_get(attr, "mtime")), time)));
	}
	return print_value(command, values);
}

static int delete_run(struct command *command)
{
	const char *name = command->operands[0];
	char path[NAME_SIZE + 16];
	json_t *attr;
	int r = secret_path(command, name, path);

	if (r == 0)
		r = client_stat(&command->client, path, &command->fault, &attr);
	if (r == -ENOENT)
		return fault_set(&command->fault, ENOENT, "there is no secret \"%s\"", name);
	if (r < 0)
		return r;
	json_decref(attr);
	if (!command_flag(command, "force") && !command_flag(command, "yes"))
		r = confirm_name(command, "secret", name);
	if (r == 0)
		r = client_call(&command->client, "unlink", json_pack("{ss}", "path", path), NULL, 0,
			&command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "secret", name, "deleted", 1));
	print_done("Secret '%s' deleted", name);
	return 0;
}

static int rotate_run(struct command *command)
{
	const char *line = command_flag(command, "to-file") ? "rotate file\n" : "rotate\n";
	int r = command_client(command)
			? client_write(&command->client, "/keys", line, strlen(line), &command->fault, NULL)
			: -command->fault.code;

	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sb}", "rotated", 1));
	print_done("All sealed values have new keys");
	return 0;
}

const struct verb secrets_verbs[] = {
	{ "set", .operands = "NAME", .help = "Set a secret, from standard input or a file",
		.more = "Without --file the value comes from standard input; on a terminal it is asked for, "
			"and "
			"not shown. One line loses its line break; what has several is taken as it is.",
		.options = set_options, .run = set_run },
	{ "get", .operands = "NAME", .help = "Print a secret", .run = get_run },
	{ "list", .alias = "ls", .help = "List the secrets, without values", .run = list_run },
	{ "delete", .alias = "rm", .operands = "NAME", .help = "Remove a secret", .options = delete_options,
		.run = delete_run },
	{ "rotate", .help = "New keys for all that is sealed", .options = rotate_options, .run = rotate_run },
	{ NULL },
};
