/* SPDX-License-Identifier: MIT */
/* pulp-task db: the schema, and the private PostgreSQL. */
#ifndef PW_CMD_TASK_DB_H
#define PW_CMD_TASK_DB_H

#include "conf/settings.h"

/*
 * ARGV[0] is install, uninstall, check, rotate-key or stop; "--json" and "--yes" may follow. Says on standard output
 * what was done or found. Returns the exit status: 69 if the database cannot be reached, 78 if the schema
 * is missing, older or newer, or cannot be installed as things are.
 */
int pw_task_db_main(int argc, char **argv, struct pw_settings *settings);

#endif
