/* SPDX-License-Identifier: MIT */
/*
 * pulp-task dispatch. What was typed is checked here, with the place where it
 * is wrong; what only the database knows is checked there. Prints the id alone
 * on standard output, whatever else there is to say.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/pep440.h"
#include "cmd/task.h"
#include "store/task_store.h"
#include "task/json.h"

#define JSON_LIMIT ((size_t)64 << 20)

static struct {
	const char *args, *kwargs, *group, *timeout, *correlation_id;
	struct pw_cli_list exclusive, shared, require;
	bool wait, immediate, no_deferred;
} options;

const struct pw_cli_option pw_verb_dispatch_options[] = {
	{ .name = "args", .value = "JSON", .help = "positional arguments, an array; @FILE reads a file, - standard input",
	  .text = &options.args },
	{ .name = "kwargs", .value = "JSON", .help = "keyword arguments, an object; @FILE or - likewise", .text = &options.kwargs },
	{ .name = "exclusive", .value = "RESOURCE", .help = "use it alone (may be repeated)", .list = &options.exclusive },
	{ .name = "shared", .value = "RESOURCE", .help = "use it together with others (may be repeated)", .list = &options.shared },
	{ .name = "group", .value = "ID", .help = "make it a member of this task group", .text = &options.group },
	{ .name = "require", .value = "LABEL=VERSION", .help = "only a worker with at least this version may run it (may be repeated)",
	  .list = &options.require },
	{ .name = "correlation-id", .value = "ID", .help = "a UUID for all log lines of it and of the tasks that it dispatches",
	  .text = &options.correlation_id },
	{ .name = "immediate", .help = "run it now, on this host, if its resources are free", .flag = &options.immediate },
	{ .name = "no-deferred", .help = "with --immediate: rather cancel it than let it wait", .flag = &options.no_deferred },
	{ .name = "wait", .help = "wait for its end, as 'wait' does", .flag = &options.wait },
	{ .name = "timeout", .value = "DURATION", .help = "wait no longer than this", .text = &options.timeout },
	{ .name = NULL },
};

int
pw_cmd_read_stdin(size_t limit, struct pw_buf *buf, struct pw_err *err)
{
	ssize_t n;

	do {
		if (buf->len > limit)
			return pw_err_set(err, PW_ERR_INPUT, "standard input: more than %zu bytes", limit);
		if (pw_buf_reserve(buf, 65536) < 0)
			return pw_err_nomem(err);
		n = pw_fd_read_all(0, buf->data + buf->len, 65535, err);
		if (n < 0)
			return pw_err_prefix(err, "standard input");
		buf->len += (size_t)n;
		buf->data[buf->len] = '\0';
	} while (n > 0);
	return 0;
}

int
pw_cmd_read_json(const char *option, const char *value, json_type type, struct pw_buf *buf,
		 struct pw_err *err)
{
	const char *what = option;
	int status;

	if (!value)
		return pw_buf_adds(buf, type == JSON_ARRAY ? "[]" : "{}") < 0 ? pw_err_nomem(err) : 0;
	if (strcmp(value, "-") == 0) {
		what = "standard input";
		status = pw_cmd_read_stdin(JSON_LIMIT, buf, err);
	} else if (value[0] == '@') {
		what = value + 1;
		status = pw_file_read(value + 1, JSON_LIMIT, buf, err);
	} else {
		status = pw_buf_adds(buf, value) < 0 ? pw_err_nomem(err) : 0;
	}
	return status < 0 ? -1 : pw_json_check(what, pw_buf_text(buf), buf->len, type, err);
}

static int
add_requirement(json_t *versions, const char *text, struct pw_err *err)
{
	const char *equals = strchr(text, '=');
	pw_auto_free char *label = NULL;

	if (!equals || equals == text)
		return pw_err_set(err, PW_ERR_INPUT, "--require '%.100s': LABEL=VERSION is wanted", text);
	if (!pw_version_valid(equals + 1))
		return pw_err_set(err, PW_ERR_INPUT, "--require '%.100s': '%.60s' is not a version (PEP 440)", text, equals + 1);
	label = strndup(text, (size_t)(equals - text));
	if (!label)
		return pw_err_nomem(err);
	if (json_object_get(versions, label))
		return pw_err_set(err, PW_ERR_INPUT, "--require names '%.60s' twice", label);
	if (json_object_set_new(versions, label, json_string(equals + 1)) < 0)
		return pw_err_set(err, PW_ERR_INPUT, "--require '%.100s' is not UTF-8", text);
	return 0;
}

/* *ret_versions stays NULL where none were named: then those of a live worker count. The caller frees. */
static int
read_versions(char **ret_versions, struct pw_err *err)
{
	pw_auto_json *versions = json_object();

	if (options.require.count == 0)
		return 0;
	for (size_t i = 0; i < options.require.count; i++)
		if (add_requirement(versions, options.require.items[i], err) < 0)
			return -1;
	*ret_versions = json_dumps(versions, JSON_COMPACT);
	return *ret_versions ? 0 : pw_err_nomem(err);
}

