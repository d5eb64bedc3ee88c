/* SPDX-License-Identifier: MIT */
/*
 * Settings: one table (settings.def), four sources. A command-line option comes
 * before the environment, that before the configuration file (PULP_CONFIG or
 * --config, else /etc/pulp/pulp-worker.conf if it is there), that before the default.
 */
#ifndef PW_CONF_SETTINGS_H
#define PW_CONF_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum pw_setting {
#define S(name, kind, def, programs, reload, help) PW_SETTING_##name,
#include "conf/settings.def"
#undef S
	PW_SETTING_COUNT
};

struct pw_settings;

int pw_settings_new(struct pw_settings **ret_settings, struct pw_err *err) PW_MUSTCHECK;
struct pw_settings *pw_settings_free(struct pw_settings *settings);
/* From the command line. Refuses bad values at once, naming the option. */
int pw_settings_set_option(struct pw_settings *settings, enum pw_setting which, const char *value, struct pw_err *err) PW_MUSTCHECK;
/* Names the file that must then exist. NULL: PULP_CONFIG, else the default file if it is there. */
int pw_settings_load(struct pw_settings *settings, const char *config_file, struct pw_err *err) PW_MUSTCHECK;

/* The value in force, NULL if unset and without default. Borrowed. */
const char *pw_settings_text(const struct pw_settings *settings, enum pw_setting which);
int64_t pw_settings_int(const struct pw_settings *settings, enum pw_setting which); /* also sizes, in bytes, and 0 or 1 for no or yes */
int64_t pw_settings_ns(const struct pw_settings *settings, enum pw_setting which);
/* Whether a list names WORD. */
bool pw_settings_lists(const struct pw_settings *settings, enum pw_setting which, const char *word);
/* "option", "environment", "FILE:LINE" or "default": for messages and --check-config. */
const char *pw_settings_source(const struct pw_settings *settings, enum pw_setting which);
/* Whether nobody has given it a value. */
bool pw_settings_is_default(const struct pw_settings *settings, enum pw_setting which);
const char *pw_setting_name(enum pw_setting which);

/* The state directory in force (architecture: root /var/lib/pulp-worker, else $STATE_DIRECTORY, $XDG_STATE_HOME/pulp-worker, ~/.local/state/pulp-worker). Caller frees. Not created. */
char *pw_settings_state_directory(const struct pw_settings *settings, struct pw_err *err) PW_MUSTCHECK;
/* working_directory, or <state directory>/tmp where it is unset and its default cannot be written. Caller frees. */
char *pw_settings_working_directory(const struct pw_settings *settings, struct pw_err *err) PW_MUSTCHECK;
/* The database to use: the setting; else "" where libpq's environment names one (PGHOST, PGHOSTADDR, PGPORT, PGDATABASE, PGSERVICE or PGUSER);
 * else NULL with PW_ERR_CONFIG and a text of two lines' worth that says what to do. Caller frees. */
char *pw_settings_database(const struct pw_settings *settings, struct pw_err *err) PW_MUSTCHECK;
/* True if TEXT asks for the embedded cluster; *ret_dir is the part after the colon ("" = default), borrowed. */
bool pw_database_is_embedded(const char *text, const char **ret_dir);

#endif
