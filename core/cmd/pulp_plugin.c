/* SPDX-License-Identifier: MIT */
/*
 * The program pulp-plugin: what plugin authors and operators do with plugin
 * files. It knows no database. Plugin code never runs in its main process;
 * check and install load a plugin once in a child (pulp_plugin_trial.c).
 */
#include "cmd/pulp_plugin.h"

#include <libsmartcols.h>
#include <stdio.h>

#include "cmd/cli.h"
#include "conf/settings.h"

struct pulp_plugin_options pulp_plugin_options;

static struct pw_settings *settings;
static const char *config_file;

static int
set_setting(int which, const char *value, struct pw_err *err)
{
	return pw_settings_set_option(settings, (enum pw_setting)which, value, err);
}

const char *
pulp_plugin_path(void)
{
	const char *path = pw_settings_text(settings, PW_SETTING_plugin_path);

	return path ? path : "";
}

/* Loads the settings before a verb that looks at the plugin path. Returns an exit status. */
static int
with_settings(int (*verb)(int argc, char **argv), int argc, char **argv)
{
	struct pw_err err;

	if (pw_settings_load(settings, config_file, &err) < 0)
		return pw_cli_fail(&err);
	return verb(argc, argv);
}

static int
list(int argc, char **argv)
{
	return with_settings(pulp_plugin_list, argc, argv);
}

static int
install(int argc, char **argv)
{
	return with_settings(pulp_plugin_install, argc, argv);
}

static int
remove_plugin(int argc, char **argv)
{
	return with_settings(pulp_plugin_remove, argc, argv);
}

#define JSON_OPTION { .name = "json", .help = "print one JSON document", .flag = &pulp_plugin_options.json }
#define TIMEOUT_OPTION \
	{ .name = "timeout", .value = "TIME", .help = "how long the trial load may take (default: 10s)", .text = &pulp_plugin_options.timeout }
#define PATH_OPTIONS                                                                                                           \
	{ .name = "plugin-path", .value = "DIRS", .help = "directories with plugins, separated by colons", .call = set_setting, \
	  .which = PW_SETTING_plugin_path },                                                                                   \
	{ .name = "config", .value = "FILE", .help = "the configuration file", .text = &config_file }

static const struct pw_cli_option json_options[] = { JSON_OPTION, { .name = NULL } };
static const struct pw_cli_option path_options[] = { JSON_OPTION, PATH_OPTIONS, { .name = NULL } };
static const struct pw_cli_option check_options[] = { JSON_OPTION, TIMEOUT_OPTION, { .name = NULL } };
static const struct pw_cli_option install_options[] = {
	{ .name = "force", .help = "replace a newer version, or another plugin's file", .flag = &pulp_plugin_options.force },
	{ .name = "into", .value = "DIR", .help = "where to put it (default: the first directory of the plugin path)",
	  .text = &pulp_plugin_options.into },
	TIMEOUT_OPTION, JSON_OPTION, PATH_OPTIONS, { .name = NULL },
};

static const struct pw_cli_verb verbs[] = {
	{ "inspect", "FILE", 1, 1, "show what a plugin file says of itself, without running any of it", json_options, pulp_plugin_inspect },
	{ "check", "FILE", 1, 1, "say all that is wrong with a plugin file (loads it once, in a child)", check_options, pulp_plugin_check },
	{ "install", "FILE", 1, 1, "check a plugin file and put it in place", install_options, install },
	{ "list", NULL, 0, 0, "list the installed plugins, and the files that are refused", path_options, list },
	{ "remove", "MODULE|FILE", 1, 1, "remove an installed plugin", path_options, remove_plugin },
	{ "new", "NAME", 1, 1, "write a folder with a plugin to start from", json_options, pulp_plugin_new },
	{ "trial", "FILE", 1, 1, NULL, NULL, pulp_plugin_trial },
	{ .name = NULL },
};

static const char *
libraries(void)
{
	static char text[128];

	snprintf(text, sizeof(text), "jansson %s, libsmartcols %s", jansson_version_str(), LIBSMARTCOLS_VERSION);
	return text;
}

int
main(int argc, char **argv)
{
	static const struct pw_cli_program program = {
		.name = "pulp-plugin",
		.help = "Inspects, checks, installs and starts plugins for pulp-worker",
		.verbs = verbs,
		.libraries = libraries,
		.more = "See pulp-plugin(1), and pulp-plugin(7) for how to write a plugin.",
	};
	struct pw_err err;
	int status;

	if (pw_settings_new(&settings, &err) < 0) {
		fprintf(stderr, "pulp-plugin: %s\n", err.text);
		return pw_err_exit_status(&err);
	}
	status = pw_cli_main(&program, argc, argv);
	settings = pw_settings_free(settings);
	return status;
}
