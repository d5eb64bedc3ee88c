/* SPDX-License-Identifier: MIT */
/*
 * The table of settings in force, in every program. Each value is checked when
 * it is set, wherever it comes from, so that those who read one need not look
 * again. Where directories and databases come from when nobody named one
 * stands in places.c.
 */

#include "conf/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "conf/ini.h"

enum kind {
	KIND_TEXT,
	KIND_INT,
	KIND_BOOL,
	KIND_DURATION_S,
	KIND_DURATION_MIN,
	KIND_SIZE,
	KIND_LIST
};
enum level { LEVEL_DEFAULT, LEVEL_FILE, LEVEL_ENVIRONMENT, LEVEL_OPTION };

#define FILE_LIMIT ((size_t)1 << 20)
#define MIB (INT64_C(1) << 20)
#define LONGEST (INT64_C(365) * 86400 * PW_SEC)

static const struct setting {
	const char *name;
	enum kind kind;
	const char *def;
} table[PW_SETTING_COUNT] = {
#define S(name, kind, def, programs, reload, help) { #name, KIND_##kind, def },
#include "conf/settings.def"
#undef S
};

/* What a number must lie between; a setting that is not here may be anything from 0 (durations: to a year). */
static const struct {
	int64_t min, max;
} ranges[PW_SETTING_COUNT] = {
	[PW_SETTING_slots] = { 1, 10000 },
	[PW_SETTING_worker_ttl] = { PW_SEC, 86400 * PW_SEC },
	[PW_SETTING_poll_interval] = { 100 * PW_MS, 3600 * PW_SEC },
	[PW_SETTING_task_log_limit] = { 0, 64 * MIB },
};

struct value {
	char *text, *source; /* NULL: no value; a source that needs no text of its own */
	int64_t number;
	enum level level;
	int line; /* in the file */
};

struct pw_settings {
	struct value values[PW_SETTING_COUNT];
};

const char *
pw_setting_name(enum pw_setting which)
{
	return table[which].name;
}

static bool
is_duration(enum kind kind)
{
	return kind == KIND_DURATION_S || kind == KIND_DURATION_MIN;
}

static int
parse_int(const char *text, int64_t *ret_number, struct pw_err *err)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || *end || errno || strchr(" \t\n\v\f\r", text[0]))
		return pw_err_set(err, PW_ERR_INPUT, "'%s' is not a number", text);
	*ret_number = number;
	return 0;
}

static int
parse_bool(const char *text, int64_t *ret_number, struct pw_err *err)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < PW_COUNT(words); i++)
		if (strcasecmp(text, words[i]) == 0) {
			*ret_number = i % 2;
			return 0;
		}
	return pw_err_set(err, PW_ERR_INPUT, "'%s' is neither yes nor no", text);
}

static void
number_text(enum kind kind, int64_t number, char *buf, size_t size)
{
	if (is_duration(kind))
		pw_duration_text(number, buf, size);
	else
		snprintf(buf, size, "%" PRId64, number);
}

static int
check_range(enum pw_setting which, const char *text, int64_t number, struct pw_err *err)
{
	enum kind kind = table[which].kind;
	int64_t min = ranges[which].min, max = ranges[which].max;
	char least[32], most[32];

	if (!max)
		max = is_duration(kind) ? LONGEST : INT64_MAX;
	if (number >= min && number <= max)
		return 0;
	number_text(kind, min, least, sizeof(least));
	number_text(kind, max, most, sizeof(most));
	return pw_err_set(err, PW_ERR_INPUT, "'%s' is out of range, allowed is %s to %s", text, least, most);
}

static int
check_text(enum pw_setting which, const char *text, struct pw_err *err)
{
	static const char *const levels[] = { "error", "warning", "info", "debug", NULL };

	if (!pw_utf8_valid(text, strlen(text)))
		return pw_err_set(err, PW_ERR_INPUT, "not UTF-8 text");
	if (!*text && table[which].kind != KIND_LIST)
		return pw_err_set(err, PW_ERR_INPUT, "a value is missing");
	if (which == PW_SETTING_database && strcmp(text, "embedded") == 0)
		return pw_err_set(err, PW_ERR_INPUT,
				  "'embedded' lacks its colon: 'embedded:' is the private PostgreSQL, 'dbname=embedded' a database of that name");
	if (which == PW_SETTING_log_level) {
		for (size_t i = 0; levels[i]; i++)
			if (strcmp(levels[i], text) == 0)
				return 0;
		return pw_err_set(err, PW_ERR_INPUT, "'%s' is not a level (error, warning, info or debug)", text);
	}
	return 0;
}

