/* SPDX-License-Identifier: MIT */
/* The versions that a dispatch records by itself. */
#include "client/versions.h"

#include <jansson.h>

char *
pw_plugin_versions(const struct pw_plugin_meta *plugin)
{
	json_t *versions = json_pack("{s:s}", plugin->label, plugin->version);
	char *text = versions ? json_dumps(versions, JSON_COMPACT) : NULL;

	json_decref(versions);
	return text;
}

int
pw_known_versions(const struct pw_settings *settings, const char *func, char **ret_versions,
		  struct pw_err *err)
{
	const struct pw_plugin_meta *plugin;
	struct pw_plugin_set *plugins;
	int ret = 0;

	*ret_versions = NULL;
	if (pw_plugin_set_scan(pw_settings_text(settings, PW_SETTING_plugin_path), &plugins, err) <
	    0)
		return -1;
	plugin = pw_plugin_set_find(plugins, func);
	if (plugin && !(*ret_versions = pw_plugin_versions(plugin)))
		ret = pw_err_nomem(err);
	pw_plugin_set_free(plugins);
	return ret;
}
