/* SPDX-License-Identifier: MIT */
/*
 * pulp/types.h: what tasks look like to programs that dispatch them. C99 or
 * C++11; see pulp-client(3) and pulp-states(7).
 */
#ifndef PULP_TYPES_H
#define PULP_TYPES_H

#include <stdint.h>

/* Room for a UUID as text with its NUL. */
#define PULP_CLIENT_ID_SIZE 37

/* The state of a task. Numbers are never given anew. */
enum pulp_client_state {
	PULP_CLIENT_WAITING = 0,
	PULP_CLIENT_RUNNING = 1,
	PULP_CLIENT_CANCELING = 2,
	PULP_CLIENT_COMPLETED = 3, /* this one and those below are final */
	PULP_CLIENT_FAILED = 4,
	PULP_CLIENT_CANCELED = 5,
	PULP_CLIENT_SKIPPED = 6,
	PULP_CLIENT_UNKNOWN = -1 /* one that this library does not know: not final */
};

/* What kind of thing went wrong. Numbers are never given anew. */
enum pulp_client_kind {
	PULP_CLIENT_OK = 0,
	PULP_CLIENT_BAD_ARGUMENT = 1, /* what was given is wrong */
	PULP_CLIENT_NOT_FOUND = 2,    /* there is no such task, group or schedule */
	PULP_CLIENT_NO_SCHEMA = 3,    /* the database lacks our schema, or has one of another version */
	PULP_CLIENT_REFUSED = 4,      /* the database refused: sqlstate says how */
	PULP_CLIENT_LOST = 5,	      /* the database cannot be reached, or the connection broke: open anew */
	PULP_CLIENT_TIMED_OUT = 6,    /* the database did not answer in time: open anew */
	PULP_CLIENT_NO_MEMORY = 7,
	PULP_CLIENT_INTERNAL = 8,     /* a bug of the library, or of the server */
	PULP_CLIENT_BAD_KEYS = 9      /* the file of keys is missing, cannot be read, or is none */
};

/* Filled by a call that fails, else left alone. */
struct pulp_client_error {
	uint32_t size; /* sizeof(struct pulp_client_error) */
	enum pulp_client_kind kind;
	char sqlstate[8]; /* "" unless the database gave one */
	char text[1024];  /* one line for people, without full stop */
};
#define PULP_CLIENT_ERROR_INIT { sizeof(struct pulp_client_error), PULP_CLIENT_OK, "", "" }

/* A task to be. Only size and func must be given; what is NULL is not given. */
struct pulp_client_dispatch {
	uint32_t size;		      /* sizeof(struct pulp_client_dispatch) */
	const char *func;	      /* <module>.<name> */
	const char *args;	      /* JSON text: an array */
	const char *kwargs;	      /* JSON text: an object */
	const char *group;	      /* id of a task group */
	const char *const *exclusive; /* resources to use alone; ends with NULL */
	const char *const *shared;    /* resources to use together with others; ends with NULL */
	const char *versions;	      /* JSON text: an object, label to least version; NULL: that of a live worker */
	const char *correlation_id;   /* a UUID for all log lines of the task and of those that it dispatches; NULL: a new one */
	int immediate;		      /* not 0: run it on this host, before the call returns; it has 5 s */
	int no_deferred;	      /* not 0: rather cancel it than let it wait for a resource */
};
#define PULP_CLIENT_DISPATCH_INIT { sizeof(struct pulp_client_dispatch), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* A schedule to be. Only size, name, func and one of every_ms, at and cron must be given; what is NULL is not given. */
struct pulp_client_schedule {
	uint32_t size;		      /* sizeof(struct pulp_client_schedule) */
	const char *name;	      /* none other has it */
	const char *func;	      /* <module>.<name> */
	const char *args;	      /* JSON text: an array */
	const char *kwargs;	      /* JSON text: an object */
	int64_t every_ms;	      /* at intervals, from a second to a hundred years; the first time at AT, or at once */
	const char *at;		      /* the only time, or the first: "2027-01-31T03:00+01:00" (UTC where it names no zone) */
	const char *cron;	      /* five fields, or "@hourly" and the like */
	const char *time_zone;	      /* for cron: by the clocks of this zone; NULL: UTC */
	const char *missed;	      /* for cron: "skip" leaves times that were missed, NULL or "once" makes up for them once */
	const char *const *exclusive; /* resources that its task uses alone; ends with NULL */
	const char *const *shared;    /* resources that it uses together with others; ends with NULL */
};
#define PULP_CLIENT_SCHEDULE_INIT { sizeof(struct pulp_client_schedule), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

#endif
