/* SPDX-License-Identifier: MIT */
/*
 * pulp-plugin install and remove. What is checked is the copy that is then
 * renamed into place, so nothing can change in between; and a file that is
 * mapped by a running worker is never written to, which would kill it.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/pep440.h"
#include "cmd/cli.h"
#include "cmd/output.h"
#include "cmd/pulp_plugin.h"

/* The copy that is not in place yet, for the signal handler. */
static char pending[4096];

struct installation {
	const char *file;		/* what is to be installed */
	const char *name;		/* its last component */
	char *dir;
	struct pw_buf target, copy;	/* paths of the place and of the copy that will be renamed to it */
	char *replaced;			/* the version that was there, or NULL */
	struct check check;
};

static void
remove_pending(int sig)
{
	unlink(pending);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
set_pending(const char *path)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };

	snprintf(pending, sizeof(pending), "%s", path);
	for (size_t i = 0; i < PW_COUNT(signals); i++)
		signal(signals[i], *path ? remove_pending : SIG_DFL);
}

/* The directory to install into, without slashes at its end. */
static int
choose_dir(struct installation *in, struct pw_err *err)
{
	const char *dir = pulp_plugin_options.into ? pulp_plugin_options.into : pulp_plugin_path();
	size_t len = pulp_plugin_options.into ? strlen(dir) : strcspn(dir, ":");
	struct stat st;

	if (len == 0)
		return pw_err_set(err, PW_ERR_CONFIG, "where to? Give --into DIR or a plugin path");
	while (len > 1 && dir[len - 1] == '/')
		len--;
	in->dir = strndup(dir, len);
	if (!in->dir || pw_buf_addf(&in->target, "%s/%s", in->dir, in->name) < 0)
		return pw_err_nomem(err);
	if (stat(in->dir, &st) < 0 && errno == ENOENT)
		return pw_err_set(err, PW_ERR_NOTFOUND, "%s: no such directory", in->dir);
	if (stat(in->dir, &st) < 0)
		return pw_err_errno(err, "%s", in->dir);
	if (!S_ISDIR(st.st_mode))
		return pw_err_set(err, PW_ERR_CONFIG, "%s: not a directory", in->dir);
	if (pw_plugin_distrust(&st))
		return pw_err_set(err, PW_ERR_CONFIG, "%s: %s, and root takes no plugin from there", in->dir, pw_plugin_distrust(&st));
	return 0;
}

static int
copy_bytes(int from, int to, struct pw_err *err)
{
	char chunk[65536];

	for (;;) {
		ssize_t n = pw_fd_read_all(from, chunk, sizeof(chunk), err);

		if (n <= 0)
			return (int)n;
		if (pw_fd_write_all(to, chunk, (size_t)n, err) < 0)
			return -1;
	}
}

