/* SPDX-License-Identifier: MIT */
/*
 * stacks/S/state.ctl and state.ctl: what one file can't do at once with reading and writing, each line a
 * transaction. Whoever has the file open for reading, too, reads there what came of it.
 */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/flaw.h"
#include "engine/clock.h"
#include "engine/event.h"
#include "engine/folder.h"
#include "fs/nodes/state.h"

enum { WORDS_MAX = 8 };
enum { TAKES_TTL = 1, TAKES_TYPE = 2 };
enum { KEY_NONE, KEY_ONE, KEY_PATTERN }; /* what the first word is */

struct command {
	struct view *view;
	struct kv_scope scope;
	char key[NAME_SIZE];
	const char *pattern; /* NULL: all */
	char *words[WORDS_MAX];
	size_t count;
	int64_t ttl_ms; /* as of kv_set() */
	const char *type;
	FILE *out; /* the answer */
};

/* The words behind the key. */
static const char *word(const struct command *command, size_t i)
{
	return i < command->count ? command->words[i] : "";
}

static int parse_word(struct command *command, size_t i, json_t **ret_value)
{
	return kv_value_parse(
		word(command, i), strlen(word(command, i)), command->type, command->view->fault, ret_value);
}

static int changed(struct command *command, const char *type)
{
	return key_note_event(command->view, type, command->scope, command->key);
}

static int answer_value(struct command *command, const json_t *value)
{
	CLEANUP(cleanup_free) char *text = kv_value_text(value);

	if (!text)
		return -ENOMEM;
	fprintf(command->out, "%s\n", text);
	return changed(command, "state.set");
}

static int do_set(struct command *command)
{
	json_auto_t *value = NULL;
	int r = parse_word(command, 0, &value);

	if (r == 0)
		r = kv_set(command->view->engine, command->scope, command->key, value, command->ttl_ms);
	return r < 0 ? r : changed(command, "state.set");
}

static int do_add(struct command *command)
{
	struct kv kv;
	int r = kv_find(command->view->engine, command->scope, command->key, &kv, NULL);

	if (r == 0)
		return fault_set(command->view->fault, EEXIST, "there is a key %s already", command->key);
	return r == -ENOENT ? do_set(command) : r;
}

static int add_number(struct command *command, bool down)
{
	json_auto_t *delta = NULL, *value = NULL;
	int r;

	command->type = "number";
	r = command->count ? parse_word(command, 0, &delta) : 0;
	if (r == 0 && !command->count)
		delta = json_integer(1);
	if (r == 0 && down)
		r = kv_number_negate(&delta, command->view->fault);
	if (r == 0)
		r = kv_increment(command->view->engine, command->scope, command->key, delta,
			command->view->fault, &value);
	return r < 0 ? r : answer_value(command, value);
}

static int do_incr(struct command *command)
{
	return add_number(command, false);
}

static int do_decr(struct command *command)
{
	return add_number(command, true);
}

static int do_append(struct command *command)
{
	json_auto_t *value = NULL;
	int r = kv_append(command->view->engine, command->scope, command->key, word(command, 0),
		command->view->fault, &value);

	return r < 0 ? r : answer_value(command, value);
}

static int do_push(struct command *command)
{
	json_auto_t *item = NULL;
	int64_t length;
	int r = parse_word(command, 0, &item);

	if (r == 0)
		r = kv_list_push(command->view->engine, command->scope, command->key, item,
			command->view->fault, &length);
	if (r < 0)
		return r;
	fprintf(command->out, "%lld\n", (long long)length);
	return changed(command, "state.set");
}

static int do_pop(struct command *command)
{
	json_auto_t *item = NULL;
	int r = kv_list_pop(command->view->engine, command->scope, command->key, command->view->fault, &item);

	if (r == 0 && !item)
		return fault_set(command->view->fault, ENOENT, "the list %s is empty", command->key);
	return r < 0 ? r : answer_value(command, item);
}

