/* SPDX-License-Identifier: MIT */
/* One transfer: what is sent, where the answer goes, how it ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build.h"
#include "lua/files.h"
#include "lua/web-internal.h"

enum { HEAD_MAX = 1 << 20 }; /* bytes of header lines of one answer */

/* Breaks it off: libcurl takes any other count than all for a failure. */
static size_t give_up(struct transfer *transfer, int error, const char *text)
{
	fault_set(&transfer->fault, error, "%s", text);
	return 0;
}

static int file_write(struct transfer *transfer, const char *data, size_t size)
{
	crypto_hash_sha256_update(&transfer->hash, (const unsigned char *)data, size);
	return files_write_all(transfer->fd, data, size);
}

static size_t on_body(char *data, size_t unit, size_t size, void *userdata)
{
	struct transfer *transfer = userdata;
	char text[100];
	int r;

	transfer->received += (int64_t)size;
	if (transfer->limit && transfer->received > transfer->limit) {
		snprintf(text, sizeof(text),
			"the answer has more than %lld bytes, which is the limit ('max_size')",
			(long long)transfer->limit);
		return give_up(transfer, EFBIG, text);
	}
	r = transfer->fd < 0 ? buffer_append(&transfer->body, data, size) : file_write(transfer, data, size);
	return r < 0 ? give_up(transfer, -r, strerror(-r)) : size;
}

static size_t on_header(char *data, size_t unit, size_t size, void *userdata)
{
	struct transfer *transfer = userdata;

	/* Another answer begins, after a redirect say. */
	if (size > 5 && !memcmp(data, "HTTP/", 5))
		buffer_truncate(&transfer->head, 0);
	if (transfer->head.size + size > HEAD_MAX)
		return give_up(transfer, EFBIG, "the header of the answer has more than 1 MiB");
	return buffer_append(&transfer->head, data, size) < 0 ? give_up(transfer, ENOMEM, "not enough memory")
							      : size;
}

static size_t on_upload(char *data, size_t unit, size_t room, void *userdata)
{
	struct transfer *transfer = userdata;
	size_t n = transfer->upload_size - transfer->upload_done;

	if (n > room * unit)
		n = room * unit;
	memcpy(data, transfer->upload + transfer->upload_done, n);
	transfer->upload_done += n;
	return n;
}

