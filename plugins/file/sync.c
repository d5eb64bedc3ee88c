/* SPDX-License-Identifier: MIT */
/*
 * The order of a sync: manifest, plan, downloads, version. Runs in the task
 * child. A version is added only when all of its contents are in the store and
 * on disk; whatever fails before leaves the repository as it was, and what had
 * come by then in the store for the next try.
 */
#include "file/sync.h"

#include <curl/curl.h>
#include <signal.h>

#include "file/manifest.h"
#include "file/plan.h"

static void
report_parsing(pulp_context *ctx, const char *state, int64_t done, int64_t total)
{
	struct pulp_progress progress = {
		sizeof(progress), "sync.parsing", "Reading " PW_MANIFEST_NAME, state, done, total, NULL,
	};

	pulp_progress_report(ctx, &progress);
}

static int
read_manifest(pulp_context *ctx, const struct pw_url *url, struct pw_manifest *manifest,
	      struct pw_err *err)
{
	pw_auto_buf text = PW_BUF_INIT;
	int64_t count;

	report_parsing(ctx, "running", 0, -1);
	if (pw_download_manifest(ctx, url, &text, err) < 0 ||
	    pw_manifest_parse(pw_buf_text(&text), text.len, manifest, err) < 0) {
		report_parsing(ctx, pulp_should_stop(ctx) ? "canceled" : "failed", 0, -1);
		return -1;
	}
	count = (int64_t)manifest->count;
	report_parsing(ctx, "completed", count, count);
	return 0;
}

static int
sync_from(pulp_context *ctx, struct pw_store *store, const char *repository,
	  const struct pw_url *url, struct pw_synced *ret_synced, struct pw_err *err)
{
	pw_auto_manifest manifest = PW_MANIFEST_INIT;
	struct pw_plan plan = PW_PLAN_INIT;
	struct pw_synced synced = { 0 };
	int rc = read_manifest(ctx, url, &manifest, err);

	if (rc == 0)
		rc = pw_plan_make(&manifest, store, &plan, err);
	if (rc == 0)
		rc = pw_download(ctx, store, url, &plan, &synced.downloaded, err);
	if (rc == 0)
		rc = pw_repository_add(store, repository, ctx->id, &manifest, &synced.change, err);
	pw_plan_done(&plan);
	synced.present = manifest.count;
	if (rc == 0)
		*ret_synced = synced;
	return rc;
}

int
pw_sync(pulp_context *ctx, const char *repository, const char *address,
	struct pw_synced *ret_synced, struct pw_err *err)
{
	struct pw_store store = PW_STORE_INIT;
	struct pw_url *url;
	int rc;

	/* In the task child only: a thread in the plugin's host would forbid it to fork. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return pw_err_set(err, PW_ERR_OS, "libcurl does not start");
	/* A server that hangs up is an error of one transfer, not a signal; libcurl leaves this to us. */
	signal(SIGPIPE, SIG_IGN);
	url = pw_url_new(address, err);
	rc = url ? pw_store_open(ctx->state_directory, &store, err) : -1;
	if (rc == 0) {
		pw_store_sweep(&store);
		rc = sync_from(ctx, &store, repository, url, ret_synced, err);
	}
	pw_url_free(url);
	pw_store_done(&store);
	return rc;
}
