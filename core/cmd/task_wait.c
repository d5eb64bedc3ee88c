/* SPDX-License-Identifier: MIT */
/*
 * pulp-task wait, and the waiting of dispatch and purge. Nobody is notified of
 * endings, so the database is asked: often at first and after each change,
 * then less, at most once a second. A database that goes away is waited for too.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/task.h"
#include "cmd/view.h"
#include "store/task_store.h"

#define PAUSE_MIN (50 * PW_MS)
#define PAUSE_MAX (1 * PW_SEC)
#define OUTAGE_MAX (60 * PW_SEC) /* as long as a worker may be without the database */

enum { FAILED = 1, CANCELED = 3, INTERRUPTED = 130 };

static const char *timeout_text;

const struct pw_cli_option pw_verb_wait_options[] = {
	{ .name = "timeout", .value = "DURATION", .help = "wait no longer than this", .text = &timeout_text },
	{ .name = NULL },
};

struct wait {
	struct pw_db **db; /* the caller's, made anew when it was lost */
	const struct pw_uuid *ids;
	size_t count;
	int64_t deadline_ns;
	struct pw_view *view;
	struct pw_records tasks; /* as last seen */
};

int
pw_cmd_timeout(const char *text, int64_t *ret_deadline_ns, struct pw_err *err)
{
	int64_t timeout_ns;

	*ret_deadline_ns = PW_NEVER;
	if (!text)
		return 0;
	if (pw_duration_parse(text, PW_SEC, &timeout_ns, err) < 0)
		return pw_err_prefix(err, "--timeout");
	*ret_deadline_ns = pw_now_ns() + timeout_ns;
	return 0;
}

/* Whatever the program is doing, a statement of a dead server included: nothing of ours is left behind. */
static void
interrupted(int signal)
{
	static const char text[] = "\npulp-task: interrupted; the task goes on\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(INTERRUPTED);
	_exit(INTERRUPTED);
}

static void
resized(int signal)
{
	(void)signal; /* ends the pause, and the block is drawn anew */
}

/* Where SIGINT is ignored (a background job of a script) it stays so. */
static void
catch_signals(struct sigaction *old_int, struct sigaction *old_winch)
{
	struct sigaction action = { .sa_handler = interrupted };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, NULL, old_int);
	if (old_int->sa_handler != SIG_IGN)
		sigaction(SIGINT, &action, NULL);
	action.sa_handler = resized;
	sigaction(SIGWINCH, &action, old_winch);
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Connects anew until it works, the deadline has passed or the outage lasts too long. *ERR is why it was lost. */
static int
reconnect(struct wait *wait, struct pw_err *err)
{
	int64_t give_up_ns = sooner(wait->deadline_ns, pw_now_ns() + OUTAGE_MAX);
	int64_t pause_ns = 200 * PW_MS;

	pw_view_clear(wait->view);
	pw_cli_warn("the database is away (%s), trying again", err->text);
	while (pw_now_ns() < give_up_ns) {
		struct pw_err why;

		poll(NULL, 0, pw_ms_until(sooner(pw_now_ns() + pause_ns, give_up_ns)));
		pause_ns = sooner(2 * pause_ns, 5 * PW_SEC);
		*wait->db = pw_db_close(*wait->db);
		if (pw_cmd_open(wait->db, &why) == 0)
			return 0;
		*err = why;
		if (!pw_db_error_is_transient(err))
			return -1;
	}
	return -1;
}

static int
look(struct wait *wait, struct pw_err *err)
{
	struct pw_records tasks = PW_RECORDS_INIT;

	while (pw_store_watch_tasks(*wait->db, wait->ids, wait->count, pw_cmd_deadline(), &tasks,
				    err) < 0)
		if (!pw_db_error_is_transient(err) || reconnect(wait, err) < 0)
			return -1;
	pw_records_done(&wait->tasks);
	wait->tasks = tasks;
	return 0;
}

/* Every one of them must be there, now and while we wait. */
static int
check_all(const struct wait *wait, struct pw_err *err)
{
	if (wait->tasks.count == wait->count)
		return 0;
	for (size_t i = 0; i < wait->count; i++)
		if (i >= wait->tasks.count || strcmp(pw_record_text(wait->tasks.items[i], "pulp_id"), wait->ids[i].s) != 0)
			return pw_err_set(err, PW_ERR_NOTFOUND, "there is no task %s", wait->ids[i].s);
	return 0;
}

