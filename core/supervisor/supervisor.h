/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: takes tasks from the database, runs each in a child of its
 * plugin's host, and writes how it ended. It alone decides: what to claim,
 * deadlines, the cancel ladder, endings. One thread, one loop, two connections.
 */
#ifndef PW_SUPERVISOR_SUPERVISOR_H
#define PW_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/settings.h"
#include "crypt/keyring.h"

struct pw_supervisor_config {
	const char *conninfo;
	const char *name;	 /* of the worker */
	const char *host;	 /* of this machine */
	const char *zygote_path; /* the pulp-zygote executable; found by itself */
	bool burst;		 /* end when nothing is left to do */
	bool auxiliary;		 /* leave settling, clean-up and schedules to other workers */
	/* Makes the settings anew for a reload; the supervisor frees them. */
	int (*reload)(void *arg, struct pw_settings **ret_settings, struct pw_err *err);
	void *arg;
};

/* The keys that the settings name; NULL where there are none. */
int pw_supervisor_keys(const struct pw_settings *settings, struct pw_keyring **ret_keys, struct pw_err *err) PW_MUSTCHECK;

/*
 * Registers, runs until it is told to stop, leaves. SETTINGS become its own. Errors at the start: PW_ERR_DB_LOST,
 * PW_ERR_CONFIG (schema), PW_ERR_BUSY (another worker of that name lives). Once running it never fails because of the database.
 */
int pw_supervisor_main(const struct pw_supervisor_config *config, struct pw_settings *settings, struct pw_err *err) PW_MUSTCHECK;

#endif
