/* The keys of one YAML mapping: each once, and merge keys applied. */
#include "codec/yaml_parts.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>

const char yaml_merge_key[] = "<<";

/* What may become an entry of the mapping: one of its own, or one that a merge key brings. */
struct yaml_candidate {
	const struct yaml_node *node;
	size_t place; /* in the order of the result */
	size_t rank;  /* of two with the same key the higher one wins */
	bool merged;
};

static bool is_merge(const struct yaml_node *entry)
{
	return entry->key.p == yaml_merge_key;
}

static int by_key_and_rank(const void *a, const void *b)
{
	const struct yaml_candidate *x = a, *y = b;
	int order = str_cmp(x->node->key, y->node->key);
	return order != 0 ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_place(const void *a, const void *b)
{
	const struct yaml_candidate *x = a, *y = b;
	return (x->place > y->place) - (x->place < y->place);
}

static void sort(struct yaml_candidates *c, size_t count, int (*order)(const void *, const void *))
{
	if (count > 1)
		qsort(c->list, count, sizeof *c->list, order);
}

static int add(struct yaml_candidates *c, const struct yaml_node *node, size_t rank, bool merged, struct error *err)
{
	if (c->count == c->capacity) {
		size_t wanted = c->capacity ? c->capacity * 2 : 16;
		struct yaml_candidate *larger = reallocarray(c->list, wanted, sizeof *larger);
		if (larger == NULL)
			return error_nomem(err);
		c->list = larger;
		c->capacity = wanted;
	}
	c->list[c->count] = (struct yaml_candidate){node, c->count, rank, merged};
	c->count++;
	return 0;
}

/* Adds what a merge entry brings. Ranks grow from *rank on; the first mapping of a list has the highest. */
static int add_merged(struct yaml_candidates *c, const struct yaml_node *entry, size_t *rank, struct error *err)
{
	bool list = entry->kind == YAML_SEQUENCE;
	size_t sources = list ? 0 : 1;
	for (const struct yaml_node *s = list ? entry->first : NULL; s != NULL; s = s->next)
		sources++;
	const struct yaml_node *source = list ? entry->first : entry;
	for (size_t i = 0; i < sources; i++, source = source->next) {
		if (source->kind != YAML_MAPPING)
			return yaml_error_at(err, source->line, source->column, ERR_INVALID,
					     "the merge key << has %s; it takes a mapping or a list of mappings",
					     yaml_kind_name(source->kind));
		for (const struct yaml_node *e = source->first; e != NULL; e = e->next)
			if (add(c, e, *rank + sources - i, true, err) != 0)
				return ERR_NOMEM;
	}
	*rank += sources;
	return 0;
}

/* Looks among the sorted candidates for two entries of the mapping's own with the same key. */
static int check_duplicates(const struct yaml_candidates *c, struct error *err)
{
	const struct yaml_node *own = NULL, *first = NULL, *second = NULL;
	for (size_t i = 0; i < c->count; i++) {
		const struct yaml_node *node = c->list[i].node;
		if (c->list[i].merged)
			continue;
		bool earlier = second == NULL || node->key_line < second->key_line;
		if (earlier && own != NULL && str_eq(own->key, node->key)) {
			first = own;
			second = node;
		}
		own = node;
	}
	if (second == NULL)
		return 0;
	return yaml_error_at(err, second->key_line, second->key_column, ERR_INVALID,
			     "key %s stands in this mapping twice, first at line %zu; remove one",
			     text_quote(second->key).text, first->key_line);
}

/* Remembers the mapping's own entries whose key came before, sorted candidates given: how many there are in *found. */
static int note_duplicates(struct arena *arena, const struct yaml_candidates *c, struct yaml_lenient *lenient,
			   size_t *found, struct error *err)
{
	const struct yaml_node *own = NULL, *first = NULL;
	*found = 0;
	for (size_t i = 0; i < c->count; i++) {
		const struct yaml_node *node = c->list[i].node;
		if (c->list[i].merged)
			continue;
		bool again = own != NULL && str_eq(own->key, node->key);
		first = again ? first : node;
		own = node;
		*found += again;
		if (!again || lenient->repeat_count == LIMIT_YAML_REPEATS)
			continue;
		struct yaml_repeat *items =
			arena_grow(arena, lenient->repeats, lenient->repeat_count, &lenient->repeat_capacity, sizeof *items);
		if (items == NULL)
			return error_nomem(err);
		lenient->repeats = items;
		items[lenient->repeat_count++] =
			(struct yaml_repeat){node->key, node->key_line, node->key_column, first->key_line};
	}
	return 0;
}

/* Replaces the mapping's entries by the winners among the sorted candidates. */
static int relink(struct arena *arena, struct yaml_candidates *c, struct yaml_node *mapping, struct error *err)
{
	size_t kept = 0;
	for (size_t i = 0; i < c->count; i++)
		if (i + 1 == c->count || !str_eq(c->list[i].node->key, c->list[i + 1].node->key))
			c->list[kept++] = c->list[i];
	sort(c, kept, by_place);
	mapping->first = NULL;
	struct yaml_node *last = NULL;
	for (size_t i = 0; i < kept; i++) {
		struct yaml_node *entry = arena_alloc(arena, sizeof *entry);
		if (entry == NULL)
			return error_nomem(err);
		*entry = *c->list[i].node;
		entry->next = NULL;
		*(last != NULL ? &last->next : &mapping->first) = entry;
		last = entry;
	}
	return 0;
}

int yaml_mapping_finish(struct arena *arena, struct yaml_candidates *c, struct yaml_node *mapping,
			struct yaml_lenient *lenient, struct error *err)
{
	c->count = 0;
	size_t rank = 0, repeated = 0;
	bool merges = false;
	for (const struct yaml_node *e = mapping->first; e != NULL; e = e->next) {
		merges = merges || is_merge(e);
		int rc = is_merge(e) ? add_merged(c, e, &rank, err) : add(c, e, ++rank, false, err);
		if (rc != 0)
			return rc;
	}
	sort(c, c->count, by_key_and_rank);
	int rc = lenient != NULL ? note_duplicates(arena, c, lenient, &repeated, err) : check_duplicates(c, err);
	return rc != 0 || (!merges && repeated == 0) ? rc : relink(arena, c, mapping, err);
}
