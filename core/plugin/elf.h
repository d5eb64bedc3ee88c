/* SPDX-License-Identifier: MIT */
/*
 * The ELF notes of a file, read with pread() and believed in nothing. Mapping
 * the file would let a writer kill the reader (SIGBUS).
 */
#ifndef PW_PLUGIN_ELF_H
#define PW_PLUGIN_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define PW_ELF_NOTES_MAX ((size_t)1 << 20)

/* One note of owner "Pulp". */
struct pw_elf_note {
	uint32_t type;
	const char *text; /* borrowed from the notes that were read */
	size_t len;
};

struct pw_elf_notes {
	struct pw_buf bytes; /* all note segments, one after the other */
	struct pw_elf_note *notes;
	size_t count;
	unsigned char digest[8]; /* of the bytes, as pw_elf_digest_add makes it */
};

#define PW_ELF_NOTES_INIT { PW_BUF_INIT, NULL, 0, { 0 } }

/* Reads the notes of a shared object of SIZE bytes. An error says what is wrong, without the file's name. */
int pw_elf_notes_read(int fd, uint64_t size, struct pw_elf_notes *notes, struct pw_err *err) PW_MUSTCHECK;
void pw_elf_notes_done(struct pw_elf_notes *notes);

/* FNV-1a over each note segment in the order of the program headers. Start with PW_ELF_DIGEST_INIT. */
#define PW_ELF_DIGEST_INIT UINT64_C(0xcbf29ce484222325)
uint64_t pw_elf_digest_add(uint64_t digest, const void *segment, size_t len);

#endif
