/* SPDX-License-Identifier: MIT */
/* Errors with words, and the one table of error codes: name, number, exit status. */
#include "base/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct {
	int code;
	const char *name;
	int exit_status;
} codes[] = {
	{ EBUSY, "EBUSY", 5 },
	{ EAGAIN, "EAGAIN", 5 },
	{ ETIMEDOUT, "ETIMEDOUT", 6 },
	{ ESTALE, "ESTALE", 7 },
	{ ELOOP, "ELOOP", 9 },
	{ EINVAL, "EINVAL", 10 },
	{ EPERM, "EPERM", 11 },
	{ EACCES, "EACCES", 12 },
	{ ENOKEY, "ENOKEY", 12 },
	{ EBADMSG, "EBADMSG", 13 },
	{ ENOSPC, "ENOSPC", 14 },
	{ EDQUOT, "EDQUOT", 14 },
	{ EFBIG, "EFBIG", 14 },
	{ ECANCELED, "ECANCELED", 15 },
	{ ENOENT, "ENOENT", 4 },
	{ EEXIST, "EEXIST", 4 },
	{ ENOTEMPTY, "ENOTEMPTY", 4 },
	{ ENAMETOOLONG, "ENAMETOOLONG", 4 },
	{ ENOTDIR, "ENOTDIR", 4 },
	{ EISDIR, "EISDIR", 4 },
	{ EXDEV, "EXDEV", 4 },
	{ EROFS, "EROFS", 11 },
	{ EBADF, "EBADF", 1 },
	{ EINTR, "EINTR", 1 },
	{ EIO, "EIO", 1 },
	{ ENOMEM, "ENOMEM", 1 },
	{ EMFILE, "EMFILE", 14 },
	{ EPROTO, "EPROTO", 1 },
	{ ENOTCONN, "ENOTCONN", 1 },
	{ ENODATA, "ENODATA", 4 },
	{ ENOTSUP, "ENOTSUP", 1 },
	{ ENOSYS, "ENOSYS", 1 },
	{ ENODEV, "ENODEV", 1 },
	{ ERANGE, "ERANGE", 10 },
	{ EPIPE, "EPIPE", 1 },
	{ EDEADLK, "EDEADLK", 9 },
	{ EUCLEAN, "EUCLEAN", 13 },
};

static int fault_vset(struct fault *fault, int code, const char *format, va_list ap)
{
	if (!fault)
		return -code;
	fault->code = code;
	vsnprintf(fault->text, sizeof(fault->text), format, ap);
	for (char *p = fault->text, *end = p + strlen(p); p < end;) {
		bool harmless;
		size_t n = text_character(p, (size_t)(end - p), &harmless);

		if (!harmless && *p != '\n')
			memset(p, '?', n);
		p += n;
	}
	return -code;
}

int fault_set(struct fault *fault, int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fault_vset(fault, code, format, ap);
	va_end(ap);
	return -code;
}

int fault_default(struct fault *fault, int code, const char *format, ...)
{
	va_list ap;

	if (fault && fault->code)
		return -fault->code;
	va_start(ap, format);
	fault_vset(fault, code, format, ap);
	va_end(ap);
	return -code;
}

const char *fault_errno_name(int code)
{
	static char unknown[16];

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].name;
	snprintf(unknown, sizeof(unknown), "E%d", code);
	return unknown;
}

int fault_errno_value(const char *name)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(codes[i].name, name))
			return codes[i].code;
	return 0;
}

int fault_exit_status(int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].exit_status;
	return 1;
}
