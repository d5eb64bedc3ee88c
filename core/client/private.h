/* SPDX-License-Identifier: MIT */
/* Inside of libpulp-client. */
#ifndef PW_CLIENT_PRIVATE_H
#define PW_CLIENT_PRIVATE_H

#include <pulp/client.h>

#include "base/uuid.h"
#include "conf/settings.h"
#include "crypt/keyring.h"
#include "db/conn.h"
#include "plugin/meta.h"
#include "task/json.h"
#include "task/record.h"

struct pulp_client {
	struct pw_db *db;
	bool borrowed; /* the caller's connection */
	bool entered;  /* it is known whether our schema is there */
	int64_t timeout_ns; /* PW_NEVER: none */
	struct pw_keyring *keys;
	bool keys_loaded; /* also where there are none */
	struct pw_settings *settings; /* with plugins: NULL until a dispatch needs them */
	struct pw_plugin_set *plugins;
};

struct pulp_client_task {
	struct pw_record *record;
	char *json; /* made when asked for */
};

/* Hands *ERR to the caller of the library, as far as his record goes. Returns -1. */
int pw_client_fail(const struct pw_err *err, struct pulp_client_error *error);
/* As pw_client_fail, for whatever is wrong with the keys. */
int pw_client_fail_keys(const struct pw_err *err, struct pulp_client_error *error);
/* Before each use of the connection: at a live Pulp without our schema it is made a guest's. */
int pw_client_enter(struct pulp_client *client, struct pw_err *err) PW_MUSTCHECK;
/* Reads the settings that a dispatch may need and the plugins of this host, once for each handle. */
int pw_client_look_around(struct pulp_client *client, struct pw_err *err) PW_MUSTCHECK;
/* Reads the keys, once. */
int pw_client_keys(struct pulp_client *client, struct pw_err *err) PW_MUSTCHECK;
/* The caller's struct as this library knows it, checked: what his lacks is not given. */
int pw_client_take_dispatch(const struct pulp_client_dispatch *given, struct pulp_client_dispatch *ret_dispatch,
			    struct pw_err *err) PW_MUSTCHECK;
/* The version that this host's plugin has, as JSON that the caller frees; *ret_versions stays as it is where there is none. */
int pw_client_default_versions(pulp_client *client, const char *func, char **ret_versions, struct pw_err *err) PW_MUSTCHECK;
int pw_client_check_uuid(const char *text, struct pw_uuid *ret_id, struct pw_err *err) PW_MUSTCHECK;
/* TEXT may be NULL. */
int pw_client_check_json(const char *what, const char *text, json_type type, struct pw_err *err) PW_MUSTCHECK;
/* Of a list that ends with NULL, or is NULL. */
size_t pw_client_count(const char *const *list);
bool pw_client_in_transaction(pulp_client *client);
/* Until when a statement that begins now may take. */
int64_t pw_client_deadline(const struct pulp_client *client);

#endif
