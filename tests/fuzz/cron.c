/* SPDX-License-Identifier: MIT */
/*
 * Texts that may be cron expressions: what is read fires on some day of the 28 years in which each
 * date has each weekday, and written as plain lists it is the same again; what is refused has a reason.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "sched/cron.h"

/* As a list of all values. STAR: with a * at the front, that stands for FIRST alone (a step as long as the field). */
static void
put_field(struct pw_buf *buf, uint64_t bits, bool star, int first, int most)
{
	const char *comma = "";

	MUST(bits != 0 && bits >> (most + 1) == 0 && (bits & ((UINT64_C(1) << first) - 1)) == 0);
	if (star) {
		MUST(pw_buf_addf(buf, "*/%d", most + 1 - first) == 0);
		bits &= ~(UINT64_C(1) << first);
		comma = ",";
	}
	for (int i = first; i <= most; i++)
		if (bits >> i & 1) {
			MUST(pw_buf_addf(buf, "%s%d", comma, i) == 0);
			comma = ",";
		}
	MUST(pw_buf_addc(buf, ' ') == 0);
}

/* A field that began with * has its first value; which one did is not kept, and makes no difference. */
static void
check_again(const struct pw_cron *cron)
{
	bool by_day = !cron->either && cron->days >> 1 & 1, by_week = !cron->either && !by_day;
	pw_auto_buf text = PW_BUF_INIT;
	struct pw_cron again;

	MUST(!by_week || cron->weekdays & 1);
	put_field(&text, cron->minutes, false, 0, 59);
	put_field(&text, cron->hours, false, 0, 23);
	put_field(&text, cron->days, by_day, 1, 31);
	put_field(&text, cron->months, false, 1, 12);
	put_field(&text, cron->weekdays, by_week, 0, 6);
	MUST(pw_cron_parse(pw_buf_text(&text), &again, NULL) == 0);
	MUST(again.minutes == cron->minutes && again.hours == cron->hours &&
	     again.days == cron->days && again.months == cron->months &&
	     again.weekdays == cron->weekdays && again.either == cron->either);
}

/* Some minute of some day. */
static bool
fires(const struct pw_cron *cron)
{
	static const int days_of[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int minute = __builtin_ctzll(cron->minutes), hour = __builtin_ctz(cron->hours);

	for (int month = 1; month <= 12; month++)
		for (int day = 1; day <= days_of[month - 1]; day++)
			for (int weekday = 0; weekday < 7; weekday++)
				if (pw_cron_matches(cron, minute, hour, day, month, weekday))
					return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct pw_err err = { 0 };
	struct pw_cron cron;

	MUST(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (pw_cron_parse(text, &cron, &err) == 0) {
		MUST(fires(&cron));
		check_again(&cron);
	} else {
		MUST(err.kind == PW_ERR_INPUT && strncmp(err.text, "cron expression", 15) == 0);
	}
	free(text);
	return 0;
}
