/* SPDX-License-Identifier: MIT */
/*
 * One line per event, on standard error:
 *
 *   2026-11-24T13:50:01.123Z info pulp-worker[412] task=<uuid> cid=<hex> event=task.claimed name=example.greet msg="..."
 *
 * Library layers never log above debug; the supervisor and the mains decide
 * what is said and say it once. Error = needs a person; warning = degraded, we
 * go on; info = changes of state; debug = everything else. No connection
 * strings, arguments or environment above debug.
 *
 * Where standard error is the journal (JOURNAL_STREAM) the time is left out and
 * the level becomes the <N> prefix that systemd reads.
 */
#ifndef PW_BASE_LOG_H
#define PW_BASE_LOG_H

#include "base/attr.h"

enum pw_log_level { PW_LOG_ERROR, PW_LOG_WARNING, PW_LOG_INFO, PW_LOG_DEBUG };

/* Names the program and sets the level ("error", "warning", "info", "debug"; NULL = info). Returns -1 for an unknown level. */
int pw_log_init(const char *program, const char *level);
enum pw_log_level pw_log_level(void);
/*
 * TASK may be NULL. EVENT is "noun.verb". FMT makes the rest of the line:
 * key=value pairs and, last, msg="...". Values that come from outside go
 * through pw_log_quote.
 */
void pw_log(enum pw_log_level level, const char *task, const char *event, const char *fmt, ...) PW_PRINTF(4, 5);

/*
 * What every line about a task carries behind its id, as "cid=": the correlation id that FIND knows of it. FIND may return NULL, borrows TASK, and
 * its text is copied at once. NULL: none. Set by the supervisor.
 */
void pw_log_set_correlation(const char *(*find)(void *arg, const char *task), void *arg);

#define pw_log_error(task, event, ...) pw_log(PW_LOG_ERROR, task, event, __VA_ARGS__)
#define pw_log_warning(task, event, ...) pw_log(PW_LOG_WARNING, task, event, __VA_ARGS__)
#define pw_log_info(task, event, ...) pw_log(PW_LOG_INFO, task, event, __VA_ARGS__)
#define pw_log_debug(task, event, ...)                                    \
	do {                                                              \
		if (pw_log_level() >= PW_LOG_DEBUG)                       \
			pw_log(PW_LOG_DEBUG, task, event, __VA_ARGS__);   \
	} while (0)

/* Quotes TEXT for a log line: "..." with backslash escapes, cut at 300 bytes. The result lives until the fourth next call. */
const char *pw_log_quote(const char *text);

#endif
