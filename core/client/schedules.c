/* SPDX-License-Identifier: MIT */
/*
 * The library's calls about schedules. As those about tasks: what would break
 * the caller's transaction is found before, the rest the database refuses.
 * Nothing that is due is dispatched here: that is the workers'.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/private.h"
#include "client/schedule.h"
#include "crypt/leaves.h"

struct pulp_client_schedules {
	struct pw_records records;
	char **json; /* as many; each made when asked for */
};

/* What cannot go together, and what has no good form. */
static int
check(const struct pulp_client_schedule *s, struct pw_err *err)
{
	if (!s->name || !s->func)
		return pw_err_set(err, PW_ERR_INPUT, "%s is missing", s->name ? "func" : "name");
	if (!s->every_ms && !s->at && !s->cron)
		return pw_err_set(err, PW_ERR_INPUT, "when? every_ms, at or cron is needed");
	if (s->cron && (s->every_ms || s->at))
		return pw_err_set(err, PW_ERR_INPUT, "cron goes with neither every_ms nor at");
	if (!s->cron && (s->time_zone || s->missed))
		return pw_err_set(err, PW_ERR_INPUT, "%s is for cron", s->time_zone ? "time_zone" : "missed");
	if (s->every_ms < 0 || s->every_ms > INT64_MAX / PW_MS)
		return pw_err_set(err, PW_ERR_INPUT, "every_ms: from one second to a hundred years");
	return pw_client_check_json("args", s->args, JSON_ARRAY, err) < 0 ?
		       -1 :
		       pw_client_check_json("kwargs", s->kwargs, JSON_OBJECT, err);
}

/* The caller's struct as this library knows it. */
static int
take(const struct pulp_client_schedule *given, struct pulp_client_schedule *ret_schedule,
     struct pw_err *err)
{
	struct pulp_client_schedule schedule = PULP_CLIENT_SCHEDULE_INIT;

	if (!given || given->size < sizeof(given->size))
		return pw_err_set(err, PW_ERR_INPUT, "the size of struct pulp_client_schedule is not set");
	memcpy(&schedule, given,
	       given->size < sizeof(schedule) ? given->size : sizeof(schedule));
	*ret_schedule = schedule;
	return check(&schedule, err);
}

int
pulp_client_schedule_add(pulp_client *client, const struct pulp_client_schedule *schedule,
			 char id[PULP_CLIENT_ID_SIZE], struct pulp_client_error *error)
{
	struct pulp_client_schedule given = PULP_CLIENT_SCHEDULE_INIT;
	struct pw_dispatched added;
	struct pw_err err;

	if (take(schedule, &given, &err) < 0)
		return pw_client_fail(&err, error);
	if (pw_leaves_in_arguments(given.args, given.kwargs) && pw_client_keys(client, &err) < 0)
		return pw_client_fail_keys(&err, error);

	const struct pw_schedule_cron cron = { given.cron, given.time_zone, given.missed };
	const struct pw_schedule what = {
		.name = given.name,
		.func = given.func,
		.args = given.args,
		.kwargs = given.kwargs,
		.every_ns = given.every_ms * PW_MS,
		.at = given.at,
		.exclusive = given.exclusive,
		.exclusive_count = pw_client_count(given.exclusive),
		.shared = given.shared,
		.shared_count = pw_client_count(given.shared),
	};
	if (pw_schedule_add(client->db, &what, given.cron ? &cron : NULL, client->keys,
			    pw_client_deadline(client), &added, &err) < 0)
		return pw_client_fail(&err, error);
	memcpy(id, added.id.s, PULP_CLIENT_ID_SIZE);
	return 0;
}

/* NULL is not "all" where one is meant. */
static int
check_which(const char *which, struct pw_err *err)
{
	return which ? 0 : pw_err_set(err, PW_ERR_INPUT, "the schedule's name or id is missing");
}

int
pulp_client_schedule_remove(pulp_client *client, const char *which,
			    struct pulp_client_error *error)
{
	struct pw_err err;

	if (check_which(which, &err) < 0 ||
	    pw_store_remove_schedule(client->db, which, pw_client_deadline(client), &err) < 0)
		return pw_client_fail(&err, error);
	return 0;
}

int
pulp_client_schedule_run(pulp_client *client, const char *which, char id[PULP_CLIENT_ID_SIZE],
			 struct pulp_client_error *error)
{
	pw_auto_free char *func = NULL;
	struct pw_dispatched task;
	struct pw_err err;

	if (check_which(which, &err) < 0 ||
	    pw_store_run_schedule(client->db, which, pw_client_deadline(client), &task, &func,
				  &err) < 0)
		return pw_client_fail(&err, error);
	memcpy(id, task.id.s, PULP_CLIENT_ID_SIZE);
	return 0;
}

static int
list(pulp_client *client, const char *which, pulp_client_schedules **ret_schedules,
     struct pulp_client_error *error)
{
	pulp_client_schedules *schedules = calloc(1, sizeof(*schedules));
	struct pw_err err;
	int failed;

	if (!schedules) {
		pw_err_nomem(&err);
		return pw_client_fail(&err, error);
	}
	failed = pw_store_list_schedules(client->db, which, pw_client_deadline(client),
					 &schedules->records, &err);
	if (failed == 0) {
		schedules->json = calloc(schedules->records.count + 1, sizeof(*schedules->json));
		if (!schedules->json)
			failed = pw_err_nomem(&err);
	}
	if (failed < 0) {
		pulp_client_schedules_free(schedules);
		return pw_client_fail(&err, error);
	}
	*ret_schedules = schedules;
	return 0;
}

int
pulp_client_schedule_list(pulp_client *client, pulp_client_schedules **schedules,
			  struct pulp_client_error *error)
{
	return list(client, NULL, schedules, error);
}

int
pulp_client_schedule_get(pulp_client *client, const char *which, pulp_client_schedules **schedules,
			 struct pulp_client_error *error)
{
	struct pw_err err;

	if (check_which(which, &err) < 0)
		return pw_client_fail(&err, error);
	return list(client, which, schedules, error);
}

void
pulp_client_schedules_free(pulp_client_schedules *schedules)
{
	if (!schedules)
		return;
	for (size_t i = 0; schedules->json && i < schedules->records.count; i++)
		free(schedules->json[i]);
	free(schedules->json);
	pw_records_done(&schedules->records);
	free(schedules);
}

size_t
pulp_client_schedules_count(const pulp_client_schedules *schedules)
{
	return schedules->records.count;
}

const char *
pulp_client_schedules_field(const pulp_client_schedules *schedules, size_t which, const char *name)
{
	if (which >= schedules->records.count || name[0] == '_')
		return NULL;
	return pw_record_get(schedules->records.items[which], name);
}

const char *
pulp_client_schedules_json(pulp_client_schedules *schedules, size_t which)
{
	pw_auto_buf json = PW_BUF_INIT;

	if (which >= schedules->records.count)
		return NULL;
	if (!schedules->json[which] &&
	    pw_record_json(schedules->records.items[which], 0, &json) == 0)
		schedules->json[which] = pw_buf_steal(&json);
	return schedules->json[which];
}
