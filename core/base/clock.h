/* SPDX-License-Identifier: MIT */
/*
 * Time inside the programs: int64_t nanoseconds of CLOCK_BOOTTIME (it counts
 * while the machine is suspended), used for deadlines only. What is stored or
 * compared between hosts is the database's clock, never this one.
 */
#ifndef PW_BASE_CLOCK_H
#define PW_BASE_CLOCK_H

#include <stdint.h>

#include "base/err.h"

#define PW_MS INT64_C(1000000)
#define PW_SEC (1000 * PW_MS)
#define PW_NEVER INT64_MAX

/* Now. */
int64_t pw_now_ns(void);
/* Milliseconds from now to the deadline, rounded up, 0 if it has passed, -1 for PW_NEVER: what poll() and epoll_wait() take. */
int pw_ms_until(int64_t deadline_ns);

/*
 * Reads a duration: a number (decimals allowed) with unit ns, us, ms, s, m, h or d; a plain
 * number is in UNIT_NS. Negative, empty and overflowing ones are refused. "*ret_ns" is untouched on failure.
 */
int pw_duration_parse(const char *text, int64_t unit_ns, int64_t *ret_ns, struct pw_err *err) PW_MUSTCHECK;

/* Writes a duration for people: "850 ms", "1.4 s", "3 min 20 s", "2 h 5 min", "4 d 3 h"; "2 h" where the rest is nothing. Returns buf. */
char *pw_duration_text(int64_t ns, char *buf, size_t size);

#endif
