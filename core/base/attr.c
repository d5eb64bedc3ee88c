/* SPDX-License-Identifier: MIT */
/* The cleanup functions behind pw_auto_free and pw_auto_close. They keep errno, so that a failing function may return with it. */
#include "base/attr.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void
pw_free_cleanup(void *pointer_to_pointer)
{
	int saved = errno;

	free(*(void **)pointer_to_pointer);
	errno = saved;
}

void
pw_close_cleanup(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
