/* SPDX-License-Identifier: MIT */
/* Judges relative paths. Runs in the task child; pure: knows nothing of what exists. */
#include "file/relpath.h"

#include <string.h>

#include "base/text.h"

static int
check_name(const char *name, size_t len, struct pw_err *err)
{
	if (len == 0)
		return pw_err_set(err, PW_ERR_INPUT, "the path has an empty component");
	if (len > PW_RELPATH_NAME_MAX)
		return pw_err_set(err, PW_ERR_INPUT, "a component of the path is longer than %d bytes",
				  PW_RELPATH_NAME_MAX);
	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return pw_err_set(err, PW_ERR_INPUT, "the path has a component '%.*s'", (int)len, name);
	return 0;
}

static int
check_bytes(const char *path, size_t len, struct pw_err *err)
{
	if (!pw_utf8_valid(path, len))
		return pw_err_set(err, PW_ERR_INPUT, "the path is not UTF-8");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)path[i];

		/* The second is U+0080 to U+009F, the other control characters. */
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)path[i + 1] < 0xa0))
			return pw_err_set(err, PW_ERR_INPUT, "the path has a control character");
	}
	return 0;
}

int
pw_relpath_check(const char *path, size_t len, struct pw_err *err)
{
	size_t start = 0;
	int depth = 0;

	if (len == 0)
		return pw_err_set(err, PW_ERR_INPUT, "the path is empty");
	if (len > PW_RELPATH_MAX)
		return pw_err_set(err, PW_ERR_INPUT, "the path is longer than %d bytes", PW_RELPATH_MAX);
	if (path[0] == '/')
		return pw_err_set(err, PW_ERR_INPUT, "the path is absolute");
	if (check_bytes(path, len, err) < 0)
		return -1;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		if (check_name(path + start, i - start, err) < 0)
			return -1;
		if (++depth > PW_RELPATH_DEPTH_MAX)
			return pw_err_set(err, PW_ERR_INPUT, "the path has more than %d components",
					  PW_RELPATH_DEPTH_MAX);
		start = i + 1;
	}
	return 0;
}

/* '/' comes before every other byte that a path may have. */
static int
rank(char c)
{
	return c == '/' ? 1 : (unsigned char)c;
}

int
pw_relpath_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return rank(*a) - rank(*b);
}

bool
pw_relpath_below(const char *a, const char *b)
{
	size_t len = strlen(a);

	return strncmp(a, b, len) == 0 && b[len] == '/';
}
