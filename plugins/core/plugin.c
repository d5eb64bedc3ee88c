/* SPDX-License-Identifier: MIT */
/*
 * The plugin core: housekeeping of the task system itself. Runs in the task
 * child. See pulp-plugin-core(7). It asks for operations that a worker grants
 * only to plugins that its operator trusts (PULP_TRUSTED_PLUGINS).
 */
#include <pulp/plugin.h>

#include "common/args.h"
#include "config.h"
#include "core/order.h"
#include "core/purge.h"

PULP_PLUGIN("core", "c_core", PACKAGE_VERSION, "Housekeeping of the task system");

PULP_TASK(purge, "Remove tasks that finished before a moment: finished_before, states")
{
	static const char *const known[] = { "finished_before", "states", NULL };
	pw_auto_json *kwargs = NULL;
	pw_auto_free char *request = NULL;
	json_t *result;
	struct pw_err err;

	if (pw_args_parse(ctx, known, &kwargs, &err) < 0 ||
	    pw_purge_order(kwargs, &request, &err) < 0 || pw_purge(ctx, request, &result, &err) < 0)
		return pulp_fail(ctx, "%s", err.text);
	return pw_args_result(ctx, result);
}
