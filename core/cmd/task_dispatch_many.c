/* SPDX-License-Identifier: MIT */
/*
 * pulp-task dispatch-many: JSON Lines, a task each, in the words of
 * pulp_worker.dispatch. All lines are checked before the first task is made; then they go
 * out in batches, each a transaction, and the ids of a batch are printed when it is there.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/pep440.h"
#include "client/versions.h"
#include "cmd/task.h"
#include "crypt/leaves.h"
#include "store/task_store.h"
#include "task/json.h"

#define INPUT_LIMIT ((size_t)256 << 20)
/* As much as costs little to do again; each task locks its resources until the batch is there. */
#define BATCH_TASKS 100
#define BATCH_BYTES ((size_t)4 << 20)

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

/* What may stand in a line. */
static const struct member {
	const char *name, *wanted;
	json_type type; /* JSON_TRUE: a boolean */
	bool strings;	/* all in it are */
} members[] = {
	{ "func", "a string", JSON_STRING, false },
	{ "args", "an array", JSON_ARRAY, false },
	{ "kwargs", "an object", JSON_OBJECT, false },
	{ "task_group", "a string", JSON_STRING, false },
	{ "exclusive_resources", "an array of strings", JSON_ARRAY, true },
	{ "shared_resources", "an array of strings", JSON_ARRAY, true },
	{ "immediate", "true or false", JSON_TRUE, false },
	{ "deferred", "true or false", JSON_TRUE, false },
	{ "versions", "an object of versions (PEP 440)", JSON_OBJECT, true },
	{ "correlation_id", "a string", JSON_STRING, false },
};

struct line {
	const char *text; /* without blanks at its ends */
	size_t len;
	const struct pw_plugin_meta *plugin; /* whose version it gets; NULL: it has its own, or this host has none */
	bool group, correlation_id;	     /* it has one */
};

struct many {
	struct pw_buf input;
	struct line *lines;
	size_t count;
	bool secret; /* there are arguments */
	struct pw_plugin_set *plugins;
	struct pw_keyring *keys; /* NULL: nothing to encrypt, or no key */
	const char *group, *correlation_id;
	struct pw_uuid *ids; /* of those that are dispatched */
	size_t done;
	json_t *warned; /* the functions that nobody has */
};

static void
many_done(struct many *many)
{
	pw_buf_done(&many->input);
	free(many->lines);
	free(many->ids);
	pw_plugin_set_free(many->plugins);
	pw_keyring_free(many->keys);
	json_decref(many->warned);
}
#define auto_many PW_CLEANUP(many_done) struct many

static bool
all_strings(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
		if (!json_is_string(item))
			return false;
	json_object_foreach(value, key, item)
		if (!json_is_string(item) || !pw_version_valid(json_string_value(item)))
			return false;
	return true;
}

static int
check_member(const char *name, json_t *value, struct pw_err *err)
{
	const struct member *member = NULL;
	bool right;

	for (size_t i = 0; i < PW_COUNT(members) && !member; i++)
		if (strcmp(members[i].name, name) == 0)
			member = &members[i];
	if (!member)
		return pw_err_set(err, PW_ERR_INPUT, "there is no argument '%.60s'", name);
	if (json_is_null(value) && member != members) /* as if it were not there */
		return 0;
	right = member->type == JSON_TRUE ? json_is_boolean(value) :
					    json_typeof(value) == member->type;
	if (!right || (member->strings && !all_strings(value)))
		return pw_err_set(err, PW_ERR_INPUT, "%s must be %s", name, member->wanted);
	return 0;
}

/* Of the member NAME; NULL where there is none. */
static const char *
text_of(json_t *task, const char *name)
{
	return json_string_value(json_object_get(task, name));
}

static bool
has(json_t *task, const char *name)
{
	json_t *value = json_object_get(task, name);

	return value && !json_is_null(value);
}

static int
check_id(json_t *task, const char *name, struct pw_err *err)
{
	const char *text = text_of(task, name);
	struct pw_uuid id;

	return text && pw_uuid_parse(text, &id, err) < 0 ? pw_err_prefix(err, "%s", name) : 0;
}

static int
check_task(struct many *many, struct line *line, json_t *task, struct pw_err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(task, name, value)
		if (check_member(name, value, err) < 0)
			return -1;
	if (!text_of(task, "func"))
		return pw_err_set(err, PW_ERR_INPUT, "func is missing");
	if (json_is_false(json_object_get(task, "deferred")))
		return pw_err_set(err, PW_ERR_INPUT, "many at once are left to workers: deferred cannot be false");
	if (check_id(task, "task_group", err) < 0 || check_id(task, "correlation_id", err) < 0)
		return -1;
	line->group = has(task, "task_group");
	line->correlation_id = has(task, "correlation_id");
	if (!has(task, "versions"))
		line->plugin = pw_plugin_set_find(many->plugins, text_of(task, "func"));
	many->secret = many->secret || has(task, "args") || has(task, "kwargs");
	return 0;
}

static int
check_line(struct many *many, const char *what, int number, const char *text, size_t len,
	   struct pw_err *err)
{
	struct line *line = &many->lines[many->count++];
	pw_auto_json *task = NULL;