static int
parse_value(enum pw_setting which, const char *text, int64_t *ret_number, struct pw_err *err)
{
	int64_t number = 0;
	int failed;

	if (check_text(which, text, err) < 0)
		return -1;
	switch (table[which].kind) {
	case KIND_INT:
		failed = parse_int(text, &number, err);
		break;
	case KIND_BOOL:
		failed = parse_bool(text, &number, err);
		break;
	case KIND_SIZE:
		failed = pw_size_parse(text, &number, err);
		break;
	case KIND_DURATION_S:
		failed = pw_duration_parse(text, PW_SEC, &number, err);
		break;
	case KIND_DURATION_MIN:
		failed = pw_duration_parse(text, 60 * PW_SEC, &number, err);
		break;
	default:
		*ret_number = 0;
		return 0;
	}
	if (failed < 0 || check_range(which, text, number, err) < 0)
		return -1;
	*ret_number = number;
	return 0;
}

/* Takes the value up unless one of a higher level is in force; it is checked in any case. */
static int
set(struct pw_settings *settings, enum pw_setting which, enum level level, const char *text,
    const char *file, int line, struct pw_err *err)
{
	struct value *value = &settings->values[which];
	pw_auto_free char *copy = NULL, *source = NULL;
	int64_t number;

	if (parse_value(which, text, &number, err) < 0)
		return -1;
	if (level < value->level)
		return 0;
	copy = strdup(text);
	if (!copy || (file && asprintf(&source, "%s:%d", file, line) < 0))
		return pw_err_nomem(err);
	free(value->text);
	free(value->source);
	*value = (struct value){ .text = pw_steal_ptr(&copy), .source = pw_steal_ptr(&source),
		.number = number, .level = level, .line = line };
	return 0;
}

/* As many slots as this process may use CPUs. */
static int
cpu_count(void)
{
	cpu_set_t cpus;
	long count;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		return CPU_COUNT(&cpus);
	count = sysconf(_SC_NPROCESSORS_ONLN);
	return count > 0 ? (int)count : 1;
}

int
pw_settings_new(struct pw_settings **ret_settings, struct pw_err *err)
{
	struct pw_settings *settings = calloc(1, sizeof(*settings));
	char cpus[16];

	if (!settings)
		return pw_err_nomem(err);
	snprintf(cpus, sizeof(cpus), "%d", cpu_count());
	for (int i = 0; i < PW_SETTING_COUNT; i++) {
		const char *def = i == PW_SETTING_slots ? cpus : table[i].def;

		if (def &&
		    set(settings, (enum pw_setting)i, LEVEL_DEFAULT, def, NULL, 0, err) < 0) {
			pw_settings_free(settings);
			return -1;
		}
	}
	*ret_settings = settings;
	return 0;
}

struct pw_settings *
pw_settings_free(struct pw_settings *settings)
{
	if (!settings)
		return NULL;
	for (int i = 0; i < PW_SETTING_COUNT; i++) {
		free(settings->values[i].text);
		free(settings->values[i].source);
	}
	free(settings);
	return NULL;
}

int
pw_settings_set_option(struct pw_settings *settings, enum pw_setting which, const char *value,
		       struct pw_err *err)
{
	char name[64];

	if (set(settings, which, LEVEL_OPTION, value, NULL, 0, err) == 0)
		return 0;
	snprintf(name, sizeof(name), "%s", table[which].name);
	for (char *p = name; *p; p++)
		if (*p == '_')
			*p = '-';
	return pw_err_prefix(err, "--%s", name);
}

