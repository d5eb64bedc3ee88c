/* SPDX-License-Identifier: MIT */
/*
 * The file of the gauges, in the supervisor: the text format, and how it comes
 * into its place. The names are those of the original's gauges in Prometheus'
 * spelling, so that its dashboards go on. Measures nothing and decides nothing.
 */
#include "supervisor/metrics_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int
add_gauge(struct pw_buf *buf, const char *name, const char *help, const char *value)
{
	return pw_buf_addf(buf, "# HELP %s %s\n# TYPE %s gauge\n%s %s\n", name, help, name, name, value);
}

int
pw_metrics_text(struct pw_buf *buf, const struct pw_gauges *gauges)
{
	if (add_gauge(buf, "tasks_unblocked_queue", "Tasks that have been ready for 5 seconds and more and wait for a worker.",
		      gauges->waiting) < 0 ||
	    add_gauge(buf, "tasks_longest_unblocked_time_seconds", "How long the oldest of the ready tasks has been waiting for a worker.",
		      gauges->oldest) < 0)
		return -1;
	return add_gauge(buf, "tasks_measured_timestamp_seconds", "When this was measured, by the clock of the database.", gauges->measured);
}

static int
write_draft(const char *path, const struct pw_buf *text, struct pw_err *err)
{
	pw_auto_close int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return pw_err_errno(err, "open %s", path);
	if (fchmod(fd, 0644) < 0) /* whatever the umask: the collector is somebody else */
		return pw_err_errno(err, "chmod %s", path);
	return pw_fd_write_all(fd, text->data, text->len, err);
}

int
pw_metrics_write(const char *path, const struct pw_buf *text, struct pw_err *err)
{
	pw_auto_free char *draft = NULL;

	/* no collector reads a name that does not end in .prom */
	if (asprintf(&draft, "%s.%d", path, (int)getpid()) < 0)
		return pw_err_nomem(err);
	if (write_draft(draft, text, err) < 0) {
		unlink(draft);
		return -1;
	}
	if (rename(draft, path) < 0) {
		pw_err_errno(err, "rename %s to %s", draft, path);
		unlink(draft);
		return -1;
	}
	return 0;
}
