/* SPDX-License-Identifier: MIT */
/*
 * pulp/plugin.h: all that a task plugin includes. C99 or C++11; see pulp-plugin(7).
 *
 * A plugin is a shared object. PULP_PLUGIN names it, each PULP_TASK adds one task:
 *
 *	#include <pulp/plugin.h>
 *
 *	PULP_PLUGIN("example", "c_example", "1.0.0", "The tutorial's plugin");
 *
 *	PULP_TASK(greet, "Greet somebody" PULP_TIMEOUT(5s))
 *	{
 *		return pulp_result(ctx, "\"hello\"");
 *	}
 *
 * which is then dispatched as example.greet. A dot inside a name is written __.
 * A task runs in a process of its own, in an empty directory of its own, and
 * ends by returning what pulp_done, pulp_result or pulp_fail gave it.
 *
 * Strings given to a task live until it ends. Strings that a task gives are
 * copied before the call returns. JSON crosses this interface as text.
 *
 * History of the ABI. Major must be equal; a plugin of a lower minor is served
 * by a newer worker; structs are only appended to.
 *
 *	1.0	first: pulp_api with result, fail, log, should_stop, progress,
 *		request, last_error; pulp_context with api ... state_directory
 *	1.1	PULP_RESOURCE (symbols pulp_resource_*, notes of type 3), with
 *		pulp_complete and pulp_deleted; pulp_context: resource
 */
#ifndef PULP_PLUGIN_H
#define PULP_PLUGIN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C++" { /* whoever includes this inside extern "C" */
#include <exception>
}
#define PULP__C extern "C"
#else
#define PULP__C extern
#endif

#define PULP_ABI_MAJOR 1
#ifndef PULP_ABI_MINOR /* define it before the include, to be served by older workers too */
#define PULP_ABI_MINOR 1
#elif PULP_ABI_MINOR > 1
#error "PULP_ABI_MINOR is newer than this plugin.h"
#endif

/* A task that may end without saying how does not compile, nor does pulp_fail() without return before it. */
#pragma GCC diagnostic error "-Wreturn-type"
#pragma GCC diagnostic error "-Wunused-result"

typedef struct pulp_context pulp_context;

/* How a task ended. Only pulp_done, pulp_result and pulp_fail make one. */
typedef struct pulp_end {
	const void *said;
} pulp_end;

enum pulp_level { PULP_DEBUG, PULP_INFO, PULP_WARNING, PULP_ERROR };

/* A progress report of this task, known by its code: a second call with the same code updates it. */
struct pulp_progress {
	uint32_t size;	     /* sizeof(struct pulp_progress) */
	const char *code;    /* e.g. "sync.downloading" */
	const char *message; /* what a person reads, e.g. "Downloading files" */
	const char *state;   /* running (also if NULL), completed, failed, canceled */
	int64_t done;
	int64_t total;	     /* -1: not known */
	const char *suffix;  /* or NULL */
};

/* What the worker offers. Plugins call the functions below, not this table. */
struct pulp_api {
	uint32_t size;
	uint16_t major, minor;
	pulp_end (*result)(pulp_context *ctx, const char *json);
	pulp_end (*fail)(pulp_context *ctx, const char *format, va_list ap);
	void (*log)(pulp_context *ctx, int level, const char *format, va_list ap);
	int (*should_stop)(pulp_context *ctx);
	int (*progress)(pulp_context *ctx, const struct pulp_progress *progress);
	int (*request)(pulp_context *ctx, const char *operation, const char *json, const char **reply);
	const char *(*last_error)(pulp_context *ctx);
};

/* What a task gets. */
struct pulp_context {
	uint32_t size;
	uint16_t major, minor;
	const struct pulp_api *api;
	const char *args;	     /* JSON text: an array */
	const char *kwargs;	     /* JSON text: an object */
	const char *id;		     /* of this task, a UUID */
	const char *name;	     /* its whole dotted function name */
	const char *group;	     /* id of its task group, or NULL */
	const char *logging_cid;     /* correlation id */
	const char *directory;	     /* its working directory, also the current one; gone when it ends */
	const char *state_directory; /* kept between tasks, shared by all tasks of this plugin on this host */
	void *host;		     /* the worker's own */
	const char *resource;	     /* 1.1: in the body of a PULP_RESOURCE the UUID of the object, else NULL */
};

