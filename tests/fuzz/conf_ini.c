/* SPDX-License-Identifier: MIT */
/* Texts that may be configuration files: entries are non-empty keys and values within the text, faults name a place in it. */
#include <ctype.h>
#include <stdio.h>

#include "conf/ini.h"
#include "fuzz/fuzz.h"

struct seen {
	int line;
	size_t length; /* of the text */
};

static int
see(void *arg, const struct pw_ini_entry *entry, int *column, struct pw_err *err)
{
	struct seen *seen = arg;
	size_t key = strlen(entry->key), value = strlen(entry->value);

	MUST(key > 0 && key + value < seen->length);
	MUST(!strchr(entry->key, '=') && !strchr(entry->key, '\n') && !strchr(entry->value, '\n'));
	MUST(!isblank((unsigned char)entry->key[0]) &&
	     !isblank((unsigned char)entry->key[key - 1]));
	MUST(entry->line > seen->line);
	MUST(entry->key_column >= 1 && entry->value_column > entry->key_column + (int)key);
	seen->line = entry->line;
	if (strncmp(entry->key, "bad", 3) != 0)
		return 0;
	*column = entry->value_column;
	return pw_err_set(err, PW_ERR_INPUT, "a bad key");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = { .length = size };
	struct pw_err err = { 0 };
	char *text = malloc(size + 1);
	int line, column, lines = 1;

	MUST(text);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	memcpy(text, data, size);
	if (pw_ini_parse("file", text, size, see, &seen, &err) < 0) {
		MUST(err.kind == PW_ERR_CONFIG && sscanf(err.text, "file:%d:%d: ", &line, &column) == 2);
		MUST(line >= 1 && line <= lines && line >= seen.line && column >= 1 &&
		     (size_t)column <= size + 1);
	}
	free(text);
	return 0;
}
