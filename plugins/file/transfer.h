/* SPDX-License-Identifier: MIT */
/* One URL on its way into a sink, over as many attempts as it takes. */
#ifndef PLUGINS_FILE_TRANSFER_H
#define PLUGINS_FILE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/err.h"

/* Where the bytes go. */
struct pw_sink_ops {
	/* How many are there: the transfer asks for the rest. */
	int64_t (*have)(void *sink);
	int (*add)(void *sink, const char *data, size_t len, struct pw_err *err);
	/* What is there is of no use: all of it comes, from the start. */
	int (*restart)(void *sink, struct pw_err *err);
	/* How many there will be; -1: not known. */
	int64_t (*want)(void *sink);
};

struct pw_transfer {
	CURL *easy;
	char *url;
	const char *name; /* for errors; borrowed */
	const struct pw_sink_ops *ops;
	void *sink;
	int64_t not_before_ns; /* when the next attempt may begin */
	int failures;	       /* in a row, without a byte more */
	/* Of the present attempt: */
	int64_t asked;	       /* from which byte on */
	int64_t most;	       /* the most bytes that any attempt reached */
	int64_t range_start;   /* of Content-Range; -1 if there was none */
	bool begun;	       /* the first byte of the body came */
	bool ignoring;	       /* the body is not the file */
	struct pw_err sink_err; /* kind PW_ERR_NONE unless the sink refused */
	char text[CURL_ERROR_SIZE];
};

enum pw_transfer_end { PW_TRANSFER_DONE, PW_TRANSFER_AGAIN, PW_TRANSFER_FAILED };

/* URL is taken. NAME and SINK must outlive it. */
struct pw_transfer *pw_transfer_new(char *url, const char *name, const struct pw_sink_ops *ops, void *sink,
				    struct pw_err *err) PW_MUSTCHECK;
struct pw_transfer *pw_transfer_free(struct pw_transfer *transfer);
/* Prepares the handle for the next attempt. */
int pw_transfer_begin(struct pw_transfer *transfer, struct pw_err *err) PW_MUSTCHECK;
/*
 * Judges an attempt that ended with CODE. PW_TRANSFER_AGAIN: not_before_ns says from when on. *err is filled
 * for both of the others than PW_TRANSFER_DONE.
 */
enum pw_transfer_end pw_transfer_judge(struct pw_transfer *transfer, CURLcode code, struct pw_err *err);

#endif
