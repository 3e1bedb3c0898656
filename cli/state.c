/* SPDX-License-Identifier: MIT */
/* state: keys and values of a stack, or of a namespace that all share. The files state.ctl do the work. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/state.h"
#include "cli/table.h"

/* Bytes of a command for a control file; a value that does not fit goes through the file of its key. */
enum { LINE_MAX_SIZE = 60 << 10 };

#define SCOPE_OPTIONS                                                                                        \
	{ "stack", 's', "NAME", "keys of this stack" },                                                      \
	{                                                                                                    \
		"namespace", 'N', "NAME", "keys of this namespace (default)"                                 \
	}

static const struct option scope_options[] = { SCOPE_OPTIONS, { NULL } };

static const struct option get_options[] = {
	SCOPE_OPTIONS,
	{ "default", 'd', "TEXT", "print this when there is no such key" },
	{ NULL },
};

static const struct option set_options[] = {
	SCOPE_OPTIONS,
	{ "ttl", 't', "DURATION", "it goes by itself after this time (without: as before)" },
	{ "type", 'T', "TYPE", "string, number, boolean, array, object; json: what it looks like (string)" },
	{ "new", 0, NULL, "only when there is no such key" },
	{ NULL },
};

static const struct option cas_options[] = {
	SCOPE_OPTIONS,
	{ "type", 'T', "TYPE", "what OLD and NEW are, as for set (string)" },
	{ NULL },
};

static const struct option delete_options[] = {
	SCOPE_OPTIONS,
	{ "force", 'f', NULL, "a key that is not there is no failure" },
	{ NULL },
};

/* Where the keys are. */
struct scope {
	char folder[NAME_SIZE + 32], ctl[NAME_SIZE + 32];
	char prefix[NAME_SIZE + 1]; /* of keys in commands */
};

static int scope_get(struct command *command, struct scope *ret_scope)
{
	const char *stack = command_option(command, "stack"), *ns = command_option(command, "namespace");
	const char *name = stack ? stack : ns ? ns : "default";

	if (stack && ns)
		return fault_set(&command->fault, EINVAL, "--stack and --namespace: a key is in one of them");
	if (name_check(name) < 0)
		return fault_set(&command->fault, EINVAL,
			"\"%s\" is no name: letters, digits, '.', '_' and '-', at most %d", name,
			NAME_MAX_LENGTH);
	*ret_scope = (struct scope){ .ctl = "/state.ctl" };
	if (stack)
		snprintf(ret_scope->ctl, sizeof(ret_scope->ctl), "/stacks/%s/state.ctl", name);
	else
		snprintf(ret_scope->prefix, sizeof(ret_scope->prefix), "%s/", name);
	snprintf(ret_scope->folder, sizeof(ret_scope->folder), "%s%s%s", stack ? "/stacks/" : "/state/", name,
		stack ? "/state" : "");
	return 0;
}

int line_add_word(struct command *command, struct buffer *line, const char *text)
{
	int r = buffer_append_text(line, line->size ? " \"" : "\"");

	if (strpbrk(text, "\n\r"))
		return fault_set(&command->fault, EINVAL, "a value with a line break can't be used here");
	for (; r == 0 && *text; text++) {
		if (*text == '"' || *text == '\\')
			r = buffer_append(line, "\\", 1);
		r = r < 0 ? r : buffer_append(line, text, 1);
	}
	return r < 0 ? r : buffer_append(line, "\"", 1);
}

