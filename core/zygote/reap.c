/* SPDX-License-Identifier: MIT */
/*
 * Reaping and the killing of remains. Runs in the zygote.
 *
 * The zygote and each task child are subreapers. While a task lives, whatever it
 * forks stays below it; when it ends, its orphans become children of the zygote
 * before it can be reaped, so a list of our children taken after the reaping shows
 * them. When they are killed their own children come up in turn. A task's end is
 * told when such a list shows none that could be its own: those that carry
 * its id in their environment, or no id at all.
 *
 * Only this process reaps its children, so the number of a child that has not
 * been reaped here cannot have passed to another process: kill() is safe.
 */
#include "zygote/reap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "sys/environ.h"

void
pw_reap_init(struct pw_reap *reap)
{
	*reap = (struct pw_reap){ .tasks = NULL };
	pw_children_init(&reap->children);
}

static void *
grow(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	*cap = *cap ? 2 * *cap : 32;
	array = reallocarray(array, *cap, size);
	if (!array)
		abort();
	return array;
}

void
pw_reap_add(struct pw_reap *reap, const char *id, pid_t pid)
{
	struct pw_reap_task *task;

	reap->tasks = grow(reap->tasks, reap->task_count, &reap->task_cap, sizeof(*reap->tasks));
	task = &reap->tasks[reap->task_count++];
	*task = (struct pw_reap_task){ .pid = pid };
	memcpy(task->id, id, sizeof(task->id));
}

struct pw_reap_task *
pw_reap_find(struct pw_reap *reap, const char *id)
{
	for (size_t i = 0; i < reap->task_count; i++)
		if (!reap->tasks[i].ended && strcmp(reap->tasks[i].id, id) == 0)
			return &reap->tasks[i];
	return NULL;
}

static struct pw_reap_task *
find_pid(struct pw_reap *reap, pid_t pid)
{
	for (size_t i = 0; i < reap->task_count; i++)
		if (!reap->tasks[i].ended && reap->tasks[i].pid == pid)
			return &reap->tasks[i];
	return NULL;
}

static void
forget_remain(struct pw_reap *reap, pid_t pid)
{
	for (size_t i = 0; i < reap->remain_count; i++)
		if (reap->remains[i].pid == pid)
			reap->remains[i--] = reap->remains[--reap->remain_count];
}

/* Returns whether a task ended. */
static bool
reap_all(struct pw_reap *reap)
{
	struct rusage usage;
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0 || (pid < 0 && errno == EINTR)) {
		struct pw_reap_task *task = pid > 0 ? find_pid(reap, pid) : NULL;

		if (task) {
			task->ended = ended = true;
			task->status = status;
			task->usage = usage;
		} else if (pid > 0) {
			forget_remain(reap, pid);
		}
	}
	return ended;
}

static bool
is_remain(const struct pw_reap *reap, pid_t pid)
{
	for (size_t i = 0; i < reap->remain_count; i++)
		if (reap->remains[i].pid == pid)
			return true;
	return false;
}

/* Kills one, and charges it to the task it names, else to the first that has ended. */
static void
kill_remain(struct pw_reap *reap, pid_t pid)
{
	struct pw_reap_task *to = NULL;
	struct pw_reap_remain *remain;

	reap->remains =
		grow(reap->remains, reap->remain_count, &reap->remain_cap, sizeof(*reap->remains));
	remain = &reap->remains[reap->remain_count++];
	*remain = (struct pw_reap_remain){ .pid = pid };
	pw_environ_of_pid(pid, "PULP_TASK_ID", remain->id, sizeof(remain->id));
	kill(pid, SIGKILL);
	for (size_t i = 0; i < reap->task_count && !to; i++)
		if (strcmp(reap->tasks[i].id, remain->id) == 0)
			to = &reap->tasks[i];
	if (!to)
		remain->id[0] = '\0';
	for (size_t i = 0; i < reap->task_count && !to; i++)
		if (reap->tasks[i].ended)
			to = &reap->tasks[i];
	if (to)
		to->remains++;
}

static void
kill_remains(struct pw_reap *reap)
{
	if (pw_children_list(&reap->children, NULL) < 0)
		return;
	for (size_t i = 0; i < reap->children.count; i++) {
		pid_t pid = reap->children.pids[i];

		if (!find_pid(reap, pid) && !is_remain(reap, pid))
			kill_remain(reap, pid);
	}
}

static bool
something_left(const struct pw_reap *reap, const struct pw_reap_task *task)
{
	for (size_t i = 0; i < reap->remain_count; i++)
		if (!reap->remains[i].id[0] || strcmp(reap->remains[i].id, task->id) == 0)
			return true;
	return false;
}

void
pw_reap_turn(struct pw_reap *reap, void (*tell)(void *arg, const struct pw_reap_task *task),
	     void *arg)
{
	bool pending = reap_all(reap);

	for (size_t i = 0; i < reap->task_count && !pending; i++)
		pending = reap->tasks[i].ended;
	if (!pending)
		return;
	kill_remains(reap);
	for (size_t i = 0; i < reap->task_count;) {
		if (!reap->tasks[i].ended || something_left(reap, &reap->tasks[i])) {
			i++;
			continue;
		}
		tell(arg, &reap->tasks[i]);
		reap->tasks[i] = reap->tasks[--reap->task_count];
	}
}

void
pw_reap_kill_tasks(struct pw_reap *reap)
{
	for (size_t i = 0; i < reap->task_count; i++)
		if (!reap->tasks[i].ended) {
			kill(-reap->tasks[i].pid, SIGKILL); /* before its setsid it has no group yet */
			kill(reap->tasks[i].pid, SIGKILL);
		}
}

void
pw_reap_kill_all(struct pw_reap *reap)
{
	int status;

	do {
		if (pw_children_list(&reap->children, NULL) < 0)
			return;
		for (size_t i = 0; i < reap->children.count; i++)
			kill(reap->children.pids[i], SIGKILL);
	} while (waitpid(-1, &status, 0) > 0 || errno == EINTR);
}
