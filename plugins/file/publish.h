/* SPDX-License-Identifier: MIT */
/* file.publish: puts the tree of a repository's latest version where others read it. */
#ifndef PLUGINS_FILE_PUBLISH_H
#define PLUGINS_FILE_PUBLISH_H

#include <stddef.h>
#include <stdint.h>

#include <pulp/plugin.h>

#include "base/err.h"

struct pw_published {
	char *path; /* where it stands now */
	long version;
	size_t files;
	int64_t bytes;
};

/* PATH NULL: published/REPOSITORY below the state directory. *ret_published is to be freed with pw_published_done. */
int pw_publish(pulp_context *ctx, const char *repository, const char *path, struct pw_published *ret_published,
	       struct pw_err *err) PW_MUSTCHECK;
void pw_published_done(struct pw_published *published);

#endif