int line_add_option(struct command *command, struct buffer *line, const char *name, const char *value)
{
	CLEANUP(cleanup_free) char *text = NULL;

	if (!value)
		return 0;
	if (asprintf(&text, "%s=%s", name, value) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	return line_add_word(command, line, text);
}

/* "verb NAMESPACE/KEY", the key as the tree has it. */
static int add_key(struct command *command, struct buffer *line, const struct scope *scope, const char *verb,
	const char *key)
{
	char name[ENCODED_SIZE], word[NAME_SIZE + 1 + ENCODED_SIZE];
	int r;

	if (!*key || strlen(key) > NAME_MAX_LENGTH)
		return fault_set(&command->fault, EINVAL, "a key has 1 to %d bytes", NAME_MAX_LENGTH);
	snprintf(word, sizeof(word), "%s%s", scope->prefix, name_encode(key, name));
	r = buffer_append_text(line, verb);
	return r < 0 ? r : line_add_word(command, line, word);
}

/* Does the commands, and gives what came of them. */
static int run_line(struct command *command, const struct scope *scope, const struct buffer *line,
	struct buffer *ret_answer)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	struct client *client = command_client(command);
	json_t *attr = NULL;
	int r = client ? client_call(client, "write", json_pack("{ss}", "path", scope->ctl), line->data,
				 line->size, &command->fault, &answer)
		       : -command->fault.code;

	/* Of a stack that is not there, the daemon can only say that the file is not. */
	if (r == -ENOENT && !*scope->prefix && client_stat(client, scope->folder, NULL, &attr) < 0)
		return fault_set(
			&command->fault, ENOENT, "there is no stack %s", command_option(command, "stack"));
	json_decref(attr);
	if (r == 0 && ret_answer) {
		*ret_answer = answer.body;
		answer.body = (struct buffer){ 0 };
	}
	return r;
}

/* One command about one key, with a word behind it or none. */
static int run_words(struct command *command, const char *verb, const char *word, struct buffer *ret_answer)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	struct scope scope;
	int r = scope_get(command, &scope);

	r = r < 0 ? r : add_key(command, &line, &scope, verb, command->operands[0]);
	r = r < 0 || !word ? r : line_add_word(command, &line, word);
	return r < 0 ? r : run_line(command, &scope, &line, ret_answer);
}

/* The value that a command gave back, printed. */
static int print_answer(struct command *command, const struct buffer *answer)
{
	size_t size =
		answer->size && answer->data[answer->size - 1] == '\n' ? answer->size - 1 : answer->size;
	json_t *value;

	if (command->format == FORMAT_TEXT) {
		fwrite(answer->data, 1, answer->size, stdout);
		return 0;
	}
	value = json_loadb(buffer_text(answer), size, JSON_DECODE_ANY, NULL);
	if (!value)
		value = json_stringn(buffer_text(answer), size);
	return print_value(command, json_pack("{ssso}", "key", command->operands[0], "value", value));
}

/* What `show` and a line of `list` give. */
static int show_key(struct command *command, json_t **ret_object)
{
	CLEANUP(buffer_done) struct buffer answer = { 0 };
	int r = run_words(command, "show", NULL, &answer);

	if (r < 0)
		return r;
	*ret_object = json_loadb(buffer_text(&answer), answer.size, 0, NULL);
	return *ret_object ? 0 : fault_set(&command->fault, EPROTO, "the daemon's answer is not JSON");
}

static void print_raw(const json_t *value)
{
	CLEANUP(cleanup_free) char *text = NULL;

	if (json_is_string(value))
		fwrite(json_string_value(value), 1, json_string_length(value), stdout);
	else if ((text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)))
		fputs(text, stdout);
	putchar('\n');
}

static int get_run(struct command *command)
{
	const char *missing = command_option(command, "default");
	json_t *object = NULL;
	int r = show_key(command, &object);

	if (r == -ENOENT && missing)
		object = json_pack("{ssss}", "key", command->operands[0], "value", missing);
	else if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, object);
	print_raw(json_object_get(object, "value"));
	json_decref(object);
	return 0;
}

static int read_stdin(struct command *command, struct buffer *content)
{
	char piece[64 << 10];
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		if (buffer_append(content, piece, (size_t)n) < 0)
			return fault_set(&command->fault, ENOMEM, "no memory");
	if (n < 0)
		return fault_set(&command->fault, errno, "can't read standard input: %s", strerror(errno));
	if (content->size && content->data[content->size - 1] == '\n')
		content->size--;
	return 0;
}

