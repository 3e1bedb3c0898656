/* SPDX-License-Identifier: MIT */
/* Sealing and opening: XChaCha20-Poly1305, a random nonce each. */
#include "engine/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/keyring.h"

static const char mark[] = "sealed:1:";

enum {
	NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	ID_SIZE = 24,
};

bool seal_is(const char *text, size_t size)
{
	return size >= sizeof(mark) - 1 && !memcmp(text, mark, sizeof(mark) - 1);
}

static char *sealed_text(int64_t key_id, const unsigned char *bytes, size_t size)
{
	size_t room = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(sizeof(mark) + ID_SIZE + room);
	int n;

	if (!text)
		return NULL;
	n = snprintf(text, sizeof(mark) + ID_SIZE, "%s%lld:", mark, (long long)key_id);
	sodium_bin2base64(text + n, room, bytes, size, sodium_base64_VARIANT_ORIGINAL);
	return text;
}

int seal_make(struct engine *engine, const char *what, const void *plain, size_t size, struct fault *fault,
	char **ret_text)
{
	CLEANUP(cleanup_free) unsigned char *bytes = malloc(NONCE_SIZE + size + TAG_SIZE);
	const unsigned char *key;
	int64_t id;
	char *text;
	int r = bytes ? keyring_current(engine->keys, fault, &id, &key) : -ENOMEM;

	if (r < 0)
		return r;
	randombytes_buf(bytes, NONCE_SIZE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + NONCE_SIZE, NULL, plain, size,
		(const unsigned char *)what, strlen(what), NULL, bytes, key);
	text = sealed_text(id, bytes, NONCE_SIZE + size + TAG_SIZE);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

/* "sealed:1:KEY:BASE64" → the key's id and the bytes. */
static int sealed_parse(const char *text, int64_t *ret_id, struct buffer *ret_bytes)
{
	char id[ID_SIZE];
	const char *colon;
	size_t size;

	if (!seal_is(text, strlen(text)))
		return -EBADMSG;
	text += sizeof(mark) - 1;
	colon = strchr(text, ':');
	if (!colon || colon == text || colon - text >= ID_SIZE)
		return -EBADMSG;
	memcpy(id, text, (size_t)(colon - text));
	id[colon - text] = '\0';
	if (parse_int64(id, ret_id) < 0)
		return -EBADMSG;
	text = colon + 1;
	if (buffer_truncate(ret_bytes, strlen(text) + 1) < 0)
		return -ENOMEM;
	if (sodium_base642bin((unsigned char *)ret_bytes->data, ret_bytes->size, text, strlen(text), NULL,
		    &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return -EBADMSG;
	return size < NONCE_SIZE + TAG_SIZE ? -EBADMSG : buffer_truncate(ret_bytes, size);
}

static int damaged(const char *what, struct fault *fault)
{
	return fault_set(fault, EBADMSG, "the sealed value of %s is damaged, or was sealed as another", what);
}

int seal_open(struct engine *engine, const char *what, const char *text, struct fault *fault,
	struct buffer *ret_plain)
{
	CLEANUP(buffer_done) struct buffer bytes = { 0 };
	const unsigned char *key, *box;
	unsigned char nothing; /* where an empty value goes: its buffer has no memory */
	size_t size;
	int64_t id;
	int r = sealed_parse(text, &id, &bytes);

	if (r < 0)
		return r == -EBADMSG ? damaged(what, fault) : r;
	r = keyring_find(engine->keys, id, fault, &key);
	if (r < 0)
		return r;
	size = bytes.size - NONCE_SIZE - TAG_SIZE;
	if (buffer_truncate(ret_plain, size) < 0)
		return -ENOMEM;
	box = (const unsigned char *)bytes.data;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(size ? (unsigned char *)ret_plain->data : &nothing,
		    NULL, NULL, box + NONCE_SIZE, size + TAG_SIZE, (const unsigned char *)what, strlen(what),
		    box, key) != 0)
		return damaged(what, fault);
	return 0;
}
