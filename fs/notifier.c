/* SPDX-License-Identifier: MIT */
/* Tells the kernel that names are gone. */
#define FUSE_USE_VERSION 312
#include "fs/notifier.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct name {
	STAILQ_ENTRY(name) names;
	uint64_t parent;
	char text[256];
};

struct notifier {
	struct fuse_session *session;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	STAILQ_HEAD(, name) names;
	bool stop;
};

/* A daemon that is killed while this thread waits in the kernel can't end before the mount does: who holds
 * the folder's lock waits for an answer that never comes. All that it then still has is the connection to the
 * mount, which the next daemon breaks off: the lock of the database, the sockets and all else are closed. */
static void keep_only_session(const struct notifier *notifier)
{
	unsigned fd = (unsigned)fuse_session_fd(notifier->session);

	if (unshare(CLONE_FILES) < 0)
		return;
	if (fd > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, fd - 1, 0);
	close_range(fd + 1, UINT_MAX, 0);
}

static void *notifier_run(void *userdata)
{
	struct notifier *notifier = userdata;
	struct name *name;

	keep_only_session(notifier);
	pthread_mutex_lock(&notifier->mutex);
	for (;;) {
		name = STAILQ_FIRST(&notifier->names);
		if (!name && notifier->stop)
			break;
		if (!name) {
			pthread_cond_wait(&notifier->more, &notifier->mutex);
			continue;
		}
		STAILQ_REMOVE_HEAD(&notifier->names, names);
		pthread_mutex_unlock(&notifier->mutex);
		fuse_lowlevel_notify_inval_entry(
			notifier->session, name->parent, name->text, strlen(name->text));
		free(name);
		pthread_mutex_lock(&notifier->mutex);
	}
	pthread_mutex_unlock(&notifier->mutex);
	return NULL;
}

int notifier_new(struct fuse_session *session, struct notifier **ret_notifier)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));
	sigset_t all, before;
	int r;

	if (!notifier)
		return -ENOMEM;
	notifier->session = session;
	STAILQ_INIT(&notifier->names);
	pthread_mutex_init(&notifier->mutex, NULL);
	pthread_cond_init(&notifier->more, NULL);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&notifier->thread, NULL, notifier_run, notifier);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		free(notifier);
		return -r;
	}
	*ret_notifier = notifier;
	return 0;
}

void notifier_free(struct notifier *notifier)
{
	if (!notifier)
		return;
	pthread_mutex_lock(&notifier->mutex);
	notifier->stop = true;
	pthread_cond_signal(&notifier->more);
	pthread_mutex_unlock(&notifier->mutex);
	/* The mount is gone or detached by now, so that a notification that waits comes back. */
	pthread_join(notifier->thread, NULL);
	pthread_mutex_destroy(&notifier->mutex);
	pthread_cond_destroy(&notifier->more);
	free(notifier);
}

void notifier_forget_name(struct notifier *notifier, uint64_t parent, const char *name)
{
	struct name *row = calloc(1, sizeof(*row));

	if (!row)
		return; /* the name stays cached: whoever uses it is told ESTALE and looks again */
	row->parent = parent;
	strncpy(row->text, name, sizeof(row->text) - 1);
	pthread_mutex_lock(&notifier->mutex);
	STAILQ_INSERT_TAIL(&notifier->names, row, names);
	pthread_cond_signal(&notifier->more);
	pthread_mutex_unlock(&notifier->mutex);
}
