/* SPDX-License-Identifier: MIT */
/* Mount points: sessions with the kernel on the daemon's loop. */
#include "fs/fuse-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "fs/content.h"
#include "fs/mountinfo.h"
#include "fs/notifier.h"

/* What the tree tells about changes. */

static void attribute_stale(void *userdata, uint64_t number)
{
	struct mount_context *context = userdata;
	uint32_t bit = mount_told_bit(number);
	struct mount *mount;

	if (!(context->told[bit / 8] & 1U << bit % 8))
		return;
	TAILQ_FOREACH (mount, &context->mounts, mounts)
		fuse_lowlevel_notify_inval_inode(mount->session, number, -1, 0);
}

static void name_gone(void *userdata, uint64_t parent, const char *name)
{
	struct mount_context *context = userdata;
	struct mount *mount;

	TAILQ_FOREACH (mount, &context->mounts, mounts)
		notifier_forget_name(mount->notifier, parent, name);
}

void mount_context_init(
	struct mount_context *context, struct tree *tree, struct turn *turn, struct ev_loop *loop)
{
	context->tree = tree;
	context->turn = turn;
	context->loop = loop;
	TAILQ_INIT(&context->mounts);
	tree->stale = attribute_stale;
	tree->gone = name_gone;
	tree->userdata = context;
}

/* A request of the kernel that waits for its turn. */
struct arrival {
	struct fair_item turn; /* first: what is queued */
	TAILQ_ENTRY(arrival) arrivals;
	struct mount *mount;
	ev_timer rest; /* until nobody reads any more what it would cut */
	size_t size;
	char data[];
};

static const double READING_LOOK = 0.001; /* seconds */

static const struct fuse_in_header *header_of(const struct arrival *arrival)
{
	return (const struct fuse_in_header *)arrival->data;
}

static void arrival_free(struct arrival *arrival)
{
	struct mount *mount = arrival->mount;

	if (ev_is_active(&arrival->rest)) {
		ev_timer_stop(mount->context->loop, &arrival->rest);
		content_write_end(mount->context->tree->contents, header_of(arrival)->nodeid);
	}
	fair_remove(&mount->context->turn->fair, &arrival->turn);
	TAILQ_REMOVE(&mount->arrivals, arrival, arrivals);
	free(arrival);
}

static void mount_free(struct mount *mount)
{
	struct mount_context *context = mount->context;

	ev_io_stop(context->loop, &mount->readable);
	while (!TAILQ_EMPTY(&mount->arrivals)) /* who asked has his answer: the mount is gone */
		arrival_free(TAILQ_FIRST(&mount->arrivals));
	TAILQ_REMOVE(&context->mounts, mount, mounts);
	/* Whoever still has files open there is cut off; the answers go nowhere. */
	tree_close_door(context->tree, mount);
	turn_end(context->turn);
	notifier_free(mount->notifier);
	/* Lazily: whoever has a file open there keeps nobody from ending. Nothing is done when it is
	 * unmounted. */
	fuse_session_unmount(mount->session);
	fuse_session_destroy(mount->session);
	fuse_free_listings(mount);
	fuse_answers_done(mount);
	free(mount->buffer.mem);
	free(mount->directory);
	free(mount);
}

static void arrival_run(struct fair_item *item)
{
	struct arrival *arrival = (struct arrival *)item;
	struct fuse_buf buffer = { .mem = arrival->data, .size = arrival->size };

	fuse_session_process_buf(arrival->mount->session, &buffer);
	arrival_free(arrival);
}

/* What the kernel says of its own accord - that a file is closed, that somebody does not wait any more - goes
 * before all else: it frees something, and what comes after it counts on it. */
static bool is_urgent(const struct fuse_in_header *header)
{
	return header->opcode == FUSE_FORGET || header->opcode == FUSE_BATCH_FORGET ||
	       header->opcode == FUSE_RELEASE || header->opcode == FUSE_RELEASEDIR ||
	       header->opcode == FUSE_INTERRUPT || header->opcode == FUSE_DESTROY;
}

