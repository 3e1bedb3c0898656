/* SPDX-License-Identifier: MIT */
/* backups/, and the files check and check.json. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/backup.h"
#include "engine/upkeep.h"
#include "fs/nodes/nodes.h"

static void errand_done(void *userdata, int result, const struct fault *fault)
{
	struct request *request = userdata;

	if (fault->code)
		request->fault = *fault;
	request_finish(request, result < 0 ? result : (ssize_t)request->size);
}

static void errand_taken_back(struct request *request)
{
	upkeep_forget(request->pending);
}

static int answer_later(struct view *view, int r, struct errand *errand)
{
	return r < 0 ? r : request_later(view->request, errand_taken_back, errand);
}

/* Not in tests of the tree alone, and for who can wait. */
static struct upkeep *upkeep_of(struct view *view)
{
	return view->request ? view->tree->upkeep : NULL;
}

/* A line without the blanks around it. */
static int line_text(struct view *view, const char *line, size_t size, char *ret_text, size_t room)
{
	while (size && (line[0] == ' ' || line[0] == '\t')) {
		line++;
		size--;
	}
	while (size && strchr(" \t\r", line[size - 1]))
		size--;
	if (size >= room || memchr(line, '\0', size))
		return fault_set(
			view->fault, EINVAL, "a line of text of at most %zu bytes is wanted", room - 1);
	memcpy(ret_text, line, size);
	ret_text[size] = '\0';
	return 0;
}

static int new_write(struct view *view, const char *line, size_t size)
{
	struct upkeep *upkeep = upkeep_of(view);
	char reason[BACKUP_REASON_MAX + 1];
	struct errand *errand;
	int r = line_text(view, line, size, reason, sizeof(reason));

	if (r < 0 || !upkeep)
		return r < 0 ? r : -ENOTSUP;
	r = upkeep_backup(upkeep, view->caller, reason, errand_done, view->request, view->fault, &errand);
	return answer_later(view, r, errand);
}

static int show_name(int64_t number, FILE *out)
{
	char name[BACKUP_NAME_SIZE];

	if (number)
		fprintf(out, "%s\n", backup_name(number, name));
	return 0;
}

static int new_show(struct view *view, FILE *out)
{
	return view->tree->upkeep ? show_name(upkeep_made(view->tree->upkeep), out) : 0;
}

static int verify_show(struct view *view, FILE *out)
{
	return view->tree->upkeep ? show_name(upkeep_verified(view->tree->upkeep), out) : 0;
}

/* Which backup a line names. */
static int line_number(struct view *view, const char *line, size_t size, int64_t *ret_number)
{
	char name[NAME_SIZE];
	json_auto_t *value = NULL;
	int64_t number;
	int r = line_text(view, line, size, name, sizeof(name));

	if (r < 0)
		return r;
	if (!strcmp(name, "latest"))
		number = backup_newest(view->engine->home);
	else if (backup_number(name, &number) < 0)
		number = 0;
	value = number ? backup_describe(view->engine->home, number) : NULL;
	if (!value)
		return fault_set(view->fault, ENOENT,
			"there is no backup \"%s\"; ls backups/ shows what there is", name);
	*ret_number = number;
	return 0;
}

/* What is done with the backup that a line names. */
typedef int upkeep_act(struct upkeep *upkeep, struct caller *caller, int64_t number, upkeep_done *done,
	void *userdata, struct fault *fault, struct errand **ret_errand);

static int named_write(struct view *view, const char *line, size_t size, upkeep_act *act)
{
	struct upkeep *upkeep = upkeep_of(view);
	struct errand *errand;
	int64_t number;
	int r = line_number(view, line, size, &number);

	if (r < 0 || !upkeep)
		return r < 0 ? r : -ENOTSUP;
	r = act(upkeep, view->caller, number, errand_done, view->request, view->fault, &errand);
	return answer_later(view, r, errand);
}

static int verify_write(struct view *view, const char *line, size_t size)
{
	return named_write(view, line, size, upkeep_verify);
}

