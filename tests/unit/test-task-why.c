/* SPDX-License-Identifier: MIT */
/* Why a task is not running: facts on one side, the sentence on the other. */
#include <string.h>

#include "lib/tap.h"
#include "task/why.h"

#define W(name, alive, slots, running, modules)                                                                            \
	"{\"name\": \"" name "\", \"alive\": " #alive ", \"slots\": " #slots ", \"running\": " #running ", \"modules\": " modules \
	"}"
#define EXAMPLE(version) "{\"example\": {\"label\": \"c_example\", \"version\": \"" version "\"}}"
#define WAITING(ready, rest)                                                                                          \
	"{\"state\": \"waiting\", \"name\": \"example.greet\", \"module\": \"example\", \"ready\": " #ready ", \"settled\": true, " \
	"\"owner\": null, \"bad\": null, " rest "}"
#define NEEDS(versions) "\"versions\": " versions ", "
#define WORKERS(list) "\"workers\": [" list "]"
#define ID "01920000-0000-7000-8000-000000000001"
#define QUEUE(exclusive, ahead, state)                                                                                          \
	", \"resource\": \"rpm:repo-1\", \"exclusive\": " #exclusive ", \"ahead\": " #ahead ", \"holder\": {\"pulp_id\": \"" ID "\", " \
	"\"name\": \"file.sync\", \"state\": \"" state "\", \"exclusive\": true}"

