/* SPDX-License-Identifier: MIT */
/* Runs tasks of a plugin in the real pulp-zygote and notes all that comes back. */
#ifndef TESTS_UNIT_EXEC_FIXTURE_H
#define TESTS_UNIT_EXEC_FIXTURE_H

#include <stdbool.h>

#include "base/buf.h"
#include "exec/host.h"
#include "exec/run.h"
#include "lib/tap.h"

/* Built with the address sanitizer: limits of the address space cannot be tried then. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif

struct fixture {
	struct pw_loop *loop;
	struct pw_host *host;
	char directory[64]; /* of the worker */
	int hellos, gones;
	char why[1500];
};

/* What one run gave. */
struct seen {
	struct fixture *fixture;
	struct pw_run *run;
	int started, ends, progress_count, requests;
	struct pw_outcome outcome;
	char *text;
	size_t output_len;
	struct pw_buf output;	/* the first megabyte */
	struct pw_buf progress; /* "code done/total state\n" for each report */
	bool directory_left; /* when on_end came */
	bool cancel_on_start, kill_on_start, cancel_on_output;
	void (*on_start)(struct seen *seen);
};

extern const struct pw_host_ops fixture_host_ops;

/* Makes the directory and the loop; starts the host of tests/plugins/PLUGIN.so. */
void fixture_open(struct fixture *f, const char *plugin, const char *module);
void fixture_start_host(struct fixture *f, const char *plugin, const char *module, int64_t hello_within_ns);
/* Drains the host and waits for its end. Returns whether no child process and no directory is left. */
bool fixture_close(struct fixture *f);
/* That, as what must hold after every test. */
static inline void
closed(struct fixture *f, const char *what)
{
	ok(fixture_close(f), "%s: no process and no directory is left", what);
}
/* Turns the loop until *FLAG is not 0; bails out after 60 s. */
void fixture_wait(struct fixture *f, const int *flag, const char *what);

struct pw_run_spec fixture_spec(struct fixture *f, const char *task);
void fixture_begin(struct fixture *f, struct seen *seen, const struct pw_run_spec *spec);
/* Begins it and waits for its end. */
void fixture_run(struct fixture *f, struct seen *seen, const char *task);
void seen_done(struct seen *seen);

/* Whether hosts can be started here at all: that takes process descriptors. */
bool fixture_possible(void);
/* The number of open descriptors and of children of this process. */
int count_fds(void);
int count_children(void);

#endif
