/* SPDX-License-Identifier: MIT */
/*
 * The plugin exec: runs a program as a task. Runs in the task child. See
 * pulp-plugin-exec(7) for the arguments, the result and the errors.
 *
 * A task fails if its program did: only exit status 0 makes a result. What a
 * failed program wrote goes to the task's log, its last words into the error.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pulp/plugin.h>

#include "common/args.h"
#include "exec/pump.h"

PULP_PLUGIN("exec", "c_exec", PACKAGE_VERSION, "Runs programs");

#define LAST_WORDS 300

static json_t *
text_of(const struct pw_capture *capture)
{
	pw_auto_buf text = PW_BUF_INIT;

	if (pw_capture_text(capture, &text) < 0)
		return NULL;
	return json_stringn(pw_buf_text(&text), text.len);
}

static pulp_end
succeed(pulp_context *ctx, const struct pw_outcome *outcome)
{
	json_t *result = json_pack("{s:i, s:n, s:o, s:o, s:I, s:I}", "exit_status", 0, "signal", "stdout",
				   text_of(&outcome->out), "stderr", text_of(&outcome->err), "stdout_bytes",
				   (json_int_t)outcome->out.total, "stderr_bytes", (json_int_t)outcome->err.total);

	return pw_args_result(ctx, result);
}

static pulp_end
report_failure(pulp_context *ctx, const struct pw_outcome *outcome)
{
	pw_auto_buf words = PW_BUF_INIT;
	const char *before = outcome->stopped ? "stopped: " : "", *between;
	int sig;

	pw_capture_replay(&outcome->out, STDOUT_FILENO);
	pw_capture_replay(&outcome->err, STDERR_FILENO);
	if (pw_capture_last_line(&outcome->err, LAST_WORDS, &words) < 0)
		pw_buf_clear(&words);
	between = words.len ? ": " : "";
	if (!WIFSIGNALED(outcome->status))
		return pulp_fail(ctx, "%sexit status %d%s%s", before, WEXITSTATUS(outcome->status), between,
				 pw_buf_text(&words));
	sig = WTERMSIG(outcome->status);
	return pulp_fail(ctx, "%skilled by signal %d (%s)%s%s", before, sig, strsignal(sig), between,
			 pw_buf_text(&words));
}

static pulp_end
run_order(pulp_context *ctx, const struct pw_order *order)
{
	pw_auto_free struct pw_outcome *outcome = calloc(1, sizeof(*outcome));
	struct pw_err err;

	if (!outcome)
		return pulp_fail(ctx, "out of memory");
	if (pw_pump(ctx, order, outcome, &err) < 0)
		return pulp_fail(ctx, "%s", err.text);
	if (WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == 0)
		return succeed(ctx, outcome);
	return report_failure(ctx, outcome);
}

static pulp_end
run_kwargs(pulp_context *ctx, const json_t *kwargs)
{
	struct pw_order order = PW_ORDER_INIT;
	struct pw_err err;
	pulp_end end;

	if (pw_order_read(kwargs, environ, &order, &err) < 0)
		end = pulp_fail(ctx, "%s", err.text);
	else
		end = run_order(ctx, &order);
	pw_order_done(&order);
	return end;
}

PULP_TASK(run, "Run a program: argv, env (additions), stdin")
{
	static const char *const known[] = { "argv", "env", "stdin", NULL };
	pw_auto_json *kwargs = NULL;
	struct pw_err err;

	if (pw_args_parse(ctx, known, &kwargs, &err) < 0)
		return pulp_fail(ctx, "%s", err.text);
	return run_kwargs(ctx, kwargs);
}
