/* SPDX-License-Identifier: MIT */
/*
 * The link of the turns: what is done when it is there again (listen, then look at everything, since notifications were
 * lost meanwhile), and what a notification means. A notification is a hint: it only says that a turn is due.
 */
#include <string.h>

#include "sql/sql.h"
#include "supervisor/internal.h"

/* If it could not be prepared, it is said as it is, and the first turn tells what is wrong with it. */
static void
on_prepared(void *arg, const PGresult *result PW_UNUSED, const struct pw_err *err PW_UNUSED)
{
	struct pw_supervisor *s = arg;

	if (!pw_link_idle(s->turns))
		return;
	s->listening = true;
	pw_turns_kick(s);
}

static void
on_listening(void *arg, const PGresult *result PW_UNUSED, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err)
		pw_link_reset(s->turns); /* a standby refuses to listen: look for the primary */
	else if (!pw_link_prepare(s->turns, pw_sql_turn, PW_STATEMENT_TIMEOUT, on_prepared, s))
		pw_log_debug(NULL, "listen.unsent", "msg=\"the link broke\"");
}

static void
on_second_listen(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err)
		pw_link_reset(s->turns);
	else if (!s->config.auxiliary)
		on_listening(arg, result, err);
	else if (!pw_link_send(s->turns, pw_sql_auxiliary, NULL, PW_STATEMENT_TIMEOUT, on_listening,
			       s))
		pw_log_debug(NULL, "listen.unsent", "msg=\"the link broke\"");
}

static void
on_first_listen(void *arg, const PGresult *result PW_UNUSED, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err)
		pw_link_reset(s->turns);
	else if (!pw_link_send(s->turns, pw_sql_listen_cancel, NULL, PW_STATEMENT_TIMEOUT,
			       on_second_listen, s))
		pw_log_debug(NULL, "listen.unsent", "msg=\"the link broke\"");
}

static void
on_ready(void *arg, struct pw_link *link)
{
	struct pw_supervisor *s = arg;

	s->adopt = true;
	s->listening = false;
	s->fetch_due = true;
	for (size_t i = 0; i < s->requirement_count; i++)
		s->requirements[i]->floor = 0;
	if (s->guest)
		pw_hosts_forget_requirements(s);
	s->modules_unsaid = s->guest;
	pw_log_info(NULL, "database.connected", "link=%s", pw_link_name(link));
	if (!pw_link_send(link, pw_sql_listen_wakeup, NULL, PW_STATEMENT_TIMEOUT, on_first_listen,
			  s))
		pw_log_debug(NULL, "listen.unsent", "msg=\"the link broke\"");
}

static void
on_idle(void *arg, struct pw_link *link PW_UNUSED)
{
	struct pw_supervisor *s = arg;

	if (s->turn_due || s->fetch_due || s->adopt)
		pw_timer_set(s->kick, 0);
}

static void
on_lost_link(void *arg, struct pw_link *link, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	s->adopt = true; /* what it had under way may have claimed something */
	pw_log_warning(NULL, "database.lost", "link=%s msg=%s", pw_link_name(link), pw_log_quote(err->text));
}

static void
on_notify(void *arg, const char *channel, const char *payload)
{
	struct pw_supervisor *s = arg;

	if (strcmp(channel, "pulp_worker_cancel") == 0) {
		struct pw_task *task = pw_task_find(s, payload);

		/* one that we do not know of may have been claimed by the turn that is under way */
		if (task ? task->phase != PW_TASK_ENDED : s->turn_under_way) {
			s->look_all = true; /* the row decides, not the message */
			pw_turns_kick(s);
		}
	} else if (pw_turns_free_slots(s) > 0) { /* unblock, handle, or something that only a newer Pulp knows */
		pw_turns_kick(s);
	}
}

const struct pw_link_ops pw_turns_link_ops = {
	.ready = on_ready,
	.idle = on_idle,
	.lost = on_lost_link,
	.notify = on_notify,
	.event = "turn",
};
