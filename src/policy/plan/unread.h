/* Annotations that ask connhook for something, and that it does not read where they stand. */
#ifndef POLICY_PLAN_UNREAD_H
#define POLICY_PLAN_UNREAD_H

#include "kube/workload.h"
#include "policy/config/config.h"
#include "policy/verdict/violation.h"

/* Warns of a workload's annotations whose prefix is nearly connhook's. */
void unread_prefixes(const struct config *config, const struct workload *workload, struct violations *warnings);

/* An annotation on an object that nothing is injected into. */
struct unread {
	struct str field;              /* its field path; absent when there is none */
	const struct json *annotation;
	bool beside_containers;        /* the object is a Pod, or holds a Pod's template */
};

/*
 * Finds one in an object that is no workload: on its own metadata, or on a pod template anywhere in it. Objects within
 * it are objects of their own, and what is a copy of an injected template asks for nothing. Memory is the arena.
 */
void unread_find(struct arena *arena, const struct config *config, const struct json *object, struct unread *out);

/* The kinds that connhook injects into, for a sentence. */
struct str unread_kinds(struct arena *arena);

#endif
