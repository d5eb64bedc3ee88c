/* SPDX-License-Identifier: MIT */
/*
 * From facts to the one sentence. What can never be served comes before what
 * merely waits: a task that needs a plugin nobody has would not run if its
 * resource were free. The rules for versions are those of claims (pulp-states(7)):
 * every label that a task names must be there, with at least that version. Pure.
 */
#include "task/why.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/pep440.h"
#include "task/json.h"
#include "task/state.h"

#define AHEAD_LIMIT 100000 /* why_facts counts no further */

const char *
pw_why_name(enum pw_why why)
{
	static const char *const names[PW_WHY_COUNT] = {
		[PW_WHY_ENDED] = "ended",	 [PW_WHY_RUNNING] = "running",
		[PW_WHY_CANCELING] = "canceling", [PW_WHY_CLAIMED] = "claimed",
		[PW_WHY_UNQUEUEABLE] = "unqueueable", [PW_WHY_NO_WORKER] = "no_worker",
		[PW_WHY_MODULE] = "module",	 [PW_WHY_VERSION] = "version",
		[PW_WHY_RESOURCE] = "resource",	 [PW_WHY_UNSETTLED] = "unsettled",
		[PW_WHY_BUSY] = "busy",		 [PW_WHY_READY] = "ready",
	};

	return why < PW_WHY_COUNT ? names[why] : "unknown";
}

static const char *
text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)); /* NULL if it is none; borrowed */
}

static const char *
either(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}

/* A reason may end with its own full stop or not. */
static int
add_reason(struct pw_buf *buf, const char *reason)
{
	size_t n = strlen(reason);

	return pw_buf_addf(buf, ": %s%s", reason, n && strchr(".!?", reason[n - 1]) ? "" : ".");
}

static int
say_ended(const json_t *facts, enum pw_task_state state, struct pw_buf *buf)
{
	const char *reason = text_of(facts, "reason"), *when = either(text_of(facts, "finished"), "an unknown time");
	bool started = text_of(facts, "started") != NULL;

	switch (state) {
	case PW_TASK_completed:
		return pw_buf_addf(buf, "Was completed at %s UTC.", when);
	case PW_TASK_failed:
		if (pw_buf_addf(buf, "Failed at %s UTC", when) < 0)
			return -1;
		break;
	case PW_TASK_canceled:
		if (pw_buf_addf(buf, "Was canceled at %s UTC, %s", when, started ? "while it ran" : "before it started") < 0)
			return -1;
		break;
	default:
		return pw_buf_addf(buf, "Was skipped.");
	}
	return reason ? add_reason(buf, reason) : pw_buf_addc(buf, '.');
}

static int
say_running(const json_t *facts, struct pw_buf *buf)
{
	const char *owner = text_of(facts, "owner");

	if (!owner)
		return pw_buf_adds(buf, "Was running, and its worker has gone missing: the next worker that looks ends it as failed.");
	return pw_buf_addf(buf, "Is running on %s since %s UTC.", owner, either(text_of(facts, "started"), "an unknown time"));
}

static int
say_canceling(const json_t *facts, struct pw_buf *buf)
{
	const char *owner = text_of(facts, "owner");

	if (!owner)
		return pw_buf_adds(buf, "Is canceled, and its worker has gone missing: the next worker that looks ends it.");
	return pw_buf_addf(buf, "Is canceled, and %s is stopping it.", owner);
}

static bool
alive(const json_t *worker)
{
	return json_is_true(json_object_get(worker, "alive"));
}

static int64_t
number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* The version that this worker has of a label, NULL if it lacks it. */
static const char *
version_of(const json_t *worker, const char *label)
{
	const char *module;
	json_t *offer;

	json_object_foreach(json_object_get(worker, "modules"), module, offer) {
		const char *has = text_of(offer, "label");

		if (has && strcmp(has, label) == 0)
			return text_of(offer, "version");
	}
	return NULL;
}

/* False also for what is no version. */
static bool
at_least(const char *have, const char *wanted)
{
	int order;

	return have && wanted && pw_version_compare(have, wanted, &order, NULL) == 0 && order >= 0;
}

