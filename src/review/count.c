/* What the results come to. */
#include "review/print.h"

#include <stdlib.h>
#include <string.h>

static int by_object(const void *a, const void *b)
{
	const struct review_result *x = *(struct review_result *const *)a, *y = *(struct review_result *const *)b;
	const struct str xs[] = {x->name, x->kind, x->namespace, x->group};
	const struct str ys[] = {y->name, y->kind, y->namespace, y->group};
	int order = strcmp(x->manifest->source, y->manifest->source);
	for (size_t i = 0; order == 0 && i < sizeof xs / sizeof xs[0]; i++)
		order = str_order(&xs[i], &ys[i]);
	return order;
}

/* In the order of the input, which a sort alone would not keep. */
static int by_object_and_place(const void *a, const void *b)
{
	const struct review_result *x = *(struct review_result *const *)a, *y = *(struct review_result *const *)b;
	int order = by_object(a, b);
	return order != 0 ? order : (x > y) - (x < y); /* of one array */
}

static int number_twins(struct review_result *results, size_t count)
{
	struct review_result **sorted = calloc(count > 0 ? count : 1, sizeof(*sorted));
	if (sorted == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &results[i];
	if (count > 1)
		qsort(sorted, count, sizeof(*sorted), by_object_and_place);
	for (size_t i = 1; i < count; i++)
		if (by_object(&sorted[i - 1], &sorted[i]) == 0)
			sorted[i]->twin = sorted[i - 1]->twin + 1;
	free(sorted);
	return 0;
}

static bool has_remarks(const struct review_result *r)
{
	return r->finding_count + r->advice_count + r->note_count > 0;
}

int review_count(struct review *review, struct review_result *results, size_t count)
{
	review->results = results;
	review->count = review->first_allowed = review->first_remarked = count;
	for (size_t i = count; i-- > 0;) {
		const struct review_result *r = &results[i];
		review->denied += !r->allowed;
		review->patched += r->patch.n > 0;
		review->warned += r->warning_count > 0;
		review->noted += r->note_count > 0;
		review->refused += review_is_refused(review, r);
		review->first_allowed = r->allowed ? i : review->first_allowed;
		review->first_remarked = has_remarks(r) ? i : review->first_remarked;
	}
	return number_twins(results, count);
}
