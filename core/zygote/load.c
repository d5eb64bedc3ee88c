/* SPDX-License-Identifier: MIT */
/*
 * Maps the plugin. Runs in the zygote, once, before HELLO: here plugin code (its
 * constructors) runs for the first time, and whatever it does, only this
 * process is hurt by it.
 */
#include "zygote/load.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "plugin/loaded.h"
#include "plugin/meta.h"
#include "sys/children.h"

/* A fork copies one thread only: what the others hold locked stays locked in the child for ever. */
static int
check_threads(const char *path, struct pw_err *err)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int threads = 0;

	if (!dir)
		return pw_err_errno(err, "open /proc/self/task");
	while ((entry = readdir(dir)))
		threads += entry->d_name[0] != '.';
	closedir(dir);
	if (threads > 1)
		return pw_err_set(err, PW_ERR_INPUT, "%s: starts a thread when it is loaded", path);
	return 0;
}

static int
check_children(const char *path, struct pw_err *err)
{
	struct pw_children children;
	int ret;

	pw_children_init(&children);
	ret = pw_children_list(&children, err);
	if (ret == 0 && children.count > 0)
		ret = pw_err_set(err, PW_ERR_INPUT, "%s: starts a process when it is loaded", path);
	pw_children_done(&children);
	return ret;
}

/* The worker has read the file before; what it claims tasks by is what must be served. */
static int
check_identity(const struct pw_plugin_meta *meta, const char *module, const char *digest,
	       struct pw_err *err)
{
	char ours[2 * sizeof(meta->digest) + 1];

	for (size_t i = 0; i < sizeof(meta->digest); i++)
		snprintf(ours + 2 * i, 3, "%02x", meta->digest[i]);
	if (strcmp(meta->module, module) != 0 || (digest && strcmp(digest, ours) != 0))
		return pw_err_set(err, PW_ERR_INPUT, "%s: file changed since it was read", meta->path);
	return 0;
}

int
pw_load_plugin(const char *path, const char *module, const char *digest,
	       struct pw_loaded *ret_loaded, struct pw_err *err)
{
	struct pw_plugin_meta *meta;
	void *handle;

	if (pw_plugin_meta_read(path, &meta, err) < 0)
		return -1;
	if (check_identity(meta, module, digest, err) < 0 ||
	    !(handle = pw_plugin_open(path, err)) ||
	    pw_plugin_check_loaded(handle, meta, err) < 0 || check_threads(path, err) < 0 ||
	    check_children(path, err) < 0) {
		pw_plugin_meta_free(meta);
		return -1;
	}
	*ret_loaded = (struct pw_loaded){ .handle = handle, .meta = meta };
	return 0;
}

const struct pulp_task *
pw_load_task(const struct pw_loaded *loaded, const char *name, bool resource, struct pw_err *err)
{
	const struct pw_plugin_task *task = resource ? pw_plugin_meta_resource(loaded->meta, name) :
						       pw_plugin_meta_task(loaded->meta, name);

	if (!task) {
		pw_err_set(err, PW_ERR_NOTFOUND, "%s: no %s %s", loaded->meta->path,
			   resource ? "resource" : "task", name);
		return NULL;
	}
	return pw_plugin_task_symbol(loaded->handle, loaded->meta, task, err);
}
