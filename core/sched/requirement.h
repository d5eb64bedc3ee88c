/* SPDX-License-Identifier: MIT */
/*
 * Which tasks may this worker take? The database keeps each distinct demand
 * (module, versions) once, under a number; here each is compared once with the
 * plugins of this worker, by the full rules of PEP 440. Pure.
 */
#ifndef PW_SCHED_REQUIREMENT_H
#define PW_SCHED_REQUIREMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A plugin of this worker. Borrowed texts. */
struct pw_offer {
	const char *module, *label, *version;
};

struct pw_requirement {
	int id;
	char *module;
	char **labels, **versions; /* pairs; a version is NULL where the row has NULL */
	size_t count;
	int64_t floor;	     /* of the ready list, see iter_tasks */
	int offer;	     /* index of the plugin that serves it, -1 = not served here */
	bool faulty;	     /* a version is NULL or unparsable: nobody can serve it */
};

/* Reads a row of kind "class". DETAIL: {"versions": {...}, "immediate": bool}. The caller frees. */
int pw_requirement_new(int id, const char *module, const char *detail, struct pw_requirement **ret_requirement,
		       struct pw_err *err) PW_MUSTCHECK;
struct pw_requirement *pw_requirement_free(struct pw_requirement *requirement);
/* Sets offer and faulty: the module must be one of ours, and every label there with at least that version. */
void pw_requirement_match(struct pw_requirement *requirement, const struct pw_offer *offers, size_t count);

#endif
