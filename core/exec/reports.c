/* SPDX-License-Identifier: MIT */
/* Progress reports between the child, which may speak often, and the database, which hears the last word of each. */
#include "exec/reports.h"

#include <stdlib.h>
#include <string.h>

static struct pw_report *
find(struct pw_reports *reports, const char *code)
{
	struct pw_report *report;

	for (report = reports->first; report; report = report->next)
		if (strcmp(report->code, code) == 0)
			break;
	return report;
}

static void
free_report(struct pw_report *report)
{
	free(report->code);
	free(report->message);
	free(report->state);
	free(report->suffix);
	free(report);
}

static bool
dup_text(const char *text, char **ret_text)
{
	*ret_text = text ? strdup(text) : NULL;
	return !text || *ret_text;
}

static struct pw_report *
new_report(const struct pw_progress *progress)
{
	struct pw_report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	if (!dup_text(progress->code, &report->code) ||
	    !dup_text(progress->message, &report->message) ||
	    !dup_text(progress->state, &report->state) ||
	    !dup_text(progress->suffix, &report->suffix)) {
		free_report(report);
		return NULL;
	}
	report->done = progress->done;
	report->total = progress->total;
	report->changed = true;
	return report;
}

/* Its texts and numbers become those of FRESH, which goes. */
static void
replace(struct pw_report *report, struct pw_report *fresh)
{
	struct pw_report old = *report;

	*report = *fresh;
	report->id = old.id;
	report->sent = old.sent;
	report->next_ns = old.next_ns;
	report->urgent = old.urgent || strcmp(old.state, report->state) != 0;
	report->next = old.next;
	fresh->code = old.code;
	fresh->message = old.message;
	fresh->state = old.state;
	fresh->suffix = old.suffix;
	free_report(fresh);
}

int
pw_reports_put(struct pw_reports *reports, const struct pw_progress *progress, struct pw_err *err)
{
	struct pw_report *report = find(reports, progress->code), *fresh;

	if (!report && reports->count >= PW_REPORTS_MOST)
		return 1;
	fresh = new_report(progress);
	if (!fresh)
		return pw_err_nomem(err);
	if (report) {
		replace(report, fresh);
		return 0;
	}
	fresh->id = pw_uuid_new();
	fresh->urgent = true;
	fresh->next = reports->first;
	reports->first = fresh;
	reports->count++;
	return 0;
}

struct pw_report *
pw_reports_take(struct pw_reports *reports, struct pw_report *previous, int64_t now_ns, bool last)
{
	struct pw_report *report = previous ? previous->next : reports->first;

	for (; report; report = report->next)
		if (report->changed && (last || report->urgent || now_ns >= report->next_ns)) {
			report->changed = report->urgent = false;
			report->sent = true;
			report->next_ns = now_ns + PW_REPORT_EVERY;
			return report;
		}
	return NULL;
}

int64_t
pw_reports_due(const struct pw_reports *reports)
{
	int64_t due = PW_NEVER;

	for (const struct pw_report *report = reports->first; report; report = report->next) {
		int64_t at = report->urgent ? 0 : report->next_ns;

		if (report->changed && at < due)
			due = at;
	}
	return due;
}

void
pw_reports_again(struct pw_reports *reports)
{
	for (struct pw_report *report = reports->first; report; report = report->next)
		report->changed |= report->sent;
}

void
pw_reports_settle(struct pw_reports *reports, bool written)
{
	for (struct pw_report *report = reports->first; report; report = report->next) {
		report->urgent |= report->sent && !written;
		report->changed |= report->sent && !written;
		report->sent = false;
	}
}

void
pw_reports_done(struct pw_reports *reports)
{
	while (reports->first) {
		struct pw_report *report = reports->first;

		reports->first = report->next;
		free_report(report);
	}
	reports->count = 0;
}
