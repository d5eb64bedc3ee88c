/* SPDX-License-Identifier: MIT */
/* Lines that may be versions: valid ones have one normal form, which is the same version, and an order that is one. */
#include "base/pep440.h"
#include "fuzz/fuzz.h"

static int
order_of(const char *a, const char *b)
{
	int order, opposite;

	MUST(pw_version_compare(a, b, &order, NULL) == 0 &&
	     pw_version_compare(b, a, &opposite, NULL) == 0);
	MUST(order == -opposite && order >= -1 && order <= 1);
	return order;
}

/* Keys sort as versions do, unless a number is too long for one. */
static void
check_keys(const char *a, const char *b)
{
	pw_auto_free char *key_a = NULL, *key_b = NULL;
	int order;

	if (pw_version_key(a, &key_a, NULL) < 0 || pw_version_key(b, &key_b, NULL) < 0)
		return;
	order = strcmp(key_a, key_b);
	MUST((order > 0) - (order < 0) == order_of(a, b));
}

static void
check_one(const char *text, bool *ret_valid)
{
	pw_auto_free char *normal = NULL, *again = NULL;

	*ret_valid = pw_version_valid(text);
	MUST((pw_version_normal(text, &normal, NULL) == 0) == *ret_valid);
	if (!*ret_valid)
		return;
	MUST(pw_version_normal(normal, &again, NULL) == 0 && strcmp(normal, again) == 0);
	MUST(order_of(text, normal) == 0 && order_of(text, text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *line[3] = { NULL };
	bool valid[3] = { false };
	char *rest = text;

	memcpy(text, data, size);
	text[size] = '\0';
	for (int i = 0; i < 3 && (line[i] = strsep(&rest, "|")); i++)
		check_one(line[i], &valid[i]);
	if (valid[0] && valid[1]) {
		pw_auto_free char *a = NULL, *b = NULL;

		MUST(pw_version_normal(line[0], &a, NULL) == 0 &&
		     pw_version_normal(line[1], &b, NULL) == 0);
		MUST(order_of(a, b) == order_of(line[0], line[1]));
		check_keys(line[0], line[1]);
	}
	if (valid[0] && valid[1] && valid[2] && order_of(line[0], line[1]) <= 0 &&
	    order_of(line[1], line[2]) <= 0)
		MUST(order_of(line[0], line[2]) <= 0);
	free(text);
	return 0;
}
