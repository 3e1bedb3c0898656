/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Transfers over the network by libcurl, on the runner's loop: any number can be under way, of which some are
 * active and the others wait in turn. One thread (libcurl's own threads look up names); a run has one struct
 * web, made at its first transfer.
 *
 * A transfer is made, gets its options, is started, and is over when `done` is called. Whoever made it frees
 * it, at any time.
 */
#include <ev.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "lua/curl.h"

struct web;

/* What is received goes into memory, or into a file that has its name only when all of it is there. */
struct transfer {
	TAILQ_ENTRY(transfer) link; /* of those that wait */
	struct web *web;
	CURL *easy;
	bool waits, active;
	struct curl_slist *headers, *recipients;
	struct buffer head; /* the last answer's header lines */
	struct buffer body;
	int64_t received, limit; /* bytes; limit 0: none */
	char *upload;		 /* what is sent by pieces: mail */
	size_t upload_size, upload_done;
	int fd; /* -1: into memory */
	char *path, *spare;
	crypto_hash_sha256_state hash; /* of the file */
	CURLcode result;
	struct fault fault; /* our own reason to break it off; empty: none */
	char error[CURL_ERROR_SIZE];
	void (*done)(struct transfer *transfer);
	void *userdata;
};

/* 0, or -errno with the sentence: -ENOSYS without libcurl. */
int web_new(struct ev_loop *loop, struct fault *fault, struct web **ret_web);
/* All transfers are freed already. */
void web_free(struct web *web);

/* Knows HTTP and HTTPS, or SMTP only. NULL: out of memory. */
struct transfer *transfer_new(struct web *web, const char *protocols);
void transfer_free(struct transfer *transfer);

/* -EINVAL when this libcurl does not know the option. */
int transfer_set_text(struct transfer *transfer, CURLoption option, const char *value);
int transfer_set_number(struct transfer *transfer, CURLoption option, long value);
/* "Name: value" of a request; the recipient of a mail. */
int transfer_add_header(struct transfer *transfer, const char *line);
int transfer_add_recipient(struct transfer *transfer, const char *address);
/* What a request carries; copied. */
int transfer_set_body(struct transfer *transfer, const char *data, size_t size);
/* What a mail is; copied. */
int transfer_set_mail(struct transfer *transfer, const char *data, size_t size);
/* The answer goes to `path`: see transfer_keep(). */
int transfer_set_file(struct transfer *transfer, const char *path, struct fault *fault);

/* `done` is called from the loop, never from in here. */
void transfer_start(struct transfer *transfer, void (*done)(struct transfer *transfer), void *userdata);

/* How it went: 0, or -errno with a sentence. `ret_kind` (static): "connect", "timeout", "tls", "limit",
 * "other". */
int transfer_result(const struct transfer *transfer, struct fault *fault, const char **ret_kind);

/* What the answer was; `url` is where it came from in the end, borrowed. */
struct transfer_facts {
	long status;
	const char *url;
	double seconds;
};
void transfer_facts(const struct transfer *transfer, struct transfer_facts *ret_facts);

/* The file that was received gets its name, and these permissions. Without this call it is gone with the
 * transfer. */
int transfer_keep(struct transfer *transfer, mode_t mode, struct fault *fault);
/* Its SHA-256 in hexadecimal digits. */
enum { TRANSFER_HASH_SIZE = crypto_hash_sha256_BYTES * 2 + 1 };
void transfer_hash(struct transfer *transfer, char ret_hex[TRANSFER_HASH_SIZE]);
