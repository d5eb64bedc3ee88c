/* SPDX-License-Identifier: MIT */
/*
 * pulp-task dispatch-many. The lines go out in batches, each a transaction, and
 * the ids of a batch are printed when it is there. What is said of an error names
 * the line, and what is known of the tasks before it.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "client/versions.h"
#include "cmd/task.h"
#include "cmd/task_lines.h"
#include "crypt/leaves.h"
#include "store/task_store.h"
#include "task/json.h"

/* As much as costs little to do again. At a live Pulp the resources of a batch are locked until it is there, and a server has room for some thousand locks. */
#define BATCH_TASKS 100
#define BATCH_BYTES ((size_t)4 << 20)
#define BATCH_RESOURCES 1000

static struct {
	const char *group, *timeout, *correlation_id;
	bool wait;
} options;

const struct pw_cli_option pw_verb_dispatch_many_options[] = {
	{ .name = "group", .value = "ID", .help = "make those members of this task group that name none", .text = &options.group },
	{ .name = "correlation-id", .value = "ID", .help = "a UUID for the log lines of those that have none", .text = &options.correlation_id },
	{ .name = "wait", .help = "wait for the end of all of them, as 'wait' does", .flag = &options.wait },
	{ .name = "timeout", .value = "DURATION", .help = "wait no longer than this", .text = &options.timeout },
	{ .name = NULL },
};

struct many {
	struct pw_lines lines;
	struct pw_keyring *keys; /* NULL: nothing to encrypt, or no key */
	const char *group, *correlation_id;
	bool look; /* it can be known who is there */
	struct pw_uuid *ids; /* of those that are dispatched */
	size_t done;
	json_t *warned; /* the modules that nobody has */
};

static void
many_done(struct many *many)
{
	pw_lines_done(&many->lines);
	pw_keyring_free(many->keys);
	free(many->ids);
	json_decref(many->warned);
}
#define auto_many PW_CLEANUP(many_done) struct many

/* A line as it goes out: what it lacks stands at its end, where it counts. */
static int
add_line(const struct many *many, const struct pw_line *line, struct pw_buf *buf,
	 struct pw_err *err)
{
	static const char *const secret[] = { "args", "kwargs", NULL };
	pw_auto_free char *versions = line->plugin ? pw_plugin_versions(line->plugin) : NULL;

	if (!many->keys && pw_buf_add(buf, line->text, line->len) < 0)
		return pw_err_nomem(err);
	if (many->keys &&
	    pw_leaves_seal_members(many->keys, line->text, line->len, secret, buf, err) < 0)
		return -1;
	buf->len--; /* the brace */
	if ((line->plugin && (!versions || pw_buf_addf(buf, ",\"versions\":%s", versions) < 0)) ||
	    (many->group && !line->group &&
	     pw_buf_addf(buf, ",\"task_group\":\"%s\"", many->group) < 0) ||
	    (many->correlation_id && !line->correlation_id &&
	     pw_buf_addf(buf, ",\"correlation_id\":\"%s\"", many->correlation_id) < 0) ||
	    pw_buf_addc(buf, '}') < 0)
		return pw_err_nomem(err);
	return 0;
}

/* Returns the number of the first line that is not in it. */
static ssize_t
fill_batch(const struct many *many, struct pw_buf *batch, struct pw_err *err)
{
	size_t next = many->done, resources = 0;

	do {
		const struct pw_line *line = &many->lines.items[next];

		if (pw_buf_addc(batch, next == many->done ? '[' : ',') < 0)
			return pw_err_nomem(err);
		if (add_line(many, line, batch, err) < 0)
			return pw_err_prefix(err, "%s:%d", many->lines.name, line->number);
		resources += line->resources;
		next++;
	} while (next < many->lines.count && next - many->done < BATCH_TASKS &&
		 batch->len < BATCH_BYTES &&
		 resources + many->lines.items[next].resources <= BATCH_RESOURCES);
	return pw_buf_addc(batch, ']') < 0 ? pw_err_nomem(err) : (ssize_t)next;
}

/* "task 7: ..." becomes "FILE:12: ..."; what is said of none is said of the batch. */
static int
locate(const struct many *many, size_t next, struct pw_err *err)
{
	const struct pw_line *lines = many->lines.items;
	size_t number = 0, skip = 0;
	int end = 0;

	if (sscanf(err->text, "task %zu: %n", &number, &end) == 1 && end && number > many->done &&
	    number <= next)
		skip = (size_t)end;
	memmove(err->text, err->text + skip, strlen(err->text + skip) + 1);
	if (skip)
		return pw_err_prefix(err, "%s:%d", many->lines.name, lines[number - 1].number);
	return pw_err_prefix(err, "%s, lines %d to %d", many->lines.name, lines[many->done].number, lines[next - 1].number);
}

