/* SPDX-License-Identifier: MIT */
/*
 * The floor under reading: a file system of one file, whose folders are the names on its path.
 *
 *     hello-fs KIND PATH CONTENT MOUNTPOINT
 *
 * Kinds: `plain` does what libfuse's own hello_ll example does (names and attributes are good for a second,
 * pages for one open), `tuned` lets the kernel keep everything and sends no flush, `uncached` has each
 * stat(2) ask, which is one round trip. The inode numbers are the depths, from 1 for the root.
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 16 };

struct kind {
	const char *name;
	double timeout; /* seconds, of names and attributes */
	bool keeps;	/* pages, from open to open */
};

static const struct kind kinds[] = {
	{ .name = "plain", .timeout = 1 },
	{ .name = "tuned", .timeout = 86400, .keeps = true },
	{ .name = "uncached", .timeout = 0 },
};

struct hello {
	const struct kind *kind;
	char *names[DEPTH_MAX + 1]; /* from 1: what is found in the folder of that number */
	fuse_ino_t file;
	const char *content;
	size_t size;
};

static void fill_stat(const struct hello *hello, fuse_ino_t ino, struct stat *st)
{
	bool file = ino == hello->file;

	*st = (struct stat){
		.st_ino = ino,
		.st_mode = file ? S_IFREG | 0444 : S_IFDIR | 0755,
		.st_nlink = file ? 1 : 2,
		.st_size = file ? (off_t)hello->size : 0,
	};
}

static void hello_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct hello *hello = fuse_req_userdata(req);
	struct fuse_entry_param entry = {
		.ino = parent + 1,
		.attr_timeout = hello->kind->timeout,
		.entry_timeout = hello->kind->timeout,
	};

	if (parent >= hello->file || strcmp(name, hello->names[parent]) != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_stat(hello, entry.ino, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void hello_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct hello *hello = fuse_req_userdata(req);
	struct stat st;

	fill_stat(hello, ino, &st);
	fuse_reply_attr(req, &st, hello->kind->timeout);
}

static void hello_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct hello *hello = fuse_req_userdata(req);

	if (ino != hello->file) {
		fuse_reply_err(req, EISDIR);
		return;
	}
	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EACCES);
		return;
	}
	fi->keep_cache = hello->kind->keeps;
	fi->noflush = hello->kind->keeps;
	fuse_reply_open(req, fi);
}

static void hello_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct hello *hello = fuse_req_userdata(req);
	size_t start = (size_t)offset < hello->size ? (size_t)offset : hello->size;

	fuse_reply_buf(req, hello->content + start, size < hello->size - start ? size : hello->size - start);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = hello_lookup,
	.getattr = hello_getattr,
	.open = hello_open,
	.read = hello_read,
};

static int serve(struct hello *hello, const char *mountpoint)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	int r = 1;

	/* As the daemon's, see fs/fuse.c. */
	if (fuse_opt_add_arg(&args, "hello-fs") == 0 &&
		fuse_opt_add_arg(&args, "-ofsname=hello,subtype=hello,default_permissions") == 0)
		session = fuse_session_new(&args, &operations, sizeof(operations), hello);
	fuse_opt_free_args(&args);
	if (!session)
		return 1;
	if (fuse_set_signal_handlers(session) == 0) {
		if (fuse_session_mount(session, mountpoint) == 0) {
			r = fuse_session_loop(session) < 0;
			fuse_session_unmount(session);
		}
		fuse_remove_signal_handlers(session);
	}
	fuse_session_destroy(session);
	return r;
}

int main(int argc, char **argv)
{
	struct hello hello = { .file = 1 };

	for (size_t i = 0; argc == 5 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, argv[1]))
			hello.kind = &kinds[i];
	if (!hello.kind) {
		fputs("Usage: hello-fs plain|tuned|uncached PATH CONTENT MOUNTPOINT\n", stderr);
		return 2;
	}
	for (char *name = strtok(argv[2], "/"); name && hello.file < DEPTH_MAX; name = strtok(NULL, "/"))
		hello.names[hello.file++] = name;
	hello.content = argv[3];
	hello.size = strlen(argv[3]);
	return serve(&hello, argv[4]);
}
