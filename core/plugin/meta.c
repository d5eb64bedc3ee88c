/* SPDX-License-Identifier: MIT */
/*
 * What a plugin says of itself: its notes (elf.c), read (note.c) and judged as
 * a whole. Runs in the supervisor, in the client library and in pulp-plugin;
 * no plugin code is mapped or run. Whether the plugin can be loaded is not
 * known here (loaded.c, in a process that can be thrown away).
 */
#include "plugin/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pulp/plugin.h>

#include "base/buf.h"
#include "plugin/elf.h"
#include "plugin/note.h"

struct pw_plugin_meta *
pw_plugin_meta_free(struct pw_plugin_meta *meta)
{
	if (!meta)
		return NULL;
	for (size_t i = 0; i < meta->task_count; i++)
		pw_note_task_done(&meta->tasks[i]);
	for (size_t i = 0; i < meta->resource_count; i++)
		pw_note_task_done(&meta->resources[i]);
	free(meta->tasks);
	free(meta->resources);
	free(meta->path);
	free(meta->module);
	free(meta->label);
	free(meta->version);
	free(meta->doc);
	free(meta);
	return NULL;
}

/*
 * A judge hears one problem after the other. Without EACH the first one ends the
 * matter (and is *err); with it all are told, each to EACH.
 */
struct judge {
	void (*each)(const char *text, void *arg);
	void *arg;
	struct pw_err *err;
};

/* Hears the problem in judge->err. Returns 0 if there may be more. */
static int
hear(const struct judge *judge)
{
	if (!judge->each || judge->err->kind == PW_ERR_NOMEM)
		return -1;
	judge->each(judge->err->text, judge->arg);
	return 0;
}

static bool
is_ours(const struct pw_elf_note *note)
{
	return note->type == PW_NOTE_PLUGIN || note->type == PW_NOTE_TASK ||
	       note->type == PW_NOTE_RESOURCE;
}

/* The highest ABI of all notes counts: objects of one plugin may have been compiled with different headers. */
static int
check_abi(struct pw_plugin_meta *meta, const struct pw_elf_notes *notes, struct pw_err *err)
{
	for (size_t i = 0; i < notes->count; i++) {
		int major, minor;

		if (!is_ours(&notes->notes[i]))
			continue;
		if (pw_note_abi(&notes->notes[i], &major, &minor, err) < 0)
			return -1;
		if (major != PULP_ABI_MAJOR)
			return pw_err_set(err, PW_ERR_INPUT, "needs ABI %d, this worker has %d", major, PULP_ABI_MAJOR);
		meta->abi_major = major;
		if (minor > meta->abi_minor)
			meta->abi_minor = minor;
	}
	if (meta->abi_minor > PULP_ABI_MINOR)
		return pw_err_set(err, PW_ERR_INPUT, "needs ABI %d.%d, this worker has %d.%d", meta->abi_major, meta->abi_minor,
				  PULP_ABI_MAJOR, PULP_ABI_MINOR);
	return 0;
}

static int
check_counts(const struct pw_elf_notes *notes, struct pw_err *err)
{
	size_t plugins = 0, ours = 0;

	for (size_t i = 0; i < notes->count; i++) {
		plugins += notes->notes[i].type == PW_NOTE_PLUGIN;
		ours += is_ours(&notes->notes[i]);
	}
	if (ours == 0)
		return pw_err_set(err, PW_ERR_INPUT, "no pulp notes: is this a plugin?");
	if (plugins != 1)
		return pw_err_set(err, PW_ERR_INPUT, "%zu PULP_PLUGIN notes, there must be one", plugins);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct pw_plugin_task *)a)->name,
		      ((const struct pw_plugin_task *)b)->name);
}

/* The order of notes is the linker's, not the source's. */
static int
sort_tasks(struct pw_plugin_task *tasks, size_t count, const struct judge *judge)
{
	if (count)
		qsort(tasks, count, sizeof(*tasks), by_name);
	for (size_t i = 1; i < count; i++)
		if (strcmp(tasks[i - 1].name, tasks[i].name) == 0) {
			pw_err_set(judge->err, PW_ERR_INPUT, "%s %s defined twice",
				   pw_note_what(&tasks[i]), tasks[i].name);
			if (hear(judge) < 0)
				return -1;
		}
	return 0;
}

static int
read_notes(struct pw_plugin_meta *meta, const struct pw_elf_notes *notes, const struct judge *judge)
{
	bool plugin_read = false;

	for (size_t i = 0; i < notes->count; i++) {
		const struct pw_elf_note *note = &notes->notes[i];
		struct pw_plugin_task task = { .name = NULL };

		if (note->type == PW_NOTE_PLUGIN && !plugin_read) {
			plugin_read = true;
			if (pw_note_plugin(note, meta, judge->err) < 0 && hear(judge) < 0)
				return -1;
		}
		if (note->type != PW_NOTE_TASK && note->type != PW_NOTE_RESOURCE)
			continue;
		if (pw_note_task(note, &task, judge->err) == 0) {
			if (task.resource)
				meta->resources[meta->resource_count++] = task;
			else
				meta->tasks[meta->task_count++] = task;
			continue;
		}
		pw_note_task_done(&task);
		if (hear(judge) < 0)
			return -1;
	}
	return 0;
}