/* Whether somebody would find nothing in what he reads: see content.h. */
static bool cuts_readers(struct mount *mount, const struct fuse_in_header *header)
{
	const struct fuse_open_in *open = (const struct fuse_open_in *)(header + 1);

	return header->opcode == FUSE_OPEN && (open->flags & O_TRUNC) &&
	       content_being_read(mount->context->tree->contents, header->nodeid, time_monotonic_ms());
}

static void arrival_rested(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct arrival *arrival = (struct arrival *)((char *)timer - offsetof(struct arrival, rest));
	struct mount *mount = arrival->mount;

	if (cuts_readers(mount, header_of(arrival)))
		return;
	ev_timer_stop(loop, timer);
	content_write_end(mount->context->tree->contents, header_of(arrival)->nodeid);
	fair_add(&mount->context->turn->fair, header_of(arrival)->uid, &arrival->turn);
}

/* A copy of the request in the mount's buffer. NULL: there is no memory. */
static struct arrival *arrival_new(struct mount *mount)
{
	struct arrival *arrival = malloc(sizeof(*arrival) + mount->buffer.size);

	if (!arrival)
		return NULL;
	*arrival = (struct arrival){ .turn.run = arrival_run, .mount = mount, .size = mount->buffer.size };
	ev_timer_init(&arrival->rest, arrival_rested, READING_LOOK, READING_LOOK);
	memcpy(arrival->data, mount->buffer.mem, mount->buffer.size);
	TAILQ_INSERT_TAIL(&mount->arrivals, arrival, arrivals);
	return arrival;
}

/* Does the request in the mount's buffer, or queues a copy of it. Whether it was done. */
static bool mount_arrived(struct mount *mount)
{
	struct mount_context *context = mount->context;
	const struct fuse_in_header *header = mount->buffer.mem;
	bool rests = cuts_readers(mount, header),
	     waits = rests || (!is_urgent(header) && !fair_alone(&context->turn->fair, header->uid));
	struct arrival *arrival = waits ? arrival_new(mount) : NULL;

	if (!arrival) {
		fuse_session_process_buf(mount->session, &mount->buffer);
		return true;
	}
	if (rests) {
		content_write_begin(context->tree->contents, header->nodeid);
		ev_timer_start(context->loop, &arrival->rest);
	} else {
		fair_add(&context->turn->fair, header->uid, &arrival->turn);
	}
	return false;
}

/*
 * Reads one request, or, once something has been changed in this turn, all that are there: their changes then
 * share the fsync. Readers alone are answered one by one, which spares them a read(2) that finds nothing.
 * Where several users ask, all requests that are there are read, and each user has his turn (fair.h).
 */
static void mount_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct mount *mount = io->data;
	struct mount_context *context = mount->context;
	bool done;

	do {
		int r = fuse_session_receive_buf(mount->session, &mount->buffer);

		if (r == -EAGAIN || r == -EINTR)
			return;
		if (r <= 0) { /* unmounted (ENODEV), or beyond help */
			log_info("%s is unmounted", mount->directory);
			mount_free(mount);
			if (context->gone)
				context->gone(context);
			return;
		}
		done = mount_arrived(mount);
	} while (!done || store_turn_dirty(context->turn->engine->store));
}

static int session_arguments(const char *options, struct fuse_args *args)
{
	char source[4200];
	int r = fuse_opt_add_arg(args, "sloth");

	snprintf(source, sizeof(source), "-ofsname=sloth,subtype=sloth,default_permissions");
	if (r == 0)
		r = fuse_opt_add_arg(args, source);
	if (r == 0 && mountinfo_may_allow_other())
		r = fuse_opt_add_arg(args, "-oallow_other");
	if (r == 0 && options && *options) {
		snprintf(source, sizeof(source), "-o%s", options);
		r = fuse_opt_add_arg(args, source);
	}
	return r;
}

/* A mount whose daemon was killed answers "Transport endpoint is not connected" to everybody. It is known by
 * /proc/self/mountinfo, without touching it. */
static int clear_stale(struct mount_context *context, const char *directory, struct fault *fault)
{
	struct mount *mount;
	int r;

	TAILQ_FOREACH (mount, &context->mounts, mounts)
		if (!strcmp(mount->directory, directory))
			return fault_set(fault, EBUSY, "%s is mounted already", directory);
	r = mountinfo_is_sloth(directory);
	if (r <= 0)
		return r;
	if (mountinfo_alive(directory))
		return fault_set(fault, EBUSY, "%s is the mount of another daemon: umount %s first",
			directory, directory);
	log_warning("%s was left by a daemon that died: detaching it", directory);
	FAILPOINT("mount.detach");
	mountinfo_break_off(directory);
	return mountinfo_detach(directory);
}

