/* SPDX-License-Identifier: MIT */
/* Where a repository is synced from. */
#ifndef PLUGINS_FILE_URL_H
#define PLUGINS_FILE_URL_H

#include "base/err.h"

struct pw_url;

/* TEXT: the URL of a PULP_MANIFEST, with scheme http, https or file. NULL on failure; the error never shows a password. */
struct pw_url *pw_url_new(const char *text, struct pw_err *err) PW_MUSTCHECK;
struct pw_url *pw_url_free(struct pw_url *url);
/* The URL for people, without user and password. */
const char *pw_url_shown(const struct pw_url *url);
/* The URL of a file beside the manifest, "" for the manifest itself; the caller frees. Query and fragment are the manifest's alone. */
char *pw_url_of(const struct pw_url *url, const char *relpath, struct pw_err *err) PW_MUSTCHECK;

#endif