	*line = (struct line){ .text = text, .len = len };
	if (pw_json_take(what, number, text, len, JSON_OBJECT, &task, err) < 0)
		return -1;
	return check_task(many, line, task, err) < 0 ? pw_err_prefix(err, "%s:%d", what, number) : 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Empty lines are nobody's. */
static int
take_lines(struct many *many, const char *what, struct pw_err *err)
{
	const char *p = pw_buf_text(&many->input), *end = p + many->input.len;
	size_t room = 1;

	for (const char *c = p; c < end; c++)
		room += *c == '\n';
	many->lines = calloc(room, sizeof(*many->lines));
	many->ids = calloc(room, sizeof(*many->ids));
	if (!many->lines || !many->ids)
		return pw_err_nomem(err);
	for (int number = 1; p < end; number++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p)),
			   *stop = newline ? newline : end;
		const char *next = newline ? newline + 1 : end;

		while (p < stop && is_blank(*p))
			p++;
		while (stop > p && is_blank(stop[-1]))
			stop--;
		if (stop > p && check_line(many, what, number, p, (size_t)(stop - p), err) < 0)
			return -1;
		p = next;
	}
	return 0;
}

/* A line as it goes out: what it lacks stands at its end, where it counts. */
static int
add_line(const struct many *many, const struct line *line, struct pw_buf *buf, struct pw_err *err)
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

static int
take_row(struct many *many, const struct pw_record *row)
{
	const struct pw_dispatched dispatched = pw_dispatched_of(row);
	const char *func = pw_record_text(row, "name");

	if (!dispatched.served && !json_object_get(many->warned, func)) {
		pw_cmd_warn_unserved(func, &dispatched);
		if (json_object_set_new(many->warned, func, json_true()) < 0)
			return -1;
	}
	if (!pw_cmd_json())
		puts(dispatched.id.s);
	many->ids[many->done++] = dispatched.id;
	return 0;
}

/* The next batch. */
static int
dispatch_batch(struct pw_db *db, struct many *many, struct pw_err *err)
{
	pw_auto_records rows = PW_RECORDS_INIT;
	pw_auto_buf batch = PW_BUF_INIT;
	size_t first = many->done, next = first;

	while (next < many->count && next - first < BATCH_TASKS && batch.len < BATCH_BYTES) {
		if (pw_buf_addc(&batch, next == first ? '[' : ',') < 0)
			return pw_err_nomem(err);
		if (add_line(many, &many->lines[next++], &batch, err) < 0)
			return pw_err_prefix(err, "task %zu", next);
	}
	if (pw_buf_addc(&batch, ']') < 0)
		return pw_err_nomem(err);
	if (pw_store_dispatch_many(db, pw_buf_text(&batch), many->keys != NULL, first + 1, true,
				   pw_cmd_deadline(), &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.count; i++)
		if (take_row(many, rows.items[i]) < 0)
			return pw_err_nomem(err);
	fflush(stdout);
	return 0;
}

static int
dispatch_all(struct pw_db *db, struct many *many, struct pw_err *err)
{
	if (many->secret && pw_cmd_keys(&many->keys, err) < 0)
		return -1;
	while (many->done < many->count)
		if (dispatch_batch(db, many, err) < 0) {
			if (many->done)
				pw_cli_warn("%zu of %zu tasks are dispatched, those before", many->done, many->count);
			return -1;
		}
	return 0;
}

static int
read_input(struct many *many, const char *name, struct pw_err *err)
{
	struct pw_settings *settings;
	bool from_stdin = strcmp(name, "-") == 0;

	if (pw_cmd_settings(&settings, err) < 0 ||
	    pw_plugin_set_scan(pw_settings_text(settings, PW_SETTING_plugin_path), &many->plugins,
			       err) < 0)
		return -1;
	if (from_stdin ? pw_cmd_read_stdin(INPUT_LIMIT, &many->input, err) < 0 :
			 pw_file_read(name, INPUT_LIMIT, &many->input, err) < 0)
		return -1;
	return take_lines(many, from_stdin ? "standard input" : name, err);
}

int
pw_verb_dispatch_many(int argc, char **argv)
{
	auto_many many = { .warned = json_object() };
	struct pw_uuid group, correlation_id;
	pw_auto_db *db = NULL;
	int status = EX_OK;
	int64_t deadline_ns;
	struct pw_err err;

	(void)argc;
	if (options.timeout && !options.wait)
		return pw_cli_usage("--timeout is for --wait");
	if ((options.group && pw_cmd_group_id(options.group, &group, &err) < 0) ||
	    pw_cmd_correlation_id(options.correlation_id, &correlation_id, &err) < 0 ||
	    pw_cmd_timeout(options.timeout, &deadline_ns, &err) < 0 ||
	    read_input(&many, argv[0], &err) < 0)
		return pw_cmd_fail(&err);
	many.group = options.group ? group.s : NULL;
	many.correlation_id = pw_uuid_none(&correlation_id) ? NULL : correlation_id.s;
	if (pw_cmd_open(&db, &err) < 0 || dispatch_all(db, &many, &err) < 0)
		return pw_cmd_fail(&err);
	if (options.wait && many.done)
		status = pw_cmd_wait(&db, many.ids, many.done, deadline_ns, stderr);
	if (pw_cmd_json() && pw_cmd_waited(status) &&
	    pw_cmd_print_these(db, many.ids, many.done, &err) < 0)
		return pw_cmd_fail(&err);
	return status;
}
