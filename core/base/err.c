/* SPDX-License-Identifier: MIT */
/* Error records. See err.h for the convention. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* One line: whatever comes from outside (libpq ends its texts with a newline, a file may hold escape sequences) is folded. */
static void
fold(char *text)
{
	size_t n = strlen(text);

	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

int
pw_err_vset(struct pw_err *err, enum pw_err_kind kind, const char *fmt, va_list ap)
{
	if (!err)
		return -1;
	err->kind = kind;
	err->os_errno = 0;
	err->sqlstate[0] = '\0';
	err->hint = NULL;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	fold(err->text);
	return -1;
}

int
pw_err_set(struct pw_err *err, enum pw_err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pw_err_vset(err, kind, fmt, ap);
	va_end(ap);
	return -1;
}

int
pw_err_errno(struct pw_err *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	pw_err_vset(err, saved == ENOMEM ? PW_ERR_NOMEM : PW_ERR_OS, fmt, ap);
	va_end(ap);
	err->os_errno = saved;

	size_t used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(saved));
	errno = saved;
	return -1;
}

int
pw_err_nomem(struct pw_err *err)
{
	return pw_err_set(err, PW_ERR_NOMEM, "out of memory");
}

int
pw_err_prefix(struct pw_err *err, const char *fmt, ...)
{
	char prefix[256], text[sizeof(err->text)];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	memcpy(text, err->text, sizeof(text));
	snprintf(err->text, sizeof(err->text), "%s: %.*s", prefix, (int)(sizeof(text) - sizeof(prefix) - 3), text);
	return -1;
}

int
pw_err_exit_status(const struct pw_err *err)
{
	static const int status[PW_ERR_COUNT] = {
		[PW_ERR_NONE] = EX_OK,
		[PW_ERR_OS] = EX_OSERR,
		[PW_ERR_NOMEM] = EX_OSERR,
		[PW_ERR_INPUT] = EX_USAGE,
		[PW_ERR_CONFIG] = EX_CONFIG,
		[PW_ERR_DB] = EX_SOFTWARE,
		[PW_ERR_DB_LOST] = EX_UNAVAILABLE,
		[PW_ERR_PROTO] = EX_SOFTWARE,
		[PW_ERR_TIMEOUT] = EX_TEMPFAIL,
		[PW_ERR_NOTFOUND] = EX_NOINPUT,
		[PW_ERR_BUSY] = EX_TEMPFAIL,
		[PW_ERR_BUG] = EX_SOFTWARE,
	};

	if (err->kind == PW_ERR_OS && (err->os_errno == EACCES || err->os_errno == EPERM))
		return EX_NOPERM;
	return err->kind < PW_ERR_COUNT ? status[err->kind] : EX_SOFTWARE;
}
