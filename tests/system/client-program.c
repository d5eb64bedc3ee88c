/* SPDX-License-Identifier: MIT */
/*
 * A program of somebody else's: compiled against the installed tree by what
 * pkg-config says, C99, and run by client.t. Each argument is a step; what came
 * of it is printed, one line each.
 */
#include <libpq-fe.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pulp/client.h>
#include <pulp/version.h>

static pulp_client *client;
static PGconn *conn;
static char last[PULP_CLIENT_ID_SIZE];
static struct pulp_client_error error = PULP_CLIENT_ERROR_INIT;

static int
failed(int status)
{
	if (status >= 0)
		return 0;
	printf("error %d %s %s\n", (int)error.kind, error.sqlstate[0] ? error.sqlstate : "-", error.text);
	return 1;
}

static void
dispatch(const char *func)
{
	const char *exclusive[] = { "one", NULL }, *shared[] = { "two", "three", NULL };
	struct pulp_client_dispatch dispatch = PULP_CLIENT_DISPATCH_INIT;
	char *kwargs = NULL, *prn = pulp_prn("core", "Domain", "01920000-0000-7000-8000-000000000000");

	dispatch.func = func;
	if (failed(pulp_client_kwargs_set_uuid(&kwargs, "repository", "01920000000070008000000000000001", &error)))
		return;
	dispatch.kwargs = kwargs;
	dispatch.exclusive = exclusive;
	dispatch.shared = shared;
	if (!failed(pulp_client_dispatch(client, &dispatch, last, &error)))
		printf("dispatched %s\n", last);
	free(kwargs);
	free(prn);
}

static void
dispatch_json(const char *args, const char *kwargs, const char *versions, const char *group)
{
	struct pulp_client_dispatch dispatch = PULP_CLIENT_DISPATCH_INIT;
	char id[PULP_CLIENT_ID_SIZE];

	dispatch.func = "example.greet";
	dispatch.args = args;
	dispatch.kwargs = kwargs;
	dispatch.versions = versions;
	dispatch.group = group;
	if (!failed(pulp_client_dispatch(client, &dispatch, id, &error)))
		printf("dispatched\n");
}

static void
get(const char *id)
{
	pulp_client_task *task;

	if (failed(pulp_client_get(client, id, &task, &error)))
		return;
	printf("task %s %s %s result=%s reason=%s started=%s\n", pulp_client_task_id(task), pulp_client_task_name(task),
	       pulp_client_state_name(pulp_client_task_state(task)), pulp_client_task_result(task) ? pulp_client_task_result(task) : "-",
	       pulp_client_task_reason(task) ? pulp_client_task_reason(task) : "-",
	       pulp_client_task_field(task, "started_at") ? "yes" : "no");
	if (pulp_client_task_field(task, "_worker") || pulp_client_task_field(task, "nothing"))
		printf("private fields are seen\n");
	if (!strstr(pulp_client_task_json(task), "\"pulp_api_version\": \"v3\""))
		printf("no JSON\n");
	pulp_client_task_free(task);
}

static void
wait_for(const char *id, int64_t timeout_ms)
{
	pulp_client_task *task = NULL;
	int over = pulp_client_wait(client, id, timeout_ms, &task, &error);

	if (failed(over))
		return;
	printf("waited %d %s\n", over, pulp_client_state_name(pulp_client_task_state(task)));
	pulp_client_task_free(task);
}

static void
cancel(const char *id)
{
	enum pulp_client_state state;

	if (!failed(pulp_client_cancel(client, id, &state, &error)))
		printf("cancel %s\n", pulp_client_state_name(state));
}

static void
group(void)
{
	char id[PULP_CLIENT_ID_SIZE];
	int64_t count = -1;

	if (failed(pulp_client_create_group(client, "of a program", id, &error)))
		return;
	dispatch_json(NULL, NULL, NULL, id);
	dispatch_json("[1]", NULL, NULL, id);
	if (!failed(pulp_client_cancel_group(client, id, &count, &error)))
		printf("group %d\n", (int)count);
}

static void
run_sql(const char *sql)
{
	PGresult *result = PQexec(conn, sql);

	printf("sql %s\n", PQresultStatus(result) == PGRES_COMMAND_OK ||
					   PQresultStatus(result) == PGRES_TUPLES_OK ?
				   "ok" :
				   PQresultErrorMessage(result));
	PQclear(result);
}

