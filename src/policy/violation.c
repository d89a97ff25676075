#include "policy/violation.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>

bool violations_full(const struct violations *v)
{
	return v->count >= LIMIT_VIOLATIONS;
}

void violation_add(struct violations *v, struct str field, struct str identity, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct str message = text_shown(v->arena, arena_fmtv(v->arena, format, args));
	va_end(args);
	field = text_shown(v->arena, field);
	struct violation *items = arena_grow(v->arena, v->items, v->count, &v->capacity, sizeof *items);
	if (items == NULL)
		return;
	v->items = items;
	v->items[v->count++] = (struct violation){field, message, identity};
}

const struct str *violation_identities(const struct violations *v)
{
	struct str *identities = arena_array(v->arena, v->count, sizeof *identities);
	if (identities == NULL)
		return NULL;
	for (size_t i = 0; i < v->count; i++)
		identities[i] = v->items[i].identity;
	if (v->count > 1)
		qsort(identities, v->count, sizeof *identities, str_order);
	return identities;
}

bool violation_known(const struct str *identities, size_t count, struct str identity)
{
	return count > 0 && bsearch(&identity, identities, count, sizeof *identities, str_order) != NULL;
}
