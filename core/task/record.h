/* SPDX-License-Identifier: MIT */
/*
 * A record: what the database says about a task, a group, a worker. Its fields
 * have the names and the order of Pulp's REST objects, because the queries
 * (core/sql/queries) name their columns so. A field whose name begins with _
 * is for people and programs here and is left out of the JSON. Pure.
 */
#ifndef PW_TASK_RECORD_H
#define PW_TASK_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "task/state.h"

enum pw_field_kind {
	PW_FIELD_TEXT, /* a JSON string */
	PW_FIELD_JSON, /* JSON text as it is: objects, arrays, numbers, booleans */
};

struct pw_record;

/* With room for COUNT fields, all of them null. NULL when out of memory. */
struct pw_record *pw_record_new(size_t count) PW_MUSTCHECK;
struct pw_record *pw_record_free(struct pw_record *record);
/* Sets field INDEX. NAME and VALUE (NULL: null) are copied. -1 when out of memory. */
int pw_record_set(struct pw_record *record, size_t index, const char *name, enum pw_field_kind kind, const char *value) PW_MUSTCHECK;

/* The value as text, NULL if it is null or there is no such field. Borrowed. */
const char *pw_record_get(const struct pw_record *record, const char *name);
/* The same with "" in place of NULL. */
const char *pw_record_text(const struct pw_record *record, const char *name);
int64_t pw_record_int(const struct pw_record *record, const char *name, int64_t otherwise);
bool pw_record_bool(const struct pw_record *record, const char *name);
/* Field "state". */
enum pw_task_state pw_record_state(const struct pw_record *record);

/* Appends the record as a JSON object, one field a line, indented by INDENT blanks; no newline behind it. -1 when out of memory. */
int pw_record_json(const struct pw_record *record, int indent, struct pw_buf *buf) PW_MUSTCHECK;

/* A list of records; owns them. */
struct pw_records {
	struct pw_record **items;
	size_t count;
};

#define PW_RECORDS_INIT { NULL, 0 }
#define pw_auto_records PW_CLEANUP(pw_records_done) struct pw_records
#define pw_auto_record PW_CLEANUP(pw_record_cleanup) struct pw_record
void pw_record_cleanup(struct pw_record **record);
void pw_records_done(struct pw_records *records);
/* Appends a JSON array of all. -1 when out of memory. */
int pw_records_json(const struct pw_records *records, struct pw_buf *buf) PW_MUSTCHECK;

#endif
