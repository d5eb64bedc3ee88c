/* SPDX-License-Identifier: MIT */
/*
 * Where things are when nobody said so: the state directory, the working
 * directory, the database. Looks at the environment and at permissions; makes
 * nothing and connects to nothing.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/settings.h"

#define EMBEDDED "embedded:"

static char *
joined(const char *dir, const char *rest, struct pw_err *err)
{
	char *path;

	if (asprintf(&path, "%s%s", dir, rest) < 0) {
		pw_err_nomem(err);
		return NULL;
	}
	return path;
}

/* PATH as an absolute one; it need not exist. */
static char *
absolute(const char *path, struct pw_err *err)
{
	char cwd[PATH_MAX], *full;

	if (path[0] == '/')
		return joined(path, "", err);
	if (!getcwd(cwd, sizeof(cwd))) {
		pw_err_errno(err, "%s: current directory", path);
		return NULL;
	}
	if (asprintf(&full, "%s/%s", cwd, path) < 0) {
		pw_err_nomem(err);
		return NULL;
	}
	return full;
}

/* An absolute path from the environment, or NULL. */
static const char *
directory_from_environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static const char *
home(void)
{
	const char *value = directory_from_environment("HOME");
	const struct passwd *pw;

	if (value)
		return value;
	pw = getpwuid(geteuid());
	return pw && pw->pw_dir && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
}

char *
pw_settings_state_directory(const struct pw_settings *settings, struct pw_err *err)
{
	const char *named = pw_settings_text(settings, PW_SETTING_state_directory), *value;

	if (named)
		return absolute(named, err);
	if (geteuid() == 0)
		return joined("/var/lib/pulp-worker", "", err);
	value = directory_from_environment("STATE_DIRECTORY");
	if (value) { /* systemd lists several, separated by colons */
		char *first = joined(value, "", err);

		if (first)
			first[strcspn(first, ":")] = '\0';
		return first;
	}
	value = directory_from_environment("XDG_STATE_HOME");
	if (value)
		return joined(value, "/pulp-worker", err);
	value = home();
	if (value)
		return joined(value, "/.local/state/pulp-worker", err);
	pw_err_set(err, PW_ERR_CONFIG, "no state directory: set PULP_STATE_DIRECTORY (HOME is not set and user %d has no account)",
		   (int)geteuid());
	return NULL;
}

/* Whether PATH, or the nearest folder above it that exists, can be written to. */
static bool
can_write(const char *path)
{
	char up[PATH_MAX];
	char *slash;

	if (snprintf(up, sizeof(up), "%s", path) >= (int)sizeof(up))
		return false;
	while (faccessat(AT_FDCWD, *up ? up : "/", W_OK | X_OK, AT_EACCESS) < 0) {
		slash = strrchr(up, '/');
		if (errno != ENOENT || !slash || !*up)
			return false;
		*slash = '\0';
	}
	return true;
}

char *
pw_settings_working_directory(const struct pw_settings *settings, struct pw_err *err)
{
	const char *text = pw_settings_text(settings, PW_SETTING_working_directory);
	bool unset = strcmp(pw_settings_source(settings, PW_SETTING_working_directory), "default") == 0;
	pw_auto_free char *state = NULL;

	if (!unset || can_write(text))
		return absolute(text, err);
	state = pw_settings_state_directory(settings, err);
	return state ? joined(state, "/tmp", err) : NULL;
}

char *
pw_settings_database(const struct pw_settings *settings, struct pw_err *err)
{
	static const char *const names[] = { "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE", "PGUSER" };
	const char *text = pw_settings_text(settings, PW_SETTING_database);

	if (text)
		return joined(text, "", err);
	for (size_t i = 0; i < PW_COUNT(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return joined("", "", err);
	}
	pw_err_set(err, PW_ERR_CONFIG, "no database is configured: set PULP_DATABASE to a connection string such as postgresql://user@host/pulp,");
	if (err)
		err->hint = "or set PULP_DATABASE=embedded: to have a private PostgreSQL made and started for you";
	return NULL;
}

bool
pw_database_is_embedded(const char *text, const char **ret_dir)
{
	if (!text || strncmp(text, EMBEDDED, strlen(EMBEDDED)) != 0)
		return false;
	*ret_dir = text + strlen(EMBEDDED);
	return true;
}
