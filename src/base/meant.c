#include "base/meant.h"

void meant_offer(struct meant *m, struct str name)
{
	size_t distance = str_distance(m->wrong, name), most = m->wrong.n / 3 + 1;
	if (distance > most || distance >= name.n || (m->right.p != NULL && distance >= m->distance))
		return;
	m->right = name;
	m->distance = distance;
}

struct str meant_text(const struct meant *m, struct arena *arena)
{
	return m->right.p != NULL ? arena_fmt(arena, "; did you mean \"%.*s\"?", STR_ARG(m->right)) : STR("");
}
