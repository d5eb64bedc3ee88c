/* SPDX-License-Identifier: MIT */
/*
 * The library's handle: a connection, ours or the caller's, and how errors get
 * out. Lives in other people's processes: no global state, no signals, no
 * output, and running out of memory is an error like any other.
 */
#include <stdlib.h>
#include <string.h>

#include <pulp/version.h>

#include "base/clock.h"
#include "client/private.h"
#include "store/migrate.h"

#define STATEMENT_TIMEOUT (60 * PW_SEC)

static enum pulp_client_kind
kind_of(const struct pw_err *err)
{
	switch (err->kind) {
	case PW_ERR_NONE:
		return PULP_CLIENT_OK;
	case PW_ERR_INPUT:
		return PULP_CLIENT_BAD_ARGUMENT;
	case PW_ERR_NOTFOUND:
		return PULP_CLIENT_NOT_FOUND;
	case PW_ERR_CONFIG:
		return PULP_CLIENT_NO_SCHEMA;
	case PW_ERR_DB:
		return PULP_CLIENT_REFUSED;
	case PW_ERR_DB_LOST:
	case PW_ERR_OS:
		return PULP_CLIENT_LOST;
	case PW_ERR_TIMEOUT:
		return PULP_CLIENT_TIMED_OUT;
	case PW_ERR_NOMEM:
		return PULP_CLIENT_NO_MEMORY;
	default:
		return PULP_CLIENT_INTERNAL;
	}
}

int
pw_client_fail(const struct pw_err *err, struct pulp_client_error *error)
{
	struct pulp_client_error full = PULP_CLIENT_ERROR_INIT;

	if (!error || error->size <= sizeof(error->size))
		return -1;
	full.kind = kind_of(err);
	memcpy(full.sqlstate, err->sqlstate, sizeof(err->sqlstate));
	memcpy(full.text, err->text,
	       sizeof(full.text) < sizeof(err->text) ? sizeof(full.text) : sizeof(err->text));
	full.text[sizeof(full.text) - 1] = '\0';
	full.size = error->size; /* a caller built against a smaller record keeps to it */
	memcpy(error, &full, error->size < sizeof(full) ? error->size : sizeof(full));
	return -1;
}

int64_t
pw_client_deadline(const struct pulp_client *client)
{
	return client->timeout_ns == PW_NEVER ? PW_NEVER : pw_now_ns() + client->timeout_ns;
}

void
pulp_client_set_timeout(pulp_client *client, int64_t timeout_ms)
{
	client->timeout_ns = timeout_ms < 0 || timeout_ms > INT64_MAX / 2 / PW_MS ?
				     PW_NEVER :
				     timeout_ms * PW_MS;
}

void
pulp_client_close(pulp_client *client)
{
	if (!client)
		return;
	pw_db_close(client->db);
	pw_keyring_free(client->keys);
	pw_settings_free(client->settings);
	pw_plugin_set_free(client->plugins);
	free(client);
}

/* Takes DB, also when it fails. */
static int
new_client(struct pw_db *db, pulp_client **ret_client, struct pw_err *err)
{
	pulp_client *client = calloc(1, sizeof(*client));

	if (!client) {
		pw_db_close(db);
		return pw_err_nomem(err);
	}
	client->db = db;
	client->timeout_ns = STATEMENT_TIMEOUT;
	*ret_client = client;
	return 0;
}

int
pulp_client_open(const char *conninfo, pulp_client **client, struct pulp_client_error *error)
{
	struct pw_db *db = NULL;
	struct pw_err err;

	if (pw_db_connect(conninfo ? conninfo : "", "pulp-client", &db, &err) < 0)
		return pw_client_fail(&err, error);
	if (pw_schema_enter(db, true, &err) < 0) {
		pw_db_close(db);
		return pw_client_fail(&err, error);
	}
	if (new_client(db, client, &err) < 0)
		return pw_client_fail(&err, error);
	(*client)->entered = true;
	return 0;
}

/* Our texts are UTF-8, whatever else the caller does with the connection. */
static int
check_encoding(PGconn *conn, struct pw_err *err)
{
	const char *encoding = PQparameterStatus(conn, "client_encoding");

	if (encoding && strcmp(encoding, "UTF8") != 0)
		return pw_err_set(err, PW_ERR_INPUT, "the connection's client_encoding is %s: it must be UTF8", encoding);
	return 0;
}

int
pulp_client_open_conn(struct pg_conn *conn, pulp_client **client, struct pulp_client_error *error)
{
	struct pw_db *db = NULL;
	struct pw_err err;

	if (check_encoding(conn, &err) < 0 || pw_db_wrap(conn, &db, &err) < 0 ||
	    new_client(db, client, &err) < 0)
		return pw_client_fail(&err, error);
	(*client)->borrowed = true;
	return 0;
}

/* Nothing is asked of a caller's connection before it is used, and what it is given there may go with his transaction. */
int
pw_client_enter(pulp_client *client, struct pw_err *err)
{
	static const char is_guest[] = "select to_regnamespace('pulp_worker') is null and to_regclass('public.django_migrations') is not null";
	pw_auto_result *result = NULL;

	if (client->entered && !(client->borrowed && pw_db_is_guest(client->db)))
		return 0;
	if (!client->entered && client->borrowed) {
		if (pw_db_exec(client->db, is_guest, NULL, pw_client_deadline(client), &result,
			       err) < 0)
			return -1;
		client->entered = true;
		if (PQgetvalue(result, 0, 0)[0] != 't')
			return 0;
	}
	return pw_db_guest(client->db, pw_client_deadline(client), err);
}

const char *
pulp_client_version(void)
{
	return PULP_VERSION;
}
