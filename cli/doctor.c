/* SPDX-License-Identifier: MIT */
/* doctor: what is missing on this machine and how to get it. One row a check. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/groups.h"
#include "cli/machine.h"
#include "cli/print.h"
#include "build.h"

enum verdict { GOOD, WARN, BAD };

struct finding {
	enum verdict verdict;
	char text[FAULT_TEXT_MAX + 256];
};

static void find(struct finding *finding, enum verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void find(struct finding *finding, enum verdict verdict, const char *format, ...)
{
	va_list ap;

	finding->verdict = verdict;
	va_start(ap, format);
	vsnprintf(finding->text, sizeof(finding->text), format, ap);
	va_end(ap);
}

static void check_home(struct command *command, struct finding *finding)
{
	struct fault fault = { 0 };

	if (place_find(&command->place, false, &fault) < 0)
		find(finding, BAD, "%s", fault.text);
	else if (access(command->place.home, F_OK) < 0 && errno == ENOENT)
		find(finding, GOOD, "%s will be made when it is needed", command->place.home);
	else if (access(command->place.home, W_OK | X_OK) < 0 && command->place.system && geteuid() != 0)
		find(finding, GOOD, "%s belongs to the machine's daemon", command->place.home);
	else if (access(command->place.home, W_OK | X_OK) < 0)
		find(finding, BAD,
			"you may not write to %s (%s): chown it, or set SLOTH_HOME to another folder",
			command->place.home, strerror(errno));
	else
		find(finding, GOOD, "%s", command->place.home);
}

static void check_daemon(struct command *command, struct finding *finding)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	const char *version;

	if (!command_client(command) || client_call(&command->client, "hello", json_object(), NULL, 0,
						&command->fault, &answer) < 0) {
		find(finding, BAD, "%s", command->fault.text);
		command->fault = (struct fault){ 0 };
		return;
	}
	version = print_text(answer.head, "version");
	if (strcmp(version, SLOTH_VERSION))
		find(finding, WARN, "slothd is version %s and this command %s: restart the daemon", version,
			SLOTH_VERSION);
	else
		find(finding, GOOD, "slothd %s, process %lld, at %s", version,
			(long long)json_integer_value(json_object_get(answer.head, "pid")),
			command->place.socket);
}

/* The file `keys` says in its first line whether what is sealed can be opened. */
static void check_keys(struct command *command, struct finding *finding)
{
	static const char label[] = "state: ";
	CLEANUP(buffer_done) struct buffer content = { 0 };
	const char *state;

	if (!command_client(command) ||
		client_read(&command->client, "/keys", &command->fault, &content) < 0 ||
		strncmp(buffer_text(&content), label, strlen(label)) != 0) {
		find(finding, WARN, "the daemon does not say: %s", command->fault.text);
		command->fault = (struct fault){ 0 };
		return;
	}
	buffer_truncate(&content, strcspn(content.data, "\n"));
	state = buffer_text(&content) + strlen(label);
	find(finding, !strcmp(state, "ready") || !strcmp(state, "nothing is sealed yet") ? GOOD : BAD, "%s",
		state);
}

static void check_space(struct command *command, struct finding *finding)
{
	enum { NEED_MB = 100 }; /* validation.min_disk_space */
	struct statvfs fs;
	const char *path = access(command->place.home, F_OK) == 0 ? command->place.home : "/var";
	unsigned long long free_mb;

	if (statvfs(path, &fs) < 0) {
		find(finding, WARN, "can't tell the free space of %s: %s", path, strerror(errno));
		return;
	}
	free_mb = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
	if (free_mb < NEED_MB)
		find(finding, BAD, "%s has %llu MB left; Sloth wants %d", path, free_mb, NEED_MB);
	else if (fs.f_files && fs.f_favail < 1000)
		find(finding, WARN, "%s has room for %llu more files only", path,
			(unsigned long long)fs.f_favail);
	else
		find(finding, GOOD, "%llu MB free", free_mb);
}

/* Without it there is no mount; all else works. */
static void check_fuse(struct command *command, struct finding *finding)
{
	struct fault fault = { 0 };

	if (machine_check_fuse(&fault) < 0)
		find(finding, WARN, "%s", fault.text);
	else
		find(finding, GOOD, "/dev/fuse can be used");
}

