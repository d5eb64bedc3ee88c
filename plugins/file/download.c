/* SPDX-License-Identifier: MIT */
/*
 * Decides what is downloaded when, and takes what came into the store. Runs in
 * the task child.
 *
 * A content that another task is downloading right now is left for last: by
 * then that task will mostly have it in the store. If it is still at it, it is
 * fetched a second time rather than waited for, since nothing says that the other
 * will ever finish; the last rename wins, and both bring the same bytes.
 */
#include "config.h"

#include "file/download.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "file/fetch.h"
#include "file/partial.h"

/* One journal commit serves so many files. */
#define BATCH 32
#define REPORT_EVERY_NS (PW_SEC / 5)

struct job {
	struct download *download;
	const struct pw_entry *entry;
	struct pw_transfer *transfer; /* NULL unless it is under way */
	struct pw_partial partial;
	bool busy;    /* somebody else was at it */
	bool resumed; /* it began with what an earlier task left */
};

struct download {
	pulp_context *ctx;
	struct pw_store *store;
	const struct pw_url *url;
	struct job *jobs;
	size_t count, next, second; /* the second look is at the busy ones */
	size_t under_way, batched;
	struct job *batch[BATCH];
	size_t files; /* done */
	int64_t bytes, total_bytes, reported_ns;
	struct pw_downloaded got;
};

/* The columns of a report are 32 bits wide: a number of bytes beyond that is told in larger units. */
static int
unit_shift(int64_t total, const char **ret_suffix)
{
	static const char *const suffixes[] = { "B", "KiB", "MiB", "GiB" };
	size_t i = 0;

	while (i + 1 < PW_COUNT(suffixes) && total >> 10 * i > INT32_MAX)
		i++;
	*ret_suffix = suffixes[i];
	return 10 * (int)i;
}

static void
report(struct download *d, const char *state)
{
	const char *suffix;
	int shift = unit_shift(d->total_bytes, &suffix);
	struct pulp_progress files = {
		sizeof(files), "sync.downloading", "Downloading files", state, (int64_t)d->files, (int64_t)d->count, NULL,
	};
	struct pulp_progress bytes = {
		sizeof(bytes), "sync.bytes", "Downloading bytes", state, d->bytes >> shift, d->total_bytes >> shift, suffix,
	};

	pulp_progress_report(d->ctx, &files);
	pulp_progress_report(d->ctx, &bytes);
	d->reported_ns = pw_now_ns();
}

static int
check_stop(pulp_context *ctx, struct pw_err *err)
{
	return pulp_should_stop(ctx) ? pw_err_set(err, PW_ERR_TIMEOUT, "stopped before everything was there") : 0;
}

static int64_t
job_have(void *sink)
{
	return ((struct job *)sink)->partial.have;
}

static int64_t
job_want(void *sink)
{
	return ((struct job *)sink)->partial.size;
}

static int
job_add(void *sink, const char *data, size_t len, struct pw_err *err)
{
	struct job *job = sink;

	if (pw_partial_add(&job->partial, data, len, err) < 0)
		return -1;
	job->download->bytes += (int64_t)len;
	job->download->got.bytes += (int64_t)len;
	return 0;
}

static int
job_restart(void *sink, struct pw_err *err)
{
	struct job *job = sink;

	job->download->bytes -= job->partial.have;
	return pw_partial_restart(&job->partial, err);
}

static const struct pw_sink_ops job_ops = { job_have, job_add, job_restart, job_want };

static int
commit_batch(struct download *d, struct pw_err *err)
{
	for (size_t i = 0; i < d->batched; i++) {
		if (pw_partial_commit(&d->batch[i]->partial, d->store, err) < 0)
			return -1;
		d->files++;
	}
	d->batched = 0;
	return 0;
}

/* One is whole. 0: in the batch, 1: it was not what was promised, but only an old rest is to blame. */
static int
take(struct download *d, struct job *job, struct pw_err *err)
{
	int64_t have = job->partial.have;

	if (pw_partial_verify(&job->partial, err) < 0) {
		d->bytes -= have;
		if (!job->resumed)
			return pw_err_prefix(err, "%.300s", job->entry->path);
		job->resumed = false;
		return 1;
	}
	d->batch[d->batched++] = job;
	return d->batched == BATCH ? commit_batch(d, err) : 0;
}

/* 0: nothing left to do for it, or to be done later; 1: *ret_transfer is to run. */
static int
open_job(struct download *d, struct job *job, bool last_chance, struct pw_transfer **ret_transfer,
	 struct pw_err *err)
{
	const struct pw_entry *entry = job->entry;
	int rc = pw_partial_open(d->store, entry->sha256, entry->size, NULL, &job->partial, err);
	char *url;

	if (rc == 1 && last_chance)
		rc = pw_partial_open(d->store, entry->sha256, entry->size, d->ctx->id,
				     &job->partial, err);
	if (rc != 0) {
		job->busy = true;
		return rc < 0 ? -1 : 0;
	}
	d->bytes += job->partial.have;
	job->resumed = job->partial.have > 0;
	if (job->partial.have == job->partial.size) {
		rc = take(d, job, err);
		if (rc <= 0)
			return rc;
	}
	url = pw_url_of(d->url, entry->path, err);
	job->transfer = url ? pw_transfer_new(url, entry->path, &job_ops, job, err) : NULL;
	if (!job->transfer)
		return -1;
	d->under_way++;
	*ret_transfer = job->transfer;
	return 1;
}

