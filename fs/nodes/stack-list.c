/* SPDX-License-Identifier: MIT */
/*
 * stacks.json, and a stack's status.json: what there is to say of a stack in one JSON object. The list is
 * written as its rows are read, because there may be thousands, and the last one is kept for who asks for its
 * size first, then for its bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/run.h"
#include "engine/stack.h"
#include "fs/nodes/nodes.h"

/* Columns of SQL_STACK_LIST. */
enum {
	ID,
	NAME,
	OWNER,
	GROUP,
	MODE,
	STATUS,
	CREATED,
	UPDATED,
	TOKEN,
	RUNS,
	DESCRIPTION,
	VERSION,
	RUN,
	RUN_STATUS,
	RUN_FILE,
	RUN_STARTED,
	RUN_FINISHED
};

/* Words of stacks, in the order of the list; of one stack alone without an order. */
struct tags {
	struct query *query;
	bool at_row;
};

static void write_string(FILE *out, const char *text, size_t size)
{
	json_auto_t *value = json_stringn(text, size);

	/* What is no UTF-8 is no description that somebody could read. */
	if (!value || json_dumpf(value, out, JSON_ENCODE_ANY) < 0)
		fputs("\"\"", out);
}

static void write_time(FILE *out, const char *key, int64_t ms)
{
	char text[32];

	if (ms)
		fprintf(out, "\"%s\":\"%s\"", key, time_format(ms, text));
	else
		fprintf(out, "\"%s\":null", key);
}

/* The line of a text, which may end with newlines. */
static void write_line(FILE *out, const char *key, struct query *query, int column)
{
	const char *text = query_null(query, column) ? "" : query_text(query, column);
	size_t size = strlen(text);

	while (size && text[size - 1] == '\n')
		size--;
	fprintf(out, "\"%s\":", key);
	write_string(out, text, size);
}

static void write_run(FILE *out, struct query *query)
{
	int64_t started = query_int(query, RUN_STARTED), finished = query_int(query, RUN_FINISHED);

	if (query_null(query, RUN)) {
		fputs("\"last_run\":null", out);
		return;
	}
	fputs("\"last_run\":{\"duration_ms\":", out);
	if (started && finished)
		fprintf(out, "%" PRId64 ",\"file\":", finished - started);
	else
		fputs("null,\"file\":", out);
	write_string(out, query_text(query, RUN_FILE), strlen(query_text(query, RUN_FILE)));
	fputc(',', out);
	write_time(out, "finished", finished);
	fprintf(out, ",\"id\":%" PRId64 ",", query_int(query, RUN));
	write_time(out, "started", started);
	fprintf(out, ",\"status\":\"%s\"}", query_text(query, RUN_STATUS));
}

static int next_tag(struct tags *tags)
{
	int r = query_step(tags->query);

	tags->at_row = r > 0;
	return r;
}

static int write_tags(FILE *out, struct tags *tags, int64_t stack_id)
{
	const char *between = "";
	int r = 0;

	fputs("\"tags\":[", out);
	for (; r >= 0 && tags->at_row && query_int(tags->query, 0) == stack_id; between = ",") {
		fprintf(out, "%s\"%s\"", between, query_text(tags->query, 1));
		r = next_tag(tags);
	}
	fputc(']', out);
	return r < 0 ? r : 0;
}

/* Keys in their order. */
static int write_stack(FILE *out, struct query *query, struct tags *tags)
{
	char owner[128];
	int r;

	fputc('{', out);
	write_time(out, "created", query_int(query, CREATED));
	fputc(',', out);
	write_line(out, "description", query, DESCRIPTION);
	fprintf(out, ",\"gid\":%" PRId64 ",", query_int(query, GROUP));
	write_run(out, query);
	fprintf(out, ",\"mode\":\"%04o\",\"name\":\"%s\",\"owner\":", (unsigned)query_int(query, MODE),
		query_text(query, NAME));
	caller_user_name((uid_t)query_int(query, OWNER), owner, sizeof(owner));
	write_string(out, owner, strlen(owner));
	fprintf(out, ",\"runs\":%" PRId64 ",\"status\":\"%s\",", query_int(query, RUNS),
		query_text(query, STATUS));
	r = write_tags(out, tags, query_int(query, ID));
	fprintf(out, ",\"token\":%" PRId64 ",\"uid\":%" PRId64 ",", query_int(query, TOKEN),
		query_int(query, OWNER));
	write_time(out, "updated", query_int(query, UPDATED));
	fputc(',', out);
	write_line(out, "version", query, VERSION);
	fputc('}', out);
	return r;
}

