#include "base/parallel.h"

#include "base/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

struct team {
	atomic_size_t next;
	size_t count;
	void (*work)(void *context, size_t index);
	void *context;
};

static void *take_turns(void *argument)
{
	struct team *team = argument;
	for (size_t i; (i = atomic_fetch_add(&team->next, 1)) < team->count;)
		team->work(team->context, i);
	return NULL;
}

/* Where a thread cannot be had, the others do its work. */
void parallel_each(size_t count, void (*work)(void *context, size_t index), void *context)
{
	struct team team = {.count = count, .work = work, .context = context};
	pthread_t threads[LIMIT_THREADS];
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = count < LIMIT_THREADS ? count : LIMIT_THREADS, started = 0;
	if (processors < 1 || (size_t)processors < wanted)
		wanted = processors < 1 ? 1 : (size_t)processors;
	while (started + 1 < wanted && pthread_create(&threads[started], NULL, take_turns, &team) == 0)
		started++;
	(void)take_turns(&team);
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL); /* it was started, and is nobody else's */
}
