/* SPDX-License-Identifier: MIT */
/*
 * Connection strings: what is added to what the user gave, and faults in them
 * told without their password. In every program that has a database. libpq
 * does all the reading, so whatever it takes (URI, service, ~/.pgpass, ...) works.
 */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "db/conn_private.h"

static bool
is_uri(const char *conninfo)
{
	return strncmp(conninfo, "postgresql://", 13) == 0 || strncmp(conninfo, "postgres://", 11) == 0;
}

/* libpq quotes what it could not read, which may be (a piece of) the password: takes out what stands in quotes. */
static void
hide_quoted(char *text)
{
	char *open = strchr(text, '"'), *close = strrchr(text, '"');

	if (open && close > open)
		memmove(open + 1, close, strlen(close) + 1);
}

/* The text of a URI between "//" and the first "/" or "?": more than one @ in it means a password with a bare @. */
static int
check_uri(const char *conninfo, struct pw_err *err)
{
	const char *authority = strstr(conninfo, "//") + 2;
	size_t len = strcspn(authority, "/?");
	const char *at = memchr(authority, '@', len);

	if (at && memchr(at + 1, '@', len - (size_t)(at + 1 - authority)))
		return pw_err_set(err, PW_ERR_CONFIG, "database URI: an @ in a user name or password is written %%40");
	return 0;
}

static int
check(const char *conninfo, struct pw_err *err)
{
	PQconninfoOption *options;
	char *message = NULL;

	if (!is_uri(conninfo) && !strchr(conninfo, '='))
		return 0; /* the name of a database, or nothing */
	if (is_uri(conninfo) && check_uri(conninfo, err) < 0)
		return -1;
	options = PQconninfoParse(conninfo, &message);
	if (options) {
		PQconninfoFree(options);
		return 0;
	}
	if (!message)
		return pw_err_nomem(err);
	if (strcasestr(conninfo, "passw") || strchr(conninfo, '@'))
		hide_quoted(message);
	pw_err_set(err, PW_ERR_CONFIG, "database connection string: %s", message);
	PQfreemem(message);
	return -1;
}

static void
add(struct pw_db_conninfo *info, int *count, const char *keyword, const char *value)
{
	info->keywords[*count] = keyword;
	info->values[(*count)++] = value;
}

int
pw_db_conninfo_init(struct pw_db_conninfo *info, const char *conninfo, const char *application,
		    struct pw_err *err)
{
	const char *timeout = getenv("PGCONNECT_TIMEOUT");
	int count = 0;

	if (check(conninfo, err) < 0)
		return -1;
	memset(info, 0, sizeof(*info));
	/* A later entry, and what dbname expands to, takes the place of an earlier one. */
	if (!timeout || !*timeout)
		add(info, &count, "connect_timeout", PW_DB_CONNECT_TIMEOUT);
	add(info, &count, "dbname", conninfo);
	add(info, &count, "fallback_application_name", application);
	add(info, &count, "client_encoding", "UTF8");
	return 0;
}

static const char *
option(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val && *options->val ? options->val : NULL;
	return NULL;
}

int
pw_db_conninfo_timeout(PGconn *conn)
{
	PQconninfoOption *options = PQconninfo(conn);
	const char *value = options ? option(options, "connect_timeout") : NULL;
	int seconds = atoi(value ? value : PW_DB_CONNECT_TIMEOUT);

	PQconninfoFree(options);
	return seconds;
}

char *
pw_db_conninfo_like(PGconn *conn)
{
	PQconninfoOption *options = PQconninfo(conn);
	pw_auto_buf text = PW_BUF_INIT;
	int failed = !options;

	for (const PQconninfoOption *o = options; o && o->keyword && !failed; o++) {
		if (!o->val || !*o->val)
			continue;
		failed = pw_buf_addf(&text, "%s='", o->keyword) < 0;
		for (const char *p = o->val; *p && !failed; p++)
			failed = ((*p == '\'' || *p == '\\') && pw_buf_addc(&text, '\\') < 0) ||
				 pw_buf_addc(&text, *p) < 0;
		failed = failed || pw_buf_adds(&text, "' ") < 0;
	}
	PQconninfoFree(options);
	return failed || pw_buf_reserve(&text, 1) < 0 ? NULL : pw_buf_steal(&text);
}

void
pw_db_keepalive(PGconn *conn)
{
	static const struct {
		const char *keyword;
		int name, value;
	} wanted[] = {
		{ "keepalives_idle", TCP_KEEPIDLE, 10 },
		{ "keepalives_interval", TCP_KEEPINTVL, 5 },
		{ "keepalives_count", TCP_KEEPCNT, 3 },
		{ "tcp_user_timeout", TCP_USER_TIMEOUT, 15000 },
	};
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	PQconninfoOption *options;
	const char *keepalives;
	int fd = PQsocket(conn);

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
	    (address.ss_family != AF_INET && address.ss_family != AF_INET6))
		return;
	options = PQconninfo(conn);
	if (!options)
		return;
	keepalives = option(options, "keepalives");
	/* Best effort: a socket that refuses one of these still works. */
	if (!keepalives || strcmp(keepalives, "0") != 0)
		for (size_t i = 0; i < PW_COUNT(wanted); i++)
			if (!option(options, wanted[i].keyword))
				setsockopt(fd, IPPROTO_TCP, wanted[i].name, &wanted[i].value,
					   sizeof(int));
	PQconninfoFree(options);
}
