/* SPDX-License-Identifier: MIT */
/*
 * Gauges: how many tasks wait for a worker, and for how long. Asked for by the
 * setting metrics_file; measured at every third of the ttl by one worker of the
 * installation, which the database picks under lock 74. Runs in the supervisor, on the
 * side link, and not as a task, so that a queue that is stuck is seen.
 *
 * A file that nobody renews is worse than none: it goes when its writer leaves, or when another worker has taken over and
 * does not write it. What a killed worker leaves on a host without another is told by the time in it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sql/sql.h"
#include "store/array_text.h"
#include "supervisor/internal.h"
#include "supervisor/metrics_file.h"

#define AGAIN_WHEN_BUSY (250 * PW_MS)
#define STALE_AFTER 3	     /* intervals of the one that publishes */
#define REST_AFTER_FAILURE 6 /* intervals: time for another worker to take over, whose disk is not full */

static void
look_now(void *arg)
{
	struct pw_supervisor *s = arg;

	s->metrics_due = true;
	pw_side_next(s);
}

static int64_t
every_ns(const struct pw_supervisor *s)
{
	return s->ttl_ns / 3;
}

static void
set_next(struct pw_supervisor *s, int64_t wait_ns)
{
	pw_timer_set(s->metrics, pw_now_ns() + wait_ns);
}

void
pw_metrics_stop(struct pw_supervisor *s)
{
	if (s->metrics_written && unlink(s->metrics_written) < 0 && errno != ENOENT)
		pw_log_warning(NULL, "metrics.left", "file=%s msg=%s", pw_log_quote(s->metrics_written), pw_log_quote(strerror(errno)));
	free(s->metrics_written);
	s->metrics_written = NULL;
}

/* The file is this worker's now, and an earlier one of another name is not. */
static void
note_written(struct pw_supervisor *s, const char *path)
{
	if (s->metrics_written && strcmp(s->metrics_written, path) == 0)
		return;
	pw_metrics_stop(s);
	s->metrics_written = strdup(path);
	if (!s->metrics_written)
		abort();
	pw_log_info(NULL, "metrics.publishing", "file=%s", pw_log_quote(path));
}

static void
publish(struct pw_supervisor *s, const char *path, const struct pw_gauges *gauges)
{
	pw_auto_buf text = PW_BUF_INIT;
	struct pw_err err;

	if (pw_metrics_text(&text, gauges) < 0)
		abort();
	if (pw_metrics_write(path, &text, &err) == 0) {
		note_written(s, path);
		return;
	}
	pw_log_warning(NULL, "metrics.failed", "msg=%s", pw_log_quote(err.text));
	pw_metrics_stop(s);
	set_next(s, REST_AFTER_FAILURE * every_ns(s));
}

/*
 * Another worker publishes. Perhaps into this very file, which then is no older than it should be; else what lies here was
 * left by one that is gone, or was this worker's own.
 */
static void
leave_it(struct pw_supervisor *s, const char *path, const char *host, double period)
{
	struct timespec now;
	struct stat st;

	if (s->metrics_written)
		pw_log_info(NULL, "metrics.handed_over", "host=%s", pw_log_quote(host));
	free(s->metrics_written);
	s->metrics_written = NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (double)(now.tv_sec - st.st_mtim.tv_sec) > STALE_AFTER * period + 1 &&
	    unlink(path) == 0)
		pw_log_info(NULL, "metrics.removed", "file=%s msg=\"nobody writes it any more\"", pw_log_quote(path));
}

static void
on_measured(void *arg, const PGresult *result, const struct pw_err *err)
{
	enum { OUTCOME, HOST, PERIOD, WAITING, OLDEST, MEASURED };
	struct pw_supervisor *s = arg;
	const char *path = pw_settings_text(s->settings, PW_SETTING_metrics_file), *outcome;

	set_next(s, every_ns(s));
	if (err) {
		if (!pw_db_error_is_transient(err))
			pw_log_error(NULL, "metrics.failed", "msg=%s", pw_log_quote(err->text));
		return;
	}
	if (!path || s->phase == PW_WORKER_LEAVING)
		return;
	outcome = PQgetvalue(result, 0, OUTCOME);
	if (strcmp(outcome, "busy") == 0)
		set_next(s, AGAIN_WHEN_BUSY + arc4random_uniform(250) * PW_MS);
	else if (strcmp(outcome, "other") == 0)
		leave_it(s, path, PQgetvalue(result, 0, HOST),
			 strtod(PQgetvalue(result, 0, PERIOD), NULL));
	else
		publish(s, path,
			&(struct pw_gauges){ PQgetvalue(result, 0, WAITING),
					     PQgetvalue(result, 0, OLDEST),
					     PQgetvalue(result, 0, MEASURED) });
}

static bool
measure(struct pw_supervisor *s)
{
	struct pw_array known = { 0 }, floors = { 0 };
	char every[32];
	bool sent;

	for (size_t i = 0; i < s->requirement_count; i++) {
		pw_array_add_int(&known, s->requirements[i]->id);
		pw_array_add_int(&floors, s->requirements[i]->floor);
	}
	snprintf(every, sizeof(every), "%.3f", (double)every_ns(s) / PW_SEC);
	if (!pw_array_text(&known) || !pw_array_text(&floors))
		abort();
	sent = pw_side_send(
		s, pw_sql_publish_metrics,
		PW_DB_PARAMS(s->me.s, every, pw_array_text(&known), pw_array_text(&floors)),
		PW_STATEMENT_TIMEOUT, on_measured);
	pw_array_done(&known);
	pw_array_done(&floors);
	return sent;
}

bool
pw_metrics_next(struct pw_supervisor *s)
{
	if (!s->metrics_due)
		return false;
	if (s->config.auxiliary || !pw_settings_text(s->settings, PW_SETTING_metrics_file)) {
		pw_metrics_stop(s); /* a reload has taken the setting away */
		s->metrics_due = false;
		set_next(s, every_ns(s));
		return false;
	}
	if (s->phase > PW_WORKER_STOPPING)
		return false;
	s->metrics_due = !measure(s);
	return !s->metrics_due;
}

void
pw_metrics_new(struct pw_supervisor *s)
{
	s->metrics = pw_timer_new(s->loop, "metrics", look_now, s);
	pw_timer_set(s->metrics, pw_now_ns());
}

void
pw_metrics_free(struct pw_supervisor *s)
{
	pw_metrics_stop(s);
	s->metrics = pw_timer_free(s->metrics);
}
