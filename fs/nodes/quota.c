/* SPDX-License-Identifier: MIT */
/* What users have, and what they may have. */
#include <errno.h>

#include "engine/quota.h"
#include "fs/nodes/nodes.h"

struct showing {
	struct engine *engine;
	FILE *out;
	json_t *users; /* instead of `out` */
};

/* USER WHAT HAS MAY-HAVE */
static int user_show(void *userdata, uid_t uid)
{
	struct showing *showing = userdata;

	for (enum quota quota = 0; quota < QUOTA_COUNT; quota++) {
		int64_t limit = quota_limit(showing->engine, uid, quota);

		fprintf(showing->out, "%-16s %-12s %10lld ", caller_login(uid), quota_name(quota),
			(long long)quota_used(showing->engine, uid, quota));
		if (limit < 0)
			fputs("         -\n", showing->out);
		else
			fprintf(showing->out, "%10lld\n", (long long)limit);
	}
	return 0;
}

static int user_json(void *userdata, uid_t uid)
{
	struct showing *showing = userdata;
	json_t *quotas = json_object();
	int r = 0;

	for (enum quota quota = 0; quota < QUOTA_COUNT; quota++) {
		int64_t limit = quota_limit(showing->engine, uid, quota);

		r |= json_object_set_new(quotas, quota_name(quota),
			json_pack("{s:I, s:o}", "used", (json_int_t)quota_used(showing->engine, uid, quota),
				"limit", limit < 0 ? json_null() : json_integer(limit)));
	}
	r |= json_array_append_new(showing->users, json_pack("{s:I, s:s, s:o}", "uid", (json_int_t)uid,
							   "user", caller_login(uid), "quotas", quotas));
	return r < 0 ? -ENOMEM : 0;
}

/* A user's are his own business, and root's. */
static int each_shown(struct view *view, int (*each)(void *userdata, uid_t uid), struct showing *showing)
{
	uid_t uid = view->caller->uid;

	return uid == 0 || uid == view->tree->uid ? quota_each_user(view->engine, each, showing)
						  : each(showing, uid);
}

int quota_show(struct view *view, FILE *out)
{
	struct showing showing = { .engine = view->engine, .out = out };

	return each_shown(view, user_show, &showing);
}

int quota_json_show(struct view *view, FILE *out)
{
	json_auto_t *root = json_pack("{s:[]}", "users");
	struct showing showing = { .engine = view->engine, .users = json_object_get(root, "users") };
	int r = root ? each_shown(view, user_json, &showing) : -ENOMEM;

	if (r < 0)
		return r;
	json_dumpf(root, out, JSON_SORT_KEYS | JSON_INDENT(2));
	fputc('\n', out);
	return 0;
}
