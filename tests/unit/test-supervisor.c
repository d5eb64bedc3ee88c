/* SPDX-License-Identifier: MIT */
/* The pure parts of the supervisor: endings by table, head and tail of output; the file of the gauges. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "lib/tap.h"
#include "exec/ending.h"
#include "exec/output.h"
#include "supervisor/metrics_file.h"

static const struct {
	struct pw_outcome outcome;
	enum pw_cause cause;
	const char *state, *result, *error;
} endings[] = {
	{ { .kind = PW_OUTCOME_COMPLETED }, PW_CAUSE_NONE, "completed", NULL, NULL },
	{ { .kind = PW_OUTCOME_COMPLETED, .text = "[1, 2]" }, PW_CAUSE_NONE, "completed", "[1, 2]", NULL },
	{ { .kind = PW_OUTCOME_COMPLETED, .text = "123456789012345678901234567890" },
	  PW_CAUSE_NONE, "completed", "123456789012345678901234567890", NULL },
	{ { .kind = PW_OUTCOME_COMPLETED, .text = "[1, 2" },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Result is not valid JSON.\"}" },
	{ { .kind = PW_OUTCOME_COMPLETED, .text = "\"\xff\"" },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Result is not valid JSON.\"}" },
	{ { .kind = PW_OUTCOME_COMPLETED, .text = "\"\\u0000\"" },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Result is not valid JSON.\"}" },
	{ { .kind = PW_OUTCOME_COMPLETED, .text = "1" }, PW_CAUSE_SHUTDOWN, "completed", "1", NULL },
	{ { .kind = PW_OUTCOME_FAILED, .text = "no \"data\"" },
	  PW_CAUSE_NONE, "failed", NULL, "{\"description\": \"no \\\"data\\\"\", \"traceback\": \"\"}" },
	{ { .kind = PW_OUTCOME_FAILED, .text = "bad \xff" },
	  PW_CAUSE_NONE, "failed", NULL, "{\"description\": \"bad \xef\xbf\xbd\", \"traceback\": \"\"}" },
	{ { .kind = PW_OUTCOME_EXITED, .number = 3 },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Task process died unexpectedly with exitcode 3.\"}" },
	{ { .kind = PW_OUTCOME_EXITED },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Task process died unexpectedly with exitcode 0.\"}" },
	{ { .kind = PW_OUTCOME_SIGNALED, .number = 11 },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Killed by signal 11.\"}" },
	{ { .kind = PW_OUTCOME_SIGNALED, .number = 9, .oom = true },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Killed by signal 9. The host was out of memory.\"}" },
	{ { .kind = PW_OUTCOME_SIGNALED, .number = 9 },
	  PW_CAUSE_SHUTDOWN, "failed", NULL, "{\"reason\": \"Aborted during worker shutdown.\"}" },
	{ { .kind = PW_OUTCOME_SIGNALED, .number = 9 },
	  PW_CAUSE_LEASE, "failed", NULL, "{\"reason\": \"Worker has gone missing.\"}" },
	{ { .kind = PW_OUTCOME_SETUP, .number = 9, .text = "chdir: No such file or directory" },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Task setup failed at step chdir: No such file or directory.\"}" },
	{ { .kind = PW_OUTCOME_PROTOCOL, .text = "a frame of unknown type 99" },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Task broke the protocol: a frame of unknown type 99.\"}" },
	{ { .kind = PW_OUTCOME_TIMEOUT, .number = 5 },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Task timed out after 5 seconds.\"}" },
	{ { .kind = PW_OUTCOME_RESULT_TOO_LARGE, .number = 16777216 },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Result is larger than 16777216 bytes.\"}" },
	{ { .kind = PW_OUTCOME_FAILED, .text = "stopped as asked" }, PW_CAUSE_CANCEL, "canceled", NULL, NULL },
	{ { .kind = PW_OUTCOME_HOST_DIED },
	  PW_CAUSE_NONE, "failed", NULL, "{\"reason\": \"Plugin host of example died.\"}" },
};

static void
test_endings(void)
{
	struct pw_uuid id = pw_uuid_new();

	for (size_t i = 0; i < PW_COUNT(endings); i++) {
		struct pw_outcome outcome = endings[i].outcome;
		struct pw_ending *ending;

		outcome.text_len = outcome.text ? strlen(outcome.text) : 0;
		ending = pw_ending_of_outcome(&id, "example", &outcome, endings[i].cause);
		if (!ending)
			bail("out of memory");
		is_str(ending->state, endings[i].state, "outcome %zu: %s", i, endings[i].state);
		is_str(ending->result, endings[i].result, "its result");
		is_str(ending->error, endings[i].error, "its error");
		pw_ending_free(ending);
	}
	struct pw_ending *ending = pw_ending_of_reason(&id, "canceled", "canceled", NULL);
	ok(ending && !ending->error, "without a reason the error stays null");
	pw_ending_free(ending);
}

/* Takes everything; returns it as one string that the caller frees. */
static char *
take_all(struct pw_output *output)
{
	struct pw_buf all = PW_BUF_INIT;
	char *text;
	int number, before = output->parts;

	while ((number = pw_output_take(output, &text)) > 0) {
		if (number != ++before || strlen(text) > 3 * 65536 || pw_buf_adds(&all, text) < 0)
			bail("part %d", number);
		free(text);
	}
	return pw_buf_steal(&all);
}