static bool
has_module(const json_t *worker, const json_t *facts)
{
	return json_object_get(json_object_get(worker, "modules"), either(text_of(facts, "module"), "")) != NULL;
}

static bool
suits(const json_t *worker, const json_t *facts)
{
	const char *label;
	json_t *wanted;

	if (!alive(worker) || !has_module(worker, facts))
		return false;
	json_object_foreach(json_object_get(facts, "versions"), label, wanted)
		if (!at_least(version_of(worker, label), json_string_value(wanted)))
			return false;
	return true;
}

/* About one label: 1 if nobody alive has it in that version, and that is now said; 0 if somebody has. */
static int
say_label(const json_t *workers, const char *label, const char *wanted, struct pw_buf *buf)
{
	const char *newest = NULL, *where = NULL;
	size_t i;
	json_t *worker;

	if (!wanted || !pw_version_valid(wanted))
		return pw_buf_addf(buf, "Demands of %s the version \"%s\", which is none: no worker can ever take it.", label,
				   wanted ? wanted : "(null)") < 0 ?
			       -1 :
			       1;
	json_array_foreach(workers, i, worker) {
		const char *have = alive(worker) ? version_of(worker, label) : NULL;

		if (at_least(have, wanted))
			return 0;
		if (have && (!newest || at_least(have, newest))) {
			newest = have;
			where = either(text_of(worker, "name"), "?");
		}
	}
	if (newest)
		return pw_buf_addf(buf, "No live worker has %s >= %s (newest: %s on %s).", label, wanted, newest, where) < 0 ? -1 : 1;
	return pw_buf_addf(buf, "No live worker has %s >= %s (none has %s at all).", label, wanted, label) < 0 ? -1 : 1;
}

/* Each label is there, and no worker has them all. */
static int
say_all_labels(const json_t *facts, struct pw_buf *buf)
{
	const char *label, *before = "No live worker has all of ";
	json_t *wanted;

	json_object_foreach(json_object_get(facts, "versions"), label, wanted) {
		if (pw_buf_addf(buf, "%s%s >= %s", before, label, either(json_string_value(wanted), "(null)")) < 0)
			return -1;
		before = ", ";
	}
	return pw_buf_addf(buf, " together with the module %s.", either(text_of(facts, "module"), "?"));
}

/* Whether no live worker can ever take it as things are; says so. */
static int
say_misfit(const json_t *facts, enum pw_why *why, struct pw_buf *buf)
{
	const json_t *workers = json_object_get(facts, "workers");
	bool any = false, module = false;
	const char *label;
	json_t *worker, *wanted;
	size_t i;

	json_array_foreach(workers, i, worker) {
		if (suits(worker, facts))
			return 0;
		any = any || alive(worker);
		module = module || (alive(worker) && has_module(worker, facts));
	}
	*why = PW_WHY_NO_WORKER;
	if (!any)
		return pw_buf_adds(buf, "No worker is alive.") < 0 ? -1 : 1;
	*why = PW_WHY_MODULE;
	if (!module)
		return pw_buf_addf(buf, "No live worker has the module %s.", either(text_of(facts, "module"), "?")) < 0 ? -1 : 1;
	*why = PW_WHY_VERSION;
	json_object_foreach(json_object_get(facts, "versions"), label, wanted) {
		int said = say_label(workers, label, json_string_value(wanted), buf);

		if (said)
			return said;
	}
	return say_all_labels(facts, buf) < 0 ? -1 : 1;
}

