#include "review/line.h"

#include <stdint.h>

/* Does the bracket at `i` close a step? A key may hold one: behind a closing one the path ends or goes on. */
static bool ends_step(struct str path, size_t i)
{
	return path.p[i] == ']' && (i + 1 == path.n || path.p[i + 1] == '.' || path.p[i + 1] == '[');
}

/* Takes the next step off a path: a name, or what stands in brackets. False at the end. */
static bool next_step(struct str *path, struct str *step)
{
	size_t n = 0;
	if (path->n == 0)
		return false;
	if (path->p[0] == '[') {
		for (n = 1; n < path->n && !ends_step(*path, n);)
			n++;
		*step = (struct str){path->p + 1, n - 1};
		*path = str_from(*path, n + 1);
		return true;
	}
	if (path->p[0] == '.')
		*path = str_from(*path, 1);
	while (n < path->n && path->p[n] != '.' && path->p[n] != '[')
		n++;
	*step = (struct str){path->p, n};
	*path = str_from(*path, n);
	return true;
}

static bool step_to_member(struct line_place *at, struct str key)
{
	const struct json *source = json_first(at->source);
	const struct yaml_node *node = at->node->first;
	while (source != NULL && node != NULL && !str_eq(json_key(source), key)) {
		source = json_next(source);
		node = node->next;
	}
	if (source == NULL || node == NULL)
		return false;
	*at = (struct line_place){json_get(at->object, key), source, node};
	return true;
}

/* Has the object kept this element of the manifest? One with a name may have got more content. */
static bool same_element(const struct json *source, const struct json *object)
{
	struct str name = json_string(json_getz(object, "name"));
	if (source == object)
		return true;
	return name.n > 0 ? str_eq(name, json_string(json_getz(source, "name"))) : json_equal(source, object);
}

/* Looks for `object` among the manifest's elements from `at` to before `end`. */
static bool find_element(struct line_place at, const struct json *end, const struct json *object,
			 struct line_place *out)
{
	for (; at.source != end && at.node != NULL; at.source = json_next(at.source), at.node = at.node->next) {
		if (!same_element(at.source, object))
			continue;
		*out = (struct line_place){object, at.source, at.node};
		return true;
	}
	return false;
}

/* The element of the manifest that the object has at `index`. The search goes on behind the last one of the list. */
static bool step_to_element(struct line_place *at, size_t index, struct line_memo *memo)
{
	struct line_place first = {NULL, json_first(at->source), at->node->first}, start = first, found;
	const struct json *object = json_first(at->object);
	size_t i = 0;
	if (memo->list == at->object && index == memo->index) {
		*at = memo->place;
		return true;
	}
	if (memo->list == at->object && index > memo->index) {
		object = memo->place.object;
		i = memo->index;
		start = (struct line_place){NULL, json_next(memo->place.source), memo->place.node->next};
	}
	for (; i < index && object != NULL; i++)
		object = json_next(object);
	if (object == NULL)
		return false;
	if (!find_element(start, NULL, object, &found) && !find_element(first, start.source, object, &found))
		return false;
	*memo = (struct line_memo){at->object, index, found};
	*at = found;
	return true;
}

static bool to_index(struct str step, size_t *out)
{
	size_t index = 0;
	for (size_t i = 0; i < step.n; i++) {
		if (step.p[i] < '0' || step.p[i] > '9' || index > SIZE_MAX / 16)
			return false;
		index = index * 10 + (size_t)(step.p[i] - '0');
	}
	*out = index;
	return step.n > 0;
}

/* Goes as far along the path as the manifest does; true at its end. The place is known to begin with. */
static bool walk(struct line_finder *finder, struct str field, struct line_place *at)
{
	struct str step;
	size_t index, lists = 0;
	bool there = true;
	*at = (struct line_place){finder->object, finder->manifest->object, finder->manifest->node};
	while (there && next_step(&field, &step)) {
		if (json_kind(at->source) == JSON_OBJECT)
			there = step_to_member(at, step);
		else
			there = json_kind(at->source) == JSON_ARRAY && lists < LINE_LISTS && to_index(step, &index) &&
				step_to_element(at, index, &finder->memos[lists++]);
	}
	return there;
}

size_t line_find(struct line_finder *finder, struct str field)
{
	struct line_place at;
	if (finder->manifest->node == NULL)
		return finder->manifest->line;
	(void)walk(finder, field, &at);
	return at.node->key.p != NULL ? at.node->key_line : at.node->line;
}

const struct yaml_node *line_node(struct line_finder *finder, struct str field)
{
	struct line_place at;
	return finder->manifest->node != NULL && walk(finder, field, &at) ? at.node : NULL;
}
