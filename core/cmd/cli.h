/* SPDX-License-Identifier: MIT */
/*
 * What all our programs do alike on the command line. A program describes
 * itself in tables and calls pw_cli_main(); --help, --version and --color, the
 * usage errors (with the closest word suggested), the order of options and
 * arguments and the exit status come from here.
 *
 * Options may stand before or after the verb and its arguments; "--" ends them.
 */
#ifndef PW_CMD_CLI_H
#define PW_CMD_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* The values of an option that may be given several times. All zero at first; the program never frees it. */
struct pw_cli_list {
	const char **items;
	size_t count;
};

/* One option. Of flag, text, list and call one is set. A table ends with an option whose name is NULL. */
struct pw_cli_option {
	const char *name;	  /* "json" for --json */
	char letter;		  /* 'j' for -j too, or 0 */
	const char *value;	  /* what --help calls its value ("FILE"), NULL for a flag */
	const char *help;	  /* one line, without full stop; NULL: not shown */
	bool *flag;		  /* becomes true */
	const char **text;	  /* becomes the value (the last one wins) */
	struct pw_cli_list *list; /* gets the value at its end */
	int (*call)(int which, const char *value, struct pw_err *err); /* judges the value; its error becomes a usage error */
	int which;		  /* for call */
};

/* One verb. A table ends with a verb whose name is NULL. */
struct pw_cli_verb {
	const char *name;      /* "install", or two words: "group create"; "" in a program without verbs */
	const char *arguments; /* for --help: "FILE", or NULL */
	int min, max;	       /* how many arguments; max -1: any number */
	const char *help;      /* one line, without full stop; NULL: a verb that is not shown */
	const struct pw_cli_option *options; /* or NULL */
	int (*run)(int argc, char **argv);   /* gets the arguments alone; returns the exit status */
};

struct pw_cli_program {
	const char *name;
	const char *help; /* one line */
	const struct pw_cli_verb *verbs;
	const struct pw_cli_option *options; /* of all verbs, or NULL */
	const char *(*libraries)(void);	     /* second line of --version: "libpq 15.20, jansson 2.14", or NULL */
	const char *more;		     /* further text for --help, or NULL */
};

/* Reads the command line, runs the verb, and makes sure that all output was written. Returns the exit status. */
int pw_cli_main(const struct pw_cli_program *program, int argc, char **argv);

/* Prints "PROGRAM: text" and where help is found, on standard error. Returns 64. */
int pw_cli_usage(const char *fmt, ...) PW_PRINTF(1, 2);
/* The same, for a WORD that is none of WORDS (which end with NULL): "PROGRAM: unknown WHAT 'WORD': did you mean 'x'?" */
int pw_cli_usage_word(const char *what, const char *word, const char *const *words);
/* Prints "PROGRAM: text" on standard error. Returns the exit status for this kind of error. */
int pw_cli_fail(const struct pw_err *err);
/* Prints "PROGRAM: text" on standard error: something to know that does not stop the program. */
void pw_cli_warn(const char *fmt, ...) PW_PRINTF(1, 2);

/* Writes out what was printed. Also where that failed earlier. */
int pw_cli_flush(struct pw_err *err) PW_MUSTCHECK;

/* Frees what a program keeps to its end, so that leak checkers have nothing to say. Called by pw_cli_main. */
void pw_cli_list_clear(struct pw_cli_list *list);

#endif
