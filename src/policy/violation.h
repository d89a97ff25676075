/* What is wrong with an object: a list of sentences, each with its field. */
#ifndef POLICY_VIOLATION_H
#define POLICY_VIOLATION_H

#include "base/arena.h"

struct violation {
	struct str field;    /* field path as Kubernetes writes it */
	struct str message;  /* found, expected, what to do */
	struct str identity; /* what was found, apart from where: two violations of one identity are the same fault */
};

/* Start with {.arena = ...}. A failed allocation stays in the arena. */
struct violations {
	struct arena *arena;
	struct violation *items;
	size_t count, capacity;
};

/*
 * Are there more than anybody will read? A reader of annotations may then stop looking. A rule must not: what it does
 * not see in the new object is let through, and what it does not see in the old one is denied.
 */
bool violations_full(const struct violations *v);

/* Adds one; the message in printf form. `field` and `identity` must live as long as the arena. */
void violation_add(struct violations *v, struct str field, struct str identity, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The identities of the list, v->count of them, in the order of str_cmp; in its arena. NULL when memory is out. */
const struct str *violation_identities(const struct violations *v);

/* Is the identity one of them? An object can hold many faults, so this is a binary search. */
bool violation_known(const struct str *identities, size_t count, struct str identity);

#endif
