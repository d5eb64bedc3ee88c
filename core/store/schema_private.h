/* SPDX-License-Identifier: MIT */
/* What schema.c found out about a database, for migrate.c. */
#ifndef PW_STORE_SCHEMA_PRIVATE_H
#define PW_STORE_SCHEMA_PRIVATE_H

#include "store/migrate.h"

struct pw_schema_facts {
	struct pw_schema_info info;
	int server_version_num;
	char role[64], name[64]; /* who we are, and the database */
	bool standby, read_only, schema, ours, owner;
	bool hstore_available, may_create, may_create_public, may_create_temporary, may_trigger;
};

int pw_schema_facts(struct pw_db *db, struct pw_schema_facts *ret_facts, struct pw_err *err) PW_MUSTCHECK;
/* PW_ERR_CONFIG if the schema cannot be changed: told before anything is tried, and with what to do. */
int pw_schema_may_change(const struct pw_schema_facts *facts, struct pw_err *err) PW_MUSTCHECK;
int pw_schema_may_install(const struct pw_schema_facts *facts, struct pw_err *err) PW_MUSTCHECK;
/* What this program's functions are recorded as: 16 hex digits and a NUL. */
void pw_schema_functions_hash(char hash[17]);

#endif
