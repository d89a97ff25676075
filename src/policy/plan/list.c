#include "policy/plan/list.h"

#include "codec/json_pointer.h"

bool list_read(struct arena *arena, enum entry_kind kind, struct str pointer, const struct json *value,
	       struct record_list *record, const struct declared_keys *declared, size_t round, struct list *out)
{
	struct list l = {.kind = kind, .pointer = pointer, .value = value};
	size_t count = json_kind(value) == JSON_ARRAY ? json_count(value) : 0;
	l.slots = arena_array(arena, count, sizeof *l.slots);
	if (l.slots == NULL)
		return false;
	for (const struct json *e = json_first(value); l.count < count; e = json_next(e)) {
		struct entry_key key;
		struct record_entry *recorded =
			record != NULL && entry_key(kind, e, &key) ? record_find(record, &key) : NULL;
		bool ours = recorded != NULL && recorded->taken != round && !declared_entry(declared, &key, e) &&
			    (kind == ENTRY_PULL_SECRET ? entry_has_form(kind, e) : entry_same(recorded->value, e));
		if (ours)
			recorded->taken = round;
		l.slots[l.count++] = (struct slot){e, ours ? entry_hash(e) : 0, ours};
		l.ours += ours;
	}
	*out = l;
	return true;
}

const struct json **list_result(struct arena *arena, const struct list *list, const struct target *targets,
				size_t count, size_t *result_count)
{
	const struct json **result = arena_array(arena, count + list->count, sizeof(const struct json *));
	size_t n = 0, next = 0, others = 0;
	if (result == NULL)
		return NULL;
	for (size_t i = 0; i <= list->count; i++) {
		if (i < list->count && list->slots[i].ours)
			continue;
		while (next < count && (targets[next].behind <= others || i == list->count))
			result[n++] = targets[next++].value;
		if (i < list->count)
			result[n++] = list->slots[i].value;
		others++;
	}
	*result_count = n;
	return result;
}

/*
 * Which of connhook's entries may stay: those that stand between the right entries of others, in the order of the
 * targets. Marks in kept[k] that target k stands already, in stays[i] that entry i is not to be removed.
 */
static void match(const struct list *list, const struct target *targets, size_t count, bool *kept, bool *stays)
{
	size_t next = 0, others = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (!list->slots[i].ours) {
			stays[i] = true;
			others++;
			while (next < count && targets[next].behind < others)
				next++;
			continue;
		}
		for (size_t k = next; k < count && targets[k].behind == others && !stays[i]; k++) {
			if (targets[k].hash != list->slots[i].hash)
				continue;
			kept[k] = stays[i] = true;
			next = k + 1;
		}
	}
}

bool list_difference(struct arena *arena, const struct list *list, const struct target *targets, size_t count,
		     struct patch *patch)
{
	if (count == 0 && list->ours == 0)
		return true;
	if (count == 0 && list->ours == list->count) {
		patch_remove(patch, list->pointer);
		return true;
	}
	if (json_kind(list->value) != JSON_ARRAY) {
		const struct json **values = arena_array(arena, count, sizeof(const struct json *));
		for (size_t k = 0; k < count && values != NULL; k++)
			values[k] = targets[k].value;
		if (values != NULL)
			patch_add_array(patch, list->pointer, values, count);
		return values != NULL;
	}
	bool *kept = arena_array(arena, count, sizeof *kept);
	bool *stays = arena_array(arena, list->count, sizeof *stays);
	if (kept == NULL || stays == NULL)
		return false;
	match(list, targets, count, kept, stays);
	for (size_t i = list->count; i > 0; i--)
		if (!stays[i - 1])
			patch_remove(patch, json_pointer_index(arena, list->pointer, i - 1));
	for (size_t k = 0; k < count; k++)
		if (!kept[k])
			patch_add(patch, json_pointer_index(arena, list->pointer, k + targets[k].behind), targets[k].value);
	return true;
}
