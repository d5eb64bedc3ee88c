/* SPDX-License-Identifier: MIT */
/*
 * The command line of all our programs, by tables. Runs in the programs' main
 * process only. The state is static: a process has one command line.
 *
 * getopt_long reads the options, twice: those before the verb, then those
 * after it, where both the program's and the verb's own may stand.
 */
#include "cmd/cli.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <pulp/version.h>

#include "base/text.h"
#include "cmd/output.h"

#define OPTIONS_MAX 64
#define WORDS_MAX 64
#define FIRST_CODE 1000 /* long options return this and up, letters themselves */

static const struct pw_cli_program *the_program;
static const struct pw_cli_verb *the_verb;
static bool want_help, want_version;

static int
set_color(int which, const char *value, struct pw_err *err)
{
	(void)which;
	return pw_output_set_color(value) < 0 ? pw_err_set(err, PW_ERR_INPUT, "--color: '%.40s' is none of auto, always, never", value) : 0;
}

static const struct pw_cli_option standard[] = {
	{ .name = "color", .value = "WHEN", .help = "auto, always or never", .call = set_color },
	{ .name = "help", .letter = 'h', .help = "show this help", .flag = &want_help },
	{ .name = "version", .letter = 'V', .help = "show the version", .flag = &want_version },
	{ .name = NULL },
};

/* What getopt_long is given, and which of our options each of its codes is. */
struct parser {
	const struct pw_cli_option *options[OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 1];
	char letters[3 * OPTIONS_MAX + 3];
	size_t count;
};

static const char *
verb_name(void)
{
	return the_verb ? the_verb->name : "";
}

static void
print_error(const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "%s%s:%s ", pw_output_style(2, PW_STYLE_BOLD), the_program->name, pw_output_style(2, PW_STYLE_PLAIN));
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void
pw_cli_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(fmt, ap);
	va_end(ap);
}

