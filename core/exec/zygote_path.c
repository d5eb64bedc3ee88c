/* SPDX-License-Identifier: MIT */
/* Finds pulp-zygote, in whatever process this code runs. */
#include "exec/zygote_path.h"

#include <limits.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The name of the object in which this function lies; "" for the program itself. */
static int
find_own(struct dl_phdr_info *info, size_t size PW_UNUSED, void *arg)
{
	uintptr_t here = (uintptr_t)find_own;
	const char **name = arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && here >= start &&
		    here - start < info->dlpi_phdr[i].p_memsz) {
			*name = info->dlpi_name;
			return 1;
		}
	}
	return 0;
}

/* The folder of the program or library that holds this code. */
static int
own_folder(char folder[PATH_MAX])
{
	const char *name = "";
	char *slash;

	dl_iterate_phdr(find_own, &name);
	if (!realpath(name[0] ? name : "/proc/self/exe", folder) || !(slash = strrchr(folder, '/')))
		return -1;
	*slash = '\0';
	return 0;
}

int
pw_zygote_path(char *path, size_t size, struct pw_err *err)
{
	static const char *const places[] = { "../libexec/" PULP_PACKAGE "/pulp-zygote", "../../libexec/" PULP_PACKAGE "/pulp-zygote",
					      "pulp-zygote", "../pulp-zygote" };
	char folder[PATH_MAX];

	if (own_folder(folder) == 0)
		for (size_t i = 0; i < PW_COUNT(places); i++)
			if ((size_t)snprintf(path, size, "%s/%s", folder, places[i]) < size && access(path, X_OK) == 0)
				return 0;
	snprintf(path, size, "%s", PULP_LIBEXEC_DIR "/" PULP_PACKAGE "/pulp-zygote");
	return access(path, X_OK) < 0 ? pw_err_errno(err, "%s", path) : 0;
}
