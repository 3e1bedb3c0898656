/* SPDX-License-Identifier: MIT */
/* mount, umount: the tree as a folder. The daemon mounts; what can be seen to fail is said here, in words. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/groups.h"
#include "cli/machine.h"
#include "cli/print.h"

extern char **environ;

const struct option mount_options[] = {
	{ "options", 'o', "OPTIONS", "as of mount(8), with commas: allow_other,ro" },
	{ NULL },
};

/* Absolute, without touching what is mounted there: a dead mount answers nothing. */
static int absolute(struct command *command, const char *given, char *ret_path, size_t size)
{
	CLEANUP(cleanup_free) char *folder = *given == '/' ? NULL : getcwd(NULL, 0);
	int n;

	if (*given != '/' && !folder)
		return fault_set(
			&command->fault, errno, "can't tell the current folder: %s", strerror(errno));
	n = snprintf(ret_path, size, "%s%s%s", folder ? folder : "", folder ? "/" : "", given);
	if (n < 0 || (size_t)n >= size)
		return fault_set(&command->fault, ENAMETOOLONG, "the path %s is too long", given);
	while (n > 1 && ret_path[n - 1] == '/')
		ret_path[--n] = '\0';
	return 0;
}

static int make_folder(struct command *command, const char *path)
{
	struct stat st;

	if (mkdir(path, 0755) == 0)
		return 0;
	if (errno == EACCES || errno == EPERM || errno == EROFS)
		return fault_set(&command->fault, EACCES,
			"there is no folder %s, and you may not make it: choose one of yours (sloth mount "
			"~/sloth), "
			"or let root "
			"make it: mkdir %s && chown %u %s",
			path, path, geteuid(), path);
	if (errno != EEXIST)
		return fault_set(
			&command->fault, errno, "can't make the folder %s: %s", path, strerror(errno));
	/* A dead mount gives ENOTCONN; the daemon knows what to do with it. */
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return fault_set(&command->fault, ENOTDIR, "%s is not a folder", path);
	return 0;
}

int mount_run(struct command *command)
{
	const char *options = command_option(command, "options");
	char path[PATH_MAX], *real;
	struct client *client;
	json_t *fields;
	int r;

	r = absolute(command, command->operand_count ? command->operands[0] : "/sloth", path, sizeof(path));
	r = r < 0 ? r : machine_check_fuse(&command->fault);
	r = r < 0 ? r : make_folder(command, path);
	client = r < 0 ? NULL : command_client(command);
	if (!client)
		return -command->fault.code;
	real = realpath(path, NULL);
	fields = json_pack("{ssss*}", "dir", real ? real : path, "options", options);
	free(real);
	r = client_call(client, "mount", fields, NULL, 0, &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "dir", path, "mounted", 1));
	print_done("Mounted on %s", path);
	return 0;
}

/* What a dead daemon leaves behind, taken away without it. */
static int detach(struct command *command, const char *path)
{
	char *argv[] = { (char *)"fusermount3", (char *)"-u", (char *)"-z", (char *)"--", (char *)path,
		NULL };
	int status, r;
	pid_t pid;

	if (geteuid() == 0)
		return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0
			       ? 0
			       : fault_set(&command->fault, errno, "can't unmount %s: %s", path,
					 strerror(errno));
	r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (r)
		return fault_set(&command->fault, r, "can't start fusermount3: %s", strerror(r));
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return fault_set(&command->fault, EIO, "fusermount3 could not unmount %s", path);
	return 0;
}

static int umount_path(struct command *command, const char *path)
{
	int r = place_find(&command->place, false, &command->fault);

	if (r < 0)
		return r;
	/* No daemon is started for this: it would have nothing to unmount. */
	r = client_open(&command->client, &command->place, false, &command->fault);
	if (r == 0)
		r = client_call(&command->client, "umount", json_pack("{ss}", "dir", path), NULL, 0,
			&command->fault, NULL);
	if (r == 0 || (r != -ENOTCONN && r != -ENOENT && r != -EINVAL))
		return r;
	if (machine_is_mounted(path))
		return detach(command, path);
	return fault_set(&command->fault, ENOENT, "Sloth is not mounted on %s", path);
}

int umount_run(struct command *command)
{
	char path[PATH_MAX];
	int r = absolute(command, command->operands[0], path, sizeof(path));

	r = r < 0 ? r : umount_path(command, path);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "dir", path, "mounted", 0));
	print_done("Unmounted %s", path);
	return 0;
}
