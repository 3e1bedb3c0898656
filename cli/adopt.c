/* SPDX-License-Identifier: MIT */
/* stack adopt: a run takes things that are there under management; what came of each it keeps as an artifact.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/follow.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/state.h"
#include "cli/table.h"

const char stack_adopt_more[] =
	"TYPE is a type of resource, or some with commas between them: directory,file,symlink. SELECTOR\n"
	"says which of them: a path or a pattern of paths ('/etc/nginx/**'), a pattern of names ('nginx*'),\n"
	"for users and groups also numbers ('1000-1999'). Nothing is changed but the stack. What another\n"
	"stack looks after is left to it. The exit status is 0 when all that was found is looked after now,\n"
	"1 when something was left out, and with --dry-run 2 when there is something to adopt.";

const struct option stack_adopt_options[] = {
	{ "dry-run", 'n', NULL, "show what would be adopted, and do nothing" },
	{ "write", 'w', "FILE", "write a workflow that declares it, which plans as no change" },
	{ "exact", 0, NULL, "versions of packages, too" },
	{ "force", 'f', NULL, "also what another stack looks after" },
	{ "set", 0, "PROPERTY=VALUE", "where it is: root=DIR, file=NAME, user=NAME; may be repeated" },
	FOLLOW_OPTIONS,
	{ NULL },
};

struct adoption {
	struct command *command;
	const char *stack, *types, *selector;
	const char *file; /* --write; NULL: none */
	bool dry_run;
	int64_t run;
	json_t *summary, *told; /* of the run; what came of it; owned, NULL: not known */
};

static void adoption_done(struct adoption *adoption)
{
	json_decref(adoption->summary);
	json_decref(adoption->told);
}

/* Whether one of the types is known by paths. */
static bool means_paths(const char *types)
{
	static const char *const known[] = { "file", "directory", "symlink", "git" };
	size_t n = strcspn(types, ",");

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]) == n && !strncmp(types, known[i], n))
			return true;
	return false;
}

/* The run has another folder. */
static int add_selector(const struct adoption *adoption, struct buffer *line)
{
	struct command *command = adoption->command;
	CLEANUP(cleanup_free) char *here = NULL;
	CLEANUP(cleanup_free) char *path = NULL;

	if (*adoption->selector == '/' || !means_paths(adoption->types))
		return line_add_word(command, line, adoption->selector);
	here = getcwd(NULL, 0);
	if (!here || asprintf(&path, "%s/%s", here, adoption->selector) < 0)
		return fault_set(&command->fault, here ? ENOMEM : errno, "the folder that you are in: %s",
			strerror(here ? ENOMEM : errno));
	return line_add_word(command, line, path);
}

static int add_flags(const struct adoption *adoption, struct buffer *line)
{
	static const struct {
		const char *option, *word;
	} flags[] = { { "dry-run", " dry_run" }, { "exact", " exact" }, { "force", " force" } };
	const char *assignment;
	int r = 0, position = 0;

	for (size_t i = 0; r == 0 && i < sizeof(flags) / sizeof(flags[0]); i++)
		if (command_flag(adoption->command, flags[i].option))
			r = buffer_append_text(line, flags[i].word);
	while (r == 0 && (assignment = command_next(adoption->command, "set", &position))) {
		if (!strchr(assignment, '=') || *assignment == '=')
			return fault_set(&adoption->command->fault, EINVAL,
				"--set %.200s: a property and its value, like root=/mnt", assignment);
		r = line_add_word(adoption->command, line, assignment);
	}
	return r;
}

static int start(struct adoption *adoption)
{
	struct command *command = adoption->command;
	CLEANUP(buffer_done) struct buffer line = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	int r = buffer_append_text(&line, "adopt");

	r = r < 0 ? r : line_add_word(command, &line, adoption->types);
	r = r < 0 ? r : add_selector(adoption, &line);
	r = r < 0 ? r : add_flags(adoption, &line);
	r = r < 0 ? r : stack_path(command, adoption->stack, "drift", &path);
	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	if (r < 0)
		return r;
	/* From here on an interrupt is meant for the run. */
	follow_catch_signals();
	r = client_write(&command->client, path, line.data, line.size, &command->fault, &adoption->run);
	if (r == 0 && !adoption->run)
		r = fault_set(&command->fault, EPROTO, "the daemon started no run");
	return r;
}

/* With --verbose the run is shown as that of sloth run is. */
static int follow(struct adoption *adoption)
{
	struct command *command = adoption->command;
	char path[64];
	int r;

	if (!command_flag(command, "verbose") || command->format != FORMAT_TEXT)
		return follow_silently(command, adoption->run, &adoption->summary);
	r = follow_run(command, adoption->run);
	if (r < 0)
		return r;
	putchar('\n');
	snprintf(path, sizeof(path), "/runs/%lld/summary.json", (long long)adoption->run);
	return tree_json(command, path, &adoption->summary);
}

static int run_artifact(
	const struct adoption *adoption, const char *file, struct fault *fault, struct buffer *content)
{
	char path[128];

	snprintf(path, sizeof(path), "/runs/%lld/artifacts/%s", (long long)adoption->run, file);
	return client_read(&adoption->command->client, path, fault, content);
}

