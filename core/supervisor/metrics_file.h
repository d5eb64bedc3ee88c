/* SPDX-License-Identifier: MIT */
/* The gauges as a file that node_exporter's textfile collector reads. */
#ifndef PW_SUPERVISOR_METRICS_FILE_H
#define PW_SUPERVISOR_METRICS_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Numbers as the database wrote them. */
struct pw_gauges {
	const char *waiting;  /* tasks that have been ready for 5 s and more */
	const char *oldest;   /* for how many seconds the oldest one has been ready */
	const char *measured; /* when: seconds since 1970 */
};

/* Prometheus' text format. Returns -1 when out of memory. */
int pw_metrics_text(struct pw_buf *buf, const struct pw_gauges *gauges) PW_MUSTCHECK;
/* Puts TEXT in place whole, readable by everybody: a reader finds the old file or the new one. */
int pw_metrics_write(const char *path, const struct pw_buf *text, struct pw_err *err) PW_MUSTCHECK;

#endif
