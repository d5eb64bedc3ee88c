/* SPDX-License-Identifier: MIT */
/*
 * Attributes and owning locals.
 *
 * A local that owns something is declared with pw_auto_free or pw_auto_close
 * and always initialised; it is handed on with pw_steal_ptr or pw_steal_fd.
 */
#ifndef PW_BASE_ATTR_H
#define PW_BASE_ATTR_H

#include <stddef.h>

#define PW_MUSTCHECK __attribute__((warn_unused_result))
#define PW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PW_UNUSED __attribute__((unused))
#define PW_NORETURN __attribute__((noreturn))
#define PW_CLEANUP(fn) __attribute__((cleanup(fn)))

#define PW_COUNT(array) (sizeof(array) / sizeof((array)[0]))

void pw_free_cleanup(void *pointer_to_pointer);
void pw_close_cleanup(int *fd);

#define pw_auto_free PW_CLEANUP(pw_free_cleanup)
#define pw_auto_close PW_CLEANUP(pw_close_cleanup)

/* Takes the pointer out of *PP, leaving NULL behind. */
#define pw_steal_ptr(pp)                                 \
	({                                               \
		__typeof__(*(pp)) pw_stolen_ = *(pp);    \
		*(pp) = NULL;                            \
		pw_stolen_;                              \
	})

/* Takes the descriptor out of *FD, leaving -1 behind. */
static inline int PW_MUSTCHECK
pw_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#endif
