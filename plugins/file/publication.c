/* SPDX-License-Identifier: MIT */
/* Remembers what was published where. Runs in the task child. Does not publish. */
#include "config.h"

#include "file/publication.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "file/digest.h"

/* The first two lines are ids, the third the path, for people. What cannot be read names nothing, and so nothing is replaced. */
static int
read_record(struct pw_publication *publication, struct pw_err *err)
{
	char text[2 * PW_PUBLICATION_ID + 1], *line = text;
	ssize_t n = pw_fd_read_all(publication->fd, text, sizeof(text) - 1, err);

	if (n < 0)
		return -1;
	text[n] = '\0';
	for (size_t i = 0; i < PW_COUNT(publication->ours); i++) {
		size_t len = strcspn(line, "\n");

		if (line[len] != '\n' || len >= PW_PUBLICATION_ID)
			break;
		memcpy(publication->ours[i], line, len);
		publication->ours[i][len] = '\0';
		line += len + 1;
	}
	return 0;
}

int
pw_publication_open(const struct pw_store *store, const char *path,
		    struct pw_publication *publication, struct pw_err *err)
{
	pw_auto_close int folder = -1;
	char name[PW_SHA256_TEXT];

	if (pw_digest_of(path, strlen(path), name, err) < 0 ||
	    pw_store_folder(store->fd, "publications", &folder, err) < 0)
		return -1;
	publication->fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (publication->fd < 0)
		return pw_err_errno(err, "publications/%s", name);
	if (flock(publication->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? pw_err_set(err, PW_ERR_BUSY, "another task is publishing to %s", path) :
					      pw_err_errno(err, "flock publications/%s", name);
	return read_record(publication, err);
}

void
pw_publication_done(struct pw_publication *publication)
{
	pw_close_cleanup(&publication->fd);
	publication->fd = -1;
}

int
pw_publication_id(int folder, char id[PW_PUBLICATION_ID], struct pw_err *err)
{
	struct statx st;

	if (statx(folder, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return pw_err_errno(err, "statx");
	if (!(st.stx_mask & STATX_BTIME))
		memset(&st.stx_btime, 0, sizeof(st.stx_btime));
	snprintf(id, PW_PUBLICATION_ID, "%" PRIu64 " %" PRId64 ".%09" PRIu32, (uint64_t)st.stx_ino,
		 (int64_t)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
	return 0;
}

bool
pw_publication_is_ours(const struct pw_publication *publication, const char *id)
{
	return strcmp(publication->ours[0], id) == 0 || strcmp(publication->ours[1], id) == 0;
}

int
pw_publication_record(struct pw_publication *publication, const char *path, const char *first,
		      const char *second, struct pw_err *err)
{
	pw_auto_buf text = PW_BUF_INIT;

	if (pw_buf_addf(&text, "%s\n%s\n%s\n", first, second, path) < 0)
		return pw_err_nomem(err);
	if (ftruncate(publication->fd, 0) < 0 || lseek(publication->fd, 0, SEEK_SET) < 0)
		return pw_err_errno(err, "the record of the publication");
	if (pw_fd_write_all(publication->fd, pw_buf_text(&text), text.len, err) < 0)
		return pw_err_prefix(err, "the record of the publication");
	if (fdatasync(publication->fd) < 0)
		return pw_err_errno(err, "the record of the publication");
	snprintf(publication->ours[0], PW_PUBLICATION_ID, "%s", first);
	snprintf(publication->ours[1], PW_PUBLICATION_ID, "%s", second);
	return 0;
}
