/* SPDX-License-Identifier: MIT */
/*
 * The names that a shared object exports, read with pread. Runs in pulp-plugin
 * check, which so can tell "its notes were stripped" from "this is no plugin".
 * No decision of a worker depends on it.
 */
#include "plugin/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"

#define TABLE_MAX ((size_t)64 << 20)

static bool
read_at(int fd, uint64_t offset, void *data, size_t len)
{
	return offset <= INT64_MAX && pread(fd, data, len, (off_t)offset) == (ssize_t)len;
}

/* The whole of a section, malloc'ed, with a NUL after it. */
static void *
read_section(int fd, const ElfW(Shdr) *section)
{
	char *data;

	if (section->sh_size > TABLE_MAX)
		return NULL;
	data = malloc(section->sh_size + 1);
	if (data && !read_at(fd, section->sh_offset, data, section->sh_size)) {
		free(data);
		return NULL;
	}
	if (data)
		data[section->sh_size] = '\0';
	return data;
}

static bool
find_tables(int fd, ElfW(Shdr) *symbols, ElfW(Shdr) *names)
{
	ElfW(Ehdr) header;

	if (!read_at(fd, 0, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_shentsize != sizeof(*symbols))
		return false;
	for (size_t i = 0; i < header.e_shnum; i++) {
		if (!read_at(fd, header.e_shoff + i * sizeof(*symbols), symbols, sizeof(*symbols)))
			return false;
		if (symbols->sh_type == SHT_DYNSYM)
			return symbols->sh_link < header.e_shnum &&
			       read_at(fd, header.e_shoff + symbols->sh_link * sizeof(*names),
				       names, sizeof(*names));
	}
	return false;
}

void
pw_plugin_symbols(const char *path, const char *prefix, void (*each)(const char *name, void *arg),
		  void *arg)
{
	pw_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	pw_auto_free ElfW(Sym) *symbols = NULL;
	pw_auto_free char *names = NULL;
	ElfW(Shdr) table, strings;

	if (fd < 0 || !find_tables(fd, &table, &strings))
		return;
	symbols = read_section(fd, &table);
	names = read_section(fd, &strings);
	for (size_t i = 0; symbols && names && i < table.sh_size / sizeof(*symbols); i++) {
		if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_name < strings.sh_size &&
		    strncmp(names + symbols[i].st_name, prefix, strlen(prefix)) == 0)
			each(names + symbols[i].st_name, arg);
	}
}