/* A value in one line: JSON has no line breaks. *ret_type is what the daemon is to take it for. */
static int value_line(
	struct command *command, const struct buffer *content, char **ret_text, const char **ret_type)
{
	const char *type = command_option(command, "type");
	bool text = !type || !strcmp(type, "string");
	json_t *value = text ? json_stringn(buffer_text(content), content->size)
			     : json_loadb(buffer_text(content), content->size,
				       JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	if (!value && text)
		return fault_set(&command->fault, EINVAL, "the value is no UTF-8 text");
	/* What is wrong with it, the daemon says. */
	*ret_text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : strdup(buffer_text(content));
	*ret_type = text ? "json" : type;
	json_decref(value);
	return *ret_text ? 0 : fault_set(&command->fault, ENOMEM, "no memory");
}

/* Too long for a command: the file itself, and what else there is to say as its extended attributes. */
static int set_by_file(struct command *command, const struct scope *scope, const struct buffer *content)
{
	static const char *const names[] = { "type", "ttl" };
	char name[ENCODED_SIZE], path[sizeof(scope->folder) + 1 + ENCODED_SIZE];
	int r;

	if (command_flag(command, "new"))
		return fault_set(
			&command->fault, EFBIG, "--new is for values below %d KiB", LINE_MAX_SIZE >> 10);
	if (!command_client(command))
		return -command->fault.code;
	snprintf(path, sizeof(path), "%s/%s", scope->folder, name_encode(command->operands[0], name));
	r = client_write(&command->client, path, content->data, content->size, &command->fault, NULL);
	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = command_option(command, names[i]);
		char attribute[32];

		snprintf(attribute, sizeof(attribute), "user.sloth.%s", names[i]);
		if (value)
			r = client_call(&command->client, "setxattr",
				json_pack("{ssss}", "path", path, "name", attribute), value, strlen(value),
				&command->fault, NULL);
	}
	return r;
}

static int set_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer content = { 0 }, line = { 0 };
	CLEANUP(cleanup_free) char *text = NULL;
	const char *given = command->operands[1], *type = NULL;
	struct scope scope;
	int64_t ttl_ms;
	int r = scope_get(command, &scope);

	r = r < 0 ? r : command_duration(command, "ttl", &ttl_ms);
	if (r == 0)
		r = strcmp(given, "-") ? buffer_append_text(&content, given) : read_stdin(command, &content);
	r = r < 0 ? r : value_line(command, &content, &text, &type);
	r = r < 0 ? r
		  : add_key(command, &line, &scope, command_flag(command, "new") ? "add" : "set",
			    command->operands[0]);
	if (r == 0 && strlen(text) > LINE_MAX_SIZE - ENCODED_SIZE) {
		r = set_by_file(command, &scope, &content);
	} else {
		r = r < 0 ? r : line_add_word(command, &line, text);
		r = r < 0 ? r : line_add_option(command, &line, "type", type);
		r = r < 0 ? r : line_add_option(command, &line, "ttl", command_option(command, "ttl"));
		r = r < 0 ? r : run_line(command, &scope, &line, NULL);
	}
	if (r < 0)
		return r;
	return command->format == FORMAT_TEXT
		       ? 0
		       : print_value(command, json_pack("{sssb}", "key", command->operands[0], "set", 1));
}