/* What is compared is what the file shows; with type= the value itself. */
static int do_cas(struct command *command)
{
	CLEANUP(cleanup_free) char *text = NULL;
	json_auto_t *old = NULL, *expected = NULL, *value = NULL;
	struct engine *engine = command->view->engine;
	bool same;
	int r = kv_find(engine, command->scope, command->key, NULL, &old);

	if (r == -ENOENT)
		return fault_set(command->view->fault, ESTALE, "there is no key %s", command->key);
	if (r == 0)
		r = parse_word(command, 0, &expected);
	if (r == 0)
		r = parse_word(command, 1, &value);
	if (r < 0)
		return r;
	text = kv_value_text(old);
	if (!text)
		return -ENOMEM;
	same = command->type ? json_equal(old, expected) : !strcmp(text, word(command, 0));
	if (!same && !flaw_rarely("swap-race", 16))
		return fault_set(command->view->fault, ESTALE, "%s is %.512s, not %.512s", command->key, text,
			word(command, 0));
	r = kv_set(engine, command->scope, command->key, value, -1);
	return r < 0 ? r : answer_value(command, value);
}

static int do_ttl(struct command *command)
{
	int64_t ttl_ms = 0;
	int r;

	if (strcmp(word(command, 0), "none") != 0 && duration_parse(word(command, 0), &ttl_ms) < 0)
		return fault_set(command->view->fault, EINVAL,
			"a ttl is a duration like 30s, 5m or 1h30m, or none, not %.64s", word(command, 0));
	r = kv_set_ttl(command->view->engine, command->scope, command->key, ttl_ms);
	return r < 0 ? r : changed(command, "state.ttl");
}

static int do_delete(struct command *command)
{
	int r = kv_delete(command->view->engine, command->scope, command->key);

	return r < 0 ? r : changed(command, "state.deleted");
}

static bool matches(const struct command *command, const char *key)
{
	return !command->pattern || fnmatch(command->pattern, key, 0) == 0;
}

static int list_one(void *userdata, const struct kv *kv, const char *value)
{
	struct command *command = userdata;
	json_auto_t *object = NULL;
	char text[32];

	if (!matches(command, kv->name))
		return 0;
	object = json_pack("{s:s, s:o, s:s}", "key", kv->name, "value",
		json_loads(value, JSON_DECODE_ANY, NULL), "updated", time_format(kv->updated_ms, text));
	if (object && kv->expires_ms)
		json_object_set_new(
			object, "ttl_ms", json_integer(kv->expires_ms - clock_now_ms(command->view->engine)));
	if (!object || json_dumpf(object, command->out, JSON_SORT_KEYS | JSON_COMPACT) < 0)
		return -ENOMEM;
	fputc('\n', command->out);
	return 0;
}

static int do_list(struct command *command)
{
	return kv_each(command->view->engine, command->scope, list_one, command);
}

static int do_show(struct command *command)
{
	CLEANUP(cleanup_free) char *text = NULL;
	json_auto_t *value = NULL;
	struct kv kv;
	int r = kv_find(command->view->engine, command->scope, command->key, &kv, &value);

	if (r < 0)
		return r;
	text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
	return text ? list_one(command, &kv, text) : -ENOMEM;
}

struct names {
	struct command *command;
	json_t *list;
};

static int collect_one(void *userdata, const struct kv *kv, const char *value)
{
	struct names *names = userdata;

	return matches(names->command, kv->name) ? json_array_append_new(names->list, json_string(kv->name))
						 : 0;
}

static int do_clear(struct command *command)
{
	json_auto_t *list = json_array();
	struct names names = { command, list };
	json_t *name;
	size_t i;
	int r = kv_each(command->view->engine, command->scope, collect_one, &names);

	json_array_foreach (list, i, name) {
		if (r == 0)
			r = kv_delete(command->view->engine, command->scope, json_string_value(name));
	}
	if (r < 0)
		return r;
	fprintf(command->out, "%zu\n", json_array_size(list));
	snprintf(command->key, sizeof(command->key), "%s", command->pattern ? command->pattern : "*");
	return json_array_size(list) ? changed(command, "state.cleared") : 0;
}

