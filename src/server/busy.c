#include "server/busy.h"

unsigned busy_count(const struct busy *b)
{
	unsigned count = 0;
	for (unsigned i = 0; i < b->threads; i++)
		count += atomic_load(&b->since[i]) != 0;
	return count;
}

bool busy_all(const struct busy *b, int64_t now, int64_t milliseconds)
{
	for (unsigned i = 0; i < b->threads; i++) {
		int64_t since = atomic_load(&b->since[i]);
		if (since == 0 || now - since < milliseconds)
			return false;
	}
	return b->threads > 0;
}