static int delete_run(struct command *command)
{
	json_t *deleted = json_array();
	struct scope scope;
	int r = scope_get(command, &scope);

	for (int i = 0; r == 0 && i < command->operand_count; i++) {
		CLEANUP(buffer_done) struct buffer line = { 0 };

		r = add_key(command, &line, &scope, "delete", command->operands[i]);
		r = r < 0 ? r : run_line(command, &scope, &line, NULL);
		if (r == 0)
			json_array_append_new(deleted, json_string(command->operands[i]));
		else if (r == -ENOENT && command_flag(command, "force"))
			r = 0;
	}
	if (r == 0 && command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{so}", "deleted", deleted));
	json_decref(deleted);
	return r;
}

static int number_run(struct command *command, const char *verb)
{
	CLEANUP(buffer_done) struct buffer answer = { 0 };
	int r = run_words(command, verb, command->operand_count > 1 ? command->operands[1] : NULL, &answer);

	return r < 0 ? r : print_answer(command, &answer);
}

static int incr_run(struct command *command)
{
	return number_run(command, "incr");
}

static int decr_run(struct command *command)
{
	return number_run(command, "decr");
}

static int cas_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer line = { 0 }, answer = { 0 };
	struct scope scope;
	int r = scope_get(command, &scope);

	r = r < 0 ? r : add_key(command, &line, &scope, "cas", command->operands[0]);
	r = r < 0 ? r : line_add_word(command, &line, command->operands[1]);
	r = r < 0 ? r : line_add_word(command, &line, command->operands[2]);
	r = r < 0 ? r : line_add_option(command, &line, "type", command_option(command, "type"));
	r = r < 0 ? r : run_line(command, &scope, &line, &answer);
	return r < 0 ? r : print_answer(command, &answer);
}

/* All keys of the scope that match, as {key, value, updated, ttl_ms?}. */
static int list_keys(
	struct command *command, const struct scope *scope, const char *pattern, json_t **ret_list)
{
	CLEANUP(buffer_done) struct buffer line = { 0 }, answer = { 0 };
	CLEANUP(cleanup_free) char *word = NULL;
	json_t *list;
	int r = buffer_append_text(&line, "list");

	if (asprintf(&word, "%s%s", scope->prefix, pattern) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	r = r < 0 || !*word ? r : line_add_word(command, &line, word);
	r = r < 0 ? r : run_line(command, scope, &line, &answer);
	if (r < 0)
		return r;
	list = json_array();
	for (const char *p = buffer_text(&answer), *end; (end = strchr(p, '\n')); p = end + 1)
		json_array_append_new(list, json_loadb(p, (size_t)(end - p), 0, NULL));
	*ret_list = list;
	return 0;
}

/* A value on one line. */
static char *value_text(const json_t *value)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	CLEANUP(cleanup_free) char *dump = NULL;

	if (!out)
		return NULL;
	dump = json_is_string(value) ? strdup(json_string_value(value))
				     : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	text_write_safe(out, dump ? dump : "");
	fclose(out);
	return text;
}

static int list_row(struct table *table, const json_t *object)
{
	CLEANUP(cleanup_free) char *value = value_text(json_object_get(object, "value"));
	CLEANUP(cleanup_free) char *key = value_text(json_object_get(object, "key"));
	const json_t *ttl = json_object_get(object, "ttl_ms");
	char left[32], time[32];

	if (!value || !key)
		return -ENOMEM;
	return table_row(
		table, (const char *[]){ key, value, ttl ? print_duration(json_integer_value(ttl), left) : "",
			       print_time(print_ms(json_object_get(object, "updated")), time) });
}

static int list_run(struct command *command)
{
	static const struct column columns[] = {
		{ "KEY" },
		{ "VALUE", .shrinks = true },
		{ "TTL", .right = true },
		{ "UPDATED" },
		{ NULL },
	};
	struct scope scope;
	json_t *list;
	int r = scope_get(command, &scope);

	r = r < 0 ? r : list_keys(command, &scope, command->operand_count ? command->operands[0] : "", &list);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, list);
	r = table_list(columns, list, list_row);
	if (json_array_size(list) == 0 && print_is_terminal(stdout))
		puts("No keys");
	json_decref(list);
	return r;
}

