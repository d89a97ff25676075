#include "server/bodies.h"

#include "base/error.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* Memory doubles up to this, and then grows by it. */
#define BODY_STEP (1 * MIB)
#define BODY_FIRST (4 * KIB)

int bodies_init(struct bodies *all, size_t limit)
{
	*all = (struct bodies){.limit = limit};
	return pthread_mutex_init(&all->lock, NULL) == 0 ? 0 : ERR_NOMEM;
}

void bodies_dispose(struct bodies *all)
{
	pthread_mutex_destroy(&all->lock);
}

size_t bodies_held(struct bodies *all)
{
	pthread_mutex_lock(&all->lock);
	size_t held = all->held;
	pthread_mutex_unlock(&all->lock);
	return held;
}

void body_init(struct body *b, struct bodies *all)
{
	*b = (struct body){.all = all};
}

/* ---- with the lock ---- */

/* Changes what the body counts for. */
static void count(struct body *b, size_t capacity)
{
	struct bodies *all = b->all;
	all->held = all->held - b->capacity + capacity;
	if (b->capacity == 0 && capacity > 0) {
		b->previous = NULL;
		b->next = all->first;
		if (all->first != NULL)
			all->first->previous = b;
		all->first = b;
	} else if (b->capacity > 0 && capacity == 0) {
		if (b->previous != NULL)
			b->previous->next = b->next;
		else
			all->first = b->next;
		if (b->next != NULL)
			b->next->previous = b->previous;
	}
	b->capacity = capacity;
}

static void drop(struct body *b)
{
	free(b->p);
	b->p = NULL;
	b->n = 0;
	count(b, 0);
}

/* Bytes times milliseconds: what it has cost the others so far. */
static double cost(size_t capacity, int64_t began, int64_t now)
{
	return (double)capacity * (double)(now > began ? now - began + 1 : 1);
}

/* Whose cost is the highest, and higher than `least`; NULL when nobody's is. */
static struct body *costliest(struct bodies *all, enum body_state state, const struct body *but, double least,
	int64_t now)
{
	struct body *found = NULL;
	for (struct body *b = all->first; b != NULL; b = b->next) {
		double its = cost(b->capacity, b->began, now);
		if (b == but || b->state != state || b->lost || its <= least)
			continue;
		found = b;
		least = its;
	}
	return found;
}

/*
 * Makes room for `b` to count for `wanted`. What others receive is taken from them at once. An answer is
 * libmicrohttpd's: its connection is about to end, and there is room a moment later.
 */
static bool make_room(struct body *b, size_t wanted, int64_t now)
{
	struct bodies *all = b->all;
	double own = cost(wanted, b->began, now);
	while (wanted > all->limit || all->held - b->capacity > all->limit - wanted) {
		struct body *other = costliest(all, BODY_RECEIVING, b, own, now);
		if (other == NULL)
			break;
		drop(other);
		other->lost = true;
	}
	if (wanted <= all->limit && all->held - b->capacity <= all->limit - wanted)
		return true;
	struct body *other = costliest(all, BODY_ANSWER, b, own, now);
	if (other != NULL)
		other->lost = true;
	return false;
}

/* What to have for `n` bytes of at most `most`. */
static size_t wanted_for(const struct body *b, size_t n, size_t most)
{
	size_t wanted = b->capacity > 0 ? b->capacity : BODY_FIRST;
	while (wanted < n)
		wanted += wanted < BODY_STEP ? wanted : BODY_STEP;
	return wanted > most && most >= n ? most : wanted;
}

static enum body_added grow(struct body *b, size_t n, size_t most, int64_t now)
{
	if (n <= b->capacity)
		return BODY_ADDED;
	size_t wanted = wanted_for(b, n, most);
	if (!make_room(b, wanted, now)) {
		drop(b);
		b->lost = true;
		return BODY_LOST;
	}
	char *larger = realloc(b->p, wanted);
	if (larger == NULL) {
		drop(b);
		return BODY_NOMEM;
	}
	b->p = larger;
	count(b, wanted);
	return BODY_ADDED;
}

/* ---- without it ---- */

enum body_added body_add(struct body *b, struct str data, size_t most, int64_t began, int64_t now)
{
	pthread_mutex_lock(&b->all->lock);
	b->began = began;
	b->state = BODY_RECEIVING;
	enum body_added added = b->lost ? BODY_LOST : grow(b, b->n + data.n, most, now);
	if (added == BODY_ADDED && data.n > 0) {
		memcpy(b->p + b->n, data.p, data.n);
		b->n += data.n;
	}
	pthread_mutex_unlock(&b->all->lock);
	return added;
}

bool body_keep(struct body *b, struct str *out)
{
	pthread_mutex_lock(&b->all->lock);
	bool kept = !b->lost;
	if (kept) {
		b->state = BODY_KEPT;
		*out = (struct str){b->p != NULL ? b->p : "", b->n};
	}
	pthread_mutex_unlock(&b->all->lock);
	return kept;
}

bool body_answer(struct body *b, size_t size, int64_t began, int64_t now)
{
	pthread_mutex_lock(&b->all->lock);
	drop(b);
	b->state = BODY_ANSWER;
	b->began = began;
	bool granted = make_room(b, size, now);
	if (granted)
		count(b, size);
	pthread_mutex_unlock(&b->all->lock);
	return granted;
}

bool body_lost(struct body *b)
{
	pthread_mutex_lock(&b->all->lock);
	bool lost = b->lost;
	pthread_mutex_unlock(&b->all->lock);
	return lost;
}

void body_free(struct body *b)
{
	pthread_mutex_lock(&b->all->lock);
	drop(b);
	b->lost = false;
	b->state = BODY_RECEIVING;
	pthread_mutex_unlock(&b->all->lock);
}
