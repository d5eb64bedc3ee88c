/* SPDX-License-Identifier: MIT */
/* The parts of the program pulp-plugin. */
#ifndef PW_CMD_PULP_PLUGIN_H
#define PW_CMD_PULP_PLUGIN_H

#include <jansson.h>
#include <stdbool.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/err.h"
#include "plugin/meta.h"

/* The options, as they were given. */
struct pulp_plugin_options {
	bool json, force;
	const char *into, *timeout;
};
extern struct pulp_plugin_options pulp_plugin_options;

/* The plugin path in force. Borrowed. */
const char *pulp_plugin_path(void);

/* What is wrong with a plugin. */
struct check {
	struct pw_plugin_meta *meta; /* NULL if it could not be read */
	char **problems;
	size_t count;
	struct pw_buf output; /* what its code said while it was loaded */
	bool nomem;
};

#define CHECK_INIT { NULL, NULL, 0, PW_BUF_INIT, false }

/* Reads the plugin and loads it once in a child. -1 only if that could not be done; problems of the plugin are no failure. */
int check_plugin(const char *path, struct check *check, struct pw_err *err) PW_MUSTCHECK;
void check_add(struct check *check, const char *fmt, ...) PW_PRINTF(2, 3);
void check_done(struct check *check);
/* Prints the problems and the output on standard error, the file under the name SHOWN. */
void check_print(const struct check *check, const char *shown);
/* A new array of the problems' texts. */
json_t *check_json(const struct check *check);

/*
 * Loads PATH in a child that is thrown away, and waits for it at most TIMEOUT_NS. What is wrong is added to CHECK, what the
 * plugin's code printed to its output. -1 if there could be no child.
 */
int trial_run(const char *path, int64_t timeout_ns, struct check *check, struct pw_err *err) PW_MUSTCHECK;

/* One plugin as a new JSON object; the tasks' names are whole ("module.task"). */
json_t *plugin_json(const struct pw_plugin_meta *meta);

/* The verbs. TRIAL is not for people: it is the child's side of trial_run. */
int pulp_plugin_inspect(int argc, char **argv);
int pulp_plugin_check(int argc, char **argv);
int pulp_plugin_install(int argc, char **argv);
int pulp_plugin_list(int argc, char **argv);
int pulp_plugin_remove(int argc, char **argv);
int pulp_plugin_new(int argc, char **argv);
int pulp_plugin_trial(int argc, char **argv);

#endif
