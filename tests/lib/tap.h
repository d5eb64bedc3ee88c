/* SPDX-License-Identifier: MIT */
/*
 * The Test Anything Protocol in one header. A test program calls ok() and its
 * relatives and ends with "return tap_done();". A failed check prints where it
 * stands and goes on; bail() ends the program.
 */
#ifndef TESTS_LIB_TAP_H
#define TESTS_LIB_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

static inline int __attribute__((format(printf, 4, 5)))
tap_ok(int good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!good) {
		tap_failed++;
		printf("# at %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

/* ok(condition, "what it shows %s", ...) */
#define ok(good, ...) tap_ok(!!(good), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...)                                                      \
	do {                                                                        \
		long long got_ = (long long)(got), want_ = (long long)(want);       \
		if (!tap_ok(got_ == want_, __FILE__, __LINE__, __VA_ARGS__))        \
			printf("# got %lld, want %lld\n", got_, want_);             \
	} while (0)
#define is_str(got, want, ...)                                                      \
	do {                                                                        \
		const char *got_ = (got), *want_ = (want);                          \
		int same_ = got_ && want_ ? strcmp(got_, want_) == 0 : got_ == want_; \
		if (!tap_ok(same_, __FILE__, __LINE__, __VA_ARGS__))                \
			printf("# got  '%s'\n# want '%s'\n", got_ ? got_ : "NULL", want_ ? want_ : "NULL"); \
	} while (0)
#define skip(why, ...)                                                              \
	do {                                                                        \
		printf("ok %d - ", ++tap_count);                                    \
		printf(__VA_ARGS__);                                                \
		printf(" # SKIP %s\n", why);                                        \
	} while (0)
#define bail(...)                                                                   \
	do {                                                                        \
		printf("Bail out! ");                                               \
		printf(__VA_ARGS__);                                                \
		printf("\n");                                                       \
		exit(99);                                                           \
	} while (0)

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
