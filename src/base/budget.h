/* What one task may cost: units of work, bytes of memory, and the time until somebody stops waiting for it. */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

/* What a task has been ended by. */
enum budget_limit { BUDGET_KEPT, BUDGET_WORK, BUDGET_MEMORY, BUDGET_TIME, BUDGET_LIMITS };

/*
 * Start with {0} and set limits; one that is 0 is none. Belongs to one task and so to one thread. Over one of its
 * limits it stays so: `over` says which one was the first, and nothing is granted any more.
 */
struct budget {
	size_t work_limit, memory_limit;
	/* Is it too late? The core has no clock: who has one gives it. NULL: it never is. */
	bool (*expired)(const void *deadline);
	const void *deadline;
	/* What was used: work in all, memory that is held now. */
	size_t work, memory;
	size_t next_look; /* at this much work the deadline is looked at */
	enum budget_limit over;
};

/*
 * Pays for work: a unit is a step of a loop over what somebody else wrote, an element or some bytes of text. False when
 * the budget is over, whose caller then ends what it does; its result will not be used. No budget (NULL) grants all.
 */
bool budget_work(struct budget *b, size_t units);

/* Pays for memory; with budget_release it is given back. The same result. */
bool budget_memory(struct budget *b, size_t bytes);
void budget_release(struct budget *b, size_t bytes);

/* What is left of the memory; SIZE_MAX without a limit. */
size_t budget_memory_left(const struct budget *b);

/* "work", "memory", "time": for metrics and logs. */
const char *budget_limit_name(enum budget_limit limit);

#endif
