/* SPDX-License-Identifier: MIT */
/* Where a daemon keeps its things, and where its socket is. */
#include "fs/place.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char system_home[] = "/var/lib/sloth";
static const char system_socket[] = "/run/sloth/socket";

/* An absolute path from the environment; a relative one means nothing (XDG Base Directory Specification). */
static const char *environment_path(const char *name)
{
	const char *value = getenv(name);

	return value && *value == '/' ? value : NULL;
}

static int set_home(struct place *place, struct fault *fault, const char *folder, const char *below)
{
	int n = snprintf(place->home, sizeof(place->home), "%s%s", folder, below);

	if (n < 0 || (size_t)n >= sizeof(place->home))
		return fault_set(fault, ENAMETOOLONG, "the path of the home folder is too long");
	return 0;
}

static int set_socket(struct place *place, struct fault *fault, const char *folder, const char *below)
{
	int n = snprintf(place->socket, sizeof(place->socket), "%s%s", folder, below);

	if (n < 0 || (size_t)n >= sizeof(place->socket))
		return fault_set(fault, ENAMETOOLONG,
			"the socket's path %s%s has %d bytes, and the kernel takes %zu (unix(7)): "
			"set SLOTH_HOME to a folder with a shorter path",
			folder, below, n, sizeof(place->socket) - 1);
	return 0;
}

static int place_given(struct place *place, const char *home, struct fault *fault)
{
	int r;

	if (*home != '/')
		return fault_set(fault, EINVAL, "SLOTH_HOME is \"%s\"; it must be an absolute path", home);
	r = set_home(place, fault, home, "");
	return r < 0 ? r : set_socket(place, fault, home, "/socket");
}

static int place_system(struct place *place, struct fault *fault)
{
	int r = set_home(place, fault, system_home, "");

	place->system = true;
	return r < 0 ? r : set_socket(place, fault, system_socket, "");
}

/* The folder for sockets, if there is one that is ours. It is looked for without the environment as well, so
 * that a command from cron meets the same daemon as one from a terminal. */
static bool runtime_folder(char *ret_path, size_t size)
{
	const char *given = environment_path("XDG_RUNTIME_DIR");
	struct stat st;

	if (given)
		snprintf(ret_path, size, "%s", given);
	else
		snprintf(ret_path, size, "/run/user/%u", geteuid());
	return stat(ret_path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static int place_user(struct place *place, struct fault *fault)
{
	const char *state = environment_path("XDG_STATE_HOME");
	char runtime[PATH_MAX];
	int r;

	if (state) {
		r = set_home(place, fault, state, "/sloth");
	} else {
		const char *home = environment_path("HOME");
		struct passwd *user = home ? NULL : getpwuid(geteuid());

		if (!home && user)
			home = user->pw_dir;
		if (!home || *home != '/')
			return fault_set(fault, EINVAL,
				"you have no home folder: set SLOTH_HOME to a folder for Sloth");
		r = set_home(place, fault, home, "/.local/state/sloth");
	}
	if (r < 0)
		return r;
	if (runtime_folder(runtime, sizeof(runtime)))
		return set_socket(place, fault, runtime, "/sloth/socket");
	return set_socket(place, fault, place->home, "/socket");
}

/* Whether the system's daemon answers. */
static bool system_daemon(void)
{
	struct place place = { 0 };
	CLEANUP(cleanup_fd) int fd = -1;

	if (access(system_socket, F_OK) < 0 || place_system(&place, NULL) < 0)
		return false;
	fd = place_connect(&place);
	return fd >= 0;
}

int place_find(struct place *ret_place, bool for_daemon, struct fault *fault)
{
	const char *home = getenv("SLOTH_HOME");
	struct place place = { 0 };
	int r;

	if (home && *home)
		r = place_given(&place, home, fault);
	else if (geteuid() == 0 || (!for_daemon && system_daemon()))
		r = place_system(&place, fault);
	else
		r = place_user(&place, fault);
	if (r == 0)
		*ret_place = place;
	return r;
}

static int make_folders(char *path, mode_t mode, struct fault *fault)
{
	for (char *p = path + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char end = *p;

		*p = '\0';
		/* Folders above are as public as the umask says; only the last one is ours. */
		if (mkdir(path, end ? 0755 : mode) < 0 && errno != EEXIST && errno != EROFS &&
			errno != EACCES)
			return fault_set(fault, errno, "can't make the folder %s: %s", path, strerror(errno));
		if (!end)
			break;
		*p = end;
	}
	if (access(path, F_OK) < 0)
		return fault_set(fault, EACCES,
			"can't make the folder %s: set SLOTH_HOME to a folder that you may write to", path);
	return 0;
}

int place_make(const struct place *place, struct fault *fault)
{
	mode_t mode = place->system ? 0755 : 0700;
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s", place->home);
	r = make_folders(path, mode, fault);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s", place->socket);
	*strrchr(path, '/') = '\0';
	return make_folders(path, mode, fault);
}

int place_connect(const struct place *place)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, place->socket, sizeof(address.sun_path));
	while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EINTR)
			return -errno;
	return take_fd(&fd);
}
