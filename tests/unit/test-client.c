/* SPDX-License-Identifier: MIT */
/* What the client library does without a database: resources, arguments, errors, records of other sizes. */
#include <stdlib.h>
#include <string.h>

#include <pulp/client.h>
#include <pulp/plugin.h> /* both compile together */

#include "lib/tap.h"

static const char id[] = "01920000-0000-7000-8000-0000000000ab";

static void
prn(const char *label, const char *model, const char *uuid, const char *want)
{
	char *got = pulp_prn(label, model, uuid);

	is_str(got, want, "the resource of %s.%s %s", label ? label : "NULL", model ? model : "NULL", uuid ? uuid : "NULL");
	free(got);
}

static void
test_prn(void)
{
	prn("file", "FileRepository", id, "prn:file.filerepository:01920000-0000-7000-8000-0000000000ab");
	prn("core", "domain", "0192000000007000800000000000 00AB", NULL);
	prn("core", "domain", "019200000000700080000000000000AB", "prn:core.domain:01920000-0000-7000-8000-0000000000ab");
	prn("", "domain", id, NULL);
	prn("core", "a:b", id, NULL);
	prn("core", NULL, id, NULL);
	prn(NULL, "domain", id, NULL);
	prn("core", "domain", NULL, NULL);
	prn("core", "domain", "xyz", NULL);
}

static void
add(const char *before, const char *want)
{
	struct pulp_client_error error = PULP_CLIENT_ERROR_INIT;
	char *args = before ? strdup(before) : NULL;
	int status = pulp_client_args_add_uuid(&args, id, &error);

	is_int(status, want ? 0 : -1, "a UUID %s", want ? "is added" : "is refused");
	is_str(args, want ? want : before, "as it should");
	if (!want)
		is_int(error.kind, PULP_CLIENT_BAD_ARGUMENT, "which is said: %s", error.text);
	free(args);
}

static void
set(const char *before, const char *key, const char *want)
{
	struct pulp_client_error error = PULP_CLIENT_ERROR_INIT;
	char *kwargs = before ? strdup(before) : NULL;
	int status = pulp_client_kwargs_set_uuid(&kwargs, key, id, &error);

	is_int(status, want ? 0 : -1, "key %s %s in %s", key ? key : "NULL", want ? "stands" : "is refused", before ? before : "nothing");
	is_str(kwargs, want ? want : before, "as it should");
	if (!want)
		is_int(error.kind, PULP_CLIENT_BAD_ARGUMENT, "which is said: %s", error.text);
	free(kwargs);
}

static void
test_arguments(void)
{
	struct pulp_client_error error = PULP_CLIENT_ERROR_INIT;
	char *args = NULL;

	add(NULL, "[\"01920000-0000-7000-8000-0000000000ab\"]");
	add(" [ ] ", " [\"01920000-0000-7000-8000-0000000000ab\"]");
	add("[123456789012345678901234567890, \"]\"\n]", "[123456789012345678901234567890, \"]\", \"01920000-0000-7000-8000-0000000000ab\"]");
	add("{}", NULL);
	add("[1", NULL);
	set(NULL, "repository", "{\"repository\": \"01920000-0000-7000-8000-0000000000ab\"}");
	set("{\"a\": {}}", "b\"c", "{\"a\": {}, \"b\\\"c\": \"01920000-0000-7000-8000-0000000000ab\"}");
	set("{\"a\": 1}", "a", NULL);
	set("[]", "a", NULL);
	set("{}", NULL, NULL);
	set("{}", "\xff", NULL);
	is_int(pulp_client_args_add_uuid(&args, "no uuid", &error), -1, "what is no UUID is refused");
	is_int(pulp_client_args_add_uuid(&args, NULL, &error), -1, "and so is nothing");
	ok(!args, "and leaves nothing behind");
	is_int(pulp_client_args_add_uuid(&args, NULL, NULL), -1, "also where nobody wants to know why");
}

/* A program that was built when the record was smaller. */
static void
test_sizes(void)
{
	union {
		struct pulp_client_error error;
		unsigned char bytes[sizeof(struct pulp_client_error)];
	} small;
	char *args = NULL;

	memset(&small, 0x55, sizeof(small));
	small.error.size = 20;
	pulp_client_args_add_uuid(&args, NULL, &small.error);
	is_int(small.error.size, 20, "the size of a smaller record stays");
	is_int(small.error.kind, PULP_CLIENT_BAD_ARGUMENT, "what it has is filled");
	is_int(small.bytes[20], 0x55, "and nothing behind it");
	small.error.size = 0;
	small.error.kind = PULP_CLIENT_OK;
	pulp_client_args_add_uuid(&args, NULL, &small.error);
	is_int(small.error.kind, PULP_CLIENT_OK, "a record without a size is left alone");
}

static void
test_states(void)
{
	is_str(pulp_client_state_name(PULP_CLIENT_CANCELING), "canceling", "a state has a name");
	is_str(pulp_client_state_name(PULP_CLIENT_UNKNOWN), "unknown", "also an unknown one");
	ok(!pulp_client_state_is_final(PULP_CLIENT_CANCELING) && !pulp_client_state_is_final(PULP_CLIENT_UNKNOWN), "some are not final");
	ok(pulp_client_state_is_final(PULP_CLIENT_COMPLETED) && pulp_client_state_is_final(PULP_CLIENT_SKIPPED), "some are");
	pulp_client_task_free(NULL);
	pulp_client_close(NULL);
	ok(1, "nothing can be freed");
}

static void
test_open(void)
{
	struct pulp_client_error error = PULP_CLIENT_ERROR_INIT;
	pulp_client *client = NULL;

	is_int(pulp_client_open("host=/nonexistent dbname=x", &client, &error), -1, "a database that is not there");
	is_int(error.kind, PULP_CLIENT_LOST, "is said to be so: %s", error.text);
	is_int(pulp_client_open("nonsense", &client, &error), -1, "a connection string that is none");
	ok(!client && error.text[0], "is: %s", error.text);
}

int
main(void)
{
	test_prn();
	test_arguments();
	test_sizes();
	test_states();
	test_open();
	return tap_done();
}
