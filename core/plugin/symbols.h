/* SPDX-License-Identifier: MIT */
/* The names that a shared object exports, read from the file: to say what its notes do not. */
#ifndef PW_PLUGIN_SYMBOLS_H
#define PW_PLUGIN_SYMBOLS_H

/*
 * Calls EACH for every defined dynamic symbol that begins with PREFIX. Finds them by the section headers; a file
 * without these, or one that lies, has none: this is for diagnosis only.
 */
void pw_plugin_symbols(const char *path, const char *prefix, void (*each)(const char *name, void *arg), void *arg);

#endif