static void
open_conn(void)
{
	conn = PQconnectdb("");
	if (!failed(pulp_client_open_conn(conn, &client, &error)))
		printf("open\n");
}

static void
bad(void)
{
	struct pulp_client_dispatch dispatch = PULP_CLIENT_DISPATCH_INIT;
	char id[PULP_CLIENT_ID_SIZE];

	dispatch_json("{}", NULL, NULL, NULL);
	dispatch_json(NULL, "[", NULL, NULL);
	dispatch_json(NULL, NULL, "{\"c_x\": \"garbage\"}", NULL);
	dispatch_json(NULL, NULL, "{\"c_x\": 1}", NULL);
	dispatch_json(NULL, NULL, NULL, "x");
	dispatch_json(NULL, NULL, NULL, "01920000-0000-7000-8000-000000000000");
	failed(pulp_client_dispatch(client, &dispatch, id, &error));
	dispatch.size = 4;
	failed(pulp_client_dispatch(client, &dispatch, id, &error));
	get("01920000-0000-7000-8000-000000000000");
	get("x");
	cancel(NULL);
	wait_for("01920000-0000-7000-8000-000000000000", 10);
}

/* A program that was built when the record had fewer fields. */
static void
old(void)
{
	struct pulp_client_dispatch dispatch;
	char id[PULP_CLIENT_ID_SIZE];

	memset(&dispatch, 0x55, sizeof(dispatch)); /* what lies behind the record must not be read */
	dispatch.size = (uint32_t)offsetof(struct pulp_client_dispatch, args);
	dispatch.func = "example.greet";
	if (!failed(pulp_client_dispatch(client, &dispatch, id, &error)))
		printf("dispatched\n");
}

/* The signals of the program are as they were. */
static void
signals(void)
{
	int changed = 0;
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < 32; i++) {
		struct sigaction action;

		if (sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
			changed = i;
		if (sigismember(&mask, i) == 1)
			changed = i;
	}
	printf("signal %d\n", changed);
}

/* An immediate task; MAY_WAIT: or else a deferred one. */
static void
immediate(const char *func, int may_wait)
{
	struct pulp_client_dispatch d = PULP_CLIENT_DISPATCH_INIT;
	pulp_client_task *task;

	d.func = func;
	d.immediate = 1;
	d.no_deferred = !may_wait;
	d.kwargs = "{\"name\": \"here\"}";
	if (failed(pulp_client_dispatch(client, &d, last, &error)))
		return;
	printf("immediate\n");
	if (pulp_client_get(client, last, &task, &error) == 0) {
		printf("%s %s\n", pulp_client_state_name(pulp_client_task_state(task)),
		       pulp_client_task_result(task) ? pulp_client_task_result(task) : "-");
		pulp_client_task_free(task);
	}
}

/* A child of this program's own: the library must leave it alone. */
static void
children(int waiting)
{
	static pid_t child;
	int status;

	if (!waiting) {
		child = fork();
		if (child == 0)
			_exit(7);
	} else {
		printf("child %d\n", waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1);
		printf("others %d\n", (int)waitpid(-1, &status, 0));
	}
}

static void
try_schedule(struct pulp_client_schedule schedule)
{
	char id[PULP_CLIENT_ID_SIZE];

	if (!failed(pulp_client_schedule_add(client, &schedule, id, &error)))
		printf("added %s\n", schedule.name);
}

/* One of each kind. */
static void
schedules(void)
{
	const char *exclusive[] = { "one", NULL }, *shared[] = { "two", NULL };
	struct pulp_client_schedule schedule = PULP_CLIENT_SCHEDULE_INIT;

	schedule.name = "every";
	schedule.func = "example.greet";
	schedule.kwargs = "{\"name\": \"s\"}";
	schedule.every_ms = 5400000;
	schedule.exclusive = exclusive;
	schedule.shared = shared;
	try_schedule(schedule);
	schedule = (struct pulp_client_schedule){ .size = sizeof(schedule), .name = "at", .func = "example.greet", .at = "2100-01-01T00:00Z" };
	try_schedule(schedule);
	schedule.name = "cron";
	schedule.at = NULL;
	schedule.cron = "0 3 29 2 *";
	schedule.time_zone = "Europe/Vienna";
	schedule.missed = "skip";
	try_schedule(schedule);
}

