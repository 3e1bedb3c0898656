/* SPDX-License-Identifier: MIT */
/* The kernel's requests about folders. */
#include "fs/fuse-internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/quota.h"
#include "fs/handle.h"

/* Folders: the listing is made when the folder is opened, so that names that come and go don't shift it. */
struct listing {
	TAILQ_ENTRY(listing) listings;
	struct buffer names; /* struct fuse_dirent records, as fuse_add_direntry() makes them */
	fuse_req_t req;	     /* the request that it is made for */
	struct tree *tree;
	uid_t uid;	/* who has it open */
	size_t counted; /* bytes of `names` that his quota knows of */
	size_t next;	/* where the last answer ended: reading goes on there, mostly */
	bool read;	/* to its end: reading it from the start again makes it anew (rewinddir(3)) */
};

static int list_name(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	static const mode_t types[] = { [KIND_DIRECTORY] = S_IFDIR, [KIND_LINK] = S_IFLNK };
	struct listing *listing = userdata;
	struct stat st = { .st_ino = child, .st_mode = S_IFREG };
	size_t size = fuse_add_direntry(listing->req, NULL, 0, name, NULL, 0), end = listing->names.size;
	int r = buffer_truncate(&listing->names, end + size);

	if (r < 0)
		return r;
	if (kind == KIND_DIRECTORY || kind == KIND_LINK)
		st.st_mode = types[kind];
	fuse_add_direntry(
		listing->req, listing->names.data + end, size, name, &st, (off_t)listing->names.size);
	return 0;
}

static void listing_free(struct mount *mount, struct listing *listing)
{
	struct engine *engine = listing->tree->engine;

	TAILQ_REMOVE(&mount->listings, listing, listings);
	quota_use(engine, listing->uid, QUOTA_OPEN_FILES, -1);
	quota_use(engine, listing->uid, QUOTA_OPEN_SIZE, -(int64_t)listing->counted);
	buffer_done(&listing->names);
	free(listing);
}

void fuse_free_listings(struct mount *mount)
{
	while (!TAILQ_EMPTY(&mount->listings))
		listing_free(mount, TAILQ_FIRST(&mount->listings));
}

static int listing_fill(struct listing *listing, struct op *op, fuse_ino_t ino)
{
	int r = buffer_truncate(&listing->names, 0);

	listing->req = op->req;
	listing->read = false;
	listing->next = 0;
	if (r == 0)
		r = list_name(listing, ".", ino, KIND_DIRECTORY);
	if (r == 0)
		r = list_name(listing, "..", NODE_ROOT, KIND_DIRECTORY);
	if (r == 0)
		r = tree_list(op->request.tree, &op->request, ino, list_name, listing);
	quota_use(listing->tree->engine, listing->uid, QUOTA_OPEN_SIZE,
		(int64_t)listing->names.size - (int64_t)listing->counted);
	listing->counted = listing->names.size;
	return r;
}

static void answer_opendir(struct op *op, ssize_t result)
{
	op->fi.fh = (uint64_t)(uintptr_t)op->data;
	if (fuse_reply_open(op->req, &op->fi) == -ENOENT)
		listing_free(op->mount, (struct listing *)op->data);
	op->data = NULL;
}

/* The turn was not stored, or memory ran out: the kernel will not know of it. */
static void undo_opendir(struct op *op)
{
	if (op->data)
		listing_free(op->mount, (struct listing *)op->data);
	op->data = NULL;
}

void fuse_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op *op = op_new(req, answer_opendir);
	struct listing *listing;
	int r;

	if (!op)
		return;
	r = handle_quota(op->request.tree, &op->request, false);
	listing = r == 0 ? calloc(1, sizeof(*listing)) : NULL;
	if (!listing) {
		op_finish(op, r < 0 ? r : -ENOMEM);
		return;
	}
	listing->tree = op->request.tree;
	listing->uid = op->request.caller.uid;
	quota_use(listing->tree->engine, listing->uid, QUOTA_OPEN_FILES, 1);
	TAILQ_INSERT_TAIL(&op->mount->listings, listing, listings);
	r = listing_fill(listing, op, ino);
	if (r < 0)
		listing_free(op->mount, listing);
	else
		op->data = (char *)listing;
	op->undo = undo_opendir;
	op_finish(op, r);
}

/* The size of the record at an offset: its name's length is at 16, the name behind 24 bytes, all padded to 8
 * (fuse(4)). */
static size_t record_size(const struct listing *listing, size_t offset)
{
	uint32_t name_size;

	memcpy(&name_size, listing->names.data + offset + 16, sizeof(name_size));
	return (24 + (size_t)name_size + 7) & ~(size_t)7;
}

void fuse_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct listing *listing = (struct listing *)(uintptr_t)fi->fh;
	size_t start = 0, end;
	struct op *op;
	int r = 0;

	if (offset == 0 && listing->read) {
		op = op_new(req, NULL);
		if (!op)
			return;
		r = listing_fill(listing, op, ino);
		op_free(op);
	}
	/* lseek(2) can bring any offset: only those where a record begins are ours. */
	if (offset > 0 && (size_t)offset == listing->next)
		start = listing->next;
	while (r == 0 && start < listing->names.size && (off_t)start < offset)
		start += record_size(listing, start);
	if (r < 0 || (off_t)start != offset) {
		fuse_reply_err(req, r < 0 ? -r : EINVAL);
		return;
	}
	for (end = start; end < listing->names.size; end += record_size(listing, end))
		if (end + record_size(listing, end) - start > size)
			break;
	listing->next = end;
	listing->read |= end == listing->names.size;
	fuse_reply_buf(req, listing->names.data + start, end - start);
}

void fuse_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	listing_free(fuse_req_userdata(req), (struct listing *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}
