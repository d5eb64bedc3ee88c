/* SPDX-License-Identifier: MIT */
/*
 * A plugin that makes things: files in its state directory, <id>.part until they are complete, <id>.whole then. It says
 * of its types how to tell and how to delete, in each of the ways in which that may go.
 */
#include <pulp/plugin.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

PULP_PLUGIN("maker", "c_maker", "1.0.0", "Makes things");

static const char *
path(pulp_context *ctx, const char *id, const char *state)
{
	char *at = NULL;

	if (asprintf(&at, "%s/%s.%s", ctx->state_directory, id, state) < 0)
		abort();
	return at;
}

static int
make(pulp_context *ctx, const char *type, const char *id, const char *state)
{
	char note[200];
	int fd = open(path(ctx, id, state), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	close(fd);
	snprintf(note, sizeof(note), "{\"app_label\": \"maker\", \"model\": \"%s\", \"object_id\": \"%s\"}", type, id);
	return pulp_request(ctx, "created_resource", note, NULL);
}

/* args: ["TYPE ID STATE", ..., "END"] */
PULP_TASK(make, "Makes things, and then ends as the last argument says")
{
	char *copy = strdup(ctx->args), type[40], id[40], state[40], *save = NULL;

	for (char *word = strtok_r(copy, "[]\",", &save); word; word = strtok_r(NULL, "[]\",", &save)) {
		if (sscanf(word, " %39s %39s %39s", type, id, state) == 3 && make(ctx, type, id, state) < 0)
			return pulp_fail(ctx, "%s", pulp_last_error(ctx));
		if (strcmp(word, "done") == 0)
			return pulp_done(ctx);
		if (strcmp(word, "fail") == 0)
			return pulp_fail(ctx, "enough");
		if (strcmp(word, "crash") == 0)
			raise(SIGSEGV);
		if (strcmp(word, "hang") == 0) {
			close(open(path(ctx, ctx->id, "hangs"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
			for (;;)
				pause();
		}
	}
	return pulp_fail(ctx, "no end");
}

PULP_TASK(look, "How many are not complete")
{
	DIR *dir = opendir(ctx->state_directory);
	char count[16];
	int parts = 0;

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		parts += strstr(entry->d_name, ".part") != NULL;
	snprintf(count, sizeof(count), "%d", parts);
	return pulp_result(ctx, count);
}

PULP_RESOURCE(maker__thing, "A thing")
{
	pulp_log(ctx, PULP_INFO, "looking at %s", ctx->resource);
	if (unlink(path(ctx, ctx->resource, "part")) < 0)
		return pulp_complete(ctx);
	return pulp_deleted(ctx);
}

PULP_RESOURCE(maker__asks, "Tries to do more than it may")
{
	if (make(ctx, "thing", ctx->resource, "part") < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	return pulp_complete(ctx);
}

PULP_RESOURCE(maker__crash, "Crashes")
{
	raise(SIGSEGV);
	return pulp_complete(ctx);
}

PULP_RESOURCE(maker__hang, "Takes too long" PULP_TIMEOUT(200ms))
{
	while (!pulp_should_stop(ctx) || ctx->resource)
		pause();
	return pulp_complete(ctx);
}

PULP_RESOURCE(maker__slow, "Waits until somebody opens a pipe of its own to write")
{
	const char *go = path(ctx, ctx->resource, "go");

	mkfifo(go, 0600);
	close(open(go, O_RDONLY | O_CLOEXEC));
	return unlink(path(ctx, ctx->resource, "part")) < 0 ? pulp_complete(ctx) : pulp_deleted(ctx);
}

PULP_RESOURCE(maker__silly, "Gives an answer that is none")
{
	return pulp_result(ctx, "42");
}
