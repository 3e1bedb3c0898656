/* SPDX-License-Identifier: MIT */
/*
 * runs/ID/artifacts/ and tasks/NAME/artifacts/: what tasks have kept, as folders and files. A folder is no
 * row of the store: it is named by the first artifact in it and by how many parts of that one's path lead to
 * it.
 */
#include <errno.h>
#include <string.h>

#include "engine/artifact.h"
#include "fs/nodes/nodes.h"

/* What a folder shows. */
struct place {
	int64_t run_id, task_id;	/* task 0: of all tasks */
	char prefix[ARTIFACT_PATH_MAX]; /* "" or "out/" */
};

static bool of_task(const struct view *folder)
{
	const struct directory *directory = node_entry(folder->node)->directory;

	return directory == &task_artifacts_directory || directory == &task_artifact_folder;
}

static bool is_top(const struct view *folder)
{
	const struct directory *directory = node_entry(folder->node)->directory;

	return directory == &task_artifacts_directory || directory == &run_artifacts_directory;
}

static int top_place(struct view *folder, struct place *ret_place)
{
	struct task task;
	int r;

	*ret_place = (struct place){ .run_id = folder->id };
	if (!of_task(folder))
		return 0;
	r = task_get(folder->engine, folder->id, &task);
	ret_place->run_id = task.run_id;
	ret_place->task_id = task.id;
	return r;
}

/* The first `depth` parts of a path, with the slash behind them. */
static int path_prefix(const char *path, unsigned depth, char ret_prefix[ARTIFACT_PATH_MAX])
{
	const char *p = path;

	for (; depth && p; depth--) {
		p = strchr(p, '/');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return -ENOENT;
	snprintf(ret_prefix, ARTIFACT_PATH_MAX, "%.*s", (int)(p - path), path);
	return 0;
}

static int place_of(struct view *folder, struct place *ret_place)
{
	struct artifact artifact;
	int r;

	if (is_top(folder))
		return top_place(folder, ret_place);
	r = artifact_get(folder->engine, node_packed_id(folder->id), &artifact);
	if (r < 0)
		return r;
	*ret_place = (struct place){ artifact.run_id, of_task(folder) ? artifact.task_id : 0, "" };
	return path_prefix(artifact.path, node_packed_part(folder->id), ret_place->prefix);
}

static unsigned depth_of(const char *prefix)
{
	unsigned depth = 0;

	for (; *prefix; prefix++)
		depth += *prefix == '/';
	return depth;
}

static int file_find(struct view *folder, const char *name, int64_t *ret_id)
{
	char path[ARTIFACT_PATH_MAX];
	struct artifact artifact;
	struct place place;
	int r = place_of(folder, &place);

	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s%s", place.prefix, name) >= (int)sizeof(path))
		return -ENOENT;
	r = artifact_find(folder->engine, place.run_id, place.task_id, path, &artifact);
	if (r == 0)
		*ret_id = artifact.id;
	return r;
}

static int first_id(void *userdata, const struct artifact *artifact)
{
	*(int64_t *)userdata = artifact->id;
	return 1;
}

static int folder_find(struct view *folder, const char *name, int64_t *ret_id)
{
	char prefix[ARTIFACT_PATH_MAX];
	struct place place;
	int64_t id = 0;
	int r = place_of(folder, &place);

	if (r < 0)
		return r;
	if (snprintf(prefix, sizeof(prefix), "%s%s/", place.prefix, name) >= (int)sizeof(prefix))
		return -ENOENT;
	r = artifact_each(folder->engine, place.run_id, place.task_id, prefix, first_id, &id);
	if (r < 0 || !id)
		return r < 0 ? r : -ENOENT;
	*ret_id = node_pack(id, depth_of(prefix));
	return 0;
}

/* Rows come by path, so that what is in one folder stands together. */
struct listing {
	struct emitter emitter;
	size_t skip; /* bytes of the prefix */
	unsigned depth;
	bool folders;
	char last[ARTIFACT_PATH_MAX]; /* folder that was given */
};

static int list_one(void *userdata, const struct artifact *artifact)
{
	struct listing *listing = userdata;
	const char *name = artifact->path + listing->skip, *slash = strchr(name, '/');
	char folder[ARTIFACT_PATH_MAX];

	if (!slash != !listing->folders)
		return 0;
	if (!slash)
		return listing->emitter.emit(listing->emitter.userdata, name, artifact->id);
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name), name);
	if (!strcmp(folder, listing->last))
		return 0;
	strcpy(listing->last, folder);
	return listing->emitter.emit(
		listing->emitter.userdata, folder, node_pack(artifact->id, listing->depth + 1));
}

