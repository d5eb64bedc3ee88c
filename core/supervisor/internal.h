/* SPDX-License-Identifier: MIT */
/*
 * What the files of the supervisor share. Each file is one idea:
 *
 *	supervisor.c	start, loop, end
 *	link.c		a connection that mends itself
 *	turns.c		when a turn is taken and what its answer does
 *	claims.c	what a turn did not say of what it claimed
 *	listen.c	the link of the turns: listening, notifications
 *	tasks.c		a task from its claim to its ending
 *	resources.c	what a task made and did not complete
 *	hosts.c		plugins and their hosts
 *	beat.c		registration, heartbeat, lease, clean-up after others
 *	side.c		the other link: what must not wait for a turn
 *	requests.c	what tasks ask of the database
 *	schedules.c	dispatches what is due
 *	metrics.c	gauges, for who asks for them
 *	stop.c		signals: drain, stop, pause, reload
 *	arguments.c	arguments at rest
 */
#ifndef PW_SUPERVISOR_INTERNAL_H
#define PW_SUPERVISOR_INTERNAL_H

#include "base/clock.h"
#include "base/log.h"
#include "crypt/keyring.h"
#include "exec/ending.h"
#include "exec/output.h"
#include "exec/reports.h"
#include "exec/run.h"
#include "exec/worker_directory.h"
#include "plugin/meta.h"
#include "sched/requirement.h"
#include "store/turn.h"
#include "supervisor/link.h"
#include "supervisor/supervisor.h"
#include "sys/loop.h"
#include "sys/signals.h"

#define PW_STATEMENT_TIMEOUT (30 * PW_SEC)
#define PW_HELLO_WITHIN (15 * PW_SEC)
#define PW_LOCKED_RETRY (300 * PW_MS) /* a row that somebody holds is asked for again */

struct pw_supervisor;

enum pw_host_phase { PW_HOST_STARTING,
		     PW_HOST_UP,
		     PW_HOST_RESTING,
		     PW_HOST_QUARANTINED,
		     PW_HOST_DRAINING };

/* A plugin of this worker, and the process that has it mapped. */
struct pw_plugin_host {
	struct pw_supervisor *s;
	const struct pw_plugin_meta *meta; /* of s->plugins; NULL once drained */
	char *module, *state_directory;
	struct pw_host *host; /* NULL while resting or quarantined */
	enum pw_host_phase phase;
	int failures; /* in a row */
	struct pw_timer *rest;
	struct pw_plugin_host *next;
};

enum pw_task_phase {
	PW_TASK_CLAIMED, /* its arguments are to be fetched */
	PW_TASK_RUNNING,
	PW_TASK_CLEANING, /* its ending is known; what it made and did not complete is being deleted */
	PW_TASK_ENDED,	  /* the ending waits to be written */
};

struct pw_cleaning; /* resources.c */

struct pw_task {
	struct pw_supervisor *s;
	struct pw_uuid id;
	char *name, *cid; /* cid: correlation id */
	enum pw_task_phase phase;
	enum pw_cause cause;
	bool immediate; /* it has 5 seconds */
	bool ran;	/* here or elsewhere: it may have made something */
	struct pw_plugin_host *host;
	struct pw_run *run;
	struct pw_output output;
	struct pw_reports reports;
	struct pw_ending *ending;
	struct pw_cleaning *cleaning;
	bool fetching, sent; /* part of the statement under way */
	struct pw_task *next;
};

/* A part of a log on its way. */
struct pw_part {
	struct pw_uuid task;
	int number;
	char *text;
	struct pw_part *next;
};

struct pw_request; /* requests.c */

enum pw_worker_phase {
	PW_WORKER_RUNNING,
	PW_WORKER_DRAINING, /* no new tasks; the running ones go on */
	PW_WORKER_STOPPING, /* the same, until the grace is over */
	PW_WORKER_KILLING,  /* everything was killed; the endings are written */
	PW_WORKER_LEAVING,  /* nothing is left but to say goodbye */
};

struct pw_supervisor {
	struct pw_supervisor_config config;
	struct pw_settings *settings;
	struct pw_keyring *keys; /* NULL: arguments are stored in clear */
	struct pw_loop *loop;
	struct pw_signals *signals;
	struct pw_uuid incarnation;	/* of this process: lock file and PULP_WORKER_ID */
	struct pw_uuid me;		/* the app status row */
	struct pw_worker_directory *directory;
	char *state_directory, *working_directory;
	int slots;
	enum pw_worker_phase phase, left; /* left: the phase before LEAVING */
	bool paused, leaving_said, lease_over;
	bool guest; /* at a live Pulp without our schema */
	struct pw_timer *grace, *watchdog;

	struct pw_link *turns, *side; /* LISTEN and turns; heartbeat and requests */

