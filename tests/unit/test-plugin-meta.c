/* SPDX-License-Identifier: MIT */
/* Metadata from forged files: each bad one of the table in pulp-plugin(7), and the good ones beside it. */
#include <stdbool.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "lib/forge.h"
#include "lib/tap.h"
#include "plugin/meta.h"

static char dir[64] = "/tmp/test-plugin-meta.XXXXXX";
static char path[128];
static struct forged f;

/* Writes the forged file and reads it. The text after "PATH: " or, if it was accepted, "". */
static const char *
verdict_of(const char *file)
{
	static struct pw_err err;
	struct pw_plugin_meta *meta = NULL;

	if (pw_plugin_meta_read(file, &meta, &err) == 0) {
		pw_plugin_meta_free(meta);
		return "";
	}
	if (meta)
		return "an output was touched by a failure";
	if (strncmp(err.text, file, strlen(file)) != 0 || strncmp(err.text + strlen(file), ": ", 2) != 0)
		return err.text;
	return err.text + strlen(file) + 2;
}

static const char *
verdict(void)
{
	forge_end(&f);
	if (forge_write(&f, path) < 0)
		bail("cannot write %s", path);
	return verdict_of(path);
}

/* A forged plugin with one task, which is all right. */
static void
good(void)
{
	forge_init(&f);
	forge_pulp(&f, 1, FORGE_PLUGIN);
	forge_pulp(&f, 2, "1.0\0" "greet\0" "Greet somebody");
}

static void
test_good(void)
{
	struct pw_plugin_meta *meta = NULL;
	struct pw_err err;

	forge_init(&f);
	forge_note(&f, "GNU", 4, 3, "0123456789abcdef", 16, 16);
	forge_pulp(&f, 2, "1.0\0" "zoo__feed\0" "Gr\303\274\303\237e, Pulp\0" "memory=64M\0" "timeout=1h\0" "immediate");
	forge_add(&f, "\0\0\0\0\0\0\0\0", 8); /* a red zone */
	forge_pulp(&f, 2, "1.0\0" "greet\0" "Greet Pulp");
	forge_pulp(&f, 3, "1.1\0" "forged__thing\0" "A thing\0" "timeout=5s");
	forge_pulp(&f, 3, "1.1\0" "forged__place\0" "A place");
	forge_pulp(&f, 7, "9.9\0" "from the future");
	forge_pulp(&f, 1, "1.0\0" "forged\0" "c_forged\0" "v1.0-RC.1\0" "A forged plugin");
	forge_end(&f);
	if (forge_write(&f, path) < 0)
		bail("cannot write %s", path);
	if (pw_plugin_meta_read(path, &meta, &err) < 0)
		bail("%s", err.text);
	is_str(meta->module, "forged", "module");
	is_str(meta->label, "c_forged", "label");
	is_str(meta->version, "1.0rc1", "version, in its normal form");
	is_str(meta->doc, "A forged plugin", "doc");
	is_str(meta->path, path, "path");
	is_int(meta->task_count, 2, "two tasks");
	is_str(meta->tasks[0].name, "greet", "sorted by name");
	is_str(meta->tasks[1].name, "zoo.feed", "a dot for __");
	is_str(meta->tasks[1].symbol, "pulp_task_zoo__feed", "its symbol");
	is_int(meta->tasks[1].timeout_ns, INT64_C(3600000000000), "its timeout");
	is_int(meta->tasks[1].memory_bytes, 64 << 20, "its memory");
	ok(meta->tasks[1].immediate && !meta->tasks[0].immediate, "immediate");
	is_int(meta->tasks[1].abi_major * 100 + meta->tasks[1].abi_minor, 100, "its ABI");
	ok(pw_plugin_meta_task(meta, "zoo.feed") == &meta->tasks[1] && pw_plugin_meta_task(meta, "greet") == &meta->tasks[0],
	   "tasks are found by name");
	ok(!pw_plugin_meta_task(meta, "zoo__feed") && !pw_plugin_meta_task(meta, "") && !pw_plugin_meta_task(meta, "zzz") &&
		   !pw_plugin_meta_task(meta, "gree"),
	   "and by nothing else");
	is_int(meta->resource_count, 2, "two resources, and no tasks");
	is_str(meta->resources[0].name, "forged.place", "sorted by type");
	is_str(meta->resources[1].symbol, "pulp_resource_forged__thing", "the symbol of one");
	is_int(meta->resources[1].timeout_ns, INT64_C(5000000000), "its timeout");
	ok(pw_plugin_meta_resource(meta, "forged.thing") == &meta->resources[1] && !pw_plugin_meta_resource(meta, "greet") &&
		   !pw_plugin_meta_task(meta, "forged.thing"),
	   "it is found by its type, and is no task");
	is_int(meta->abi_minor, 1, "the highest minor counts");
	pw_plugin_meta_free(meta);
}

