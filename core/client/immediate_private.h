/* SPDX-License-Identifier: MIT */
/* An immediate task, between the file that dispatches it and the file that runs it. Both in the thread. */
#ifndef PW_CLIENT_IMMEDIATE_PRIVATE_H
#define PW_CLIENT_IMMEDIATE_PRIVATE_H

#include "client/immediate.h"
#include "exec/ending.h"
#include "exec/output.h"
#include "exec/reports.h"
#include "exec/worker_directory.h"
#include "plugin/meta.h"
#include "store/turn.h"

#define PW_CALLER_STATEMENT (10 * PW_SEC)

struct pw_caller {
	const struct pw_immediate *job;
	const struct pw_dispatch *sealed; /* what stands in the database */
	const struct pw_plugin_meta *plugin;
	const struct pw_plugin_task *task; /* NULL: the plugin has none of that name */
	const char *rest;		   /* of the function name, behind the module */
	char *cid;
	char name[80]; /* of the app status row */
	struct pw_db *db;
	struct pw_uuid me, id; /* the row, the task */
	int64_t ttl_ns, beat_ns;

	/* while it runs */
	struct pw_loop *loop;
	struct pw_host *host;
	struct pw_run *run;
	struct pw_timer *flush;
	struct pw_watch *watch;
	struct pw_worker_directory *directory;
	char *state_directory;
	struct pw_output output;
	struct pw_reports reports;
	struct pw_turn turn;
	struct pw_ending *ending;
	bool canceled, written, lost;
	struct pw_err failed; /* of the database; kind PW_ERR_NONE: not yet */
};

/* Runs the task, which is running in the database, and writes its ending. */
int pw_caller_run(struct pw_caller *caller, struct pw_err *err) PW_MUSTCHECK;
/* Writes this ending. Takes it. */
int pw_caller_end(struct pw_caller *caller, struct pw_ending *ending, struct pw_err *err) PW_MUSTCHECK;

#endif