	/* plugins */
	struct pw_plugin_set *plugins;
	struct pw_plugin_host *hosts;
	bool hosts_started;
	struct pw_offer *offers;
	struct pw_requirement **requirements;
	size_t requirement_count;
	int known; /* the highest requirement heard of */
	bool modules_unsaid; /* a guest's session of the turns does not know our modules yet */

	/* tasks */
	struct pw_task *tasks;
	struct pw_part *parts;
	size_t parts_bytes;

	/* turns */
	struct pw_turn turn;
	struct pw_timer *kick, *poll, *busy, *flush, *refetch;
	bool look_all, listening, adopt, turn_due, fetch_due;
	int asked; /* slots of the turn under way */
	int turn_claims, turn_classes;
	bool turn_more, turn_busy, turn_locked, turn_later, turn_lazy, turn_taken, turn_under_way;
	int64_t settled_ns; /* when a turn of ours last settled everything */
	int diligent;	    /* turns that settle, since not to did not pay */

	/* heartbeat */
	struct pw_timer *beat, *lease;
	int64_t ttl_ns, beat_sent_ns, lease_until_ns, clean_due_ns;
	bool beat_due, beat_under_way, register_due, clean_due, modules_due;

	/* the side link */
	struct pw_timer *side_pause; /* armed: nothing is said before it is over */
	pw_db_result_fn *side_answer; /* of the statement under way */

	struct pw_request *requests;

	struct pw_timer *cleaning; /* of what is being deleted: the next step, or a deadline */
	bool cleaning_due;	   /* what some tasks have made is to be asked for */
	int64_t resources_left;	   /* incomplete ones, as far as is known, since the start */

	struct pw_timer *schedules; /* when to look for what is due */
	bool schedules_due;

	struct pw_timer *metrics;
	bool metrics_due;
	char *metrics_written; /* the file, while it is this worker that writes it */
};

/* tasks.c */
struct pw_task *pw_task_find(struct pw_supervisor *s, const char *id);
int pw_task_active(const struct pw_supervisor *s); /* claimed or running */
int pw_task_unwritten(const struct pw_supervisor *s);
/* ADOPTED: by a turn whose answer was lost. */
void pw_task_claimed(struct pw_supervisor *s, const struct pw_turn_claim *claim, bool adopted);
void pw_task_start(struct pw_task *task, const struct pw_run_spec *what);
/* What every run for a task takes from the row, the plugin (WHAT of task->host) and the settings. */
void pw_task_fill_run(const struct pw_task *task, const struct pw_plugin_task *what, struct pw_run_spec *spec);
/* Its row does not make sense: it ends failed before it began. REASON is that of pulp-states(7). */
void pw_task_refuse(struct pw_task *task, const char *reason);
/* What its child, or this worker, says of its end; it is told in the log when the row has it. */
void pw_task_end(struct pw_task *task, struct pw_ending *ending);
/* Nothing is left to do but to write its ending. */
void pw_task_over(struct pw_task *task);
/* The ending was taken to the row: OUTCOME as in struct pw_turn_ops. Forgets the task, unless the row was locked. */
void pw_task_ended(struct pw_task *task, const char *outcome);
/* Its row is somebody else's: forgotten once no child of it is left. */
void pw_task_lost(struct pw_task *task);
/* For the log. */
const char *pw_task_correlation(void *supervisor, const char *id);
void pw_task_cancel(struct pw_task *task, enum pw_cause cause);
void pw_task_kill(struct pw_task *task, enum pw_cause cause);
void pw_task_forget(struct pw_supervisor *s, struct pw_task *task);
void pw_tasks_free(struct pw_supervisor *s);

/* turns.c */
int pw_turns_new(struct pw_supervisor *s, struct pw_err *err) PW_MUSTCHECK;
void pw_turns_free(struct pw_supervisor *s);
/* Something for the database has come up: a turn is taken as soon as the link is free. */
void pw_turns_kick(struct pw_supervisor *s);
/* How many tasks may be claimed now; -1: only what is to be ended; 0: nothing at all. */
int pw_turns_free_slots(const struct pw_supervisor *s);
/* Output, or a report that is due at DUE_NS: a turn soon after that, within half a second, is soon enough. */
void pw_turns_flush(struct pw_supervisor *s, int64_t due_ns);

/* claims.c */
void pw_claims_new(struct pw_supervisor *s);
void pw_claims_free(struct pw_supervisor *s);
/* Asks for what carries this worker's lock, after an answer was lost. */
void pw_claims_adopt(struct pw_supervisor *s);
/* Asks for the arguments that are missing; false if there are none. */
bool pw_claims_fetch(struct pw_supervisor *s);