static void
test_no_file(void)
{
	char other[160];

	ok(strstr(verdict_of("/nonexistent/x.so"), "No such file"), "a file that is not there");
	is_str(verdict_of(dir), "not a regular file", "a directory");
	is_str(verdict_of("/dev/null"), "not a regular file", "a device");
	snprintf(other, sizeof(other), "%s/fifo.so", dir);
	if (mkfifo(other, 0600) < 0)
		bail("mkfifo");
	is_str(verdict_of(other), "not a regular file", "a fifo, and nobody waits for its writer");
	unlink(other);
}

static void
test_header(void)
{
	good();
	f.cut = 0;
	is_str(verdict(), "not ELF", "empty");
	good();
	memcpy(&f.header, "#!/bin/sh\necho hello\n", 21);
	is_str(verdict(), "not ELF", "text");
	good();
	f.header.e_ident[EI_CLASS] = ELFCLASS32;
	is_str(verdict(), "32-bit, this worker is 64-bit", "32-bit");
	good();
	f.header.e_ident[EI_DATA] = ELFDATA2MSB;
	is_str(verdict(), "big-endian, this worker is not", "big-endian");
	good();
	f.header.e_machine = FORGE_MACHINE == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
	ok(strncmp(verdict(), "wrong machine: ", 15) == 0, "wrong machine: %s", verdict());
	good();
	f.header.e_machine = 4711;
	ok(strstr(verdict(), "ELF machine 4711"), "an unknown machine has its number");
	good();
	f.header.e_type = ET_REL;
	is_str(verdict(), "not a shared object but an object file: link it with -shared", "an object file");
	good();
	f.header.e_type = ET_EXEC;
	is_str(verdict(), "not a shared object but a program", "a program at a fixed address");
	good();
	f.header.e_type = ET_CORE;
	is_str(verdict(), "not a shared object", "a core dump");
	good();
	f.header.e_phnum = PN_XNUM;
	is_str(verdict(), "bad program headers", "PN_XNUM");
	good();
	f.header.e_phnum = 0;
	is_str(verdict(), "bad program headers", "no program headers");
	good();
	f.header.e_phentsize = 32;
	is_str(verdict(), "bad program headers", "program headers of another size");
	good();
	f.header.e_phoff = UINT64_MAX - 8;
	is_str(verdict(), "cut short", "program headers beyond the end");
}

static void
test_dynamic(uint64_t flags, const char *want)
{
	ElfW(Dyn) dynamic[2] = { { DT_FLAGS_1, { flags } }, { DT_NULL, { 0 } } };

	good();
	forge_end(&f);
	f.dynamic.p_type = PT_DYNAMIC;
	f.dynamic.p_offset = FORGE_NOTES_AT + forge_add(&f, dynamic, sizeof(dynamic));
	f.dynamic.p_filesz = sizeof(dynamic);
	is_str(verdict(), want, "DT_FLAGS_1 %#llx", (unsigned long long)flags);
}

static void
test_segments(void)
{
	size_t all;

	test_dynamic(DF_1_NOW, "");
	test_dynamic(DF_1_PIE, "a program, not a shared object: link it with -shared");
	test_dynamic(DF_1_NOOPEN, "forbids dlopen (linked with -z nodlopen)");
	f.dynamic.p_offset = UINT64_MAX - 3;
	is_str(verdict(), "cut short", "a dynamic section beyond the end");
	f.dynamic.p_filesz = UINT64_MAX;
	is_str(verdict(), "bad program headers", "an endless dynamic section");
	f.dynamic.p_offset = f.dynamic.p_filesz = 0;
	f.note2 = f.dynamic;
	is_str(verdict(), "bad program headers", "two dynamic sections");

	good();
	all = FORGE_NOTES_AT + f.len;
	for (long cut = SELFMAG; cut < (long)all; cut++) {
		f.cut = cut;
		if (strcmp(verdict(), "cut short") != 0)
			break;
		f.load.p_filesz = 0;
	}
	is_int(f.cut, (long)all - 1, "cut off at any byte");

	good();
	f.note2 = f.note;
	f.note2.p_filesz = PW_COUNT(f.body) / 2 + 1;
	f.note2.p_type = PT_NOTE;
	f.len = PW_COUNT(f.body);
	f.note.p_filesz = 4;
	is_int(forge_write(&f, path), 0, "a note segment of more than 1 MiB");
	is_str(verdict_of(path), "notes too big (more than 1 MiB)", "is too big");

	good();
	f.load.p_filesz = FORGE_NOTES_AT + 8;
	is_str(verdict(), "bad program headers: its notes are not loaded with it", "notes outside of what is loaded");
	good();
	f.note.p_vaddr += 4;
	is_str(verdict(), "bad program headers: its notes are not loaded with it", "notes mapped from elsewhere");
	good();
	forge_add(&f, "\0\0\0", 3);
	f.note2.p_type = PT_NOTE;
	f.note2.p_offset = f.note2.p_vaddr = FORGE_NOTES_AT + 2;
	f.note2.p_filesz = 3;
	is_str(verdict(), "", "a foreign segment that is too small and crooked");
}

