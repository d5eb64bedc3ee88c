/* SPDX-License-Identifier: MIT */
/* Where a program's database is: one function for all programs, so that each "embedded:" leads to the same server. */
#include "embedded/open.h"

#include <stdlib.h>

#include "base/log.h"
#include "embedded/embedded.h"

int
pw_database_open(const struct pw_settings *settings, const char *application, char **ret_conninfo,
		 struct pw_err *err)
{
	pw_auto_free char *text = pw_settings_database(settings, err), *state = NULL;
	const char *dir;
	bool started = false;

	if (!text)
		return -1;
	if (!pw_database_is_embedded(text, &dir)) {
		*ret_conninfo = pw_steal_ptr(&text);
		return 0;
	}
	state = pw_settings_state_directory(settings, err);
	if (!state || pw_embedded_open(dir, state, ret_conninfo, &started, err) < 0)
		return -1;
	pw_log_debug(NULL, "database.embedded", "program=%s started=%d conninfo=%s", application, started, pw_log_quote(*ret_conninfo));
	return started;
}