void
pw_cmd_warn_unserved(const char *func, const struct pw_dispatched *dispatched)
{
	if (!dispatched->served)
		pw_cli_warn("warning: no live worker has the module %.*s%s; the task waits for one that has", (int)strcspn(func, "."), func,
			    dispatched->workers ? "" : " (no worker is alive)");
}

/* Dispatched: says so, and waits if that was wanted. */
static int
finish(struct pw_db **db, const struct pw_dispatched *dispatched, int64_t deadline_ns)
{
	pw_auto_record *task = NULL;
	struct pw_err err;
	int status = EX_OK;

	if (!pw_cmd_json()) {
		puts(dispatched->id.s);
		fflush(stdout);
	}
	if (options.wait)
		status = pw_cmd_wait(db, &dispatched->id, 1, deadline_ns, stderr);
	if (!pw_cmd_json() || !pw_cmd_waited(status))
		return status;
	if (pw_store_get_task(*db, &dispatched->id, pw_cmd_deadline(), &task, &err) < 0 ||
	    pw_cmd_print_record(task, &err) < 0)
		return pw_cmd_fail(&err);
	return status;
}

int
pw_verb_dispatch(int argc, char **argv)
{
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	pw_auto_free char *versions = NULL;
	struct pw_dispatched dispatched;
	struct pw_uuid group;
	pw_auto_db *db = NULL;
	int64_t deadline_ns;
	struct pw_err err;

	(void)argc;
	if (options.args && options.kwargs && strcmp(options.args, "-") == 0 && strcmp(options.kwargs, "-") == 0)
		return pw_cli_usage("only one of --args and --kwargs can be read from standard input");
	if (options.no_deferred && !options.immediate)
		return pw_cli_usage("A task must be at least deferred or immediate: --no-deferred is for --immediate");
	if (options.timeout && !options.wait)
		return pw_cli_usage("--timeout is for --wait");
	if (pw_cmd_read_json("--args", options.args, JSON_ARRAY, &args, &err) < 0 ||
	    pw_cmd_read_json("--kwargs", options.kwargs, JSON_OBJECT, &kwargs, &err) < 0 || read_versions(&versions, &err) < 0 ||
	    (options.group && pw_cmd_group_id(options.group, &group, &err) < 0) ||
	    pw_cmd_timeout(options.timeout, &deadline_ns, &err) < 0 || pw_cmd_open(&db, &err) < 0)
		return pw_cmd_fail(&err);

	const struct pw_dispatch dispatch = {
		.func = argv[0],
		.args = pw_buf_text(&args),
		.kwargs = pw_buf_text(&kwargs),
		.group = options.group ? group.s : NULL,
		.exclusive = options.exclusive.items,
		.exclusive_count = options.exclusive.count,
		.shared = options.shared.items,
		.shared_count = options.shared.count,
		.versions = versions,
		.immediate = options.immediate,
		.no_deferred = options.no_deferred,
		.correlation_id = options.correlation_id,
	};
	if (pw_cmd_dispatch(db, &dispatch, &dispatched, &err) < 0) {
		if (options.immediate && !pw_uuid_none(&dispatched.id))
			puts(dispatched.id.s); /* it was made, nevertheless */
		return pw_cmd_fail(&err);
	}
	pw_cmd_warn_unserved(argv[0], &dispatched);
	return finish(&db, &dispatched, deadline_ns);
}