static const struct {
	const char *facts;
	enum pw_why why;
	const char *text;
} cases[] = {
	/* queues */
	{ WAITING(false, NEEDS("{}") WORKERS(W("w1@host", true, 4, 1, EXAMPLE("1.0"))) QUEUE(true, 3, "running")), PW_WHY_RESOURCE,
	  "Waits for resource \"rpm:repo-1\" (wanted exclusively), held by task " ID " (file.sync, running); 3 tasks are ahead in the queue." },
	{ WAITING(false, NEEDS("{}") WORKERS(W("w1@host", true, 4, 1, EXAMPLE("1.0"))) QUEUE(false, 1, "canceling")), PW_WHY_RESOURCE,
	  "Waits for resource \"rpm:repo-1\" (wanted shared), held by task " ID " (file.sync, canceling); 1 task is ahead in the queue." },
	{ WAITING(false, NEEDS("{}") WORKERS(W("w1@host", true, 4, 1, EXAMPLE("1.0"))) QUEUE(true, 2, "waiting")), PW_WHY_RESOURCE,
	  "Waits for resource \"rpm:repo-1\" (wanted exclusively), behind task " ID " (file.sync, waiting); 2 tasks are ahead in the queue." },
	{ WAITING(false, NEEDS("{}") WORKERS(W("w1@host", true, 4, 1, EXAMPLE("1.0"))) QUEUE(true, 100000, "waiting")), PW_WHY_RESOURCE,
	  "Waits for resource \"rpm:repo-1\" (wanted exclusively), behind task " ID
	  " (file.sync, waiting); at least 100000 tasks are ahead in the queue." },
	{ WAITING(false, NEEDS("{}") WORKERS(W("w1@host", true, 4, 1, EXAMPLE("1.0")))
		  ", \"resource\": null, \"exclusive\": true, \"ahead\": 1, \"holder\": null"), PW_WHY_RESOURCE,
	  "Waits for a resource (wanted exclusively); 1 task is ahead in the queue." },
	/* nobody can serve it */
	{ WAITING(false, NEEDS("{}") WORKERS("") QUEUE(true, 1, "running")), PW_WHY_NO_WORKER, "No worker is alive." },
	{ WAITING(true, NEEDS("{}") WORKERS(W("w1@host", false, 4, 0, EXAMPLE("1.0")))), PW_WHY_NO_WORKER, "No worker is alive." },
	{ WAITING(true, NEEDS("{}") WORKERS(W("w1@host", true, 4, 0, "{\"file\": {\"label\": \"c_file\", \"version\": \"1\"}}"))),
	  PW_WHY_MODULE, "No live worker has the module example." },
	{ WAITING(false, NEEDS("{\"c_example\": \"2.0\"}") WORKERS(W("w1@host", true, 4, 0, EXAMPLE("1.0.0"))) QUEUE(true, 1, "running")),
	  PW_WHY_VERSION, "No live worker has c_example >= 2.0 (newest: 1.0.0 on w1@host)." },
	{ WAITING(true, NEEDS("{\"c_example\": \"2.0\"}") WORKERS(W("w1@a", true, 4, 0, EXAMPLE("2.0rc1")) "," W("w2@b", true, 4, 0,
		  EXAMPLE("1.9")) "," W("w3@c", false, 4, 0, EXAMPLE("3.0")))), PW_WHY_VERSION,
	  "No live worker has c_example >= 2.0 (newest: 2.0rc1 on w1@a)." },
	{ WAITING(true, NEEDS("{\"c_other\": \"1\"}") WORKERS(W("w1@host", true, 4, 0, EXAMPLE("1.0")))), PW_WHY_VERSION,
	  "No live worker has c_other >= 1 (none has c_other at all)." },
	{ WAITING(true, NEEDS("{\"c_example\": \"garbage\"}") WORKERS(W("w1@host", true, 4, 0, EXAMPLE("1.0")))), PW_WHY_VERSION,
	  "Demands of c_example the version \"garbage\", which is none: no worker can ever take it." },
	{ WAITING(true, NEEDS("{\"c_example\": null}") WORKERS(W("w1@host", true, 4, 0, EXAMPLE("1.0")))), PW_WHY_VERSION,
	  "Demands of c_example the version \"(null)\", which is none: no worker can ever take it." },
	{ WAITING(true, NEEDS("{\"c_example\": \"1.0\", \"c_file\": \"1\"}")
		  WORKERS(W("w1@a", true, 4, 0, EXAMPLE("1.0")) ","
			  W("w2@b", true, 4, 0, "{\"file\": {\"label\": \"c_file\", \"version\": \"1\"}}"))), PW_WHY_VERSION,
	  "No live worker has all of c_example >= 1.0, c_file >= 1 together with the module example." },
	/* somebody can */
	{ WAITING(true, NEEDS("{\"c_example\": \"1\"}") WORKERS(W("w1@host", true, 4, 4, EXAMPLE("1.0.post1")))), PW_WHY_BUSY,
	  "Ready, and every suitable worker is busy: 4 of 4 slots taken on w1@host." },
	{ WAITING(true, NEEDS("{}") WORKERS(W("w1@a", true, 4, 4, EXAMPLE("1")) "," W("w2@b", true, 2, 2, EXAMPLE("1")) "," W("w3@c", true,
		  9, 0, "{}"))), PW_WHY_BUSY, "Ready, and every suitable worker is busy: 6 of 6 slots taken on 2 workers." },
	{ WAITING(true, NEEDS("{}") WORKERS(W("w1@a", true, 4, 4, EXAMPLE("1")) "," W("w2@b", true, 2, 1, EXAMPLE("1")))), PW_WHY_READY,
	  "Ready: a worker will take it within the poll interval." },
	{ WAITING(false, NEEDS("{}") WORKERS(W("w1@host", true, 4, 0, EXAMPLE("1")))), PW_WHY_UNSETTLED,
	  "Not settled yet: a worker will look at it within the poll interval." },
	/* others */
	{ "{\"state\": \"waiting\", \"bad\": \"its record is NULL\", \"workers\": []}", PW_WHY_UNQUEUEABLE,
	  "Cannot be queued: its record is NULL." },
	{ "{\"state\": \"waiting\", \"owner\": \"7@py\", \"workers\": []}", PW_WHY_CLAIMED, "Is claimed by 7@py, which is about to start it." },
	{ "{\"state\": \"running\", \"owner\": \"w1@host\", \"started\": \"2026-11-01 10:00:00\"}", PW_WHY_RUNNING,
	  "Is running on w1@host since 2026-11-01 10:00:00 UTC." },
	{ "{\"state\": \"running\", \"owner\": null, \"started\": \"2026-11-01 10:00:00\"}", PW_WHY_RUNNING,
	  "Was running, and its worker has gone missing: the next worker that looks ends it as failed." },
	{ "{\"state\": \"canceling\", \"owner\": \"w1@host\"}", PW_WHY_CANCELING, "Is canceled, and w1@host is stopping it." },
	{ "{\"state\": \"canceling\", \"owner\": null}", PW_WHY_CANCELING,
	  "Is canceled, and its worker has gone missing: the next worker that looks ends it." },
	{ "{\"state\": \"completed\", \"started\": \"a\", \"finished\": \"2026-11-01 10:00:00\"}", PW_WHY_ENDED,
	  "Was completed at 2026-11-01 10:00:00 UTC." },
	{ "{\"state\": \"failed\", \"started\": \"a\", \"finished\": \"2026-11-01 10:00:00\", \"reason\": \"Killed by signal 9.\"}",
	  PW_WHY_ENDED, "Failed at 2026-11-01 10:00:00 UTC: Killed by signal 9." },
	{ "{\"state\": \"failed\", \"finished\": \"2026-11-01 10:00:00\", \"reason\": \"no such file\"}", PW_WHY_ENDED,
	  "Failed at 2026-11-01 10:00:00 UTC: no such file." },
	{ "{\"state\": \"canceled\", \"finished\": \"2026-11-01 10:00:00\"}", PW_WHY_ENDED,
	  "Was canceled at 2026-11-01 10:00:00 UTC, before it started." },
	{ "{\"state\": \"canceled\", \"started\": \"a\", \"finished\": \"2026-11-01 10:00:00\"}", PW_WHY_ENDED,
	  "Was canceled at 2026-11-01 10:00:00 UTC, while it ran." },
	{ "{\"state\": \"skipped\"}", PW_WHY_ENDED, "Was skipped." },
	{ "{\"state\": \"paused\"}", PW_WHY_ENDED, "Is in the state paused, which this program does not know." },
	{ "{}", PW_WHY_ENDED, "Is in the state unknown, which this program does not know." },
};

int
main(void)
{
	struct pw_err err;
	enum pw_why why;

	for (size_t i = 0; i < PW_COUNT(cases); i++) {
		pw_auto_buf text = PW_BUF_INIT;

		if (pw_why_text(cases[i].facts, &why, &text, &err) < 0) {
			ok(0, "%s: %s", cases[i].facts, err.text);
			continue;
		}
		is_str(pw_buf_text(&text), cases[i].text, "%s", cases[i].text);
		is_str(pw_why_name(why), pw_why_name(cases[i].why), "which is in a word");
	}
	for (const char *const *bad = (const char *const[]){ "", "[]", "{", "\"x\"", NULL }; *bad; bad++) {
		pw_auto_buf text = PW_BUF_INIT;

		is_int(pw_why_text(*bad, &why, &text, &err), -1, "'%s' is no fact", *bad);
	}
	for (int i = 0; i < PW_WHY_COUNT; i++)
		if (!pw_why_name((enum pw_why)i))
			ok(0, "reason %d has no name", i);
	return tap_done();
}