static void
test_sizes(void)
{
	size_t at;
	uint32_t bad;

	good();
	at = forge_pulp(&f, 2, "1.0\0" "last\0" "The last one");
	bad = UINT32_MAX;
	memcpy(f.body + at + 4, &bad, 4);
	is_str(verdict(), "note sizes lie", "descsz 0xffffffff");
	bad = sizeof("1.0\0last\0The last one") + 4;
	memcpy(f.body + at + 4, &bad, 4);
	is_str(verdict(), "note sizes lie", "descsz beyond the segment");
	for (bad = 0; bad < 9; bad++) {
		good();
		at = forge_pulp(&f, 2, "1.0\0" "last\0" "The last one");
		memcpy(f.body + at, &bad, 4);
		is_str(verdict(), bad == 5 ? "" : "note sizes lie", "namesz %u", bad);
	}
	good();
	at = forge_pulp(&f, 2, "1.0\0" "last\0" "The last one");
	bad = 0;
	memcpy(f.body + at + 4, &bad, 4);
	is_str(verdict(), "note text has no end", "descsz 0");
	for (bad = 1; bad <= 28; bad++) {
		uint32_t descsz = sizeof("1.0\0first\0The first one") + bad;

		good();
		at = forge_pulp(&f, 2, "1.0\0" "first\0" "The first one");
		forge_pulp(&f, 2, "1.0\0" "second\0" "The second one");
		memcpy(f.body + at + 4, &descsz, 4);
		if (strcmp(verdict(), "note text has no end") != 0)
			break;
	}
	is_int(bad, 29, "descsz into the next note (stopped at +%u: %s)", bad, verdict());
	good();
	forge_note(&f, "Pulp", 5, 2, "1.0\0" "short", 10, 10);
	is_str(verdict(), "task short: no doc", "descsz short of the doc");
	good();
	forge_note(&f, "Pulp", 5, 2, "1.0", 4, 4);
	is_str(verdict(), "bad task name ''", "descsz short of the name");
}

static void
test_plugin_notes(void)
{
	forge_init(&f);
	forge_note(&f, "GNU", 4, 3, "0123456789abcdef", 16, 16);
	is_str(verdict(), "no pulp notes: is this a plugin?", "no notes of ours");
	f.note.p_type = PT_NULL;
	is_str(verdict(), "no pulp notes: is this a plugin?", "no notes at all");
	forge_init(&f);
	forge_pulp(&f, 2, "1.0\0" "greet\0" "Greet somebody");
	is_str(verdict(), "0 PULP_PLUGIN notes, there must be one", "no plugin note");
	good();
	forge_pulp(&f, 1, "1.0\0" "forged2\0" "c_forged2\0" "1.0.0\0" "Another");
	is_str(verdict(), "2 PULP_PLUGIN notes, there must be one", "two plugin notes");
	good();
	forge_pulp(&f, 0, "anything");
	forge_pulp(&f, 4, "5.0\0" "anything");
	is_str(verdict(), "", "unknown types are ignored");
}

#define PLUGIN(text, want)                                                   \
	do {                                                                 \
		forge_init(&f);                                              \
		forge_pulp(&f, 1, text);                                     \
		forge_pulp(&f, 2, "1.0\0" "greet\0" "Greet somebody");       \
		is_str(verdict(), want, "plugin note: %s", want);            \
	} while (0)