static int restore_write(struct view *view, const char *line, size_t size)
{
	return named_write(view, line, size, upkeep_restore);
}

static int nothing_show(struct view *view, FILE *out)
{
	return 0;
}

struct listing {
	struct view *view;
	FILE *out;
	json_t *list;
};

static int add_backup(void *userdata, int64_t number)
{
	struct listing *listing = userdata;
	json_t *value = backup_describe(listing->view->engine->home, number);

	return value ? json_array_append_new(listing->list, value) : 0;
}

static int list_json_show(struct view *view, FILE *out)
{
	json_auto_t *list = json_array();
	struct listing listing = { view, out, list };
	int r = backup_each(view->engine->home, add_backup, &listing);

	return r < 0 ? r : show_json(out, list);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "-";
}

static int show_backup(void *userdata, int64_t number)
{
	struct listing *listing = userdata;
	json_auto_t *value = backup_describe(listing->view->engine->home, number);

	if (!value)
		return 0;
	fprintf(listing->out, "%s\t%lld\t%s\t%s\t", text_of(value, "name"),
		(long long)json_integer_value(json_object_get(value, "size")), text_of(value, "kind"),
		text_of(value, "user"));
	text_write_safe(listing->out, text_of(value, "reason"));
	fputc('\n', listing->out);
	return 0;
}

static int list_show(struct view *view, FILE *out)
{
	struct listing listing = { .view = view, .out = out };

	return backup_each(view->engine->home, show_backup, &listing);
}

/* The files themselves. */

static int file_open(struct view *view)
{
	CLEANUP(cleanup_free) char *path = backup_path(view->engine->home, view->id, ".db");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

	return fd < 0 ? (path ? -errno : -ENOMEM) : fd;
}

static int64_t file_size(struct view *view)
{
	CLEANUP(cleanup_fd) int fd = file_open(view);
	struct stat st;

	if (fd < 0)
		return fd;
	return fstat(fd, &st) < 0 ? -errno : (int64_t)st.st_size;
}

static ssize_t file_read(struct view *view, int64_t offset, char *ret_data, size_t size)
{
	CLEANUP(cleanup_fd) int fd = file_open(view);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, ret_data, size, offset);
	return n < 0 ? -errno : n;
}

static bool file_ended(struct view *view)
{
	return true;
}

static const struct stream file_stream = { file_size, file_read, file_ended };

static int object_backup(struct view *view, struct object *ret_object)
{
	CLEANUP(cleanup_free) char *path = backup_path(view->engine->home, view->id, ".db");
	struct stat st;

	if (!path || stat(path, &st) < 0)
		return path ? -errno : -ENOMEM;
	*ret_object = (struct object){ view->tree->uid, view->tree->gid, 0700, (int64_t)st.st_mtime * 1000 };
	return 0;
}

static int file_find(struct view *folder, const char *name, int64_t *ret_id)
{
	size_t n = strlen(name);
	json_auto_t *value = NULL;
	int64_t number;

	if (n < 3 || strcmp(name + n - 3, ".db") || backup_number(name, &number) < 0)
		return -ENOENT;
	value = backup_describe(folder->engine->home, number);
	if (!value)
		return -ENOENT;
	*ret_id = number;
	return 0;
}

static int emit_backup(void *userdata, int64_t number)
{
	struct emitter *emitter = userdata;
	char name[BACKUP_NAME_SIZE];

	return emitter->emit(emitter->userdata, backup_name(number, name), number);
}

static int file_each(struct view *folder, node_emit *emit, void *userdata)
{
	return backup_each(folder->engine->home, emit_backup, &(struct emitter){ emit, userdata });
}

static int file_remove(struct view *view)
{
	return view->tree->upkeep ? upkeep_remove(view->tree->upkeep, view->caller, view->id, view->fault)
				  : -ENOTSUP;
}

static int latest_find(struct view *folder, const char *name, int64_t *ret_id)
{
	if (strcmp(name, "latest") || !backup_newest(folder->engine->home))
		return -ENOENT;
	*ret_id = 0;
	return 0;
}

