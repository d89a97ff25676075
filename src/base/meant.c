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

struct str meant_read(struct str sentence)
{
	const struct str words = STR("; did you mean \"");
	struct str name = sentence;
	while (name.n > 0 && !str_starts(name, words))
		name = str_from(name, 1);
	name = str_from(name, words.n);
	return name.n > 0 ? (struct str){name.p, str_find(name, '"')} : (struct str){NULL, 0};
}
