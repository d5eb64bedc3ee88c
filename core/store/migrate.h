/* SPDX-License-Identifier: MIT */
/*
 * The schema: numbered migrations (core/sql/schema/NNNN_name.sql), each applied
 * once, in order, in a transaction of its own, under an advisory lock; then the
 * functions (core/sql/functions/NN_name.sql), made anew whenever their text differs from
 * what is recorded. NNNN_contract.sql is skipped where the tables of a live Pulp are there.
 */
#ifndef PW_STORE_MIGRATE_H
#define PW_STORE_MIGRATE_H

#include <stdbool.h>

#include "db/conn.h"

#define PW_SCHEMA_POSTGRES_MIN 13 /* gen_random_uuid() without an extension */

enum pw_schema_state {
	PW_SCHEMA_NONE,	   /* neither our schema nor Pulp's tables */
	PW_SCHEMA_PULP,	   /* a live Pulp without our schema */
	PW_SCHEMA_OLD,	   /* ours, older than this program or with other functions: install brings it up to date */
	PW_SCHEMA_CURRENT,
	PW_SCHEMA_NEW,	   /* ours, newer than this program */
};

struct pw_schema_info {
	enum pw_schema_state state;
	int number, known;	/* the newest migration applied, and known to this program */
	bool functions_current;
	bool live_pulp;		/* django_migrations is there */
	bool contract;		/* core_task is there */
	char server_version[64];
	char database[128];	/* "name at host or socket", for people */
	char fault[160];	/* why this live Pulp is none that we can work beside; "" */
	char hstore[64];	/* the schema of the extension hstore, "" if it is not installed */
};

/* PW_ERR_CONFIG where the schema pulp_worker is somebody else's. Changes nothing. */
int pw_schema_check(struct pw_db *db, struct pw_schema_info *ret_info, struct pw_err *err) PW_MUSTCHECK;
/*
 * What every program does at its start: 0 where our schema stands as this program knows it (ANY_FUNCTIONS: or with other functions, whose
 * interface is kept), or where a live Pulp lacks it: the session is then made a guest (pw_db_is_guest). Errors as pw_schema_error.
 */
int pw_schema_enter(struct pw_db *db, bool any_functions, struct pw_err *err) PW_MUSTCHECK;
/*
 * Brings it up to date, waiting up to a minute for a database in use. *ret_applied = how many migrations were applied.
 * PW_ERR_CONFIG, with what to do: the schema is newer than this program, the server too old or read-only, hstore or a
 * privilege is missing. PW_ERR_BUSY: another program is at it, or somebody holds core_task for the whole minute.
 */
int pw_schema_install(struct pw_db *db, int *ret_applied, struct pw_err *err) PW_MUSTCHECK;
/* Drops our schema and triggers; never a contract table or a row of one. Returns 1 if there was nothing to drop. Errors as above. */
int pw_schema_uninstall(struct pw_db *db, struct pw_err *err) PW_MUSTCHECK;

/* What is wrong with a schema that is not PW_SCHEMA_CURRENT and what to do about it: PW_ERR_CONFIG. Returns -1. */
int pw_schema_error(const struct pw_schema_info *info, struct pw_err *err);

#endif