static const struct verb {
	const char *name, *usage;
	int key;
	size_t min, max; /* words behind the key */
	int options, want;
	int (*run)(struct command *command);
} verbs[] = {
	{ "set", "KEY VALUE [ttl=DURATION] [type=TYPE]", KEY_ONE, 1, 1, TAKES_TTL | TAKES_TYPE, MAY_WRITE,
		do_set },
	{ "add", "KEY VALUE [ttl=DURATION] [type=TYPE]", KEY_ONE, 1, 1, TAKES_TTL | TAKES_TYPE, MAY_WRITE,
		do_add },
	{ "cas", "KEY OLD NEW [type=TYPE]", KEY_ONE, 2, 2, TAKES_TYPE, MAY_READ | MAY_WRITE, do_cas },
	{ "incr", "KEY [NUMBER]", KEY_ONE, 0, 1, 0, MAY_READ | MAY_WRITE, do_incr },
	{ "decr", "KEY [NUMBER]", KEY_ONE, 0, 1, 0, MAY_READ | MAY_WRITE, do_decr },
	{ "append", "KEY TEXT", KEY_ONE, 1, 1, 0, MAY_READ | MAY_WRITE, do_append },
	{ "push", "KEY VALUE [type=TYPE]", KEY_ONE, 1, 1, TAKES_TYPE, MAY_READ | MAY_WRITE, do_push },
	{ "pop", "KEY", KEY_ONE, 0, 0, 0, MAY_READ | MAY_WRITE, do_pop },
	{ "ttl", "KEY DURATION|none", KEY_ONE, 1, 1, 0, MAY_WRITE, do_ttl },
	{ "delete", "KEY", KEY_ONE, 0, 0, 0, MAY_WRITE | KV_REMOVES, do_delete },
	{ "clear", "[PATTERN]", KEY_PATTERN, 0, 0, 0, MAY_WRITE | KV_REMOVES, do_clear },
	{ "show", "KEY", KEY_ONE, 0, 0, 0, MAY_READ, do_show },
	{ "list", "[PATTERN]", KEY_PATTERN, 0, 0, 0, MAY_READ, do_list },
};

enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]) };

int state_ctl_show(struct view *view, FILE *out)
{
	const char *start = view->id ? "" : "NAMESPACE/";

	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(out, "%s %s%s\n", verbs[i].name,
			verbs[i].key == KEY_PATTERN && !view->id ? start
			: verbs[i].usage[0] == '['		 ? ""
								 : start,
			verbs[i].usage);
	return 0;
}

/* Who may use the folder state/ may open the file; what each may do is asked of each namespace. */
int state_ctl_object(struct view *view, struct object *ret_object)
{
	struct folder folder;
	int r = folder_get(view->engine, "state", &folder);

	if (r < 0)
		return r;
	*ret_object =
		(struct object){ folder.uid, folder.gid, (folder.mode & 0111) * 6, view->tree->started_ms };
	return 0;
}

/* ttl= and type= at the end of the words. */
static int take_options(struct command *command, const struct verb *verb)
{
	while (command->count > verb->max) {
		char *last = command->words[command->count - 1];

		if ((verb->options & TAKES_TYPE) && !strncmp(last, "type=", 5))
			command->type = last + 5;
		else if (!(verb->options & TAKES_TTL) || strncmp(last, "ttl=", 4) != 0)
			break;
		else if (duration_parse(last + 4, &command->ttl_ms) < 0)
			return fault_set(command->view->fault, EINVAL,
				"%.64s: it must be a duration like 30s, 5m or 1h30m", last);
		command->count--;
	}
	if (command->count >= verb->min && command->count <= verb->max)
		return 0;
	return fault_set(command->view->fault, EINVAL, "usage: %s %s%s", verb->name,
		command->view->id ? "" : "NAMESPACE/", verb->usage);
}

/* The file's mode lets all in who may do anything at all (object_stack_ctl()). */
static int may_use_stack(struct command *command, int want)
{
	struct view *view = command->view;
	struct stack stack;
	int r = stack_get(view->engine, view->id, &stack);

	if (r == 0 && (want & MAY_READ) && stack_access(view->caller, &stack, MAY_READ) < 0)
		return fault_set(view->fault, EACCES, "you may not read the stack %s", stack.name);
	if (r == 0 && (want & MAY_WRITE) && stack_access(view->caller, &stack, MAY_WRITE) < 0)
		return fault_set(view->fault, EACCES, "you may not change the stack %s", stack.name);
	if (r == 0 && (want & MAY_WRITE))
		r = key_may_change(view, command->scope);
	return r;
}

