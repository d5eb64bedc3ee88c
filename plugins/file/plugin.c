/* SPDX-License-Identifier: MIT */
/*
 * The plugin file: syncs and publishes Pulp file repositories. Runs in the task
 * child. See pulp-plugin-file(7) for the arguments, the results and the errors.
 */
#include <pulp/plugin.h>

#include "common/args.h"
#include "config.h"
#include "file/publish.h"
#include "file/sync.h"

PULP_PLUGIN("file", "c_file", PACKAGE_VERSION, "Syncs and publishes file repositories");

/* The argument that both tasks need. */
static int
read_repository(const json_t *kwargs, const char **ret_name, struct pw_err *err)
{
	if (pw_args_string(kwargs, "repository", true, ret_name, err) < 0)
		return -1;
	return pw_repository_check(*ret_name, err);
}

PULP_TASK(sync, "Make a repository what a PULP_MANIFEST says: repository, url")
{
	static const char *const known[] = { "repository", "url", NULL };
	pw_auto_json *kwargs = NULL;
	const char *repository, *url;
	struct pw_synced synced;
	struct pw_err err;

	if (pw_args_parse(ctx, known, &kwargs, &err) < 0 ||
	    read_repository(kwargs, &repository, &err) < 0 ||
	    pw_args_string(kwargs, "url", true, &url, &err) < 0 ||
	    pw_sync(ctx, repository, url, &synced, &err) < 0)
		return pulp_fail(ctx, "%s", err.text);
	return pw_args_result(ctx, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "repository", repository, "version",
					     (json_int_t)synced.change.version, "added",
					     (json_int_t)synced.change.added, "removed",
					     (json_int_t)synced.change.removed, "present",
					     (json_int_t)synced.present, "downloaded",
					     (json_int_t)synced.downloaded.files, "bytes",
					     (json_int_t)synced.downloaded.bytes));
}

PULP_TASK(publish, "Write the tree of a repository's latest version: repository, path")
{
	static const char *const known[] = { "repository", "path", NULL };
	pw_auto_json *kwargs = NULL;
	const char *repository, *path;
	struct pw_published published;
	struct pw_err err;
	pulp_end end;

	if (pw_args_parse(ctx, known, &kwargs, &err) < 0 ||
	    read_repository(kwargs, &repository, &err) < 0 ||
	    pw_args_string(kwargs, "path", false, &path, &err) < 0 ||
	    pw_publish(ctx, repository, path, &published, &err) < 0)
		return pulp_fail(ctx, "%s", err.text);
	end = pw_args_result(ctx, json_pack("{s:s, s:s, s:I, s:I, s:I}", "repository", repository, "path",
					    published.path, "files", (json_int_t)published.files, "bytes",
					    (json_int_t)published.bytes, "version", (json_int_t)published.version));
	pw_published_done(&published);
	return end;
}
