/* SPDX-License-Identifier: MIT */
/* The table of operations that must be wholly done or wholly absent, and what they find there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/torture/faulty-calls.h"

#define REFUSED(what) .refused = EDQUOT, .quota = QUOTA_##what

const struct operation operations[] = {
	{ "make-stack", ACT_MKDIR, 0, "/stacks/new", .number = 0750 },
	{ "destroy-stack", ACT_RMDIR, BOB, "/stacks/open" },
	{ "rename-stack", ACT_RENAME, ALICE, "/stacks/prod", "/stacks/live" },
	{ "chmod-stack", ACT_CHMOD, ALICE, "/stacks/prod", .number = 0700 },
	{ "chown-stack", ACT_CHOWN, 0, "/stacks/prod", .number = BOB },
	{ "describe", ACT_WRITE, ALICE, "/stacks/prod/description", "the real thing\n" },
	{ "set-version", ACT_WRITE, ALICE, "/stacks/prod/version", "1.2.3\n" },
	{ "set-config", ACT_WRITE, ALICE, "/stacks/prod/config.yaml", "stacks:\n  lock_timeout: 5m\n" },
	{ "set-values", ACT_WRITE, ALICE, "/stacks/prod/values.yaml", "replicas: 5\nlist: [1, 2, {a: b}]\n" },
	{ "remove-values", ACT_UNLINK, ALICE, "/stacks/prod/values.yaml" },
	{ "export", ACT_READ, ALICE, "/stacks/prod/export.json", .reads = true },
	{ "lock", ACT_WRITE, ALICE, "/stacks/prod/lock", "reason=\"deploying\" ttl=30m operation=deploy\n" },
	{ "unlock", ACT_WRITE, ALICE, "/stacks/held/lock", "unlock\n" },
	{ "renew", ACT_WRITE, ALICE, "/stacks/held/lock", "renew\n" },
	{ "force-lock", ACT_WRITE, 0, "/stacks/held/lock", "force reason=\"must be\"\n" },
	{ "lock-several", ACT_WRITE, ALICE, "/locks/ctl", "acquire stacks/prod locks/other reason=both\n" },
	{ "remove-named-lock", ACT_UNLINK, ALICE, "/locks/named" },
	{ "add-tag", ACT_WRITE, ALICE, "/stacks/prod/tags/eu", "" },
	{ "remove-tag", ACT_UNLINK, ALICE, "/stacks/prod/tags/web" },
	{ "add-dependency", ACT_SYMLINK, ALICE, "/stacks/prod/deps/open", "../../open" },
	{ "remove-dependency", ACT_UNLINK, ALICE, "/stacks/held/deps/prod" },
	{ "constrain", ACT_WRITE, ALICE, "/stacks/held/depends", "prod >=1\n" },
	{ "set-key", ACT_WRITE, ALICE, "/stacks/prod/state/fresh", "7\n" },
	{ "change-key", ACT_WRITE, ALICE, "/stacks/prod/state/count", "8\n" },
	{ "remove-key", ACT_UNLINK, ALICE, "/stacks/prod/state/count" },
	{ "increment", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "incr count 5\n" },
	{ "swap", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "cas count 1 9\n" },
	{ "append", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "append word tail\n" },
	{ "push", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "push list item\n" },
	{ "clear-keys", ACT_WRITE, ALICE, "/stacks/prod/state.ctl", "clear\n" },
	{ "key-ttl", ACT_SETXATTR, ALICE, "/stacks/prod/state/count", "10m", .option = "user.sloth.ttl" },
	{ "make-namespace", ACT_MKDIR, ALICE, "/state/fresh", .number = 0755 },
	{ "remove-namespace", ACT_RMDIR, ALICE, "/state/empty" },
	{ "set-shared-key", ACT_WRITE, ALICE, "/state/shared/key", "value\n" },
	{ "snapshot", ACT_WRITE, ALICE, "/stacks/prod/snapshots/new", "before the change\n" },
	{ "pin", ACT_SYMLINK, ALICE, "/stacks/prod/snapshots/good", "v2" },
	{ "unpin", ACT_UNLINK, ALICE, "/stacks/prod/snapshots/kept" },
	{ "restore", ACT_WRITE, ALICE, "/stacks/prod/snapshots/restore", "v3\n" },
	{ "forget-version", ACT_RMDIR, ALICE, "/stacks/prod/snapshots/v2" },
	{ "raise-the-dead", ACT_WRITE, ALICE, "/destroyed/gone.5/restore", "again\n" },
	{ "set-secret", ACT_WRITE, ALICE, "/secrets/token", "hunter2" },
	{ "change-secret", ACT_WRITE, ALICE, "/secrets/old", "hunter3" },
	{ "remove-secret", ACT_UNLINK, ALICE, "/secrets/old" },
	{ "read-secret", ACT_READ, ALICE, "/secrets/old" },
	{ "rotate-keys", ACT_WRITE, 0, "/keys", "rotate\n" },
	{ "set-sealed-output", ACT_CALL, ALICE, .call = set_output },
	{ "desire", ACT_WRITE, ALICE, "/stacks/prod/resources/file/%2Fetc%2Fmotd/desired.json",
		MOTD("0755") },
	{ "protect", ACT_WRITE, ALICE, "/stacks/prod/resources/file/%2Fetc%2Fmotd/protect", "1\n" },
	{ "remove-resource", ACT_RMDIR, ALICE, "/stacks/prod/resources/file/%2Fetc%2Fmotd" },
	{ "register-resource", ACT_CALL, ALICE, .call = register_motd },
	{ "see-drift", ACT_CALL, ALICE, .call = see_drift },
	{ "drift-ends", ACT_CALL, ALICE, .call = drift_ends },
	{ "ignore-drift", ACT_WRITE, ALICE, "/stacks/prod/drift",
		"ignore /etc/hosts reason=known until=1h\n" },
	{ "adopt-drift", ACT_WRITE, ALICE, "/stacks/prod/drift", "adopt /etc/hosts\n" },
	{ "submit-run", ACT_CALL, ALICE, .call = submit_run },
	{ "write-log", ACT_CALL, ALICE, .call = write_log },
	{ "finish-task", ACT_CALL, ALICE, .call = finish_task },
	{ "finish-run", ACT_CALL, ALICE, .call = finish_run },
	{ "keep-image", ACT_CALL, ALICE, .call = keep_image },
	{ "keep-artifact", ACT_CALL, ALICE, .call = keep_artifact },
	{ "expire-versions", ACT_CALL, 0, .call = expire_versions },
	{ "audit", ACT_READ, 0, "/audit", .reads = true },
	{ "archive-events", ACT_WRITE, 0, "/archives", "archive before=2099-01-01T00:00:00Z\n" },
	{ "chmod-stacks", ACT_CHMOD, 0, "/stacks", .number = 0755 },
	{ "list-stacks", ACT_LIST, ALICE, "/stacks", .reads = true },
	{ "start", ACT_CALL, 0, .call = start_engine },
	{ "make-backup", ACT_CALL, 0, .call = make_backup },
	{ "verify-backup", ACT_CALL, 0, .call = verify_backup },
	{ "restore-backup", ACT_CALL, 0, .call = restore_backup },
	{ "examine", ACT_CALL, 0, .call = examine_database, .reads = true },
	{ "one-stack-too-many", ACT_MKDIR, ALICE, "/stacks/more", .number = 0755, REFUSED(STACKS) },
	{ "one-namespace-too-many", ACT_MKDIR, ALICE, "/state/more", .number = 0755, REFUSED(NAMESPACES) },
	{ "one-key-too-many", ACT_WRITE, ALICE, "/stacks/prod/state/more", "7\n", REFUSED(KEYS) },
	{ "one-lock-too-many", ACT_WRITE, ALICE, "/locks/more", "mine\n", REFUSED(LOCKS) },
	{ "one-secret-too-many", ACT_WRITE, ALICE, "/secrets/more", "hunter4", REFUSED(SECRETS) },
	{ "change-forbidden", ACT_WRITE, BOB, "/stacks/held/values.yaml", "a: 1\n", .refused = EACCES },
	{ "lock-of-another", ACT_WRITE, 0, "/stacks/held/lock", "reason=mine\n", .refused = EBUSY },
	{ "change-locked", ACT_WRITE, 0, "/stacks/held/values.yaml", "a: 1\n", .refused = EBUSY },
	{ "bad-values", ACT_WRITE, ALICE, "/stacks/prod/values.yaml", "a: [1\n", .refused = EINVAL },
	{ "circle", ACT_SYMLINK, ALICE, "/stacks/prod/deps/held", "../../held", .refused = ELOOP },
	{ "protected-name", ACT_RENAME, ALICE, "/stacks/prod", "/stacks/held", .refused = EEXIST },
	{ "control-half", ACT_CALL, ALICE, .call = control_half, .control = "half" },
	{ "control-silent", ACT_CALL, ALICE, .call = control_silent, .control = "silent" },
	{ "control-crash", ACT_CALL, ALICE, .call = control_crash, .control = "crash" },
	{ "control-leak", ACT_CALL, ALICE, .call = control_leak, .control = "leak" },
};
const size_t operation_count = sizeof(operations) / sizeof(operations[0]);

static const struct operation furniture[] = {
	{ "", ACT_CHMOD, 0, "/state", .number = 01777 },
	{ "", ACT_CHMOD, 0, "/locks", .number = 01777 },
	{ "", ACT_CHMOD, 0, "/secrets", .number = 01777 },
	{ "", ACT_MKDIR, ALICE, "/stacks/held", .number = 0755 },
	{ "", ACT_MKDIR, ALICE, "/stacks/busy", .number = 0755 },
	{ "", ACT_MKDIR, ALICE, "/stacks/gone", .number = 0755 },
	{ "", ACT_WRITE, ALICE, "/stacks/gone/values.yaml", "a: 1\n" },
	{ "", ACT_RMDIR, ALICE, "/stacks/gone" },
	{ "", ACT_SYMLINK, ALICE, "/stacks/held/deps/prod", "../../prod" },
	{ "", ACT_WRITE, ALICE, "/stacks/held/lock", "reason=\"long\" ttl=1h\n" },
	{ "", ACT_WRITE, ALICE, "/locks/named", "mine\n" },
	{ "", ACT_WRITE, ALICE, "/stacks/prod/tags/web", "" },
	{ "", ACT_WRITE, ALICE, "/stacks/prod/state/word", "head\n" },
	{ "", ACT_WRITE, ALICE, "/stacks/prod/snapshots/new", "second\n" },
	{ "", ACT_SYMLINK, ALICE, "/stacks/prod/snapshots/kept", "v3" },
	{ "", ACT_MKDIR, ALICE, "/state/shared", .number = 0755 },
	{ "", ACT_MKDIR, ALICE, "/state/empty", .number = 0755 },
	{ "", ACT_WRITE, ALICE, "/secrets/old", "hunter1" },
};

void operations_prepare(struct play *play)
{
	for (size_t i = 0; i < sizeof(furniture) / sizeof(furniture[0]); i++) {
		int r = play_do(play, &furniture[i]);

		if (r < 0) {
			fprintf(stderr, "%s: %s: %s\n", furniture[i].path, strerror(-r),
				play->request.fault.text);
			abort();
		}
	}
	must(put_motd(play, MOTD("0644"), "applied") == 0);
	must(put_hosts(play) == 0);
	begin_run(play);
	must(engine_turn_end(play->home.engine) == 0);
	must(make_backup(play) == 0);
}
