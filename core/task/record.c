/* SPDX-License-Identifier: MIT */
/*
 * Records as fields with names, and their JSON. JSON values pass through as
 * the text that the database gave, so that no number loses a digit here.
 * Pure; in pulp-task and in the client library.
 */
#include "task/record.h"

#include <stdlib.h>
#include <string.h>

#include "task/json.h"

struct field {
	char *name, *value;
	enum pw_field_kind kind;
};

struct pw_record {
	size_t count;
	struct field fields[];
};

struct pw_record *
pw_record_new(size_t count)
{
	struct pw_record *record = calloc(1, sizeof(*record) + count * sizeof(record->fields[0]));

	if (record)
		record->count = count;
	return record;
}

struct pw_record *
pw_record_free(struct pw_record *record)
{
	if (!record)
		return NULL;
	for (size_t i = 0; i < record->count; i++) {
		free(record->fields[i].name);
		free(record->fields[i].value);
	}
	free(record);
	return NULL;
}

void
pw_record_cleanup(struct pw_record **record)
{
	pw_record_free(*record);
}

int
pw_record_set(struct pw_record *record, size_t index, const char *name, enum pw_field_kind kind,
	      const char *value)
{
	struct field *field = &record->fields[index];
	char *name_copy = strdup(name), *value_copy = value ? strdup(value) : NULL;

	if (!name_copy || (value && !value_copy)) {
		free(name_copy);
		free(value_copy);
		return -1;
	}
	free(field->name);
	free(field->value);
	field->name = name_copy;
	field->value = value_copy;
	field->kind = kind;
	return 0;
}

const char *
pw_record_get(const struct pw_record *record, const char *name)
{
	for (size_t i = 0; i < record->count; i++)
		if (record->fields[i].name && strcmp(record->fields[i].name, name) == 0)
			return record->fields[i].value;
	return NULL;
}

const char *
pw_record_text(const struct pw_record *record, const char *name)
{
	const char *value = pw_record_get(record, name);

	return value ? value : "";
}

int64_t
pw_record_int(const struct pw_record *record, const char *name, int64_t otherwise)
{
	const char *value = pw_record_get(record, name);

	return value ? strtoll(value, NULL, 10) : otherwise;
}

bool
pw_record_bool(const struct pw_record *record, const char *name)
{
	return strcmp(pw_record_text(record, name), "true") == 0;
}

enum pw_task_state
pw_record_state(const struct pw_record *record)
{
	return pw_task_state_of(pw_record_text(record, "state"));
}

static int
add_value(const struct field *field, struct pw_buf *buf)
{
	if (!field->value)
		return pw_buf_adds(buf, "null");
	if (field->kind == PW_FIELD_JSON)
		return pw_buf_adds(buf, field->value);
	return pw_json_quote(field->value, buf);
}

int
pw_record_json(const struct pw_record *record, int indent, struct pw_buf *buf)
{
	const char *before = "{";

	for (size_t i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];

		if (!field->name || field->name[0] == '_')
			continue;
		if (pw_buf_addf(buf, "%s\n%*s", before, indent + 2, "") < 0 || pw_json_quote(field->name, buf) < 0 ||
		    pw_buf_adds(buf, ": ") < 0 || add_value(field, buf) < 0)
			return -1;
		before = ",";
	}
	return *before == '{' ? pw_buf_adds(buf, "{}") : pw_buf_addf(buf, "\n%*s}", indent, "");
}

void
pw_records_done(struct pw_records *records)
{
	for (size_t i = 0; i < records->count; i++)
		pw_record_free(records->items[i]);
	free(records->items);
	records->items = NULL;
	records->count = 0;
}

int
pw_records_json(const struct pw_records *records, struct pw_buf *buf)
{
	if (records->count == 0)
		return pw_buf_adds(buf, "[]");
	for (size_t i = 0; i < records->count; i++)
		if (pw_buf_adds(buf, i ? ",\n  " : "[\n  ") < 0 || pw_record_json(records->items[i], 2, buf) < 0)
			return -1;
	return pw_buf_adds(buf, "\n]");
}
