/* SPDX-License-Identifier: MIT */
/* Words to the service manager (sd_notify), without its library. Without NOTIFY_SOCKET nothing happens. */
#ifndef PW_SYS_SDNOTIFY_H
#define PW_SYS_SDNOTIFY_H

#include <stdint.h>

#include "base/attr.h"

/* FMT makes the assignments, e.g. "READY=1\nSTATUS=%d tasks". Best effort: returns 1 if it was sent, 0 if nobody listens, -1 with errno. */
int pw_sdnotify(const char *fmt, ...) PW_PRINTF(1, 2);
int pw_sdnotify_ready(void);
int pw_sdnotify_stopping(void);
/* Followed by pw_sdnotify_ready once the reload is through. */
int pw_sdnotify_reloading(void);
int pw_sdnotify_status(const char *fmt, ...) PW_PRINTF(1, 2);
int pw_sdnotify_watchdog(void);
/* How often pw_sdnotify_watchdog must be called, with a margin: half of WATCHDOG_USEC; 0 if the service manager does not ask this process for it. */
int64_t pw_sdnotify_watchdog_interval_ns(void);

#endif
