/* SPDX-License-Identifier: MIT */
/*
 * The texts in a plugin's notes: strings, each ended by a NUL, of which the
 * last is known to end inside the note (elf.c). Whatever they hold is refused
 * here by name, or is fit to be printed, logged and stored as it is.
 */
#include "plugin/note.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pep440.h"
#include "base/text.h"

#define NAME_MAX_LEN 200

/* Takes the next string of a note, NULL after the last. */
static const char *
next_text(const char **at, const char *end)
{
	const char *text = *at;

	if (text >= end)
		return NULL;
	*at = text + strlen(text) + 1;
	return text;
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A component of a name: [A-Za-z][A-Za-z0-9_]* without "__" and without a "_" at its end. */
static bool
is_component(const char *text, size_t len)
{
	if (len == 0 || !is_letter(text[0]) || text[len - 1] == '_')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_letter(text[i]) && !isdigit((unsigned char)text[i]) &&
		    (text[i] != '_' || text[i - 1] == '_'))
			return false;
	return true;
}

/* Components with "__" between them. */
static bool
is_task_name(const char *text)
{
	const char *dot;

	if (strlen(text) > NAME_MAX_LEN)
		return false;
	while ((dot = strstr(text, "__")) != NULL) {
		if (!is_component(text, (size_t)(dot - text)))
			return false;
		text = dot + 2;
	}
	return is_component(text, strlen(text));
}

/* "app_label__model": two components, no more. */
static bool
is_resource_type(const char *text)
{
	const char *dot = strstr(text, "__");

	return dot && !strstr(dot + 2, "__") && is_task_name(text);
}

static bool
is_name(const char *text)
{
	size_t len = strlen(text);

	return len <= NAME_MAX_LEN && is_component(text, len);
}

/* Python's Pulp registers under these names, and its workers look for them. */
static bool
is_reserved(const char *module)
{
	return strcmp(module, "pulpcore") == 0 || strncmp(module, "pulp_", 5) == 0;
}

int
pw_plugin_check_module(const char *text, struct pw_err *err)
{
	if (!is_name(text))
		return pw_err_set(err, PW_ERR_INPUT, "bad module name '%.100s'", text);
	if (is_reserved(text))
		return pw_err_set(err, PW_ERR_INPUT, "bad module name '%.100s': pulpcore and pulp_* belong to Python's Pulp", text);
	return 0;
}

static int
keep(char **field, const char *text, struct pw_err *err)
{
	*field = strdup(text);
	return *field ? 0 : pw_err_nomem(err);
}

static int
check_doc(const char *doc, struct pw_err *err)
{
	if (!doc)
		return pw_err_set(err, PW_ERR_INPUT, "no doc");
	if (!*doc)
		return pw_err_set(err, PW_ERR_INPUT, "doc is empty");
	if (!pw_utf8_valid(doc, strlen(doc)))
		return pw_err_set(err, PW_ERR_INPUT, "doc is not UTF-8");
	for (const unsigned char *p = (const unsigned char *)doc; *p; p++)
		if (*p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0)) /* C0, DEL, C1 */
			return pw_err_set(err, PW_ERR_INPUT, "doc has a control character");
	return 0;
}

int
pw_note_abi(const struct pw_elf_note *note, int *ret_major, int *ret_minor, struct pw_err *err)
{
	int part[2] = { 0, 0 }, which = 0, digits = 0;

	for (const char *p = note->text; *p; p++) {
		if (*p == '.' && which == 0 && digits) {
			which = 1;
			digits = 0;
		} else if (isdigit((unsigned char)*p) && digits < 5) {
			part[which] = 10 * part[which] + (*p - '0');
			digits++;
		} else {
			digits = 0;
			break;
		}
	}
	if (which == 0 || digits == 0 || part[0] > UINT16_MAX || part[1] > UINT16_MAX)
		return pw_err_set(err, PW_ERR_INPUT, "bad ABI '%.20s'", note->text);
	*ret_major = part[0];
	*ret_minor = part[1];
	return 0;
}