/* What is known when it ends before its time. */
static void
tell_how_far(const struct many *many, size_t next, const struct pw_err *err)
{
	bool unknown = err->kind == PW_ERR_DB_LOST || err->kind == PW_ERR_TIMEOUT;
	size_t tried = next - many->done;

	if (unknown)
		pw_cli_warn("%zu of %zu tasks were dispatched; whether the next %zu were is not known, 'pulp-task list' shows it", many->done, many->lines.count, tried);
	else if (many->done)
		pw_cli_warn("%zu of %zu tasks were dispatched", many->done, many->lines.count);
}

static int
warn_unserved(struct many *many, const char *func, const struct pw_dispatched *dispatched)
{
	pw_auto_free char *module = strndup(func, strcspn(func, "."));

	if (!module)
		return -1;
	if (json_object_get(many->warned, module))
		return 0;
	pw_cmd_warn_unserved(func, dispatched);
	return json_object_set_new(many->warned, module, json_true());
}

static int
take_row(struct many *many, const struct pw_record *row)
{
	const struct pw_dispatched dispatched = pw_dispatched_of(row);

	many->ids[many->done++] = dispatched.id;
	if (!pw_cmd_json())
		puts(dispatched.id.s);
	return many->look && !dispatched.served ? warn_unserved(many, pw_record_text(row, "name"), &dispatched) : 0;
}

/* The next batch. */
static int
dispatch_batch(struct pw_db *db, struct many *many, struct pw_err *err)
{
	pw_auto_records rows = PW_RECORDS_INIT;
	pw_auto_buf batch = PW_BUF_INIT;
	ssize_t next = fill_batch(many, &batch, err);

	if (next < 0)
		return -1;
	if (pw_store_dispatch_many(db, pw_buf_text(&batch), many->keys || !many->lines.secret,
				   many->done + 1, many->look, pw_cmd_deadline(), &rows, err) < 0) {
		tell_how_far(many, (size_t)next, err);
		return locate(many, (size_t)next, err);
	}
	for (size_t i = 0; i < rows.count && many->done < (size_t)next; i++)
		if (take_row(many, rows.items[i]) < 0)
			return pw_err_nomem(err);
	return pw_cli_flush(err);
}

static int
dispatch_all(struct pw_db *db, struct many *many, struct pw_err *err)
{
	many->look = !pw_db_is_guest(db);
	many->ids = calloc(many->lines.count + 1, sizeof(*many->ids));
	if (!many->ids)
		return pw_err_nomem(err);
	if (many->lines.secret && pw_cmd_keys(&many->keys, err) < 0)
		return -1;
	while (many->done < many->lines.count)
		if (dispatch_batch(db, many, err) < 0)
			return -1;
	return 0;
}

/* Those that are dispatched, where no more can be said of them. */
static void
print_ids(const struct many *many)
{
	printf("[");
	for (size_t i = 0; i < many->done; i++)
		printf("%s\n {\"pulp_id\": \"%s\"}", i ? "," : "", many->ids[i].s);
	printf("%s]\n", many->done ? "\n" : "");
}

static int
dispatch_and_wait(struct pw_db **db, struct many *many, int64_t deadline_ns)
{
	struct pw_err err;
	int status = EX_OK;

	if (dispatch_all(*db, many, &err) < 0) {
		if (pw_cmd_json())
			print_ids(many);
		status = pw_cmd_fail(&err);
		return ferror(stdout) ? EX_IOERR : status;
	}
	if (options.wait && many->done)
		status = pw_cmd_wait(db, many->ids, many->done, deadline_ns, stderr);
	if (pw_cmd_json() && pw_cmd_waited(status) &&
	    pw_cmd_print_these(*db, many->ids, many->done, &err) < 0)
		return pw_cmd_fail(&err);
	return status;
}

int
pw_verb_dispatch_many(int argc, char **argv)
{
	auto_many many = { .warned = json_object() };
	struct pw_uuid group, correlation_id;
	struct pw_settings *settings;
	pw_auto_db *db = NULL;
	int64_t deadline_ns;
	struct pw_err err;

	(void)argc;
	if (options.timeout && !options.wait)
		return pw_cli_usage("--timeout is for --wait");
	if ((options.group && pw_cmd_group_id(options.group, &group, &err) < 0) ||
	    pw_cmd_correlation_id(options.correlation_id, &correlation_id, &err) < 0 ||
	    pw_cmd_timeout(options.timeout, &deadline_ns, &err) < 0 ||
	    pw_cmd_settings(&settings, &err) < 0 ||
	    pw_lines_read(&many.lines, argv[0],
			  pw_settings_text(settings, PW_SETTING_plugin_path), &err) < 0)
		return pw_cmd_fail(&err);
	many.group = options.group ? group.s : NULL;
	many.correlation_id = pw_uuid_none(&correlation_id) ? NULL : correlation_id.s;
	if (pw_cmd_open(&db, &err) < 0)
		return pw_cmd_fail(&err);
	return dispatch_and_wait(&db, &many, deadline_ns);
}
