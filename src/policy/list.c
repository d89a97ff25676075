#include "policy/list.h"

#include "codec/json_pointer.h"

#include <stdlib.h>

/* A recorded entry, to be found by its hash. */
struct record {
	unsigned long long hash;
	const struct json *value;
	bool claimed;
};

/* The same for equal values: members of an object count in any order. */
static unsigned long long hash_value(const struct json *v)
{
	unsigned long long hash = str_hash(STR_HASH_SEED, str_of(json_kind_name(json_kind(v))));
	struct str text = json_kind(v) == JSON_NUMBER ? json_number(v) : json_string(v);
	if (json_is_true(v))
		text = STR("true");
	hash = str_hash(hash, text);
	bool object = json_kind(v) == JSON_OBJECT;
	for (const struct json *e = json_first(v); e != NULL; e = json_next(e)) {
		unsigned long long inner = hash_value(e);
		hash = object ? hash + str_hash(inner, json_key(e)) : hash * 31 + inner;
	}
	return hash;
}

static int by_hash(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static struct record *read_records(struct arena *arena, const struct json *recorded, size_t *count)
{
	size_t n = 0;
	struct record *records = arena_array(arena, json_count(recorded), sizeof *records);
	for (const struct json *e = json_first(recorded); e != NULL && records != NULL; e = json_next(e))
		records[n++] = (struct record){hash_value(e), e, false};
	if (n > 1)
		qsort(records, n, sizeof *records, by_hash);
	*count = n;
	return records;
}

/* Takes a record equal to `value` that no entry has claimed before. */
static bool claim(struct record *records, size_t count, const struct json *value)
{
	unsigned long long hash = hash_value(value);
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (records[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && records[low].hash == hash; low++) {
		if (records[low].claimed || !json_equal(records[low].value, value))
			continue;
		records[low].claimed = true;
		return true;
	}
	return false;
}

bool list_open(struct arena *arena, struct str pointer, const struct json *value, const struct json *recorded,
	       const struct json *was, struct list *out)
{
	struct list l = {.pointer = pointer, .value = value, .was = was};
	size_t count = json_kind(value) == JSON_ARRAY ? json_count(value) : 0, record_count = 0;
	struct record *records = read_records(arena, recorded, &record_count);
	l.entries = arena_array(arena, count, sizeof *l.entries);
	if (records == NULL || l.entries == NULL)
		return false;
	for (const struct json *e = json_first(value); l.count < count; e = json_next(e)) {
		bool ours = record_count > 0 && claim(records, record_count, e);
		l.entries[l.count++] = (struct list_entry){e, ours};
		l.ours += ours;
	}
	*out = l;
	return true;
}

const struct json **list_result(struct arena *arena, const struct list *list, const struct json *const *desired,
				size_t count, size_t *result_count)
{
	const struct json **result = arena_array(arena, count + list->count, sizeof(const struct json *));
	if (result == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		result[i] = desired[i];
	for (size_t i = 0; i < list->count; i++)
		if (!list->entries[i].ours)
			result[count++] = list->entries[i].value;
	*result_count = count;
	return result;
}

/* Nothing of connhook's remains and nothing of the owner's stands there: the list as it was before. */
static void restore(struct arena *arena, const struct list *list, struct patch *patch)
{
	if (json_kind(list->was) == JSON_ARRAY)
		for (size_t i = list->count; i > 0; i--)
			patch_remove(patch, json_pointer_index(arena, list->pointer, i - 1));
	else if (list->was != NULL)
		patch_replace(patch, list->pointer, list->was);
	else
		patch_remove(patch, list->pointer);
}

/*
 * Which of connhook's entries may stay: those in front of the owner's that follow the order of `desired`. Marks in
 * kept[i] that desired[i] stands already, in stays[i] that entry i is not to be removed.
 */
static void match(const struct list *list, const struct json *const *desired, size_t count, bool *kept, bool *stays)
{
	size_t next = 0;
	bool front = true;
	for (size_t i = 0; i < list->count; i++) {
		if (!list->entries[i].ours) {
			stays[i] = true;
			front = false;
			continue;
		}
		for (size_t k = next; k < count && front && !stays[i]; k++) {
			if (!json_equal(desired[k], list->entries[i].value))
				continue;
			kept[k] = stays[i] = true;
			next = k + 1;
		}
	}
}

bool list_reconcile(struct arena *arena, const struct list *list, const struct json *const *desired, size_t count,
		    struct patch *patch)
{
	if (count == 0 && list->ours == 0)
		return true;
	if (count == 0 && list->ours == list->count) {
		restore(arena, list, patch);
		return true;
	}
	if (json_kind(list->value) != JSON_ARRAY) {
		patch_add_array(patch, list->pointer, desired, count);
		return true;
	}
	bool *kept = arena_array(arena, count, sizeof *kept);
	bool *stays = arena_array(arena, list->count, sizeof *stays);
	if (kept == NULL || stays == NULL)
		return false;
	match(list, desired, count, kept, stays);
	for (size_t i = list->count; i > 0; i--)
		if (!stays[i - 1])
			patch_remove(patch, json_pointer_index(arena, list->pointer, i - 1));
	for (size_t k = 0; k < count; k++)
		if (!kept[k])
			patch_add(patch, json_pointer_index(arena, list->pointer, k), desired[k]);
	return true;
}

const struct json *list_was(const struct list *list, size_t desired_count)
{
	if (desired_count == 0 || list->count > list->ours)
		return NULL;
	return list->ours > 0 ? list->was : list->value;
}

bool list_holds(const struct list *list, const struct json *entry)
{
	const struct json *e = json_kind(list->value) == JSON_ARRAY ? json_first(list->value) : NULL;
	while (e != NULL && !json_equal(e, entry))
		e = json_next(e);
	return e != NULL;
}
