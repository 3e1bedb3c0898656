/* SPDX-License-Identifier: MIT */
/* JSON written in one pass. */
#include "lua/json-write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json-text.h"

static void add(struct json_write *write, const char *data, size_t size)
{
	if (!write->failed && buffer_append(&write->text, data, size) < 0)
		write->failed = true;
}

/* The comma before whatever is not the first of its list or object. */
static void separate(struct json_write *write)
{
	if (write->text.size && !strchr("{[:", write->text.data[write->text.size - 1]))
		add(write, ",", 1);
}

void json_write_open(struct json_write *write, char bracket)
{
	separate(write);
	add(write, &bracket, 1);
}

void json_write_close(struct json_write *write, char bracket)
{
	add(write, &bracket, 1);
}

void json_write_key(struct json_write *write, const char *name)
{
	separate(write);
	add(write, "\"", 1);
	add(write, name, strlen(name));
	add(write, "\":", 2);
}

void json_write_sized_text(struct json_write *write, const char *text, size_t size)
{
	size_t written = json_text_size(text, size);

	separate(write);
	add(write, "\"", 1);
	if (!write->failed && buffer_reserve(&write->text, write->text.size + written) < 0)
		write->failed = true;
	if (write->failed)
		return;
	json_text_write(text, size, write->text.data + write->text.size);
	write->text.size += written;
	add(write, "\"", 1);
}

void json_write_text(struct json_write *write, const char *text)
{
	if (text)
		json_write_sized_text(write, text, strlen(text));
	else
		json_write_value(write, NULL);
}

void json_write_integer(struct json_write *write, int64_t number)
{
	char text[32];

	separate(write);
	if (number >= 0 && number < 10) {
		text[0] = (char)('0' + number);
		add(write, text, 1);
		return;
	}
	add(write, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

void json_write_bool(struct json_write *write, bool value)
{
	separate(write);
	add(write, value ? "true" : "false", value ? 4 : 5);
}

static int add_part(const char *data, size_t size, void *userdata)
{
	add(userdata, data, size);
	return 0;
}

void json_write_value(struct json_write *write, const json_t *value)
{
	separate(write);
	if (!value)
		add(write, "null", 4);
	else if (json_dump_callback(value, add_part, write, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
		write->failed = true;
}
