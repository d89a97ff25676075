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

/*
 * Finds what asks connhook for something in a workload and stands where nobody looks: a label, a field beside the
 * annotations, annotations of a part that is not the Pod's. Where the same stands in its place, nothing is amiss. The
 * field path, and how to write it in *remedy; absent when there is none. Memory is the arena.
 */
struct str unread_misplaced(struct arena *arena, const struct config *config, const struct workload *workload,
			    struct str *remedy);

/*
 * The field of a workload without a pod template that may be meant as it, or as a part of the way to it: tempalte. Its
 * path, and the right name in *meant; absent when nothing comes close. Memory is the arena.
 */
struct str unread_template(struct arena *arena, const struct workload *workload, struct str *meant);

/* The kinds that connhook injects into, for a sentence. */
struct str unread_kinds(struct arena *arena);

#endif
