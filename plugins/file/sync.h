/* SPDX-License-Identifier: MIT */
/* file.sync: makes a repository's latest version what a PULP_MANIFEST says. */
#ifndef PLUGINS_FILE_SYNC_H
#define PLUGINS_FILE_SYNC_H

#include <pulp/plugin.h>

#include "file/download.h"
#include "file/repository.h"

struct pw_synced {
	struct pw_change change;
	struct pw_downloaded downloaded;
	size_t present; /* files in the version */
};

int pw_sync(pulp_context *ctx, const char *repository, const char *url, struct pw_synced *ret_synced,
	    struct pw_err *err) PW_MUSTCHECK;

#endif