static curl_socket_t open_socket(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

struct transfer *transfer_new(struct web *web, const char *protocols)
{
	const struct curl *curl = web->curl;
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	if (!transfer)
		return NULL;
	transfer->web = web;
	transfer->fd = -1;
	transfer->easy = curl->easy_init();
	/* A redirect to file:// or another protocol is refused like a first address of that kind. */
	if (!transfer->easy || curl->setopt(transfer->easy, CURLOPT_PROTOCOLS_STR, protocols) != CURLE_OK ||
		curl->setopt(transfer->easy, CURLOPT_REDIR_PROTOCOLS_STR, protocols) != CURLE_OK) {
		transfer_free(transfer);
		return NULL;
	}
	curl->setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
	curl->setopt(transfer->easy, CURLOPT_ERRORBUFFER, transfer->error);
	curl->setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
	curl->setopt(transfer->easy, CURLOPT_QUICK_EXIT, 1L); /* never waits for a name's look-up */
	curl->setopt(transfer->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl->setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
	curl->setopt(transfer->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl->setopt(transfer->easy, CURLOPT_HEADERDATA, transfer);
	curl->setopt(transfer->easy, CURLOPT_ACCEPT_ENCODING, ""); /* all that it can unpack */
	curl->setopt(transfer->easy, CURLOPT_USERAGENT, "sloth/" SLOTH_VERSION);
	return transfer;
}

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	web_remove(transfer->web, transfer);
	if (transfer->easy)
		transfer->web->curl->easy_cleanup(transfer->easy);
	transfer->web->curl->slist_free(transfer->headers);
	transfer->web->curl->slist_free(transfer->recipients);
	if (transfer->fd >= 0)
		close(transfer->fd);
	if (transfer->spare)
		unlink(transfer->spare);
	buffer_done(&transfer->head);
	buffer_done(&transfer->body);
	free(transfer->upload);
	free(transfer->path);
	free(transfer->spare);
	free(transfer);
}

static int result_of(CURLcode code)
{
	if (code == CURLE_OK)
		return 0;
	return code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

int transfer_set_text(struct transfer *transfer, CURLoption option, const char *value)
{
	return result_of(transfer->web->curl->setopt(transfer->easy, option, value));
}

int transfer_set_number(struct transfer *transfer, CURLoption option, long value)
{
	return result_of(transfer->web->curl->setopt(transfer->easy, option, value));
}

static int list_add(struct transfer *transfer, struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = transfer->web->curl->slist_append(*list, text);

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

int transfer_add_header(struct transfer *transfer, const char *line)
{
	return list_add(transfer, &transfer->headers, line);
}

int transfer_add_recipient(struct transfer *transfer, const char *address)
{
	return list_add(transfer, &transfer->recipients, address);
}

int transfer_set_body(struct transfer *transfer, const char *data, size_t size)
{
	CURLcode code =
		transfer->web->curl->setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);

	if (code == CURLE_OK)
		code = transfer->web->curl->setopt(transfer->easy, CURLOPT_COPYPOSTFIELDS, data);
	return result_of(code);
}

int transfer_set_mail(struct transfer *transfer, const char *data, size_t size)
{
	const struct curl *curl = transfer->web->curl;

	transfer->upload = malloc(size + 1);
	if (!transfer->upload)
		return -ENOMEM;
	memcpy(transfer->upload, data, size);
	transfer->upload_size = size;
	curl->setopt(transfer->easy, CURLOPT_UPLOAD, 1L);
	curl->setopt(transfer->easy, CURLOPT_READFUNCTION, on_upload);
	curl->setopt(transfer->easy, CURLOPT_READDATA, transfer);
	curl->setopt(transfer->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
	return 0;
}

/* Beside its place, under a name that nobody else has. */
static char *spare_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name;

	return asprintf(&name, "%.*s.%.100s.XXXXXX", slash ? (int)(slash - path + 1) : 0, path,
		       slash ? slash + 1 : path) < 0
		       ? NULL
		       : name;
}

int transfer_set_file(struct transfer *transfer, const char *path, struct fault *fault)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return fault_set(fault, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, "%s is %s", path,
			S_ISDIR(st.st_mode) ? "a directory: name the file in it" : "not an ordinary file");
	transfer->path = strdup(path);
	transfer->spare = spare_name(path);
	if (!transfer->path || !transfer->spare)
		return fault_set(fault, ENOMEM, "not enough memory");
	transfer->fd = mkostemp(transfer->spare, O_CLOEXEC);
	if (transfer->fd < 0) {
		int error = errno;

		free(transfer->spare);
		transfer->spare = NULL;
		return fault_set(fault, error, "%s can't be written: %s", path, strerror(error));
	}
	crypto_hash_sha256_init(&transfer->hash);
	return 0;
}

void transfer_start(struct transfer *transfer, void (*done)(struct transfer *transfer), void *userdata)
{
	const struct curl *curl = transfer->web->curl;

	if (transfer->headers)
		curl->setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
	if (transfer->recipients)
		curl->setopt(transfer->easy, CURLOPT_MAIL_RCPT, transfer->recipients);
	transfer->done = done;
	transfer->userdata = userdata;
	transfer->waits = true;
	TAILQ_INSERT_TAIL(&transfer->web->waiting, transfer, link);
	web_start_waiting(transfer->web);
}

/* What an end of libcurl's is in our words. */
static const struct ending {
	CURLcode code;
	const char *kind;
	int error;
} endings[] = {
	{ CURLE_COULDNT_RESOLVE_PROXY, "connect", EHOSTUNREACH },
	{ CURLE_COULDNT_RESOLVE_HOST, "connect", EHOSTUNREACH },
	{ CURLE_COULDNT_CONNECT, "connect", ECONNREFUSED },
	{ CURLE_OPERATION_TIMEDOUT, "timeout", ETIMEDOUT }, { CURLE_SSL_CONNECT_ERROR, "tls", EPROTO },
	{ CURLE_PEER_FAILED_VERIFICATION, "tls", EPROTO }, { CURLE_SSL_CERTPROBLEM, "tls", EPROTO },
	{ CURLE_SSL_CACERT_BADFILE, "tls", EPROTO }, { CURLE_TOO_MANY_REDIRECTS, "limit", ELOOP },
	{ CURLE_UNSUPPORTED_PROTOCOL, "limit", EPROTONOSUPPORT }, { CURLE_URL_MALFORMAT, "limit", EINVAL },
	{ CURLE_LOGIN_DENIED, "limit", EACCES }, { CURLE_OUT_OF_MEMORY, "limit", ENOMEM },
	{ CURLE_OK, "other", EIO }, /* all others */
};

int transfer_result(const struct transfer *transfer, struct fault *fault, const char **ret_kind)
{
	const struct ending *ending = endings;

	if (transfer->fault.code) {
		*ret_kind = "limit";
		*fault = transfer->fault;
		return -transfer->fault.code;
	}
	if (transfer->result == CURLE_OK)
		return 0;
	while (ending->code != CURLE_OK && ending->code != transfer->result)
		ending++;
	*ret_kind = ending->kind;
	return fault_set(fault, ending->error, "%s",
		*transfer->error ? transfer->error : transfer->web->curl->strerror(transfer->result));
}

void transfer_facts(const struct transfer *transfer, struct transfer_facts *ret_facts)
{
	const struct curl *curl = transfer->web->curl;
	curl_off_t us = 0;

	*ret_facts = (struct transfer_facts){ 0 };
	curl->getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &ret_facts->status);
	curl->getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &ret_facts->url);
	curl->getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &us);
	ret_facts->seconds = (double)us / 1e6;
}

int transfer_keep(struct transfer *transfer, mode_t mode, struct fault *fault)
{
	if (fchmod(transfer->fd, mode) < 0 || rename(transfer->spare, transfer->path) < 0)
		return fault_set(fault, errno, "%s can't be written: %s", transfer->path, strerror(errno));
	free(transfer->spare);
	transfer->spare = NULL;
	return 0;
}

void transfer_hash(struct transfer *transfer, char ret_hex[TRANSFER_HASH_SIZE])
{
	crypto_hash_sha256_state state = transfer->hash;
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(ret_hex, TRANSFER_HASH_SIZE, hash, sizeof(hash));
}
