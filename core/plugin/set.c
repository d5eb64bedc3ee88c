/* SPDX-License-Identifier: MIT */
/*
 * All plugins of the plugin path. Runs in the supervisor, the client library
 * and pulp-plugin. A file that is no good becomes a problem with a text and
 * hinders none of the others; only a lack of memory fails a scan.
 *
 * Root takes plugins only from files and directories that root alone can
 * write: whoever can write a plugin can run anything as the worker's user.
 */
#include "plugin/meta.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

struct scan {
	struct pw_plugin_set *set;
	struct {
		dev_t dev;
		ino_t ino;
	} *seen; /* directories, so that one that is named twice is read once */
	size_t seen_count;
};

const char *
pw_plugin_distrust(const struct stat *st)
{
	if (geteuid() != 0)
		return NULL;
	if (st->st_uid != 0)
		return "not owned by root";
	if (st->st_mode & S_IWOTH)
		return "anybody may write it";
	return NULL;
}

struct pw_plugin_set *
pw_plugin_set_free(struct pw_plugin_set *set)
{
	if (!set)
		return NULL;
	for (size_t i = 0; i < set->count; i++)
		pw_plugin_meta_free(set->plugins[i]);
	for (size_t i = 0; i < set->problem_count; i++) {
		free(set->problems[i].path);
		free(set->problems[i].text);
	}
	free(set->plugins);
	free(set->problems);
	free(set);
	return NULL;
}

static int
problem_add(struct pw_plugin_set *set, const char *path, const char *text, struct pw_err *err)
{
	struct pw_plugin_problem *more, *problem;

	more = realloc(set->problems, (set->problem_count + 1) * sizeof(*more));
	if (!more)
		return pw_err_nomem(err);
	set->problems = more;
	problem = &more[set->problem_count];
	problem->path = strdup(path);
	problem->text = strdup(text);
	set->problem_count++;
	return problem->path && problem->text ? 0 : pw_err_nomem(err);
}

/* On success META belongs to the set. */
static int
plugin_add(struct pw_plugin_set *set, struct pw_plugin_meta *meta, struct pw_err *err)
{
	struct pw_plugin_meta **more = realloc(set->plugins, (set->count + 1) * sizeof(*more));

	if (!more)
		return pw_err_nomem(err);
	set->plugins = more;
	set->plugins[set->count++] = meta;
	return 0;
}

/* The module or label that another plugin of the set has already: it stays, and the newcomer is refused. */
static int
check_double(const struct pw_plugin_set *set, const struct pw_plugin_meta *meta, struct pw_err *err)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct pw_plugin_meta *other = set->plugins[i];

		if (strcmp(other->module, meta->module) == 0)
			return pw_err_set(err, PW_ERR_INPUT, "%s: module %s is already that of %s", meta->path, meta->module, other->path);
		if (strcmp(other->label, meta->label) == 0)
			return pw_err_set(err, PW_ERR_INPUT, "%s: label %s is already that of %s", meta->path, meta->label, other->path);
	}
	return 0;
}

static int
check_file(const char *path, struct pw_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return pw_err_errno(err, "%s", path);
	if (pw_plugin_distrust(&st))
		return pw_err_set(err, PW_ERR_CONFIG, "%s: %s, and root takes no such plugin", path, pw_plugin_distrust(&st));
	return 0;
}

static int
scan_file(struct pw_plugin_set *set, const char *path, struct pw_err *err)
{
	struct pw_plugin_meta *meta = NULL;
	struct pw_err problem;

	if (check_file(path, &problem) < 0)
		return problem_add(set, path, problem.text, err);
	if (pw_plugin_meta_read(path, &meta, &problem) < 0)
		return problem.kind == PW_ERR_NOMEM ? pw_err_nomem(err) :
						      problem_add(set, path, problem.text, err);
	if (check_double(set, meta, &problem) < 0) {
		pw_plugin_meta_free(meta);
		return problem_add(set, path, problem.text, err);
	}
	if (plugin_add(set, meta, err) < 0) {
		pw_plugin_meta_free(meta);
		return -1;
	}
	return 0;
}

