/* SPDX-License-Identifier: MIT */
/*
 * What stands in a database, and what keeps us from installing our schema
 * there, told before anything is tried. In pulp-task, and in every program at
 * its start. Reads only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/sql.h"
#include "store/schema_private.h"

#define CHECK_TIMEOUT (30 * PW_SEC)

static const char *
field(const PGresult *result, const char *name)
{
	return PQgetvalue(result, 0, PQfnumber(result, name));
}

static bool
is_true(const PGresult *result, const char *name)
{
	return field(result, name)[0] == 't';
}

static int
newest_known(void)
{
	int number = 0;

	for (const struct pw_sql_file *file = pw_sql_schema; file->text; file++)
		number = file->number;
	return number;
}

void
pw_schema_functions_hash(char hash[17])
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (const struct pw_sql_file *file = pw_sql_functions; file->text; file++)
		for (const char *p = file->text; *p; p++)
			h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	snprintf(hash, 17, "%016" PRIx64, h);
}

/* "pulp at db.example.org", "pulp at /run/postgresql". */
static void
describe(struct pw_db *db, const char *name, char *buf, size_t size)
{
	const char *host = PQhost(pw_db_conn(db)), *port = PQport(pw_db_conn(db));

	if (port && *port && strcmp(port, "5432") != 0)
		snprintf(buf, size, "%s at %s:%s", name, host ? host : "", port);
	else
		snprintf(buf, size, "%s at %s", name, host ? host : "");
}

static void
take_facts(struct pw_db *db, const PGresult *result, struct pw_schema_facts *facts)
{
	struct pw_schema_info *info = &facts->info;

	*facts = (struct pw_schema_facts){
		.server_version_num = atoi(field(result, "server_version_num")),
		.standby = is_true(result, "standby"),
		.read_only = is_true(result, "read_only"),
		.schema = is_true(result, "schema"),
		.ours = is_true(result, "ours"),
		.owner = is_true(result, "owner"),
		.hstore_available = is_true(result, "hstore_available"),
		.may_create = is_true(result, "may_create"),
		.may_create_public = is_true(result, "may_create_public"),
		.may_create_temporary = is_true(result, "may_create_temporary"),
		.may_trigger = is_true(result, "may_trigger"),
	};
	info->contract = is_true(result, "contract");
	info->live_pulp = is_true(result, "django");
	info->known = newest_known();
	snprintf(info->server_version, sizeof(info->server_version), "%s", field(result, "server_version"));
	snprintf(info->fault, sizeof(info->fault), "%s", field(result, "fault"));
	snprintf(info->hstore, sizeof(info->hstore), "%s", field(result, "hstore_schema"));
	snprintf(facts->role, sizeof(facts->role), "%s", field(result, "role"));
	snprintf(facts->name, sizeof(facts->name), "%s", field(result, "database"));
	describe(db, facts->name, info->database, sizeof(info->database));
}

static int
take_version(struct pw_db *db, struct pw_schema_facts *facts, struct pw_err *err)
{
	struct pw_schema_info *info = &facts->info;
	pw_auto_result *result = NULL;
	char hash[17];

	if (pw_db_exec(db, pw_sql_schema_version, NULL, pw_now_ns() + CHECK_TIMEOUT, &result, err) <
	    0) {
		if (err && strcmp(err->sqlstate, "42501") == 0)
			return pw_err_set(err, PW_ERR_CONFIG, "role %s has no right to the schema pulp_worker of database %s: connect as its owner",
					  facts->role, info->database);
		return pw_err_prefix(err, "schema pulp_worker");
	}
	pw_schema_functions_hash(hash);
	info->number = atoi(field(result, "number"));
	info->functions_current = strcmp(field(result, "functions"), hash) == 0;
	if (info->number > info->known)
		info->state = PW_SCHEMA_NEW;
	else
		info->state = info->number == info->known && info->functions_current ?
				      PW_SCHEMA_CURRENT :
				      PW_SCHEMA_OLD;
	return 0;
}

int
pw_schema_facts(struct pw_db *db, struct pw_schema_facts *ret_facts, struct pw_err *err)
{
	struct pw_schema_facts facts;
	pw_auto_result *result = NULL;

	if (pw_db_exec(db, pw_sql_schema_facts, NULL, pw_now_ns() + CHECK_TIMEOUT, &result, err) <
	    0)
		return -1;
	take_facts(db, result, &facts);
	if (!facts.schema)
		facts.info.state = facts.info.live_pulp && facts.info.contract ? PW_SCHEMA_PULP :
										 PW_SCHEMA_NONE;
	else if (!facts.ours)
		return pw_err_set(err, PW_ERR_CONFIG, "database %s has a schema pulp_worker that is not ours (it lacks our tables): "
						      "rename or drop it",
				  facts.info.database);
	else if (take_version(db, &facts, err) < 0)
		return -1;
	*ret_facts = facts;
	return 0;
}

/* Our schema may be dropped from any, and is installed and used only where we know what is beside it. */
static int
check_pulp(const struct pw_schema_info *info, struct pw_err *err)
{
	if (!info->fault[0])
		return 0;
	return pw_err_set(err, PW_ERR_CONFIG, "database %s is of a Pulp that this program cannot work beside: %s", info->database, info->fault);
}

static int
check_server(const struct pw_schema_facts *facts, struct pw_err *err)
{
	if (facts->server_version_num >= PW_SCHEMA_POSTGRES_MIN * 10000)
		return 0;
	return pw_err_set(err, PW_ERR_CONFIG, "PostgreSQL %s is too old: %d or newer is needed", facts->info.server_version,
			  PW_SCHEMA_POSTGRES_MIN);
}

