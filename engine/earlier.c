/* SPDX-License-Identifier: MIT */
/* The workflow of an earlier run. */
#include "engine/earlier.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/drift-internal.h"
#include "engine/run.h"

enum { TEXT_MAX = 1 << 20 /* bytes: as of every file that is imported */ };

/* Those of lua/lib/provider.lua; a test compares both. */
static const char *const known[] = { "archive", "block", "command", "cron", "directory", "docker", "file",
	"git", "group", "http", "ini", "line", "mount", "output", "package", "port", "process", "service",
	"ssh_key", "stow", "symlink", "sysctl", "user" };

bool earlier_defines(const char *type)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i], type))
			return false;
	return true;
}

static json_t *values_of(struct engine *engine, int64_t run_id)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };

	if (run_text(engine, run_id, RUN_VALUES, &text) < 0 || !text.size)
		return NULL;
	return json_loadb(text.data, text.size, 0, NULL);
}

/* It stands beside what it imports. Without a folder it has imported nothing. */
static char *path_of(const struct run *run, const json_t *imports)
{
	const char *folder = json_string_value(json_object_get(imports, "directory"));
	char *path = NULL;
	int n = folder ? asprintf(&path, "%s/%s", folder, run->file)
		       : asprintf(&path, "/runs/%" PRId64 "/%s", run->id, run->file);

	return n < 0 ? NULL : path;
}

int earlier_read(
	struct engine *engine, int64_t run_id, json_t **ret_values, json_t **ret_imports, char **ret_path)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	json_auto_t *imports = run_imports(engine, run_id);
	json_t *files;
	struct run run;
	int r = run_get(engine, run_id, &run);

	if (r == 0)
		r = run_text(engine, run_id, RUN_WORKFLOW, &text);
	if (r < 0)
		return r;
	if (text.size && text.size <= TEXT_MAX)
		path = path_of(&run, imports);
	if (!json_is_object(imports)) {
		json_decref(imports);
		imports = json_object();
	}
	files = json_object_get(imports, "files");
	if (!json_is_object(files)) {
		files = json_object();
		json_object_set_new(imports, "files", files);
	}
	if (path && json_object_set_new(files, path, json_stringn(text.data, text.size)) < 0)
		return -ENOMEM;
	*ret_values = values_of(engine, run_id);
	*ret_imports = json_incref(imports);
	*ret_path = TAKE(path);
	return 0;
}

void earlier_write(int64_t run_id, const char *path, FILE *out)
{
	fprintf(out, "local earlier = workflow.earlier(%" PRId64, run_id);
	if (path) {
		fputs(", ", out);
		drift_write_string(path, out);
	}
	fputs(")\n", out);
}
