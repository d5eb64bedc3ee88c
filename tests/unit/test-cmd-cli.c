/* SPDX-License-Identifier: MIT */
/* The command line by tables: a program of this test's own, called in this process with its two outputs caught. */
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fd.h"
#include "cmd/cli.h"
#include "cmd/output.h"
#include "lib/tap.h"

static bool flag, common;
static const char *value;
static struct pw_cli_list list;
static int number;
static char ran[200];

static int
set_number(int which, const char *text, struct pw_err *err)
{
	number = atoi(text) + which;
	return number <= which ? pw_err_set(err, PW_ERR_INPUT, "--number: '%s' is none", text) : 0;
}

/* Notes what it was called with. */
static int
run(int argc, char **argv)
{
	size_t used = (size_t)snprintf(ran, sizeof(ran), "%s%s%s %d", flag ? "flag " : "", common ? "common " : "",
				       value ? value : "-", number);

	for (size_t i = 0; i < list.count; i++)
		used += (size_t)snprintf(ran + used, sizeof(ran) - used, " [%s]", list.items[i]);
	for (int i = 0; i < argc; i++)
		used += (size_t)snprintf(ran + used, sizeof(ran) - used, " %s", argv[i]);
	return 0;
}

static int
fail(int argc, char **argv)
{
	struct pw_err err;

	(void)argc;
	pw_err_set(&err, PW_ERR_BUSY, "%s is busy", argv[0]);
	return pw_cli_fail(&err);
}

static const struct pw_cli_option options[] = {
	{ .name = "flag", .letter = 'f', .help = "A flag", .flag = &flag },
	{ .name = "value", .letter = 'v', .value = "TEXT", .help = "A text", .text = &value },
	{ .name = "list", .value = "ITEM", .help = "An item", .list = &list },
	{ .name = "number", .value = "N", .help = "A number", .call = set_number, .which = 100 },
	{ .name = "secret", .help = NULL, .flag = &flag },
	{ .name = NULL },
};
static const struct pw_cli_option common_options[] = {
	{ .name = "common", .help = "For all verbs", .flag = &common },
	{ .name = NULL },
};
static const struct pw_cli_verb verbs[] = {
	{ "show", "THING", 1, 1, "show a thing", options, run },
	{ "group create", NULL, 0, 0, "create a group", options, run },
	{ "group show", "ID...", 1, -1, "show groups", options, run },
	{ "fail", "WHAT", 1, 1, "fail", NULL, fail },
	{ "hidden", NULL, 0, 0, NULL, NULL, run },
	{ .name = NULL },
};
static const struct pw_cli_program program = {
	.name = "sample", .help = "A sample", .verbs = verbs, .options = common_options, .more = "More to read.",
};
static const struct pw_cli_verb only_verb[] = { { "", "FILE", 0, 1, NULL, options, run }, { .name = NULL } };
static const struct pw_cli_program verbless = { .name = "verbless", .help = "Has no verbs", .verbs = only_verb };

static struct pw_buf out, err_out;

/* Calls the program and catches what it prints. */
static int
call_program(const struct pw_cli_program *which, const char *line)
{
	char words[300], *argv[20], *rest = words;
	int argc = 0, status, saved[2] = { dup(1), dup(2) };
	char files[2][40] = { "/tmp/test-cmd-cli.XXXXXX", "/tmp/test-cmd-cli.XXXXXX" };

	snprintf(words, sizeof(words), "%s", line);
	while (argc < 19 && (argv[argc] = strsep(&rest, " ")))
		argc++;
	argv[argc] = NULL;
	flag = common = false;
	value = NULL;
	number = 0;
	ran[0] = '\0';
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		int fd = mkstemp(files[i]);

		if (fd < 0 || dup2(fd, i + 1) < 0)
			bail("redirection");
		close(fd);
	}
	status = pw_cli_main(which, argc, argv);
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		struct pw_err err;

		dup2(saved[i], i + 1);
		close(saved[i]);
		pw_buf_clear(i ? &err_out : &out);
		if (pw_file_read(files[i], 1 << 16, i ? &err_out : &out, &err) < 0)
			bail("%s", err.text);
		unlink(files[i]);
	}
	return status;
}

static const char *
text_of(struct pw_buf *buf)
{
	return pw_buf_text(buf);
}

/* A line that runs its verb, which was called so. */
static void
runs(const char *line, const char *want)
{
	is_int(call_program(&program, line), 0, "%s", line);
	is_str(ran, want, "runs with %s", want ? want : "nothing");
}

/* A line that is refused, with this in its text. */
static void
refuses(const char *line, const char *want)
{
	is_int(call_program(&program, line), EX_USAGE, "%s", line);
	ok(strstr(text_of(&err_out), want) && *text_of(&out) == '\0' && !*ran, "is refused: %s", want);
	if (!strstr(text_of(&err_out), want))
		printf("# %s\n", text_of(&err_out));
}

