/* SPDX-License-Identifier: MIT */
/* The downloads of one sync: from the plan into the store. */
#ifndef PLUGINS_FILE_DOWNLOAD_H
#define PLUGINS_FILE_DOWNLOAD_H

#include <pulp/plugin.h>

#include "base/buf.h"
#include "file/plan.h"
#include "file/store.h"
#include "file/url.h"

struct pw_downloaded {
	size_t files;  /* that were fetched, whole or in part */
	int64_t bytes; /* that came over the wire */
};

/* Downloads all that the plan lacks, reporting progress (sync.downloading, sync.bytes). What came is in the store when it returns 0, and on disk. */
int pw_download(pulp_context *ctx, struct pw_store *store, const struct pw_url *url, const struct pw_plan *plan,
		struct pw_downloaded *ret_downloaded, struct pw_err *err) PW_MUSTCHECK;
/* Appends the manifest's text. */
int pw_download_manifest(pulp_context *ctx, const struct pw_url *url, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;

#endif
