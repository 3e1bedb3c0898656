/* SPDX-License-Identifier: MIT */
/* What runs ask for about secrets. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/calls.h"
#include "engine/seal.h"
#include "engine/secret.h"

/* Bytes as JSON: {"text"} or {"base64"}. */
static json_t *value_json(const struct buffer *value)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t room = sodium_base64_encoded_len(value->size, sodium_base64_VARIANT_ORIGINAL);

	if (text_is_utf8(buffer_text(value), value->size))
		return json_pack("{s:s%}", "text", buffer_text(value), value->size);
	text = malloc(room);
	if (!text)
		return NULL;
	sodium_bin2base64(
		text, room, (const unsigned char *)value->data, value->size, sodium_base64_VARIANT_ORIGINAL);
	return json_pack("{s:s}", "base64", text);
}

static int get_secret(struct call *call)
{
	CLEANUP(buffer_wipe) struct buffer value = { 0 };
	struct secret secret;
	const char *name;
	int r = call_need_text(call, "name", &name);

	if (r == 0)
		r = secret_find(call->engine, name, &secret);
	if (r == -ENOENT)
		return fault_set(&call->fault, ENOENT, "there is no secret %s", name);
	if (r == 0)
		r = secret_value(call->engine, &call->caller, secret.id, &call->fault, &value);
	if (r == -EBADMSG)
		return -EUCLEAN; /* this one value, and not the store: asking again would be of no use */
	if (r == 0)
		r = secret_note_read(
			call->engine, &call->caller, secret.id, call->run.stack_id, call->run.stack);
	if (r == 0)
		r = runner_hand(call->runner, buffer_text(&value), value.size, &call->fault);
	if (r < 0)
		return r;
	call->value = value_json(&value);
	return call->value ? 0 : -ENOMEM;
}

const struct call_row secret_calls[] = {
	{ "secret.get", get_secret, false },
	{ NULL },
};
