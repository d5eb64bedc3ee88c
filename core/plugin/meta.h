/* SPDX-License-Identifier: MIT */
/*
 * What a plugin says of itself, read from its ELF notes without running or
 * mapping any of its code.
 */
#ifndef PW_PLUGIN_META_H
#define PW_PLUGIN_META_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

/* A task, or a type of resource. */
struct pw_plugin_task {
	char *name;	    /* dots already in place: "files.count"; of a resource "app_label.model" */
	char *symbol;	    /* "pulp_task_files__count"; "pulp_resource_app_label__model" */
	char *doc;
	bool resource;
	bool immediate;
	int64_t timeout_ns; /* 0 = none */
	int64_t memory_bytes; /* 0 = none */
	int abi_major, abi_minor; /* of its note, which its descriptor must repeat */
};

struct pw_plugin_meta {
	char *path; /* absolute */
	char *module, *label, *version, *doc;
	int abi_major, abi_minor;
	struct pw_plugin_task *tasks; /* sorted by name */
	size_t task_count;
	struct pw_plugin_task *resources; /* the same */
	size_t resource_count;
	struct timespec mtime; /* with size and inode: whether the file is still the one that was read */
	uint64_t inode, file_size;
	unsigned char digest[8]; /* FNV-1a of all its notes, checked again after dlopen */
};

/* Reads and checks; every error of the table in pulp-plugin(7), as "FILE: what". The caller frees. */
int pw_plugin_meta_read(const char *path, struct pw_plugin_meta **ret_meta, struct pw_err *err) PW_MUSTCHECK;
/*
 * For pulp-plugin check: calls EACH for everything that is wrong, where pw_plugin_meta_read tells the first thing only; the texts
 * are without the file's name. 0 if the file could be read as a shared object at all, so that trying to load it tells more.
 */
int pw_plugin_meta_problems(const char *path, void (*each)(const char *text, void *arg), void *arg);
struct pw_plugin_meta *pw_plugin_meta_free(struct pw_plugin_meta *meta);
/* Whether TEXT may be a plugin's module: a component of a name, and not one of Python's. Says what is wrong. */
int pw_plugin_check_module(const char *text, struct pw_err *err) PW_MUSTCHECK;
/* The task of that name (without the module), or NULL. Borrowed. */
const struct pw_plugin_task *pw_plugin_meta_task(const struct pw_plugin_meta *meta, const char *name);
/* The resource of that type ("app_label.model"), or NULL. Borrowed. */
const struct pw_plugin_task *pw_plugin_meta_resource(const struct pw_plugin_meta *meta, const char *type);

/* All plugins of some directories, duplicates of module or label refused; sorted by module. */
struct pw_plugin_set {
	struct pw_plugin_meta **plugins;
	size_t count;
	struct pw_plugin_problem {
		char *path, *text;
	} *problems; /* files that were refused, and why */
	size_t problem_count;
};

/* PLUGIN_PATH: directories separated by colons; those that do not exist are skipped. Only files *.so are looked at. */
int pw_plugin_set_scan(const char *plugin_path, struct pw_plugin_set **ret_set, struct pw_err *err) PW_MUSTCHECK;
struct pw_plugin_set *pw_plugin_set_free(struct pw_plugin_set *set);
/* Why root takes no plugin from such a file or directory (not root's own, or anybody may write it); NULL: it is all right, or we are not root. */
const char *pw_plugin_distrust(const struct stat *st);
/* The plugin whose module is the first component of a function name, or NULL. Borrowed. */
const struct pw_plugin_meta *pw_plugin_set_find(const struct pw_plugin_set *set, const char *function_name);

#endif