static int list(struct view *folder, bool folders, node_emit *emit, void *userdata)
{
	struct listing listing = { .emitter = { emit, userdata }, .folders = folders };
	struct place place;
	int r = place_of(folder, &place);

	if (r < 0)
		return r;
	listing.skip = strlen(place.prefix);
	listing.depth = depth_of(place.prefix);
	return artifact_each(folder->engine, place.run_id, place.task_id, place.prefix, list_one, &listing);
}

static int file_each(struct view *folder, node_emit *emit, void *userdata)
{
	return list(folder, false, emit, userdata);
}

static int folder_each(struct view *folder, node_emit *emit, void *userdata)
{
	return list(folder, true, emit, userdata);
}

static int object_of(struct view *view, int64_t id, mode_t *ret_mode, struct object *ret_object)
{
	struct view of = *view;
	struct artifact artifact;
	int r = artifact_get(view->engine, id, &artifact);

	if (r < 0)
		return r;
	of.id = artifact.run_id;
	r = object_run(&of, ret_object);
	ret_object->mtime_ms = artifact.kept_ms;
	*ret_mode = artifact.mode;
	return r;
}

/* As private as the stack, and as the file was. */
static int object_file(struct view *view, struct object *ret_object)
{
	mode_t mode;
	int r = object_of(view, view->id, &mode, ret_object);

	if (r == 0)
		ret_object->mode &= mode;
	return r;
}

static int object_folder(struct view *view, struct object *ret_object)
{
	mode_t mode;

	return object_of(view, node_packed_id(view->id), &mode, ret_object);
}

static int64_t file_size(struct view *view)
{
	struct artifact artifact;
	int r = artifact_get(view->engine, view->id, &artifact);

	return r < 0 ? r : artifact.size;
}

static ssize_t file_read(struct view *view, int64_t offset, char *data, size_t size)
{
	struct artifact artifact;
	int r = artifact_get(view->engine, view->id, &artifact);

	return r < 0 ? r : artifact_read(view->engine, &artifact, offset, data, size);
}

static bool file_ended(struct view *view)
{
	return true;
}

static const struct stream file_stream = { file_size, file_read, file_ended };

/* clang-format off */
#define FILE_ROW                                                                                                  \
	{ .help = "a file that a task has kept", .kind = KIND_STREAM, .mode = 0555, .subject = SUBJECT_TASK,      \
	  .object = object_file, .stream = &file_stream, .find = file_find, .each = file_each }

#define FOLDER_ROW(of)                                                                                            \
	{ .help = "a folder of what tasks have kept", .kind = KIND_DIRECTORY, .mode = 0555, .fleeting = true,     \
	  .subject = SUBJECT_TASK, .directory = &(of), .object = object_folder, .find = folder_find,              \
	  .each = folder_each }

static const struct entry run_entries[] = { FILE_ROW, FOLDER_ROW(run_artifact_folder) };
static const struct entry task_entries[] = { FILE_ROW, FOLDER_ROW(task_artifact_folder) };
/* clang-format on */

/* The tops and what is below them show the same; the tables tell whose they are. */
const struct directory run_artifacts_directory = DIRECTORY(run_entries);
const struct directory run_artifact_folder = DIRECTORY(run_entries);
const struct directory task_artifacts_directory = DIRECTORY(task_entries);
const struct directory task_artifact_folder = DIRECTORY(task_entries);
