/* SPDX-License-Identifier: MIT */
/* pulp-plugin new: writes a folder with a plugin that builds, installs and runs as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/cli.h"
#include "cmd/output.h"
#include "cmd/pulp_plugin.h"

/* "@" stands for the plugin's name. */
static const char source_text[] =
	"/* The plugin @: its tasks. pulp-plugin(7) tells all that they may call. */\n"
	"#include <pulp/plugin.h>\n"
	"\n"
	"/* Module (first part of the tasks' names), label (key in a task's versions), PEP 440 version, one line. */\n"
	"PULP_PLUGIN(\"@\", \"c_@\", \"0.1.0\", \"What this plugin is for\");\n"
	"\n"
	"/* Dispatched as @.hello. */\n"
	"PULP_TASK(hello, \"Say hello\" PULP_TIMEOUT(10s))\n"
	"{\n"
	"\tpulp_log(ctx, PULP_INFO, \"my arguments are %s and %s\", ctx->args, ctx->kwargs);\n"
	"\treturn pulp_result(ctx, \"\\\"hello\\\"\");\n"
	"}\n"
	"\n"
	"/* Dispatched as @.slow.count: two underscores in a name are a dot. It works until it is done or canceled. */\n"
	"PULP_TASK(slow__count, \"Count to a thousand\" PULP_TIMEOUT(1m))\n"
	"{\n"
	"\tint n;\n"
	"\n"
	"\tfor (n = 1; n <= 1000; n++) {\n"
	"\t\tif (pulp_should_stop(ctx))\n"
	"\t\t\treturn pulp_fail(ctx, \"stopped at %d\", n);\n"
	"\t\tpulp_progress(ctx, \"count\", \"Counting\", n, 1000);\n"
	"\t}\n"
	"\treturn pulp_done(ctx);\n"
	"}\n";

static const char makefile_text[] =
	"# Builds @.so. Where pulp-plugin.pc is in no usual place: make PKG_CONFIG_PATH=DIR\n"
	"PKG_CONFIG = pkg-config\n"
	"PULP_PLUGIN = pulp-plugin\n"
	"CFLAGS = -O2 -g\n"
	"export PKG_CONFIG_PATH\n"
	"\n"
	"@.so: @.c\n"
	"\t$(CC) -Wall -Wextra $(CPPFLAGS) $$($(PKG_CONFIG) --cflags pulp-plugin) $(CFLAGS) -fPIC -shared \\\n"
	"\t\t-Wl,-z,defs $(LDFLAGS) -o $@@ $< $(LDLIBS)\n"
	"\n"
	"check: @.so\n"
	"\t$(PULP_PLUGIN) check ./@.so\n"
	"\n"
	"install: @.so\n"
	"\t$(PULP_PLUGIN) install ./@.so\n"
	"\n"
	"clean:\n"
	"\trm -f @.so\n"
	"\n"
	".PHONY: check install clean\n";

static const char readme_text[] =
	"# @\n"
	"\n"
	"A plugin for pulp-worker.\n"
	"\n"
	"    make            # builds @.so\n"
	"    make check      # says what is wrong with it\n"
	"    make install    # puts it in place; then reload the worker:\n"
	"    systemctl reload pulp-worker\n"
	"    pulp-task dispatch @.hello --wait\n"
	"\n"
	"`pulp-plugin inspect @.so` shows its tasks. How to write them: pulp-plugin(7).\n";

/* Writes TEXT with NAME for each "@"; "@@" is an "@". */
static int
write_file(int dir, const char *file, const char *text, const char *name, struct pw_err *err)
{
	pw_auto_close int fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	pw_auto_buf buf = PW_BUF_INIT;

	if (fd < 0)
		return pw_err_errno(err, "%s/%s", name, file);
	for (; *text; text++) {
		bool is_name = text[0] == '@' && text[1] != '@';

		text += text[0] == '@' && text[1] == '@';
		if ((is_name ? pw_buf_adds(&buf, name) : pw_buf_addc(&buf, *text)) < 0)
			return pw_err_nomem(err);
	}
	if (pw_fd_write_all(fd, buf.data, buf.len, err) < 0)
		return pw_err_prefix(err, "%s/%s", name, file);
	return 0;
}

static int
write_folder(const char *name, struct pw_err *err)
{
	pw_auto_close int dir = -1;
	pw_auto_buf source = PW_BUF_INIT;

	if (mkdir(name, 0777) < 0)
		return pw_err_errno(err, "%s", name);
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return pw_err_errno(err, "%s", name);
	if (pw_buf_addf(&source, "%s.c", name) < 0)
		return pw_err_nomem(err);
	if (write_file(dir, source.data, source_text, name, err) < 0 || write_file(dir, "Makefile", makefile_text, name, err) < 0)
		return -1;
	return write_file(dir, "README.md", readme_text, name, err);
}

int
pulp_plugin_new(int argc, char **argv)
{
	const char *name = argv[0];
	struct pw_err err;

	(void)argc;
	if (pw_plugin_check_module(name, &err) < 0)
		return pw_cli_usage("%s", err.text);
	if (write_folder(name, &err) < 0) {
		int status = pw_cli_fail(&err);

		return err.kind == PW_ERR_OS && status == EX_OSERR ? EX_CANTCREAT : status;
	}
	if (pulp_plugin_options.json) {
		json_t *said = json_pack("{s:s, s:[s+, s, s]}", "folder", name, "files", name, ".c", "Makefile", "README.md");

		return pw_output_json(said, &err) < 0 ? pw_cli_fail(&err) : EX_OK;
	}
	printf("wrote %s/%s.c, %s/Makefile and %s/README.md; now: make -C %s check\n", name, name, name, name, name);
	return EX_OK;
}
