/* SPDX-License-Identifier: MIT */
/* The texts in a plugin's notes, read into the fields of its metadata. Pure. */
#ifndef PW_PLUGIN_NOTE_H
#define PW_PLUGIN_NOTE_H

#include "plugin/elf.h"
#include "plugin/meta.h"

#define PW_NOTE_PLUGIN 1
#define PW_NOTE_TASK 2
#define PW_NOTE_RESOURCE 3

/* The "major.minor" that every note begins with. */
int pw_note_abi(const struct pw_elf_note *note, int *ret_major, int *ret_minor, struct pw_err *err) PW_MUSTCHECK;
/* A note of type 1: module, label, version, doc. On failure what was filled stays in META, whose owner frees it. */
int pw_note_plugin(const struct pw_elf_note *note, struct pw_plugin_meta *meta, struct pw_err *err) PW_MUSTCHECK;
/* A note of type 2 or 3: name, doc, options. As above; TASK begins zeroed. */
int pw_note_task(const struct pw_elf_note *note, struct pw_plugin_task *task, struct pw_err *err) PW_MUSTCHECK;
/* "task" or "resource", for people. */
const char *pw_note_what(const struct pw_plugin_task *task);
void pw_note_task_done(struct pw_plugin_task *task);

#endif
