/* SPDX-License-Identifier: MIT */
/*
 * Reads the notes of a shared object without mapping or running it. Runs in
 * the supervisor and in pulp-plugin, on files that anybody may have made:
 * every offset is checked against the file's size before it is used.
 *
 * Only program headers count, since section headers may be stripped. Notes are
 * found by their owner bytes at each 4-byte step and not by walking from note
 * to note: mold merges segments of different alignment, and clang's address
 * sanitizer puts red zones between the notes of one section.
 */
#include "plugin/elf.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NATIVE_CLASS (__ELF_NATIVE_CLASS == 64 ? ELFCLASS64 : ELFCLASS32)
#define NATIVE_DATA (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)
#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#elif defined(__riscv)
#define NATIVE_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define NATIVE_MACHINE EM_PPC64
#elif defined(__s390x__)
#define NATIVE_MACHINE EM_S390
#elif defined(__i386__)
#define NATIVE_MACHINE EM_386
#elif defined(__arm__)
#define NATIVE_MACHINE EM_ARM
#elif defined(__loongarch__)
#define NATIVE_MACHINE EM_LOONGARCH
#else
#error "Which e_machine do this machine's shared objects have?"
#endif

#define OWNER "Pulp\0\0\0" /* 8 bytes with its last NUL: the name and its padding */
#define OWNER_LEN 8
#define SEGMENTS_MAX 512 /* real files have about a dozen; PN_XNUM is above it too */
#define DYNAMIC_MAX ((size_t)1 << 20)
#define HEAD_LEN (sizeof(ElfW(Nhdr)) + OWNER_LEN)

struct file {
	int fd;
	uint64_t size;
	ElfW(Ehdr) header;
	ElfW(Phdr) *segments;
	size_t count;
};

static bool
inside(const struct file *f, uint64_t offset, uint64_t len)
{
	return offset <= f->size && len <= f->size - offset;
}

/* Reads all LEN bytes; a file that ends before them is cut short. */
static int
read_at(const struct file *f, uint64_t offset, void *data, size_t len, struct pw_err *err)
{
	size_t got = 0;

	if (!inside(f, offset, len))
		return pw_err_set(err, PW_ERR_INPUT, "cut short");
	while (got < len) {
		ssize_t n = pread(f->fd, (char *)data + got, len - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pw_err_errno(err, "read");
		if (n == 0)
			return pw_err_set(err, PW_ERR_INPUT, "cut short");
		got += (size_t)n;
	}
	return 0;
}

static const char *
machine_name(unsigned machine, char *buf, size_t size)
{
	static const struct {
		unsigned machine;
		const char *name;
	} names[] = {
		{ EM_X86_64, "x86-64" }, { EM_AARCH64, "aarch64" }, { EM_386, "i386" },	{ EM_ARM, "arm" },
		{ EM_RISCV, "riscv" },	 { EM_PPC64, "ppc64" },	    { EM_S390, "s390" }, { EM_LOONGARCH, "loongarch" },
	};

	for (size_t i = 0; i < PW_COUNT(names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	snprintf(buf, size, "ELF machine %u", machine);
	return buf;
}

static int
check_ident(const unsigned char *ident, struct pw_err *err)
{
	static const char *const bits[] = { [ELFCLASS32] = "32", [ELFCLASS64] = "64" };
	static const char *const ends[] = { [ELFDATA2LSB] = "little", [ELFDATA2MSB] = "big" };
	unsigned class = ident[EI_CLASS], data = ident[EI_DATA];

	if (class != NATIVE_CLASS)
		return pw_err_set(err, PW_ERR_INPUT, "%s-bit, this worker is %s-bit",
				  class == ELFCLASS32 || class == ELFCLASS64 ? bits[class] : "unknown",
				  bits[NATIVE_CLASS]);
	if (data != NATIVE_DATA)
		return pw_err_set(err, PW_ERR_INPUT, "%s-endian, this worker is not",
				  data == ELFDATA2LSB || data == ELFDATA2MSB ? ends[data] : "unknown");
	return 0;
}

static int
check_type(unsigned type, struct pw_err *err)
{
	switch (type) {
	case ET_DYN:
		return 0;
	case ET_EXEC:
		return pw_err_set(err, PW_ERR_INPUT, "not a shared object but a program");
	case ET_REL:
		return pw_err_set(err, PW_ERR_INPUT,
				  "not a shared object but an object file: link it with -shared");
	default:
		return pw_err_set(err, PW_ERR_INPUT, "not a shared object");
	}
}

static int
read_header(struct file *f, struct pw_err *err)
{
	unsigned char *ident = f->header.e_ident;
	char theirs[32], ours[32];

	if (f->size < SELFMAG || read_at(f, 0, ident, SELFMAG, err) < 0 ||
	    memcmp(ident, ELFMAG, SELFMAG) != 0)
		return pw_err_set(err, PW_ERR_INPUT, "not ELF");
	if (read_at(f, 0, ident, EI_NIDENT, err) < 0 || check_ident(ident, err) < 0 ||
	    read_at(f, 0, &f->header, sizeof(f->header), err) < 0)
		return -1;
	if (f->header.e_machine != NATIVE_MACHINE)
		return pw_err_set(err, PW_ERR_INPUT, "wrong machine: %s, this worker is for %s",
				  machine_name(f->header.e_machine, theirs, sizeof(theirs)),
				  machine_name(NATIVE_MACHINE, ours, sizeof(ours)));
	return check_type(f->header.e_type, err);
}

/* The caller frees f->segments. */
static int
read_segments(struct file *f, struct pw_err *err)
{
	size_t len = (size_t)f->header.e_phnum * sizeof(ElfW(Phdr));

	if (f->header.e_phnum == 0 || f->header.e_phnum > SEGMENTS_MAX ||
	    f->header.e_phentsize != sizeof(ElfW(Phdr)))
		return pw_err_set(err, PW_ERR_INPUT, "bad program headers");
	if (!inside(f, f->header.e_phoff, len))
		return pw_err_set(err, PW_ERR_INPUT, "cut short");
	f->segments = malloc(len);
	if (!f->segments)
		return pw_err_nomem(err);
	f->count = f->header.e_phnum;
	return read_at(f, f->header.e_phoff, f->segments, len, err);
}

/* What the dynamic section forbids, before dlopen would. */
static int
check_dynamic(const struct file *f, const ElfW(Phdr) *segment, struct pw_err *err)
{
	ElfW(Dyn) entry;
	size_t count = segment->p_filesz / sizeof(entry);

	if (segment->p_filesz > DYNAMIC_MAX)
		return pw_err_set(err, PW_ERR_INPUT, "bad program headers");
	if (!inside(f, segment->p_offset, segment->p_filesz))
		return pw_err_set(err, PW_ERR_INPUT, "cut short");
	for (size_t i = 0; i < count; i++) {
		uint64_t at = segment->p_offset + i * sizeof(entry);

		if (read_at(f, at, &entry, sizeof(entry), err) < 0)
			return -1;
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_PIE))
			return pw_err_set(err, PW_ERR_INPUT, "a program, not a shared object: link it with -shared");
		if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_NOOPEN))
			return pw_err_set(err, PW_ERR_INPUT, "forbids dlopen (linked with -z nodlopen)");
	}
	return 0;
}