/* The first word: KEY or PATTERN, behind NAMESPACE/ where there are several. */
static int take_key(struct command *command, const struct verb *verb, char *name)
{
	struct view *view = command->view;
	char *slash = view->id ? NULL : strchr(name, '/');
	int r = 0;

	command->scope = (struct kv_scope){ .stack_id = view->id, .caller = view->caller };
	if (!view->id) {
		if (slash)
			*slash = '\0';
		if (!*name || (!slash && verb->key == KEY_ONE))
			return fault_set(view->fault, EINVAL, "here a key is NAMESPACE/KEY");
		r = kv_namespace_open(view->engine, view->caller, name, verb->want, view->fault,
			&command->scope.namespace_id);
		name = slash ? slash + 1 : name + strlen(name);
	} else {
		r = may_use_stack(command, verb->want);
	}
	if (r < 0)
		return r;
	if (verb->key == KEY_PATTERN) {
		command->pattern = *name ? name : NULL;
		return strlen(name) > KV_PATTERN_MAX
			       ? fault_set(view->fault, EINVAL, "a pattern has at most %d bytes",
					 KV_PATTERN_MAX)
			       : 0;
	}
	r = key_of_file(name, command->key);
	return r < 0 ? fault_set(view->fault, EINVAL,
			       "\"%.64s\" is no key: letters, digits, '.', '_' and '-', all other bytes as "
			       "%%XX",
			       name)
		     : 0;
}

static int do_verb(struct command *command, const struct verb *verb)
{
	char none[] = "";
	bool given = command->count > 0;
	char *name = given ? command->words[0] : none;
	int r;

	if (given)
		memmove(command->words, command->words + 1, --command->count * sizeof(command->words[0]));
	r = !given && verb->key == KEY_ONE
		    ? fault_set(command->view->fault, EINVAL, "usage: %s %s%s", verb->name,
			      command->view->id ? "" : "NAMESPACE/", verb->usage)
		    : take_options(command, verb);
	if (r == 0)
		r = take_key(command, verb, name);
	if (r == 0)
		r = verb->run(command);
	if (r == -ENOENT)
		fault_default(command->view->fault, ENOENT, "there is no key %s", command->key);
	return kv_explain(command->view->engine, r, command->view->fault);
}

static const struct verb *find_verb(struct fault *fault, const char *name)
{
	const char *names[VERB_COUNT], *nearest;

	for (size_t i = 0; i < VERB_COUNT; i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
		names[i] = verbs[i].name;
	}
	nearest = text_nearest(name, names, VERB_COUNT);
	fault_set(fault, EINVAL, "there is no command \"%.64s\"%s%s%s: `cat` this file for all", name,
		nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
	return NULL;
}

int state_ctl_write(struct view *view, const char *line, size_t size)
{
	CLEANUP(cleanup_free) char *copy = strndup(line, size);
	CLEANUP(buffer_done) struct buffer answer = { 0 };
	struct command command = { .view = view, .ttl_ms = -1 };
	const struct verb *verb;
	char *next = copy, *name;
	int r, r2;

	if (!copy)
		return -ENOMEM;
	r = text_next_word(&next, &name);
	if (r == 0)
		return 0; /* an empty line */
	verb = r > 0 ? find_verb(view->fault, name) : NULL;
	if (r > 0 && !verb)
		return -EINVAL;
	while (r > 0 && command.count < WORDS_MAX &&
		(r = text_next_word(&next, &command.words[command.count])) > 0)
		command.count++;
	if (r != 0)
		return fault_set(view->fault, EINVAL,
			r < 0 ? "a quote is not closed" : "too many words: quote a value that has blanks");
	command.out = buffer_stream_open(&answer);
	if (!command.out)
		return -ENOMEM;
	r = do_verb(&command, verb);
	r2 = buffer_stream_close(command.out, &answer);
	if (r == 0)
		r = r2;
	return r == 0 && view->answer ? buffer_append(view->answer, answer.data, answer.size) : r;
}