/* arguments.c */
/* Decrypts what was fetched of a task, unless it is PLAIN or there is no key, and starts it or ends it with the reason why not. */
void pw_arguments_start(struct pw_task *task, bool plain, const struct pw_run_spec *what);
/* A request that dispatches a task, with its arguments encrypted. Returns 1 if they are, 0 where it stays as it is. */
int pw_arguments_seal(struct pw_supervisor *s, const char *operation, const char *json, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;

/* listen.c */
extern const struct pw_link_ops pw_turns_link_ops;

/* resources.c */
void pw_resources_new(struct pw_supervisor *s);
/* Takes an ended task over, if what it made may be incomplete; pw_task_over follows. False: there is nothing to do. */
bool pw_resources_begin(struct pw_task *task);
/* Asks on the turns link for what the tasks in question have made; false if it is not the time for it. */
bool pw_resources_next(struct pw_supervisor *s);
/* A host has come up, or is gone. */
void pw_resources_kick(struct pw_supervisor *s);
/* No more is begun. */
void pw_resources_give_up(struct pw_task *task);
void pw_resources_drop(struct pw_task *task);
void pw_resources_free(struct pw_supervisor *s);

/* hosts.c */
int pw_hosts_start(struct pw_supervisor *s, struct pw_err *err) PW_MUSTCHECK;
void pw_hosts_reload(struct pw_supervisor *s);
void pw_hosts_renew_lease(struct pw_supervisor *s); /* tells them s->lease_until_ns */
void pw_hosts_free(struct pw_supervisor *s);
/* The host that serves a function name now; NULL if none is up. */
struct pw_plugin_host *pw_hosts_find(struct pw_supervisor *s, const char *function_name);
/* The same where it may still come up: look at its phase. NULL: there is no such plugin here, or it is quarantined. */
struct pw_plugin_host *pw_hosts_expect(struct pw_supervisor *s, const char *function_name);
void pw_hosts_match(struct pw_supervisor *s); /* compares all requirements anew */
bool pw_hosts_serve(struct pw_supervisor *s, const struct pw_requirement *requirement);
void pw_hosts_add_requirement(struct pw_supervisor *s, int id, const char *module, const char *detail);
void pw_hosts_forget_requirements(struct pw_supervisor *s); /* a guest's session numbers them anew */
bool pw_hosts_say_modules(struct pw_supervisor *s); /* sends them on the link of the turns */

/* beat.c */
int pw_beat_register(struct pw_supervisor *s, struct pw_db *db, struct pw_err *err) PW_MUSTCHECK;
int pw_beat_new(struct pw_supervisor *s, struct pw_err *err) PW_MUSTCHECK;
void pw_beat_free(struct pw_supervisor *s);
/* Our plugins are others than before: said to the database. */
void pw_beat_modules_changed(struct pw_supervisor *s);
/* The heartbeat, or registering anew; then what else there is to say of this worker and of others. True if something was sent. */
bool pw_beat_next(struct pw_supervisor *s);
bool pw_beat_others(struct pw_supervisor *s);

/* side.c */
int pw_side_new(struct pw_supervisor *s, struct pw_err *err) PW_MUSTCHECK;
void pw_side_free(struct pw_supervisor *s);
/* Says what is next, if the link is free. */
void pw_side_next(struct pw_supervisor *s);
/* As pw_link_send; FN gets the supervisor. What fails may be sent again at once: it will wait. */
bool pw_side_send(struct pw_supervisor *s, const char *sql, const struct pw_db_params *params, int64_t timeout_ns,
		  pw_db_result_fn *fn);

/* requests.c */
void pw_requests_add(struct pw_task *task, uint32_t number, const char *operation, const char *json);
void pw_requests_drop(struct pw_supervisor *s, struct pw_task *task);
/* Sends the next one on the side link; false if there is none. */
bool pw_requests_next(struct pw_supervisor *s);
void pw_requests_free(struct pw_supervisor *s);

/* schedules.c */
void pw_schedules_new(struct pw_supervisor *s);
/* Asks on the side link for what is due to be dispatched; false if it is not the time for it. */
bool pw_schedules_next(struct pw_supervisor *s);
void pw_schedules_free(struct pw_supervisor *s);

/* metrics.c */
void pw_metrics_new(struct pw_supervisor *s);
/* Measures on the side link; false if it is not the time for it, or nobody wants to know. */
bool pw_metrics_next(struct pw_supervisor *s);
/* Takes the file away: what stands in it would be believed. */
void pw_metrics_stop(struct pw_supervisor *s);
void pw_metrics_free(struct pw_supervisor *s);

/* stop.c */
int pw_stop_watch(struct pw_supervisor *s, struct pw_err *err) PW_MUSTCHECK;
bool pw_stop_claiming(const struct pw_supervisor *s); /* no new tasks */
/* Leaves when nothing is left to wait for. */
void pw_stop_check(struct pw_supervisor *s);
/* A task has come up that was claimed before: one that was about to leave stays for it. */
void pw_stop_stay(struct pw_supervisor *s);
void pw_stop_free(struct pw_supervisor *s);
void pw_stop_status(struct pw_supervisor *s);

#endif
