/* SPDX-License-Identifier: MIT */
/*
 * The order of a publication: build the whole tree beside its place, exchange
 * the two in one step, remove the old one. Runs in the task child. Whoever opens
 * the path sees the old tree or the new one, never none and never a half.
 *
 * Never replaced: a file, a symbolic link, and a folder with anything in it that
 * is not known as a publication to this path.
 */
#include "config.h"

#include "file/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "file/publication.h"
#include "file/repository.h"
#include "file/tree.h"

#define DRAFT_END ".new"
#define OLD_END ".old"

struct place {
	char *path;   /* absolute, without a slash at its end */
	const char *name; /* its last component */
	int parent;
	char draft[NAME_MAX + 1]; /* the new tree, and then the old one, in the same folder */
	struct pw_publication publication;
	bool exists;
	char old_id[PW_PUBLICATION_ID], new_id[PW_PUBLICATION_ID];
};

static int
check_path(const char *path, struct pw_err *err)
{
	const char *name = path;

	if (path[0] != '/')
		return pw_err_set(err, PW_ERR_INPUT, "argument 'path' must be absolute");
	while (*name) {
		size_t len = strcspn(name += strspn(name, "/"), "/");

		if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
			return pw_err_set(err, PW_ERR_INPUT, "argument 'path' has a component '%.*s'", (int)len, name);
		name += len;
	}
	return 0;
}

/* Splits the path and opens the folder that the tree is to stand in. */
static int
open_place(const char *path, const char *id, struct place *place, struct pw_err *err)
{
	size_t len = strlen(path);
	pw_auto_free char *parent = NULL;
	int n;

	if (check_path(path, err) < 0)
		return -1;
	while (len > 1 && path[len - 1] == '/')
		len--;
	place->path = strndup(path, len);
	parent = place->path ? strdup(place->path) : NULL;
	if (!parent)
		return pw_err_nomem(err);
	place->name = strrchr(place->path, '/') + 1;
	if (!place->name[0])
		return pw_err_set(err, PW_ERR_INPUT, "argument 'path' cannot be /");
	parent[place->name - place->path] = '\0';
	n = snprintf(place->draft, sizeof(place->draft), ".%s.%.40s" DRAFT_END, place->name, id);
	if (n >= (int)sizeof(place->draft))
		return pw_err_set(err, PW_ERR_INPUT, "argument 'path': its last component is too long");
	place->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return place->parent < 0 ? pw_err_errno(err, "%s", parent) : 0;
}

/* 1: nothing in it. Takes the descriptor. */
static int
is_empty(int folder)
{
	DIR *dir = fdopendir(folder);
	struct dirent *entry;
	int found = 0;

	if (!dir) {
		close(folder);
		return 0;
	}
	while (!found && (entry = readdir(dir)))
		found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return !found;
}

