#include "policy/verdict/violation.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>

bool violations_full(const struct violations *v)
{
	return v->count >= LIMIT_VIOLATIONS;
}

/* Has the old object one more of it? An object can hold many faults, so this is a binary search. */
static bool take(struct violations_before *before, struct str identity)
{
	if (before == NULL || before->count == 0)
		return false;
	const struct str *found =
		bsearch(&identity, before->identities, before->count, sizeof identity, str_order);
	size_t *left = found != NULL ? &before->left[found - before->identities] : NULL;
	if (left == NULL || *left == 0)
		return false;
	--*left;
	return true;
}

/* The new element, without its texts; NULL when memory is out. *told: it shall have them. */
static struct violation *next(struct violations *v, struct str identity, bool *told)
{
	struct violation *items = arena_grow(v->arena, v->items, v->count, &v->capacity, sizeof *items);
	if (items == NULL)
		return NULL;
	v->items = items;
	bool known = take(v->before, identity);
	*told = !v->untold && v->told[known] < LIMIT_VIOLATIONS;
	v->told[known] += *told;
	items[v->count] = (struct violation){.identity = identity, .known = known};
	return &items[v->count++];
}

void violation_add(struct violations *v, struct str field, struct str identity, const char *format, ...)
{
	bool told;
	struct violation *violation = next(v, identity, &told);
	if (violation == NULL || !told)
		return;
	va_list args;
	va_start(args, format);
	violation->message = text_shown(v->arena, arena_fmtv(v->arena, format, args));
	va_end(args);
	violation->field = text_shown(v->arena, field);
}

void violations_add(struct violations *v, const struct violations *others, const char *suffix)
{
	for (size_t i = 0; i < others->count; i++) {
		const struct violation *o = &others->items[i];
		bool told;
		struct violation *violation = next(v, o->identity, &told);
		if (violation == NULL)
			return;
		if (o->message.p == NULL)
			v->told[violation->known] -= told;
		if (o->message.p == NULL || !told)
			continue;
		violation->field = o->field;
		violation->message = *suffix != '\0' ? arena_fmt(v->arena, "%.*s%s", STR_ARG(o->message), suffix) : o->message;
	}
}

void violations_before(const struct violations *v, struct violations_before *out)
{
	struct str *all = arena_array(v->arena, v->count, sizeof *all);
	size_t *left = arena_array(v->arena, v->count, sizeof *left);
	*out = (struct violations_before){all, left, 0};
	if (all == NULL || left == NULL)
		return;
	for (size_t i = 0; i < v->count; i++)
		all[i] = v->items[i].identity;
	if (v->count > 1)
		qsort(all, v->count, sizeof *all, str_order);
	for (size_t i = 0; i < v->count; i++) {
		if (out->count == 0 || !str_eq(all[out->count - 1], all[i]))
			all[out->count++] = all[i];
		left[out->count - 1]++;
	}
}