/* The one after it came while the busy ones were waiting. */
static bool
came_meanwhile(struct download *d, const struct job *job)
{
	if (!pw_store_has(d->store, job->entry->sha256, job->entry->size))
		return false;
	d->files++;
	d->bytes += job->entry->size;
	return true;
}

static int
next(void *arg, struct pw_transfer **ret_transfer, struct pw_err *err)
{
	struct download *d = arg;
	int rc = 0;

	while (rc == 0 && d->next < d->count)
		rc = open_job(d, &d->jobs[d->next++], false, ret_transfer, err);
	if (rc == 0 && d->second == 0) {
		if (d->under_way > 0)
			return 0;
		/* Ours first: another task may be waiting for them as we do for its. */
		rc = commit_batch(d, err);
	}
	while (rc == 0 && d->second < d->count) {
		struct job *job = &d->jobs[d->second++];

		if (job->busy && !came_meanwhile(d, job))
			rc = open_job(d, job, true, ret_transfer, err);
	}
	return rc < 0 ? -1 : 0;
}

static int
done(void *arg, struct pw_transfer *transfer, struct pw_err *err)
{
	struct download *d = arg;
	struct job *job = transfer->sink;
	int rc = take(d, job, err);

	if (rc != 0)
		return rc;
	d->got.files++;
	d->under_way--;
	job->transfer = pw_transfer_free(transfer);
	return 0;
}

static int
tick(void *arg, struct pw_err *err)
{
	struct download *d = arg;

	if (pw_now_ns() - d->reported_ns >= REPORT_EVERY_NS)
		report(d, "running");
	return check_stop(d->ctx, err);
}

static const struct pw_fetch_ops fetch_ops = { next, done, tick };

static int
download(struct download *d, struct pw_err *err)
{
	if (pw_fetch_run(&fetch_ops, d, err) < 0 || commit_batch(d, err) < 0)
		return -1;
	return pw_store_flush(d->store, err);
}

static int
set_up(struct download *d, const struct pw_plan *plan, struct pw_err *err)
{
	d->count = plan->count;
	d->total_bytes = plan->bytes;
	d->jobs = calloc(plan->count + 1, sizeof(*d->jobs));
	if (!d->jobs)
		return pw_err_nomem(err);
	for (size_t i = 0; i < plan->count; i++) {
		d->jobs[i].download = d;
		d->jobs[i].entry = plan->wants[i];
		d->jobs[i].partial = (struct pw_partial)PW_PARTIAL_INIT;
	}
	return 0;
}

int
pw_download(pulp_context *ctx, struct pw_store *store, const struct pw_url *url,
	    const struct pw_plan *plan, struct pw_downloaded *ret_downloaded, struct pw_err *err)
{
	struct download d = { .ctx = ctx, .store = store, .url = url };
	int rc;

	if (set_up(&d, plan, err) < 0)
		return -1;
	report(&d, "running");
	rc = download(&d, err);
	/* What was verified is worth keeping, even if something else failed. */
	if (rc < 0)
		(void)!commit_batch(&d, NULL);
	report(&d, rc == 0 ? "completed" : pulp_should_stop(ctx) ? "canceled" : "failed");
	for (size_t i = 0; i < d.count; i++) {
		pw_transfer_free(d.jobs[i].transfer);
		pw_partial_done(&d.jobs[i].partial, store);
	}
	free(d.jobs);
	if (rc == 0)
		*ret_downloaded = d.got;
	return rc;
}

/* The manifest's sink is memory; it is never resumed, for it may have changed. */
struct text {
	pulp_context *ctx;
	struct pw_buf *buf;
	struct pw_transfer *transfer;
	bool given;
};

static int64_t
text_have(void *sink PW_UNUSED)
{
	return 0;
}

static int64_t
text_want(void *sink PW_UNUSED)
{
	return -1;
}

static int
text_add(void *sink, const char *data, size_t len, struct pw_err *err)
{
	struct text *text = sink;

	if (len > PW_MANIFEST_LIMIT - text->buf->len)
		return pw_err_set(err, PW_ERR_INPUT, "it is larger than %d MiB", PW_MANIFEST_LIMIT >> 20);
	return pw_buf_add(text->buf, data, len) < 0 ? pw_err_nomem(err) : 0;
}

static int
text_restart(void *sink, struct pw_err *err PW_UNUSED)
{
	pw_buf_clear(((struct text *)sink)->buf);
	return 0;
}

static int
text_next(void *arg, struct pw_transfer **ret_transfer, struct pw_err *err PW_UNUSED)
{
	struct text *text = arg;

	if (!text->given)
		*ret_transfer = text->transfer;
	text->given = true;
	return 0;
}

static int
text_done(void *arg PW_UNUSED, struct pw_transfer *transfer PW_UNUSED, struct pw_err *err PW_UNUSED)
{
	return 0;
}

static int
text_tick(void *arg, struct pw_err *err)
{
	return check_stop(((struct text *)arg)->ctx, err);
}

int
pw_download_manifest(pulp_context *ctx, const struct pw_url *url, struct pw_buf *buf,
		     struct pw_err *err)
{
	static const struct pw_sink_ops sink_ops = { text_have, text_add, text_restart, text_want };
	static const struct pw_fetch_ops ops = { text_next, text_done, text_tick };
	struct text text = { ctx, buf, NULL, false };
	char *address = pw_url_of(url, "", err);
	int rc;

	text.transfer =
		address ? pw_transfer_new(address, pw_url_shown(url), &sink_ops, &text, err) : NULL;
	if (!text.transfer)
		return -1;
	rc = pw_fetch_run(&ops, &text, err);
	pw_transfer_free(text.transfer);
	return rc;
}