static bool
all_final(const struct wait *wait)
{
	for (size_t i = 0; i < wait->tasks.count; i++)
		if (!pw_task_state_final(pw_record_state(wait->tasks.items[i])))
			return false;
	return true;
}

/* What failed counts before what was canceled. */
static int
final_status(const struct wait *wait)
{
	int status = EX_OK;

	for (size_t i = 0; i < wait->tasks.count; i++) {
		enum pw_task_state state = pw_record_state(wait->tasks.items[i]);

		if (state == PW_TASK_failed)
			return FAILED;
		if (state == PW_TASK_canceled)
			status = CANCELED;
	}
	return status;
}

static int
timed_out(struct wait *wait)
{
	pw_view_clear(wait->view);
	fflush(stdout);
	pw_cli_warn("timed out; the task goes on");
	return EX_TEMPFAIL;
}

static bool
is_over(const struct wait *wait)
{
	return pw_now_ns() >= wait->deadline_ns;
}

static int
run(struct wait *wait, struct pw_err *err)
{
	int64_t pause_ns = PAUSE_MIN;

	for (;;) {
		int64_t next_ns;
		int changed;

		if (look(wait, err) < 0) {
			if (is_over(wait) && pw_db_error_is_transient(err))
				return timed_out(wait);
			return -1;
		}
		changed = pw_view_update(wait->view, &wait->tasks, err);
		if (changed < 0 || check_all(wait, err) < 0)
			return -1;
		if (all_final(wait))
			return final_status(wait);
		if (is_over(wait))
			return timed_out(wait);
		pause_ns = changed ? PAUSE_MIN : sooner(pause_ns * 3 / 2, PAUSE_MAX);
		/* A connection that breaks meanwhile is noticed with the next look. */
		next_ns = sooner(pw_now_ns() + pause_ns, wait->deadline_ns);
		if (pw_db_wait(*wait->db, next_ns, NULL) < 0)
			continue;
	}
}

int
pw_cmd_wait(struct pw_db **db, const struct pw_uuid *ids, size_t count, int64_t deadline_ns,
	    FILE *file)
{
	struct wait wait = { .db = db, .ids = ids, .count = count, .deadline_ns = deadline_ns };
	struct sigaction old_int, old_winch;
	struct pw_err err;
	int status;

	if (pw_view_new(file, ids, count, &wait.view, &err) < 0)
		return pw_cmd_fail(&err);
	catch_signals(&old_int, &old_winch);
	status = run(&wait, &err);
	if (status < 0) {
		pw_view_clear(wait.view);
		status = pw_cmd_fail(&err);
	}
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGWINCH, &old_winch, NULL);
	pw_view_free(wait.view);
	pw_records_done(&wait.tasks);
	return status;
}

bool
pw_cmd_waited(int status)
{
	return status == EX_OK || status == FAILED || status == CANCELED || status == EX_TEMPFAIL;
}

int
pw_cmd_print_these(struct pw_db *db, const struct pw_uuid *ids, size_t count, struct pw_err *err)
{
	pw_auto_records tasks = PW_RECORDS_INIT;

	tasks.items = calloc(count + 1, sizeof(struct pw_record *));
	if (!tasks.items)
		return pw_err_nomem(err);
	for (; tasks.count < count; tasks.count++)
		if (pw_store_get_task(db, &ids[tasks.count], pw_cmd_deadline(),
				      &tasks.items[tasks.count], err) < 0)
			return -1;
	return pw_cmd_print_records(&tasks, err);
}

int
pw_verb_wait(int argc, char **argv)
{
	pw_auto_free struct pw_uuid *ids = calloc((size_t)argc + 1, sizeof(*ids));
	pw_auto_db *db = NULL;
	int64_t deadline_ns;
	struct pw_err err;
	int status;

	if (!ids)
		return pw_cmd_fail((pw_err_nomem(&err), &err));
	if (pw_cmd_timeout(timeout_text, &deadline_ns, &err) < 0 || pw_cmd_open(&db, &err) < 0)
		return pw_cmd_fail(&err);
	for (int i = 0; i < argc; i++)
		if (pw_cmd_task_id(db, argv[i], &ids[i], &err) < 0)
			return pw_cmd_fail(&err);
	status = pw_cmd_wait(&db, ids, (size_t)argc, deadline_ns, pw_cmd_json() ? stderr : stdout);
	if (pw_cmd_json() && pw_cmd_waited(status) &&
	    pw_cmd_print_these(db, ids, (size_t)argc, &err) < 0)
		return pw_cmd_fail(&err);
	return status;
}
