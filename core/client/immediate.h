/* SPDX-License-Identifier: MIT */
/*
 * Immediate tasks: dispatched, decided and run on this host before the call returns.
 * For the library and for pulp-task.
 */
#ifndef PW_CLIENT_IMMEDIATE_H
#define PW_CLIENT_IMMEDIATE_H

#include "conf/settings.h"
#include "crypt/keyring.h"
#include "store/task_store.h"

enum pw_immediate_end {
	PW_IMMEDIATE_RAN,      /* it ran, and has ended */
	PW_IMMEDIATE_DEFERRED, /* it waits for a resource, or for a worker */
	PW_IMMEDIATE_CANCELED, /* it would have had to wait, or was canceled meanwhile */
};

struct pw_immediate_result {
	struct pw_uuid id;
	enum pw_immediate_end end;
	const char *why; /* it was left to a worker; a literal */
};

struct pw_immediate {
	const char *conninfo; /* of the connection that is made for it */
	bool guest; /* at a live Pulp without our schema */
	const struct pw_settings *settings;
	const struct pw_keyring *keys;	/* for its arguments at rest; NULL: none */
	const struct pw_dispatch *what; /* with its arguments in clear */
};

/*
 * Starts a thread, which starts the host of the one plugin, and waits for both. What it needs of the process: that it may
 * fork, nothing else; no signal and no child of the caller's is touched. ret_result->id is filled as soon as the task exists, also when
 * the call then fails ("" before that); a task that was begun then and has no ending is ended by the workers' clean-up.
 *
 * Errors: PW_ERR_INPUT where this host cannot run it (no such plugin here, or too old a one) and it may not be deferred;
 * where it may be, it is left to a worker.
 */
int pw_immediate_dispatch(const struct pw_immediate *immediate, struct pw_immediate_result *ret_result,
			  struct pw_err *err) PW_MUSTCHECK;

#endif
