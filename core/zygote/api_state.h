/* SPDX-License-Identifier: MIT */
/* What the files of the API share. */
#ifndef PW_ZYGOTE_API_STATE_H
#define PW_ZYGOTE_API_STATE_H

#include "zygote/api.h"

/* The state behind a context; NULL (with nothing said) where the context is none of ours or the caller is a process that the task forked. */
struct pw_api *pw_api_of(pulp_context *ctx);
/* Sets the last error. Returns -1. */
int pw_api_refuse(struct pw_api *api, const char *fmt, ...) PW_PRINTF(2, 3);
/* Sends one message. Returns 0, or -1 with the last error set. */
int pw_api_send(struct pw_api *api, enum pw_message type, const void *message);
/* Makes the text well-formed UTF-8, in place: each bad byte becomes '?'. */
void pw_api_clean_text(char *text);

/* The table for late callers. */
extern const struct pulp_api pw_api_late;

/* Called with the lock held. */
int pw_api_progress(struct pw_api *api, const struct pulp_progress *progress);
/* Sends the reports that were held back: those whose time has come, or all. */
void pw_api_progress_flush(struct pw_api *api, bool all);

#endif
