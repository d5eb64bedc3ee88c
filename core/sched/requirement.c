/* SPDX-License-Identifier: MIT */
/* Demands of tasks against the plugins of this worker: pulp-spec 4.6, decided before a claim and never after. */
#include "sched/requirement.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/pep440.h"

struct pw_requirement *
pw_requirement_free(struct pw_requirement *requirement)
{
	if (!requirement)
		return NULL;
	for (size_t i = 0; i < requirement->count; i++) {
		free(requirement->labels[i]);
		free(requirement->versions[i]);
	}
	free(requirement->labels);
	free(requirement->versions);
	free(requirement->module);
	free(requirement);
	return NULL;
}

/* VERSIONS is borrowed. */
static int
read_versions(struct pw_requirement *r, json_t *versions)
{
	size_t room = json_object_size(versions) + 1;
	const char *label;
	json_t *version;

	r->labels = calloc(room, sizeof(char *));
	r->versions = calloc(room, sizeof(char *));
	if (!r->labels || !r->versions)
		return -1;
	json_object_foreach(versions, label, version) {
		r->labels[r->count] = strdup(label);
		if (json_is_string(version))
			r->versions[r->count] = strdup(json_string_value(version));
		if (!r->labels[r->count] || (json_is_string(version) && !r->versions[r->count]))
			return -1;
		r->count++;
	}
	return 0;
}

int
pw_requirement_new(int id, const char *module, const char *detail,
		   struct pw_requirement **ret_requirement, struct pw_err *err)
{
	struct pw_requirement *r = calloc(1, sizeof(*r));
	json_t *root = json_loads(detail, 0, NULL);

	if (!r || !root)
		goto fail;
	r->id = id;
	r->offer = -1;
	r->module = strdup(module);
	if (!r->module || read_versions(r, json_object_get(root, "versions")) < 0)
		goto fail;
	json_decref(root);
	*ret_requirement = r;
	return 0;
fail:
	json_decref(root);
	pw_requirement_free(r);
	return pw_err_set(err, PW_ERR_NOMEM, "requirement %d cannot be read", id);
}

static const struct pw_offer *
offer_of_label(const struct pw_offer *offers, size_t count, const char *label)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(offers[i].label, label) == 0)
			return &offers[i];
	return NULL;
}

void
pw_requirement_match(struct pw_requirement *r, const struct pw_offer *offers, size_t count)
{
	int served = -1;

	r->offer = -1;
	r->faulty = false;
	for (size_t i = 0; i < r->count; i++)
		if (!r->versions[i] || !pw_version_valid(r->versions[i]))
			r->faulty = true;
	for (size_t i = 0; i < count; i++)
		if (strcmp(offers[i].module, r->module) == 0)
			served = (int)i;
	if (served < 0 || r->faulty)
		return;
	for (size_t i = 0; i < r->count; i++) {
		const struct pw_offer *offer = offer_of_label(offers, count, r->labels[i]);
		int order;

		if (!offer ||
		    pw_version_compare(offer->version, r->versions[i], &order, NULL) < 0 ||
		    order < 0)
			return;
	}
	r->offer = served;
}
