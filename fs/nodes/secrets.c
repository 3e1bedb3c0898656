/* SPDX-License-Identifier: MIT */
/* secrets/NAME, and `keys`, which says what they are sealed with. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/keyring.h"
#include "engine/seal.h"
#include "engine/secret.h"
#include "fs/nodes/nodes.h"

static int secret_object(struct view *view, struct object *ret_object)
{
	struct secret secret;
	int r = secret_get(view->engine, view->id, &secret);

	if (r == 0)
		*ret_object = (struct object){ secret.uid, secret.gid, 0700, secret.updated_ms };
	return r;
}

static int secret_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	struct secret secret;
	int r = name_check(name) == 0 ? secret_find(folder->engine, name, &secret) : -ENOENT;

	if (r == 0)
		*ret_id = secret.id;
	return r;
}

static int emit_secret(void *userdata, const struct secret *secret)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, secret->name, secret->id);
}

static int secret_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	return secret_each(folder->engine, emit_secret, &(struct emitter){ emit, userdata });
}

static int secret_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_wipe) struct buffer value = { 0 };
	int r = secret_value(view->engine, view->caller, view->id, view->fault, &value);

	if (r == 0 && value.size)
		fwrite(value.data, 1, value.size, out);
	return r;
}

static int secret_opened(struct view *view, bool reads)
{
	int r = reads ? secret_note_read(view->engine, view->caller, view->id, 0, NULL) : 0;

	return r < 0 ? r : 1;
}

static int secret_commit(struct view *view, const char *content, size_t size)
{
	struct secret secret;
	int r = secret_get(view->engine, view->id, &secret);

	return r < 0 ? r
		     : secret_set(view->engine, view->caller, secret.name, content, size, view->fault, NULL);
}

static int secret_put(
	struct view *folder, const char *name, const char *content, size_t size, int64_t *ret_id)
{
	return secret_set(folder->engine, folder->caller, name, content, size, folder->fault, ret_id);
}

static int secret_remove(struct view *view)
{
	return secret_delete(view->engine, view->caller, view->id, view->fault);
}

static int secret_rename_node(struct view *view, const char *name)
{
	return secret_rename(view->engine, view->caller, view->id, name, view->fault);
}

/* Its mode is 0600. `install` and `cp -p` may say so; nobody may widen it. */
static int secret_chmod(struct view *view, mode_t mode)
{
	struct secret secret;
	int r = secret_get(view->engine, view->id, &secret);

	if (r < 0)
		return r;
	if (!caller_owns(view->caller, secret.uid))
		return -EPERM;
	return mode & 077 ? fault_set(view->fault, EPERM, "a secret is its owner's alone: its mode is 0600")
			  : 0;
}

static int secret_chown_node(struct view *view, uid_t uid, gid_t gid)
{
	return secret_chown(view->engine, view->caller, view->id, uid, gid);
}

/* clang-format off */
static const struct entry secrets_entries[] = {
	{ .help = "a secret", .kind = KIND_DOCUMENT, .mode = 0600, .subject = SUBJECT_SECRET,
	  .aspects = ASPECT_META, .object = secret_object, .show = secret_show, .opened = secret_opened,
	  .commit = secret_commit, .remove = secret_remove, .rename = secret_rename_node, .chmod = secret_chmod,
	  .chown = secret_chown_node, .find = secret_find_node, .each = secret_each_node, .put = secret_put },
};
/* clang-format on */

const struct directory secrets_directory = DIRECTORY(secrets_entries);

/* The file `keys`. */

int keys_show(struct view *view, FILE *out)
{
	keyring_show(view->engine->keys, out);
	return 0;
}

int keys_write(struct view *view, const char *line, size_t size)
{
	static const struct {
		const char *words;
		bool to_file;
	} commands[] = { { "rotate", false }, { "rotate file", true } };

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (size == strlen(commands[i].words) && !memcmp(line, commands[i].words, size))
			return keyring_rotate(
				view->engine->keys, view->caller, commands[i].to_file, view->fault);
	return fault_set(view->fault, EINVAL, "the commands of this file are `rotate` and `rotate file`");
}