static int
say_resource(const json_t *facts, struct pw_buf *buf)
{
	const json_t *holder = json_object_get(facts, "holder");
	const char *state = either(text_of(holder, "state"), "gone"), *id = text_of(holder, "pulp_id");
	const char *resource = text_of(facts, "resource");
	int64_t ahead = number_of(facts, "ahead");

	if (pw_buf_addf(buf, resource ? "Waits for resource \"%s\"" : "Waits for a resource%s", either(resource, "")) < 0 ||
	    pw_buf_addf(buf, " (wanted %s)", json_is_true(json_object_get(facts, "exclusive")) ? "exclusively" : "shared") < 0)
		return -1;
	/* One that waits itself holds nothing yet: it is next. */
	if (id && pw_buf_addf(buf, ", %s task %s (%s, %s)", strcmp(state, "waiting") == 0 ? "behind" : "held by", id,
			      either(text_of(holder, "name"), "?"), state) < 0)
		return -1;
	if (ahead >= AHEAD_LIMIT)
		return pw_buf_addf(buf, "; at least %d tasks are ahead in the queue.", AHEAD_LIMIT);
	return pw_buf_addf(buf, "; %lld task%s ahead in the queue.", (long long)ahead, ahead == 1 ? " is" : "s are");
}

static int
say_ready(const json_t *facts, enum pw_why *why, struct pw_buf *buf)
{
	const char *where = "?";
	int64_t taken = 0, slots = 0;
	size_t i, count = 0;
	json_t *worker;

	json_array_foreach(json_object_get(facts, "workers"), i, worker) {
		int64_t here = number_of(worker, "slots"), running = number_of(worker, "running");

		if (!suits(worker, facts))
			continue;
		if (running < here) {
			*why = PW_WHY_READY;
			return pw_buf_adds(buf, "Ready: a worker will take it within the poll interval.");
		}
		count++;
		slots += here;
		taken += running;
		where = either(text_of(worker, "name"), "?");
	}
	*why = PW_WHY_BUSY;
	if (pw_buf_addf(buf, "Ready, and every suitable worker is busy: %lld of %lld slots taken on ", (long long)taken,
			(long long)slots) < 0)
		return -1;
	return count == 1 ? pw_buf_addf(buf, "%s.", where) : pw_buf_addf(buf, "%zu workers.", count);
}

static int
say_waiting(const json_t *facts, enum pw_why *why, struct pw_buf *buf)
{
	const char *owner = text_of(facts, "owner"), *bad = text_of(facts, "bad");
	int said;

	if (owner) {
		*why = PW_WHY_CLAIMED;
		return pw_buf_addf(buf, "Is claimed by %s, which is about to start it.", owner);
	}
	if (bad) {
		*why = PW_WHY_UNQUEUEABLE;
		return pw_buf_adds(buf, "Cannot be queued") < 0 ? -1 : add_reason(buf, bad);
	}
	said = say_misfit(facts, why, buf);
	if (said)
		return said < 0 ? -1 : 0;
	if (json_object_get(facts, "resource")) {
		*why = PW_WHY_RESOURCE;
		return say_resource(facts, buf);
	}
	if (!json_is_true(json_object_get(facts, "ready"))) {
		*why = PW_WHY_UNSETTLED;
		return pw_buf_adds(buf, "Not settled yet: a worker will look at it within the poll interval.");
	}
	return say_ready(facts, why, buf);
}

static int
say(const json_t *facts, enum pw_why *why, struct pw_buf *buf)
{
	const char *name = either(text_of(facts, "state"), "unknown");
	enum pw_task_state state = pw_task_state_of(name);

	switch (state) {
	case PW_TASK_waiting:
		return say_waiting(facts, why, buf);
	case PW_TASK_running:
		*why = PW_WHY_RUNNING;
		return say_running(facts, buf);
	case PW_TASK_canceling:
		*why = PW_WHY_CANCELING;
		return say_canceling(facts, buf);
	case PW_TASK_UNKNOWN:
		*why = PW_WHY_ENDED;
		return pw_buf_addf(buf, "Is in the state %s, which this program does not know.", name);
	default:
		*why = PW_WHY_ENDED;
		return say_ended(facts, state, buf);
	}
}

int
pw_why_text(const char *facts, enum pw_why *ret_why, struct pw_buf *buf, struct pw_err *err)
{
	json_error_t bad;
	pw_auto_json *json = json_loads(facts, 0, &bad);

	if (!json_is_object(json))
		return pw_err_set(err, PW_ERR_PROTO, "why_facts: %s", json ? "not an object" : bad.text);
	return say(json, ret_why, buf) < 0 ? pw_err_nomem(err) : 0;
}
