/* SPDX-License-Identifier: MIT */
/* Which demands a worker serves: pulp-spec 4.6 by table. */
#include "base/attr.h"
#include "lib/tap.h"
#include "sched/requirement.h"

static const struct pw_offer offers[] = {
	{ "example", "c_example", "1.2.0" },
	{ "file", "c_file", "2.0.0.dev1" },
};

static const struct {
	const char *module, *versions;
	int offer;
	bool faulty;
	const char *why;
} cases[] = {
	{ "example", "{}", 0, false, "no versions at all: the module decides" },
	{ "example", "{\"c_example\": \"1.2\"}", 0, false, "the same version" },
	{ "example", "{\"c_example\": \"1.1.9\"}", 0, false, "an older one will do" },
	{ "example", "{\"c_example\": \"1.2.1\"}", -1, false, "a newer one is needed" },
	{ "example", "{\"c_example\": \"1.2.0rc1\"}", 0, false, "a pre-release of ours is older" },
	{ "file", "{\"c_file\": \"2.0.0\"}", -1, false, "a development release is older than the release" },
	{ "file", "{\"c_file\": \"2.0.0.dev1\", \"c_example\": \"1.0\"}", 1, false, "all labels are there" },
	{ "file", "{\"c_file\": \"1.0\", \"core\": \"3.0\"}", -1, false, "a label that this worker lacks" },
	{ "nosuch", "{}", -1, false, "a module that this worker lacks" },
	{ "exampl", "{}", -1, false, "names are compared whole" },
	{ "example", "{\"c_example\": \"latest\"}", -1, true, "an unparsable version: nobody can serve it" },
	{ "example", "{\"c_example\": null}", -1, true, "a NULL version: the same" },
	{ "nosuch", "{\"x\": \"?\"}", -1, true, "faulty whoever should serve it" },
};

int
main(void)
{
	for (size_t i = 0; i < PW_COUNT(cases); i++) {
		struct pw_requirement *r;
		struct pw_err err;
		char detail[200];

		snprintf(detail, sizeof(detail), "{\"versions\": %s, \"immediate\": false}", cases[i].versions);
		if (pw_requirement_new((int)i, cases[i].module, detail, &r, &err) < 0)
			bail("%s", err.text);
		pw_requirement_match(r, offers, PW_COUNT(offers));
		ok(r->offer == cases[i].offer && r->faulty == cases[i].faulty, "%s", cases[i].why);
		pw_requirement_match(r, NULL, 0);
		is_int(r->offer, -1, "and nobody serves it without plugins");
		pw_requirement_free(r);
	}
	return tap_done();
}
