/* SPDX-License-Identifier: MIT */
/* Cron expressions by table: what they mean, and what is refused. */
#include "base/attr.h"
#include "lib/tap.h"
#include "sched/cron.h"

#define ALL_MINUTES ((UINT64_C(1) << 60) - 1)
#define ALL_HOURS 0xffffff
#define ALL_DAYS 0xfffffffe
#define ALL_MONTHS 0x1ffe
#define BIT(n) (UINT64_C(1) << (n))

static const struct {
	const char *text;
	struct pw_cron cron;
} good[] = {
	{ "* * * * *", { ALL_MINUTES, ALL_HOURS, ALL_DAYS, ALL_MONTHS, 0x7f, false } },
	{ "  0\t3 * *  * ", { BIT(0), BIT(3), ALL_DAYS, ALL_MONTHS, 0x7f, false } },
	{ "59 23 31 12 6", { BIT(59), BIT(23), BIT(31), BIT(12), BIT(6), true } },
	{ "*/20 * * * *", { BIT(0) | BIT(20) | BIT(40), ALL_HOURS, ALL_DAYS, ALL_MONTHS, 0x7f, false } },
	{ "10-14/2,50 * * * *", { BIT(10) | BIT(12) | BIT(14) | BIT(50), ALL_HOURS, ALL_DAYS, ALL_MONTHS, 0x7f, false } },
	{ "0 0 1,15 * *", { BIT(0), BIT(0), BIT(1) | BIT(15), ALL_MONTHS, 0x7f, false } },
	{ "0 0 * jan,DEC *", { BIT(0), BIT(0), ALL_DAYS, BIT(1) | BIT(12), 0x7f, false } },
	{ "0 0 * mar-may *", { BIT(0), BIT(0), ALL_DAYS, BIT(3) | BIT(4) | BIT(5), 0x7f, false } },
	{ "0 0 * * mon-fri", { BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, 0x3e, false } },
	{ "0 0 * * 7", { BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0), false } },
	{ "0 0 * * 5-7", { BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(5) | BIT(6) | BIT(0), false } },
	{ "0 0 * * fri-sun", { BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(5) | BIT(6) | BIT(0), false } },
	{ "0 0 * * sun-tue", { BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0) | BIT(1) | BIT(2), false } },
	{ "0 0 13 * fri", { BIT(0), BIT(0), BIT(13), ALL_MONTHS, BIT(5), true } },
	{ "0 0 */30 * fri", { BIT(0), BIT(0), BIT(1) | BIT(31), ALL_MONTHS, BIT(5), false } },
	{ "0 0 13 * */6", { BIT(0), BIT(0), BIT(13), ALL_MONTHS, BIT(0) | BIT(6), false } },
	{ "0 0 29 2 *", { BIT(0), BIT(0), BIT(29), BIT(2), 0x7f, false } },
	{ "0 0 30 2 mon", { BIT(0), BIT(0), BIT(30), BIT(2), BIT(1), true } },
	{ "0 0 31 2,3 *", { BIT(0), BIT(0), BIT(31), BIT(2) | BIT(3), 0x7f, false } },
	{ "@hourly", { BIT(0), ALL_HOURS, ALL_DAYS, ALL_MONTHS, 0x7f, false } },
	{ " @DAILY ", { BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, 0x7f, false } },
	{ "@midnight", { BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, 0x7f, false } },
	{ "@weekly", { BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0), false } },
	{ "@monthly", { BIT(0), BIT(0), BIT(1), ALL_MONTHS, 0x7f, false } },
	{ "@yearly", { BIT(0), BIT(0), BIT(1), BIT(1), 0x7f, false } },
	{ "@annually", { BIT(0), BIT(0), BIT(1), BIT(1), 0x7f, false } },
};

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "there are 0" },
	{ "   ", "there are 0" },
	{ "* * * *", "there are 4" },
	{ "* * * * * *", "there are more" },
	{ "@reboot", "none of" },
	{ "@hourlyx", "none of" },
	{ "60 * * * *", "minute '60': out of range, allowed is 0 to 59" },
	{ "* 24 * * *", "hour '24': out of range" },
	{ "* * 0 * *", "day of month '0': out of range" },
	{ "* * 32 * *", "out of range" },
	{ "* * * 0 *", "out of range" },
	{ "* * * 13 *", "out of range" },
	{ "* * * * 8", "out of range" },
	{ "1000000000000 * * * *", "a number is wanted" },
	{ "x * * * *", "a number is wanted" },
	{ "* * * foo *", "three letters" },
	{ "* * * january *", "cannot be read" },
	{ "jan * * * *", "a number is wanted" },
	{ "-1 * * * *", "a number is wanted" },
	{ "5- * * * *", "a number is wanted" },
	{ "9-5 * * * *", "backwards" },
	{ "* * * * sat-mon", "backwards" },
	{ "*/0 * * * *", "step" },
	{ "*/60 * * * *", "step" },
	{ "*/ * * * *", "step" },
	{ "*/x * * * *", "step" },
	{ "0/15 * * * *", "a step needs a range" },
	{ "1,,2 * * * *", "a number is wanted" },
	{ "1, * * * *", "a number is wanted" },
	{ "** * * * *", "cannot be read" },
	{ "? * * * *", "a number is wanted" },
	{ "0 0 L * *", "a number is wanted" },
	{ "0 0 30 2 *", "never fires" },
	{ "0 0 31 4,6,9,11 *", "never fires" },
	{ "0 0 30,31 2 */2", "never fires" },
};

static void
test_good(void)
{
	for (size_t i = 0; i < PW_COUNT(good); i++) {
		const struct pw_cron *want = &good[i].cron;
		struct pw_cron got;
		struct pw_err err;

		if (pw_cron_parse(good[i].text, &got, &err) < 0) {
			ok(false, "'%s': %s", good[i].text, err.text);
			continue;
		}
		ok(got.minutes == want->minutes && got.hours == want->hours &&
			   got.days == want->days && got.months == want->months &&
			   got.weekdays == want->weekdays && got.either == want->either,
		   "'%s'", good[i].text);
	}
}

static void
test_bad(void)
{
	for (size_t i = 0; i < PW_COUNT(bad); i++) {
		struct pw_cron got;
		struct pw_err err;
		int status = pw_cron_parse(bad[i].text, &got, &err);

		if (!ok(status < 0 && err.kind == PW_ERR_INPUT && strstr(err.text, bad[i].why), "'%s' is refused: %s", bad[i].text, bad[i].why))
			printf("# %s\n", status < 0 ? err.text : "accepted");
	}
}

static void
test_matches(void)
{
	struct pw_cron cron;
	struct pw_err err;

	if (pw_cron_parse("30 2 13 * fri", &cron, &err) < 0)
		bail("%s", err.text);
	ok(pw_cron_matches(&cron, 30, 2, 13, 1, 1) && pw_cron_matches(&cron, 30, 2, 14, 1, 5), "either day will do");
	ok(!pw_cron_matches(&cron, 30, 2, 14, 1, 1) && !pw_cron_matches(&cron, 31, 2, 13, 1, 1), "but one must");
	if (pw_cron_parse("* * 13 * */6", &cron, &err) < 0)
		bail("%s", err.text);
	ok(!pw_cron_matches(&cron, 0, 0, 13, 1, 1) && pw_cron_matches(&cron, 0, 0, 13, 1, 0), "a field with * is no alternative");
}

int
main(void)
{
	test_good();
	test_bad();
	test_matches();
	return tap_done();
}
