/* SPDX-License-Identifier: MIT */
/* The layer task: states, JSON that people type, records and their JSON. */
#include <string.h>

#include "lib/tap.h"
#include "task/json.h"
#include "task/record.h"
#include "task/state.h"

static void
test_states(void)
{
	struct pw_err err;
	enum pw_task_state state = PW_TASK_waiting;
	int finals = 0;

	is_int(PW_TASK_STATE_COUNT, 7, "there are seven states");
	for (int s = 0; s < PW_TASK_STATE_COUNT; s++) {
		finals += pw_task_state_final((enum pw_task_state)s);
		if (pw_task_state_of(pw_task_state_name((enum pw_task_state)s)) !=
		    (enum pw_task_state)s)
			ok(0, "state %d has no name of its own", s);
	}
	is_int(finals, 4, "four of them are final");
	for (int s = 0; s < PW_TASK_STATE_COUNT; s++)
		for (int e = 0; e < PW_TASK_EVENT_COUNT; e++)
			if (pw_task_state_final((enum pw_task_state)s) &&
			    pw_task_state_next((enum pw_task_state)s, (enum pw_task_event)e) !=
				    PW_TASK_UNKNOWN)
				ok(0, "%s leaves a final state by %s", pw_task_state_name((enum pw_task_state)s),
				   pw_task_event_name((enum pw_task_event)e));
	is_int(pw_task_state_next(PW_TASK_waiting, PW_TASK_EVENT_claim), PW_TASK_running, "a claim makes a waiting task running");
	is_int(pw_task_state_next(PW_TASK_running, PW_TASK_EVENT_claim), PW_TASK_UNKNOWN, "and a running one stays what it is");
	is_int(pw_task_state_next(PW_TASK_canceling, PW_TASK_EVENT_complete), PW_TASK_canceled, "a cancel that was seen holds");
	is_int(pw_task_state_of("paused"), PW_TASK_UNKNOWN, "an unknown state is known to be one");
	is_str(pw_task_state_name(PW_TASK_UNKNOWN), "unknown", "and has a name");
	ok(!pw_task_state_final(PW_TASK_UNKNOWN), "and is not final");
	is_int(pw_task_state_parse("canceling", &state, &err), 0, "a state that was typed");
	is_int(state, PW_TASK_canceling, "is read");
	is_int(pw_task_state_parse("complete", &state, &err), -1, "one with a typing error is not");
	is_str(err.text, "'complete' is not a state; did you mean 'completed'?", "and the closest is suggested");
	is_int(err.kind, PW_ERR_INPUT, "as bad input");
	is_int(pw_task_state_parse("zzzzzzzzzzzzzzzzz", &state, &err), -1, "one that is like none");
	ok(strstr(err.text, "waiting, running"), "is told all there are");
}

/* Every state but the initial one can be reached, and every one that is not final can be left. */
static void
test_reach(void)
{
	bool reached[PW_TASK_STATE_COUNT] = { [PW_TASK_waiting] = true }, left[PW_TASK_STATE_COUNT] = { false };

	for (int round = 0; round < PW_TASK_STATE_COUNT; round++)
		for (int s = 0; s < PW_TASK_STATE_COUNT; s++)
			for (int e = 0; e < PW_TASK_EVENT_COUNT; e++) {
				int to = pw_task_state_next((enum pw_task_state)s,
							    (enum pw_task_event)e);

				if (to == PW_TASK_UNKNOWN)
					continue;
				left[s] = true;
				reached[to] = reached[to] || reached[s];
			}
	for (int s = 0; s < PW_TASK_STATE_COUNT; s++) {
		enum pw_task_state state = (enum pw_task_state)s;

		is_int(reached[s], state != PW_TASK_skipped, "%s can%s be reached", pw_task_state_name(state),
		       state == PW_TASK_skipped ? "not" : "");
		is_int(left[s], !pw_task_state_final(state), "%s can%s be left", pw_task_state_name(state),
		       pw_task_state_final(state) ? "not" : "");
	}
}

