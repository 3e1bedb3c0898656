/* SPDX-License-Identifier: MIT */
/* Values as people write them: a text, and the type that it is meant to have. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/kv.h"

/* As kv_type_name() names them. Of two rows with one name, either will do. */
static const struct {
	const char *name;
	json_type type;
} types[] = {
	{ "object", JSON_OBJECT },
	{ "array", JSON_ARRAY },
	{ "string", JSON_STRING },
	{ "number", JSON_INTEGER },
	{ "number", JSON_REAL },
	{ "boolean", JSON_TRUE },
	{ "boolean", JSON_FALSE },
};

enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

const char *kv_type_name(const json_t *value)
{
	for (size_t i = 0; i < TYPE_COUNT; i++)
		if (types[i].type == json_typeof(value))
			return types[i].name;
	return "null";
}

static bool type_known(const char *type)
{
	for (size_t i = 0; i < TYPE_COUNT; i++)
		if (!strcmp(types[i].name, type))
			return true;
	return false;
}

int kv_value_parse(const char *text, size_t size, const char *type, struct fault *fault, json_t **ret_value)
{
	bool any = type && !strcmp(type, "json");
	json_auto_t *value = NULL;
	json_error_t error;

	if (!type || !strcmp(type, "string")) {
		/* JSON knows a NUL; whoever reads the value again would not. */
		if (!text_is_utf8(text, size))
			return fault_set(fault, EINVAL, "the value is no UTF-8 text");
		value = json_stringn(text, size);
		if (!value)
			return -ENOMEM;
		*ret_value = json_incref(value);
		return 0;
	}
	if (!any && !type_known(type))
		return fault_set(fault, EINVAL,
			"there is no type \"%.32s\": it is string, number, boolean, array, object, or json "
			"for "
			"whatever it looks like",
			type);
	value = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	if (!value || json_is_null(value))
		return fault_set(fault, EINVAL, "the value is no JSON%s%s%s", any ? "" : " of the type ",
			any ? ": " : type, any ? (value ? "null means that there is none" : error.text) : "");
	if (!any && strcmp(kv_type_name(value), type) != 0)
		return fault_set(
			fault, EINVAL, "the value is of the type %s, not %s", kv_type_name(value), type);
	*ret_value = json_incref(value);
	return 0;
}

char *kv_value_text(const json_t *value)
{
	if (json_is_string(value))
		return strdup(json_string_value(value));
	return json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
}

int kv_value_retype(const json_t *old, const char *type, struct fault *fault, json_t **ret_value)
{
	CLEANUP(cleanup_free) char *text = kv_value_text(old);

	return text ? kv_value_parse(text, strlen(text), type, fault, ret_value) : -ENOMEM;
}

json_t *kv_value_number(json_t *value)
{
	json_t *number;

	if (json_is_number(value))
		return json_incref(value);
	if (!json_is_string(value))
		return NULL;
	number = json_loadb(json_string_value(value), json_string_length(value), JSON_DECODE_ANY, NULL);
	if (json_is_number(number))
		return number;
	json_decref(number);
	return NULL;
}

int kv_number_negate(json_t **number, struct fault *fault)
{
	long long negative;
	json_t *result;

	if (!json_is_integer(*number))
		result = json_real(-json_real_value(*number));
	else if (__builtin_sub_overflow(0, json_integer_value(*number), &negative))
		return fault_set(fault, EINVAL, "the number does not fit into 64 bits");
	else
		result = json_integer(negative);
	if (!result)
		return -ENOMEM;
	json_decref(*number);
	*number = result;
	return 0;
}
