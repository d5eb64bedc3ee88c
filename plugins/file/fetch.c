/* SPDX-License-Identifier: MIT */
/*
 * The loop around libcurl's multi interface. Runs in the task child. A slot
 * whose transfer backs off stays taken: a server in trouble is not asked for
 * something else in its place.
 */
#include "file/fetch.h"

#include <stdlib.h>

#include "base/clock.h"

#define TICK_MS 250

struct slot {
	struct pw_transfer *transfer; /* NULL: free */
	bool running;		      /* else it waits for its not_before_ns */
};

struct fetch {
	CURLM *multi;
	struct slot slots[PW_FETCH_PARALLEL];
	const struct pw_fetch_ops *ops;
	void *arg;
};

static int
start(struct fetch *fetch, struct slot *slot, struct pw_err *err)
{
	CURLMcode code;

	if (pw_transfer_begin(slot->transfer, err) < 0)
		return -1;
	code = curl_multi_add_handle(fetch->multi, slot->transfer->easy);
	if (code)
		return pw_err_set(err, PW_ERR_OS, "libcurl: %s", curl_multi_strerror(code));
	slot->running = true;
	return 0;
}

/* Starts what can be started; *ret_wait_ms: until the next that waits, *ret_used: how many slots are taken. */
static int
fill(struct fetch *fetch, int *ret_wait_ms, int *ret_used, struct pw_err *err)
{
	*ret_wait_ms = TICK_MS;
	*ret_used = 0;
	for (size_t i = 0; i < PW_FETCH_PARALLEL; i++) {
		struct slot *slot = &fetch->slots[i];
		int wait_ms;

		if (!slot->transfer && fetch->ops->next(fetch->arg, &slot->transfer, err) < 0)
			return -1;
		if (!slot->transfer)
			continue;
		++*ret_used;
		if (slot->running)
			continue;
		wait_ms = pw_ms_until(slot->transfer->not_before_ns);
		if (wait_ms == 0 && start(fetch, slot, err) < 0)
			return -1;
		if (wait_ms > 0 && wait_ms < *ret_wait_ms)
			*ret_wait_ms = wait_ms;
	}
	return 0;
}

static int
end_one(struct fetch *fetch, struct slot *slot, CURLcode code, struct pw_err *err)
{
	int rc;

	curl_multi_remove_handle(fetch->multi, slot->transfer->easy);
	slot->running = false;
	switch (pw_transfer_judge(slot->transfer, code, err)) {
	case PW_TRANSFER_AGAIN:
		return 0;
	case PW_TRANSFER_FAILED:
		return -1;
	case PW_TRANSFER_DONE:
		break;
	}
	rc = fetch->ops->done(fetch->arg, slot->transfer, err);
	if (rc == 0)
		slot->transfer = NULL;
	return rc < 0 ? -1 : 0;
}

/* Takes what has ended: returns how many. */
static int
collect(struct fetch *fetch, struct pw_err *err)
{
	CURLMsg *message;
	int left, ended = 0;

	while ((message = curl_multi_info_read(fetch->multi, &left))) {
		for (size_t i = 0; i < PW_FETCH_PARALLEL; i++) {
			struct slot *slot = &fetch->slots[i];

			if (!slot->running || slot->transfer->easy != message->easy_handle)
				continue;
			if (end_one(fetch, slot, message->data.result, err) < 0)
				return -1;
			ended++;
			break;
		}
	}
	return ended;
}

static int
loop(struct fetch *fetch, struct pw_err *err)
{
	for (;;) {
		int wait_ms, used, running, ended;
		CURLMcode code;

		if (fetch->ops->tick(fetch->arg, err) < 0 || fill(fetch, &wait_ms, &used, err) < 0)
			return -1;
		if (used == 0)
			return 0;
		code = curl_multi_perform(fetch->multi, &running);
		ended = code ? 0 : collect(fetch, err);
		if (ended < 0)
			return -1;
		if (code == CURLM_OK && ended == 0)
			code = curl_multi_poll(fetch->multi, NULL, 0, wait_ms, NULL);
		if (code)
			return pw_err_set(err, PW_ERR_OS, "libcurl: %s", curl_multi_strerror(code));
	}
}

int
pw_fetch_run(const struct pw_fetch_ops *ops, void *arg, struct pw_err *err)
{
	struct fetch fetch = { .multi = curl_multi_init(), .ops = ops, .arg = arg };
	int rc;

	if (!fetch.multi)
		return pw_err_nomem(err);
	curl_multi_setopt(fetch.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)PW_FETCH_PARALLEL);
	rc = loop(&fetch, err);
	for (size_t i = 0; i < PW_FETCH_PARALLEL; i++)
		if (fetch.slots[i].running)
			curl_multi_remove_handle(fetch.multi, fetch.slots[i].transfer->easy);
	curl_multi_cleanup(fetch.multi);
	return rc;
}