static void
test_lines(void)
{
	runs("sample show x", "- 0 x");
	runs("sample show x -f --value=a --list b --list c --number 7", "flag a 107 [b] [c] x");
	runs("sample show -fv a x", "flag a 0 x");
	runs("sample --common show x", "common - 0 x");
	runs("sample show --common x", "common - 0 x");
	runs("sample show -- -x", "- 0 -x");
	runs("sample show --val a x", "a 0 x");
	runs("sample show --value a --value b x", "b 0 x");
	runs("sample group create --secret", "flag - 0");
	runs("sample group show a b c", "- 0 a b c");
	runs("sample hidden", "- 0");
	refuses("sample", "A verb is missing");
	refuses("sample shwo x", "unknown verb 'shwo': did you mean 'show'?");
	refuses("sample hiddn", "unknown verb 'hiddn'\n");
	refuses("sample group", "group: what? (create ...)");
	refuses("sample group creat", "unknown verb 'creat': did you mean 'create'?");
	refuses("sample groop create", "unknown verb 'groop': did you mean 'group'?");
	refuses("sample --flag show x", "--flag is a verb's option, and stands after it");
	refuses("sample show --flog x", "unknown option --flog: did you mean --flag?");
	refuses("sample show --flog=3 x", "unknown option --flog: did you mean --flag?");
	refuses("sample show --secrat x", "unknown option --secrat\n");
	refuses("sample show --nonsense x", "unknown option --nonsense\nTry 'sample show --help'.\n");
	refuses("sample show -q x", "unknown option -q\n");
	refuses("sample show --flag=1 x", "--flag takes no value");
	refuses("sample show x --value", "--value needs a value: TEXT");
	refuses("sample show x -v", "--value needs a value: TEXT");
	refuses("sample show x --number none", "--number: 'none' is none");
	refuses("sample show", "show: arguments are missing: THING");
	refuses("sample show x y", "show: one argument too many: 'y'");
	refuses("sample show x --color=mauve", "--color: 'mauve' is none of auto, always, never");
	is_int(call_program(&program, "sample fail it"), EX_TEMPFAIL, "an error's kind gives the exit status");
	is_str(text_of(&err_out), "sample: it is busy\n", "and its text goes to standard error");
}

static void
test_help(void)
{
	is_int(call_program(&program, "sample --help"), 0, "--help");
	ok(strstr(text_of(&out), "Usage: sample VERB") && strstr(text_of(&out), "group create") &&
		   strstr(text_of(&out), "--common") && strstr(text_of(&out), "More to read."),
	   "shows the verbs");
	ok(!strstr(text_of(&out), "hidden") && !*text_of(&err_out), "not the hidden one");
	is_int(call_program(&program, "sample group create --help"), 0, "--help of a verb");
	ok(strstr(text_of(&out), "Usage: sample group create [OPTION]...\nCreate a group.\n") &&
		   strstr(text_of(&out), "  -v, --value TEXT") && strstr(text_of(&out), "--common"),
	   "shows its options");
	ok(!strstr(text_of(&out), "secret"), "not the hidden one");
	is_int(call_program(&program, "sample show -h"), 0, "help needs no arguments");
	is_int(call_program(&program, "sample show --version"), 0, "--version after a verb");
	ok(strncmp(text_of(&out), "sample ", 7) == 0, "shows the version");
	is_int(call_program(&verbless, "verbless -f file"), 0, "a program without verbs");
	is_str(ran, "flag - 0 file", "runs");
	is_int(call_program(&verbless, "verbless --help"), 0, "and has help");
	ok(strstr(text_of(&out), "Usage: verbless [OPTION]... FILE\nHas no verbs.\n"), "of its own");
	is_int(call_program(&verbless, "verbless a b"), EX_USAGE, "and usage errors");
	ok(strstr(text_of(&err_out), "verbless: one argument too many: 'b'\nTry 'verbless --help'.\n"), "of its own");
}

static void
test_table(void)
{
	static const struct pw_column columns[] = { { "NAME", PW_COLUMN_LEFT }, { "TEXT", PW_COLUMN_WRAP } };
	struct pw_table *table = NULL;
	struct pw_err err;
	int saved = dup(1), status;
	char file[] = "/tmp/test-cmd-cli.XXXXXX";
	int fd = mkstemp(file);

	if (pw_table_new(columns, 2, &table, &err) < 0 ||
	    pw_table_add(table, (const char *[]){ "a", "tab\there, line\nthere" }, 0, PW_STYLE_RED, &err) < 0 ||
	    pw_table_add(table, (const char *[]){ "b", NULL }, -1, PW_STYLE_PLAIN, &err) < 0)
		bail("%s", err.text);
	fflush(NULL);
	dup2(fd, 1);
	close(fd);
	status = pw_table_print(table, &err);
	fflush(NULL);
	dup2(saved, 1);
	close(saved);
	pw_buf_clear(&out);
	if (status < 0 || pw_file_read(file, 1 << 16, &out, &err) < 0)
		bail("%s", err.text);
	unlink(file);
	is_str(text_of(&out), "NAME\tTEXT\na\ttab here, line there\nb\t\n", "without a terminal a table is lines with tabs");
	pw_table_free(table);
}

int
main(void)
{
	setenv("NO_COLOR", "1", 1);
	test_lines();
	test_help();
	test_table();
	pw_buf_done(&out);
	pw_buf_done(&err_out);
	return tap_done();
}