struct pulp_plugin {
	uint32_t size;
	uint16_t major, minor;
};

/* Of a PULP_TASK and, under another name, of a PULP_RESOURCE. */
struct pulp_task {
	uint32_t size;
	uint16_t major, minor;
	pulp_end (*run)(pulp_context *ctx);
	const struct pulp_plugin *plugin;
};

#define PULP__CALL static inline __attribute__((unused))
#define PULP__END static inline __attribute__((unused, warn_unused_result))

/* The task is done and has no result. */
PULP__END pulp_end
pulp_done(pulp_context *ctx)
{
	return ctx->api->result(ctx, NULL);
}

/* The task is done; JSON is its result (any JSON value, at most 16 MiB). */
PULP__END pulp_end
pulp_result(pulp_context *ctx, const char *json)
{
	return ctx->api->result(ctx, json);
}

/* The task failed; the text becomes the description of its error. */
PULP__END __attribute__((format(printf, 2, 3))) pulp_end
pulp_fail(pulp_context *ctx, const char *format, ...)
{
	pulp_end end;
	va_list ap;

	va_start(ap, format);
	end = ctx->api->fail(ctx, format, ap);
	va_end(ap);
	return end;
}

#if PULP_ABI_MINOR >= 1
/* In the body of a PULP_RESOURCE: the object is as it should be, or there is none any more. */
PULP__END pulp_end
pulp_complete(pulp_context *ctx)
{
	return ctx->api->result(ctx, "\"complete\"");
}

/* In the body of a PULP_RESOURCE: the object was incomplete, and is gone now. */
PULP__END pulp_end
pulp_deleted(pulp_context *ctx)
{
	return ctx->api->result(ctx, "\"deleted\"");
}
#endif

/* Adds a line to the task's log (pulp-task logs), where also its stdout and stderr go. */
PULP__CALL __attribute__((format(printf, 3, 4))) void
pulp_log(pulp_context *ctx, enum pulp_level level, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	ctx->api->log(ctx, (int)level, format, ap);
	va_end(ap);
}

/* 1 once the task has been canceled or the worker stops: clean up and return soon. SIGTERM and SIGKILL follow. */
PULP__CALL int
pulp_should_stop(pulp_context *ctx)
{
	return ctx->api->should_stop(ctx);
}

/*
 * Reports progress. Cheap: what follows quickly on each other is folded together,
 * and the last report of each code is always written. Returns 0; -1 for a bad
 * report (see pulp_last_error), which is then ignored.
 */
PULP__CALL int
pulp_progress(pulp_context *ctx, const char *code, const char *message, int64_t done, int64_t total)
{
	struct pulp_progress progress;

	progress.size = (uint32_t)sizeof(progress);
	progress.code = code;
	progress.message = message;
	progress.state = total >= 0 && done >= total ? "completed" : "running";
	progress.done = done;
	progress.total = total;
	progress.suffix = NULL;
	return ctx->api->progress(ctx, &progress);
}

/* The same with all fields. */
PULP__CALL int
pulp_progress_report(pulp_context *ctx, const struct pulp_progress *progress)
{
	return ctx->api->progress(ctx, progress);
}

/*
 * Asks the worker for one of the few database operations that a task may
 * use; see pulp-plugin(7) for their names, arguments and answers. Waits for the
 * answer. Returns 0 and sets *reply (may be NULL) to JSON text that lives until
 * the next request; -1 when it was refused: pulp_last_error says why.
 */
PULP__CALL int
pulp_request(pulp_context *ctx, const char *operation, const char *json, const char **reply)
{
	return ctx->api->request(ctx, operation, json, reply);
}

/*
 * Dispatches a task whose parent is this one. JSON: {"func": "m.t", "args": [], "kwargs": {},
 * "exclusive_resources": [], "shared_resources": [], "task_group": id, "versions": {}}, all but func
 * optional. *reply: {"pulp_id": id, ...}.
 */
PULP__CALL int
pulp_dispatch(pulp_context *ctx, const char *json, const char **reply)
{
	return ctx->api->request(ctx, "dispatch", json, reply);
}

/* Why the last call that returned -1 did so. Lives until the next call. */
PULP__CALL const char *
pulp_last_error(pulp_context *ctx)
{
	return ctx->api->last_error(ctx);
}

