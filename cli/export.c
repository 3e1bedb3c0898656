/* SPDX-License-Identifier: MIT */
/* stack export, stack import: a stack as one document, by the file export.json of its folder. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/input.h"
#include "cli/print.h"
#include "cli/stack.h"

static const char FILE_NAME[] = "export.json";

const struct option import_options[] = {
	{ "name", 'n', "NAME", "import as this stack; without it, under the name in the document" },
	{ "force", 'f', NULL, "replace what a stack of this name has" },
	{ NULL },
};

/* Beside the file first, so that nobody sees half of it, and nothing is lost when there is no room. */
static int write_file(struct command *command, const char *path, const struct buffer *content)
{
	CLEANUP(cleanup_free) char *draft = NULL;
	CLEANUP(cleanup_fd) int fd = -1;
	size_t done = 0;
	ssize_t n;

	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	fd = mkstemp(draft); /* 0600: who may read it is for its owner to say */
	if (fd < 0)
		return fault_set(&command->fault, errno, "can't write %s: %s", path, strerror(errno));
	while (done < content->size) {
		n = write(fd, content->data + done, content->size - done);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	if (done < content->size || fsync(fd) < 0 || rename(draft, path) < 0) {
		int code = errno;

		unlink(draft);
		return fault_set(&command->fault, code, "can't write %s: %s", path, strerror(code));
	}
	return 0;
}

int export_run(struct command *command)
{
	const char *name = command->operands[0],
		   *file = command->operand_count > 1 ? command->operands[1] : "-";
	CLEANUP(buffer_done) struct buffer content = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	int r = stack_path(command, name, FILE_NAME, &path);

	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	r = r < 0 ? r : client_read(&command->client, path, &command->fault, &content);
	if (r < 0)
		return r;
	if (!strcmp(file, "-")) {
		fwrite(buffer_text(&content), 1, content.size, stdout);
		return 0;
	}
	r = write_file(command, file, &content);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command,
			json_pack("{sssssI}", "stack", name, "file", file, "size", (json_int_t)content.size));
	print_done("Stack '%s' exported to %s", name, file);
	return 0;
}

/* What the file has, and whose name it is to get. */
static int read_document(struct command *command, json_t **ret_document, const char **ret_name)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	const char *file = command->operands[0], *name = command_option(command, "name");
	json_t *document;
	json_error_t error;
	int r = input_read(command, file, &content);

	if (r < 0)
		return r;
	document = json_loadb(buffer_text(&content), content.size, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(document)) {
		json_decref(document);
		return fault_set(&command->fault, EINVAL, "%s:%d: %s", file, document ? 1 : error.line,
			document ? "this is no exported stack" : error.text);
	}
	name = name ? name : json_string_value(json_object_get(document, "name"));
	if (!name) {
		json_decref(document);
		return fault_set(
			&command->fault, EINVAL, "%s has no name of a stack: give one with --name", file);
	}
	*ret_document = document;
	*ret_name = name;
	return 0;
}

/* Into a stack that is made for it; one that could not be filled is not left behind. */
static int import_into(struct command *command, const char *name, const char *text)
{
	CLEANUP(cleanup_free) char *folder = NULL;
	CLEANUP(cleanup_free) char *path = NULL;
	struct client *client = command_client(command);
	bool made;
	int r = stack_path(command, name, "", &folder);

	r = r < 0 ? r : stack_path(command, name, FILE_NAME, &path);
	if (r < 0 || !client)
		return -command->fault.code;
	r = client_mkdir(client, folder, &command->fault);
	made = r == 0;
	if (r < 0 && r != -EEXIST)
		return r;
	command->fault = (struct fault){ 0 };
	r = client_write(client, path, text, strlen(text), &command->fault, NULL);
	if (r < 0 && made)
		client_call(client, "rmdir", json_pack("{ss}", "path", folder), NULL, 0, NULL, NULL);
	return r;
}

static void warn_of_sensitive(const json_t *document)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(document, "sensitive"), i, name)
		if (json_is_string(name) && name_check(json_string_value(name)) == 0)
			print_warning(
				"the output %s is sensitive: its value is not in the document; set it anew",
				json_string_value(name));
}

int import_run(struct command *command)
{
	CLEANUP(cleanup_free) char *text = NULL;
	json_auto_t *document = NULL;
	const char *name;
	int r = read_document(command, &document, &name);

	if (r < 0)
		return r;
	/* Nothing is replaced because a file says so. */
	json_object_del(document, "replace");
	if (command_flag(command, "force"))
		json_object_set_new(document, "replace", json_true());
	text = json_dumps(document, JSON_COMPACT);
	r = text ? import_into(command, name, text) : -ENOMEM;
	if (r < 0)
		return r;
	warn_of_sensitive(document);
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "stack", name, "imported", 1));
	print_done("Stack '%s' imported", name);
	return 0;
}