/* Without it nothing was found, or the run did not get so far: its error tells. */
static int take_told(struct adoption *adoption)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct fault fault = { 0 };
	const char *error = print_text(adoption->summary, "error");

	if (run_artifact(adoption, "adopted.json", &fault, &text) == 0)
		adoption->told = json_loadb(buffer_text(&text), text.size, 0, NULL);
	if (adoption->told)
		return 0;
	return fault_set(&adoption->command->fault, ENOENT, "%s",
		*error	      ? error
		: *fault.text ? fault.text
			      : print_text(adoption->summary, "status"));
}

static json_int_t count(const struct adoption *adoption, const char *result)
{
	const json_t *one;
	json_int_t n = 0;
	size_t i;

	json_array_foreach (json_object_get(adoption->told, "resources"), i, one)
		n += !strcmp(print_text(one, "result"), result);
	return n;
}

static int check_file(struct adoption *adoption)
{
	struct stat st;

	if (!adoption->file || lstat(adoption->file, &st) < 0)
		return 0;
	return fault_set(&adoption->command->fault, EEXIST,
		"%s is there already, and is not written over: name another file", adoption->file);
}

static int write_file(struct adoption *adoption)
{
	struct fault *fault = &adoption->command->fault;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_fd) int fd = -1;
	int r = adoption->file ? run_artifact(adoption, "adopted.sloth", fault, &text) : 0;

	if (r < 0 || !adoption->file)
		return r;
	fd = open(adoption->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return fault_set(fault, errno, "%s: %s", adoption->file, strerror(errno));
	for (size_t at = 0; at < text.size;) {
		ssize_t n = write(fd, text.data + at, text.size - at);

		if (n < 0)
			return fault_set(fault, errno, "%s: %s", adoption->file, strerror(errno));
		at += (size_t)n;
	}
	return 0;
}

static int row(struct table *table, const json_t *one, const char *adopted)
{
	const char *result = print_text(one, "result");

	return table_row(
		table, (const char *[]){ print_text(one, "type"), print_text(one, "name"),
			       strcmp(result, "adopted") ? result : adopted, print_text(one, "reason") });
}

static int resource_row(struct table *table, const json_t *one)
{
	return row(table, one, "adopted");
}

/* Nothing was done yet. */
static int planned_row(struct table *table, const json_t *one)
{
	return row(table, one, "to adopt");
}

static void print_sum(const struct adoption *adoption)
{
	static const struct {
		const char *result, *text;
	} rows[] = { { "managed", "looked after already" }, { "elsewhere", "of other stacks" },
		{ "failed", "failed" } };
	json_int_t adopted = count(adoption, "adopted");
	const json_t *note;
	size_t i;

	printf("%s %lld resource%s", adoption->dry_run ? "Would adopt" : "Adopted", (long long)adopted,
		adopted == 1 ? "" : "s");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (count(adoption, rows[i].result))
			printf(", %lld %s", (long long)count(adoption, rows[i].result), rows[i].text);
	putchar('\n');
	json_array_foreach (json_object_get(adoption->told, "notes"), i, note) {
		fputs("Note: ", stdout);
		text_write_safe(stdout, json_string_value(note));
		putchar('\n');
	}
	if (adoption->file)
		printf("Written: %s\n", adoption->file);
}

static int print_told(struct adoption *adoption)
{
	static const struct column columns[] = { { "TYPE" }, { "NAME" }, { "RESULT" },
		{ "REASON", .shrinks = true }, { NULL } };
	const json_t *list = json_object_get(adoption->told, "resources");
	int r;

	if (adoption->command->format != FORMAT_TEXT)
		return print_value(adoption->command,
			json_pack("{sssIsOsOsO}", "stack", adoption->stack, "run", (json_int_t)adoption->run,
				"dry_run", json_object_get(adoption->told, "dry_run"), "notes",
				json_object_get(adoption->told, "notes"), "resources", list));
	if (command_flag(adoption->command, "quiet"))
		return 0;
	r = table_list(columns, list, adoption->dry_run ? planned_row : resource_row);
	if (r == 0)
		print_sum(adoption);
	return r;
}

static int exit_status(const struct adoption *adoption)
{
	if (count(adoption, "failed") || count(adoption, "elsewhere"))
		return 1;
	return adoption->dry_run && count(adoption, "adopted") ? 2 : 0;
}

int stack_adopt_run(struct command *command)
{
	CLEANUP(adoption_done)
	struct adoption adoption = { .command = command,
		.stack = command->operands[0],
		.types = command->operands[1],
		.selector = command->operands[2],
		.file = command_option(command, "write"),
		.dry_run = command_flag(command, "dry-run") };
	int r = check_file(&adoption);

	r = r < 0 ? r : start(&adoption);
	r = r < 0 ? r : follow(&adoption);
	r = r < 0 ? r : take_told(&adoption);
	r = r < 0 ? r : write_file(&adoption);
	r = r < 0 ? r : print_told(&adoption);
	return r < 0 ? r : exit_status(&adoption);
}
