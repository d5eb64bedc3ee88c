/* SPDX-License-Identifier: MIT */
/* Reading and checking the lines of dispatch-many. What is refused here is what dispatch_tasks in the database would refuse. */
#include "cmd/task_lines.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/pep440.h"
#include "base/uuid.h"
#include "cmd/task.h"
#include "task/json.h"

#define INPUT_LIMIT ((size_t)256 << 20)

/* What may stand in a line. */
static const struct member {
	const char *name, *wanted;
	json_type type; /* JSON_TRUE: a boolean */
	bool strings;	/* all in it are */
} members[] = {
	{ "func", "a string", JSON_STRING, false },
	{ "args", "an array", JSON_ARRAY, false },
	{ "kwargs", "an object", JSON_OBJECT, false },
	{ "task_group", "a string", JSON_STRING, false },
	{ "exclusive_resources", "an array of strings", JSON_ARRAY, true },
	{ "shared_resources", "an array of strings", JSON_ARRAY, true },
	{ "immediate", "true or false", JSON_TRUE, false },
	{ "deferred", "true or false", JSON_TRUE, false },
	{ "versions", "an object of versions (PEP 440)", JSON_OBJECT, true },
	{ "correlation_id", "a string", JSON_STRING, false },
};

/* Strings of an array, versions of an object. */
static bool
all_strings(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
		if (!json_is_string(item))
			return false;
	json_object_foreach(value, key, item)
		if (!*key || !json_is_string(item) || !pw_version_valid(json_string_value(item)))
			return false;
	return true;
}

/* As pw_leaves_in_arguments. */
static bool
any_leaf(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_array(value) && !json_is_object(value))
		return true;
	json_array_foreach(value, i, item)
		if (any_leaf(item))
			return true;
	json_object_foreach(value, key, item)
		if (any_leaf(item))
			return true;
	return false;
}

static int
say_unknown(const char *name, struct pw_err *err)
{
	pw_auto_buf known = PW_BUF_INIT;

	for (size_t i = 0; i < PW_COUNT(members); i++)
		if (pw_buf_addf(&known, "%s%s", i ? ", " : "", members[i].name) < 0)
			return pw_err_nomem(err);
	return pw_err_set(err, PW_ERR_INPUT, "there is no argument '%.60s'; there are: %s", name, pw_buf_text(&known));
}

static int
check_member(const char *name, json_t *value, struct pw_err *err)
{
	const struct member *member = NULL;
	bool right;

	for (size_t i = 0; i < PW_COUNT(members) && !member; i++)
		if (strcmp(members[i].name, name) == 0)
			member = &members[i];
	if (!member)
		return say_unknown(name, err);
	if (json_is_null(value) && member != members) /* as if it were not there */
		return 0;
	right = member->type == JSON_TRUE ? json_is_boolean(value) :
					    json_typeof(value) == member->type;
	if (!right || (member->strings && !all_strings(value)))
		return pw_err_set(err, PW_ERR_INPUT, "%s must be %s", name, member->wanted);
	return 0;
}

/* Of the member NAME; NULL where there is none. */
static const char *
text_of(json_t *task, const char *name)
{
	return json_string_value(json_object_get(task, name));
}

static bool
has(json_t *task, const char *name)
{
	json_t *value = json_object_get(task, name);

	return value && !json_is_null(value);
}

static int
check_func(const char *func, struct pw_err *err)
{
	bool dot = false;

	if (!func)
		return pw_err_set(err, PW_ERR_INPUT, "func is missing");
	for (const char *p = func; *p; p++) {
		bool at_end = p == func || !p[1];

		if (isspace((unsigned char)*p) || (*p == '.' && (at_end || p[1] == '.')))
			return pw_err_set(err, PW_ERR_INPUT, "func '%.100s' is not <module>.<name>", func);
		dot |= *p == '.';
	}
	return dot ? 0 : pw_err_set(err, PW_ERR_INPUT, "func '%.100s' has no dot: it is <module>.<name>", func);
}

