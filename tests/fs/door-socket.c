/* SPDX-License-Identifier: MIT */
/* Operations through the socket. */
#include "tests/fs/doors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static void socket_stat(const char *path, struct result *result)
{
	struct fault fault = { 0 };
	json_t *attr = NULL;
	const char *type;
	int r = client_stat(&doors.client, path, &fault, &attr);

	result->error = -r;
	if (r < 0)
		return;
	type = json_string_value(json_object_get(attr, "type"));
	if (!strcmp(type, "dir"))
		sprintf(result->text, "dir %llo", json_integer_value(json_object_get(attr, "mode")));
	else
		sprintf(result->text, "%s %llo %lld", type, json_integer_value(json_object_get(attr, "mode")),
			json_integer_value(json_object_get(attr, "size")));
	json_decref(attr);
}

static void socket_list(const char *path, struct result *result)
{
	struct fault fault = { 0 };
	json_t *entries = NULL, *entry;
	size_t i;

	result->error = -client_list(&doors.client, path, false, &fault, &entries);
	json_array_foreach (entries, i, entry) {
		strcat(result->text, json_string_value(json_object_get(entry, "name")));
		strcat(result->text, " ");
	}
	json_decref(entries);
}

static void socket_xattr(enum verb verb, const char *path, const char *arg, struct result *result)
{
	const char *value = arg ? strchr(arg, '=') : NULL;
	const char *op = verb == LISTXATTR  ? "listxattr"
			 : verb == GETXATTR ? "getxattr"
			 : value	    ? "setxattr"
					    : "removexattr";
	CLEANUP(answer_done) struct answer answer = { 0 };
	struct fault fault = { 0 };
	json_t *name;
	size_t i;

	result->error = -client_call(&doors.client, op,
		json_pack("{s:s, s:s%}", "path", path, "name", arg ? arg : "",
			arg ? (value ? (size_t)(value - arg) : strlen(arg)) : 0),
		value ? value + 1 : NULL, value ? strlen(value + 1) : 0, &fault, &answer);
	snprintf(result->text, sizeof(result->text), "%s", buffer_text(&answer.body));
	json_array_foreach (json_object_get(answer.head, "names"), i, name) {
		strcat(result->text, json_string_value(name));
		strcat(result->text, " ");
	}
	if (result->error == EINVAL)
		assert_true(strlen(fault.text) > 10);
}

void through_socket(const struct row *row, const char *path, const char *arg, struct result *result)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	struct fault fault = { 0 };
	char *target = NULL;
	json_t *fields = NULL;
	const char *op = NULL;
	int r = 0;

	switch (row->verb) {
	case MKDIR:
		op = "mkdir";
		fields = json_pack("{s:s, s:i}", "path", path, "mode", (int)strtol(arg, NULL, 8));
		break;
	case RMDIR:
		op = "rmdir";
		fields = json_pack("{s:s}", "path", path);
		break;
	case UNLINK:
		op = "unlink";
		fields = json_pack("{s:s}", "path", path);
		break;
	case RENAME:
		op = "rename";
		fields = json_pack("{s:s, s:s}", "from", path, "to", arg);
		break;
	case CHMOD:
		op = "setattr";
		fields = json_pack("{s:s, s:i}", "path", path, "mode", (int)strtol(arg, NULL, 8));
		break;
	case LINK:
		op = "symlink";
		fields = json_pack("{s:s, s:s}", "path", path, "target", arg);
		break;
	case READLINK:
		r = client_readlink(&doors.client, path, &fault, &target);
		snprintf(result->text, sizeof(result->text), "%s", target ? target : "");
		free(target);
		break;
	case WRITE:
		r = client_write(&doors.client, path, arg, strlen(arg), &fault, NULL);
		break;
	case READ:
		r = client_read(&doors.client, path, &fault, &content);
		snprintf(result->text, sizeof(result->text), "%s", buffer_text(&content));
		break;
	case LIST:
		socket_list(path, result);
		return;
	case STAT:
		socket_stat(path, result);
		return;
	case SETXATTR:
	case GETXATTR:
	case LISTXATTR:
		socket_xattr(row->verb, path, arg, result);
		return;
	}
	if (op)
		r = client_call(&doors.client, op, fields, NULL, 0, &fault, NULL);
	result->error = -r;
	/* Whoever wrote the input gets a sentence, not only a number. */
	if (r == -EINVAL && row->verb != READLINK)
		assert_true(strlen(fault.text) > 10);
}