static void check_fusermount(struct command *command, struct finding *finding)
{
	if (machine_has_program("fusermount3"))
		find(finding, GOOD, "fusermount3 is installed");
	else if (geteuid() == 0)
		find(finding, GOOD, "root mounts without fusermount3; for users, install the package fuse3");
	else
		find(finding, WARN, "there is no fusermount3: install the package fuse3");
}

static bool file_has_line(const char *path, const char *word)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	CLEANUP(cleanup_free) char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0)
		if (!strncmp(line + strspn(line, " \t"), word, strlen(word)))
			return true;
	return false;
}

/* CAP_SYS_ADMIN for root (a container may lack it), the set-uid bit of fusermount3 for the others. */
static void check_rights(struct command *command, struct finding *finding)
{
	enum { SYS_ADMIN = 21 }; /* linux/capability.h */
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/self/status", "re");
	unsigned long long capabilities = 0;
	char line[256];
	struct stat st;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &capabilities) == 1)
			break;
	if (capabilities >> SYS_ADMIN & 1)
		find(finding, GOOD, "you may mount");
	else if (geteuid() == 0)
		find(finding, WARN, "this root may not mount: give the container --cap-add SYS_ADMIN");
	else if (stat("/usr/bin/fusermount3", &st) == 0 && !(st.st_mode & S_ISUID))
		find(finding, WARN, "fusermount3 is not set-uid root: chmod u+s /usr/bin/fusermount3");
	else
		find(finding, GOOD, "fusermount3 mounts for you");
}

static void check_allow_other(struct command *command, struct finding *finding)
{
	if (geteuid() == 0)
		find(finding, GOOD, "root may show a mount to other users");
	else if (file_has_line("/etc/fuse.conf", "user_allow_other"))
		find(finding, GOOD, "user_allow_other is set in /etc/fuse.conf");
	else
		find(finding, WARN,
			"other users can't see your mount: write user_allow_other into /etc/fuse.conf");
}

static void check_cgroup(struct command *command, struct finding *finding)
{
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
		find(finding, GOOD, "cgroup v2 at /sys/fs/cgroup");
	else if (access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) == 0)
		find(finding, GOOD, "cgroup v2 at /sys/fs/cgroup/unified");
	else
		find(finding, WARN,
			"no cgroup v2: processes that a task left behind are looked for one by one");
}

static const struct {
	const char *name, *title;
	void (*check)(struct command *command, struct finding *finding);
} checks[] = {
	{ "home", "State folder", check_home },
	{ "space", "Disk space", check_space },
	{ "daemon", "Daemon", check_daemon },
	{ "keys", "Keys", check_keys },
	{ "fuse", "FUSE", check_fuse },
	{ "fusermount3", "Mount helper", check_fusermount },
	{ "rights", "Mount rights", check_rights },
	{ "allow_other", "Shared mounts", check_allow_other },
	{ "cgroup", "Process groups", check_cgroup },
};

static const struct {
	const char *name, *sign;
	enum style style;
} verdicts[] = {
	[GOOD] = { "ok", "✓ ok  ", STYLE_GREEN },
	[WARN] = { "warn", "⚠ warn", STYLE_YELLOW },
	[BAD] = { "fail", "✗ fail", STYLE_RED },
};

int doctor_run(struct command *command)
{
	enum verdict worst = GOOD;
	json_t *list = json_array();
	int r = 0;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct finding finding = { 0 };

		checks[i].check(command, &finding);
		worst = finding.verdict > worst ? finding.verdict : worst;
		json_array_append_new(list, json_pack("{ssssss}", "check", checks[i].name, "status",
						    verdicts[finding.verdict].name, "text", finding.text));
		if (command->format == FORMAT_TEXT)
			printf("%s%s%s  %-15s %s\n", print_style(stdout, verdicts[finding.verdict].style),
				verdicts[finding.verdict].sign, print_style(stdout, STYLE_END),
				checks[i].title, finding.text);
	}
	if (command->format != FORMAT_TEXT)
		r = print_value(command, json_incref(list));
	json_decref(list);
	return r < 0 ? r : worst == BAD;
}