/* There is one dynamic section at most; without one dlopen will say so. */
static int
check_dynamics(const struct file *f, struct pw_err *err)
{
	int seen = 0;

	for (size_t i = 0; i < f->count; i++) {
		if (f->segments[i].p_type != PT_DYNAMIC)
			continue;
		if (seen++)
			return pw_err_set(err, PW_ERR_INPUT, "bad program headers");
		if (check_dynamic(f, &f->segments[i], err) < 0)
			return -1;
	}
	return 0;
}

/* What was read here must be what is mapped later, or the comparison after dlopen means nothing. */
static bool
is_loaded(const struct file *f, const ElfW(Phdr) *note)
{
	for (size_t i = 0; i < f->count; i++) {
		const ElfW(Phdr) *load = &f->segments[i];

		if (load->p_type == PT_LOAD && note->p_offset >= load->p_offset &&
		    note->p_filesz <= load->p_filesz &&
		    note->p_offset - load->p_offset <= load->p_filesz - note->p_filesz &&
		    note->p_vaddr - load->p_vaddr == note->p_offset - load->p_offset)
			return true;
	}
	return false;
}

uint64_t
pw_elf_digest_add(uint64_t digest, const void *segment, size_t len)
{
	const unsigned char *p = segment;

	for (size_t i = 0; i < sizeof(uint64_t); i++)
		digest = (digest ^ (unsigned char)((uint64_t)len >> 8 * i)) *
			 UINT64_C(0x100000001b3);
	while (len--)
		digest = (digest ^ *p++) * UINT64_C(0x100000001b3);
	return digest;
}

