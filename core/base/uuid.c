/* SPDX-License-Identifier: MIT */
/* UUIDs as text; version 7 is put together here because libuuid 2.38 cannot (its uuid_generate_time_v7 came with 2.41). */
#include "base/uuid.h"

#include <stdint.h>
#include <string.h>
#include <time.h>
#include <uuid/uuid.h>

struct pw_uuid
pw_uuid_new(void)
{
	struct pw_uuid uuid;
	struct timespec ts;
	uuid_t raw;
	uint64_t ms, sub;

	uuid_generate_random(raw);
	clock_gettime(CLOCK_REALTIME, &ts);
	ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	sub = (uint64_t)(ts.tv_nsec % 1000000) * 4096 / 1000000; /* 12 bits of sub-millisecond order, RFC 9562 6.2 */
	for (int i = 0; i < 6; i++)
		raw[i] = (unsigned char)(ms >> (40 - 8 * i));
	raw[6] = (unsigned char)(0x70 | (sub >> 8));
	raw[7] = (unsigned char)sub;
	uuid_unparse_lower(raw, uuid.s);
	return uuid;
}

int
pw_uuid_parse(const char *text, struct pw_uuid *ret_uuid, struct pw_err *err)
{
	char dashed[37];
	uuid_t raw;

	if (strlen(text) == 32 && !strchr(text, '-')) {
		for (int i = 0, j = 0; i < 32; i++) {
			if (i == 8 || i == 12 || i == 16 || i == 20)
				dashed[j++] = '-';
			dashed[j++] = text[i];
		}
		dashed[36] = '\0';
		text = dashed;
	}
	if (uuid_parse(text, raw) < 0)
		return pw_err_set(err, PW_ERR_INPUT, "'%.60s' is not a UUID", text);
	uuid_unparse_lower(raw, ret_uuid->s);
	return 0;
}

bool
pw_uuid_equal(const struct pw_uuid *a, const struct pw_uuid *b)
{
	return strcmp(a->s, b->s) == 0;
}

bool
pw_uuid_none(const struct pw_uuid *uuid)
{
	return uuid->s[0] == '\0';
}

struct pw_uuid
pw_uuid_of(const char *text)
{
	struct pw_uuid uuid = { "" };

	if (text && strlen(text) == 36)
		memcpy(uuid.s, text, 37);
	return uuid;
}