#define TASK(text, want)                                                     \
	do {                                                                 \
		good();                                                      \
		forge_pulp(&f, 2, text);                                     \
		is_str(verdict(), want, "task note: %s", *want ? want : "accepted"); \
	} while (0)
#define RESOURCE(text, want)                                                 \
	do {                                                                 \
		good();                                                      \
		forge_pulp(&f, 3, "1.1\0" text);                             \
		is_str(verdict(), want, "resource note: %s", want);          \
	} while (0)

static void
test_abi(void)
{
	PLUGIN("2.0\0" "forged\0" "c_forged\0" "1.0.0\0" "Doc", "needs ABI 2, this worker has 1");
	PLUGIN("2.0\0" "whatever ABI 2 has here", "needs ABI 2, this worker has 1");
	PLUGIN("0.9\0" "forged\0" "c_forged\0" "1.0.0\0" "Doc", "needs ABI 0, this worker has 1");
	PLUGIN("1.9\0" "forged\0" "c_forged\0" "1.0.0\0" "Doc", "needs ABI 1.9, this worker has 1.1");
	TASK("1.9\0" "late\0" "From a newer header", "needs ABI 1.9, this worker has 1.1");
	PLUGIN("x\0" "forged\0" "c_forged\0" "1.0.0\0" "Doc", "bad ABI 'x'");
	TASK("1\0" "late\0" "Doc", "bad ABI '1'");
	TASK("1.\0" "late\0" "Doc", "bad ABI '1.'");
	TASK(".1\0" "late\0" "Doc", "bad ABI '.1'");
	TASK("1.0.0\0" "late\0" "Doc", "bad ABI '1.0.0'");
	TASK("1.-1\0" "late\0" "Doc", "bad ABI '1.-1'");
	TASK("1.65536\0" "late\0" "Doc", "bad ABI '1.65536'");
	TASK("1.999999\0" "late\0" "Doc", "bad ABI '1.999999'");
}

static void
test_names(void)
{
	static const char *const bad[] = { "a___b", "_a", "a_", "1a", "../../x", "a__", "__a", "a____b", "a__1", "a-b", "a.b", "a b", "\303\244", "a__b_" };
	static const char *const fine[] = { "a", "A", "a1", "a_b", "a_1", "a__b__c", "a_b__c_d", "Z9__z9", "if" };
	char text[400], want[400];
	size_t len;

	for (size_t i = 0; i < PW_COUNT(bad) + PW_COUNT(fine); i++) {
		const char *name = i < PW_COUNT(bad) ? bad[i] : fine[i - PW_COUNT(bad)];

		good();
		len = (size_t)snprintf(text, sizeof(text), "1.0%c%s%cDoc", 0, name, 0) + 1;
		forge_note(&f, "Pulp", 5, 2, text, len, (uint32_t)len);
		snprintf(want, sizeof(want), "bad task name '%s'", name);
		is_str(verdict(), i < PW_COUNT(bad) ? want : "", "task name %s", name);
	}
	good();
	memset(text, 'a', sizeof(text));
	memcpy(text, "1.0", 4);
	text[205] = '\0';
	memcpy(text + 206, "Doc", 4);
	forge_note(&f, "Pulp", 5, 2, text, 210, 210);
	ok(strncmp(verdict(), "bad task name 'aaaa", 19) == 0, "a name of 201 letters");
	TASK("1.0\0" "greet\0" "Greet again", "task greet defined twice");
	RESOURCE("thing\0" "No app label", "bad resource type 'thing'");
	RESOURCE("a__b__c\0" "Too many parts", "bad resource type 'a__b__c'");
	RESOURCE("a_\0" "No type", "bad resource type 'a_'");
	RESOURCE("a__b\0" "", "resource a.b: doc is empty");
	RESOURCE("a__b\0" "Doc\0" "immediate", "resource a.b: unknown option 'immediate'");
	RESOURCE("a__b\0" "Doc\0" "timeout=soon", "resource a.b: option timeout: 'soon' is not a duration");
}

