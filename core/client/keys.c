/* SPDX-License-Identifier: MIT */
/* The library's keys: read once per handle, when they are first needed, and wiped with it. */
#include "client/private.h"

int
pw_client_keys(struct pulp_client *client, struct pw_err *err)
{
	if (client->keys_loaded)
		return 0;
	if (pw_client_look_around(client, err) < 0 ||
	    pw_keyring_load(pw_settings_text(client->settings, PW_SETTING_db_encryption_key),
			    pw_settings_is_default(client->settings, PW_SETTING_db_encryption_key),
			    &client->keys, err) < 0)
		return -1;
	client->keys_loaded = true;
	return 0;
}

int
pw_client_fail_keys(const struct pw_err *err, struct pulp_client_error *error)
{
	pw_client_fail(err, error);
	if (error && err->kind == PW_ERR_CONFIG && error->size > sizeof(error->size))
		error->kind = PULP_CLIENT_BAD_KEYS;
	return -1;
}

int
pulp_client_set_key_file(pulp_client *client, const char *file, struct pulp_client_error *error)
{
	struct pw_keyring *keys = NULL;
	struct pw_err err;

	if (pw_keyring_load(file, false, &keys, &err) < 0)
		return pw_client_fail_keys(&err, error);
	pw_keyring_free(client->keys);
	client->keys = keys;
	client->keys_loaded = true;
	return 0;
}