static int latest_each(struct view *folder, node_emit *emit, void *userdata)
{
	return backup_newest(folder->engine->home) ? emit(userdata, "latest", 0) : 0;
}

static int latest_show(struct view *view, FILE *out)
{
	int64_t number = backup_newest(view->engine->home);
	char name[BACKUP_NAME_SIZE];

	if (!number)
		return -ENOENT;
	fputs(backup_name(number, name), out);
	return 0;
}

/* clang-format off */
static const struct entry backups_entries[] = {
	{ .name = "new", .help = "write a reason: makes a backup", .kind = KIND_CONTROL, .mode = 0600,
	  .fleeting = true, .object = object_system, .show = new_show, .write = new_write },
	{ .name = "verify", .help = "write a backup's name: verifies it", .kind = KIND_CONTROL, .mode = 0600,
	  .fleeting = true, .object = object_system, .show = verify_show, .write = verify_write },
	{ .name = "restore", .help = "write a backup's name: it takes the database's place", .kind = KIND_CONTROL,
	  .mode = 0600, .fleeting = true, .object = object_system, .show = nothing_show, .write = restore_write },
	{ .name = "list", .help = "a line a backup: name, size, kind, user, reason", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .object = object_system, .show = list_show },
	{ .name = "list.json", .help = "the same as JSON, with hashes", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .object = object_system, .show = list_json_show },
	{ .help = "a backup", .kind = KIND_STREAM, .mode = 0400, .fleeting = true, .object = object_backup,
	  .stream = &file_stream, .find = file_find, .each = file_each, .remove = file_remove },
	{ .help = "latest: the newest backup", .kind = KIND_LINK, .mode = 0777, .fleeting = true,
	  .object = object_system, .show = latest_show, .find = latest_find, .each = latest_each },
};
/* clang-format on */

const struct directory backups_directory = DIRECTORY(backups_entries);

/* check */

static const struct {
	const char *word;
	bool deep;
} depths[] = {
	{ "quick", false },
	{ "deep", true },
};

int check_write(struct view *view, const char *line, size_t size)
{
	struct upkeep *upkeep = upkeep_of(view);
	struct errand *errand;
	char word[32];
	int r = line_text(view, line, size, word, sizeof(word));

	if (r < 0 || !upkeep)
		return r < 0 ? r : -ENOTSUP;
	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++)
		if (!strcmp(depths[i].word, word)) {
			r = upkeep_check(upkeep, view->caller, depths[i].deep, errand_done, view->request,
				view->fault, &errand);
			return answer_later(view, r, errand);
		}
	return fault_set(view->fault, EINVAL, "\"%s\" is no check: quick, deep", word);
}

/* A line a check, and below it what it found. */
int check_show(struct view *view, FILE *out)
{
	const json_t *report = view->tree->upkeep ? upkeep_report(view->tree->upkeep) : NULL;
	json_t *check, *found;
	size_t i, j;

	if (!report) {
		fputs("not checked yet: echo quick > check, or echo deep > check\n", out);
		return 0;
	}
	fprintf(out, "%s, %s, %s\n", json_is_true(json_object_get(report, "ok")) ? "ok" : "damaged",
		json_is_true(json_object_get(report, "deep")) ? "deep" : "quick", text_of(report, "time"));
	json_array_foreach (json_object_get(report, "checks"), i, check) {
		fprintf(out, "%s: %s\n", text_of(check, "check"),
			json_is_true(json_object_get(check, "ok")) ? "ok" : "damaged");
		json_array_foreach (json_object_get(check, "found"), j, found) {
			fputs("  ", out);
			text_write_safe(out, json_string_value(found));
			fputc('\n', out);
		}
	}
	return 0;
}

int check_json_show(struct view *view, FILE *out)
{
	json_t *report = view->tree->upkeep ? upkeep_report(view->tree->upkeep) : NULL;

	return report ? show_json(out, report) : (fputs("null\n", out), 0);
}
