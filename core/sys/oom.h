/* SPDX-License-Identifier: MIT */
/* Whether the kernel kills our processes for lack of memory. */
#ifndef PW_SYS_OOM_H
#define PW_SYS_OOM_H

#include <stdint.h>

/*
 * How many processes of this process's control group it has killed so, whether the group or the whole host had no memory left.
 * -1 where it does not say: there is no such group, or its files cannot be read.
 */
int64_t pw_oom_kills(void);

/* The same from the text of /proc/PID/cgroup and from where control groups are. For tests. */
int64_t pw_oom_kills_of(const char *groups, const char *mounted);

#endif