static int
load_environment(struct pw_settings *settings, struct pw_err *err)
{
	for (int i = 0; i < PW_SETTING_COUNT; i++) {
		char name[64] = "PULP_";
		const char *text;

		for (size_t n = 5, k = 0; table[i].name[k] && n < sizeof(name) - 1; k++) {
			char c = table[i].name[k];

			name[n++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
			name[n] = '\0';
		}
		text = getenv(name);
		/* An empty variable is as good as none, except where nothing is an answer: no trusted plugins. */
		if (!text || (!*text && table[i].kind != KIND_LIST))
			continue;
		if (set(settings, (enum pw_setting)i, LEVEL_ENVIRONMENT, text, NULL, 0, err) < 0) {
			if (err && err->kind == PW_ERR_INPUT)
				err->kind = PW_ERR_CONFIG;
			return pw_err_prefix(err, "%s", name);
		}
	}
	return 0;
}

struct loading {
	struct pw_settings *settings;
	const char *file;
	int lines[PW_SETTING_COUNT];
};

static int
unknown_key(const char *key, struct pw_err *err)
{
	const char *names[PW_SETTING_COUNT + 1] = { NULL }, *closest;

	for (int i = 0; i < PW_SETTING_COUNT; i++)
		names[i] = table[i].name;
	closest = pw_text_closest(key, names);
	if (closest)
		return pw_err_set(err, PW_ERR_CONFIG, "unknown key '%.60s', did you mean '%s'?", key, closest);
	return pw_err_set(err, PW_ERR_CONFIG, "unknown key '%.60s'", key);
}

static int
load_entry(void *arg, const struct pw_ini_entry *entry, int *column, struct pw_err *err)
{
	struct loading *loading = arg;
	int which = 0;

	while (which < PW_SETTING_COUNT && strcmp(table[which].name, entry->key) != 0)
		which++;
	if (which == PW_SETTING_COUNT)
		return unknown_key(entry->key, err);
	if (loading->lines[which])
		return pw_err_set(err, PW_ERR_CONFIG, "'%s' was given in line %d already", entry->key, loading->lines[which]);
	loading->lines[which] = entry->line;
	if (!*entry->value && table[which].kind != KIND_LIST)
		return 0; /* as an empty variable */
	*column = entry->value_column;
	if (set(loading->settings, (enum pw_setting)which, LEVEL_FILE, entry->value, loading->file,
		entry->line, err) < 0)
		return pw_err_prefix(err, "%s", entry->key);
	return 0;
}

static int
load_file(struct pw_settings *settings, const char *file, struct pw_err *err)
{
	struct loading loading = { .settings = settings, .file = file };
	pw_auto_buf text = PW_BUF_INIT;

	if (pw_file_read(file, FILE_LIMIT, &text, err) < 0) {
		if (err && err->kind != PW_ERR_NOMEM)
			err->kind = PW_ERR_CONFIG;
		return pw_err_prefix(err, "configuration file");
	}
	return pw_ini_parse(file, text.data, text.len, load_entry, &loading, err);
}

int
pw_settings_load(struct pw_settings *settings, const char *config_file, struct pw_err *err)
{
	/* Where "make install" puts the sample, and where the manual page says. */
	static const char *const usual[] = { PULP_SYSCONF_DIR "/pulp/pulp-worker.conf", "/etc/pulp/pulp-worker.conf" };
	const char *named = config_file ? config_file : getenv("PULP_CONFIG");

	if (!named || (!config_file && !*named)) {
		named = NULL;
		for (size_t i = 0; i < PW_COUNT(usual) && !named; i++)
			if (access(usual[i], F_OK) == 0)
				named = usual[i];
	}
	if (named && load_file(settings, named, err) < 0)
		return -1;
	return load_environment(settings, err);
}

const char *
pw_settings_text(const struct pw_settings *settings, enum pw_setting which)
{
	return settings->values[which].text;
}

int64_t
pw_settings_int(const struct pw_settings *settings, enum pw_setting which)
{
	return settings->values[which].number;
}

int64_t
pw_settings_ns(const struct pw_settings *settings, enum pw_setting which)
{
	return settings->values[which].number;
}

bool
pw_settings_lists(const struct pw_settings *settings, enum pw_setting which, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = settings->values[which].text; p && *p;) {
		size_t n = strcspn(p, ":, ");

		if (n == len && memcmp(p, word, len) == 0)
			return true;
		p += n + strspn(p + n, ":, ");
	}
	return false;
}

bool
pw_settings_is_default(const struct pw_settings *settings, enum pw_setting which)
{
	return settings->values[which].level == LEVEL_DEFAULT;
}

const char *
pw_settings_source(const struct pw_settings *settings, enum pw_setting which)
{
	static const char *const names[] = { "default", "file", "environment", "option" };
	const struct value *value = &settings->values[which];

	return value->source ? value->source : names[value->level];
}