static int
check_resources(struct pw_line *line, json_t *list, struct pw_err *err)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *name = json_string_value(item);

		if (!*name || strncmp(name, "shared:", 7) == 0)
			return pw_err_set(err, PW_ERR_INPUT, "resource '%.60s' is not a resource name: it is empty or begins with shared:", name);
		line->resources++;
	}
	return 0;
}

static int
check_id(json_t *task, const char *name, struct pw_err *err)
{
	const char *text = text_of(task, name);
	struct pw_uuid id;

	return text && pw_uuid_parse(text, &id, err) < 0 ? pw_err_prefix(err, "%s", name) : 0;
}

static int
check_task(struct pw_lines *lines, struct pw_line *line, json_t *task, struct pw_err *err)
{
	static const char *const secret[] = { "args", "kwargs" };
	const char *name;
	json_t *value;

	json_object_foreach(task, name, value)
		if (check_member(name, value, err) < 0)
			return -1;
	if (check_func(text_of(task, "func"), err) < 0 ||
	    check_resources(line, json_object_get(task, "exclusive_resources"), err) < 0 ||
	    check_resources(line, json_object_get(task, "shared_resources"), err) < 0 ||
	    check_id(task, "task_group", err) < 0 || check_id(task, "correlation_id", err) < 0)
		return -1;
	if (json_is_false(json_object_get(task, "deferred")))
		return pw_err_set(err, PW_ERR_INPUT, "deferred cannot be false, since many at once are left to workers: dispatch such a task by itself");
	line->group = has(task, "task_group");
	line->correlation_id = has(task, "correlation_id");
	if (!has(task, "versions"))
		line->plugin = pw_plugin_set_find(lines->plugins, text_of(task, "func"));
	for (size_t i = 0; i < PW_COUNT(secret); i++)
		lines->secret |= has(task, secret[i]) && any_leaf(json_object_get(task, secret[i]));
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* From TEXT to STOP. Empty lines are nobody's. */
static int
take_line(struct pw_lines *lines, int number, const char *text, const char *stop,
	  struct pw_err *err)
{
	const char *first = text, *last = stop;
	pw_auto_json *task = NULL;
	struct pw_line *line;

	while (first < last && is_blank(*first))
		first++;
	while (last > first && is_blank(last[-1]))
		last--;
	if (first == last)
		return 0;
	line = &lines->items[lines->count++];
	*line = (struct pw_line){ .text = first, .len = (size_t)(last - first), .number = number };
	if (pw_json_take(lines->name, number, text, (size_t)(stop - text), JSON_OBJECT, &task,
			 err) < 0)
		return -1;
	return check_task(lines, line, task, err) < 0 ? pw_err_prefix(err, "%s:%d", lines->name, number) : 0;
}

static int
take_lines(struct pw_lines *lines, struct pw_err *err)
{
	const char *p = pw_buf_text(&lines->input), *end = p + lines->input.len;
	size_t room = 1;

	for (const char *c = p; c < end; c++)
		room += *c == '\n';
	lines->items = calloc(room, sizeof(*lines->items));
	if (!lines->items)
		return pw_err_nomem(err);
	for (int number = 1; p < end; number++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		if (take_line(lines, number, p, newline ? newline : end, err) < 0)
			return -1;
		p = newline ? newline + 1 : end;
	}
	return 0;
}

int
pw_lines_read(struct pw_lines *lines, const char *file, const char *plugin_path, struct pw_err *err)
{
	bool from_stdin = strcmp(file, "-") == 0;

	lines->name = from_stdin ? "standard input" : file;
	if (pw_plugin_set_scan(plugin_path, &lines->plugins, err) < 0)
		return -1;
	if (from_stdin ? pw_cmd_read_stdin(INPUT_LIMIT, &lines->input, err) < 0 :
			 pw_file_read(file, INPUT_LIMIT, &lines->input, err) < 0)
		return -1;
	return take_lines(lines, err);
}

void
pw_lines_done(struct pw_lines *lines)
{
	pw_buf_done(&lines->input);
	free(lines->items);
	pw_plugin_set_free(lines->plugins);
}