int
pw_cli_usage(const char *fmt, ...)
{
	const char *verb = verb_name();
	va_list ap;

	va_start(ap, fmt);
	print_error(fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try '%s%s%s --help'.\n", the_program->name, *verb ? " " : "", verb);
	return EX_USAGE;
}

int
pw_cli_usage_word(const char *what, const char *word, const char *const *words)
{
	const char *closest = pw_text_closest(word, words);

	if (closest)
		return pw_cli_usage("unknown %s '%s': did you mean '%s'?", what, word, closest);
	return pw_cli_usage("unknown %s '%s'", what, word);
}

int
pw_cli_fail(const struct pw_err *err)
{
	pw_cli_warn("%s", err->text);
	if (err->hint)
		fprintf(stderr, "%*s  %s\n", (int)strlen(the_program->name), "", err->hint);
	return pw_err_exit_status(err);
}

void
pw_cli_list_clear(struct pw_cli_list *list)
{
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

static void
parser_add(struct parser *parser, const struct pw_cli_option *options)
{
	for (; options && options->name && parser->count < OPTIONS_MAX; options++) {
		size_t n = parser->count++;
		char *letters = parser->letters + strlen(parser->letters);

		parser->options[n] = options;
		parser->longs[n] = (struct option){ options->name, options->value ? required_argument : no_argument, NULL,
						    FIRST_CODE + (int)n };
		if (options->letter)
			snprintf(letters, 4, "%c%s", options->letter, options->value ? ":" : "");
	}
}

static const struct pw_cli_option *
parser_find(const struct parser *parser, int code)
{
	if (code >= FIRST_CODE)
		return parser->options[code - FIRST_CODE];
	for (size_t i = 0; i < parser->count; i++)
		if (parser->options[i]->letter == code)
			return parser->options[i];
	return NULL;
}

static int
list_add(struct pw_cli_list *list, const char *value, struct pw_err *err)
{
	const char **more = realloc(list->items, (list->count + 1) * sizeof(*more));

	if (!more)
		return pw_err_nomem(err);
	list->items = more;
	list->items[list->count++] = value;
	return 0;
}

static int
take(const struct pw_cli_option *option, const char *value, struct pw_err *err)
{
	if (option->flag)
		*option->flag = true;
	if (option->text)
		*option->text = value;
	if (option->list && list_add(option->list, value, err) < 0)
		return -1;
	return option->call ? option->call(option->which, value, err) : 0;
}

/* Whether the option is one of some verb: it was typed before it. */
static bool
is_of_a_verb(const char *name)
{
	for (const struct pw_cli_verb *verb = the_program->verbs; verb->name; verb++)
		for (const struct pw_cli_option *o = verb->options; o && o->name; o++)
			if (strcmp(o->name, name) == 0)
				return true;
	return false;
}

/* WORD is an option that getopt refused, as it was typed. */
static int
unknown_option(const struct parser *parser, const char *word, int letter)
{
	const char *names[OPTIONS_MAX + 1] = { NULL }, *closest;
	pw_auto_free char *name = NULL;

	if (letter) /* a letter that is none, or a long flag that was given a value */
		return letter >= FIRST_CODE ? pw_cli_usage("--%s takes no value", parser->options[letter - FIRST_CODE]->name) :
					      pw_cli_usage("unknown option -%c", letter);
	for (size_t i = 0; i < parser->count; i++)
		if (parser->options[i]->help)
			names[i] = parser->options[i]->name;
	name = strndup(word + 2, strcspn(word + 2, "="));
	if (name && !the_verb && is_of_a_verb(name))
		return pw_cli_usage("--%s is a verb's option, and stands after it", name);
	closest = name ? pw_text_closest(name, names) : NULL;
	if (closest)
		return pw_cli_usage("unknown option --%s: did you mean --%s?", name, closest);
	return pw_cli_usage("unknown option --%s", name ? name : word + 2);
}

/* Reads options up to the first argument (STOP) or all of them; optind is then at the arguments. Returns 0, or an exit status. */
static int
parse(const struct parser *parser, int argc, char **argv, bool stop)
{
	char letters[sizeof(parser->letters) + 2];
	int code;

	snprintf(letters, sizeof(letters), "%s:%s", stop ? "+" : "", parser->letters);
	opterr = 0;
	optind = 0;
	while ((code = getopt_long(argc, argv, letters, parser->longs, NULL)) != -1) {
		const struct pw_cli_option *option;
		struct pw_err err;

		if (code == '?')
			return unknown_option(parser, argv[optind - 1], optopt);
		option = parser_find(parser, code == ':' ? optopt : code);
		if (code == ':')
			return pw_cli_usage("--%s needs a value: %s", option->name, option->value);
		if (take(option, optarg, &err) < 0)
			return err.kind == PW_ERR_INPUT ? pw_cli_usage("%s", err.text) : pw_cli_fail(&err);
	}
	return 0;
}

static void
print_options(const char *title, const struct pw_cli_option *options)
{
	if (!options || !options->name)
		return;
	printf("\n%s:\n", title);
	for (; options->name; options++) {
		char left[64], letter[5] = "    ";

		if (!options->help)
			continue;
		if (options->letter)
			snprintf(letter, sizeof(letter), "-%c, ", options->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, options->name, options->value ? " " : "",
			 options->value ? options->value : "");
		printf("  %-30s%s%s\n", left, strlen(left) >= 30 ? " " : "", options->help);
	}
}

static void
print_verbs(void)
{
	printf("\nVerbs:\n");
	for (const struct pw_cli_verb *verb = the_program->verbs; verb->name; verb++) {
		char left[64];

		if (!verb->help)
			continue;
		snprintf(left, sizeof(left), "%s%s%s", verb->name, verb->arguments ? " " : "", verb->arguments ? verb->arguments : "");
		printf("  %-30s%s%s\n", left, strlen(left) >= 30 ? " " : "", verb->help);
	}
}

static int
print_help(void)
{
	bool verbs = the_program->verbs[0].name[0] != '\0';

	if (the_verb) {
		const char *help = verbs ? the_verb->help : the_program->help;

		printf("Usage: %s%s%s [OPTION]...%s%s\n", the_program->name, verbs ? " " : "", the_verb->name,
		       the_verb->arguments ? " " : "", the_verb->arguments ? the_verb->arguments : "");
		if (help) /* a hidden verb has none */
			printf("%c%s.\n", toupper((unsigned char)*help), help + 1);
		print_options("Options", the_verb->options);
	} else {
		printf("Usage: %s VERB [OPTION]... [ARGUMENT]...\n%s.\n", the_program->name, the_program->help);
		print_verbs();
	}
	print_options(the_verb && the_verb->options ? "Common options" : "Options", the_program->options);
	print_options(the_program->options || (the_verb && the_verb->options) ? "Also" : "Options", standard);
	if (the_verb && verbs)
		return EX_OK;
	if (the_program->more)
		printf("\n%s\n", the_program->more);
	if (verbs)
		printf("\n'%s VERB --help' tells more about one verb.\n", the_program->name);
	return EX_OK;
}

static int
print_version(void)
{
	printf("%s %s\n", the_program->name, PULP_VERSION);
	if (the_program->libraries)
		printf("%s\n", the_program->libraries());
	return EX_OK;
}

/* Whether ARGV begins with the verb's one or two words; how many, or 0. */
static int
matches(const struct pw_cli_verb *verb, int argc, char **argv)
{
	size_t len = strcspn(verb->name, " ");

	if (argc < 1 || strlen(argv[0]) != len || strncmp(argv[0], verb->name, len) != 0)
		return 0;
	if (verb->name[len] == '\0')
		return 1;
	return argc >= 2 && strcmp(argv[1], verb->name + len + 1) == 0 ? 2 : 0;
}

/* Says which words may stand here: first words of verbs or, after a first word that is right, second ones. */
static int
unknown_verb(int argc, char **argv)
{
	const char *words[WORDS_MAX + 1] = { NULL };
	size_t count = 0, first = strlen(argv[0]);

	for (const struct pw_cli_verb *verb = the_program->verbs; verb->name && count < WORDS_MAX;
	     verb++)
		if (verb->help && strncmp(verb->name, argv[0], first) == 0 &&
		    verb->name[first] == ' ')
			words[count++] = verb->name + first + 1;
	if (count && argc < 2)
		return pw_cli_usage("%s: what? (%s ...)", argv[0], words[0]);
	if (count)
		return pw_cli_usage_word("verb", argv[1], words);
	for (const struct pw_cli_verb *verb = the_program->verbs; verb->name && count < WORDS_MAX;
	     verb++) {
		static char first_words[WORDS_MAX][32];

		if (!verb->help)
			continue;
		snprintf(first_words[count], sizeof(first_words[0]), "%.*s", (int)strcspn(verb->name, " "), verb->name);
		words[count] = first_words[count];
		count++;
	}
	return pw_cli_usage_word("verb", argv[0], words);
}

static int
run(int argc, char **argv)
{
	const struct pw_cli_verb *verb = the_verb;

	if (argc < verb->min && verb->arguments)
		return pw_cli_usage("%s%sarguments are missing: %s", verb->name, *verb->name ? ": " : "", verb->arguments);
	if (verb->max >= 0 && argc > verb->max)
		return pw_cli_usage("%s%sone argument too many: '%s'", verb->name, *verb->name ? ": " : "", argv[verb->max]);
	return verb->run(argc, argv);
}

/* ARGV[0] is the program, or the last word of the verb. */
static int
parse_and_run(int argc, char **argv)
{
	struct parser parser = { .count = 0 };
	int status;

	parser_add(&parser, standard);
	parser_add(&parser, the_program->options);
	parser_add(&parser, the_verb->options);
	status = parse(&parser, argc, argv, false);
	if (status)
		return status;
	if (want_help)
		return print_help();
	if (want_version)
		return print_version();
	return run(argc - optind, argv + optind);
}

static int
find_and_run(int argc, char **argv)
{
	struct parser parser = { .count = 0 };
	int status, words = 0;

	if (the_program->verbs[0].name[0] == '\0') {
		the_verb = &the_program->verbs[0];
		return parse_and_run(argc, argv);
	}
	parser_add(&parser, standard);
	parser_add(&parser, the_program->options);
	status = parse(&parser, argc, argv, true);
	if (status)
		return status;
	argc -= optind;
	argv += optind;
	if (want_version)
		return print_version();
	if (argc == 0)
		return want_help ? print_help() : pw_cli_usage("what to do? A verb is missing");
	for (the_verb = the_program->verbs; the_verb->name && !words; the_verb += !words)
		words = matches(the_verb, argc, argv);
	if (!words) {
		the_verb = NULL;
		return unknown_verb(argc, argv);
	}
	return parse_and_run(argc - words + 1, argv + words - 1);
}

static void
clear_lists(const struct pw_cli_option *options)
{
	for (; options && options->name; options++)
		if (options->list)
			pw_cli_list_clear(options->list);
}

/* Where one of the three was closed, no file and no connection may come to stand in its place. What is written there fails. */
static void
hold_standard_files(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			abort();
}

int
pw_cli_flush(struct pw_err *err)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (!errno) /* it failed earlier, and why is not known any more */
		errno = EIO;
	return pw_err_errno(err, "standard output");
}

int
pw_cli_main(const struct pw_cli_program *program, int argc, char **argv)
{
	struct pw_err err;
	int status;

	hold_standard_files();
	the_program = program;
	the_verb = NULL;
	want_help = want_version = false;
	/* Only how characters are read: numbers are those of C everywhere. Where the environment has no UTF-8, ours is. */
	if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
		setlocale(LC_CTYPE, "C.UTF-8");
	status = find_and_run(argc, argv);
	clear_lists(program->options);
	if (the_verb)
		clear_lists(the_verb->options);
	if (status != EX_IOERR && pw_cli_flush(&err) < 0) {
		pw_cli_warn("%s", err.text);
		return status ? status : EX_IOERR;
	}
	return status;
}