/* Makes the copy beside its place, complete and on disk. Its name begins with a dot: no scan looks at it. */
static int
make_copy(struct installation *in, struct pw_err *err)
{
	pw_auto_close int from = open(in->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	pw_auto_close int to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return pw_err_errno(err, "%s", in->file);
	if (!S_ISREG(st.st_mode))
		return pw_err_set(err, PW_ERR_INPUT, "%s: not a regular file", in->file);
	if (pw_buf_addf(&in->copy, "%s/.%s.XXXXXX", in->dir, in->name) < 0)
		return pw_err_nomem(err);
	to = mkostemp(in->copy.data, O_CLOEXEC);
	if (to < 0)
		return pw_err_errno(err, "%s", in->dir);
	set_pending(in->copy.data);
	if (copy_bytes(from, to, err) < 0)
		return pw_err_prefix(err, "%s", in->copy.data);
	if (fchmod(to, 0644) < 0 || fsync(to) < 0)
		return pw_err_errno(err, "%s", in->copy.data);
	return 0;
}

static int
sync_dir(const char *dir, struct pw_err *err)
{
	pw_auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return pw_err_errno(err, "%s", dir);
	return 0;
}

/* Whether two paths name one file. */
static bool
same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* What stands in the place already: never a newer version or another module without --force. */
static int
check_place(struct installation *in, const struct pw_plugin_meta *old, struct pw_err *err)
{
	const struct pw_plugin_meta *new = in->check.meta;
	int order;

	in->replaced = strdup(old->version);
	if (!in->replaced)
		return pw_err_nomem(err);
	if (pulp_plugin_options.force)
		return 0;
	if (strcmp(old->module, new->module) != 0)
		return pw_err_set(err, PW_ERR_BUSY, "%s is another plugin, %s %s: --force replaces it", old->path, old->module, old->version);
	if (pw_version_compare(old->version, new->version, &order, err) < 0)
		return -1;
	if (order > 0)
		return pw_err_set(err, PW_ERR_BUSY, "%s is newer, %s %s, than this one, %s: --force replaces it", old->path, old->module,
				  old->version, new->version);
	return 0;
}

/* A module or a label that another file has: the worker would refuse one of the two. */
static int
check_others(struct installation *in, const struct pw_plugin_set *set, struct pw_err *err)
{
	const struct pw_plugin_meta *new = in->check.meta;

	for (size_t i = 0; i < set->count; i++) {
		const struct pw_plugin_meta *old = set->plugins[i];
		bool module = strcmp(old->module, new->module) == 0;
		bool label = strcmp(old->label, new->label) == 0;

		if (same_file(old->path, in->target.data)) {
			if (check_place(in, old, err) < 0)
				return -1;
		} else if (module || label) {
			return pw_err_set(err, PW_ERR_BUSY, "%s %s is already that of %s: remove that first, or give this file its name",
					  module ? "module" : "label", module ? new->module : new->label, old->path);
		}
	}
	return 0;
}

/* Looks at the directory and at the whole plugin path, which need not hold it. */
static int
check_neighbours(struct installation *in, struct pw_err *err)
{
	struct pw_plugin_set *set = NULL;
	pw_auto_buf path = PW_BUF_INIT;
	int ret;

	if (pw_buf_addf(&path, "%s:%s", in->dir, pulp_plugin_path()) < 0)
		return pw_err_nomem(err);
	if (pw_plugin_set_scan(path.data, &set, err) < 0)
		return -1;
	ret = check_others(in, set, err);
	pw_plugin_set_free(set);
	return ret;
}

static int
fail_as(const struct pw_err *err, int status)
{
	pw_cli_fail(err);
	return status;
}

/* Returns 0, or an exit status after it has said why. */
static int
install(struct installation *in)
{
	struct pw_err err;

	if (choose_dir(in, &err) < 0)
		return pw_cli_fail(&err);
	if (make_copy(in, &err) < 0) {
		if (err.kind == PW_ERR_INPUT)
			return fail_as(&err, EX_DATAERR);
		return err.os_errno == ENOENT ? fail_as(&err, EX_NOINPUT) : pw_cli_fail(&err);
	}
	if (check_plugin(in->copy.data, &in->check, &err) < 0)
		return pw_cli_fail(&err);
	if (in->check.count) {
		check_print(&in->check, in->file);
		pw_cli_warn("%s: not installed", in->file);
		return EX_DATAERR;
	}
	if (check_neighbours(in, &err) < 0)
		return err.kind == PW_ERR_BUSY ? fail_as(&err, EX_CANTCREAT) : pw_cli_fail(&err);
	if (rename(in->copy.data, in->target.data) < 0) {
		pw_err_errno(&err, "%s", in->target.data);
		return pw_cli_fail(&err);
	}
	set_pending("");
	pw_buf_clear(&in->copy);
	return sync_dir(in->dir, &err) < 0 ? pw_cli_fail(&err) : EX_OK;
}

static bool
in_plugin_path(const char *dir)
{
	const char *path = pulp_plugin_path();

	while (*path) {
		size_t len = strcspn(path, ":");
		pw_auto_free char *one = strndup(path, len);

		if (one && *one && same_file(one, dir))
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

static int
say_installed(const struct installation *in)
{
	const struct pw_plugin_meta *meta = in->check.meta;
	struct pw_err err;

	if (pulp_plugin_options.json) {
		json_t *said = json_pack("{s:s, s:s, s:s, s:s, s:s?}", "file", in->target.data, "module", meta->module, "label", meta->label,
					 "version", meta->version, "replaced", in->replaced);

		return pw_output_json(said, &err) < 0 ? pw_cli_fail(&err) : EX_OK;
	}
	printf("installed %s %s as %s", meta->module, meta->version, in->target.data);
	if (in->replaced)
		printf(", in place of %s", in->replaced);
	printf("\nA running pulp-worker takes it up for new tasks when it reloads: systemctl reload pulp-worker, or kill -HUP its pid.\n");
	if (!in_plugin_path(in->dir))
		pw_cli_warn("%s is not in the plugin path (%s): no worker looks there", in->dir, pulp_plugin_path());
	return EX_OK;
}

int
pulp_plugin_install(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	struct installation in = { .file = argv[0], .name = slash ? slash + 1 : argv[0], .check = CHECK_INIT };
	size_t len = strlen(in.name);
	int status;

	(void)argc;
	if (len <= 3 || in.name[0] == '.' || strcmp(in.name + len - 3, ".so") != 0)
		return pw_cli_usage("'%s': a plugin's file name ends with .so and begins with no dot", argv[0]);
	status = install(&in);
	if (in.copy.len)
		unlink(in.copy.data);
	set_pending("");
	if (status == EX_OK)
		status = say_installed(&in);
	check_done(&in.check);
	free(in.dir);
	free(in.replaced);
	pw_buf_done(&in.target);
	pw_buf_done(&in.copy);
	return status;
}

/* The file that WHAT names: a module, or a file of the plugin path, with its directory or without. The caller frees. */
static char *
find_installed(const struct pw_plugin_set *set, const char *what)
{
	const char *slash = strrchr(what, '/');

	for (size_t i = 0; i < set->count + set->problem_count; i++) {
		const char *path =
			i < set->count ? set->plugins[i]->path : set->problems[i - set->count].path;
		const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

		if (i < set->count && strcmp(set->plugins[i]->module, what) == 0)
			return strdup(path);
		/* A link is itself, not what it points to. */
		if (slash ? strcmp(slash + 1, name) == 0 && same_file(what, path) :
			    strcmp(what, name) == 0)
			return strdup(path);
	}
	return NULL;
}

static int
say_removed(const char *path)
{
	struct pw_err err;

	if (pulp_plugin_options.json)
		return pw_output_json(json_pack("{s:s}", "file", path), &err) < 0 ? pw_cli_fail(&err) : EX_OK;
	printf("removed %s\nA running pulp-worker goes on with it until it reloads.\n", path);
	return EX_OK;
}

int
pulp_plugin_remove(int argc, char **argv)
{
	struct pw_plugin_set *set = NULL;
	pw_auto_free char *path = NULL;
	struct pw_err err;
	struct stat st;

	(void)argc;
	if (pw_plugin_set_scan(pulp_plugin_path(), &set, &err) < 0)
		return pw_cli_fail(&err);
	path = find_installed(set, argv[0]);
	pw_plugin_set_free(set);
	if (!path || lstat(path, &st) < 0 || S_ISDIR(st.st_mode)) {
		pw_cli_warn("%s: no such plugin in %s", argv[0], pulp_plugin_path());
		return EX_NOINPUT;
	}
	if (unlink(path) < 0) {
		pw_err_errno(&err, "%s", path);
		return pw_cli_fail(&err);
	}
	return say_removed(path);
}
