#include "policy/violation.h"

void violation_add(struct violations *v, struct str field, struct str identity, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct str message = arena_fmtv(v->arena, format, args);
	va_end(args);
	struct violation *items = arena_grow(v->arena, v->items, v->count, &v->capacity, sizeof *items);
	if (items == NULL)
		return;
	v->items = items;
	v->items[v->count++] = (struct violation){field, message, identity};
}

bool violation_known(const struct violations *v, struct str identity)
{
	for (size_t i = 0; i < v->count; i++)
		if (str_eq(v->items[i].identity, identity))
			return true;
	return false;
}
