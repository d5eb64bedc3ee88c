/* SPDX-License-Identifier: MIT */
/* Versions, against tables that PEP 440's reference implementation judged (pep440.inc). */
#include "base/attr.h"
#include "base/log.h"
#include "base/pep440.h"
#include "lib/tap.h"

static const struct {
	const char *text, *normal;
} normals[] = {
#define PEP440_NORMAL
#include "pep440.inc"
#undef PEP440_NORMAL
};

static const char *const invalid[] = {
#define PEP440_INVALID
#include "pep440.inc"
#undef PEP440_INVALID
};

static const struct {
	const char *a;
	int order;
	const char *b;
} orders[] = {
#define PEP440_ORDER
#include "pep440.inc"
#undef PEP440_ORDER
};

static const struct {
	int rank;
	const char *text;
} sorted[] = {
#define PEP440_SORTED
#include "pep440.inc"
#undef PEP440_SORTED
};

/* The order of two versions, 99 for an error. */
static int
order_of(const char *a, const char *b)
{
	struct pw_err err;
	int order;

	return pw_version_compare(a, b, &order, &err) < 0 ? 99 : order;
}

static void
test_normal(void)
{
	struct pw_err err;

	for (size_t i = 0; i < PW_COUNT(normals); i++) {
		pw_auto_free char *normal = NULL, *again = NULL;

		ok(pw_version_valid(normals[i].text), "'%s' is valid", pw_log_quote(normals[i].text));
		if (pw_version_normal(normals[i].text, &normal, &err) < 0 ||
		    pw_version_normal(normal, &again, &err) < 0)
			printf("# %s\n", err.text);
		is_str(normal, normals[i].normal, "and is normally '%s'", normals[i].normal);
		is_str(again, normal, "which is normal");
		is_int(order_of(normals[i].text, normals[i].normal), 0, "and the same version");
	}
}

static void
test_invalid(void)
{
	struct pw_err err;
	char *normal = NULL;
	int order = 42;

	for (size_t i = 0; i < PW_COUNT(invalid); i++)
		ok(!pw_version_valid(invalid[i]) &&
			   pw_version_normal(invalid[i], &normal, &err) < 0 && !normal,
		   "%s is refused", pw_log_quote(invalid[i]));
	ok(pw_version_compare("1.0", "latest", &order, &err) < 0 && order == 42 && err.kind == PW_ERR_INPUT,
	   "a comparison with what is no version fails");
	is_str(err.text, "version 'latest' is not PEP 440", "and names it");
	ok(pw_version_compare("first", "1.0", &order, &err) < 0 && strstr(err.text, "'first'"), "on either side");
}

static void
test_order(void)
{
	size_t wrong = 0, count = 0;

	ok(PW_COUNT(orders) >= 200, "at least 200 comparisons");
	for (size_t i = 0; i < PW_COUNT(orders); i++) {
		is_int(order_of(orders[i].a, orders[i].b), orders[i].order, "%s against %s", pw_log_quote(orders[i].a),
		       pw_log_quote(orders[i].b));
		is_int(order_of(orders[i].b, orders[i].a), -orders[i].order, "and the other way");
	}
	for (size_t i = 0; i < PW_COUNT(sorted); i++)
		for (size_t j = 0; j < PW_COUNT(sorted); j++, count++) {
			int want = (sorted[i].rank > sorted[j].rank) -
				   (sorted[i].rank < sorted[j].rank);

			if (order_of(sorted[i].text, sorted[j].text) != want && wrong++ < 10)
				printf("# %s against %s\n", sorted[i].text, sorted[j].text);
		}
	is_int(wrong, 0, "each of %zu pairs of a sorted list", count);
}

/* The key sorts as the versions do. */
static void
test_key(void)
{
	size_t wrong = 0;

	for (size_t i = 0; i < PW_COUNT(orders); i++) {
		pw_auto_free char *a = NULL, *b = NULL;
		int order;

		if (pw_version_key(orders[i].a, &a, NULL) < 0 ||
		    pw_version_key(orders[i].b, &b, NULL) < 0)
			bail("no key");
		order = strcmp(a, b);
		if ((order > 0) - (order < 0) != orders[i].order && wrong++ < 10)
			printf("# %s against %s: %s, %s\n", orders[i].a, orders[i].b, a, b);
	}
	is_int(wrong, 0, "keys sort as their versions do");
}

/* Longer than any number, buffer or patience. */
static void
test_long(void)
{
	static char a[200001], b[200001];

	memset(a, '9', sizeof(a) - 1);
	memset(b, '9', sizeof(b) - 1);
	b[sizeof(b) - 2] = '8';
	is_int(order_of(a, b), 1, "numbers of 200,000 digits");
	for (size_t i = 1; i < sizeof(a) - 1; i += 2)
		a[i] = b[i] = '.';
	a[sizeof(a) - 2] = b[sizeof(b) - 2] = '5';
	b[4] = '1';
	is_int(order_of(a, b), 1, "releases of 100,000 components");
}

int
main(void)
{
	test_normal();
	test_invalid();
	test_order();
	test_key();
	test_long();
	return tap_done();
}
