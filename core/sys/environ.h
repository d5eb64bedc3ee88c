/* SPDX-License-Identifier: MIT */
/* What of the environment goes on to plugin code, and what a process's environment says of where it belongs. */
#ifndef PW_SYS_ENVIRON_H
#define PW_SYS_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether an entry "NAME=value" may go on to plugin code: PATH, LANG, LC_*, TZ, proxies, certificates. Async-signal-safe. */
bool pw_environ_allowed(const char *entry);
/*
 * Looks NAME up in the environment that process PID was started with (as it now stands in its memory). Copies the value,
 * cut at SIZE - 1 bytes, and returns true; false if there is none or it may not be read.
 */
bool pw_environ_of_pid(pid_t pid, const char *name, char *value, size_t size);

#endif
