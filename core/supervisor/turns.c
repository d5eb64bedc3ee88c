/* SPDX-License-Identifier: MIT */
/*
 * Turns. Whatever comes up (an ending, a notification, a free slot, a timer) only says that a turn is due; it is taken as
 * soon as the link is free, so everything that arrived together is committed together. Notifications are hints: the poll timer
 * takes a turn even if none ever came. Nothing that a turn carried is dropped before its answer has come.
 */
#include <stdlib.h>
#include <string.h>

#include "sql/sql.h"
#include "supervisor/internal.h"

#define LOGS_PER_TURN (1 << 20)
#define FLUSH_WITHIN (400 * PW_MS)
#define SETTLE_WITHIN (10 * PW_MS)
#define DILIGENT_TURNS 16
#define NOT_PREPARED "26000"

static void take_turn(void *arg);

void
pw_turns_kick(struct pw_supervisor *s)
{
	s->turn_due = true;
	pw_timer_set(s->kick, 0);
}

void
pw_turns_flush(struct pw_supervisor *s, int64_t due_ns)
{
	int64_t soon = pw_now_ns() + FLUSH_WITHIN;

	if (due_ns == PW_NEVER)
		return;
	if (due_ns < soon)
		due_ns = soon;
	if (due_ns < pw_timer_deadline(s->flush))
		pw_timer_set(s->flush, due_ns);
}

/* -1: where nothing may run only what is to be ended is claimed; 0: nothing at all, once everything is over. */
int
pw_turns_free_slots(const struct pw_supervisor *s)
{
	int slots = pw_stop_claiming(s) ? 0 : s->slots - pw_task_active(s);

	if (s->phase >= PW_WORKER_KILLING || s->lease_over)
		return 0;
	return slots > 0 ? slots : -1;
}

/* --- what a turn carries --- */

/* Takes TEXT. A guest has no place for it but this. */
static void
say_output(const struct pw_task *task, char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (*line)
			pw_log_debug(task->id.s, "task.output", "text=%s", pw_log_quote(line));
	free(text);
}

/* Moves output into parts, which stay until a turn that carried them was answered. Returns false if some is left for the next turn. */
static bool
gather_logs(struct pw_supervisor *s, struct pw_task *task)
{
	while (pw_output_waiting(&task->output)) {
		struct pw_part *part, **end = &s->parts;
		char *text = NULL;
		int number;

		if (s->parts_bytes > LOGS_PER_TURN)
			return false;
		number = pw_output_take(&task->output, &text);
		if (s->guest && number > 0) {
			say_output(task, text);
			continue;
		}
		part = calloc(1, sizeof(*part));
		if (number <= 0 || !part)
			abort();
		part->task = task->id;
		part->number = number;
		part->text = text;
		s->parts_bytes += strlen(text);
		while (*end)
			end = &(*end)->next;
		*end = part;
	}
	return true;
}

static void
add_reports(struct pw_supervisor *s, struct pw_task *task, int64_t now_ns)
{
	bool last = task->phase == PW_TASK_ENDED;
	struct pw_report *r = NULL;

	while ((r = pw_reports_take(&task->reports, r, now_ns, last)))
		pw_turn_add_report(&s->turn, &(struct pw_turn_report){ .id = r->id.s,
								       .task = task->id.s,
								       .code = r->code,
								       .message = r->message,
								       .state = r->state,
								       .suffix = r->suffix,
								       .total = r->total,
								       .done = r->done });
}

static void
add_ending(struct pw_supervisor *s, struct pw_task *task)
{
	const struct pw_ending *e = task->ending;

	task->sent = true;
	pw_turn_add_ending(&s->turn, &(struct pw_turn_ending){ .task = e->task.s,
							       .state = e->state,
							       .kind = e->kind,
							       .result = e->result,
							       .error = e->error,
							       .remains = e->remains,
							       .max_rss_kb = e->max_rss_kb,
							       .cpu_ms = e->cpu_ms });
}

static void
fill_turn(struct pw_supervisor *s)
{
	int64_t now_ns = pw_now_ns();

	pw_turn_clear(&s->turn);
	pw_turn_add_served(&s->turn, 0, 0);
	for (size_t i = 0; i < s->requirement_count; i++)
		if (pw_hosts_serve(s, s->requirements[i]))
			pw_turn_add_served(&s->turn, s->requirements[i]->id,
					   s->requirements[i]->floor);
	for (struct pw_task *task = s->tasks; task; task = task->next) {
		bool all = gather_logs(s, task);

		add_reports(s, task, now_ns);
		if (task->phase == PW_TASK_ENDED && all)
			add_ending(s, task);
		else if (task->phase != PW_TASK_ENDED && s->look_all)
			pw_turn_add_look(&s->turn, task->id.s);
	}
	for (const struct pw_part *part = s->parts; part; part = part->next)
		pw_turn_add_log(&s->turn, part->task.s, part->number, part->text);
}