static const char *
field(pulp_client_schedules *list, size_t which, const char *name)
{
	const char *text = pulp_client_schedules_field(list, which, name);

	return text ? text : "-";
}

/* WHICH "": all of them. */
static void
list_schedules(const char *which)
{
	pulp_client_schedules *list;
	int status;

	if (*which)
		status = pulp_client_schedule_get(client, which, &list, &error);
	else
		status = pulp_client_schedule_list(client, &list, &error);
	if (failed(status))
		return;
	for (size_t i = 0; i < pulp_client_schedules_count(list); i++) {
		printf("schedule %s %s %s %s %s %s\n", field(list, i, "name"), field(list, i, "task_name"), field(list, i, "dispatch_interval"),
		       field(list, i, "cron"), field(list, i, "time_zone"), field(list, i, "exclusive_resources"));
		if (pulp_client_schedules_field(list, i, "_next_ms") || pulp_client_schedules_field(list, i, "nothing"))
			printf("private fields are seen\n");
		if (!strstr(pulp_client_schedules_json(list, i), "\"task_name\": \"example.greet\""))
			printf("no JSON\n");
	}
	if (pulp_client_schedules_field(list, 99, "name") || pulp_client_schedules_json(list, 99))
		printf("something beyond the end\n");
	pulp_client_schedules_free(list);
}

static void
bad_schedules(void)
{
	const struct pulp_client_schedule good = { .size = sizeof(good), .name = "x", .func = "a.b" };
	struct pulp_client_schedule s = good;
	char id[PULP_CLIENT_ID_SIZE];

	try_schedule(s);
	s.every_ms = 999;
	try_schedule(s);
	s.every_ms = -1;
	try_schedule(s);
	s.every_ms = INT64_MAX;
	try_schedule(s);
	s.every_ms = 1000;
	s.cron = "@daily";
	try_schedule(s);
	s.cron = NULL;
	s.missed = "skip";
	try_schedule(s);
	s.missed = NULL;
	s.args = "{}";
	try_schedule(s);
	s = good;
	s.name = NULL;
	try_schedule(s);
	s = good;
	s.cron = "0 0 30 2 *";
	try_schedule(s);
	s.cron = "@daily";
	s.missed = "never";
	try_schedule(s);
	s.missed = NULL;
	s.time_zone = "Mars/Base";
	try_schedule(s);
	s = good;
	s.at = "2001-01-01";
	try_schedule(s);
	s.at = "soon";
	try_schedule(s);
	s.name = "every";
	s.at = "2100-01-01";
	try_schedule(s);
	s.size = 0;
	try_schedule(s);
	failed(pulp_client_schedule_run(client, NULL, id, &error));
	failed(pulp_client_schedule_remove(client, "none", &error));
}

static void
schedule(const char *which, int run)
{
	if (!run && !failed(pulp_client_schedule_remove(client, which, &error)))
		printf("removed\n");
	if (run && !failed(pulp_client_schedule_run(client, which, last, &error)))
		get(last);
}

/* NULL: as the settings say. Then a task with arguments. */
static void
keys(const char *file)
{
	if (file && failed(pulp_client_set_key_file(client, file, &error)))
		return;
	dispatch_json("[1]", NULL, NULL, NULL);
}

/* COUNT tasks at once, of which number WRONG (from 1) is so; each 16th with all there is. */
static void
many(size_t count, size_t wrong)
{
	const char *exclusive[] = { "one", NULL }, *shared[] = { "two", "th\"ree", NULL };
	static struct pulp_client_dispatch tasks[1000];
	static const struct pulp_client_dispatch *all[1000];
	static char ids[1000][PULP_CLIENT_ID_SIZE];
	const struct pulp_client_dispatch full = { sizeof(full), "example.greet", "[1]", "{\"n\": 123456789012345678901234567890}", NULL,
						   exclusive, shared, "{\"c_example\": \"0.9\"}", "01920000-0000-7000-8000-000000000001", 1, 0 };
	const struct pulp_client_dispatch plain = { .size = sizeof(plain), .func = "example.greet" };
	size_t made = 0;

	for (size_t i = 0; i < count; i++) {
		tasks[i] = i % 16 == 0 ? full : plain;
		if (i + 1 == wrong)
			tasks[i].func = "nodot";
		all[i] = &tasks[i];
		strcpy(ids[i], "?");
	}
	if (!failed(pulp_client_dispatch_many(client, all, count, ids, &error)))
		printf("dispatched many\n");
	for (size_t i = 0; i < count; i++)
		made += strlen(ids[i]) == 36;
	printf("made %d %s\n", (int)made, count ? ids[0] : "");
}