/* May what stands there be replaced? */
static int
look_at_old(struct place *place, struct pw_err *err)
{
	int folder =
		openat(place->parent, place->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	place->exists = folder >= 0;
	if (folder < 0 && errno == ENOENT)
		return 0;
	if (folder < 0 && (errno == ENOTDIR || errno == ELOOP))
		return pw_err_set(err, PW_ERR_INPUT, "%s exists and is not a folder", place->path);
	if (folder < 0)
		return pw_err_errno(err, "%s", place->path);
	if (pw_publication_id(folder, place->old_id, err) < 0) {
		close(folder);
		return -1;
	}
	if (pw_publication_is_ours(&place->publication, place->old_id)) {
		close(folder);
		return 0;
	}
	if (!is_empty(folder))
		return pw_err_set(err, PW_ERR_INPUT, "%s is not empty and was not published by this plugin", place->path);
	return 0;
}

/* Removes what tasks that died while they published to the same path have left; we hold its lock. */
static void
sweep(const struct place *place)
{
	int copy = openat(place->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	size_t len = strlen(place->draft), head = strlen(place->name) + 2;
	struct dirent *entry;

	if (!dir) {
		pw_close_cleanup(&copy);
		return;
	}
	/* A task's id has always the same length. */
	while ((entry = readdir(dir)))
		if (strlen(entry->d_name) == len &&
		    strncmp(entry->d_name, place->draft, head) == 0 &&
		    (strcmp(entry->d_name + len - strlen(DRAFT_END), DRAFT_END) == 0 ||
		     strcmp(entry->d_name + len - strlen(OLD_END), OLD_END) == 0))
			(void)!pw_tree_remove(place->parent, entry->d_name, NULL);
	closedir(dir);
}

static int
build(pulp_context *ctx, const struct pw_store *store, const struct pw_manifest *manifest,
      struct place *place, int64_t *ret_bytes, struct pw_err *err)
{
	pw_auto_close int tree = -1;

	if (mkdirat(place->parent, place->draft, 0700) < 0)
		return pw_err_errno(err, "create a folder beside %s", place->path);
	tree = openat(place->parent, place->draft, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (tree < 0)
		return pw_err_errno(err, "%s", place->draft);
	if (pw_publication_id(tree, place->new_id, err) < 0 ||
	    pw_tree_fill(ctx, store, manifest, tree, ret_bytes, err) < 0)
		return -1;
	return fchmod(tree, 0755) < 0 || fsync(tree) < 0 ? pw_err_errno(err, "%s", place->draft) : 0;
}

/* Where the filesystem knows only the plain rename, which cannot replace a folder that has something in it. */
static int
exchange_by_three(pulp_context *ctx, const struct place *place)
{
	int p = place->parent, saved;
	char old[NAME_MAX + 1];

	pulp_log(ctx, PULP_WARNING, "%s: the filesystem cannot exchange folders; there is none for a moment",
		 place->path);
	snprintf(old, sizeof(old), "%s", place->draft);
	memcpy(old + strlen(old) - strlen(DRAFT_END), OLD_END, strlen(OLD_END));
	if (renameat(p, place->name, p, old) < 0)
		return -1;
	if (renameat(p, place->draft, p, place->name) == 0)
		return renameat(p, old, p, place->draft);
	saved = errno;
	(void)!renameat(p, old, p, place->name);
	errno = saved;
	return -1;
}

static int
exchange(pulp_context *ctx, const struct place *place)
{
	int p = place->parent;

	if (renameat2(p, place->draft, p, place->name,
		      place->exists ? RENAME_EXCHANGE : RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return place->exists ? exchange_by_three(ctx, place) :
			       renameat(p, place->draft, p, place->name);
}

/*
 * Both are recorded as ours before the exchange: whichever a crash leaves there is then known. An empty
 * folder of somebody else's is not: should it stay and be filled, it is theirs.
 */
static int
swap(pulp_context *ctx, struct place *place, struct pw_err *err)
{
	const char *old = pw_publication_is_ours(&place->publication, place->old_id) ? place->old_id : "";

	if (pw_publication_record(&place->publication, place->path, place->new_id, old, err) < 0)
		return -1;
	if (exchange(ctx, place) < 0)
		return pw_err_errno(err, "%s", place->path);
	if (fsync(place->parent) < 0)
		return pw_err_errno(err, "fsync beside %s", place->path);
	return 0;
}

static int
publish(pulp_context *ctx, const struct pw_store *store, const char *repository,
	struct place *place, struct pw_published *published, struct pw_err *err)
{
	pw_auto_manifest manifest = PW_MANIFEST_INIT;
	int rc;

	if (pw_repository_latest(store, repository, &published->version, &manifest, err) < 0)
		return -1;
	if (published->version == 0)
		return pw_err_set(err, PW_ERR_NOTFOUND, "repository %s has no version: sync it first", repository);
	if (pw_publication_open(store, place->path, &place->publication, err) < 0 ||
	    look_at_old(place, err) < 0)
		return -1;
	sweep(place);
	rc = build(ctx, store, &manifest, place, &published->bytes, err);
	if (rc == 0)
		rc = swap(ctx, place, err);
	published->files = manifest.count;
	/* Now the old tree, or one that was not finished. */
	if (pw_tree_remove(place->parent, place->draft, rc == 0 ? err : NULL) < 0)
		rc = -1;
	if (rc == 0 && place->exists)
		rc = pw_publication_record(&place->publication, place->path, place->new_id, "", err);
	return rc;
}

/* The default place. */
static int
default_path(pulp_context *ctx, const struct pw_store *store, const char *repository,
	     struct pw_buf *path, struct pw_err *err)
{
	pw_auto_close int folder = -1;

	if (pw_buf_addf(path, "%s/published/%s", ctx->state_directory, repository) < 0)
		return pw_err_nomem(err);
	return pw_store_folder(store->fd, "published", &folder, err);
}

int
pw_publish(pulp_context *ctx, const char *repository, const char *path,
	   struct pw_published *ret_published, struct pw_err *err)
{
	struct pw_store store = PW_STORE_INIT;
	struct place place = { .parent = -1, .publication = PW_PUBLICATION_INIT };
	struct pw_published published = { 0 };
	pw_auto_buf text = PW_BUF_INIT;
	int rc = pw_store_open(ctx->state_directory, &store, err);

	if (rc == 0 && !path)
		rc = default_path(ctx, &store, repository, &text, err);
	if (rc == 0)
		rc = open_place(path ? path : pw_buf_text(&text), ctx->id, &place, err);
	if (rc == 0)
		rc = publish(ctx, &store, repository, &place, &published, err);
	published.path = pw_steal_ptr(&place.path);
	pw_publication_done(&place.publication);
	pw_close_cleanup(&place.parent);
	pw_store_done(&store);
	if (rc == 0)
		*ret_published = published;
	else
		pw_published_done(&published);
	return rc;
}

void
pw_published_done(struct pw_published *published)
{
	free(published->path);
	published->path = NULL;
}