static int
check(struct pw_db *db, struct pw_schema_facts *ret_facts, struct pw_err *err)
{
	if (pw_schema_facts(db, ret_facts, err) < 0 || check_server(ret_facts, err) < 0)
		return -1;
	return check_pulp(&ret_facts->info, err);
}

int
pw_schema_check(struct pw_db *db, struct pw_schema_info *ret_info, struct pw_err *err)
{
	struct pw_schema_facts facts = { 0 };
	int ret = check(db, &facts, err);

	*ret_info = facts.info; /* what was found, also where it is refused */
	return ret;
}

int
pw_schema_error(const struct pw_schema_info *info, struct pw_err *err)
{
	switch (info->state) {
	case PW_SCHEMA_NONE:
		return pw_err_set(err, PW_ERR_CONFIG, "database %s lacks our schema: run 'pulp-task db install'", info->database);
	case PW_SCHEMA_PULP:
		return pw_err_set(err, PW_ERR_CONFIG, "database %s is a Pulp's and lacks our schema, which this needs: run 'pulp-task db install'", info->database);
	case PW_SCHEMA_OLD:
		return pw_err_set(err, PW_ERR_CONFIG, "the schema in database %s (number %d%s) is not that of this program (number %d): "
						      "run 'pulp-task db install'",
				  info->database, info->number,
				  info->number == info->known ? ", with other functions" : "", info->known);
	case PW_SCHEMA_NEW:
		return pw_err_set(err, PW_ERR_CONFIG, "the schema in database %s (number %d) is newer than this program (number %d): "
						      "install the pulp-worker that goes with it",
				  info->database, info->number, info->known);
	default:
		return pw_err_set(err, PW_ERR_BUG, "the schema in database %s is as it should be", info->database);
	}
}

int
pw_schema_may_change(const struct pw_schema_facts *facts, struct pw_err *err)
{
	const char *database = facts->info.database;

	if (facts->standby)
		return pw_err_set(err, PW_ERR_CONFIG, "database %s is on a standby, which is read-only: connect to its primary", database);
	if (facts->read_only)
		return pw_err_set(err, PW_ERR_CONFIG, "database %s is read-only for us (default_transaction_read_only is on for the server, "
						      "the database or role %s)",
				  database, facts->role);
	if (!facts->owner)
		return pw_err_set(err, PW_ERR_CONFIG, "schema pulp_worker in database %s belongs to another role than %s: connect as its owner",
				  database, facts->role);
	return 0;
}

static int
check_hstore(const struct pw_schema_facts *facts, struct pw_err *err)
{
	const struct pw_schema_info *info = &facts->info;

	if (!info->hstore[0] && !facts->hstore_available)
		return pw_err_set(err, PW_ERR_CONFIG, "the extension hstore is missing on the server of database %s: install PostgreSQL's "
						      "contrib modules there (on Debian they come with postgresql-%d)",
				  info->database,
				  facts->server_version_num / 10000);
	if (info->hstore[0] && strcmp(info->hstore, "public") != 0)
		return pw_err_set(err, PW_ERR_CONFIG, "the extension hstore is in schema %s of database %s: "
						      "run 'alter extension hstore set schema public' there",
				  info->hstore, info->database);
	return 0;
}

static int
may_be_guest(const struct pw_schema_facts *facts, struct pw_err *err)
{
	if (pw_schema_may_change(facts, err) < 0 || check_hstore(facts, err) < 0)
		return -1;
	if (facts->may_create_temporary)
		return 0;
	return pw_err_set(err, PW_ERR_CONFIG, "database %s is a Pulp's and lacks our schema, and role %s may not be a guest there: as its owner run "
					      "'grant temporary on database \"%s\" to \"%s\"', or 'pulp-task db install'",
			  facts->info.database, facts->role, facts->name, facts->role);
}

int
pw_schema_enter(struct pw_db *db, bool any_functions, struct pw_err *err)
{
	struct pw_schema_facts facts;
	const struct pw_schema_info *info = &facts.info;

	if (check(db, &facts, err) < 0)
		return -1;
	if (info->state == PW_SCHEMA_CURRENT ||
	    (any_functions && info->state == PW_SCHEMA_OLD && info->number == info->known))
		return 0;
	if (info->state != PW_SCHEMA_PULP)
		return pw_schema_error(info, err);
	if (may_be_guest(&facts, err) < 0)
		return -1;
	if (pw_db_guest(db, pw_now_ns() + CHECK_TIMEOUT, err) < 0)
		return pw_err_prefix(err, "the functions of a guest of database %s", info->database);
	return 0;
}

int
pw_schema_may_install(const struct pw_schema_facts *facts, struct pw_err *err)
{
	const struct pw_schema_info *info = &facts->info;

	if (info->state == PW_SCHEMA_NEW)
		return pw_schema_error(info, err);
	if (check_pulp(info, err) < 0)
		return -1;
	if (check_server(facts, err) < 0 || pw_schema_may_change(facts, err) < 0)
		return -1;
	if (check_hstore(facts, err) < 0)
		return -1;
	if (!facts->schema && !facts->may_create)
		return pw_err_set(err, PW_ERR_CONFIG, "role %s may not create a schema in database %s: as its owner run "
						      "'grant create on database \"%s\" to \"%s\"'",
				  facts->role, info->database, facts->name, facts->role);
	if (!info->contract && !facts->may_create_public)
		return pw_err_set(err, PW_ERR_CONFIG, "role %s may not create tables in schema public of database %s: as its owner run "
						      "'grant create on schema public to \"%s\"' there",
				  facts->role, info->database, facts->role);
	if (!facts->may_trigger)
		return pw_err_set(err, PW_ERR_CONFIG, "role %s may not make triggers on table core_task of database %s: connect as its owner",
				  facts->role, info->database);
	return 0;
}
