/* SPDX-License-Identifier: MIT */
/* Makes the state directory of a plugin. In the supervisor and, for immediate tasks, in the client library. */
#include "exec/state_directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int
make(const char *path, mode_t mode, struct pw_err *err)
{
	return mkdir(path, mode) < 0 && errno != EEXIST ? pw_err_errno(err, "%s", path) : 0;
}

char *
pw_state_directory_make(const char *state, const char *module, struct pw_err *err)
{
	pw_auto_free char *all = NULL;
	char *path = NULL;

	if (asprintf(&all, "%s/plugins", state) < 0 || asprintf(&path, "%s/%s", all, module) < 0) {
		pw_err_nomem(err);
		return NULL;
	}
	if (make(state, 0711, err) < 0 || make(all, 0711, err) < 0 || make(path, 0700, err) < 0) {
		free(path);
		return NULL;
	}
	return path;
}