int
pw_note_plugin(const struct pw_elf_note *note, struct pw_plugin_meta *meta, struct pw_err *err)
{
	const char *at = note->text, *end = note->text + note->len;
	const char *module, *label, *version, *doc;

	next_text(&at, end); /* the ABI, read before */
	module = next_text(&at, end);
	label = next_text(&at, end);
	version = next_text(&at, end);
	doc = next_text(&at, end);
	if (pw_plugin_check_module(module ? module : "", err) < 0)
		return -1;
	if (!label || !is_name(label))
		return pw_err_set(err, PW_ERR_INPUT, "bad label '%.100s'", label ? label : "");
	if (!version || !pw_version_valid(version))
		return pw_err_set(err, PW_ERR_INPUT, "version '%.100s' is not PEP 440", version ? version : "");
	if (check_doc(doc, err) < 0)
		return pw_err_prefix(err, "PULP_PLUGIN");
	if (keep(&meta->module, module, err) < 0 || keep(&meta->label, label, err) < 0 ||
	    pw_version_normal(version, &meta->version, err) < 0 || keep(&meta->doc, doc, err) < 0)
		return -1;
	return 0;
}

/* The part of an option after NAME and "=", or NULL if it is another one. */
static const char *
option_value(const char *option, const char *name)
{
	size_t len = strlen(name);

	return strncmp(option, name, len) == 0 && option[len] == '=' ? option + len + 1 : NULL;
}

static int
read_option(const char *option, struct pw_plugin_task *task, struct pw_err *err)
{
	const char *value;
	int64_t n;

	if (strcmp(option, "immediate") == 0 && !task->resource) {
		if (task->immediate)
			return pw_err_set(err, PW_ERR_INPUT, "option immediate: given twice");
		task->immediate = true;
	} else if ((value = option_value(option, "timeout"))) {
		if (task->timeout_ns)
			return pw_err_set(err, PW_ERR_INPUT, "option timeout: given twice");
		if (pw_duration_parse(value, PW_SEC, &n, err) < 0)
			return pw_err_prefix(err, "option timeout");
		if (n == 0)
			return pw_err_set(err, PW_ERR_INPUT, "option timeout: '%.40s' is no time at all", value);
		task->timeout_ns = n;
	} else if ((value = option_value(option, "memory"))) {
		if (task->memory_bytes)
			return pw_err_set(err, PW_ERR_INPUT, "option memory: given twice");
		if (pw_size_parse(value, &n, err) < 0)
			return pw_err_prefix(err, "option memory");
		if (n == 0)
			return pw_err_set(err, PW_ERR_INPUT, "option memory: '%.40s' is no memory at all", value);
		task->memory_bytes = n;
	} else {
		return pw_err_set(err, PW_ERR_INPUT, "unknown option '%.40s'", option);
	}
	return 0;
}

/* "files__count" is the task files.count and the symbol pulp_task_files__count. A resource's likewise. */
static int
keep_name(struct pw_plugin_task *task, const char *name, struct pw_err *err)
{
	pw_auto_buf symbol = PW_BUF_INIT;
	char *to;

	if (pw_buf_addf(&symbol, "pulp_%s_%s", pw_note_what(task), name) < 0 || !(task->symbol = pw_buf_steal(&symbol)))
		return pw_err_nomem(err);
	if (keep(&task->name, name, err) < 0)
		return -1;
	to = task->name;
	for (const char *from = name; *from; from++)
		if (from[0] == '_' && from[1] == '_') {
			*to++ = '.';
			from++;
		} else {
			*to++ = *from;
		}
	*to = '\0';
	return 0;
}

const char *
pw_note_what(const struct pw_plugin_task *task)
{
	return task->resource ? "resource" : "task";
}

int
pw_note_task(const struct pw_elf_note *note, struct pw_plugin_task *task, struct pw_err *err)
{
	const char *at = note->text, *end = note->text + note->len;
	const char *name, *doc, *option;

	if (pw_note_abi(note, &task->abi_major, &task->abi_minor, err) < 0)
		return -1;
	next_text(&at, end);
	name = next_text(&at, end);
	task->resource = note->type == PW_NOTE_RESOURCE;
	if (task->resource && (!name || !is_resource_type(name)))
		return pw_err_set(err, PW_ERR_INPUT, "bad resource type '%.100s'", name ? name : "");
	if (!name || !is_task_name(name))
		return pw_err_set(err, PW_ERR_INPUT, "bad task name '%.100s'", name ? name : "");
	if (keep_name(task, name, err) < 0)
		return -1;
	doc = next_text(&at, end);
	if (check_doc(doc, err) < 0)
		return pw_err_prefix(err, "%s %.100s", pw_note_what(task), task->name);
	if (keep(&task->doc, doc, err) < 0)
		return -1;
	while ((option = next_text(&at, end)))
		if (read_option(option, task, err) < 0)
			return pw_err_prefix(err, "%s %.100s", pw_note_what(task), task->name);
	return 0;
}

void
pw_note_task_done(struct pw_plugin_task *task)
{
	free(task->name);
	free(task->symbol);
	free(task->doc);
}