/* Whether it can be a plugin by its name. What begins with a dot is somebody's temporary file. */
static int
is_plugin_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0;
}

/* By bytes, whatever the locale: which of two plugins is the second must not depend on it. */
static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
scan_entries(struct pw_plugin_set *set, const char *dir, struct dirent **entries, int count,
	     struct pw_err *err)
{
	pw_auto_buf path = PW_BUF_INIT;

	for (int i = 0; i < count; i++) {
		pw_buf_clear(&path);
		if (pw_buf_addf(&path, "%s/%s", dir, entries[i]->d_name) < 0)
			return pw_err_nomem(err);
		if (scan_file(set, path.data, err) < 0)
			return -1;
	}
	return 0;
}

/* Adds the directory to those seen. Returns 1 if it was there. */
static int
seen_before(struct scan *scan, const struct stat *st, struct pw_err *err)
{
	void *more;

	for (size_t i = 0; i < scan->seen_count; i++)
		if (scan->seen[i].dev == st->st_dev && scan->seen[i].ino == st->st_ino)
			return 1;
	more = realloc(scan->seen, (scan->seen_count + 1) * sizeof(*scan->seen));
	if (!more)
		return pw_err_nomem(err);
	scan->seen = more;
	scan->seen[scan->seen_count].dev = st->st_dev;
	scan->seen[scan->seen_count++].ino = st->st_ino;
	return 0;
}

static int
scan_directory(struct scan *scan, const char *dir, struct pw_err *err)
{
	struct dirent **entries = NULL;
	struct pw_err problem;
	struct stat st;
	int count, ret;

	if (stat(dir, &st) < 0 && errno == ENOENT)
		return 0;
	if (check_file(dir, &problem) < 0)
		return problem_add(scan->set, dir, problem.text, err);
	ret = seen_before(scan, &st, err);
	if (ret != 0)
		return ret > 0 ? 0 : -1;
	count = scandir(dir, &entries, is_plugin_name, by_bytes);
	if (count < 0) {
		pw_err_errno(&problem, "%s", dir);
		return problem.kind == PW_ERR_NOMEM ?
			       pw_err_nomem(err) :
			       problem_add(scan->set, dir, problem.text, err);
	}
	ret = scan_entries(scan->set, dir, entries, count, err);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return ret;
}

static int
by_module(const void *a, const void *b)
{
	const struct pw_plugin_meta *const *p = a, *const *q = b;

	return strcmp((*p)->module, (*q)->module);
}

static int
scan_path(struct scan *scan, const char *plugin_path, struct pw_err *err)
{
	while (*plugin_path) {
		size_t len = strcspn(plugin_path, ":");

		if (len) {
			pw_auto_free char *dir = strndup(plugin_path, len);

			if (!dir)
				return pw_err_nomem(err);
			while (len > 1 && dir[len - 1] == '/')
				dir[--len] = '\0';
			if (scan_directory(scan, dir, err) < 0)
				return -1;
		}
		plugin_path += strcspn(plugin_path, ":");
		plugin_path += *plugin_path == ':';
	}
	if (scan->set->count)
		qsort(scan->set->plugins, scan->set->count, sizeof(*scan->set->plugins), by_module);
	return 0;
}

int
pw_plugin_set_scan(const char *plugin_path, struct pw_plugin_set **ret_set, struct pw_err *err)
{
	struct scan scan = { .set = calloc(1, sizeof(*scan.set)) };
	int ret;

	if (!scan.set)
		return pw_err_nomem(err);
	ret = scan_path(&scan, plugin_path, err);
	free(scan.seen);
	if (ret < 0) {
		pw_plugin_set_free(scan.set);
		return -1;
	}
	*ret_set = scan.set;
	return 0;
}

const struct pw_plugin_meta *
pw_plugin_set_find(const struct pw_plugin_set *set, const char *function_name)
{
	size_t len = strcspn(function_name, ".");

	if (function_name[len] != '.')
		return NULL;
	for (size_t i = 0; i < set->count; i++)
		if (strncmp(set->plugins[i]->module, function_name, len) == 0 &&
		    set->plugins[i]->module[len] == '\0')
			return set->plugins[i];
	return NULL;
}
