/* SPDX-License-Identifier: MIT */
/* Array literals: each item in quotes, so that no item needs a second look. Pure. */
#include <stdlib.h>

#include "base/buf.h"
#include "db/conn.h"

static int
add_item(struct pw_buf *buf, const char *item)
{
	if (!item)
		return pw_buf_adds(buf, "NULL");
	if (pw_buf_addc(buf, '"') < 0)
		return -1;
	for (; *item; item++) {
		if ((*item == '"' || *item == '\\') && pw_buf_addc(buf, '\\') < 0)
			return -1;
		if (pw_buf_addc(buf, *item) < 0)
			return -1;
	}
	return pw_buf_addc(buf, '"');
}

char *
pw_db_array(const char *const *items, size_t count)
{
	pw_auto_buf buf = PW_BUF_INIT;

	if (pw_buf_addc(&buf, '{') < 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if ((i && pw_buf_addc(&buf, ',') < 0) || add_item(&buf, items[i]) < 0)
			return NULL;
	if (pw_buf_addc(&buf, '}') < 0)
		return NULL;
	return pw_buf_steal(&buf);
}
