/* SPDX-License-Identifier: MIT */
/*
 * The view of a waiting program. The terminal's size is asked for each time
 * the block is drawn; every line of it is cut to fit, so that the block can be
 * found again, also where the terminal has broken its lines anew meanwhile. Lines
 * that are final are written once, uncut. In pulp-task.
 */
#include "cmd/view.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/bar.h"
#include "cmd/task.h"
#include "task/json.h"

#define REPORT_INTERVAL (3 * PW_SEC) /* between lines about one task's progress, without a terminal */
#define LINES_MAX 200

struct item {
	struct pw_uuid id;
	char *state, *reports; /* as last shown */
	int64_t shown_ns;      /* when its progress was */
};

struct pw_view {
	FILE *file;
	bool terminal, blocks;
	int columns, rows;
	struct item *items;
	size_t count;
	struct pw_buf block;   /* what is drawn */
	int widths[LINES_MAX]; /* of its lines */
	int lines;
};

int
pw_view_new(FILE *file, const struct pw_uuid *ids, size_t count, struct pw_view **ret_view,
	    struct pw_err *err)
{
	struct pw_view *view = calloc(1, sizeof(*view));
	const char *term = getenv("TERM");

	if (!view || !(view->items = calloc(count + 1, sizeof(view->items[0])))) {
		free(view);
		return pw_err_nomem(err);
	}
	view->file = file;
	view->terminal = isatty(fileno(file)) && term && *term && strcmp(term, "dumb") != 0;
	view->blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	view->count = count;
	for (size_t i = 0; i < count; i++)
		view->items[i].id = ids[i];
	*ret_view = view;
	return 0;
}

struct pw_view *
pw_view_free(struct pw_view *view)
{
	if (!view)
		return NULL;
	for (size_t i = 0; i < view->count; i++) {
		free(view->items[i].state);
		free(view->items[i].reports);
	}
	free(view->items);
	pw_buf_done(&view->block);
	free(view);
	return NULL;
}

static void
measure(struct pw_view *view)
{
	view->columns = pw_cmd_columns(fileno(view->file), &view->rows);
}

void
pw_view_clear(struct pw_view *view)
{
	int up = 0;

	if (view->lines == 0)
		return;
	measure(view);
	/* A terminal that became narrower has broken each line into several. */
	for (int i = 0; i < view->lines; i++)
		up += 1 + (view->widths[i] - 1) / view->columns;
	fprintf(view->file, "\033[%dA\r\033[J", up);
	view->lines = 0;
	pw_buf_clear(&view->block);
}

/* Whole seconds, so that it changes no more often than is worth drawing. */
static void
short_duration(const struct pw_record *task, char *buf, size_t size)
{
	int64_t ms = pw_record_int(task, "duration_ms", -1);

	buf[0] = '\0';
	if (ms >= 0)
		pw_duration_text(ms / 1000 * PW_SEC, buf, size);
}

/* The block of one task: itself, and a bar for each report. */
static int
add_task(const struct pw_view *view, const struct pw_record *task, struct pw_buf *block)
{
	pw_auto_json *reports = json_loads(pw_record_text(task, "progress_reports"), 0, NULL);
	pw_auto_buf text = PW_BUF_INIT;
	char duration[40];
	json_t *report;
	size_t i;

	short_duration(task, duration, sizeof(duration));
	if (pw_buf_addf(&text, "%s %s%s%s%s%s  %s", pw_record_text(task, "name"),
			pw_record_text(task, "state"), *duration ? " " : "", duration,
			pw_record_get(task, "worker") ? " on " : "", pw_record_text(task, "worker"),
			pw_record_text(task, "pulp_id")) < 0 ||
	    pw_text_fit(pw_buf_text(&text), view->columns - 1, view->blocks, block) < 0 ||
	    pw_buf_addc(block, '\n') < 0)
		return -1;
	json_array_foreach(reports, i, report)
		if (pw_buf_adds(block, "  ") < 0 || pw_bar_line(report, view->columns - 3, view->blocks, block) < 0 ||
		    pw_buf_addc(block, '\n') < 0)
			return -1;
	return 0;
}

/* Writes as many lines as fit, and keeps how wide they are. */
static void
write_block(struct pw_view *view)
{
	char *line = view->block.data, *end;

	for (; line && (end = strchr(line, '\n')) && view->lines < LINES_MAX &&
	       view->lines < view->rows - 1;
	     line = end + 1) {
		*end = '\0';
		view->widths[view->lines++] = pw_text_width(line);
		*end = '\n';
	}
	if (line)
		fwrite(view->block.data, 1, (size_t)(line - view->block.data), view->file);
}