/* One. */

int stack_status_json_show(struct view *view, FILE *out)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(view->engine->store, SQL_STACK_LIST_ONE, "i", view->id);
	CLEANUP(query_endp)
	struct query *tag_query = query_begin(view->engine->store, SQL_STACK_LIST_TAGS_OF, "i", view->id);
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct tags tags = { .query = tag_query };
	json_auto_t *value = NULL;
	FILE *line;
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	line = buffer_stream_open(&text);
	if (!line)
		return -ENOMEM;
	r = next_tag(&tags);
	r = r < 0 ? r : write_stack(line, query, &tags);
	if (buffer_stream_close(line, &text) < 0)
		return -ENOMEM;
	if (r == 0)
		value = json_loadb(text.data, text.size, 0, NULL);
	return r < 0 ? r : value ? show_json(out, value) : -ENOMEM;
}

/* All. */

/* What stands in the list of one stack. */
struct line {
	int64_t id;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool stale;
	size_t size;
	char *text; /* malloc'ed */
};

struct stack_list {
	struct line *lines; /* by name */
	struct line **by_id;
	size_t count, stale;
	bool known;
};

enum { ROOM = 64 /* of lines, at first */ };

static void forget(struct stack_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->lines[i].text);
	free(list->lines);
	free(list->by_id);
	*list = (struct stack_list){ 0 };
}

void stack_list_free(struct stack_list *list)
{
	if (list)
		forget(list);
	free(list);
}

/* The row becomes the line, whose text is its own then. */
static int line_make(struct line *line, struct query *query, struct tags *tags)
{
	struct line made = { .id = query_int(query, ID),
		.uid = (uid_t)query_int(query, OWNER),
		.gid = (gid_t)query_int(query, GROUP),
		.mode = (mode_t)query_int(query, MODE) };
	FILE *out = open_memstream(&made.text, &made.size);
	int r = out ? write_stack(out, query, tags) : -ENOMEM;

	if (out && fclose(out) != 0)
		r = -ENOMEM;
	if (r < 0) {
		free(made.text);
		return r;
	}
	free(line->text);
	*line = made;
	return 0;
}

