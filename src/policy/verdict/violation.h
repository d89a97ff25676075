/* What is wrong with an object: a list of sentences, each with its field. */
#ifndef POLICY_VERDICT_VIOLATION_H
#define POLICY_VERDICT_VIOLATION_H

#include "base/arena.h"

struct violation {
	struct str field;    /* field path as Kubernetes writes it */
	struct str message;  /* found, expected, what to do; absent for one of those that are only counted */
	struct str identity; /* where, by names and not by indexes, and the value: the same fault has the same identity */
	bool known;          /* the old object had it */
};

/* What the old object had, each as often as it had it. */
struct violations_before {
	struct str *identities; /* in the order of str_cmp, none twice */
	size_t *left;           /* how many of each have not been met again */
	size_t count;
};

/* Start with {.arena = ...}, and `before` to tell old from new. A failed allocation stays in the arena. */
struct violations {
	struct arena *arena;
	struct violations_before *before; /* NULL: nothing is known */
	bool untold; /* nobody will read them: they are only counted, and known by their identities */
	struct violation *items;
	size_t count, capacity;
	size_t told[2]; /* of those that are new, and known: how many have a message */
};

/*
 * Are there more than anybody will read? A reader of annotations may then stop looking. A rule must not: what it does
 * not see in the new object is let through, and what it does not see in the old one is denied.
 */
bool violations_full(const struct violations *v);

/*
 * Adds one; the message in printf form. Behind LIMIT_VIOLATIONS new ones, and as many known ones, it is only counted.
 * `field` and `identity` must live as long as the arena.
 */
void violation_add(struct violations *v, struct str field, struct str identity, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds all of another list, each with `suffix` behind its message. */
void violations_add(struct violations *v, const struct violations *others, const char *suffix);

/* Fills *out from the list, in its arena. */
void violations_before(const struct violations *v, struct violations_before *out);

#endif
