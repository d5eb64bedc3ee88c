/* SPDX-License-Identifier: MIT */
/*
 * What is checked of a plugin once it is mapped. Runs in the zygote and in the
 * child of pulp-plugin check, never in a process that must go on living.
 *
 * dlsym alone reaches too far: into the plugin's dependencies, into functions
 * and IFUNCs, thread-local and absolute symbols. So a name is looked up among
 * the notes first (meta.c), and what dlsym then finds must be an object of the
 * plugin's own, large enough, that says the same as its note.
 */
#include "plugin/loaded.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include <pulp/plugin.h>

#include "plugin/elf.h"
#include "plugin/meta.h"
#include "plugin/note.h"

/* The descriptor as ABI 1.0 had it; it may have grown since. */
#define DESCRIPTOR_MIN (offsetof(struct pulp_task, plugin) + sizeof(const struct pulp_plugin *))

struct search {
	const struct link_map *map;
	uint64_t digest;
	bool found, readable;
};

/* Whether [AT, AT + LEN) of the object lies in memory that can be read, by its own program headers. */
static bool
is_readable(const struct dl_phdr_info *info, ElfW(Addr) at, size_t len)
{
	for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *load = &info->dlpi_phdr[i];

		if (load->p_type == PT_LOAD && (load->p_flags & PF_R) && at >= load->p_vaddr &&
		    len <= load->p_memsz && at - load->p_vaddr <= load->p_memsz - len)
			return true;
	}
	return false;
}

static bool
is_it(const struct dl_phdr_info *info, const struct link_map *map)
{
	if (info->dlpi_addr != map->l_addr)
		return false;
	for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			return (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr) ==
			       (const void *)map->l_ld;
	return false;
}

static int
digest_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;

	(void)size;
	if (!is_it(info, search->map))
		return 0;
	search->found = search->readable = true;
	for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *note = &info->dlpi_phdr[i];

		if (note->p_type != PT_NOTE || note->p_filesz == 0)
			continue;
		if (!is_readable(info, note->p_vaddr, note->p_filesz)) {
			search->readable = false;
			break;
		}
		search->digest = pw_elf_digest_add(search->digest,
						   (const void *)(info->dlpi_addr + note->p_vaddr),
						   note->p_filesz);
	}
	return 1;
}

void *
pw_plugin_open(const char *path, struct pw_err *err)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		pw_err_set(err, PW_ERR_INPUT, "%s", dlerror());
	return handle;
}

int
pw_plugin_check_loaded(void *dl_handle, const struct pw_plugin_meta *meta, struct pw_err *err)
{
	struct search search = { .digest = PW_ELF_DIGEST_INIT };
	struct link_map *map;

	if (dlinfo(dl_handle, RTLD_DI_LINKMAP, &map) < 0)
		return pw_err_set(err, PW_ERR_BUG, "%s: dlinfo: %s", meta->path, dlerror());
	search.map = map;
	dl_iterate_phdr(digest_object, &search);
	if (!search.found || !search.readable ||
	    memcmp(&search.digest, meta->digest, sizeof(meta->digest)) != 0)
		return pw_err_set(err, PW_ERR_INPUT, "%s: file changed since it was read", meta->path);
	return 0;
}

/* The address of the symbol, if it is an object of the plugin itself, and its size. */
static const void *
own_object(void *dl_handle, const char *symbol, uint64_t *ret_size, struct pw_err *err)
{
	struct link_map *own, *map = NULL;
	const ElfW(Sym) *entry = NULL;
	const char *failed;
	const void *at;
	Dl_info info;

	dlerror();
	at = dlsym(dl_handle, symbol);
	failed = dlerror();
	if (failed) {
		pw_err_set(err, PW_ERR_INPUT, "no symbol %s", symbol);
		return NULL;
	}
	if (dlinfo(dl_handle, RTLD_DI_LINKMAP, &own) < 0) {
		pw_err_set(err, PW_ERR_BUG, "dlinfo: %s", dlerror());
		return NULL;
	}
	if (!at || !dladdr1(at, &info, (void **)&map, RTLD_DL_LINKMAP) || !map) {
		pw_err_set(err, PW_ERR_INPUT, "symbol %s is not a task descriptor", symbol);
		return NULL;
	}
	if (map != own) {
		pw_err_set(err, PW_ERR_INPUT, "symbol %s belongs to %s", symbol, map->l_name[0] ? map->l_name : "the program");
		return NULL;
	}
	if (!dladdr1(at, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry ||
	    info.dli_saddr != at || ELF64_ST_TYPE(entry->st_info) != STT_OBJECT ||
	    entry->st_shndx == SHN_ABS) {
		pw_err_set(err, PW_ERR_INPUT, "symbol %s is not a task descriptor", symbol);
		return NULL;
	}
	*ret_size = entry->st_size;
	return at;
}

static int
check_descriptor(const struct pulp_task *descriptor, uint64_t size,
		 const struct pw_plugin_task *task, struct pw_err *err)
{
	if (size < DESCRIPTOR_MIN || descriptor->size < DESCRIPTOR_MIN || descriptor->size > size)
		return pw_err_set(err, PW_ERR_INPUT, "%s %s: descriptor too small", pw_note_what(task), task->name);
	if (descriptor->major != task->abi_major || descriptor->minor != task->abi_minor)
		return pw_err_set(err, PW_ERR_INPUT,
				  "%s %s: descriptor and note disagree (ABI %d.%d and %d.%d)",
				  pw_note_what(task), task->name, descriptor->major,
				  descriptor->minor, task->abi_major, task->abi_minor);
	if (!descriptor->run)
		return pw_err_set(err, PW_ERR_INPUT, "%s %s: no function", pw_note_what(task), task->name);
	return 0;
}

const struct pulp_task *
pw_plugin_task_symbol(void *dl_handle, const struct pw_plugin_meta *meta,
		      const struct pw_plugin_task *task, struct pw_err *err)
{
	const struct pulp_task *descriptor;
	uint64_t size;

	descriptor = own_object(dl_handle, task->symbol, &size, err);
	if (!descriptor || check_descriptor(descriptor, size, task, err) < 0) {
		pw_err_prefix(err, "%s", meta->path);
		return NULL;
	}
	return descriptor;
}
