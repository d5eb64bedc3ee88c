/* SPDX-License-Identifier: MIT */
/* What a sync has to download: each content that the manifest names and the store lacks, once. */
#ifndef PLUGINS_FILE_PLAN_H
#define PLUGINS_FILE_PLAN_H

#include "file/manifest.h"
#include "file/store.h"

struct pw_plan {
	const struct pw_entry **wants; /* they belong to the manifest; in the order of its lines */
	size_t count;
	int64_t bytes; /* of all of them */
};

#define PW_PLAN_INIT { NULL, 0, 0 }

/* Refuses a manifest that gives one sha256 two sizes. The manifest must outlive the plan. */
int pw_plan_make(const struct pw_manifest *manifest, const struct pw_store *store, struct pw_plan *plan,
		 struct pw_err *err) PW_MUSTCHECK;
void pw_plan_done(struct pw_plan *plan);

#endif
