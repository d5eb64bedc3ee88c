/* SPDX-License-Identifier: MIT */
/*
 * Forges ELF files for tests: a header, program headers, one loaded segment
 * that is the whole file, and in it note segments and a dynamic section. Every
 * field may be spoiled before forge_write().
 */
#ifndef TESTS_LIB_FORGE_H
#define TESTS_LIB_FORGE_H

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FORGE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define FORGE_MACHINE EM_AARCH64
#else
#define FORGE_MACHINE 0
#endif

#define FORGE_SEGMENTS 4
#define FORGE_NOTES_AT (sizeof(ElfW(Ehdr)) + FORGE_SEGMENTS * sizeof(ElfW(Phdr)))

struct forged {
	ElfW(Ehdr) header;
	ElfW(Phdr) load, note, note2, dynamic; /* as they are written, in this order */
	unsigned char body[1 << 21];
	size_t len;	  /* of the body */
	long cut;	  /* write only so many bytes of the file, -1 = all */
};

static inline void
forge_init(struct forged *f)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->header.e_ident, ELFMAG, SELFMAG);
	f->header.e_ident[EI_CLASS] = __ELF_NATIVE_CLASS == 64 ? ELFCLASS64 : ELFCLASS32;
	f->header.e_ident[EI_DATA] = ELFDATA2LSB;
	f->header.e_ident[EI_VERSION] = EV_CURRENT;
	f->header.e_type = ET_DYN;
	f->header.e_machine = FORGE_MACHINE;
	f->header.e_version = EV_CURRENT;
	f->header.e_phoff = sizeof(f->header);
	f->header.e_ehsize = sizeof(f->header);
	f->header.e_phentsize = sizeof(f->load);
	f->header.e_phnum = FORGE_SEGMENTS;
	f->load.p_type = PT_LOAD;
	f->load.p_flags = PF_R;
	f->note.p_type = PT_NOTE;
	f->note.p_offset = f->note.p_vaddr = FORGE_NOTES_AT;
	f->note2.p_type = PT_NULL;
	f->dynamic.p_type = PT_NULL;
	f->cut = -1;
}

/* Appends bytes and pads them to 4. Returns where they begin in the body. */
static inline size_t
forge_add(struct forged *f, const void *data, size_t len)
{
	size_t at = f->len;

	memcpy(f->body + at, data, len);
	f->len += (len + 3) & ~(size_t)3;
	return at;
}

/* Appends a note of any owner; DESCSZ need not be TEXT's. Returns where it begins in the body. */
static inline size_t
forge_note(struct forged *f, const char *owner, uint32_t namesz, uint32_t type, const void *text, size_t len, uint32_t descsz)
{
	uint32_t head[3] = { namesz, descsz, type };
	size_t at = forge_add(f, head, sizeof(head));

	forge_add(f, owner, strlen(owner) + 1);
	forge_add(f, text, len);
	return at;
}

/* A note as PULP_PLUGIN and PULP_TASK make it. TEXT is a literal with its NULs inside. */
#define forge_pulp(f, type, text) forge_note(f, "Pulp", 5, type, text, sizeof(text), sizeof(text))
#define FORGE_PLUGIN "1.0\0" "forged\0" "c_forged\0" "1.0.0\0" "A forged plugin"

/* Closes the note segment over all that was added since the beginning. */
static inline void
forge_end(struct forged *f)
{
	f->note.p_filesz = f->note.p_memsz = f->len;
}

static inline int
forge_write(struct forged *f, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t size = FORGE_NOTES_AT + f->len;
	unsigned char *image = calloc(1, size);
	unsigned char *p = image;
	ssize_t n;

	if (!f->load.p_filesz)
		f->load.p_filesz = f->load.p_memsz = size;
	memcpy(p, &f->header, sizeof(f->header));
	p += sizeof(f->header);
	memcpy(p, &f->load, sizeof(f->load));
	memcpy(p += sizeof(f->load), &f->note, sizeof(f->note));
	memcpy(p += sizeof(f->note), &f->note2, sizeof(f->note2));
	memcpy(p += sizeof(f->note2), &f->dynamic, sizeof(f->dynamic));
	memcpy(image + FORGE_NOTES_AT, f->body, f->len);
	if (f->cut >= 0 && (size_t)f->cut < size)
		size = (size_t)f->cut;
	n = write(fd, image, size);
	free(image);
	close(fd);
	return n == (ssize_t)size ? 0 : -1;
}

#endif