#define PULP__STR(x) PULP__STR_(x)
#define PULP__STR_(...) #__VA_ARGS__
#ifdef __clang__ /* else its address sanitizer puts red zones between the notes */
#define PULP__SECTION no_sanitize("address"), section(".note.pulp")
#else
#define PULP__SECTION section(".note.pulp")
#endif
#if defined(__cplusplus) && defined(__EXCEPTIONS)
#define PULP__BODY(f)                                  \
	try {                                          \
		return f(ctx);                         \
	} catch (const std::exception &e) {            \
		return pulp_fail(ctx, "%s", e.what()); \
	}
#else
#define PULP__BODY(f) return f(ctx);
#endif

/* One ELF note: owner "Pulp", the texts in the descriptor, each ended by a NUL. */
#define PULP__NOTE(ident, kind, text)                                           \
	__attribute__((PULP__SECTION, used, aligned(4))) static const struct {  \
		uint32_t namesz, descsz, type;                                  \
		char name[8];                                                   \
		char desc[(sizeof(text) + 3) & ~3u];                            \
	} ident = { 5, sizeof(text), kind, "Pulp", text }
#define PULP__ABI PULP__STR(PULP_ABI_MAJOR) "." PULP__STR(PULP_ABI_MINOR) "\0"
#define PULP__EXTERN(how, type, symbol) PULP__C __attribute__((visibility(how))) const struct type symbol
#define PULP__HEAD(type) sizeof(struct type), PULP_ABI_MAJOR, PULP_ABI_MINOR

PULP__EXTERN("hidden", pulp_plugin, pulp_needs_one_PULP_PLUGIN); /* two do not link, none does not either */

/* Options of a task follow its doc, no comma between. */
#define PULP_IMMEDIATE "\0" "immediate"				       /* may run in the foreground, at most 5 s */
#define PULP_TIMEOUT(duration) "\0" "timeout=" PULP__STR(duration)     /* e.g. 90s, 15m, 1h: killed after it */
#define PULP_MEMORY(size) "\0" "memory=" PULP__STR(size)	       /* e.g. 512M: limit of its address space */

/* Once per plugin: first component of its tasks' names; key in a task's versions; PEP 440 version; one line. */
#define PULP_PLUGIN(module, label, version, doc)                                       \
	PULP__NOTE(pulp__note, 1, PULP__ABI module "\0" label "\0" version "\0" doc);  \
	PULP__EXTERN("hidden", pulp_plugin, pulp_needs_one_PULP_PLUGIN);               \
	const struct pulp_plugin pulp_needs_one_PULP_PLUGIN = { PULP__HEAD(pulp_plugin) }

/* A note, a descriptor, and the head of the body. The names of ours end alike, so those of two tasks never meet. */
#define PULP__DEFINE(kind, ours, symbol, name, doc_and_options)                             \
	PULP__NOTE(ours##_note, kind, PULP__ABI name "\0" doc_and_options);                 \
	static pulp_end ours##_body(pulp_context *ctx);                                     \
	static pulp_end ours##_run(pulp_context *ctx) { PULP__BODY(ours##_body) }           \
	PULP__EXTERN("default", pulp_task, symbol);                                         \
	const struct pulp_task symbol = { PULP__HEAD(pulp_task), ours##_run,                \
					  &pulp_needs_one_PULP_PLUGIN };                    \
	static pulp_end ours##_body(pulp_context *ctx PULP__MAYBE_UNUSED)
#define PULP__MAYBE_UNUSED __attribute__((unused))

/* PULP_TASK(name, "doc" OPTIONS) { body with "pulp_context *ctx" } */
#define PULP_TASK(name, doc_and_options) \
	PULP__DEFINE(2, pulp__task_##name, pulp_task_##name, #name, doc_and_options)

#if PULP_ABI_MINOR >= 1
/*
 * PULP_RESOURCE(app_label__model, "doc" OPTIONS) { body }: a type of what this plugin's tasks note
 * as created (request created_resource). After a task has ended otherwise than completed the body
 * is called for each such object that it noted: it looks at ctx->resource, deletes the object if it is incomplete,
 * and returns pulp_complete(ctx), pulp_deleted(ctx) or pulp_fail. Options: PULP_TIMEOUT (30 s
 * without it) and PULP_MEMORY.
 */
#define PULP_RESOURCE(type, doc_and_options) \
	PULP__DEFINE(3, pulp__resource_##type, pulp_resource_##type, #type, doc_and_options)
#endif

#endif
