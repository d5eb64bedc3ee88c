/* SPDX-License-Identifier: MIT */
/* Compares a manifest with the store. Runs in the task child. */
#include "file/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int
by_line(const void *a, const void *b)
{
	const struct pw_entry *x = *(const struct pw_entry *const *)a,
			      *y = *(const struct pw_entry *const *)b;

	return (x->line > y->line) - (x->line < y->line);
}

static int
by_digest(const void *a, const void *b)
{
	const struct pw_entry *x = *(const struct pw_entry *const *)a,
			      *y = *(const struct pw_entry *const *)b;
	int order = strcmp(x->sha256, y->sha256);

	return order ? order : by_line(a, b);
}

static int
keep(const struct pw_entry *entry, const struct pw_entry *before, const struct pw_store *store,
     struct pw_plan *plan, struct pw_err *err)
{
	if (before && strcmp(before->sha256, entry->sha256) == 0) {
		if (before->size != entry->size)
			return pw_err_set(err, PW_ERR_INPUT,
					  PW_MANIFEST_NAME " line %zu: the size is not that of line %zu, which has the same sha256",
					  entry->line, before->line);
		return 0;
	}
	if (pw_store_has(store, entry->sha256, entry->size))
		return 0;
	if (__builtin_add_overflow(plan->bytes, entry->size, &plan->bytes))
		return pw_err_set(err, PW_ERR_INPUT, PW_MANIFEST_NAME " line %zu: the size is too large", entry->line);
	plan->wants[plan->count++] = entry;
	return 0;
}

int
pw_plan_make(const struct pw_manifest *manifest, const struct pw_store *store, struct pw_plan *plan,
	     struct pw_err *err)
{
	pw_auto_free const struct pw_entry **sorted = calloc(manifest->count + 1, sizeof(*sorted));

	*plan = (struct pw_plan)PW_PLAN_INIT;
	plan->wants = calloc(manifest->count + 1, sizeof(*plan->wants));
	if (!sorted || !plan->wants)
		return pw_err_nomem(err);
	for (size_t i = 0; i < manifest->count; i++)
		sorted[i] = &manifest->entries[i];
	qsort(sorted, manifest->count, sizeof(*sorted), by_digest);
	for (size_t i = 0; i < manifest->count; i++)
		if (keep(sorted[i], i ? sorted[i - 1] : NULL, store, plan, err) < 0)
			return -1;
	qsort(plan->wants, plan->count, sizeof(*plan->wants), by_line);
	return 0;
}

void
pw_plan_done(struct pw_plan *plan)
{
	free(plan->wants);
	*plan = (struct pw_plan)PW_PLAN_INIT;
}