static int
read_note_segments(const struct file *f, struct pw_elf_notes *notes, struct pw_err *err)
{
	uint64_t digest = PW_ELF_DIGEST_INIT;

	for (size_t i = 0; i < f->count; i++) {
		const ElfW(Phdr) *segment = &f->segments[i];
		char *at;

		if (segment->p_type != PT_NOTE || segment->p_filesz == 0)
			continue;
		if (segment->p_filesz > PW_ELF_NOTES_MAX - notes->bytes.len)
			return pw_err_set(err, PW_ERR_INPUT, "notes too big (more than 1 MiB)");
		if (!inside(f, segment->p_offset, segment->p_filesz))
			return pw_err_set(err, PW_ERR_INPUT, "cut short");
		if (!is_loaded(f, segment))
			return pw_err_set(err, PW_ERR_INPUT, "bad program headers: its notes are not loaded with it");
		if (pw_buf_reserve(&notes->bytes, segment->p_filesz) < 0)
			return pw_err_nomem(err);
		at = notes->bytes.data + notes->bytes.len;
		if (read_at(f, segment->p_offset, at, segment->p_filesz, err) < 0)
			return -1;
		notes->bytes.len += segment->p_filesz;
		digest = pw_elf_digest_add(digest, at, segment->p_filesz);
	}
	memcpy(notes->digest, &digest, sizeof(notes->digest));
	return 0;
}

/* The note that begins at AT. 0: there is none of ours. */
static int
look_at(const char *at, const char *end, struct pw_elf_note *note, struct pw_err *err)
{
	ElfW(Nhdr) head;

	if ((size_t)(end - at) < HEAD_LEN || memcmp(at + sizeof(head), OWNER, OWNER_LEN) != 0)
		return 0;
	memcpy(&head, at, sizeof(head));
	if (head.n_namesz != strlen(OWNER) + 1 || head.n_descsz > (size_t)(end - at) - HEAD_LEN)
		return pw_err_set(err, PW_ERR_INPUT, "note sizes lie");
	*note = (struct pw_elf_note){ head.n_type, at + HEAD_LEN, head.n_descsz };
	return 1;
}

/* A text ends with a NUL and does not reach into the next note (whose header no text can look like: it begins with a control character). */
static bool
text_ends(const struct pw_elf_note *note, const char *end)
{
	struct pw_elf_note next;

	if (note->len == 0 || note->text[note->len - 1] != '\0')
		return false;
	for (const char *p = note->text; p < note->text + note->len; p += 4)
		if (*p == (char)(strlen(OWNER) + 1) && look_at(p, end, &next, NULL) != 0)
			return false;
	return true;
}

static int
note_add(struct pw_elf_notes *notes, const struct pw_elf_note *note, struct pw_err *err)
{
	if ((notes->count & (notes->count - 1)) == 0) {
		size_t room = notes->count ? 2 * notes->count : 1;
		struct pw_elf_note *more = realloc(notes->notes, room * sizeof(*more));

		if (!more)
			return pw_err_nomem(err);
		notes->notes = more;
	}
	notes->notes[notes->count++] = *note;
	return 0;
}

/* Finds the notes in one segment, which begins at file offset OFFSET: the step of 4 is the file's. */
static int
find_notes(struct pw_elf_notes *notes, const char *at, size_t len, uint64_t offset,
	   struct pw_err *err)
{
	const char *end = at + len;
	size_t skip = (size_t)(-offset & 3);

	while (skip <= (size_t)(end - at)) {
		struct pw_elf_note note;
		int found;

		at += skip;
		found = look_at(at, end, &note, err);
		if (found < 0)
			return -1;
		skip = 4;
		if (found == 0)
			continue;
		if (!text_ends(&note, end))
			return pw_err_set(err, PW_ERR_INPUT, "note text has no end");
		if (note_add(notes, &note, err) < 0)
			return -1;
		skip = HEAD_LEN + ((note.len + 3) & ~(size_t)3);
	}
	return 0;
}

static int
find_all_notes(const struct file *f, struct pw_elf_notes *notes, struct pw_err *err)
{
	const char *at = notes->bytes.data;

	for (size_t i = 0; i < f->count; i++) {
		const ElfW(Phdr) *segment = &f->segments[i];

		if (segment->p_type != PT_NOTE || segment->p_filesz == 0)
			continue;
		if (find_notes(notes, at, segment->p_filesz, segment->p_offset, err) < 0)
			return -1;
		at += segment->p_filesz;
	}
	return 0;
}

int
pw_elf_notes_read(int fd, uint64_t size, struct pw_elf_notes *notes, struct pw_err *err)
{
	struct file f = { .fd = fd, .size = size };
	int ret = -1;

	if (read_header(&f, err) == 0 && read_segments(&f, err) == 0 &&
	    check_dynamics(&f, err) == 0 && read_note_segments(&f, notes, err) == 0 &&
	    find_all_notes(&f, notes, err) == 0)
		ret = 0;
	free(f.segments);
	return ret;
}

void
pw_elf_notes_done(struct pw_elf_notes *notes)
{
	pw_buf_done(&notes->bytes);
	free(notes->notes);
	notes->notes = NULL;
	notes->count = 0;
}