/* --- what comes back --- */

static void
on_ended(void *arg, const char *id, const char *outcome)
{
	struct pw_supervisor *s = arg;
	struct pw_task *task = pw_task_find(s, id);

	if (!task || !task->sent)
		return;
	s->turn_locked = s->turn_locked || strcmp(outcome, "locked") == 0;
	pw_task_ended(task, outcome);
}

static void
on_pass(void *arg, int marked PW_UNUSED, const char *what)
{
	struct pw_supervisor *s = arg;

	s->turn_more = strcmp(what, "more") == 0;
	s->turn_busy = strcmp(what, "busy") == 0;
	s->turn_later = strcmp(what, "later") == 0;
	if (strcmp(what, "done") == 0)
		s->settled_ns = pw_now_ns();
	if (s->turn_lazy && !s->turn_later)
		s->diligent = DILIGENT_TURNS;
}

static void
on_claimed(void *arg, const struct pw_turn_claim *claim)
{
	struct pw_supervisor *s = arg;

	s->turn_claims++;
	pw_task_claimed(s, claim, false);
}

static void
on_cancel(void *arg, const char *id)
{
	struct pw_task *task = pw_task_find(arg, id);

	if (task && task->cause == PW_CAUSE_NONE)
		pw_task_cancel(task, PW_CAUSE_CANCEL);
}

static void
on_lost(void *arg, const char *id)
{
	struct pw_supervisor *s = arg;
	struct pw_task *task = pw_task_find(s, id);

	if (!task || task->phase == PW_TASK_ENDED)
		return;
	pw_task_lost(task);
}

static void
on_class(void *arg, int id, const char *module, const char *detail)
{
	struct pw_supervisor *s = arg;

	s->turn_classes++;
	pw_hosts_add_requirement(s, id, module, detail);
}

static void
on_floor(void *arg, int id, int64_t floor)
{
	struct pw_supervisor *s = arg;

	for (size_t i = 0; i < s->requirement_count; i++)
		if (s->requirements[i]->id == id)
			s->requirements[i]->floor = floor;
}

static const struct pw_turn_ops turn_ops = {
	.ended = on_ended,
	.pass = on_pass,
	.claimed = on_claimed,
	.cancel = on_cancel,
	.lost = on_lost,
	.class = on_class,
	.floor = on_floor,
};

static void
settle_reports(struct pw_supervisor *s, bool written)
{
	for (struct pw_task *task = s->tasks; task; task = task->next) {
		task->sent = false;
		pw_reports_settle(&task->reports, written);
		pw_turns_flush(s, pw_reports_due(&task->reports));
	}
}

static void
forget_parts(struct pw_supervisor *s)
{
	while (s->parts) {
		struct pw_part *part = s->parts;

		s->parts = part->next;
		free(part->text);
		free(part);
	}
	s->parts_bytes = 0;
}

/* The last turn claimed as much as it was asked to. */
static bool
claims_filled(const struct pw_supervisor *s)
{
	return s->asked > 0 && s->turn_claims == s->asked;
}

static bool
anything_left(const struct pw_supervisor *s)
{
	for (const struct pw_task *task = s->tasks; task; task = task->next)
		if (task->phase == PW_TASK_ENDED && !task->sent)
			return true;
	return false;
}

/* What does not pass by itself; the rest is told by the link, when it lasts. */
static void
tell_failure(const struct pw_err *err)
{
	if (strcmp(err->sqlstate, NOT_PREPARED) == 0)
		pw_log_warning(NULL, "turn.unprepared", "msg=\"a pooler shares our session: notifications are lost, tasks are found by polling; give the worker sessions of its own\"");
	else if (!pw_db_error_is_transient(err) && strcmp(err->sqlstate, PW_READ_ONLY) != 0)
		pw_log_error(NULL, "turn.failed", "sqlstate=%s msg=%s", err->sqlstate, pw_log_quote(err->text));
}

/* Nothing was committed, as far as we know: everything is given again. */
static void
turn_failed(struct pw_supervisor *s, const struct pw_err *err)
{
	settle_reports(s, false);
	if (!pw_link_idle(s->turns))
		return; /* the link is being mended; ready() starts anew */
	tell_failure(err);
	pw_timer_set(s->busy, pw_now_ns() + pw_link_refused(s->turns, err));
}

