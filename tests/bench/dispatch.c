/* SPDX-License-Identifier: MIT */
/*
 * A program that dispatches: dispatch FUNC COUNT [BATCH] dispatches FUNC so often, one by one, or BATCH at once, over
 * one connection, to the database that PULP_DATABASE names, and prints how many a second that makes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <pulp/client.h>

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

#define BATCH_MAX 1000

/* BATCH 0: by the call for one. */
static int
many(pulp_client *client, const char *func, int count, int batch, struct pulp_client_error *error)
{
	static const struct pulp_client_dispatch *all[BATCH_MAX];
	static char ids[BATCH_MAX][PULP_CLIENT_ID_SIZE];
	struct pulp_client_dispatch dispatch = PULP_CLIENT_DISPATCH_INIT;

	dispatch.func = func;
	for (int i = 0; i < batch; i++)
		all[i] = &dispatch;
	for (int i = 0; i < count; i += batch ? batch : 1)
		if ((batch ? pulp_client_dispatch_many(
				     client, all, (size_t)(count - i < batch ? count - i : batch),
				     ids, error) :
			     pulp_client_dispatch(client, &dispatch, ids[0], error)) < 0)
			return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	struct pulp_client_error error = PULP_CLIENT_ERROR_INIT;
	const char *database = getenv("PULP_DATABASE");
	int count = argc > 2 ? atoi(argv[2]) : 0, batch = argc > 3 ? atoi(argv[3]) : 0;
	pulp_client *client;
	double start;

	if (count <= 0 || batch < 0 || batch > BATCH_MAX)
		return 64;
	if (pulp_client_open(database ? database : "", &client, &error) < 0 ||
	    many(client, argv[1], 20, 0, &error) < 0 ||
	    (batch && many(client, argv[1], 2 * batch, batch, &error) <
			      0)) /* plugins and settings are read, statements prepared */
		goto failed;
	start = now();
	if (many(client, argv[1], count, batch, &error) < 0)
		goto failed;
	printf("%.1f\n", count / (now() - start));
	pulp_client_close(client);
	return 0;
failed:
	fprintf(stderr, "%s\n", error.text);
	return 69;
}