static int add_line(struct stack_list *list, struct query *query, struct tags *tags)
{
	int r;

	/* A power of two: it is full. */
	if (list->count == 0 || (list->count >= ROOM && (list->count & (list->count - 1)) == 0)) {
		size_t room = list->count ? 2 * list->count : ROOM;
		struct line *lines = realloc(list->lines, room * sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		list->lines = lines;
	}
	list->lines[list->count] = (struct line){ 0 };
	r = line_make(&list->lines[list->count], query, tags);
	list->count += r == 0;
	return r;
}

static int compare_ids(const void *a, const void *b)
{
	const struct line *x = *(struct line *const *)a, *y = *(struct line *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int sort_ids(struct stack_list *list)
{
	list->by_id = calloc(list->count + 1, sizeof(struct line *));
	if (!list->by_id)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		list->by_id[i] = &list->lines[i];
	qsort(list->by_id, list->count, sizeof(struct line *), compare_ids);
	return 0;
}

static int read_all(struct stack_list *list, struct store *store)
{
	CLEANUP(query_endp) struct query *query = query_begin(store, SQL_STACK_LIST, "");
	CLEANUP(query_endp) struct query *tag_query = query_begin(store, SQL_STACK_LIST_TAGS, "");
	struct tags tags = { .query = tag_query };
	int r;

	forget(list);
	r = next_tag(&tags);
	while (r >= 0 && (r = query_step(query)) > 0)
		r = add_line(list, query, &tags);
	if (r == 0)
		r = sort_ids(list);
	list->known = r == 0;
	if (r < 0)
		forget(list);
	return r;
}

/* 1, or 0: there is no such stack any more. */
static int read_one(struct line *line, struct store *store)
{
	CLEANUP(query_endp) struct query *query = query_begin(store, SQL_STACK_LIST_ONE, "i", line->id);
	CLEANUP(query_endp)
	struct query *tag_query = query_begin(store, SQL_STACK_LIST_TAGS_OF, "i", line->id);
	struct tags tags = { .query = tag_query };
	int r = query_step(query);

	if (r > 0)
		r = next_tag(&tags) < 0 ? -EIO : 1;
	if (r > 0)
		r = line_make(line, query, &tags);
	else
		return r;
	return r < 0 ? r : 1;
}

static int refresh(struct stack_list *list, struct store *store)
{
	int r = 1;

	if (!list->known || list->stale > list->count / 4)
		return read_all(list, store);
	for (size_t i = 0; list->stale && i < list->count; i++) {
		if (!list->lines[i].stale)
			continue;
		r = read_one(&list->lines[i], store);
		if (r <= 0)
			return r < 0 ? r : read_all(list, store);
		list->stale--;
	}
	return 0;
}

void stack_list_changed(struct stack_list *list, const struct change *change)
{
	struct line wanted = { .id = change->id }, *key = &wanted, **found;

	if (!list || !list->known)
		return;
	if (change->subject == SUBJECT_SYSTEM && (change->aspects & ASPECT_NAMES))
		list->known = false;
	if (change->subject != SUBJECT_STACK || !(change->aspects & ~(ASPECT_EVENTS | ASPECT_LOG)))
		return;
	found = bsearch(&key, list->by_id, list->count, sizeof(struct line *), compare_ids);
	if (found && !(*found)->stale) {
		(*found)->stale = true;
		list->stale++;
	}
}

/* As it is on disk, or will be when this turn is. */
static int get_list(struct view *view, struct stack_list **ret_list)
{
	const struct engine *engine = view->engine;
	struct tree *tree = view->tree;

	if (!tree->stack_list)
		tree->stack_list = calloc(1, sizeof(*tree->stack_list));
	if (!tree->stack_list)
		return -ENOMEM;
	/* What was changed in this turn is told at its end only. */
	for (size_t i = 0; i < engine->change_count; i++)
		stack_list_changed(tree->stack_list, &engine->changes[i]);
	*ret_list = tree->stack_list;
	return refresh(tree->stack_list, view->engine->store);
}

/* Whoever may enter the stack's folder, and read there. */
static bool is_shown(struct view *view, const struct line *line)
{
	return caller_access(view->caller, line->uid, line->gid, line->mode, MAY_READ | MAY_EXECUTE) == 0;
}

static const char begin[] = "[", between[] = ",\n", end[] = "\n]\n";

int64_t stacks_json_size(struct view *view)
{
	size_t size = strlen(begin) + strlen(end), count = 0;
	struct stack_list *list;
	int r = get_list(view, &list);

	for (size_t i = 0; r == 0 && i < list->count; i++)
		if (is_shown(view, &list->lines[i]))
			size += list->lines[i].size + (count++ ? strlen(between) : 1);
	return r < 0 ? r : (int64_t)size;
}

int stacks_json_show(struct view *view, FILE *out)
{
	const char *before = "\n";
	struct stack_list *list;
	int r = get_list(view, &list);

	if (r < 0)
		return r;
	fputs(begin, out);
	for (size_t i = 0; i < list->count; i++) {
		const struct line *line = &list->lines[i];

		if (!is_shown(view, line))
			continue;
		fputs(before, out);
		fwrite(line->text, 1, line->size, out);
		before = between;
	}
	fputs(end, out);
	return 0;
}