static void print_change(struct command *command, const char *key, json_t *object)
{
	CLEANUP(cleanup_free) char *value = value_text(json_object_get(object, "value"));
	json_t *line;

	if (command->format != FORMAT_TEXT) {
		line = object ? json_incref(object) : json_pack("{sssb}", "key", key, "deleted", 1);
		print_json_line(line);
		json_decref(line);
		return;
	}
	text_write_safe(stdout, key);
	printf("%s%s\n", object ? "=" : " deleted", object && value ? value : "");
}

/* What differs from the listing before: by key. */
static void print_changes(struct command *command, json_t *before, json_t *after)
{
	const char *key;
	json_t *object;

	json_object_foreach (after, key, object) {
		const json_t *old = json_object_get(before, key);

		if (!old || strcmp(print_text(old, "updated"), print_text(object, "updated")) != 0 ||
			!json_equal(json_object_get(old, "value"), json_object_get(object, "value")))
			print_change(command, key, object);
	}
	json_object_foreach (before, key, object)
		if (!json_object_get(after, key))
			print_change(command, key, NULL);
	fflush(stdout);
}

static int look(struct command *command, const struct scope *scope, json_t **ret_keys)
{
	json_t *list, *object, *keys;
	size_t i;
	int r = list_keys(command, scope, command->operands[0], &list);

	if (r < 0)
		return r;
	keys = json_object();
	json_array_foreach (list, i, object)
		json_object_set(keys, print_text(object, "key"), object);
	json_decref(list);
	*ret_keys = keys;
	return 0;
}

/* Asks to be told before it looks, so that no change falls in between. */
static int watch_run(struct command *command)
{
	json_t *before = NULL, *after;
	struct scope scope;
	int r = scope_get(command, &scope);

	while (r == 0) {
		CLEANUP(answer_done) struct answer answer = { 0 };
		struct client *client = command_client(command);
		int64_t id;

		if (!client)
			return -command->fault.code;
		id = client_send(
			client, "watch", json_pack("{ss}", "path", scope.folder), NULL, 0, &command->fault);
		r = id < 0 ? (int)id : look(command, &scope, &after);
		if (r < 0)
			break;
		if (before)
			print_changes(command, before, after);
		json_decref(before);
		before = after;
		r = client_receive(client, id, &command->fault, &answer);
	}
	json_decref(before);
	return r;
}

const struct verb state_verbs[] = {
	{ "get", .operands = "KEY", .help = "Print the value of a key", .options = get_options,
		.run = get_run },
	{ "set", .operands = "KEY VALUE", .help = "Store a value; - takes it from standard input",
		.options = set_options, .run = set_run },
	{ "delete", .alias = "rm", .operands = "KEY...", .help = "Remove keys", .options = delete_options,
		.run = delete_run },
	{ "list", .alias = "ls", .operands = "[PATTERN]", .help = "List keys with their values",
		.options = scope_options, .run = list_run },
	{ "incr", .operands = "KEY [NUMBER]", .help = "Add to a number, and print what it is then",
		.options = scope_options, .run = incr_run },
	{ "decr", .operands = "KEY [NUMBER]", .help = "Subtract from a number, and print what it is then",
		.options = scope_options, .run = decr_run },
	{ "cas", .operands = "KEY OLD NEW", .help = "Store NEW if the value is OLD, else exit with 7",
		.options = cas_options, .run = cas_run },
	{ "lock", .operands = "NAME", .help = "Take a lock with a name of its own",
		.options = state_lock_options, .run = state_lock_run },
	{ "unlock", .operands = "NAME", .help = "Release it", .run = state_unlock_run },
	{ "watch", .operands = "PATTERN", .help = "Print keys as they change, until interrupted",
		.options = scope_options, .run = watch_run },
	{ "workflow",
		.help = "Executions of workflows: list, show, versions, rollback, resources, outputs, delete",
		.verbs = state_workflow_verbs },
	{ NULL },
};
