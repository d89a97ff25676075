#include "base/budget.h"

#include "base/limits.h"

#include <stdint.h>

static bool end(struct budget *b, enum budget_limit limit)
{
	if (b->over == BUDGET_KEPT)
		b->over = limit;
	return false;
}

bool budget_work(struct budget *b, size_t units)
{
	if (b == NULL)
		return true;
	b->work = units > SIZE_MAX - b->work ? SIZE_MAX : b->work + units;
	if (b->over != BUDGET_KEPT)
		return false;
	if (b->work_limit > 0 && b->work > b->work_limit)
		return end(b, BUDGET_WORK);
	if (b->expired == NULL || b->work < b->next_look)
		return true;
	b->next_look = b->work + BUDGET_LOOK;
	return b->expired(b->deadline) ? end(b, BUDGET_TIME) : true;
}

bool budget_memory(struct budget *b, size_t bytes)
{
	if (b == NULL)
		return true;
	if (bytes > budget_memory_left(b))
		return end(b, BUDGET_MEMORY);
	b->memory += bytes;
	return b->over == BUDGET_KEPT;
}

void budget_release(struct budget *b, size_t bytes)
{
	if (b != NULL)
		b->memory -= bytes < b->memory ? bytes : b->memory;
}

size_t budget_memory_left(const struct budget *b)
{
	if (b == NULL || b->memory_limit == 0)
		return SIZE_MAX - (b != NULL ? b->memory : 0);
	return b->memory < b->memory_limit ? b->memory_limit - b->memory : 0;
}

const char *budget_limit_name(enum budget_limit limit)
{
	static const char *const names[BUDGET_LIMITS] = {
		[BUDGET_KEPT] = "none",
		[BUDGET_WORK] = "work",
		[BUDGET_MEMORY] = "memory",
		[BUDGET_TIME] = "time",
	};
	return names[limit];
}
