/* SPDX-License-Identifier: MIT */
/* Where master keys come from: files and passphrases. */
#include "engine/master-key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"

enum {
	PASSPHRASE_MAX = 4096,
	HEX_SIZE = 2 * KEY_SIZE,
};

char *master_key_name(const struct master_key *master, char ret_name[MASTER_NAME_SIZE])
{
	memcpy(ret_name, "keys/", 5);
	sodium_bin2hex(ret_name + 5, MASTER_NAME_SIZE - 5, master->salt, MASTER_SALT_SIZE);
	return ret_name;
}

static void path_of(const char *home, const char *name, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%.4000s/%s", home, name);
}

/* Up to `size` bytes of a file: how many, or -errno. */
static ssize_t file_read(const char *path, char *ret_text, size_t size)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n = read(fd, ret_text + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int passphrase_key(const char *file, const struct master_key *master, struct fault *fault,
	unsigned char ret_key[KEY_SIZE])
{
	char passphrase[PASSPHRASE_MAX];
	ssize_t n = file ? file_read(file, passphrase, sizeof(passphrase)) : 0;
	int r = 0;

	if (!file)
		return fault_set(fault, ENOKEY,
			"the sealed values of this daemon need its passphrase: start it with "
			"SLOTH_PASSPHRASE_FILE set to the name of the file that has it");
	if (n < 0)
		return fault_set(
			fault, ENOKEY, "the passphrase in %s can't be read: %s", file, strerror((int)-n));
	while (n > 0 && (passphrase[n - 1] == '\n' || passphrase[n - 1] == '\r'))
		n--;
	if (n == 0)
		r = fault_set(fault, ENOKEY, "%s has no passphrase: it is empty", file);
	else if (n == PASSPHRASE_MAX)
		r = fault_set(fault, ENOKEY, "the passphrase in %s is longer than %d bytes", file,
			PASSPHRASE_MAX - 1);
	else if (crypto_pwhash(ret_key, KEY_SIZE, passphrase, (unsigned long long)n, master->salt,
			 (unsigned long long)master->effort, (size_t)master->memory,
			 crypto_pwhash_ALG_ARGON2ID13) != 0)
		r = fault_set(fault, ENOKEY, "no memory for making the key from the passphrase (%lld MiB)",
			(long long)(master->memory >> 20));
	sodium_memzero(passphrase, sizeof(passphrase));
	return r;
}

int master_key_read(const char *home, const char *passphrase_file, const struct master_key *master,
	struct fault *fault, unsigned char ret_key[KEY_SIZE])
{
	char path[PATH_MAX], name[MASTER_NAME_SIZE], hex[HEX_SIZE];
	size_t size = 0;
	ssize_t n;

	if (master->passphrase)
		return passphrase_key(passphrase_file, master, fault, ret_key);
	path_of(home, master_key_name(master, name), path);
	n = file_read(path, hex, sizeof(hex));
	if (n >= 0 &&
		(n != HEX_SIZE || sodium_hex2bin(ret_key, KEY_SIZE, hex, HEX_SIZE, NULL, &size, NULL) != 0))
		n = -EBADMSG;
	sodium_memzero(hex, sizeof(hex));
	return n < 0 ? fault_set(fault, ENOKEY,
			       "the master key %s, which sealed values need, can't be read: %s. Put the file "
			       "back "
			       "from where you keep a copy",
			       path, n == -EBADMSG ? "it is damaged" : strerror((int)-n))
		     : 0;
}

static int folder_sync(const char *path)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* On disk before anything is sealed with it: what is sealed with a key that was lost is lost. */
static int file_write(const char *path, const char *text, size_t size)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, size);
	if (n < 0 || fsync(fd) < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENOSPC;
}

static int store_key(const char *home, const struct master_key *master, const unsigned char key[KEY_SIZE])
{
	char folder[PATH_MAX], path[PATH_MAX], name[MASTER_NAME_SIZE], hex[HEX_SIZE + 1];
	int r = 0;

	path_of(home, "keys", folder);
	path_of(home, master_key_name(master, name), path);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	sodium_bin2hex(hex, sizeof(hex), key, KEY_SIZE);
	hex[HEX_SIZE] = '\n';
	r = file_write(path, hex, HEX_SIZE + 1);
	sodium_memzero(hex, sizeof(hex));
	FAILPOINT("key.written");
	if (r == 0)
		r = folder_sync(folder);
	if (r == 0)
		r = folder_sync(home);
	FAILPOINT("key.stored");
	if (r < 0 && r != -EEXIST)
		unlink(path);
	return r;
}

int master_key_make(const char *home, const char *passphrase_file, struct fault *fault,
	struct master_key *ret_master, unsigned char ret_key[KEY_SIZE])
{
	struct master_key master = { .passphrase = passphrase_file != NULL, .created_ms = time_now_ms() };
	int r;

	randombytes_buf(master.salt, sizeof(master.salt));
	if (master.passphrase) {
		master.effort = crypto_pwhash_OPSLIMIT_INTERACTIVE;
		master.memory = crypto_pwhash_MEMLIMIT_INTERACTIVE;
		r = passphrase_key(passphrase_file, &master, fault, ret_key);
	} else {
		randombytes_buf(ret_key, KEY_SIZE);
		r = store_key(home, &master, ret_key);
		if (r < 0)
			r = fault_set(fault, -r, "the master key can't be stored in %s/keys: %s", home,
				strerror(-r));
	}
	if (r == 0)
		*ret_master = master;
	return r;
}

void master_key_remove(const char *home, const struct master_key *master)
{
	char path[PATH_MAX], name[MASTER_NAME_SIZE];

	if (master->passphrase)
		return;
	path_of(home, master_key_name(master, name), path);
	unlink(path);
}