static void
test_check(void)
{
	static const struct {
		const char *text;
		json_type type;
		const char *error; /* NULL: good */
	} cases[] = {
		{ "[]", JSON_ARRAY, NULL },
		{ " [1, \"\xc3\xa4\", {\"k\": null}]\n", JSON_ARRAY, NULL },
		{ "{}", JSON_OBJECT, NULL },
		{ "[123456789012345678901234567890]", JSON_ARRAY, NULL },
		{ "{\"a\": 1}", JSON_ARRAY, "x:1:1: a JSON value of another kind where an array [...] is wanted" },
		{ "[1]", JSON_OBJECT, "x:1:1: a JSON value of another kind where an object {...} is wanted" },
		{ "1", JSON_ARRAY, "x:1:1: a JSON value of another kind where an array [...] is wanted" },
		{ "", JSON_ARRAY, "x:1:0: " },
		{ "[1,\n 2,,]", JSON_ARRAY, "x:2:4: " },
		{ "[1] 2", JSON_ARRAY, "x:1:5: end of file expected" },
		{ "{\"a\": 1, \"a\": 2}", JSON_OBJECT, "x:1:12: duplicate object key" },
		{ "[\"\\u0000\"]", JSON_ARRAY, "x:1:9: \\u0000 is not allowed" },
		{ "[\"\xff\"]", JSON_ARRAY, "x:1:2: unable to decode byte 0xff" },
		{ "[\"\\ud800\"]", JSON_ARRAY, "x:1:9: invalid Unicode" },
		{ "[1e999]", JSON_ARRAY, "x:1:6: real number overflow" },
	};
	pw_auto_buf deep = PW_BUF_INIT;
	struct pw_err err;

	for (size_t i = 0; i < PW_COUNT(cases); i++) {
		const char *want = cases[i].error;
		int status = pw_json_check("x", cases[i].text, strlen(cases[i].text), cases[i].type, &err);

		if (!want)
			is_int(status, 0, "text %zu is good", i);
		else if (!ok(status < 0 && strncmp(err.text, want, strlen(want)) == 0, "text %zu is not: %s", i, want))
			printf("# got %s\n", status < 0 ? err.text : "no error");
	}
	is_int(pw_json_check("x", "[1\0]", 4, JSON_ARRAY, &err), -1, "a NUL byte is refused");
	is_str(err.text, "x:1:3: a NUL byte", "and found");
	for (int i = 0; i < 100000; i++)
		if (pw_buf_addc(&deep, '[') < 0)
			bail("out of memory");
	is_int(pw_json_check("x", pw_buf_text(&deep), deep.len, JSON_ARRAY, &err), -1, "what is too deep is refused");
	ok(strstr(err.text, "depth"), "and said to be: %s", err.text);
}

static void
test_quote(void)
{
	pw_auto_buf buf = PW_BUF_INIT;

	ok(pw_json_quote("a\"b\\c\n\t\x01\x7f\xc3\xa4\xff", &buf) == 0, "a text becomes a JSON string");
	is_str(pw_buf_text(&buf), "\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\xc3\xa4\xef\xbf\xbd\"", "whatever is in it");
}

static struct pw_record *
sample(void)
{
	struct pw_record *record = pw_record_new(5);

	if (!record || pw_record_set(record, 0, "state", PW_FIELD_TEXT, "running") < 0 ||
	    pw_record_set(record, 1, "error", PW_FIELD_JSON, NULL) < 0 ||
	    pw_record_set(record, 2, "result", PW_FIELD_JSON, "{\"n\": 123456789012345678901234567890}") < 0 ||
	    pw_record_set(record, 3, "_age_ms", PW_FIELD_JSON, "1500") < 0 || pw_record_set(record, 4, "ok", PW_FIELD_JSON, "true") < 0)
		bail("out of memory");
	return record;
}

static void
test_record(void)
{
	pw_auto_records list = PW_RECORDS_INIT;
	pw_auto_record *record = sample();
	pw_auto_buf json = PW_BUF_INIT;

	is_str(pw_record_get(record, "state"), "running", "a field by its name");
	ok(!pw_record_get(record, "error"), "a null one");
	ok(!pw_record_get(record, "nothing"), "one that there is not");
	is_str(pw_record_text(record, "error"), "", "as an empty text");
	is_int(pw_record_state(record), PW_TASK_running, "the state");
	is_int(pw_record_int(record, "_age_ms", -1), 1500, "a number");
	is_int(pw_record_int(record, "error", -1), -1, "none");
	ok(pw_record_bool(record, "ok") && !pw_record_bool(record, "error"), "a truth value");
	ok(pw_record_json(record, 0, &json) == 0, "as JSON");
	is_str(pw_buf_text(&json), "{\n  \"state\": \"running\",\n  \"error\": null,\n"
				   "  \"result\": {\"n\": 123456789012345678901234567890},\n  \"ok\": true\n}",
	       "without what is not for programs, no digit lost");
	pw_buf_clear(&json);
	ok(pw_records_json(&list, &json) == 0, "an empty list");
	is_str(pw_buf_text(&json), "[]", "is an empty array");
	pw_buf_clear(&json);
	list.items = calloc(2, sizeof(list.items[0]));
	if (!list.items)
		bail("out of memory");
	list.items[list.count++] = sample();
	list.items[list.count++] = sample();
	ok(pw_records_json(&list, &json) == 0, "a list");

	pw_auto_json *parsed = json_loads(pw_buf_text(&json), JSON_DECODE_INT_AS_REAL, NULL);
	is_int(json_array_size(parsed), 2, "is one array");
}

int
main(void)
{
	test_states();
	test_reach();
	test_check();
	test_quote();
	test_record();
	return tap_done();
}