static void
test_short(void)
{
	struct pw_output output;

	pw_output_init(&output, 1000);
	ok(!pw_output_waiting(&output), "nothing at first");
	ok(pw_output_add(&output, "gr\xc3", 3) == 0 && pw_output_waiting(&output), "output comes");
	pw_auto_free char *one = take_all(&output);
	is_str(one, "gr", "what may be completed waits");
	ok(pw_output_add(&output, "\xbc\xc3\x9f\n", 4) == 0, "and is completed");
	pw_auto_free char *two = take_all(&output);
	is_str(two, "\xc3\xbc\xc3\x9f\n", "by what follows");
	ok(pw_output_add(&output, "x\xc3", 2) == 0, "the end is cut");
	pw_output_close(&output);
	pw_auto_free char *three = take_all(&output);
	is_str(three, "x\xef\xbf\xbd", "and then replaced");
	pw_output_done(&output);
}

static void
test_long(void)
{
	struct pw_output output;
	char block[1000];

	memset(block, 'a', sizeof(block));
	pw_output_init(&output, 100000);
	for (int i = 0; i < 1000; i++)
		if (pw_output_add(&output, block, sizeof(block)) < 0)
			bail("out of memory");
	ok(output.pending.len + output.tail.cap < 300000, "memory is bounded");
	ok(pw_output_add(&output, "the end\n", 8) == 0, "the last words");
	pw_output_close(&output);
	pw_auto_free char *all = take_all(&output);
	ok(strlen(all) > 100000 && strlen(all) < 100100, "head and tail: %zu bytes", strlen(all));
	ok(strcmp(all + strlen(all) - 8, "the end\n") == 0, "the tail is the end");
	ok(strstr(all, "\n[... 900008 bytes left out ...]\n") != NULL, "what was left out is told");
	pw_output_done(&output);
}

static void
test_gauges(void)
{
	char directory[] = "/tmp/pulp.XXXXXX", path[64], beside[80];
	struct pw_gauges gauges = { .waiting = "3", .oldest = "90000.250", .measured = "1764021600.123" };
	pw_auto_buf text = PW_BUF_INIT, found = PW_BUF_INIT;
	mode_t mask = umask(077);
	struct stat st;
	struct pw_err err;

	if (!mkdtemp(directory))
		bail("no directory");
	snprintf(path, sizeof(path), "%s/x.prom", directory);
	snprintf(beside, sizeof(beside), "%s.%d", path, (int)getpid());
	ok(pw_metrics_text(&text, &gauges) == 0, "the text of the gauges");
	ok(strstr(pw_buf_text(&text), "# TYPE tasks_unblocked_queue gauge\ntasks_unblocked_queue 3\n") != NULL, "how many");
	ok(strstr(pw_buf_text(&text), "\ntasks_longest_unblocked_time_seconds 90000.250\n") != NULL, "how long");
	ok(strstr(pw_buf_text(&text), "\ntasks_measured_timestamp_seconds 1764021600.123\n") != NULL, "when");
	ok(pw_metrics_write(path, &text, &err) == 0 && pw_metrics_write(path, &text, &err) == 0, "it is written, and replaced");
	ok(pw_file_read(path, 10000, &found, &err) == 0 && strcmp(pw_buf_text(&found), pw_buf_text(&text)) == 0, "whole");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0644, "and readable by all, whatever the umask");
	ok(access(beside, F_OK) < 0, "nothing is left beside it");
	ok(unlink(path) == 0 && mkdir(path, 0700) == 0, "a directory in its place");
	ok(pw_metrics_write(path, &text, &err) < 0 && strstr(err.text, "x.prom: Is a directory") != NULL, "is named: %s", err.text);
	ok(access(beside, F_OK) < 0, "and nothing is left beside that");
	ok(rmdir(path) == 0 && rmdir(directory) == 0, "all is gone");
	ok(pw_metrics_write(path, &text, &err) < 0 && err.os_errno == ENOENT, "nor is a directory made: %s", err.text);
	umask(mask);
}

int
main(void)
{
	test_gauges();
	test_endings();
	test_short();
	test_long();
	return tap_done();
}
