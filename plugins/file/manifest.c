/* SPDX-License-Identifier: MIT */
/* Reads, checks, compares and writes manifests. Runs in the task child; pure, no I/O. */
#include "config.h"

#include "file/manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "file/relpath.h"

struct piece {
	const char *p;
	size_t len;
};

static struct piece
trim(struct piece s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t' || s.p[s.len - 1] == '\r'))
		s.len--;
	return s;
}

/* Takes the last field off a line; false if there is none. */
static bool
last_field(struct piece *line, struct piece *ret_field)
{
	const char *comma = memrchr(line->p, ',', line->len);

	if (!comma)
		return false;
	*ret_field = trim((struct piece){ comma + 1, (size_t)(line->p + line->len - comma - 1) });
	line->len = (size_t)(comma - line->p);
	return true;
}

static int
read_digest(struct piece field, char text[PW_SHA256_TEXT], struct pw_err *err)
{
	if (field.len != PW_SHA256_TEXT - 1)
		return pw_err_set(err, PW_ERR_INPUT, "the sha256 has %zu digits instead of 64", field.len);
	for (size_t i = 0; i < field.len; i++) {
		char c = field.p[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return pw_err_set(err, PW_ERR_INPUT, "the sha256 is not hexadecimal");
		text[i] = c;
	}
	text[field.len] = '\0';
	return 0;
}

static int
read_size(struct piece field, int64_t *ret_size, struct pw_err *err)
{
	int64_t size = 0;

	if (field.len && field.p[0] == '-')
		return pw_err_set(err, PW_ERR_INPUT, "the size is negative");
	if (field.len == 0)
		return pw_err_set(err, PW_ERR_INPUT, "the size is missing");
	for (size_t i = 0; i < field.len; i++) {
		if (field.p[i] < '0' || field.p[i] > '9')
			return pw_err_set(err, PW_ERR_INPUT, "the size is not a number");
		if (__builtin_mul_overflow(size, 10, &size) ||
		    __builtin_add_overflow(size, field.p[i] - '0', &size))
			return pw_err_set(err, PW_ERR_INPUT, "the size is too large");
	}
	*ret_size = size;
	return 0;
}

static struct pw_entry *
add_entry(struct pw_manifest *manifest)
{
	if (manifest->count == manifest->cap) {
		size_t cap = manifest->cap ? manifest->cap * 2 : 64;
		struct pw_entry *entries = reallocarray(manifest->entries, cap, sizeof(*entries));

		if (!entries)
			return NULL;
		manifest->entries = entries;
		manifest->cap = cap;
	}
	return &manifest->entries[manifest->count];
}

static int
read_line(struct piece line, size_t number, struct pw_manifest *manifest, struct pw_err *err)
{
	struct pw_entry *entry = add_entry(manifest);
	struct piece size, digest;

	if (!entry)
		return pw_err_nomem(err);
	if (!last_field(&line, &size) || !last_field(&line, &digest))
		return pw_err_set(err, PW_ERR_INPUT, "it is not 'path,sha256,size'");
	line = trim(line);
	if (read_digest(digest, entry->sha256, err) < 0 || read_size(size, &entry->size, err) < 0 ||
	    pw_relpath_check(line.p, line.len, err) < 0)
		return -1;
	entry->path = strndup(line.p, line.len);
	if (!entry->path)
		return pw_err_nomem(err);
	entry->line = number;
	manifest->count++;
	/* In the tree of a publication this is the manifest itself. */
	if (strcmp(entry->path, PW_MANIFEST_NAME) == 0 ||
	    pw_relpath_below(PW_MANIFEST_NAME, entry->path))
		return pw_err_set(err, PW_ERR_INPUT, "the path %s is taken by the manifest itself", PW_MANIFEST_NAME);
	return 0;
}

static int
at_line(struct pw_err *err, size_t number)
{
	return pw_err_prefix(err, PW_MANIFEST_NAME " line %zu", number);
}

static int
by_path(const void *a, const void *b)
{
	const struct pw_entry *x = a, *y = b;
	int order = pw_relpath_compare(x->path, y->path);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int
refuse_pair(const struct pw_entry *first, const struct pw_entry *second, const char *what,
	    struct pw_err *err)
{
	bool in_order = first->line < second->line;

	pw_err_set(err, PW_ERR_INPUT, "'%.500s' %s line %zu", second->path, what,
		   in_order ? first->line : second->line);
	return at_line(err, in_order ? second->line : first->line);
}

/* With the entries in order, what collides stands side by side. */
static int
check_collisions(const struct pw_manifest *manifest, struct pw_err *err)
{
	for (size_t i = 1; i < manifest->count; i++) {
		const struct pw_entry *a = &manifest->entries[i - 1], *b = &manifest->entries[i];

		if (strcmp(a->path, b->path) == 0)
			return refuse_pair(a, b, "is there twice, first on", err);
		if (pw_relpath_below(a->path, b->path))
			return refuse_pair(a, b, "needs as a folder what is a file, see", err);
	}
	return 0;
}

int
pw_manifest_parse(const char *text, size_t len, struct pw_manifest *manifest, struct pw_err *err)
{
	const char *end = text + len;

	if (len > PW_MANIFEST_LIMIT)
		return pw_err_set(err, PW_ERR_INPUT, PW_MANIFEST_NAME " is larger than %d MiB", PW_MANIFEST_LIMIT >> 20);
	for (size_t number = 1; text < end; number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct piece line = { text, (size_t)((newline ? newline : end) - text) };

		if (line.len > PW_MANIFEST_LINE_MAX) {
			pw_err_set(err, PW_ERR_INPUT, "it is longer than %d bytes", PW_MANIFEST_LINE_MAX);
			return at_line(err, number);
		}
		text = newline ? newline + 1 : end;
		line = trim(line);
		if (line.len && line.p[0] != '#' && read_line(line, number, manifest, err) < 0)
			return at_line(err, number);
	}
	if (manifest->count)
		qsort(manifest->entries, manifest->count, sizeof(*manifest->entries), by_path);
	return check_collisions(manifest, err);
}

void
pw_manifest_done(struct pw_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		free(manifest->entries[i].path);
	free(manifest->entries);
	*manifest = (struct pw_manifest)PW_MANIFEST_INIT;
}

static int
by_line(const void *a, const void *b)
{
	const struct pw_entry *x = *(const struct pw_entry *const *)a,
			      *y = *(const struct pw_entry *const *)b;

	return (x->line > y->line) - (x->line < y->line);
}

int
pw_manifest_write(const struct pw_manifest *manifest, struct pw_buf *buf)
{
	pw_auto_free const struct pw_entry **sorted = calloc(manifest->count + 1, sizeof(*sorted));

	if (!sorted)
		return -1;
	for (size_t i = 0; i < manifest->count; i++)
		sorted[i] = &manifest->entries[i];
	qsort(sorted, manifest->count, sizeof(*sorted), by_line);
	for (size_t i = 0; i < manifest->count; i++)
		if (pw_buf_addf(buf, "%s,%s,%" PRId64 "\n", sorted[i]->path, sorted[i]->sha256, sorted[i]->size) < 0)
			return -1;
	return 0;
}

void
pw_manifest_compare(const struct pw_manifest *a, const struct pw_manifest *b, size_t *ret_added,
		    size_t *ret_removed)
{
	size_t i = 0, j = 0, same = 0;

	while (i < a->count && j < b->count) {
		int order = pw_relpath_compare(a->entries[i].path, b->entries[j].path);

		if (order == 0 && strcmp(a->entries[i].sha256, b->entries[j].sha256) == 0)
			same++;
		i += order <= 0;
		j += order >= 0;
	}
	*ret_added = b->count - same;
	*ret_removed = a->count - same;
}
