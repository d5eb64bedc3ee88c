/* SPDX-License-Identifier: MIT */
/*
 * Landlock: where a task child may write. Runs in the task child, as one of its
 * set-up steps; what the task forks inherits it. Reading is not restricted, nor is
 * the network.
 *
 * By raw system calls, since the C library has none for them, and with names of
 * our own, since the kernel's header of the build machine may be older than the
 * kernel that runs. Kernels without Landlock, and those of its first version (5.13 to
 * 5.18), which would forbid every rename from one folder to another, confine nothing.
 */
#include "zygote/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"

#ifndef SYS_landlock_create_ruleset /* the same numbers on every architecture */
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define VERSION_FLAG 1u
#define RULE_PATH_BENEATH 1
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_CHANGE (UINT64_C(0x1ff) << 4) /* remove and make, of every kind */
#define FS_REFER (UINT64_C(1) << 13)	 /* version 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14)	 /* version 3 */

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

struct confinement {
	int ruleset;
	uint64_t rights;
};

/* PATH relative to the current directory. MUST: it has to exist. */
static int
allow(const struct confinement *c, const char *path, bool must, struct pw_err *err)
{
	pw_auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_beneath rule = { .allowed = c->rights, .parent_fd = fd };
	struct stat st;

	if (fd < 0 && !must && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return pw_err_errno(err, "%s", path);
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= FS_WRITE_FILE | FS_TRUNCATE;
	if (syscall(SYS_landlock_add_rule, c->ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
		return pw_err_errno(err, "landlock_add_rule %s", path);
	return 0;
}

static int
allow_list(const struct confinement *c, const char *list, struct pw_err *err)
{
	char path[4096];

	while (list && *list) {
		size_t len = strcspn(list, ":,");

		if (len > 0 && len < sizeof(path)) {
			memcpy(path, list, len);
			path[len] = '\0';
			if (allow(c, path, false, err) < 0)
				return -1;
		}
		list += len + (list[len] != '\0');
	}
	return 0;
}

static int
allow_all(const struct confinement *c, const char *state_directory, const char *writable,
	  struct pw_err *err)
{
	/* what every program thinks it may write to, and what keeps nothing */
	static const char devices[] = "/dev/null:/dev/zero:/dev/full:/dev/random:/dev/urandom";

	if (allow(c, ".", true, err) < 0)
		return -1;
	if (state_directory && allow(c, state_directory, false, err) < 0)
		return -1;
	return allow_list(c, devices, err) < 0 ? -1 : allow_list(c, writable, err);
}

int
pw_confine(const char *state_directory, const char *writable, struct pw_err *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);
	struct confinement c = { .rights = FS_WRITE_FILE | FS_CHANGE | FS_REFER | (version >= 3 ? FS_TRUNCATE : 0) };
	pw_auto_close int ruleset = -1;

	if (version < 2)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &c.rights, sizeof(c.rights), 0);
	if (ruleset < 0)
		return pw_err_errno(err, "landlock_create_ruleset");
	c.ruleset = ruleset;
	if (allow_all(&c, state_directory, writable, err) < 0)
		return -1;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? pw_err_errno(err, "landlock_restrict_self") : 0;
}