static void
bad_many(void)
{
	struct pulp_client_dispatch good = PULP_CLIENT_DISPATCH_INIT,
				    bad = PULP_CLIENT_DISPATCH_INIT;
	const struct pulp_client_dispatch *all[] = { &good, &bad };
	char ids[2][PULP_CLIENT_ID_SIZE];

	good.func = bad.func = "example.greet";
	bad.args = "{}";
	failed(pulp_client_dispatch_many(client, all, 2, ids, &error));
	bad.args = NULL;
	bad.group = "01920000-0000-7000-8000-000000000000";
	failed(pulp_client_dispatch_many(client, all, 2, ids, &error));
	bad.group = NULL;
	bad.immediate = bad.no_deferred = 1;
	failed(pulp_client_dispatch_many(client, all, 2, ids, &error));
	bad.immediate = bad.no_deferred = 0;
	bad.exclusive = (const char *const[]){ "r\xfe", NULL };
	failed(pulp_client_dispatch_many(client, all, 2, ids, &error));
	bad.size = 0;
	failed(pulp_client_dispatch_many(client, all, 2, ids, &error));
	printf("left <%s> <%s>\n", ids[0], ids[1]);
}

static void
more(const char *name)
{
	size_t count = 0, wrong = 0;

	if (sscanf(name, "many=%zu,%zu", &count, &wrong) > 0)
		many(count, wrong);
	else if (strcmp(name, "bad-many") == 0)
		bad_many();
	else if (strcmp(name, "schedules") == 0)
		schedules();
	else if (strcmp(name, "bad-schedules") == 0)
		bad_schedules();
	else if (strncmp(name, "list=", 5) == 0)
		list_schedules(name + 5);
	else if (strncmp(name, "run=", 4) == 0)
		schedule(name + 4, 1);
	else if (strncmp(name, "remove=", 7) == 0)
		schedule(name + 7, 0);
	else if (strncmp(name, "keys=", 5) == 0)
		keys(name + 5);
	else if (strcmp(name, "keys") == 0)
		keys(NULL);
	else
		printf("version %s\n", strcmp(pulp_client_version(), PULP_VERSION) == 0 ? "ok" : "differs");
}

static void
step(const char *name)
{
	if (strcmp(name, "open") == 0) {
		if (!failed(pulp_client_open("", &client, &error)))
			printf("open\n");
	} else if (strcmp(name, "conn") == 0) {
		open_conn();
	} else if (strncmp(name, "dispatch=", 9) == 0) {
		dispatch(name + 9);
	} else if (strncmp(name, "get=", 4) == 0) {
		get(name + 4);
	} else if (strncmp(name, "wait=", 5) == 0) {
		wait_for(name + 5, 10000);
	} else if (strcmp(name, "short") == 0) {
		wait_for(last, 100);
	} else if (strncmp(name, "cancel=", 7) == 0) {
		cancel(name + 7);
	} else if (strncmp(name, "sql=", 4) == 0) {
		run_sql(name + 4);
	} else if (strcmp(name, "cancel") == 0) {
		cancel(last);
	} else if (strcmp(name, "group") == 0) {
		group();
	} else if (strcmp(name, "bad") == 0) {
		bad();
	} else if (strcmp(name, "old") == 0) {
		old();
	} else if (strncmp(name, "immediate=", 10) == 0) {
		immediate(name + 10, 1);
	} else if (strncmp(name, "now=", 4) == 0) {
		immediate(name + 4, 0);
	} else if (strcmp(name, "child") == 0) {
		children(0);
	} else if (strcmp(name, "children") == 0) {
		children(1);
	} else if (strcmp(name, "signals") == 0) {
		signals();
	} else {
		more(name);
	}
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		step(argv[i]);
	pulp_client_close(client);
	if (conn)
		PQfinish(conn);
	return 0;
}
