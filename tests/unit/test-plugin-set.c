/* SPDX-License-Identifier: MIT */
/* Scans of the plugin path: what is taken, what is refused, and that nothing bad hinders the rest. */
#include <stdbool.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "lib/forge.h"
#include "lib/tap.h"
#include "plugin/meta.h"

static char dir[64] = "/tmp/test-plugin-set.XXXXXX";
static struct forged f;

/* The path of a file below the test's folder; lives until the fourth next call. */
static const char *
at(const char *name)
{
	static char ring[4][160];
	static unsigned next;
	char *path = ring[next++ % 4];

	snprintf(path, sizeof(ring[0]), "%s/%s", dir, name);
	return path;
}

static void
make(const char *name, const char *module, const char *label)
{
	char text[200];
	int len = snprintf(text, sizeof(text), "1.0%c%s%c%s%c1.0%cDoc", 0, module, 0, label, 0, 0) + 1;

	forge_init(&f);
	forge_note(&f, "Pulp", 5, 1, text, (size_t)len, (uint32_t)len);
	forge_pulp(&f, 2, "1.0\0" "t\0" "Doc");
	forge_end(&f);
	if (forge_write(&f, at(name)) < 0)
		bail("cannot write %s", name);
}

static struct pw_plugin_set *
scan(const char *path)
{
	struct pw_plugin_set *set = NULL;
	struct pw_err err;

	if (pw_plugin_set_scan(path, &set, &err) < 0)
		bail("%s", err.text);
	return set;
}

static const char *
problem_of(const struct pw_plugin_set *set, const char *end)
{
	for (size_t i = 0; i < set->problem_count; i++) {
		size_t len = strlen(set->problems[i].path);

		if (len >= strlen(end) &&
		    strcmp(set->problems[i].path + len - strlen(end), end) == 0)
			return set->problems[i].text;
	}
	return "no problem";
}

static void
test_scan(void)
{
	char path[300], want[300];
	struct pw_plugin_set *set;

	snprintf(path, sizeof(path), "%s/a:%s/nowhere::%s/b:%s/a", dir, dir, dir, dir);
	set = scan(path);
	is_int(set->count, 3, "three plugins");
	is_str(set->plugins[0]->module, "ant", "sorted by module");
	is_str(set->plugins[2]->module, "zebra", "whatever their files are called");
	is_str(pw_plugin_set_find(set, "zebra.t")->path, at("a/a.so"), "found by a function's name");
	ok(!pw_plugin_set_find(set, "zebra") && !pw_plugin_set_find(set, "zebr.t") && !pw_plugin_set_find(set, "zebras.t") &&
		   !pw_plugin_set_find(set, "") && !pw_plugin_set_find(set, ".t"),
	   "and by nothing else");
	is_int(set->problem_count, 4, "four problems");
	ok(strstr(problem_of(set, "/text.so"), "not ELF"), "text: %s", problem_of(set, "/text.so"));
	ok(strstr(problem_of(set, "/dangling.so"), "No such file"), "a dangling link: %s", problem_of(set, "/dangling.so"));
	snprintf(want, sizeof(want), "%s: module zebra is already that of %s", at("b/z.so"), at("a/a.so"));
	is_str(problem_of(set, "b/z.so"), want, "a second module, both paths named");
	snprintf(want, sizeof(want), "%s: label c_ant is already that of %s", at("b/y.so"), at("a/b.so"));
	is_str(problem_of(set, "b/y.so"), want, "a second label, both paths named");
	pw_plugin_set_free(set);

	snprintf(path, sizeof(path), "%s/b/:%s/a", dir, dir);
	set = scan(path);
	is_str(pw_plugin_set_find(set, "zebra.t")->path, at("b/z.so"), "the first directory wins");
	pw_plugin_set_free(set);
	set = scan("");
	ok(set->count == 0 && set->problem_count == 0, "no path, no plugins");
	pw_plugin_set_free(set);
	set = scan(":/nonexistent:");
	ok(set->count == 0 && set->problem_count == 0, "nothing there, no plugins");
	pw_plugin_set_free(set);
	set = scan(at("a/text.so"));
	ok(set->count == 0 && set->problem_count == 1, "a file in place of a directory is a problem: %s", set->problems[0].text);
	pw_plugin_set_free(set);
}

static void
test_root(void)
{
	struct pw_plugin_set *set;

	if (geteuid() != 0) {
		skip("not root", "what root does not trust");
		return;
	}
	if (chmod(at("a/a.so"), 0666) < 0 || chown(at("a/b.so"), 65534, 65534) < 0)
		bail("chmod");
	set = scan(at("a"));
	is_int(set->count, 1, "root takes what root alone can write");
	ok(strstr(problem_of(set, "a/a.so"), "anybody may write it"), "not a file that anybody may write");
	ok(strstr(problem_of(set, "a/b.so"), "not owned by root"), "nor somebody else's");
	pw_plugin_set_free(set);
	if (chmod(at("a"), 01777) < 0)
		bail("chmod");
	set = scan(at("a"));
	is_int(set->count, 0, "nor anything from a directory that anybody may write");
	ok(strstr(problem_of(set, "/a"), "anybody may write it"), "which is told");
	pw_plugin_set_free(set);
}

int
main(void)
{
	static const char *const files[] = { "a/a.so", "a/b.so", "a/c.so", "a/text.so", "a/dangling.so", "a/.hidden.so", "a/readme",
					     "b/y.so", "b/z.so" };
	FILE *text;

	if (!mkdtemp(dir) || mkdir(at("a"), 0755) < 0 || mkdir(at("b"), 0755) < 0)
		bail("mkdtemp");
	make("a/a.so", "zebra", "c_zebra");
	make("a/b.so", "ant", "c_ant");
	make("a/c.so", "bee", "c_bee");
	make("a/.hidden.so", "hidden", "c_hidden");
	make("a/readme", "readme", "c_readme");
	make("b/y.so", "yak", "c_ant");
	make("b/z.so", "zebra", "c_other");
	text = fopen(at("a/text.so"), "w");
	if (!text || fputs("hello\n", text) < 0 || fclose(text) < 0 || symlink("nothing", at("a/dangling.so")) < 0)
		bail("files");
	test_scan();
	test_root();
	for (size_t i = 0; i < PW_COUNT(files); i++)
		unlink(at(files[i]));
	ok(rmdir(at("a")) == 0 && rmdir(at("b")) == 0 && rmdir(dir) == 0, "nothing is left");
	return tap_done();
}