static void
test_texts(void)
{
	TASK("1.0\0" "t\0" "", "task t: doc is empty");
	TASK("1.0\0" "t\0" "Two\nlines", "task t: doc has a control character");
	TASK("1.0\0" "t\0" "Bell\a", "task t: doc has a control character");
	TASK("1.0\0" "t\0" "CSI\302\233" "31m", "task t: doc has a control character");
	TASK("1.0\0" "t\0" "Gr\374\337e", "task t: doc is not UTF-8");
	TASK("1.0\0" "t\0" "Doc\0" "timeout=60*60", "task t: option timeout: '60*60' is not a duration (units: ms, s, m, h, d)");
	TASK("1.0\0" "t\0" "Doc\0" "timeout=0", "task t: option timeout: '0' is no time at all");
	TASK("1.0\0" "t\0" "Doc\0" "timeout=", "task t: option timeout: '' is not a duration");
	TASK("1.0\0" "t\0" "Doc\0" "timeout=1s\0" "timeout=2s", "task t: option timeout: given twice");
	TASK("1.0\0" "t\0" "Doc\0" "memory=much", "task t: option memory: 'much' is not a size");
	TASK("1.0\0" "t\0" "Doc\0" "memory=0", "task t: option memory: '0' is no memory at all");
	TASK("1.0\0" "t\0" "Doc\0" "memory=1M\0" "memory=1M", "task t: option memory: given twice");
	TASK("1.0\0" "t\0" "Doc\0" "immediate\0" "immediate", "task t: option immediate: given twice");
	TASK("1.0\0" "t\0" "Doc\0" "retries=3", "task t: unknown option 'retries=3'");
	TASK("1.0\0" "t\0" "Doc\0" "immediate=1", "task t: unknown option 'immediate=1'");
	TASK("1.0\0" "t\0" "Doc\0" "timeout", "task t: unknown option 'timeout'");
	TASK("1.0\0" "t\0" "Doc\0" "", "task t: unknown option ''");
	TASK("1.0\0" "t\0" "Doc\0" "timeout=90", "");
	PLUGIN("1.0\0" "a.b\0" "c_forged\0" "1.0.0\0" "Doc", "bad module name 'a.b'");
	PLUGIN("1.0\0" "\0" "c_forged\0" "1.0.0\0" "Doc", "bad module name ''");
	PLUGIN("1.0\0" "a__b\0" "c_forged\0" "1.0.0\0" "Doc", "bad module name 'a__b'");
	PLUGIN("1.0\0" "pulpcore\0" "c_forged\0" "1.0.0\0" "Doc",
	       "bad module name 'pulpcore': pulpcore and pulp_* belong to Python's Pulp");
	PLUGIN("1.0\0" "pulp_rpm\0" "c_forged\0" "1.0.0\0" "Doc",
	       "bad module name 'pulp_rpm': pulpcore and pulp_* belong to Python's Pulp");
	PLUGIN("1.0\0" "forged\0" "c-forged\0" "1.0.0\0" "Doc", "bad label 'c-forged'");
	PLUGIN("1.0\0" "forged\0" "c_forged\0" "latest\0" "Doc", "version 'latest' is not PEP 440");
	PLUGIN("1.0\0" "forged\0" "c_forged\0" "\0" "Doc", "version '' is not PEP 440");
	PLUGIN("1.0\0" "forged\0" "c_forged\0" "1.0.0\0" "", "PULP_PLUGIN: doc is empty");
	PLUGIN("1.0\0" "forged\0" "c_forged\0" "1.0.0", "PULP_PLUGIN: no doc");
	PLUGIN("1.0\0" "forged", "bad label ''");
}

/* No byte of a plugin, whatever it becomes, does more than change the verdict. */
static void
test_flips(void)
{
	size_t size, refused = 0;
	unsigned char was;
	int fd;

	good();
	is_str(verdict(), "", "a good one, to be spoiled");
	size = FORGE_NOTES_AT + f.len;
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (size_t at = 0; at < size; at++) {
		if (pread(fd, &was, 1, (off_t)at) != 1)
			bail("cannot read %s", path);
		for (int value = 0; value < 256; value += 51)
			if (pwrite(fd, &value, 1, (off_t)at) == 1)
				refused += *verdict_of(path) != '\0';
		if (pwrite(fd, &was, 1, (off_t)at) != 1)
			bail("cannot write %s", path);
	}
	close(fd);
	ok(refused > size, "every byte spoiled: %zu refusals of %zu", refused, 6 * size);
}

int
main(void)
{
	if (!mkdtemp(dir))
		bail("mkdtemp");
	snprintf(path, sizeof(path), "%s/plugin.so", dir);
	test_good();
	test_no_file();
	test_header();
	test_segments();
	test_sizes();
	test_plugin_notes();
	test_abi();
	test_names();
	test_texts();
	test_flips();
	unlink(path);
	rmdir(dir);
	return tap_done();
}