static int
fill(struct pw_plugin_meta *meta, const struct pw_elf_notes *notes, const struct judge *judge)
{
	/* What a newer ABI's notes hold, or notes that are none of ours, is not looked at. */
	if (check_abi(meta, notes, judge->err) < 0 || notes->count == 0) {
		if (notes->count == 0)
			check_counts(notes, judge->err);
		return hear(judge);
	}
	if (check_counts(notes, judge->err) < 0 && hear(judge) < 0)
		return -1;
	meta->tasks = calloc(notes->count, sizeof(*meta->tasks));
	meta->resources = calloc(notes->count, sizeof(*meta->resources));
	if (!meta->tasks || !meta->resources)
		return pw_err_nomem(judge->err);
	memcpy(meta->digest, notes->digest, sizeof(meta->digest));
	if (read_notes(meta, notes, judge) < 0 ||
	    sort_tasks(meta->tasks, meta->task_count, judge) < 0)
		return -1;
	return sort_tasks(meta->resources, meta->resource_count, judge);
}

/* A path that still names the file after a change of directory. Links are not resolved: the name that people know stays. */
static char *
absolute(const char *path, struct pw_err *err)
{
	pw_auto_buf buf = PW_BUF_INIT;
	pw_auto_free char *cwd = NULL;
	char *ret;

	if (path[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd) {
			pw_err_errno(err, "getcwd");
			return NULL;
		}
		while (strncmp(path, "./", 2) == 0)
			path += 2;
	}
	if ((cwd && (pw_buf_adds(&buf, cwd) < 0 || pw_buf_addc(&buf, '/') < 0)) ||
	    pw_buf_adds(&buf, path) < 0 || !(ret = pw_buf_steal(&buf))) {
		pw_err_nomem(err);
		return NULL;
	}
	return ret;
}

/* As pw_err_errno, for a text that will be no more than errno's: the path is put before it by the caller. */
static int
os_error(struct pw_err *err)
{
	int saved = errno;

	pw_err_set(err, saved == ENOMEM ? PW_ERR_NOMEM : PW_ERR_OS, "%s", strerror(saved));
	if (err)
		err->os_errno = saved;
	return -1;
}

/* Looks before it opens: opening a device can do things, and a fifo would wait (if one is put there in between: O_NONBLOCK). */
static int
open_regular(const char *path, struct stat *st, struct pw_err *err)
{
	pw_auto_close int fd = -1;

	if (stat(path, st) < 0)
		return os_error(err);
	if (!S_ISREG(st->st_mode))
		return pw_err_set(err, PW_ERR_INPUT, "not a regular file");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, st) < 0)
		return os_error(err);
	if (!S_ISREG(st->st_mode))
		return pw_err_set(err, PW_ERR_INPUT, "not a regular file");
	return pw_steal_fd(&fd);
}

/* Whatever goes wrong before the notes are known ends the matter at once. */
static int
read_meta(struct pw_plugin_meta *meta, const char *path, const struct judge *judge)
{
	struct pw_elf_notes notes = PW_ELF_NOTES_INIT;
	pw_auto_close int fd = -1;
	struct stat st;
	int ret = -1;

	meta->path = absolute(path, judge->err);
	if (!meta->path)
		return -1;
	fd = open_regular(path, &st, judge->err);
	if (fd < 0)
		return -1;
	meta->mtime = st.st_mtim;
	meta->inode = st.st_ino;
	meta->file_size = (uint64_t)st.st_size;
	if (pw_elf_notes_read(fd, meta->file_size, &notes, judge->err) == 0)
		ret = fill(meta, &notes, judge);
	pw_elf_notes_done(&notes);
	return ret;
}

int
pw_plugin_meta_read(const char *path, struct pw_plugin_meta **ret_meta, struct pw_err *err)
{
	struct pw_err unheard;
	struct judge judge = { .err = err ? err : &unheard };
	struct pw_plugin_meta *meta = calloc(1, sizeof(*meta));

	if (!meta)
		return pw_err_nomem(err);
	if (read_meta(meta, path, &judge) < 0) {
		pw_plugin_meta_free(meta);
		return pw_err_prefix(err, "%s", path);
	}
	*ret_meta = meta;
	return 0;
}

int
pw_plugin_meta_problems(const char *path, void (*each)(const char *text, void *arg), void *arg)
{
	struct pw_err err;
	struct judge judge = { each, arg, &err };
	struct pw_plugin_meta *meta = calloc(1, sizeof(*meta));
	int ret = meta ? read_meta(meta, path, &judge) : pw_err_nomem(&err);

	if (ret < 0)
		each(err.text, arg);
	pw_plugin_meta_free(meta);
	return ret;
}

static const struct pw_plugin_task *
find(const struct pw_plugin_task *tasks, size_t count, const char *name)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, tasks[middle].name);

		if (order == 0)
			return &tasks[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct pw_plugin_task *
pw_plugin_meta_task(const struct pw_plugin_meta *meta, const char *name)
{
	return find(meta->tasks, meta->task_count, name);
}

const struct pw_plugin_task *
pw_plugin_meta_resource(const struct pw_plugin_meta *meta, const char *type)
{
	return find(meta->resources, meta->resource_count, type);
}
