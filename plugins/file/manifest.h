/* SPDX-License-Identifier: MIT */
/* A PULP_MANIFEST: one line "relative/path,sha256,size" per file. */
#ifndef PLUGINS_FILE_MANIFEST_H
#define PLUGINS_FILE_MANIFEST_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "file/digest.h"

#define PW_MANIFEST_NAME "PULP_MANIFEST"
#define PW_MANIFEST_LIMIT (64 << 20) /* bytes */
#define PW_MANIFEST_LINE_MAX 4096

struct pw_entry {
	char *path;
	char sha256[PW_SHA256_TEXT]; /* lower case */
	int64_t size;
	size_t line; /* where it stood */
};

struct pw_manifest {
	struct pw_entry *entries; /* in the order of pw_relpath_compare */
	size_t count, cap;
};

#define PW_MANIFEST_INIT { NULL, 0, 0 }
#define pw_auto_manifest PW_CLEANUP(pw_manifest_done) struct pw_manifest

/*
 * Reads the text of one. Blank lines and lines that begin with '#' are skipped. A path may have commas; blanks
 * around the three fields do not count. The error names the line. MANIFEST begins empty and is to be freed on failure too.
 */
int pw_manifest_parse(const char *text, size_t len, struct pw_manifest *manifest, struct pw_err *err) PW_MUSTCHECK;
void pw_manifest_done(struct pw_manifest *manifest);
/* Appends the text of it, with the lines in the order in which they were read. -1: out of memory. */
int pw_manifest_write(const struct pw_manifest *manifest, struct pw_buf *buf) PW_MUSTCHECK;
/* How many files (path and content) B has that A lacks, and A that B lacks. */
void pw_manifest_compare(const struct pw_manifest *a, const struct pw_manifest *b, size_t *ret_added,
			 size_t *ret_removed);

#endif