/* Draws all that are not final, if that differs from what stands there. */
static int
draw(struct pw_view *view, const struct pw_records *tasks)
{
	pw_auto_buf block = PW_BUF_INIT;
	int columns = view->columns;

	measure(view);
	for (size_t i = 0; i < tasks->count; i++)
		if (!pw_task_state_final(pw_record_state(tasks->items[i])) &&
		    add_task(view, tasks->items[i], &block) < 0)
			return -1;
	if (columns == view->columns && strcmp(pw_buf_text(&block), pw_buf_text(&view->block)) == 0)
		return 0;
	pw_view_clear(view);
	pw_buf_done(&view->block);
	view->block = block;
	block = (struct pw_buf)PW_BUF_INIT;
	write_block(view);
	return 0;
}

/* "ID failed after 3 s: reason" */
static void
write_state(struct pw_view *view, const struct pw_record *task)
{
	enum pw_task_state state = pw_record_state(task);
	const char *reason = pw_record_get(task, "reason"), *worker = pw_record_get(task, "worker");
	int fd = fileno(view->file);
	char duration[40];

	pw_view_clear(view);
	fprintf(view->file, "%s %s%s%s", pw_record_text(task, "pulp_id"), pw_output_style(fd, pw_cmd_state_style(state)),
		pw_record_text(task, "state"), pw_output_style(fd, PW_STYLE_PLAIN));
	pw_cmd_duration(task, "duration_ms", duration, sizeof(duration));
	if (pw_task_state_final(state) && *duration)
		fprintf(view->file, " after %s", duration);
	if (!pw_task_state_final(state) && worker) {
		fputs(" on ", view->file);
		pw_cmd_put_text(view->file, worker);
	}
	if (reason) {
		fputs(": ", view->file);
		pw_cmd_put_text(view->file, reason);
	}
	putc('\n', view->file);
}

static int
write_reports(struct pw_view *view, const struct pw_record *task)
{
	pw_auto_json *reports = json_loads(pw_record_text(task, "progress_reports"), 0, NULL);
	json_t *report;
	size_t i;

	json_array_foreach(reports, i, report) {
		pw_auto_buf line = PW_BUF_INIT;

		if (pw_bar_text(report, &line) < 0)
			return -1;
		fprintf(view->file, "%s ", pw_record_text(task, "pulp_id"));
		pw_cmd_put_text(view->file, pw_buf_text(&line));
		putc('\n', view->file);
	}
	return 0;
}

/* Keeps a copy of TEXT in *SLOT. 1 if it differs from what was there, -1 when out of memory. */
static int
renew(char **slot, const char *text)
{
	char *copy;

	if (*slot && strcmp(*slot, text) == 0)
		return 0;
	copy = strdup(text);
	if (!copy)
		return -1;
	free(*slot);
	*slot = copy;
	return 1;
}

static bool
differs(const char *shown, const char *text)
{
	return strcmp(shown ? shown : "[]", text) != 0;
}

static int
update_item(struct pw_view *view, struct item *item, const struct pw_record *task)
{
	const char *reports = pw_record_text(task, "progress_reports");
	bool moved = differs(item->reports, reports),
	     final = pw_task_state_final(pw_record_state(task));
	int changed = differs(item->state, pw_record_text(task, "state"));

	/* The last word on progress comes before that on the task. */
	if (moved && !view->terminal &&
	    (final || pw_now_ns() >= item->shown_ns + REPORT_INTERVAL)) {
		if (write_reports(view, task) < 0 || renew(&item->reports, reports) < 0)
			return -1;
		item->shown_ns = pw_now_ns();
	} else if (moved && view->terminal && renew(&item->reports, reports) < 0) {
		return -1;
	}
	if (changed && (final || !view->terminal))
		write_state(view, task);
	if (changed && renew(&item->state, pw_record_text(task, "state")) < 0)
		return -1;
	return changed || moved;
}

int
pw_view_update(struct pw_view *view, const struct pw_records *tasks, struct pw_err *err)
{
	struct item *item = view->items, *end = view->items + view->count;
	int changed = 0;

	for (size_t i = 0; i < tasks->count; i++) {
		int more;

		while (item < end && strcmp(item->id.s, pw_record_text(tasks->items[i], "pulp_id")) != 0)
			item++;
		more = item < end ? update_item(view, item++, tasks->items[i]) : 0;
		if (more < 0)
			return pw_err_nomem(err);
		changed |= more;
	}
	if (view->terminal && draw(view, tasks) < 0)
		return pw_err_nomem(err);
	fflush(view->file);
	return changed;
}
