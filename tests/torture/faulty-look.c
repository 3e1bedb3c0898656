/* SPDX-License-Identifier: MIT */
#include "tests/torture/faulty-look.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { DEPTH_MAX = 8, SEVERAL = 5 };

/* Digits that stand together in such numbers are a time or a hash. */
static void print_text(FILE *out, const char *text, bool loosely)
{
	if (!loosely) {
		fputs(text, out);
		return;
	}
	while (*text) {
		size_t n = strspn(text, "0123456789abcdefTZ:.-");

		if (!strncmp(text, "seal", 4)) {
			fputs("sealed", out);
			text += strcspn(text, " ");
			continue;
		}
		if (n >= SEVERAL && strcspn(text, "0123456789") < n)
			fputc('#', out);
		else
			fwrite(text, 1, n ? n : 1, out);
		text += n ? n : 1;
	}
}

static void print_value(FILE *out, sqlite3_stmt *stmt, int column, bool loosely)
{
	const unsigned char *data = sqlite3_column_blob(stmt, column);
	int size = sqlite3_column_bytes(stmt, column);

	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_BLOB:
		for (int i = 0; !loosely && i < size; i++)
			fprintf(out, "%02x", data[i]);
		break;
	case SQLITE_NULL:
		fputs("NULL", out);
		break;
	default:
		print_text(out, (const char *)sqlite3_column_text(stmt, column), loosely);
	}
}

static void print_table(FILE *out, sqlite3 *db, const char *table, bool loosely)
{
	char sql[256];
	sqlite3_stmt *stmt;

	snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\" ORDER BY 1, 2", table);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
		snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\"", table);
		must(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	}
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		fprintf(out, "%s:", table);
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			fprintf(out, " %s=", sqlite3_column_name(stmt, i));
			/* Whether there is a time. */
			if (loosely && strstr(sqlite3_column_name(stmt, i), "_ms"))
				fputs(sqlite3_column_int64(stmt, i) ? "T" : "0", out);
			else
				print_value(out, stmt, i, loosely);
		}
		fputc('\n', out);
	}
	sqlite3_finalize(stmt);
}

static void print_database(FILE *out, const char *path, bool loosely)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;

	must(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	must(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", -1,
		     &stmt, NULL) == SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		print_table(out, db, (const char *)sqlite3_column_text(stmt, 0), loosely);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

/* SQLite's own files come and go, and a folder without files is no harm; what is prepared in `restore` is
 * removed when it is prepared again. */
static void print_files(FILE *out, const char *folder, bool loosely, int depth)
{
	struct dirent **entries;
	int count = depth < DEPTH_MAX ? scandir(folder, &entries, NULL, alphasort) : 0;

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", folder, name);
		if (entries[i]->d_type == DT_DIR && *name != '.' && strcmp(name, "restore") != 0) {
			print_files(out, path, loosely, depth + 1);
		} else if (entries[i]->d_type != DT_DIR && strncmp(name, "sloth.db-wal", 12) != 0 &&
			   strncmp(name, "sloth.db-shm", 12) != 0 &&
			   strncmp(name, "sloth.db-lock", 13) != 0) {
			fprintf(out, "file %s ", depth ? strrchr(folder, '/') : "");
			print_text(out, name, loosely);
			fputc('\n', out);
		}
		free(entries[i]);
	}
	if (count > 0)
		free(entries);
}

char *look_at_home(struct play *play, bool loosely)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	must(out);
	print_database(out, play->home.database, loosely);
	print_files(out, play->home.path, loosely, 0);
	must(fclose(out) == 0);
	return text;
}

/* What says something else each time it is read, changes something, or waits. */
static bool left_out(const char *name, enum kind kind)
{
	static const char *const names[] = { "metrics", "metrics.json", "error", "at", "health", "duration",
		"secrets", "lock.json", "lock", "ctl", "ctl.json", "locks", "compare" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return true;
	return kind == KIND_WAIT;
}

struct walk {
	struct play *play;
	FILE *out;
	int depth;
};

static void print_folder(struct walk *walk, const char *path, uint64_t number);

struct entry_seen {
	char name[256];
	uint64_t number;
	enum kind kind;
};

struct seen {
	struct entry_seen *rows;
	size_t count;
};

static int see(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	struct seen *seen = userdata;
	void *rows = realloc(seen->rows, (seen->count + 1) * sizeof(*seen->rows));

	must(rows);
	seen->rows = rows;
	snprintf(seen->rows[seen->count].name, sizeof(seen->rows[0].name), "%s", name);
	seen->rows[seen->count].number = child;
	seen->rows[seen->count++].kind = kind;
	return 0;
}

static void print_entry(struct walk *walk, const char *path, enum kind kind, uint64_t number)
{
	struct operation operation = { "", ACT_READ, 0, path };
	int r;

	fprintf(walk->out, "%s ", path);
	if (kind == KIND_DIRECTORY) {
		fputs("/\n", walk->out);
		print_folder(walk, path, number);
		return;
	}
	r = play_do(walk->play, &operation);
	if (r < 0)
		fprintf(walk->out, "(%s)", strerror(-r));
	for (size_t i = 0; r == 0 && i < walk->play->text.size; i++)
		fputc(walk->play->text.data[i] == '\n' ? '|' : walk->play->text.data[i], walk->out);
	fputc('\n', walk->out);
}

static void print_folder(struct walk *walk, const char *path, uint64_t number)
{
	struct request request = { .tree = walk->play->home.tree,
		.caller = { .pid = getpid(), .groups_known = true } };
	struct seen seen = { 0 };

	if (walk->depth >= DEPTH_MAX)
		return;
	walk->depth++;
	must(tree_list(walk->play->home.tree, &request, number, see, &seen) == 0);
	for (size_t i = 0; i < seen.count; i++) {
		char child[1024];

		snprintf(child, sizeof(child), "%s/%s", path, seen.rows[i].name);
		if (!left_out(seen.rows[i].name, seen.rows[i].kind))
			print_entry(walk, child, seen.rows[i].kind, seen.rows[i].number);
	}
	free(seen.rows);
	caller_done(&request.caller);
	walk->depth--;
}

char *look_at_tree(struct play *play)
{
	char *text = NULL;
	size_t size;
	struct walk walk = { play, open_memstream(&text, &size), 0 };

	must(walk.out);
	if (play->home.tree)
		print_folder(&walk, "", NODE_ROOT);
	must(fclose(walk.out) == 0);
	return text;
}

const char *look_differs(const char *before, const char *after)
{
	static char text[2048];

	if (!strcmp(before, after))
		return NULL;
	while (*before && *after) {
		size_t a = strcspn(before, "\n"), b = strcspn(after, "\n");

		if (a != b || memcmp(before, after, a) != 0)
			break;
		before += a + (before[a] == '\n');
		after += b + (after[b] == '\n');
	}
	snprintf(text, sizeof(text), "\n  - %.*s\n  + %.*s", (int)strcspn(before, "\n"), before,
		(int)strcspn(after, "\n"), after);
	return text;
}
