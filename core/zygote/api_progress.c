/* SPDX-License-Identifier: MIT */
/*
 * Progress reports of a task. Reports of one code that follow quickly on each
 * other are folded: at most one frame per code in 100 ms, a change of state at
 * once, and what was held back goes with the next call after its time, at the latest before
 * the ending. Runs in the task child.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "zygote/api_state.h"

#define HOLD_BACK (100 * PW_MS)
#define CODES_MAX 1000

struct pw_fold {
	char *code, *message, *suffix;
	const char *state; /* one of the names below */
	int64_t done, total, sent_ns;
	bool pending;
};

static const char *
known_state(const char *state)
{
	static const char *const states[] = { "running", "waiting", "completed", "failed", "canceled" };

	if (!state)
		return states[0];
	for (size_t i = 0; i < PW_COUNT(states); i++)
		if (strcmp(state, states[i]) == 0)
			return states[i];
	return NULL;
}

static struct pw_fold *
fold_of(struct pw_api *api, const char *code)
{
	struct pw_fold *folds;

	for (size_t i = 0; i < api->fold_count; i++)
		if (strcmp(api->folds[i].code, code) == 0)
			return &api->folds[i];
	if (api->fold_count == CODES_MAX) {
		pw_api_refuse(api, "more than %d progress codes", CODES_MAX);
		return NULL;
	}
	folds = reallocarray(api->folds, api->fold_count + 1, sizeof(*folds));
	if (!folds) {
		pw_api_refuse(api, "out of memory");
		return NULL;
	}
	api->folds = folds;
	folds[api->fold_count] = (struct pw_fold){ .code = strdup(code) };
	if (!folds[api->fold_count].code) {
		pw_api_refuse(api, "out of memory");
		return NULL;
	}
	pw_api_clean_text(folds[api->fold_count].code);
	return &folds[api->fold_count++];
}

static int
replace_text(struct pw_api *api, char **slot, const char *text)
{
	char *copy = NULL;

	if (*slot && text && strcmp(*slot, text) == 0)
		return 0;
	if (text) {
		copy = strndup(text, 4096);
		if (!copy)
			return pw_api_refuse(api, "out of memory");
		pw_api_clean_text(copy);
	}
	free(*slot);
	*slot = copy;
	return 0;
}

static int
send_fold(struct pw_api *api, struct pw_fold *fold, int64_t now)
{
	struct pw_msg_progress msg = { .code = fold->code, .message = fold->message, .suffix = fold->suffix,
				       .state = fold->state, .done = fold->done, .total = fold->total };

	fold->pending = false;
	fold->sent_ns = now;
	return pw_api_send(api, PW_MSG_PROGRESS, &msg);
}

/* A report of a plugin that knows fewer fields, or more, than we do. */
static struct pulp_progress
clamp(const struct pulp_progress *progress)
{
	struct pulp_progress ours = { .total = -1 };
	size_t size = progress->size < sizeof(ours) ? progress->size : sizeof(ours);

	memcpy(&ours, progress, size);
	return ours;
}

int
pw_api_progress(struct pw_api *api, const struct pulp_progress *progress)
{
	struct pulp_progress ours;
	struct pw_fold *fold;
	const char *state;
	bool changed;
	int64_t now;

	if (!progress || progress->size < offsetof(struct pulp_progress, done))
		return pw_api_refuse(api, "the progress report is NULL or has no size");
	ours = clamp(progress);
	state = known_state(ours.state);
	if (!ours.code || !*ours.code || strlen(ours.code) > 200)
		return pw_api_refuse(api, "a progress report needs a code of at most 200 bytes");
	if (!ours.message)
		return pw_api_refuse(api, "progress report %s has no message", ours.code);
	if (!state)
		return pw_api_refuse(api, "progress report %s: '%.40s' is no state", ours.code, ours.state);
	if (ours.done < 0 || ours.total < -1)
		return pw_api_refuse(api, "progress report %s has a negative count", ours.code);
	fold = fold_of(api, ours.code);
	if (!fold || replace_text(api, &fold->message, ours.message) < 0 ||
	    replace_text(api, &fold->suffix, ours.suffix) < 0)
		return -1;
	changed = fold->state != state;
	fold->state = state;
	fold->done = ours.done;
	fold->total = ours.total;
	now = pw_now_ns();
	if (changed || now - fold->sent_ns >= HOLD_BACK)
		return send_fold(api, fold, now);
	fold->pending = true;
	return 0;
}

void
pw_api_progress_flush(struct pw_api *api, bool all)
{
	int64_t now = api->fold_count ? pw_now_ns() : 0;

	for (size_t i = 0; i < api->fold_count; i++)
		if (api->folds[i].pending && (all || now - api->folds[i].sent_ns >= HOLD_BACK))
			send_fold(api, &api->folds[i], now);
}