static void
on_turn(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	s->turn_under_way = false;
	if (err) {
		turn_failed(s, err);
		pw_stop_check(s);
		return;
	}
	pw_link_works(s->turns);
	s->turn_taken = true;
	s->turn_claims = s->turn_classes = 0;
	s->turn_more = s->turn_busy = s->turn_locked = s->turn_later = false;
	forget_parts(s);
	pw_turn_read(result, &turn_ops, s);
	if (s->turn_more || s->turn_classes || anything_left(s) ||
	    (claims_filled(s) && pw_turns_free_slots(s) > 0))
		pw_turns_kick(s);
	settle_reports(s, true);
	/* Somebody else settles just now: ask again until we have passed ourselves, for what it read may be older than our wish. */
	if (s->turn_busy && !s->turn_due)
		pw_timer_set(s->busy, pw_now_ns() + (5 + arc4random_uniform(20)) * PW_MS);
	else if (s->turn_later)
		pw_timer_set(s->busy, s->settled_ns + SETTLE_WITHIN);
	else if (s->turn_locked)
		pw_timer_set(s->busy, pw_now_ns() + PW_LOCKED_RETRY);
	pw_stop_check(s);
}

/* --- when --- */

/*
 * Where there is more to claim than slots, a turn that settles costs half as much again as one that does not, and nobody
 * here waits for what it finds. Others may: so it is put off for no longer than that.
 */
static bool
may_settle_later(struct pw_supervisor *s, int slots)
{
	if (slots <= 0)
		return false;
	if (s->diligent > 0) {
		s->diligent--;
		return false;
	}
	return claims_filled(s) && !s->config.auxiliary &&
	       pw_now_ns() < s->settled_ns + SETTLE_WITHIN;
}

static void
send_turn(struct pw_supervisor *s)
{
	const char *values[PW_TURN_PARAMS];
	char numbers[2][16];
	int slots = pw_turns_free_slots(s);

	fill_turn(s);
	s->turn_lazy = may_settle_later(s, slots);
	s->asked = slots;
	if (pw_turn_params(&s->turn, s->me.s, slots, s->known, s->turn_lazy, numbers, values) < 0)
		abort();
	s->turn_due = s->look_all = false;
	pw_timer_set(s->flush, PW_NEVER);
	pw_timer_set(s->busy, PW_NEVER);
	s->turn_under_way = pw_link_send(s->turns, pw_sql_turn,
					 &(struct pw_db_params){ PW_TURN_PARAMS, values },
					 PW_STATEMENT_TIMEOUT, on_turn, s);
	if (!s->turn_under_way) {
		s->turn_due = true;
		settle_reports(s, false);
	}
}

/* The turns link is free: the next thing that it has to do. */
static void
take_turn(void *arg)
{
	struct pw_supervisor *s = arg;

	if (!pw_link_idle(s->turns) || pw_uuid_none(&s->me) || !s->listening)
		return;
	if (s->adopt) {
		pw_claims_adopt(s);
		return;
	}
	if ((s->fetch_due && pw_claims_fetch(s)) || pw_resources_next(s))
		return;
	if (s->modules_unsaid && pw_hosts_say_modules(s))
		return;
	if (s->turn_due)
		send_turn(s);
}

static void
poll_now(void *arg)
{
	struct pw_supervisor *s = arg;
	int64_t every = pw_settings_ns(s->settings, PW_SETTING_poll_interval);

	pw_timer_set(s->poll,
		     pw_now_ns() + every - every / 8 +
			     arc4random_uniform((uint32_t)(every / PW_MS / 4) + 1) * PW_MS);
	s->look_all = true;
	pw_turns_kick(s);
}

static void
again(void *arg)
{
	pw_turns_kick(arg);
}

int
pw_turns_new(struct pw_supervisor *s, struct pw_err *err)
{
	s->kick = pw_timer_new(s->loop, "turn", take_turn, s);
	s->poll = pw_timer_new(s->loop, "poll", poll_now, s);
	s->busy = pw_timer_new(s->loop, "busy", again, s);
	s->flush = pw_timer_new(s->loop, "flush", again, s);
	pw_timer_set(s->poll, pw_now_ns());
	return pw_link_new(s->loop, "turns", s->config.conninfo, s->guest, &pw_turns_link_ops, s, &s->turns, err);
}

void
pw_turns_free(struct pw_supervisor *s)
{
	s->turns = pw_link_free(s->turns);
	s->kick = pw_timer_free(s->kick);
	s->poll = pw_timer_free(s->poll);
	s->busy = pw_timer_free(s->busy);
	s->flush = pw_timer_free(s->flush);
	forget_parts(s);
	pw_turn_done(&s->turn);
}
