/* SPDX-License-Identifier: MIT */
/* The database of a program, from its settings. */
#ifndef PW_EMBEDDED_OPEN_H
#define PW_EMBEDDED_OPEN_H

#include "conf/settings.h"

/*
 * Gives the connection string to use; the caller frees it. Where the setting says "embedded:" the private server is made
 * and started if need be and its schema brought up to date; any other database is not even connected to, and its schema
 * is never installed. Returns 1 where this call started the private server: the program then says so in one line.
 * PW_ERR_CONFIG: nothing is configured, or the folder cannot be used. PW_ERR_DB_LOST: no server programs, or it does not start.
 * A program that becomes a subreaper calls this before, or the server becomes its child.
 */
int pw_database_open(const struct pw_settings *settings, const char *application, char **ret_conninfo, struct pw_err *err) PW_MUSTCHECK;

#endif