static int start_session(struct mount *mount, const char *options, struct fault *fault)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int fd, r;

	r = session_arguments(options, &args);
	if (r == 0)
		mount->session = fuse_session_new(&args, &fuse_operations, sizeof(fuse_operations), mount);
	fuse_opt_free_args(&args);
	if (!mount->session)
		return fault_set(
			fault, EINVAL, "the mount options \"%s\" are not understood", options ? options : "");
	FAILPOINT("mount.session");
	r = fuse_session_mount(mount->session, mount->directory);
	FAILPOINT("mount.mounted");
	if (r < 0)
		return fault_set(fault, errno ? errno : EIO,
			"%s can't be mounted: %s (`sloth doctor` says what is missing)", mount->directory,
			strerror(errno ? errno : EIO));
	r = fuse_answers_init(mount);
	if (r < 0) {
		fuse_session_unmount(mount->session);
		return r;
	}
	fd = fuse_session_fd(mount->session);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ev_io_init(&mount->readable, mount_readable, fd, EV_READ);
	mount->readable.data = mount;
	return notifier_new(mount->session, &mount->notifier);
}

int mount_open(struct mount_context *context, const char *directory, const char *options, struct fault *fault)
{
	struct mount *mount;
	int r;

	if (*directory != '/')
		return fault_set(fault, EINVAL, "%s is no absolute path", directory);
	/* To look at a place inside our own mount would be to wait for ourselves. */
	TAILQ_FOREACH (mount, &context->mounts, mounts)
		if (!strncmp(directory, mount->directory, strlen(mount->directory)) &&
			directory[strlen(mount->directory)] == '/')
			return fault_set(
				fault, EINVAL, "%s is inside the mount at %s", directory, mount->directory);
	r = clear_stale(context, directory, fault);
	if (r < 0)
		return r;
	mount = calloc(1, sizeof(*mount));
	if (!mount)
		return -ENOMEM;
	mount->context = context;
	TAILQ_INIT(&mount->listings);
	TAILQ_INIT(&mount->arrivals);
	fuse_answers_prepare(mount);
	mount->directory = strdup(directory);
	if (!mount->directory) {
		free(mount);
		return -ENOMEM;
	}
	r = start_session(mount, options, fault);
	if (r < 0) {
		if (mount->session)
			fuse_session_destroy(mount->session);
		free(mount->directory);
		free(mount);
		return r;
	}
	TAILQ_INSERT_TAIL(&context->mounts, mount, mounts);
	ev_io_start(context->loop, &mount->readable);
	log_info("mounted at %s", directory);
	return 0;
}

/*
 * Hanging up first: requests that wait for us fail, and so a notification that waits for one of them comes
 * back, before the notifier is joined. The descriptor's number stays taken until then, so that the notifier
 * can't write to another file that happens to get it.
 */
static void mount_unmount(struct mount *mount)
{
	CLEANUP(cleanup_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ev_io_stop(mount->context->loop, &mount->readable);
	if (null >= 0)
		dup3(null, fuse_session_fd(mount->session), O_CLOEXEC);
	FAILPOINT("mount.hung-up");
	mount_free(mount);
}

int mount_close(struct mount_context *context, const char *directory, struct fault *fault)
{
	struct mount *mount;

	TAILQ_FOREACH (mount, &context->mounts, mounts)
		if (!strcmp(mount->directory, directory)) {
			mount_unmount(mount);
			return 0;
		}
	return fault_set(fault, ENOENT, "%s is not mounted by this daemon", directory);
}

void mount_close_all(struct mount_context *context)
{
	while (!TAILQ_EMPTY(&context->mounts))
		mount_unmount(TAILQ_FIRST(&context->mounts));
}

void mount_each(
	struct mount_context *context, void (*each)(void *userdata, const char *directory), void *userdata)
{
	struct mount *mount;

	TAILQ_FOREACH (mount, &context->mounts, mounts)
		each(userdata, mount->directory);
}
